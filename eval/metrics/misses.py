"""Why objects are missed, and what false alarms are, at the threshold that a model runs at and IoU 0.5.

A missed object is the first of these that applies:

- ``below threshold``: a detection finds it, with a score below the threshold;
- ``never proposed``: its largest IoU with a detection of its class, of any score, is below 0.1;
- ``suppressed``: the detection that fits it best is the hit of a neighbour: one box stands for both. The neighbour
  overlaps it with an IoU above 0.3, or the detection would have fitted it too (IoU 0.5 or more);
- ``localisation``: the detection that fits it best has an IoU of 0.1 to 0.5.

A false alarm is the first of these that applies, by the object of its class with which its IoU is largest:

- ``duplicate``: the IoU is 0.5 or more, so a better-scored detection has found that object already;
- ``localisation``: the IoU is 0.1 to 0.5, and the object is missed at the threshold;
- ``part``: the IoU is 0.1 to 0.5, and the object is found; or half of the box or more lies inside one object or crowd
  region of its class, however large that is;
- ``background``: nothing of its class is there, the alarm is a ghost.

The limits 0.1 and 0.5 are those of TIDE (see `error_types`). The causes of misses follow in spirit Miller et al. 2022,
"What's in the Black Box? The False Negative Mechanisms Inside Object Detectors" (arXiv 2203.07662), read from the boxes
that are left after non-maximum suppression.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.overlaps import Overlaps, largest, overlaps
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.records import GroundTruth, Predictions

NEAR_IOU = 0.1
NEIGHBOUR_IOU = 0.3
PART_COVERED = 0.5

MissKind = Literal["below threshold", "never proposed", "suppressed", "localisation"]
FalseAlarmKind = Literal["duplicate", "localisation", "part", "background"]
MISS_KINDS: tuple[MissKind, ...] = ("below threshold", "never proposed", "suppressed", "localisation")
FALSE_ALARM_KINDS: tuple[FalseAlarmKind, ...] = ("duplicate", "localisation", "part", "background")


class MissCount(Record):
    """Missed objects of one kind; ``share`` is that of all misses, None without any."""

    kind: MissKind
    count: Annotated[int, Field(ge=0)]
    share: Share | None


class FalseAlarmCount(Record):
    """False alarms of one kind; ``share`` is that of all false alarms, None without any."""

    kind: FalseAlarmKind
    count: Annotated[int, Field(ge=0)]
    share: Share | None


class MissKinds(Record):
    """Misses and false alarms of one cell at one threshold, by kind.

    Attributes:
        threshold: Detections count from this score on.
        n_objects: Objects that count.
        n_missed: Of these, not found.
        misses: All kinds, with their counts.
        n_false_positives: False alarms.
        false_positives: All kinds, with their counts.
    """

    threshold: Share
    n_objects: Annotated[int, Field(ge=0)]
    n_missed: Annotated[int, Field(ge=0)]
    misses: tuple[MissCount, ...]
    n_false_positives: Annotated[int, Field(ge=0)]
    false_positives: tuple[FalseAlarmCount, ...]


def miss_kinds(
    ground_truth: GroundTruth, predictions: Predictions, threshold: float, *, matches: Matches | None = None
) -> MissKinds:
    """Count misses and false alarms by kind.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images, of any score.
        threshold: In 0..1; a detection counts where score >= threshold.
        matches: Of them at IoU 0.5 without a limit on detections, where they have been made already.

    Raises:
        DataError: the predictions are of other images.
    """
    matches = match(ground_truth, predictions, (SWEEP_IOU,)) if matches is None else matches
    pairs = overlaps(ground_truth, predictions, matches)
    found = _found_at(matches) >= threshold
    missed = np.flatnonzero(~found & ~matches.object_ignored)
    alarms = np.flatnonzero(matches.false_positive[0] & (matches.score >= threshold))
    why = _miss_kind(ground_truth, matches, pairs)[missed]
    what = _false_alarm_kind(matches, pairs, found)[alarms]
    return MissKinds(
        threshold=threshold,
        n_objects=matches.n_objects,
        n_missed=len(missed),
        misses=tuple(
            MissCount(kind=kind, count=n, share=n / len(missed) if len(missed) else None)
            for kind, n in zip(MISS_KINDS, _tally(why, len(MISS_KINDS)), strict=True)
        ),
        n_false_positives=len(alarms),
        false_positives=tuple(
            FalseAlarmCount(kind=kind, count=n, share=n / len(alarms) if len(alarms) else None)
            for kind, n in zip(FALSE_ALARM_KINDS, _tally(what, len(FALSE_ALARM_KINDS)), strict=True)
        ),
    )


def _tally(kinds: NDArray[np.int64], n_kinds: int) -> list[int]:
    counts: list[int] = np.bincount(kinds, minlength=n_kinds).tolist()
    return counts


def _found_at(matches: Matches) -> NDArray[np.float64]:
    """Score of the detection that finds each object, float64 (m,); -inf for one that none finds."""
    hit = matches.true_positive[0]
    scores = np.full(len(matches.object_ignored), -np.inf)
    scores[matches.match[0, hit]] = matches.score[hit]
    return scores


def _miss_kind(ground_truth: GroundTruth, matches: Matches, pairs: Overlaps) -> NDArray[np.int64]:
    """Position in `MISS_KINDS` for each object, were it missed, int64 (m,)."""
    m = len(ground_truth)
    mine = np.flatnonzero(pairs.same_class)
    best_iou, place = largest(pairs.object[mine], pairs.iou[mine], m)
    detection = np.where(place >= 0, np.append(pairs.detection[mine], 0)[place], -1)
    taken_by = np.where(detection >= 0, np.append(matches.match[0], -1)[detection], -1)
    neighbour = (taken_by >= 0) & ~np.append(matches.object_ignored, True)[taken_by] & (taken_by != np.arange(m))
    merged = neighbour & ((best_iou >= SWEEP_IOU) | (_iou_with(ground_truth, taken_by) > NEIGHBOUR_IOU))
    below = np.isfinite(_found_at(matches))
    return np.asarray(np.select([below, best_iou < NEAR_IOU, merged], [0, 1, 2], 3), dtype=np.int64)


def _iou_with(ground_truth: GroundTruth, other: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU of each object with the object given for it, float64 (m,); meaningless where that is -1."""
    if len(other) == 0:
        return np.zeros(0)
    one, two = ground_truth.boxes, ground_truth.boxes[other]
    sides = np.minimum(one[:, 2:], two[:, 2:]) - np.maximum(one[:, :2], two[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    areas = (one[:, 2:] - one[:, :2]).prod(axis=1) + (two[:, 2:] - two[:, :2]).prod(axis=1)
    return np.asarray(common / (areas - common), dtype=np.float64)


def _false_alarm_kind(matches: Matches, pairs: Overlaps, found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Position in `FALSE_ALARM_KINDS` for each detection, were it a false alarm, int64 (n,)."""
    n = len(matches)
    mine = np.flatnonzero(pairs.same_class & ~matches.object_ignored[pairs.object])
    iou, place = largest(pairs.detection[mine], pairs.iou[mine], n)
    best_object = np.where(place >= 0, np.append(pairs.object[mine], 0)[place], -1)
    open_object = (place >= 0) & ~np.append(found, True)[best_object]
    inside, _ = largest(pairs.detection[pairs.same_class], pairs.covered[pairs.same_class], n)
    near = iou >= NEAR_IOU
    kinds = [iou >= SWEEP_IOU, near & open_object, near | (inside >= PART_COVERED)]
    return np.asarray(np.select(kinds, [0, 1, 2], 3), dtype=np.int64)
