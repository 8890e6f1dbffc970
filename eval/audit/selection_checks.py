"""Checks of how numbers were used: what chose the winner, what it was compared with, what the val images could show."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

from robust.eval.audit.check import Check, Looked
from robust.eval.audit.data_checks import UNREADABLE, other_data
from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.listing import counted, listed, names_of
from robust.eval.audit.logged import Quantity, rate, setting, split_of
from robust.eval.audit.settings import declared, file_label, grouped, identity, seed_of
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.metrics import power

VAL, TEST = "val", "test"
_SAME = 1e-12  # means of equal results may differ in the last bit


@dataclass(frozen=True)
class _Mean:
    """Mean val mAP50 of a configuration."""

    runs: tuple[RunFacts, ...]
    value: float


def _small_val_set(facts: ExperimentFacts) -> Looked:
    n_images = _n_val(facts)
    means = _means(facts)
    other = other_data(facts)
    if facts.reported.n_val is None and other is not None:
        return Looked(not_checked=other)
    if not n_images:
        return Looked(not_checked="how many images val has is not known: name the data set with --data")
    if len(means) < 2:
        shown = "there is one configuration only" if means else "no finished run logged mAP50 on val"
        return Looked(not_checked=f"{shown}, so no difference between configurations is shown")
    lower = next((mean for mean in means if means[0].value - mean.value > _SAME), None)
    if lower is None or means[0].value - lower.value >= power.smallest_difference(n_images, max(power.DIFFERENCE_SD)):
        return Looked()
    return Looked((_too_small(facts, means[0], lower, n_images),))


def _too_small(facts: ExperimentFacts, best: _Mean, second: _Mean, n_images: int) -> AuditFinding:
    """A warning where even the most favourable images could not show it, a note where it depends on the images.

    No error: the planning values were not measured on these data.
    """
    difference = best.value - second.value
    low, high = (power.smallest_difference(n_images, sd) for sd in power.DIFFERENCE_SD)
    least, most = (power.images_needed_for_difference(sd, difference) for sd in power.DIFFERENCE_SD)
    objects = _objects(facts, n_images)
    of = f" with {counted(objects, 'object')}, each of which is {1 / objects:.3f} of recall," if objects else ""
    return AuditFinding(
        rule="small-val-set",
        severity=Severity.WARNING if difference < low else Severity.NOTE,
        runs=names_of((*best.runs, *second.runs)),
        what=f"The best configuration is {difference:.4f} mAP50 above the next on val ({best.value:.4f}, "
        f"{counted(len(best.runs), 'run')}, against {second.value:.4f}, {counted(len(second.runs), 'run')}); "
        f"{counted(n_images, 'val image')}{of} can show {low:.3f} to {high:.3f} at the least, and {difference:.4f} "
        f"needs {least:,} to {most:,} images (power 80 %, planning values).",
        numbers={
            "difference": difference,
            "images": n_images,
            "smallest_difference_low": low,
            "smallest_difference_high": high,
            "images_needed_low": least,
            "images_needed_high": most,
            **({"objects": objects} if objects else {}),
        },
        why="A difference that the images cannot show may be chance, and so may be the choice that rests on it.",
        remedy="Do not choose by it; evaluate on more images, with intervals (robust eval, robust report).",
    )


def _n_val(facts: ExperimentFacts) -> int | None:
    if facts.reported.n_val is not None:
        return facts.reported.n_val
    split = facts.data.split(VAL) if facts.data else None
    return split.n_images if split else None


def _objects(facts: ExperimentFacts, n_images: int) -> int | None:
    """Objects of val; None when the data set at hand has another val than the trainings used."""
    split = facts.data.split(VAL) if facts.data else None
    return split.n_objects if split and split.n_images == n_images else None


def _means(facts: ExperimentFacts) -> list[_Mean]:
    """Mean mAP50 of every configuration, best first; runs without a value do not count, a repeated seed counts once."""
    known = [run for run in facts.finished if rate(run, Quantity.AP50) is not None]
    means = []
    for runs in grouped(known, declared, without=("seed",)).values():
        seeds = {seed_of(run) if seed_of(run) is not None else run.run_id: run for run in reversed(runs)}
        kept = tuple(sorted(seeds.values(), key=identity))
        values = [value for run in kept if (value := rate(run, Quantity.AP50)) is not None]
        means.append(_Mean(kept, statistics.fmean(values)))
    return sorted(means, key=lambda mean: (-mean.value, identity(mean.runs[0])))


def _selected_on_reported_split(facts: ExperimentFacts) -> Looked:
    selected, judged = facts.reported.selected_on, facts.reported.judged_on
    if selected is None and judged is None:
        return Looked(not_checked=UNREADABLE) if facts.reported.is_unreadable else _only_logged(facts)
    if judged is None or (selected is None and judged != VAL):
        return Looked(not_checked="nothing says which split chose: candidates were evaluated on one only")
    if selected not in (judged, None):  # evaluated on val alone, where their epochs were chosen too
        return Looked()
    evaluated = facts.reported.n_evaluated or len(facts.finished)
    trained = max(len(facts.finished), facts.reported.n_trainings)  # all of these were compared on val anyway
    n = max(evaluated, trained) if judged == VAL else evaluated
    if n > 1:
        return Looked((_chosen_on(facts, judged, n, Severity.ERROR),))
    if judged == VAL:  # a single run, but val chose its epoch
        return Looked((_chosen_on(facts, judged, n, Severity.WARNING),))
    return Looked()


def _chosen_on(facts: ExperimentFacts, split: str, n: int, severity: Severity) -> AuditFinding:
    several = severity is Severity.ERROR
    chosen = (
        f"the best of {counted(n, 'candidate')} is chosen on" if several else "the epoch that was kept was chosen on"
    )
    return AuditFinding(
        rule="selected-on-reported-split",
        severity=severity,
        runs=names_of(facts.finished),
        what=f"The reported numbers are those of {split}, and {chosen} {split} too.",
        numbers={"split": split, "candidates": n},
        why="Whatever wins on some images looks better on them than it is; with several candidates on few images by "
        "more than settings usually differ.",
        remedy="Choose on val and judge on test: robust eval --split test.",
    )


def _only_logged(facts: ExperimentFacts) -> Looked:
    """Nobody evaluated: there is what the trainings logged of themselves, on val."""
    measured = [run for run in facts.finished if any(rate(run, one) is not None for one in Quantity)]
    tested = [run for run in facts.finished if any(split_of(name) == TEST for name in run.metrics)]
    if tested:
        reason = f"{counted(len(tested), 'run')} logged numbers of test, but nothing says which split chose the winner"
        return Looked(not_checked=reason)
    if not measured:
        return Looked(not_checked="nobody evaluated, and no finished run logged a rate on val")
    n = max(len(measured), facts.reported.n_trainings)
    chosen = f"; the best would be chosen from {counted(n, 'candidate')} by them" if n > 1 else ""
    return Looked(
        (
            AuditFinding(
                rule="selected-on-reported-split",
                severity=Severity.WARNING,
                runs=names_of(measured),
                what=f"The only numbers of {counted(len(measured), 'run')} are those of val, the split that chose the "
                f"best epoch of each{chosen}; no evaluation on test is recorded.",
                numbers={"runs": len(measured), "candidates": n},
                why="Numbers of the split that chose are too good, the more so the more runs and epochs it chose from.",
                remedy="Choose on val and judge on test: robust eval --split test.",
            ),
        )
    )


def _baseline_not_evaluated(facts: ExperimentFacts) -> Looked:
    if facts.reported.baselines:
        return Looked()
    runs = sorted(facts.finished, key=identity)
    models = {run.run_id: model for run in runs if (model := setting(run, "model"))}
    if not models:
        return Looked(not_checked="no finished run says which weights it started from")
    started = [run for run in runs if run.run_id in models and not _from_scratch(models[run.run_id])]
    if not started:
        return Looked(not_checked="the trainings started from no weights, so there are none to be beaten")
    weights = sorted({file_label(models[run.run_id]) for run in started})
    evaluated = facts.reported.n_evaluated
    beside = (
        f"{counted(evaluated, 'candidate')} were evaluated without them" if evaluated else "nobody evaluated anything"
    )
    return Looked(
        (
            AuditFinding(
                rule="baseline-not-evaluated",
                severity=Severity.WARNING,
                runs=names_of(started),
                what=f"No evaluation of the untouched starting weights ({listed(weights)}) is recorded: {beside}.",
                numbers={"runs": len(started), "starting_weights": len(weights), "evaluated": evaluated},
                why="Fine-tuning on few images may lower what the starting weights could do; then the best candidate "
                "is worse than what was there before.",
                remedy="Evaluate them under the same protocol: robust eval --baseline WEIGHTS.",
            ),
        )
    )


def _from_scratch(model: str) -> bool:
    """A network description instead of weights."""
    return re.search(r"\.ya?ml$", model.strip(), re.IGNORECASE) is not None


CHECKS: tuple[Check, ...] = (
    Check(
        rule="baseline-not-evaluated",
        asks="Were the untouched starting weights evaluated too?",
        look=_baseline_not_evaluated,
    ),
    Check(
        rule="selected-on-reported-split",
        asks="Were the reported numbers measured on another split than the one that chose?",
        look=_selected_on_reported_split,
    ),
    Check(
        rule="small-val-set",
        asks="Has val enough images to show the difference between the best configurations?",
        look=_small_val_set,
    ),
)
"""The checks of how numbers were used, by rule."""
