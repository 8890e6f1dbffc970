"""What another threshold would cost: differences against the chosen one, on the same images, and what flips in them.

The images are the same at every threshold, so differences are paired in every replicate. They are read at a threshold
that was chosen on one split: there what the chosen one gains flatters, because it was picked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.bands import bands
from robust.eval.metrics.comparison import compare
from robust.eval.metrics.counts import RATES, ImageCounts, image_counts, rates
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.matching import Matches
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.resampling import ImageWeights

MOST_IMAGES = 10
STEPS_BESIDE = 5
"""Thresholds on each side of the chosen one that are looked at one by one."""
COARSE = 0.05
"""Distance of those that are looked at over the whole sweep, and of the two between which images flip."""

_NEAR = 1e-9  # thresholds are decimal steps; binary floats miss them by less than this


class ThresholdCost(Record):
    """One threshold minus the chosen one, on the same images.

    Attributes:
        threshold: This one.
        tp: Hits more (fewer, if negative).
        fp: False alarms more.
        fn: Misses more.
        differences: Rate -> its difference; None where one of the two is undefined.
        intervals: Rate -> paired 95 % interval of that difference, or why there is none.
    """

    threshold: Share
    tp: int
    fp: int
    fn: int
    differences: dict[str, float | None]
    intervals: dict[str, Interval]


class FlippedImage(Record):
    """What the other threshold changes in one image.

    Attributes:
        image_id: Of the data set.
        tp: Hits that appear (disappear, if negative).
        fp: False alarms that appear.
        n_objects: Objects that count in the image.
    """

    image_id: int
    tp: int
    fp: int
    n_objects: Annotated[int, Field(ge=0)]


class Flips(Record):
    """The images that change from the chosen threshold to another one.

    Attributes:
        threshold: The other one.
        n_changed: Images in which something changes.
        images: Those in which most boxes change, the first ones; equals come in the order of their ids.
    """

    threshold: Share
    n_changed: Annotated[int, Field(ge=0)]
    images: tuple[FlippedImage, ...]


class ThresholdCosts(Record):
    """What other thresholds would cost on the clean images of one split.

    Attributes:
        split: Of the images.
        chosen: The threshold that all are compared with.
        n_images: Images.
        n_units: Independent units among them.
        costs: By rising threshold, the chosen one left out.
        flips: One step of `COARSE` below and above the chosen one, as far as the sweep goes.
    """

    split: str
    chosen: Share
    n_images: Annotated[int, Field(ge=0)]
    n_units: Annotated[int, Field(ge=0)]
    costs: tuple[ThresholdCost, ...]
    flips: tuple[Flips, ...]


def threshold_costs(
    matches: Matches, weights: ImageWeights, thresholds: Sequence[float], chosen: float, *, split: str
) -> ThresholdCosts:
    """Compare thresholds with the chosen one.

    Args:
        matches: At IoU 0.5, without a limit on detections, of the clean images of ``split``.
        weights: Of the same images.
        thresholds: Of the sweep, rising.
        chosen: One of them.
        split: Name of the split.

    Raises:
        ValueError: the chosen threshold is none of those of the sweep.
    """
    shown = shown_thresholds(thresholds, chosen)
    counts = image_counts(matches, shown)
    at = shown.index(chosen)
    return ThresholdCosts(
        split=split,
        chosen=chosen,
        n_images=counts.n_images,
        n_units=weights.n_units,
        costs=tuple(_costs(counts, weights, at, split)),
        flips=tuple(flips(matches, chosen, other) for other in _beside(thresholds, chosen)),
    )


def shown_thresholds(thresholds: Sequence[float], chosen: float) -> tuple[float, ...]:
    """Those worth a row: the neighbours of the chosen one, every multiple of 0.05, and the ends.

    Raises:
        ValueError: the chosen threshold is none of them.
    """
    at = tuple(thresholds).index(chosen)
    ends = {0, len(thresholds) - 1}
    return tuple(
        threshold
        for i, threshold in enumerate(thresholds)
        if abs(i - at) <= STEPS_BESIDE or i in ends or abs(threshold / COARSE - round(threshold / COARSE)) < _NEAR
    )


def flips(matches: Matches, chosen: float, other: float, *, most: int = MOST_IMAGES) -> Flips:
    """Find the images that change between two thresholds.

    Matching serves high scores first, so what a detection hits does not depend on the threshold: a box appears or
    disappears, and keeps its kind.

    Args:
        matches: At IoU 0.5, without a limit on detections.
        chosen: From this threshold,
        other: to this one.
        most: Longest list.
    """
    low, high = sorted((chosen, other))
    between = (matches.score >= low) & (matches.score < high)
    sign = 1 if other < chosen else -1
    n_images = len(matches.image_ids)

    def counted(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(matches.image_index[mask & between], minlength=n_images)

    tp, fp = counted(matches.true_positive[0]), counted(matches.false_positive[0])
    objects = np.bincount(matches.object_image_index[~matches.object_ignored], minlength=n_images)
    order = np.lexsort((matches.image_ids, -(tp + fp)))
    return Flips(
        threshold=other,
        n_changed=int(np.count_nonzero(tp + fp)),
        images=tuple(
            FlippedImage(
                image_id=int(matches.image_ids[i]),
                tp=sign * int(tp[i]),
                fp=sign * int(fp[i]),
                n_objects=int(objects[i]),
            )
            for i in order[:most].tolist()
            if tp[i] + fp[i] > 0
        ),
    )


def _beside(thresholds: Sequence[float], chosen: float) -> list[float]:
    """One coarse step below and above the chosen one, or less where no threshold is that far, or the next one."""
    below = [t for t in thresholds if t < chosen]
    above = [t for t in thresholds if t > chosen]
    near_below = [t for t in below if t >= chosen - COARSE - _NEAR]
    near_above = [t for t in above if t <= chosen + COARSE + _NEAR]
    return [*(near_below[:1] or below[-1:]), *(near_above[-1:] or above[:1])]


def _costs(counts: ImageCounts, weights: ImageWeights, at: int, split: str) -> list[ThresholdCost]:
    points = counts.operating_points()
    replicates = rates(counts, weights.values)
    ends = bands(counts, weights)
    chosen, found = points[at], []
    for i, point in enumerate(points):
        if i == at:
            continue
        compared = {
            rate: compare(
                getattr(point, rate),
                getattr(chosen, rate),
                replicates[rate][i],
                replicates[rate][at],
                weights.n_units,
                split=split,
                variant="clean",
                metric=rate,
                refused="" if ends.at(rate, i) and ends.at(rate, at) else "one of the two has no interval",
            )
            for rate in RATES
        }
        found.append(
            ThresholdCost(
                threshold=point.threshold,
                tp=point.tp - chosen.tp,
                fp=point.fp - chosen.fp,
                fn=point.fn - chosen.fn,
                differences={rate: one.difference for rate, one in compared.items()},
                intervals={rate: one.interval for rate, one in compared.items()},
            )
        )
    return found
