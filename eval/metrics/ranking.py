"""Average precision of one ranked list of detections under many sets of image weights at once.

A replicate of a bootstrap counts each image some number of times, or with a real weight. Matching does not change, and
neither does the order of the detections: only how much each of them counts. So what is sorted, matched and counted once
serves all replicates.

Only the rows of true positives matter. Recall changes nowhere else, and precision is highest right after a true
positive, so the envelope of precision at those rows is that of the whole list. The true and false positives up to such
a row are a running sum over segments (the detections after one such row up to the next), and the sums of the segments
are one product of counts (segments, images) and weights (images, B). Copies of an image that stand next to each other
in the list raise precision from copy to copy, so its first copy reads the precision of its last, and integer weights
give the numbers of a data set in which images are repeated.

That holds as long as no two detections of one image and class have the same score; the copies of two such detections
would alternate in a repeated data set. The rule here is fixed: equal scores keep the order of the list, and all
copies of a detection stand together.

Source: ``COCOeval.accumulate`` of pycocotools 2.0.11, restated for weights; the idea of replicates by counts is that of
D. Fouhey's fork of cocoapi (2017).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from robust.eval.metrics.pr_curve import RECALL_POINTS

_BLOCK_BYTES = 32_000_000  # of one array (true positives, replicates); about four live at the same time
_FEWEST_COLUMNS = 64
_NO_MASS = 1e-300  # makes 0 / 0 a 0 and changes no other quotient
_SNAP = 1e-11
"""A recall that is this close to a hundredth, relatively, is that hundredth: a sum of real weights must not miss it by
its rounding. Counts are never that close without being equal, up to 100 million objects."""
_ABOVE = np.arange(101) / 100 < RECALL_POINTS
"""Recall points that are written as a float above k / 100, so that a recall of exactly k / 100 does not reach them."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """One class's detections, best first, at T IoU thresholds.

    Attributes:
        score: float64 (n,), falling.
        hit: bool (T, n), true positives.
        counted: bool (T, n), true or false positives; the others are ignored.
        image_index: int64 (n,).
        objects_per_image: float64 (n_images,), objects of the class that count.
    """

    score: NDArray[np.float64]
    hit: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    image_index: NDArray[np.int64]
    objects_per_image: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Rows:
    """The r true positives of one IoU threshold.

    Attributes:
        place: int64 (r,), which of the rows that are true positives at any threshold.
        image: int64 (r,).
        extra_row: int64 (e,), not falling: the first row that comes no earlier than each of the detections that count
            at this threshold and not at all of them.
        extra_image: int64 (e,).
    """

    place: NDArray[np.int64]
    image: NDArray[np.int64]
    extra_row: NDArray[np.int64]
    extra_image: NDArray[np.int64]


def ranked_average_precision(
    *,
    score: NDArray[np.float64],
    hit: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    image_index: NDArray[np.int64],
    objects_per_image: ArrayLike,
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """COCO's average precision of one class at one IoU threshold in each replicate, float64 (B,).

    NaN in replicates where the class has no objects. Detections of equal score keep the order in which they are given.

    Args:
        score: float64 (n,).
        hit: bool (n,), true positives.
        counted: bool (n,); False for a detection that is neither true nor false positive.
        image_index: int64 (n,), row of ``weights``.
        objects_per_image: (n_images,), objects of the class that count.
        weights: float64 (n_images, B), at least 0.

    Raises:
        ValueError: the arrays do not line up, an image has more true positives than objects, or a weight is negative
            or not finite.
    """
    n, objects = len(score), np.asarray(objects_per_image, dtype=np.float64)
    if not hit.shape == counted.shape == image_index.shape == (n,):
        raise ValueError("the arrays of the detections do not line up")
    if n and (image_index.min() < 0 or image_index.max() >= len(objects)):
        raise ValueError("a detection belongs to no image")
    if (np.bincount(image_index[hit], minlength=len(objects)) > objects).any():
        raise ValueError("an image has more true positives than objects")
    order = np.argsort(-score, kind="stable")
    ranking = Ranking(score[order], hit[None, order], (counted | hit)[None, order], image_index[order], objects)
    found: NDArray[np.float64] = ranking_average_precision(ranking, weights)[0]
    return found


def ranking_average_precision(ranking: Ranking, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """COCO's average precision at each IoU threshold in each replicate, float64 (T, B).

    NaN in replicates where the class has no objects.

    Args:
        ranking: The class.
        weights: float64 (n_images, B), at least 0.

    Raises:
        ValueError: the weights do not fit, or one is negative or not finite.
    """
    found = np.zeros((len(ranking.hit), weights.shape[1]))
    n_objects = weighted_objects(ranking.objects_per_image, weights)
    for columns, threshold, envelope, reached, spare in _envelopes(ranking, weights, n_objects):
        new = np.subtract(reached[1:], reached[:-1], out=spare[1:])  # recall points that a row is the first to reach
        area = envelope[0] * reached[0] + np.einsum("ij,ij->j", envelope[1:], new)
        found[threshold, columns] = area / len(RECALL_POINTS)
    found[:, n_objects <= 0] = np.nan
    return found


def precision_at_recalls(ranking: Ranking, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolated precision at COCO's 101 recalls, float64 (T, 101, B); its mean over recalls is the AP.

    Args:
        ranking: The class.
        weights: float64 (n_images, B), at least 0.

    Raises:
        ValueError: the weights do not fit, or one is negative or not finite.
    """
    curves = np.zeros((len(ranking.hit), len(RECALL_POINTS), weights.shape[1]))
    n_objects = weighted_objects(ranking.objects_per_image, weights)
    for columns, threshold, envelope, reached, _ in _envelopes(ranking, weights, n_objects):
        padded = np.concatenate([envelope, np.zeros((1, envelope.shape[1]))])
        for point in range(len(RECALL_POINTS)):
            first = np.count_nonzero(reached <= point, axis=0)
            curves[threshold, point, columns] = np.take_along_axis(padded, first[None], axis=0)[0]
    curves[:, :, n_objects <= 0] = np.nan
    return curves


def weighted_objects(objects_per_image: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of the objects in each replicate, float64 (B,).

    Raises:
        ValueError: the weights do not fit the images, or one is negative or not finite.
    """
    if weights.ndim != 2 or objects_per_image.shape != (len(weights),):
        raise ValueError(f"weights of shape {weights.shape} do not fit {objects_per_image.shape[0]} images")
    if weights.size and not (weights.min() >= 0 and weights.max() < np.inf):
        raise ValueError("weights must be finite and at least 0")
    return np.asarray(objects_per_image @ weights, dtype=np.float64)


def blocks(n_rows: int, weights: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Cut the replicates so that an array (n_rows, columns) keeps a bounded size; nothing to do without rows."""
    if n_rows == 0:
        return
    width = max(_FEWEST_COLUMNS, _BLOCK_BYTES // (8 * n_rows))
    for start in range(0, weights.shape[1], width):
        columns = slice(start, min(start + width, weights.shape[1]))
        yield columns, np.ascontiguousarray(weights[:, columns])


def running_weights(
    ends: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    image_index: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weight of the chosen detections from the first one up to each end, float64 (number of ends, B).

    Args:
        ends: bool (n,), the detections up to which is summed.
        chosen: bool (n,), the detections that are summed.
        image_index: int64 (n,).
        weights: float64 (n_images, B).
    """
    segment: NDArray[np.int64] = np.cumsum(ends) - ends
    shape = (int(ends.sum()), len(weights))
    kept = chosen & (segment < shape[0])
    counts = sparse.csr_array((np.ones(int(kept.sum())), (segment[kept], image_index[kept])), shape=shape)
    return _running_sum(np.asarray(counts @ weights, dtype=np.float64))


def _envelopes(
    ranking: Ranking, weights: NDArray[np.float64], n_objects: NDArray[np.float64]
) -> Iterator[tuple[slice, int, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Precision made non-increasing and the recall points reached, at each true positive of a threshold.

    Comes in blocks of replicates: their columns, the threshold, both arrays (rows, columns), and one of the same shape
    to write into. The arrays are used again for the next threshold: fresh memory costs as much as the arithmetic.
    """
    anywhere: NDArray[np.bool_] = np.logical_or.reduce(ranking.hit, axis=0)
    always: NDArray[np.bool_] = np.logical_and.reduce(ranking.counted, axis=0)
    rows = [_rows(ranking, threshold, anywhere, always) for threshold in range(len(ranking.hit))]
    longest = max((len(mine.place) for mine in rows), default=0)
    for columns, block in blocks(int(anywhere.sum()), weights):
        total = running_weights(anywhere, always, ranking.image_index, block)
        total += _NO_MASS
        work = np.empty((3, longest, block.shape[1]))
        for threshold, mine in enumerate(rows):
            if len(mine.place) == 0:
                continue
            hits, envelope, reached = work[:, : len(mine.place)]
            np.take(block, mine.image, axis=0, out=hits, mode="clip")
            _running_sum(hits)
            np.take(total, mine.place, axis=0, out=envelope, mode="clip")
            _add_from(envelope, mine.extra_row, mine.extra_image, block)
            np.divide(hits, envelope, out=envelope)
            _running_maximum_from_below(envelope)
            _points_reached(hits, n_objects[columns], out=reached)
            yield columns, threshold, envelope, reached, hits


def _rows(ranking: Ranking, threshold: int, anywhere: NDArray[np.bool_], always: NDArray[np.bool_]) -> _Rows:
    hit = ranking.hit[threshold]
    before = np.cumsum(hit)
    extra = np.flatnonzero(ranking.counted[threshold] & ~always & (before - hit < before[-1:]))
    return _Rows(
        place=np.flatnonzero(hit[anywhere]),
        image=ranking.image_index[hit],
        extra_row=(before - hit)[extra],
        extra_image=ranking.image_index[extra],
    )


def _add_from(
    rows: NDArray[np.float64], first: NDArray[np.int64], image: NDArray[np.int64], weights: NDArray[np.float64]
) -> None:
    """Add the weight of each image to its first row and all later ones, in place; ``first`` must not fall."""
    sums = _running_sum(weights[image])
    for step, (start, stop) in zip(sums, itertools.pairwise([*first.tolist(), len(rows)]), strict=True):
        if start < stop:
            rows[start:stop] += step


def _points_reached(hits: NDArray[np.float64], n_objects: NDArray[np.float64], *, out: NDArray[np.float64]) -> None:
    """Write how many recall points are no larger than the recall of each row; overwrites ``hits``."""
    hits *= np.divide(100 * (1 + _SNAP), n_objects, out=np.zeros_like(n_objects), where=n_objects > 0)
    np.floor(hits, out=out)
    hits -= out
    exact = np.flatnonzero(hits < 200 * _SNAP)
    late = exact[_ABOVE[out.take(exact).astype(np.int64)]]
    out += 1
    out.reshape(-1)[late] -= 1


def _running_sum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add each row to the next, in place; row by row, because numpy walks down one column after the other."""
    for i in range(1, len(rows)):
        np.add(rows[i], rows[i - 1], out=rows[i])
    return rows


def _running_maximum_from_below(rows: NDArray[np.float64]) -> None:
    for i in range(len(rows) - 2, -1, -1):
        np.maximum(rows[i], rows[i + 1], out=rows[i])
