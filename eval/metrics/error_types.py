"""What kinds of errors cost how much AP50, and whether a variant adds misses or false alarms.

The kinds are those of TIDE (Bolya, Foley, Hays and Hoffman 2020, arXiv 2008.08115) with its limits: foreground from an
IoU of 0.5, background up to 0.1. A detection that is no hit is the first of these that applies:

- ``loc``: its largest IoU with an object of its class is 0.1 to 0.5;
- ``cls``: its IoU with an object of another class is 0.5 or more;
- ``dupe``: its IoU with an object of its class that is already found is 0.5 or more;
- ``bkg``: its IoU with every object is 0.1 or less;
- ``both``: wrong class and badly placed.

``miss`` is an object that is not found, and that no ``loc`` or ``cls`` error points to.

An error is fixed as if an oracle had corrected it. Of the ``loc`` and ``cls`` errors that point to one unfound object
the one with the best score becomes a hit (of the object's class) and the others go; ``dupe``, ``bkg`` and ``both``
errors go; a miss is no longer looked for. What that adds to AP50 is lost to this kind of error. Each kind is fixed
alone, starting from the model as it is, so the parts do not add up. Two more fixes span the kinds: ``false positives``
ranks all hits before all false alarms, ``false negatives`` looks for none of the unfound objects.

Crowd regions and ignored objects follow COCO's matching, and no error points to them. A detection that COCO ignores (it
lies on such a region) is no error, but may still be what corrects one, as in version 1.0.1 of the authors' program
tidecv. Differences to that program: 100 detections count for each image and class (not image), a number is the mean
over the classes that have objects (not also those with detections only), and a class in which a fix leaves no objects
to look for has an AP of 1 when it has no false alarms either, else 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.interval import Interval, difference_interval, share_interval
from robust.eval.metrics.matching import Matches, limit_detections, match
from robust.eval.metrics.overlaps import largest, overlaps
from robust.eval.metrics.pr_curve import COCO_MAX_DETECTIONS
from robust.eval.metrics.ranking import Ranking, ranking_average_precision
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.resampling import ImageWeights
from robust.eval.records import GroundTruth, Predictions

FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1

ErrorKind = Literal["cls", "loc", "both", "dupe", "bkg", "miss", "false positives", "false negatives"]
DETECTION_KINDS: tuple[ErrorKind, ...] = ("cls", "loc", "both", "dupe", "bkg")
KINDS: tuple[ErrorKind, ...] = (*DETECTION_KINDS, "miss", "false positives", "false negatives")

MAX_REPLICATES = 500
"""Replicates that are used, the first ones. A standard error then has an error of 3 % of its own, while drawing some
dozens or hundreds of images leaves one of 5 to 10 % in it."""

NONE_SEEN = "no such error was seen"
_HIT = -1  # in place of the number of a kind


class ErrorShare(Record):
    """One kind of error.

    Attributes:
        kind: Which.
        count: False alarms or unfound objects of this kind.
        lost_ap50: What AP50 would gain if only this kind were fixed; None without objects.
        interval: Of ``lost_ap50``.
    """

    kind: ErrorKind
    count: Annotated[int, Field(ge=0)]
    lost_ap50: Share | None
    interval: Interval


class ErrorBreakdown(Record):
    """What AP50 is lost to, one part for each kind of error; each is fixed alone, so the parts do not add up."""

    ap50: Share | None
    parts: tuple[ErrorShare, ...]


class ErrorChange(Record):
    """What a variant of the images changes in one kind of error, paired image by image.

    Attributes:
        kind: Which.
        change: AP50 lost to this kind on the variant, less that on the clean images; None when undefined on one.
        interval: Of the change.
    """

    kind: ErrorKind
    change: float | None
    interval: Interval


@dataclass(frozen=True, eq=False)
class Errors:
    """What kind of error each detection is.

    Attributes:
        kind: int64 (n,), position in `DETECTION_KINDS`, for each detection of the matches; -1 for hits and for ignored
            detections that correct nothing.
        target: int64 (n,), position of the object that a ``loc`` or ``cls`` error points to, else -1.
        repairs: bool (n,), True where fixing the error makes a hit.
        miss: bool (m,), objects.
    """

    kind: NDArray[np.int64]
    target: NDArray[np.int64]
    repairs: NDArray[np.bool_]
    miss: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ErrorReplicates:
    """The breakdown of one cell in every replicate; cells of the same images and weights may be subtracted.

    Attributes:
        n_units: Independent units that were drawn.
        n_objects: Objects that count.
        counts: How many errors of each kind.
        ap50: float64 (1 + B,), first the number itself, then its replicates, at most `MAX_REPLICATES`; NaN where
            undefined.
        lost: The same for the AP50 that is lost to each kind.
    """

    n_units: int
    n_objects: int
    counts: dict[ErrorKind, int]
    ap50: NDArray[np.float64]
    lost: dict[ErrorKind, NDArray[np.float64]]


def error_breakdown(ground_truth: GroundTruth, predictions: Predictions, weights: ImageWeights) -> ErrorBreakdown:
    """Measure what AP50 is lost to.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        weights: Of these images.

    Raises:
        DataError: the predictions are of other images.
    """
    return breakdown_of(error_replicates(ground_truth, predictions, weights))


def breakdown_of(errors: ErrorReplicates) -> ErrorBreakdown:
    """Put the records of one cell together."""
    return ErrorBreakdown(ap50=_defined(errors.ap50), parts=tuple(_share(errors, kind) for kind in KINDS))


def without_intervals(found: ErrorBreakdown, n_units: int) -> ErrorBreakdown:
    """The same without intervals, for a mean over classes of which one is on too few images."""
    none = Interval.none("one of the classes is on too few images", n_units)
    return found.model_copy(update={"parts": tuple(p.model_copy(update={"interval": none}) for p in found.parts)})


def error_changes(clean: ErrorReplicates, variant: ErrorReplicates) -> tuple[ErrorChange, ...]:
    """Measure what a variant of the images adds to each kind of error.

    Args:
        clean: Of a candidate on the clean images.
        variant: Of the same candidate on a variant of the same images, with the same weights.

    Raises:
        ValueError: the weights are not the same in number.
    """
    if len(clean.ap50) != len(variant.ap50) or clean.n_units != variant.n_units:
        raise ValueError("the two breakdowns were not made with the same weights")
    return tuple(_change(clean, variant, kind) for kind in KINDS)


def error_replicates(
    ground_truth: GroundTruth, predictions: Predictions, weights: ImageWeights, *, matches: Matches | None = None
) -> ErrorReplicates:
    """Fix each kind of error in turn, in every replicate.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        weights: Of these images.
        matches: Of them at IoU 0.5 without a limit on detections, where they have been made already.

    Raises:
        DataError: the predictions are of other images.
        ValueError: the weights are of another number of images.
    """
    matches = match(ground_truth, predictions, (FOREGROUND_IOU,)) if matches is None else matches
    matches = limit_detections(matches, COCO_MAX_DETECTIONS)
    errors = classify_errors(ground_truth, predictions, matches)
    columns = np.concatenate([np.ones((len(matches.image_ids), 1)), weights.values[:, :MAX_REPLICATES]], axis=1)
    total, defined = np.zeros((1 + len(KINDS), columns.shape[1])), np.zeros(columns.shape[1])
    for of_class in _by_class(matches, errors, columns):
        there = ~np.isnan(of_class[0])
        total += np.where(there, of_class, 0.0)
        defined += there
    means = np.divide(total, defined, out=np.full(total.shape, np.nan), where=defined > 0)
    return ErrorReplicates(
        n_units=weights.n_units,
        n_objects=matches.n_objects,
        counts=_counts(matches, errors),
        ap50=means[0],
        lost={kind: means[1 + i] - means[0] for i, kind in enumerate(KINDS)},
    )


def classify_errors(ground_truth: GroundTruth, predictions: Predictions, matches: Matches) -> Errors:
    """Name the error that each detection is, and the objects that nothing points to.

    Args:
        ground_truth: The annotations of one variant.
        predictions: All detections of one candidate on the same images.
        matches: Of the two, at one IoU threshold.
    """
    n, hit, found = len(matches), matches.true_positive[0], matches.object_found[0]
    pairs = overlaps(ground_truth, predictions, matches)
    counts = ~matches.object_ignored[pairs.object] & ~hit[pairs.detection]
    same, other = pairs.same_class & counts, ~pairs.same_class & counts

    def best(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        iou, place = largest(pairs.detection[chosen], pairs.iou[chosen], n)
        return iou, np.where(place >= 0, np.append(pairs.object[chosen], -1)[place], -1)

    (same_iou, same_object), (other_iou, other_object) = best(same), best(other)
    used_iou, _ = best(same & found[pairs.object])
    loc = (same_iou >= BACKGROUND_IOU) & (same_iou <= FOREGROUND_IOU)
    wrong_class, again = other_iou >= FOREGROUND_IOU, used_iou >= FOREGROUND_IOU
    nothing = np.maximum(same_iou, other_iou) <= BACKGROUND_IOU
    names = [_number("loc"), _number("cls"), _number("dupe"), _number("bkg")]
    kind = np.select([hit, loc, wrong_class, again, nothing], [_HIT, *names], _number("both"))
    target = np.select([kind == _number("loc"), kind == _number("cls")], [same_object, other_object], -1)
    open_target = (target >= 0) & ~np.append(found, True)[target]
    usable = np.zeros(len(found), dtype=np.bool_)
    usable[target[open_target]] = True
    return Errors(
        kind=np.where(matches.ignored[0] & ~open_target, _HIT, kind),
        target=target,
        repairs=_best_of_each(target, matches.score, open_target),
        miss=~found & ~usable & ~matches.object_ignored,
    )


def _number(kind: ErrorKind) -> int:
    return DETECTION_KINDS.index(kind)


def _best_of_each(
    target: NDArray[np.int64], score: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the best-scored of the chosen detections of each target, the first among equals."""
    places = np.flatnonzero(chosen)
    order = places[np.lexsort((-score[places], target[places]))]
    best = np.zeros(len(target), dtype=np.bool_)
    best[order[np.append(True, np.diff(target[order]) != 0)[: len(order)]]] = True
    return best


def _counts(matches: Matches, errors: Errors) -> dict[ErrorKind, int]:
    wrong = matches.false_positive[0]
    unfound = ~matches.object_found[0] & ~matches.object_ignored
    counts: dict[ErrorKind, int] = {
        kind: int((wrong & (errors.kind == i)).sum()) for i, kind in enumerate(DETECTION_KINDS)
    }
    return counts | {
        "miss": int(errors.miss.sum()),
        "false positives": int(wrong.sum()),
        "false negatives": int(unfound.sum()),
    }


def _by_class(matches: Matches, errors: Errors, columns: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """AP50 of each class that has objects: as it is and with each kind fixed, float64 (1 + kinds, columns)."""
    fixed_class = np.where(errors.repairs, np.append(matches.object_category, -1)[errors.target], -1)
    for category in matches.category_ids.tolist():
        counting = ~matches.object_ignored & (matches.object_category == category)
        if counting.any():
            mine = np.flatnonzero((matches.detection_category == category) | (fixed_class == category))
            mine = mine[np.argsort(-matches.score[mine], kind="stable")]
            yield _class_fixes(matches, errors, _ClassPart(category, mine, counting), columns)


@dataclass(frozen=True, eq=False)
class _ClassPart:
    """One class.

    Attributes:
        category: Its id.
        detections: int64, positions in the matches, by falling score: its own, and those that a fix makes its own.
        objects: bool (m,), its objects that count.
    """

    category: int
    detections: NDArray[np.int64]
    objects: NDArray[np.bool_]


def _class_fixes(
    matches: Matches, errors: Errors, part: _ClassPart, columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    n_images = len(matches.image_ids)

    def per_image(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(matches.object_image_index[chosen], minlength=n_images).astype(np.float64)

    score, image = matches.score[part.detections], matches.image_index[part.detections]
    objects = per_image(part.objects)
    hit, counted = _fixed_lists(matches, errors, part)
    fixed = np.empty((1 + len(KINDS), columns.shape[1]))
    distinct, back = _distinct(hit, counted)
    lists = np.array(
        [_one_list(Ranking(score, hit[i : i + 1], counted[i : i + 1], image, objects), columns) for i in distinct]
    )
    fixed[[0, *(1 + KINDS.index(kind) for kind in (*DETECTION_KINDS, "false positives"))]] = lists[back]
    as_it_is = Ranking(score, hit[:1], counted[:1], image, objects)
    missed, found = part.objects & errors.miss, part.objects & matches.object_found[0]
    fixed[1 + KINDS.index("miss")] = _with_fewer_objects(as_it_is, objects - per_image(missed), columns)
    if np.array_equal(missed | found, part.objects):  # no error points to an object: both fixes are the same
        fixed[1 + KINDS.index("false negatives")] = fixed[1 + KINDS.index("miss")]
    else:
        fixed[1 + KINDS.index("false negatives")] = _with_fewer_objects(as_it_is, per_image(found), columns)
    return fixed


def _fixed_lists(matches: Matches, errors: Errors, part: _ClassPart) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Hits and counting detections of one class: as they are, with each kind fixed, and without false positives."""
    own = matches.detection_category[part.detections] == part.category
    base_hit = own & matches.true_positive[0, part.detections]
    base_counted = own & ~matches.ignored[0, part.detections]
    kind, repairs = errors.kind[part.detections], errors.repairs[part.detections]
    mine = np.append(matches.object_category, -1)[errors.target[part.detections]] == part.category
    hits, counted = [base_hit], [base_counted]
    for number in range(len(DETECTION_KINDS)):
        corrected = (kind == number) & repairs & mine
        hits.append(base_hit | corrected)
        counted.append((base_counted & (kind != number)) | corrected)
    return np.array([*hits, base_hit]), np.array([*counted, base_hit])


def _distinct(hit: NDArray[np.bool_], counted: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that differ, and for each row which of them it is: a kind that does not occur costs nothing."""
    rows = [one.tobytes() + other.tobytes() for one, other in zip(hit, counted, strict=True)]
    places = {row: i for i, row in enumerate(dict.fromkeys(rows))}
    back = np.array([places[row] for row in rows])
    return np.array([rows.index(row) for row in places]), back


def _one_list(ranking: Ranking, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """AP of one list; lists that differ in many detections are faster one by one."""
    found: NDArray[np.float64] = ranking_average_precision(ranking, columns)[0]
    return found


def _with_fewer_objects(
    ranking: Ranking, left: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """AP when only the objects that are left are looked for; without any, 1 or 0 by whether a false alarm remains."""
    found = _one_list(replace(ranking, objects_per_image=left), columns)
    emptied = np.isnan(found) & (ranking.objects_per_image @ columns > 0)
    if emptied.any():
        per_image = np.bincount(ranking.image_index[ranking.counted[0]], minlength=len(left)).astype(np.float64)
        found[emptied] = (per_image @ columns[:, emptied] == 0).astype(np.float64)
    return found


def _defined(columns: NDArray[np.float64]) -> float | None:
    return None if np.isnan(columns[0]) else float(columns[0])


def _share(errors: ErrorReplicates, kind: ErrorKind) -> ErrorShare:
    count, lost = errors.counts[kind], _defined(errors.lost[kind])
    value = None if lost is None else min(1.0, max(0.0, lost))  # rounding
    return ErrorShare(kind=kind, count=count, lost_ap50=value, interval=_share_interval(errors, kind, value))


def _share_interval(errors: ErrorReplicates, kind: ErrorKind, value: float | None) -> Interval:
    if value is not None and not errors.counts[kind]:
        return Interval.none(NONE_SEEN, errors.n_units)
    if value == 0:
        return Interval.none("these errors cost no AP50 on these images", errors.n_units)
    return share_interval(value, errors.lost[kind][1:], errors.n_units, n_objects=errors.n_objects)


def _change(clean: ErrorReplicates, variant: ErrorReplicates, kind: ErrorKind) -> ErrorChange:
    difference = variant.lost[kind] - clean.lost[kind]
    change = _defined(difference)
    if change is not None and not (clean.counts[kind] or variant.counts[kind]):
        interval = Interval.none(NONE_SEEN, clean.n_units)
    else:
        interval = difference_interval(change, difference[1:], clean.n_units)
    return ErrorChange(kind=kind, change=change, interval=interval)
