from __future__ import annotations

import numpy as np
import pytest

from robust.datasets.records import Category
from robust.eval.metrics.miss_rate import LOWEST_MISS, log_average, miss_rate
from robust.eval.metrics.records import MissRate
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, make_ground_truth, make_predictions

BOX = (0.0, 0.0, 100.0, 100.0)
AWAY = (300.0, 300.0, 400.0, 400.0)
PERSON = 1


def _in_order(hits: str, n_objects: int, n_images: int, scores: list[float] | None = None) -> MissRate:
    """Object k lies alone in image k. T finds the next one exactly; F finds nothing, in the last image."""
    free = iter(range(n_objects))
    rows = [(BOX, next(free)) if hit == "T" else (AWAY, n_images - 1) for hit in hits]
    scores = scores or [0.9 - 0.1 * i for i in range(len(hits))]
    order = sorted(range(len(rows)), key=lambda i: (rows[i][1], -scores[i]))
    truth = make_ground_truth([BOX] * n_objects, range(n_objects), n_images=n_images)
    return miss_rate(truth, _predictions([rows[i] for i in order], [scores[i] for i in order], n_images))


def _predictions(
    rows: list[tuple[tuple[float, ...], int]], scores: list[float], n_images: int, **kw: object
) -> Predictions:
    return make_predictions([box for box, _ in rows], scores, [image for _, image in rows], n_images=n_images, **kw)  # type: ignore[arg-type]


def test_two_false_alarms_among_five_hits_in_ten_images() -> None:
    """Case R6: misses .8 at the four references below 0.1, .6 at two, .5 at three."""
    found = _in_order("TTFTTFT", 10, 10)
    assert found.mr2 == pytest.approx(0.6416317248673974, abs=1e-12)
    assert found.mr2 == pytest.approx((0.8**4 * 0.6**2 * 0.5**3) ** (1 / 9))
    assert (found.n_images, found.n_objects) == (10, 10)


def test_false_alarm_above_the_only_hit_does_not_borrow_the_end_of_the_curve() -> None:
    """Case R6: nothing is found before the first false alarm; reading index -1 instead would give 1e-10."""
    found = _in_order("FT", 1, 10)
    assert found.mr2 == pytest.approx(2.782559402207123e-06, rel=1e-12)


def test_person_on_the_coco_sample() -> None:
    """Case R1p: 100 images of COCO val2014 with the detections published for them."""
    found = miss_rate(*cocoapi_case(PERSON))
    assert (found.n_images, found.n_objects) == (100, 250)
    assert found.mr2 == pytest.approx(0.2565273602670179, abs=1e-12)
    assert found.is_stable


def test_recall_at_few_false_alarms_by_hand() -> None:
    found = _in_order("TTFTTFT", 10, 10)
    assert found.recall_fppi_01 == pytest.approx(0.4)  # one false alarm in ten images: four hits come before the second
    assert found.recall_fppi_1 == pytest.approx(0.5)
    fewer_images = _in_order("TFTFT", 4, 4)
    assert fewer_images.recall_fppi_01 == pytest.approx(0.25)
    assert fewer_images.recall_fppi_1 == pytest.approx(0.75)


def test_nothing_found_misses_everything() -> None:
    found = _in_order("FF", 3, 10)
    assert (found.mr2, found.recall_fppi_01, found.recall_fppi_1) == (1.0, 0.0, 0.0)
    nothing = miss_rate(make_ground_truth([BOX]), make_predictions([], []))
    assert (nothing.mr2, nothing.recall_fppi_01, nothing.recall_fppi_1) == (1.0, 0.0, 0.0)


def test_no_objects_is_undefined_and_not_stable() -> None:
    for truth in (make_ground_truth([], n_images=200), make_ground_truth([BOX], iscrowd=[True], n_images=200)):
        found = miss_rate(truth, make_predictions([AWAY], [0.9], n_images=200))
        assert (found.mr2, found.recall_fppi_01, found.recall_fppi_1) == (None, None, None)
        assert not found.is_stable
    assert miss_rate(make_ground_truth([], n_images=0), make_predictions([], [], n_images=0)).mr2 is None


@pytest.mark.parametrize(("n_images", "stable"), [(99, False), (100, True)])
def test_fewer_than_100_images_are_unstable(n_images: int, stable: bool) -> None:
    assert _in_order("T", 1, n_images).is_stable is stable


def test_equal_scores_come_together_whatever_their_order() -> None:
    """One threshold lets both in: no point of the curve has the hit without the false alarm."""
    for hits in ("TF", "FT"):
        found = _in_order(hits, 1, 10, scores=[0.9, 0.9])
        assert found.mr2 == pytest.approx(2.782559402207123e-06, rel=1e-12)


def test_detections_on_a_crowd_region_are_no_false_alarms() -> None:
    truth = make_ground_truth([AWAY, BOX], iscrowd=[True, False])
    found = miss_rate(truth, make_predictions([AWAY, AWAY, BOX], [0.9, 0.8, 0.7]))
    assert found.n_objects == 1
    assert (found.recall_fppi_01, found.mr2) == (1.0, pytest.approx(LOWEST_MISS))


def test_more_than_100_detections_in_an_image_all_count() -> None:
    truth = make_ground_truth([BOX], n_images=1)
    rows, scores = [AWAY] * 100 + [BOX], list(np.linspace(0.9, 0.5, 101))
    assert miss_rate(truth, make_predictions(rows, scores)).recall_fppi_1 == 0.0
    truth = make_ground_truth([BOX], n_images=100)
    assert miss_rate(truth, make_predictions(rows, scores, n_images=100)).recall_fppi_1 == 1.0


def test_classes_are_averaged_and_those_without_objects_left_out() -> None:
    categories = (Category(1, "person"), Category(2, "bicycle"), Category(3, "car"))
    truth = make_ground_truth([BOX, BOX], category_ids=[1, 2], categories=categories)
    found = miss_rate(truth, make_predictions([BOX, AWAY], [0.9, 0.8], category_ids=[1, 3]))
    assert found.recall_fppi_1 == pytest.approx(0.5)
    assert found.mr2 == pytest.approx((LOWEST_MISS + 1) / 2)


def test_against_thresholds_tried_one_by_one() -> None:
    """The definition itself, slowly: at each reference, the best threshold that allows no more false alarms."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        n_images = int(rng.integers(1, 30))
        truth, predictions = _random(rng, n_images)
        tried = []
        for threshold in [2.0, *np.unique(predictions.scores)]:
            above = [row for row in _rows(predictions) if row[1] >= threshold]
            tp = len({image for image, _, box in above if box == BOX and image < len(truth)})
            tried.append(((len(above) - tp) / n_images, tp / len(truth)))
        misses = [1 - max(recall for fppi, recall in tried if fppi <= 10 ** (-2 + k / 4) + 1e-9) for k in range(9)]
        expected = float(np.exp(np.mean(np.log(np.maximum(1e-10, misses)))))
        assert miss_rate(truth, predictions).mr2 == pytest.approx(expected, rel=1e-9)


def _random(rng: np.random.Generator, n_images: int) -> tuple[GroundTruth, Predictions]:
    n_objects = int(rng.integers(1, n_images + 1))
    truth = make_ground_truth([BOX] * n_objects, range(n_objects), n_images=n_images)
    image = np.sort(rng.integers(0, n_images, 40))
    boxes = np.where(rng.random(40)[:, None] < 0.5, BOX, AWAY)
    scores = np.round(rng.random(40), 2)
    order = np.lexsort((-scores, image))
    return truth, make_predictions(boxes[order], scores[order], image[order], n_images=n_images)


def _rows(predictions: Predictions) -> list[tuple[int, float, tuple[float, ...]]]:
    columns = (predictions.image_index.tolist(), predictions.scores.tolist(), map(tuple, predictions.boxes.tolist()))
    return list(zip(*columns, strict=True))


def test_log_average_is_a_geometric_mean() -> None:
    assert log_average(np.array([0.1, 0.4])) == pytest.approx(0.2)
    assert log_average(np.array([0.0, 1.0])) == pytest.approx(1e-5)
