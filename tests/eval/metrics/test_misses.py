from __future__ import annotations

import numpy as np
import pytest

from robust.datasets.records import Category
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.misses import FALSE_ALARM_KINDS, MISS_KINDS, MissKinds, miss_kinds
from robust.eval.metrics.thresholds import sweep
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

Box = tuple[float, float, float, float]
A: Box = (0.0, 0.0, 100.0, 100.0)
FAR: Box = (0.0, 400.0, 100.0, 500.0)
TWO = (Category(1, "person"), Category(2, "bicycle"))


def _left(iou: float) -> Box:
    """A box inside A that has this IoU with it."""
    return 0.0, 0.0, 100.0 * iou, 100.0


def _moved(shift: float) -> Box:
    """A, moved to the right: IoU (100 - shift) / (100 + shift) with A."""
    return shift, 0.0, 100.0 + shift, 100.0


def _misses(found: MissKinds) -> dict[str, int]:
    return {part.kind: part.count for part in found.misses if part.count}


def _alarms(found: MissKinds) -> dict[str, int]:
    return {part.kind: part.count for part in found.false_positives if part.count}


@pytest.mark.parametrize(
    ("score", "missed"), [(0.5, {}), (0.49, {"below threshold": 1}), (0.01, {"below threshold": 1})]
)
def test_object_that_a_lower_score_finds_is_below_the_threshold(score: float, missed: dict[str, int]) -> None:
    found = miss_kinds(make_ground_truth([A]), make_predictions([A], [score]), 0.5)
    assert _misses(found) == missed


@pytest.mark.parametrize(
    ("iou", "kind"), [(0.05, "never proposed"), (0.1, "localisation"), (0.3, "localisation"), (0.49, "localisation")]
)
def test_ends_of_the_localisation_misses(iou: float, kind: str) -> None:
    assert _misses(miss_kinds(make_ground_truth([A]), make_predictions([_left(iou)], [0.9]), 0.5)) == {kind: 1}


def test_object_without_a_detection_near_it_was_never_proposed() -> None:
    assert _misses(miss_kinds(make_ground_truth([A]), make_predictions([FAR], [0.9]), 0.5)) == {"never proposed": 1}
    other_class = make_predictions([A], [0.9], category_ids=[2])
    assert _misses(miss_kinds(make_ground_truth([A], categories=TWO), other_class, 0.5)) == {"never proposed": 1}


@pytest.mark.parametrize(("shift", "kind"), [(20, "suppressed"), (50, "suppressed"), (60, "localisation")])
def test_object_behind_a_found_neighbour_is_suppressed(shift: float, kind: str) -> None:
    """IoU of the neighbours .67, .33 and .25."""
    found = miss_kinds(make_ground_truth([A, _moved(shift)]), make_predictions([A], [0.9]), 0.5)
    assert _misses(found) == {kind: 1}


def test_object_that_shares_one_box_with_a_neighbour_beside_it_is_suppressed() -> None:
    """One box over two halves that do not overlap: it fits both by half and can be the hit of one only."""
    halves = make_ground_truth([(0, 0, 50, 100), (50, 0, 100, 100)])
    assert _misses(miss_kinds(halves, make_predictions([A], [0.9]), 0.5)) == {"suppressed": 1}


def test_second_detection_is_a_duplicate() -> None:
    found = miss_kinds(make_ground_truth([A]), make_predictions([A, _left(0.6)], [0.9, 0.8]), 0.5)
    assert (_alarms(found), _misses(found)) == ({"duplicate": 1}, {})


@pytest.mark.parametrize(("iou", "kind"), [(0.3, "part"), (0.1, "part"), (0.05, "part")])
def test_piece_of_a_found_object_is_a_part(iou: float, kind: str) -> None:
    found = miss_kinds(make_ground_truth([A]), make_predictions([A, _left(iou)], [0.9, 0.8]), 0.5)
    assert _alarms(found) == {kind: 1}


def test_badly_placed_detection_of_a_missed_object_is_a_localisation_error() -> None:
    assert _alarms(miss_kinds(make_ground_truth([A]), make_predictions([_left(0.3)], [0.9]), 0.5)) == {
        "localisation": 1
    }


def test_object_found_only_below_the_threshold_is_missed_for_the_false_alarm_too() -> None:
    truth, predictions = make_ground_truth([A]), make_predictions([_left(0.3), A], [0.9, 0.2])
    assert _alarms(miss_kinds(truth, predictions, 0.5)) == {"localisation": 1}
    assert _alarms(miss_kinds(truth, predictions, 0.1)) == {"part": 1}


def test_box_that_only_touches_an_object_is_background() -> None:
    """A tenth of the box lies in the object: IoU .05."""
    truth, predictions = make_ground_truth([A]), make_predictions([A, (90.0, 0.0, 190.0, 100.0)], [0.9, 0.8])
    assert _alarms(miss_kinds(truth, predictions, 0.5)) == {"background": 1}
    assert _alarms(miss_kinds(truth, make_predictions([A, FAR], [0.9, 0.8]), 0.5)) == {"background": 1}


def test_detection_in_a_crowd_region_is_no_false_alarm() -> None:
    truth = make_ground_truth([A], iscrowd=[True])
    found = miss_kinds(truth, make_predictions([_left(0.3), FAR], [0.9, 0.8]), 0.5)
    assert (found.n_objects, found.n_missed, _alarms(found)) == (0, 0, {"background": 1})
    assert [part.share for part in found.misses] == [None] * 4


def test_counts_add_up_to_the_operating_point() -> None:
    seen: set[str] = set()
    for seed in range(60):
        truth, predictions = random_case(seed)
        for threshold in (0.05, 0.5, 0.9):
            (point,) = sweep(truth, predictions, (threshold,))
            found = miss_kinds(truth, predictions, threshold)
            assert (found.n_objects, found.n_missed, found.n_false_positives) == (
                point.tp + point.fn,
                point.fn,
                point.fp,
            )
            assert sum(part.count for part in found.misses) == point.fn
            assert sum(part.count for part in found.false_positives) == point.fp
            if point.fn:
                assert sum(part.share or 0.0 for part in found.misses) == pytest.approx(1.0)
            seen |= {*_misses(found), *(f"alarm {kind}" for kind in _alarms(found))}
    assert seen == {*MISS_KINDS, *(f"alarm {kind}" for kind in FALSE_ALARM_KINDS)}


def test_slow_loop_agrees() -> None:
    for seed in range(40):
        truth, predictions = random_case(seed)
        for threshold in (0.1, 0.6):
            found = miss_kinds(truth, predictions, threshold)
            assert (_misses(found), _alarms(found)) == _slow(truth, predictions, threshold), (seed, threshold)


def test_persons_of_cocoapi_are_mostly_below_the_threshold_when_it_is_high() -> None:
    """At a score of .8, 38 of 250 persons are found, at any score 199 (published with cocoapi)."""
    truth, predictions = cocoapi_case(1)
    found = miss_kinds(truth, predictions, 0.8)
    assert found.n_missed == 250 - 38
    assert _misses(found)["below threshold"] == 199 - 38


def _slow(truth: GroundTruth, predictions: Predictions, threshold: float) -> tuple[dict[str, int], dict[str, int]]:
    matches = match(truth, predictions, (0.5,))
    finder = {int(matches.match[0, j]): j for j in range(len(matches)) if matches.true_positive[0, j]}
    found = {g for g, j in finder.items() if matches.score[j] >= threshold}
    misses: dict[str, int] = {}
    alarms: dict[str, int] = {}
    for g in range(len(truth)):
        if not truth.iscrowd[g] and g not in found:
            kind = "below threshold" if g in finder else _slow_miss(truth, predictions, matches, g)
            misses[kind] = misses.get(kind, 0) + 1
    for j in np.flatnonzero(matches.false_positive[0] & (matches.score >= threshold)).tolist():
        kind = _slow_alarm(truth, predictions.boxes[matches.detection_index[j]].tolist(), matches, j, found)
        alarms[kind] = alarms.get(kind, 0) + 1
    return misses, alarms


def _slow_miss(truth: GroundTruth, predictions: Predictions, matches: Matches, g: int) -> str:
    best, best_iou = -1, 0.0
    for j in range(len(matches)):
        same_image = matches.image_index[j] == truth.image_index[g]
        if same_image and matches.detection_category[j] == truth.category_ids[g]:
            iou, _ = _slow_iou(predictions.boxes[matches.detection_index[j]].tolist(), truth.boxes[g].tolist())
            if iou > best_iou:
                best, best_iou = j, iou
    if best_iou < 0.1:
        return "never proposed"
    taken = int(matches.match[0, best])
    if taken >= 0 and not truth.iscrowd[taken]:
        neighbours, _ = _slow_iou(truth.boxes[taken].tolist(), truth.boxes[g].tolist())
        if best_iou >= 0.5 or neighbours > 0.3:
            return "suppressed"
    assert best_iou < 0.5
    return "localisation"


def _slow_alarm(truth: GroundTruth, box: list[float], matches: Matches, j: int, found: set[int]) -> str:
    best, best_iou, inside = -1, 0.0, 0.0
    for g in range(len(truth)):
        if truth.image_index[g] == matches.image_index[j] and truth.category_ids[g] == matches.detection_category[j]:
            iou, covered = _slow_iou(box, truth.boxes[g].tolist())
            inside = max(inside, covered)
            if iou > best_iou and not truth.iscrowd[g]:
                best, best_iou = g, iou
    if best_iou >= 0.5:
        return "duplicate"
    if best_iou >= 0.1 and best not in found:
        return "localisation"
    return "part" if best_iou >= 0.1 or inside >= 0.5 else "background"


def _slow_iou(one: list[float], other: list[float]) -> tuple[float, float]:
    """IoU, and the share of the first box that lies in the second, summed as pycocotools does."""
    (x, y, right, bottom), (u, v, end, low) = one, other
    w, h, wide, tall = right - x, bottom - y, end - u, low - v
    across, down = min(x + w, u + wide) - max(x, u), min(y + h, v + tall) - max(y, v)
    if across <= 0 or down <= 0:
        return 0.0, 0.0
    return across * down / (w * h + wide * tall - across * down), across * down / (w * h)
