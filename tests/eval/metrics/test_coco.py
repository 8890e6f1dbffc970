from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robust.datasets.records import Annotations
from robust.errors import DataError
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_metrics
from robust.eval.metrics.records import CocoMetrics
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

UNDEFINED = dict.fromkeys(CocoMetrics.model_fields)
BOX = (0, 0, 100, 100)
OTHER = (300, 300, 400, 400)
AWAY = (500, 0, 600, 100)
FOUR = (BOX, OTHER, (0, 300, 100, 400), (300, 0, 400, 100))


@pytest.mark.parametrize("seed", range(200))
def test_equals_pycocotools_to_the_last_bit(seed: int) -> None:
    case = random_case(seed)
    assert coco_metrics(*case) == reference_metrics(*case)


def test_random_cases_cover_what_they_claim() -> None:
    cases = [random_case(seed) for seed in range(200)]
    assert any(truth.iscrowd.any() for truth, _ in cases)
    assert any(truth.n_objects == 0 and len(truth) for truth, _ in cases)
    assert any(len(truth) == 0 and len(found) for truth, found in cases)
    assert any(len(truth) and len(found) == 0 for truth, found in cases)
    assert any(len(truth.categories) > 1 for truth, _ in cases)
    assert any((found.category_ids == 77).any() for _, found in cases)
    assert any(max(0, *(found.image_index == i).sum(keepdims=True)) > 100 for _, found in cases for i in range(2))
    values = [coco_metrics(*case) for case in cases]
    assert sum(value.AP is None for value in values) < 40
    assert sum(value.AP is not None and 0.1 < value.AP < 0.9 for value in values) > 100


@pytest.mark.parametrize("engine", [coco_metrics, reference_metrics])
class TestPublishedValues:
    def test_cocoapi_fake_boxes_all_classes(self, engine: type) -> None:
        assert tuple(engine(*cocoapi_case()).model_dump().values()) == pytest.approx(
            (
                0.5045806987249628,
                0.6969727247299577,
                0.5729816669904824,
                0.5856257209410443,
                0.5193996948036719,
                0.5013978986347466,
                0.38681277964578054,
                0.5936795762842003,
                0.595352982877607,
                0.6398109626113442,
                0.5664205978994309,
                0.5642905982905982,
            ),
            abs=1e-12,
        )

    def test_cocoapi_fake_boxes_person_only(self, engine: type) -> None:
        assert tuple(engine(*cocoapi_case(1)).model_dump().values()) == pytest.approx(
            (
                0.5326060142444453,
                0.7883423914530756,
                0.5959104841563797,
                0.545926654861045,
                0.5436632425432208,
                0.5201009438284081,
                0.1552,
                0.5884,
                0.604,
                0.6100917431192661,
                0.5960526315789474,
                0.6030769230769232,
            ),
            abs=1e-12,
        )


def _ordered(hits: str, n_objects: int) -> tuple[GroundTruth, Predictions]:
    """Detections in score order: T hits the next object exactly, F hits nothing."""
    free = iter(FOUR)
    boxes = [next(free) if hit == "T" else AWAY for hit in hits]
    scores = [0.9 - 0.1 * i for i in range(len(hits))]
    return make_ground_truth(FOUR[:n_objects]), make_predictions(boxes, scores)


@pytest.mark.parametrize("engine", [coco_metrics, reference_metrics])
class TestHandCases:
    @pytest.mark.parametrize(
        ("hits", "n_objects", "ap"),
        [
            ("T", 1, 1),
            ("T", 2, 51 / 101),
            ("FT", 1, 0.5),
            ("TF", 1, 1),
            ("TFT", 2, (51 + 50 * 2 / 3) / 101),
            ("TFTF", 4, (26 + 25 * 2 / 3) / 101),
            ("", 1, 0),
        ],
    )
    def test_average_precision_of_an_order(self, engine: type, hits: str, n_objects: int, ap: float) -> None:
        metrics = engine(*_ordered(hits, n_objects))
        assert pytest.approx(ap, abs=1e-12) == metrics.AP
        assert pytest.approx(ap, abs=1e-12) == metrics.AP50

    @pytest.mark.parametrize(
        ("hits", "n_objects", "ar1", "ar100"),
        [("T", 1, 1, 1), ("T", 2, 0.5, 0.5), ("FT", 1, 0, 1), ("TFTF", 4, 0.25, 0.5)],
    )
    def test_average_recall_of_an_order(
        self, engine: type, hits: str, n_objects: int, ar1: float, ar100: float
    ) -> None:
        metrics = engine(*_ordered(hits, n_objects))
        values = (metrics.AR1, metrics.AR100)
        assert values == pytest.approx((ar1, ar100))

    @pytest.mark.parametrize(("width", "ap", "ap75"), [(50, 0.1, 0), (75, 0.6, 1)])
    def test_iou_threshold_is_inclusive(self, engine: type, width: float, ap: float, ap75: float) -> None:
        metrics = engine(make_ground_truth([BOX]), make_predictions([(0, 0, width, 100)], [0.9]))
        values = (metrics.AP, metrics.AP50, metrics.AP75)
        assert values == pytest.approx((ap, 1, ap75), abs=1e-12)

    def test_image_without_objects_counts(self, engine: type) -> None:
        truth = make_ground_truth([BOX], [1], n_images=2)
        metrics = engine(truth, make_predictions([BOX, BOX], [0.95, 0.9], [0, 1], n_images=2))
        assert pytest.approx(0.5, abs=1e-12) == metrics.AP

    def test_crowd_absorbs_but_uses_up_the_first_place(self, engine: type) -> None:
        truth = make_ground_truth([(300, 300, 600, 600), BOX], iscrowd=[True, False])
        inside = [(310, 310, 400, 400), (450, 450, 550, 550)]
        metrics = engine(truth, make_predictions([*inside, BOX], [0.95, 0.9, 0.8]))
        assert pytest.approx(1, abs=1e-12) == metrics.AP
        assert metrics.AR1 == 0

    def test_only_crowd_is_undefined(self, engine: type) -> None:
        truth = make_ground_truth([BOX], iscrowd=[True])
        assert engine(truth, make_predictions([BOX], [0.9])).model_dump() == UNDEFINED

    def test_size_classes_include_both_edges(self, engine: type) -> None:
        metrics = engine(make_ground_truth([(0, 0, 32, 32)]), make_predictions([(0, 0, 32, 32)], [0.9]))
        assert (metrics.APs, metrics.APm) == pytest.approx((1, 1), abs=1e-12)
        assert metrics.APl is None

    def test_nothing_at_all_is_undefined(self, engine: type) -> None:
        truth = make_ground_truth([], n_images=3)
        assert engine(truth, make_predictions([], [], n_images=3)).model_dump() == UNDEFINED
        assert engine(truth, make_predictions([BOX], [0.5], n_images=3)).model_dump() == UNDEFINED
        assert engine(make_ground_truth([], n_images=0), make_predictions([], [], n_images=0)).model_dump() == UNDEFINED

    def test_other_images_are_refused(self, engine: type) -> None:
        truth = make_ground_truth([BOX], n_images=3)
        with pytest.raises(DataError, match="not of the images"):
            engine(truth, make_predictions([BOX], [0.5], n_images=2))

    def test_prints_nothing(self, engine: type, capfd: pytest.CaptureFixture[str]) -> None:
        engine(*_ordered("TF", 2))
        assert capfd.readouterr() == ("", "")


def test_annotation_number_0_is_refused_and_would_not_lose_the_object() -> None:
    """pycocotools reads a match with annotation 0 as "no match"; both engines number annotations themselves."""
    with pytest.raises(DataError, match="below 1"):
        Annotations.build([BOX], [1], [0])
    truth = replace(make_ground_truth([BOX]), annotation_ids=np.array([0]))
    for engine in (coco_metrics, reference_metrics):
        assert engine(truth, make_predictions([BOX], [0.9])).AR1 == 1


def test_measured_from_many_threads_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    cases = [random_case(seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda case: coco_metrics(*case), cases))
    assert together == [coco_metrics(*case) for case in cases]
