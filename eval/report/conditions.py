"""What the columns of the results are: simulated or recorded, new to the model or seen in training."""

from __future__ import annotations

from robust.eval.decision.claims import listed, plural, score
from robust.eval.decision.study import CLEAN
from robust.eval.evidence.records import CandidateEvidence, VariantEvidence
from robust.eval.report.context import Row, Table
from robust.eval.report.view import OBSERVED, View, number, whole

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
        said.append(f"Recorded on images of their own, so never compared with {clean}: {names}.")
    if study.trained_on:
        said.append(f"Training images were augmented with {listed(study.trained_on)}: no test of unseen conditions.")
    return tuple(said)


def condition_notes(view: View) -> tuple[str, ...]:
    """What to know before the degradation is read; nothing when every condition is simulated and new to the model."""
    study, notes = view.study, []
    if study.trained_on:
        notes.append(
            f"Seen in training: {listed(study.trained_on)}. What a model was trained on is no test of the unseen, and "
            "the means over the whole suite include it."
        )
        notes += [_held_out(view, candidate) for candidate in view.shown]
    if study.recorded:
        notes.append(
            f"Recorded, not simulated: {listed([v.name for v in study.recorded])}. These are other images than the "
            "clean ones: they have no severity, no retained share, and no part in any mean over the suite."
        )
    return tuple(notes)


def _held_out(view: View, candidate: CandidateEvidence) -> str:
    study = view.study
    n = len(study.corruptions) - len(study.trained_on)
    if not n:
        return f"{candidate.name}: training has seen every corruption of the suite."
    mean = study.held_out(candidate, view.metric)
    if mean.value is None:
        return f"{candidate.name}: mean {view.metric} over conditions that training has not seen: {mean.missing}."
    return (
        f"{candidate.name}: mean {view.metric} {score(mean)} over the {plural(n, 'corruption')} that training has not "
        f"seen ({view.counts(view.judged_on)} when clean; no interval yet)."
    )


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
        f"Recorded conditions, on images and labels of their own, all thresholds from 0.001 up. {OBSERVED} A number "
        "here cannot be set against a clean one: the images differ."
    )
    return Table("recorded", caption, ("Set, model", "Images", "Objects", *RECORDED_COLUMNS), rows)
