from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from robust.errors import DataError
from robust.eval.metrics import matching
from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.matching import limit_detections, match
from robust.eval.records import GroundTruth, Predictions

from .builders import make_ground_truth, make_predictions, random_case

AREAS = ((0, 1e10), (0, 1024), (1024, 9216), (9216, 1e10))
BOX = (0, 0, 100, 100)


def _compare(truth: GroundTruth, found: Predictions, area: int) -> int:
    """Compare with every cell of pycocotools; return how many cells there were."""
    ours = match(truth, found, max_detections=100, area_range=AREAS[area])
    known = np.flatnonzero(np.isin(found.category_ids, ours.category_ids))  # the judge numbers these from 1
    cells = 0
    for cell in reference_evaluation(truth, found).evalImgs:
        if cell is None or tuple(cell["aRng"]) != AREAS[area]:
            continue
        mine = (ours.image_index == cell["image_id"] - 1) & (ours.detection_category == cell["category_id"])
        assert ours.detection_index[mine].tolist() == known[np.array(cell["dtIds"], dtype=int) - 1].tolist()
        assert ours.score[mine].tolist() == cell["dtScores"]
        assert ours.rank[mine].tolist() == list(range(int(mine.sum())))
        np.testing.assert_array_equal(ours.match[:, mine] + 1, cell["dtMatches"])
        np.testing.assert_array_equal(ours.ignored[:, mine], cell["dtIgnore"])
        objects = np.array(cell["gtIds"], dtype=int) - 1
        np.testing.assert_array_equal(ours.object_found[:, objects], np.asarray(cell["gtMatches"]) > 0)
        np.testing.assert_array_equal(ours.object_ignored[objects], np.asarray(cell["gtIgnore"]) > 0)
        cells += 1
    return cells


@pytest.mark.parametrize("seed", range(120))
def test_every_match_is_pycocotools(seed: int) -> None:
    truth, found = random_case(seed)
    _compare(truth, found, area=seed % 4)


def test_pairs_in_small_portions_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_PAIRS_AT_ONCE", 3)
    assert sum(_compare(*random_case(seed), area=0) for seed in range(20)) > 50


def test_unsorted_predictions_are_served_by_score() -> None:
    truth = make_ground_truth([BOX])
    matches = match(truth, make_predictions([(0, 0, 90, 100), BOX, (0, 0, 80, 100)], [0.2, 0.9, 0.5]), [0.5])
    assert matches.detection_index.tolist() == [1, 2, 0]
    assert matches.match.tolist() == [[0, -1, -1]]


def test_iou_of_each_match_is_kept() -> None:
    matches = match(make_ground_truth([BOX]), make_predictions([(0, 0, 75, 100)], [0.9]))
    assert matches.iou[:, 0].tolist() == [0.75] * 6 + [0.0] * 4
    assert matches.true_positive[:, 0].tolist() == [True] * 6 + [False] * 4
    assert matches.false_positive[:, 0].tolist() == [False] * 6 + [True] * 4
    assert matches.n_objects == 1


def test_later_object_wins_a_tie() -> None:
    matches = match(make_ground_truth([BOX, BOX]), make_predictions([BOX], [0.9]), [0.5])
    assert matches.match.tolist() == [[1]]


def test_object_that_counts_goes_before_a_crowd_with_larger_iou() -> None:
    truth = make_ground_truth([BOX, (0, 0, 60, 100)], iscrowd=[True, False])
    matches = match(truth, make_predictions([BOX], [0.9]), [0.5])
    assert matches.match.tolist() == [[1]]
    assert not matches.ignored.any()


def test_crowd_takes_many() -> None:
    truth = make_ground_truth([(0, 0, 400, 400)], iscrowd=[True])
    matches = match(truth, make_predictions([BOX, (100, 0, 200, 100)], [0.9, 0.8]), [0.5])
    assert matches.match.tolist() == [[0, 0]]
    assert matches.ignored.all()
    assert not matches.true_positive.any()
    assert not matches.false_positive.any()


def test_classes_do_not_mix() -> None:
    from robust.datasets.records import Category

    truth = make_ground_truth([BOX], category_ids=[2], categories=(Category(1, "a"), Category(2, "b")))
    matches = match(truth, make_predictions([BOX, BOX, BOX], [0.9, 0.8, 0.7], category_ids=[1, 2, 3]), [0.5])
    assert matches.detection_category.tolist() == [1, 2]
    assert matches.match.tolist() == [[-1, 0]]


@pytest.mark.parametrize("n_images", [0, 2])
def test_nothing_to_match(n_images: int) -> None:
    matches = match(make_ground_truth([], n_images=n_images), make_predictions([], [], n_images=n_images))
    assert matches.match.shape == (10, 0)
    assert matches.object_found.shape == (10, 0)


def test_all_detections_take_part_unless_told_otherwise() -> None:
    truth = make_ground_truth([BOX])
    found = make_predictions([(200, 200, 300, 300)] * 250 + [BOX], np.linspace(0.9, 0.1, 251))
    assert match(truth, found, [0.5]).object_found.all()
    assert len(match(truth, found, [0.5], max_detections=100)) == 100
    assert not match(truth, found, [0.5], max_detections=100).object_found.any()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="IoU thresholds"):
        match(make_ground_truth([BOX]), make_predictions([BOX], [0.9]), [0.0])
    with pytest.raises(DataError, match="not of the images"):
        match(make_ground_truth([BOX], image_ids=[4]), make_predictions([BOX], [0.9], image_ids=[5]))


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("most", [1, 3, 100])
def test_limiting_detections_afterwards_is_matching_fewer(seed: int, most: int) -> None:
    case = random_case(seed)
    judge = match(*case, max_detections=most)
    limited = limit_detections(match(*case), most)
    for field in fields(judge):
        np.testing.assert_array_equal(getattr(limited, field.name), getattr(judge, field.name), field.name)
