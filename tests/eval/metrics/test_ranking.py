from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.matching import ALL_AREAS, Matches, match
from robust.eval.metrics.ranking import precision_at_recalls, ranked_average_precision
from robust.eval.metrics.weighted import SIZES, average_precisions, rankings
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, random_case


def _precision_array(case: tuple[GroundTruth, Predictions]) -> NDArray[np.float64]:
    """COCO's array (10 IoU, 101 recalls, classes, 4 areas) from weights of 1; -1 where a class has no objects."""
    array = np.full((10, 101, len(case[0].categories), 4), -1.0)
    for area, area_range in enumerate((ALL_AREAS, *SIZES.values())):
        matches = match(*case, max_detections=100, area_range=area_range)
        with_objects = np.unique(matches.object_category[~matches.object_ignored])
        for category, ranked in zip(with_objects, rankings(matches), strict=True):
            k = matches.category_ids.tolist().index(category)
            array[:, :, k, area] = precision_at_recalls(ranked, np.ones((len(case[0].image_ids), 1)))[..., 0]
    return array


def test_whole_precision_array_is_pycocotools_on_the_coco_sample() -> None:
    """Case R3: 10 IoU thresholds x 101 recalls x 80 classes x 4 areas."""
    case = cocoapi_case()
    expected = reference_evaluation(*case).eval["precision"][..., 2]
    assert (expected > 0).mean() > 0.1
    np.testing.assert_allclose(_precision_array(case), expected, rtol=0, atol=1e-12)


def _slow_average_precision(
    score: NDArray[np.float64],
    hit: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    weight: NDArray[np.float64],
    n_objects: float,
) -> float:
    """The definition, one detection after the other."""
    points: list[tuple[float, float]] = []
    tp = fp = 0.0
    for i in sorted(range(len(score)), key=lambda i: -score[i]):
        tp += weight[i] * bool(hit[i])
        fp += weight[i] * bool(counted[i] and not hit[i])
        points.append((tp / n_objects, tp / (tp + fp) if tp else 0.0))
    total = 0.0
    for recall in np.linspace(0, 1, 101):
        total += max((precision for reached, precision in points if reached >= recall - 1e-11), default=0.0)
    return total / 101


@pytest.mark.parametrize("seed", range(40))
def test_real_weights_follow_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_images, n = 12, 60
    image = rng.integers(0, n_images, n)
    hit = rng.random(n) < 0.4
    objects = np.bincount(image[hit], minlength=n_images) + rng.integers(0, 3, n_images)
    counted = hit | (rng.random(n) < 0.8)
    score = np.round(rng.random(n), 1)  # ties keep the given order
    weights = rng.standard_exponential((n_images, 5)) * (rng.random((n_images, 5)) < 0.8)
    found = ranked_average_precision(
        score=score, hit=hit, counted=counted, image_index=image, objects_per_image=objects, weights=weights
    )
    expected = [
        _slow_average_precision(score, hit, counted, weights[image, b], float(objects @ weights[:, b]))
        for b in range(5)
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def _by_class(matches: Matches, weights: NDArray[np.float64]) -> Iterator[list[float]]:
    for category in matches.category_ids:
        mine = matches.detection_category == category
        objects = ~matches.object_ignored & (matches.object_category == category)
        if not objects.any():
            continue
        n_objects = weights[matches.object_image_index[objects]].sum()
        yield [
            _slow_average_precision(
                matches.score[mine], tp[mine], ~ignored[mine], weights[matches.image_index[mine]], n_objects
            )
            for tp, ignored in zip(matches.true_positive, matches.ignored, strict=True)
        ]


@pytest.mark.parametrize("seed", range(40))
def test_real_weights_follow_the_definition_at_every_threshold(seed: int) -> None:
    """Detections that count at some thresholds only (crowds, sizes) are where a shared sum could go wrong."""
    case = random_case(seed)
    area_range = (ALL_AREAS, *SIZES.values())[seed % 4]
    matches = match(*case, max_detections=100, area_range=area_range)
    weights = np.random.default_rng(seed).standard_exponential((len(case[0].image_ids), 2))
    found = average_precisions(matches, weights)
    for b in range(2):
        classes = list(_by_class(matches, weights[:, b]))
        expected = np.mean(classes, axis=0) if classes else np.full(10, np.nan)
        np.testing.assert_allclose(found[:, b], expected, rtol=0, atol=1e-12)


def test_detections_that_mean_nothing_are_refused() -> None:
    two = {"score": np.array([0.9, 0.8]), "counted": np.array([True, True]), "image_index": np.array([0, 0])}
    with pytest.raises(ValueError, match="more true positives than objects"):
        ranked_average_precision(
            **two, hit=np.array([True, True]), objects_per_image=np.array([1]), weights=np.ones((1, 1))
        )
    with pytest.raises(ValueError, match="line up"):
        ranked_average_precision(**two, hit=np.array([True]), objects_per_image=np.ones(1), weights=np.ones((1, 1)))
    with pytest.raises(ValueError, match="no image"):
        ranked_average_precision(
            **{**two, "image_index": np.array([0, 1])},
            hit=np.array([True, False]),
            objects_per_image=np.ones(1),
            weights=np.ones((1, 1)),
        )
