"""Checks of each training: where precision and recall were read, whether it ended too soon, whether it over-fits."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.listing import called, counted, names_of
from robust.eval.audit.logged import Quantity, course, losses, number, rate
from robust.eval.audit.settings import identity
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.metrics.courses import (
    END,
    GAP_TOLERANCE,
    best_is_last,
    end_slope,
    epochs_since_lowest,
    losses_part,
)

MORE_WRONG_THAN_RIGHT = 0.5
"""Below this precision, more than half of the detections are false: nobody would run such a threshold."""
FLAT = 0.001
"""Rise of val mAP per epoch up to which the end of a course counts as flat (a convention: a tenth of a point)."""
SHORT = 5
"""Epochs up to which a training counts as short (a convention)."""
LASTING = 3
"""Epochs since the lowest val loss from which on its rise is a trend and not a bad epoch (a convention)."""
NONE_FINISHED = "no training run finished"


@dataclass(frozen=True)
class _Read:
    """Precision and recall that a run logged of itself."""

    run: RunFacts
    precision: float
    recall: float


@dataclass(frozen=True)
class _Course:
    """A run's val course of the number that chooses its best epoch."""

    run: RunFacts
    quantity: Quantity
    values: tuple[float, ...]

    @property
    def slope(self) -> float:
        """Change per epoch over the last epochs."""
        return end_slope(self.values) or 0.0


@dataclass(frozen=True)
class _Parting:
    """A run whose val loss rose, for ``since`` epochs, while its train loss fell."""

    run: RunFacts
    loss: str
    lowest: float
    last: float
    since: int


@dataclass(frozen=True)
class _Gap:
    """The same rate on train and val, as a run logged both."""

    run: RunFacts
    train: float
    val: float

    @property
    def size(self) -> float:
        """Train minus val."""
        return self.train - self.val


def _finished(facts: ExperimentFacts) -> list[RunFacts]:
    return sorted(facts.finished, key=identity)


def _metric_at_best_f1(facts: ExperimentFacts) -> Looked:
    read = [found for run in _finished(facts) if (found := _precision_and_recall(run))]
    if not read:
        missing = "no finished run logged precision and recall beside mAP50"
        return Looked(not_checked=missing if facts.finished else NONE_FINISHED)
    poor = [one for one in read if one.precision < MORE_WRONG_THAN_RIGHT]
    worst = min(read, key=lambda one: one.precision)
    surely = any(name.startswith("metrics/precision") for name in worst.run.metrics)
    told = "Ultralytics read them" if surely else "they were most likely read, as Ultralytics does,"
    unlike = ": more false detections than true ones, a threshold that nobody would run" if poor else ""
    return Looked(
        (
            AuditFinding(
                rule="metric-at-best-f1",
                severity=Severity.WARNING if poor else Severity.NOTE,
                runs=names_of(one.run for one in poor or read),
                what=f"{called(worst.run, facts.runs)} logged precision {worst.precision:.3g} and recall "
                f"{worst.recall:.3g}{unlike}; {told} on val at the confidence where F1 is highest "
                f"({counted(len(read), 'run')} with such numbers, {len(poor)} with a precision below "
                f"{MORE_WRONG_THAN_RIGHT:g}).",
                numbers={
                    "precision": worst.precision,
                    "recall": worst.recall,
                    "runs": len(read),
                    "runs_below_half": len(poor),
                },
                why="They are not precision and recall in use, where somebody has set the confidence threshold.",
                remedy="Choose a threshold on val and report both at it on test: robust sweep.",
            ),
        )
    )


def _precision_and_recall(run: RunFacts) -> _Read | None:
    precision, recall = rate(run, Quantity.PRECISION), rate(run, Quantity.RECALL)
    has_map = any(rate(run, one) is not None for one in (Quantity.AP50, Quantity.AP))
    return None if precision is None or recall is None or not has_map else _Read(run, precision, recall)


def _best_epoch_last(facts: ExperimentFacts) -> Looked:
    runs = _finished(facts)
    known = [found for run in runs if (found := _chosen_by(run))]
    if not runs:
        return Looked(not_checked=NONE_FINISHED)
    if not known:
        reason = "no finished run logged its val mAP for two or more epochs, so its best epoch is not known"
        return Looked(tuple(_short(runs)), not_checked=reason)
    last = [one for one in known if best_is_last(one.values)]
    if not last:
        return Looked()
    slopes = [one.slope for one in last]
    epochs = sorted({len(one.values) for one in last})
    unknown = len(runs) - len(known)
    left = f"; {counted(unknown, 'run')} logged no course" if unknown else ""
    return Looked(
        (
            AuditFinding(
                rule="best-epoch-last",
                severity=Severity.WARNING if max(slopes) > FLAT else Severity.NOTE,
                runs=names_of(one.run for one in last),
                what=f"The last epoch is the best one on val in {len(last)} of {counted(len(known), 'run')} "
                f"({' or '.join(map(str, epochs))} epochs); over the last {min(END, epochs[-1])} epochs "
                f"{last[0].quantity} changes by {statistics.median(slopes):+.4f} per epoch in the median, "
                f"{max(slopes):+.4f} at most{left}.",
                numbers={
                    "runs_last": len(last),
                    "runs_known": len(known),
                    "epochs": epochs[-1],
                    "slope_median": statistics.median(slopes),
                    "slope_max": max(slopes),
                },
                why="A training that still improves when it ends is under-trained: a difference between settings may "
                "be one of how fast they learn.",
                remedy="Train longer and stop early (robust train --epochs 100 --patience 10), then compare again.",
            ),
        )
    )


def _chosen_by(run: RunFacts) -> _Course | None:
    """The course of what chooses the best epoch: fitness where it was logged, else mAP50-95, else mAP50.

    In Ultralytics 8.4 the fitness of a detector is its mAP50-95.
    """
    for quantity in (Quantity.FITNESS, Quantity.AP, Quantity.AP50):
        if values := course(run, quantity):
            return _Course(run, quantity, values)
    return None


def _short(runs: Sequence[RunFacts]) -> Iterator[AuditFinding]:
    short = [(run, int(n)) for run in runs if (n := number(run, "epochs")) is not None and 1 <= n <= SHORT]
    if short:
        most = max(epochs for _, epochs in short)
        yield AuditFinding(
            rule="best-epoch-last",
            severity=Severity.NOTE,
            runs=names_of(run for run, _ in short),
            what=f"{counted(len(short), 'training')} of at most {counted(most, 'epoch')}, and no val course that would "
            "show whether that was enough.",
            numbers={"runs": len(short), "epochs": most},
            why="So short a training has hardly reached what its setting can do.",
            remedy="Log the metrics of every epoch, train longer and stop early.",
        )


def _train_val_gap(facts: ExperimentFacts) -> Looked:
    runs = _finished(facts)
    pairs = [(run, found) for run in runs if (found := losses(run))]
    gaps = [gap for run in runs if (gap := _gap(run))]
    if not pairs and not gaps:
        reason = "no finished run logged a loss on train and val for two or more epochs, or mAP50 on both"
        return Looked(not_checked=f"{reason}: over-fitting was not looked for" if runs else NONE_FINISHED)
    parted = [
        _Parting(run, name, min(val), val[-1], epochs_since_lowest(val))
        for run, (name, train, val) in pairs
        if losses_part(train, val)
    ]
    return Looked((*_parting(parted, len(pairs), facts.runs), *_wide(gaps, facts.runs)))


def _gap(run: RunFacts) -> _Gap | None:
    train, val = (rate(run, Quantity.AP50, split) for split in ("train", "val"))
    return None if train is None or val is None else _Gap(run, train, val)


def _parting(parted: Sequence[_Parting], n_known: int, among: Sequence[RunFacts]) -> Iterator[AuditFinding]:
    if not parted:
        return
    worst = max(parted, key=lambda one: (one.since, one.last - one.lowest))
    yield AuditFinding(
        rule="train-val-gap",
        severity=Severity.WARNING if worst.since >= LASTING else Severity.NOTE,
        runs=names_of(one.run for one in parted),
        what=f"The val loss ends above its lowest while the train loss ends on its lowest in {len(parted)} of "
        f"{counted(n_known, 'run')}: {worst.loss} of {called(worst.run, among)} rose on val from {worst.lowest:.4g} to "
        f"{worst.last:.4g} in the last {counted(worst.since, 'epoch')}.",
        numbers={
            "runs_parted": len(parted),
            "runs_known": n_known,
            "val_loss_lowest": worst.lowest,
            "val_loss_last": worst.last,
            "epochs_since": worst.since,
        },
        why="A model that goes on learning its training images while it gets worse on others over-fits; by how much in "
        "AP, the losses do not tell.",
        remedy="Stop earlier, or add data or augmentation; measure train and test alike with robust eval.",
    )


def _wide(gaps: Sequence[_Gap], among: Sequence[RunFacts]) -> Iterator[AuditFinding]:
    wide = [gap for gap in gaps if gap.size > GAP_TOLERANCE]
    if not wide:
        return
    worst = max(wide, key=lambda gap: gap.size)
    yield AuditFinding(
        rule="train-val-gap",
        severity=Severity.WARNING,
        runs=names_of(gap.run for gap in wide),
        what=f"mAP50 on train is more than {GAP_TOLERANCE:g} above that on val in {len(wide)} of "
        f"{counted(len(gaps), 'run')}: {worst.train:.3f} against {worst.val:.3f} in {called(worst.run, among)}, a gap "
        f"of {worst.size:.3f} without an interval.",
        numbers={
            "train": worst.train,
            "val": worst.val,
            "gap": worst.size,
            "tolerance": GAP_TOLERANCE,
            "runs": len(wide),
        },
        why="What a model knows of its training images does not carry over to others.",
        remedy="Measure train and test alike with robust eval, which gives the gap its interval.",
    )


CHECKS: tuple[Check, ...] = (
    Check(
        rule="best-epoch-last",
        asks="Does every training have its best epoch on val before its last one?",
        look=_best_epoch_last,
    ),
    Check(
        rule="metric-at-best-f1",
        asks="Are the logged precision and recall those of a threshold that somebody would run?",
        look=_metric_at_best_f1,
    ),
    Check(
        rule="train-val-gap",
        asks="Do the losses on train and val fall together, and does mAP50 on val keep up with train?",
        look=_train_val_gap,
    ),
)
"""The checks of single trainings, by rule."""
