"""What the columns of the results are: simulated or recorded, new to the model or seen in training."""

from __future__ import annotations

from robust.eval.decision.claims import listed, plural, score
from robust.eval.decision.study import CLEAN
from robust.eval.evidence.records import CandidateEvidence, VariantEvidence
from robust.eval.report.context import Row, Table
from robust.eval.report.view import BRACKETS, View, number, whole

RECORDED_COLUMNS = ("AP", "AP50", "AP75", "AR100")


def marked(variant: VariantEvidence) -> str:
    """The name of a variant with what a reader must know of it."""
    marks = [
        word for word, holds in (("recorded", variant.recorded), ("seen in training", variant.trained_on)) if holds
    ]
    return f"{variant.name} ({', '.join(marks)})" if marks else variant.name


def conditions_said(view: View) -> tuple[str, ...]:
    """Which conditions were evaluated, and how each came about."""
    study, clean = view.study, f"the clean images of {view.judged_on}"
    said = []
    if study.corruptions:
        names = ", ".join((CLEAN, *study.corruptions))
        said.append(f"Conditions evaluated: {names}; all but {CLEAN} are simulated from {clean}.")
    else:
        said.append(f"Conditions evaluated: {CLEAN}; none is simulated.")
    if study.recorded:
        names = listed([v.name for v in study.recorded])
        said.append(f"Recorded, so never compared with {clean}: {names}.")
    if study.trained_on:
        said.append(f"Training images were augmented with {listed(study.trained_on)}: no test of unseen conditions.")
    if study.declared_only:
        said.append(_declared(view))
    return tuple(said)


def condition_notes(view: View) -> tuple[str, ...]:
    """What to know before the degradation is read; nothing when every condition is simulated and new to the model."""
    study, notes = view.study, []
    if study.trained_on:
        notes.append(
            f"Seen in training: {listed(study.trained_on)}. What a model was trained on is no test of the unseen, and "
            "the means over the whole suite include it."
        )
        notes += [words for candidate in view.shown if (words := _held_out(view, candidate))]
    if study.declared_only:
        notes.append(_declared(view))
    if study.recorded:
        notes.append(
            f"Recorded, not simulated: {listed([v.name for v in study.recorded])}. They have no severity, no retained "
            "share, and no part in any mean over the suite, because they are not the clean images."
        )
        notes += [_shared(view, variant) for variant in study.recorded]
    return tuple(notes)


def _declared(view: View) -> str:
    return f"Declared as trained on, but not in this suite: {listed(view.study.declared_only)}."


def _shared(view: View, variant: VariantEvidence) -> str:
    """How many images of a recorded set are those of the split that judges."""
    pair, size = view.study.shared(view.judged_on, variant.name), plural(variant.n_images, "image")
    if pair is None:
        return f"Whether {variant.name} ({size}) shares images with {view.judged_on} was not compared."
    if not pair.n_identical and not pair.n_near_duplicates:
        return f"{variant.name} ({size}) shares no image with {view.judged_on}."
    return (
        f"{variant.name} ({size}) is not wholly apart from the clean images: with {view.judged_on} it shares "
        f"{plural(pair.n_identical, 'identical image')} and {plural(pair.n_near_duplicates, 'near-duplicate')}."
    )


def _held_out(view: View, candidate: CandidateEvidence) -> str:
    """The mean over what is new; the untouched starting weights were not trained on any of it, only measured on it."""
    study, untouched = view.study, candidate.role == "baseline"
    n = len(study.corruptions) - len(study.trained_on)
    if not n:
        return "" if untouched else f"{candidate.name}: training has seen every corruption of the suite."
    mean = study.held_out(candidate, view.metric)
    unseen = plural(n, "corruption")
    over = f"the same {unseen}" if untouched else f"the {unseen} that training has not seen"
    if mean.value is None:
        return f"{candidate.name}: mean {view.metric} over {over}: {mean.missing}."
    return f"{candidate.name}: mean {view.metric} {score(mean)} over {over} ({view.counts(view.judged_on)} when clean)."


def recorded_table(view: View) -> Table:
    """The candidate and its baseline on each recorded set."""
    rows = tuple(
        Row(
            f"{v.name}, {candidate.name}" + (" (baseline)" if candidate.role == "baseline" else ""),
            (
                whole(v.n_images),
                whole(v.n_objects),
                *(number(view.study.metric(candidate, view.judged_on, v.name, metric)) for metric in RECORDED_COLUMNS),
            ),
            candidate.role,
        )
        for v in view.study.recorded
        for candidate in view.shown
    )
    caption = (
        f"Recorded conditions, on images and labels of their own, {view.floor_of(view.judged_on)}. {BRACKETS} A number "
        "here cannot be set against a clean one: they are not the clean images."
    )
    return Table("recorded", caption, ("Set, model", "Images", "Objects", *RECORDED_COLUMNS), rows)
