from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.errors import DataError
from robust.eval.metrics import matching, ranking
from robust.eval.metrics.coco_reference import reference_metrics
from robust.eval.metrics.interval import Interval, share_interval
from robust.eval.metrics.matching import ALL_AREAS, match, match_areas
from robust.eval.metrics.miss_rate import miss_rate, miss_rate_of
from robust.eval.metrics.weighted import (
    COCO_NAMES,
    SIZES,
    average_precisions,
    average_recall,
    class_vanishes,
    coco_replicates,
    miss_rate_replicates,
)
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

PERSON = 1
BOX = (0.0, 0.0, 100.0, 100.0)
OTHER = (300.0, 300.0, 400.0, 400.0)
AWAY = (500.0, 0.0, 600.0, 100.0)
THREE = (Category(1, "person"), Category(2, "bicycle"), Category(5, "car"))
Case = tuple[GroundTruth, Predictions]


def _ones(case: Case, *, scale: float = 1.0) -> NDArray[np.float64]:
    return np.full((len(case[0].image_ids), 1), scale)


def _assert_close(found: dict[str, NDArray[np.float64]], expected: dict[str, float | None], tolerance: float) -> None:
    for name, value in expected.items():
        (got,) = found[name]
        assert math.isnan(got) if value is None else abs(got - value) <= tolerance, (name, got, value)


def _without_ties(case: Case, rng: np.random.Generator) -> Case:
    """The same case, no two scores equal."""
    truth, found = case
    scores = rng.permutation(len(found)) / (len(found) + 1) + 1e-3
    order = np.lexsort((-scores, found.image_index))
    return truth, make_predictions(
        found.boxes[order],
        scores[order],
        found.image_index[order],
        n_images=len(found.image_ids),
        category_ids=found.category_ids[order],
        image_ids=found.image_ids,
    )


def _repeated(case: Case, counts: NDArray[np.int64]) -> Case:
    """A data set that holds each image as many times as ``counts`` says: the slow truth about integer weights."""
    truth, found = case
    images = np.repeat(np.arange(len(counts)), counts)

    def members(index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = [np.flatnonzero(index == image) for image in images]
        copies = np.repeat(np.arange(len(images)), [len(row) for row in rows])
        return np.concatenate([np.zeros(0, dtype=np.int64), *rows]), copies

    objects, object_image = members(truth.image_index)
    detections, detection_image = members(found.image_index)
    return (
        make_ground_truth(
            truth.boxes[objects],
            object_image,
            n_images=len(images),
            category_ids=truth.category_ids[objects],
            iscrowd=truth.iscrowd[objects],
            area=truth.area[objects],
            categories=truth.categories,
        ),
        make_predictions(
            found.boxes[detections],
            found.scores[detections],
            detection_image,
            n_images=len(images),
            category_ids=found.category_ids[detections],
        ),
    )


@pytest.mark.parametrize("seed", range(200))
def test_weights_of_one_are_pycocotools(seed: int) -> None:
    case = random_case(seed)
    _assert_close(coco_replicates(*case, _ones(case)), reference_metrics(*case).model_dump(), 1e-12)


@pytest.mark.parametrize("category_id", [None, PERSON])
def test_weights_of_one_are_pycocotools_on_the_coco_sample(category_id: int | None) -> None:
    """Cases R1 and R1p."""
    case = cocoapi_case(category_id)
    _assert_close(coco_replicates(*case, _ones(case)), reference_metrics(*case).model_dump(), 1e-12)


@pytest.mark.parametrize("n_objects", [20, 25, 50, 100, 200])
def test_recall_on_a_hundredth_is_read_as_pycocotools_reads_it(n_objects: int) -> None:
    """35/100 as a float is below numpy's 36th recall point, which is then not reached, with weights of 0.1 either."""
    rng = np.random.default_rng(n_objects)
    boxes = np.where(rng.random(3 * n_objects)[:, None] < 0.6, BOX, AWAY)
    image = np.sort(rng.integers(0, n_objects, len(boxes)))
    scores = rng.permutation(len(boxes)) / len(boxes)
    order = np.lexsort((-scores, image))
    truth = make_ground_truth([BOX] * n_objects, range(n_objects), n_images=n_objects)
    case = truth, make_predictions(boxes[order], scores[order], image[order], n_images=n_objects)
    expected = reference_metrics(*case).model_dump()
    for scale in (1.0, 0.1, 1 / 3, 1e-6, 7e5):
        _assert_close(coco_replicates(*case, _ones(case, scale=scale)), expected, 1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_integer_weights_are_repeated_images(seed: int) -> None:
    """Case R3: crowds, ignored objects, several classes, area ranges and limits on detections included."""
    rng = np.random.default_rng(seed)
    case = _without_ties(random_case(seed), rng)
    counts = rng.integers(0, 4, (len(case[0].image_ids), 3))
    counts[0] += 1  # no data set without images
    found = coco_replicates(*case, counts.astype(np.float64))
    for b in range(counts.shape[1]):
        expected = reference_metrics(*_repeated(case, counts[:, b])).model_dump()
        _assert_close({name: values[b : b + 1] for name, values in found.items()}, expected, 1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_weight_0_is_an_image_that_is_not_there(seed: int) -> None:
    case = random_case(seed, n_images=8)
    kept = np.random.default_rng(seed).random(8) < 0.6
    kept[0] = True
    expected = reference_metrics(*_repeated(case, kept.astype(np.int64))).model_dump()
    _assert_close(coco_replicates(*case, kept.astype(np.float64)[:, None]), expected, 1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_scale_of_the_weights_changes_nothing(seed: int) -> None:
    case = random_case(seed, n_images=10)
    weights = np.random.default_rng(seed).poisson(1.0, (10, 20)).astype(np.float64)
    plain = {**coco_replicates(*case, weights), **miss_rate_replicates(match(*case, (0.5,)), weights)}
    scaled = {**coco_replicates(*case, weights * 0.1), **miss_rate_replicates(match(*case, (0.5,)), weights * 0.1)}
    for name, values in plain.items():
        np.testing.assert_allclose(scaled[name], values, rtol=0, atol=1e-12)


def test_replicates_do_not_depend_on_the_size_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    case = cocoapi_case(PERSON)
    weights = np.random.default_rng(3).standard_exponential((100, 150))
    at_once = coco_replicates(*case, weights)
    monkeypatch.setattr(ranking, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(ranking, "_FEWEST_COLUMNS", 7)
    in_blocks = coco_replicates(*case, weights)
    for name in COCO_NAMES:
        np.testing.assert_array_equal(in_blocks[name], at_once[name])


@pytest.mark.parametrize("seed", range(12))
def test_areas_matched_one_by_one_or_together_are_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(seed)
    together = list(match_areas(*case, (ALL_AREAS, *SIZES.values())))
    monkeypatch.setattr(matching, "_SERVED_AT_ONCE", 1)
    apart = list(match_areas(*case, (ALL_AREAS, *SIZES.values())))
    assert len(together) == len(apart) == 4
    for one, other in zip(together, apart, strict=True):
        for name in ("match", "iou", "ignored", "object_found", "object_ignored"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_bootstrap_of_the_coco_sample_has_the_published_standard_errors() -> None:
    """Case R1p: 4000 replicates of 100 images."""
    case = cocoapi_case(PERSON)
    weights = np.random.default_rng(20261123).multinomial(100, [0.01] * 100, 4000).T.astype(np.float64)
    found = coco_replicates(*case, weights, ("AP", "AP50", "AR100"))
    values = reference_metrics(*case)
    for name, error in (("AP", 0.01609), ("AP50", 0.02347), ("AR100", 0.01736)):
        assert found[name].std(ddof=1) == pytest.approx(error, abs=6e-6)
    ap, ap50 = (share_interval(getattr(values, name), found[name], 100) for name in ("AP", "AP50"))
    assert _rounded(ap) == ((0.5004, 0.5645), (0.5016, 0.5651))
    assert _rounded(ap50) == ((0.7378, 0.8314), (0.7404, 0.8317))


def _rounded(interval: Interval) -> tuple[tuple[float, ...], tuple[float, ...]]:
    assert interval.low is not None
    assert interval.high is not None
    assert interval.percentile is not None
    return (round(interval.low, 4), round(interval.high, 4)), tuple(round(end, 4) for end in interval.percentile)


def test_standard_error_is_that_of_a_mean() -> None:
    """Case R3: with one object an image, recall is a mean, whose error is s / sqrt(n); dropping repeats gives .763."""
    n = 200
    found = np.flatnonzero(np.random.default_rng(1).random(n) < 0.7)
    case = (
        make_ground_truth([BOX] * n, range(n), n_images=n),
        make_predictions([BOX] * len(found), np.linspace(0.9, 0.5, len(found)), found, n_images=n),
    )
    weights = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), 4000).T.astype(np.float64)
    share = len(found) / n
    assert coco_replicates(*case, weights, ["AR100"])["AR100"].std() == pytest.approx(
        math.sqrt(share * (1 - share) / n), rel=0.05
    )


def _ordered(hits: str, n_objects: int) -> Case:
    """T finds the next object exactly, F finds nothing; object k and the k-th detection lie in image k."""
    boxes = [BOX if hit == "T" else AWAY for hit in hits]
    free = iter(range(n_objects))
    image = [next(free) if hit == "T" else n_objects - 1 for hit in hits]
    scores = [0.9 - 0.1 * i for i in range(len(hits))]
    order = sorted(range(len(hits)), key=lambda i: image[i])
    return make_ground_truth([BOX] * n_objects, range(n_objects), n_images=n_objects), make_predictions(
        [boxes[i] for i in order],
        [scores[i] for i in order],
        [image[i] for i in order],
        n_images=n_objects,
    )


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
def test_average_precision_of_an_order(hits: str, n_objects: int, ap: float) -> None:
    """Case R2."""
    case = _ordered(hits, n_objects)
    for scale in (1.0, 0.3):
        found = coco_replicates(*case, _ones(case, scale=scale))
        assert (found["AP"][0], found["AP50"][0]) == pytest.approx((ap, ap), abs=1e-12)


def test_crowd_absorbs_but_uses_up_the_first_place() -> None:
    """Case R2."""
    truth = make_ground_truth([(300, 300, 600, 600), BOX], iscrowd=[True, False])
    inside = [(310, 310, 400, 400), (450, 450, 550, 550)]
    case = truth, make_predictions([*inside, BOX], [0.95, 0.9, 0.8])
    found = coco_replicates(*case, _ones(case))
    assert (found["AP"][0], found["AR1"][0], found["AR10"][0]) == (pytest.approx(1), 0, 1)


def test_false_alarm_of_a_weighted_image_by_hand() -> None:
    """A false alarm in an image of weight 3 above a hit of weight 1: precision 1 / 4."""
    truth = make_ground_truth([BOX], [1], n_images=2)
    case = truth, make_predictions([AWAY, BOX], [0.9, 0.8], [0, 1], n_images=2)
    found = coco_replicates(*case, np.array([[3.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))
    np.testing.assert_allclose(found["AP50"], [0.25, 1.0, np.nan])
    np.testing.assert_allclose(found["AR100"], [1.0, 1.0, np.nan])


def test_equal_scores_keep_the_order_of_the_images() -> None:
    """The fixed rule: of two equal scores, the one in the earlier image comes first, all its copies together."""
    truth = make_ground_truth([BOX], [1], n_images=2)
    later = truth, make_predictions([AWAY, BOX], [0.9, 0.9], [0, 1], n_images=2)
    np.testing.assert_allclose(coco_replicates(*later, np.array([[2.0], [2.0]]), ["AP50"])["AP50"], 0.5)
    truth = make_ground_truth([BOX], [0], n_images=2)
    earlier = truth, make_predictions([BOX, AWAY], [0.9, 0.9], [0, 1], n_images=2)
    np.testing.assert_allclose(coco_replicates(*earlier, np.array([[2.0], [2.0]]), ["AP50"])["AP50"], 1.0)


def test_class_without_objects_in_a_replicate_is_left_out_of_its_mean() -> None:
    truth = make_ground_truth([BOX, BOX], [0, 1], n_images=3, category_ids=[1, 2], categories=THREE)
    case = truth, make_predictions([BOX, AWAY], [0.9, 0.8], [0, 1], n_images=3, category_ids=[1, 2])
    weights = np.array([[1.0, 2.0, 0.0, 0.0], [1.0, 0.0, 3.0, 0.0], [1.0, 1.0, 1.0, 3.0]])
    found = coco_replicates(*case, weights)
    expected = [0.5, 1.0, 0.0, np.nan]
    np.testing.assert_allclose(found["AP"], expected)
    np.testing.assert_allclose(found["AR100"], expected)
    np.testing.assert_allclose(miss_rate_replicates(match(*case, (0.5,)), weights)["recall_fppi_1"], expected)
    assert class_vanishes(truth, weights) == 0.5
    assert class_vanishes(truth, weights[:, :1]) == 0.0


def test_crowds_do_not_keep_a_class_from_vanishing() -> None:
    truth = make_ground_truth([BOX, BOX], [0, 1], n_images=2, iscrowd=[True, False])
    assert class_vanishes(truth, np.array([[1.0, 2.0], [1.0, 0.0]])) == 0.5
    assert class_vanishes(make_ground_truth([BOX], iscrowd=[True]), np.array([[0.0]])) == 0.0
    assert class_vanishes(make_ground_truth([], n_images=1), np.array([[0.0]])) == 0.0


@pytest.mark.parametrize("names", [("AP50",), ("AR10", "APs"), (), ("ARl", "AP75", "AR1")])
def test_only_what_is_asked_for(names: tuple[str, ...]) -> None:
    case = random_case(11)
    everything = coco_replicates(*case, _ones(case))
    some = coco_replicates(*case, _ones(case), names)
    assert tuple(some) == names
    for name in names:
        np.testing.assert_array_equal(some[name], everything[name])


def test_nothing_to_measure_is_undefined() -> None:
    for truth in (make_ground_truth([], n_images=2), make_ground_truth([BOX], iscrowd=[True], n_images=2)):
        case = truth, make_predictions([BOX], [0.9], n_images=2)
        values = {**coco_replicates(*case, np.ones((2, 3))), **miss_rate_replicates(match(*case), np.ones((2, 3)))}
        assert all(column.shape == (3,) and np.isnan(column).all() for column in values.values())
    empty = make_ground_truth([], n_images=0), make_predictions([], [], n_images=0)
    assert np.isnan(coco_replicates(*empty, np.ones((0, 3)))["AP"]).all()


@pytest.mark.parametrize("bad", [np.ones((3, 2)), np.ones(2), np.full((2, 1), -1.0), np.full((2, 1), np.nan)])
def test_weights_that_mean_nothing_are_refused(bad: NDArray[np.float64]) -> None:
    case = make_ground_truth([BOX], n_images=2), make_predictions([BOX], [0.9], n_images=2)
    matches = match(*case)
    for work in (average_precisions, average_recall, miss_rate_replicates):
        with pytest.raises(ValueError, match="weights"):
            work(matches, bad)
    with pytest.raises(ValueError, match="weights"):
        coco_replicates(*case, bad)


def test_other_bad_arguments_are_refused() -> None:
    case = make_ground_truth([BOX], n_images=2), make_predictions([BOX], [0.9], n_images=2)
    with pytest.raises(ValueError, match="AP60"):
        coco_replicates(*case, np.ones((2, 1)), ["AP", "AP60"])
    with pytest.raises(DataError, match="not of the images"):
        coco_replicates(case[0], make_predictions([BOX], [0.9], n_images=1), np.ones((2, 1)))


@pytest.mark.parametrize("seed", range(100))
def test_miss_rate_with_weights_of_one_is_that_of_the_cell(seed: int) -> None:
    case = random_case(seed)
    matches = match(*case, (0.5,))
    expected = miss_rate_of(matches).model_dump(include={"mr2", "recall_fppi_01", "recall_fppi_1"})
    for scale in (1.0, 0.1):
        _assert_close(miss_rate_replicates(matches, _ones(case, scale=scale)), expected, 1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_miss_rate_with_integer_weights_is_that_of_repeated_images(seed: int) -> None:
    """Equal scores included: a threshold takes all of them at once."""
    case = random_case(seed, n_images=12)
    counts = np.random.default_rng(seed).integers(0, 4, (12, 3))
    counts[0] += 1
    found = miss_rate_replicates(match(*case, (0.5,)), counts.astype(np.float64))
    for b in range(3):
        repeated = miss_rate(*_repeated(case, counts[:, b])).model_dump(include=set(found))
        if len(case[0].categories) == 1 or None not in repeated.values():
            _assert_close({name: values[b : b + 1] for name, values in found.items()}, repeated, 1e-12)


def test_miss_rate_by_hand() -> None:
    """Case R6, both orders, and R1p; a false alarm that weighs as much as one in ten images is one at 0.1."""
    for hits, n_objects, expected in (("TTFTTFT", 10, 0.6416317248673974), ("FT", 1, 2.782559402207123e-06)):
        truth = make_ground_truth([BOX] * n_objects, range(n_objects), n_images=10)
        free = iter(range(n_objects))
        rows = [(BOX, next(free)) if hit == "T" else (AWAY, 9) for hit in hits]
        scores = 0.9 - 0.1 * np.arange(len(hits))
        order = sorted(range(len(hits)), key=lambda i, rows=rows: rows[i][1])  # type: ignore[misc]
        found = make_predictions([rows[i][0] for i in order], scores[order], [rows[i][1] for i in order], n_images=10)
        for scale in (1.0, 0.7):
            values = miss_rate_replicates(match(truth, found, (0.5,)), np.full((10, 1), scale))
            assert values["mr2"][0] == pytest.approx(expected, rel=1e-12)
    case = cocoapi_case(PERSON)
    person = miss_rate_replicates(match(*case, (0.5,)), _ones(case))
    assert person["mr2"][0] == pytest.approx(0.2565273602670179, abs=1e-12)
