"""Confidence thresholds: what each one gives, and which one to run at.

A threshold is chosen on one split (val) and reported on another (test); nothing here looks at more than one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from robust.errors import UsageError
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.records import OperatingPoint, ThresholdChoice, ThresholdConstraints
from robust.eval.records import SCORE_FLOOR, GroundTruth, Predictions

SWEEP_IOU = 0.5
MAX_THRESHOLDS = 1000

MAX_F1 = "highest F1"
MAX_RECALL = "highest recall within the constraints"


def threshold_grid(start: float = 0.30, stop: float = 0.80, step: float = 0.01) -> tuple[float, ...]:
    """List start, start + step, ... up to stop (included where a step ends on it).

    Every value is the float nearest to its decimal number (0.57, not 0.5700000000000001), so that a threshold read
    from a table finds its row again.

    Raises:
        UsageError: the range is outside 0.001..1, reversed, or has no or too many steps.
    """
    if not all(math.isfinite(value) for value in (start, stop, step)):
        raise UsageError(f"The thresholds {start} to {stop} by {step} are not numbers.")
    if not SCORE_FLOOR <= start <= stop <= 1:
        raise UsageError(
            f"Thresholds cannot run from {start:g} to {stop:g}.",
            f"Detections are stored from a score of {SCORE_FLOOR:g}, and no score is above 1.",
            f"Use {SCORE_FLOOR:g} <= from <= to <= 1.",
        )
    if step <= 0:
        raise UsageError(f"The step between thresholds must be above 0, not {step:g}.")
    first, last, by = (Decimal(repr(float(value))) for value in (start, stop, step))
    count = int((last - first) / by) + 1
    if count > MAX_THRESHOLDS:
        raise UsageError(
            f"{count} thresholds from {start:g} to {stop:g} by {step:g} are too many.",
            f"At most {MAX_THRESHOLDS} are swept.",
            "Use a larger step.",
        )
    return tuple(float(first + i * by) for i in range(count))


def sweep(
    ground_truth: GroundTruth, predictions: Predictions, thresholds: Sequence[float]
) -> tuple[OperatingPoint, ...]:
    """Count hits, false alarms and misses at each threshold, at IoU 0.5, over all classes and images.

    Matching serves high scores first, so what happens above a threshold does not depend on what lies below it: one
    matching answers for all thresholds.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        thresholds: In 0..1; a detection counts where score >= threshold.

    Raises:
        DataError: the predictions are of other images.
    """
    return operating_points(match(ground_truth, predictions, (SWEEP_IOU,)), thresholds)


def operating_points(matches: Matches, thresholds: Sequence[float], iou_index: int = 0) -> tuple[OperatingPoint, ...]:
    """Count hits, false alarms and misses at each threshold from matches that are already there.

    Args:
        matches: Made without a limit on the number of detections.
        thresholds: In 0..1.
        iou_index: Which of the matches' IoU thresholds to use.
    """
    limits = np.asarray(thresholds, dtype=np.float64)

    def reaching(hit: NDArray[np.bool_]) -> list[int]:
        scores = np.sort(matches.score[hit[iou_index]])
        counts: list[int] = (len(scores) - np.searchsorted(scores, limits, side="left")).tolist()
        return counts

    n_objects, n_images = matches.n_objects, len(matches.image_ids)
    counts = zip(limits.tolist(), reaching(matches.true_positive), reaching(matches.false_positive), strict=True)
    return tuple(operating_point(limit, tp, fp, n_objects - tp, n_images) for limit, tp, fp in counts)


def operating_point(threshold: float, tp: int, fp: int, fn: int, n_images: int) -> OperatingPoint:
    """Turn counts into rates; a rate with nothing to divide by is None.

    F1 = 2 TP / (2 TP + FP + FN), None without objects; FPPI = FP / images, negative images included.
    """
    n_objects = tp + fn
    return OperatingPoint(
        threshold=threshold,
        tp=tp,
        fp=fp,
        fn=fn,
        precision=tp / (tp + fp) if tp + fp else None,
        recall=tp / n_objects if n_objects else None,
        f1=2 * tp / (2 * tp + fp + fn) if n_objects else None,
        fppi=fp / n_images if n_images else None,
    )


def choose_threshold(
    points: Sequence[OperatingPoint], constraints: ThresholdConstraints, *, chosen_on: str | None = "val"
) -> ThresholdChoice:
    """Choose the threshold to run at.

    Without constraints: the highest F1. With constraints: the highest recall among the points that satisfy all of them;
    an undefined value satisfies nothing. Among equals: the lowest FPPI, then the highest threshold.

    Args:
        points: The sweep of the split to choose on; empty when there is none.
        constraints: What the point must satisfy.
        chosen_on: Name of that split.
    """
    constrained = constraints != ThresholdConstraints()
    rule = MAX_RECALL if constrained else MAX_F1

    def choice(threshold: float | None, reason: str) -> ThresholdChoice:
        return ThresholdChoice(
            chosen_on=chosen_on, rule=rule, constraints=constraints, threshold=threshold, reason=reason
        )

    if not points:
        return choice(None, "There is no sweep to choose from.")
    if all(point.recall is None for point in points):
        return choice(None, "The images hold no objects, so no threshold can be judged.")
    if all(point.tp == 0 for point in points):
        return choice(None, "No object is found at any threshold.")
    feasible = [point for point in points if _shortfall(point, constraints) == 0]
    if not feasible:
        return choice(None, _nearest_miss(points, constraints))
    best = max(feasible, key=_preference(by_recall=constrained))
    if constrained:
        share = f"{len(feasible)} of {len(points)} thresholds meet {_wording(constraints)}"
        return choice(
            best.threshold, f"{share}; {_describe(best)} has the {MAX_RECALL}." + _edge(best, points, by_recall=True)
        )
    most = f"{_describe(best)} has the {MAX_F1} of {len(points)} thresholds."
    equals = sum(point.f1 == best.f1 for point in points) - 1
    if equals:
        most += f" As high an F1, with as many or more false alarms: {equals}."
    return choice(best.threshold, most + _edge(best, points, by_recall=False))


def _edge(best: OperatingPoint, points: Sequence[OperatingPoint], *, by_recall: bool) -> str:
    """What must be known of a choice at an end of the sweep: nobody looked beyond it. Recall never rises above."""
    thresholds = [point.threshold for point in points]
    if len(thresholds) < 2 or min(thresholds) < best.threshold < max(thresholds):
        return ""
    if best.threshold == min(thresholds):
        return " It is the lowest threshold of the sweep: a better one may lie below."
    return "" if by_recall else " It is the highest threshold of the sweep: a better one may lie above."


def _preference(*, by_recall: bool) -> Callable[[OperatingPoint], tuple[float, float, float]]:
    def key(point: OperatingPoint) -> tuple[float, float, float]:
        goal = point.recall if by_recall else point.f1
        return (
            -math.inf if goal is None else goal,
            -math.inf if point.fppi is None else -point.fppi,
            point.threshold,
        )

    return key


def _shortfall(point: OperatingPoint, constraints: ThresholdConstraints) -> float:
    """Return by how much the worst constraint is missed, as a share of its bound; 0 when all hold."""
    misses = [0.0]
    for value, least in ((point.precision, constraints.min_precision), (point.recall, constraints.min_recall)):
        if least is not None:
            misses.append(math.inf if value is None else max(0.0, least - value) / (least or 1.0))
    most = constraints.max_fppi
    if most is not None:
        misses.append(math.inf if point.fppi is None else max(0.0, point.fppi - most) / (most or 1.0))
    return max(misses)


def _nearest_miss(points: Sequence[OperatingPoint], constraints: ThresholdConstraints) -> str:
    prefer = _preference(by_recall=True)
    nearest = max(points, key=lambda point: (-_shortfall(point, constraints), prefer(point)))
    return f"No threshold meets {_wording(constraints)}; the nearest miss is {_describe(nearest)}."


def _wording(constraints: ThresholdConstraints) -> str:
    parts = (
        ("precision >= ", constraints.min_precision),
        ("FPPI <= ", constraints.max_fppi),
        ("recall >= ", constraints.min_recall),
    )
    return " and ".join(f"{name}{bound:g}" for name, bound in parts if bound is not None)


def _describe(point: OperatingPoint) -> str:
    def number(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.3f}"

    return (
        f"{point.threshold:g} (precision {number(point.precision)}, recall {number(point.recall)}, "
        f"F1 {number(point.f1)}, FPPI {number(point.fppi)})"
    )
