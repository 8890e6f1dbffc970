from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.eval.metrics.calibration import MIN_DETECTIONS, Calibration, calibration
from robust.eval.metrics.interval import clopper_pearson, logit_t, standard_error
from robust.eval.metrics.matching import Matches, match
from robust.eval.metrics.resampling import ImageWeights, Resampling, image_weights
from robust.eval.records import GroundTruth, Predictions

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

FEW = Resampling(replicates=200)


def _made(truth: GroundTruth, predictions: Predictions, bins: int = 25, lowest: float = 0.05) -> Calibration:
    weights = image_weights(truth.groups, FEW, "test")
    return calibration(match(truth, predictions, (0.5,)), weights, bins=bins, lowest_score=lowest)


def _row(n: int) -> list[tuple[float, float, float, float]]:
    return [(200.0 * i, 0.0, 200.0 * i + 100, 100.0) for i in range(n)]


def _inside(box: tuple[float, float, float, float], iou: float) -> tuple[float, float, float, float]:
    return box[0], box[1], box[0] + 100 * iou, box[3]


def _hand_case() -> tuple[GroundTruth, Predictions]:
    """Hits of IoU .95, .75 and .8, and two false alarms."""
    a, b, c = _row(3)
    boxes = [_inside(a, 0.95), _inside(b, 0.75), (0, 500, 100, 600), (300, 500, 400, 600), _inside(c, 0.8)]
    return make_ground_truth([a, b, c]), make_predictions(boxes, [0.9, 0.8, 0.7, 0.3, 0.2])


def test_two_bins_by_hand() -> None:
    """Upper bin: confidence .8, precision 2/3, IoU .85; lower bin: .25, 1/2, .8."""
    found = _made(*_hand_case(), bins=2)
    assert found.d_ece == pytest.approx(3 / 5 * (0.8 - 2 / 3) + 2 / 5 * 0.25) == pytest.approx(0.18)
    assert (
        found.la_ece == pytest.approx(3 / 5 * (0.8 - 2 / 3 * 0.85) + 2 / 5 * (0.5 * 0.8 - 0.25)) == pytest.approx(0.2)
    )
    lower, upper = found.bins
    assert (lower.low, lower.high, lower.n, upper.low, upper.high, upper.n) == (0.0, 0.5, 2, 0.5, 1.0, 3)
    assert [lower.confidence, lower.precision, lower.iou] == pytest.approx([0.25, 0.5, 0.8])
    assert [upper.confidence, upper.precision, upper.iou] == pytest.approx([0.8, 2 / 3, 0.85])


def test_scores_below_the_cut_are_left_out() -> None:
    truth, predictions = _hand_case()
    assert _made(truth, predictions, bins=2, lowest=0.25).n_detections == 4
    assert _made(truth, predictions, bins=2, lowest=0.3).n_detections == 4
    assert _made(truth, predictions, bins=2, lowest=0.31).n_detections == 3


@pytest.mark.parametrize(("score", "low"), [(0.28, 0.28), (0.56, 0.56), (0.999, 0.96), (1.0, 0.96), (0.0799, 0.04)])
def test_score_between_two_bins_belongs_to_the_upper_one(score: float, low: float) -> None:
    (only,) = _made(make_ground_truth(_row(1)), make_predictions(_row(1), [score])).bins
    assert only.low == pytest.approx(low)


def test_detections_on_crowd_regions_are_left_out() -> None:
    a, b = _row(2)
    truth = make_ground_truth([a, b], iscrowd=[False, True])
    found = _made(truth, make_predictions([a, b], [0.9, 0.8]))
    assert found.n_detections == 1
    assert found.d_ece == pytest.approx(0.1)


def test_without_detections_there_is_no_number() -> None:
    found = _made(make_ground_truth(_row(1)), make_predictions([], []))
    assert (found.d_ece, found.la_ece, found.bins) == (None, None, ())
    assert found.d_ece_interval.note == "there are no detections"


def test_few_detections_get_no_interval() -> None:
    found = _made(*cocoapi_case(1))
    assert 0 < found.n_detections < MIN_DETECTIONS
    assert found.d_ece is not None
    assert not found.is_stable
    assert found.d_ece_interval.low is None
    assert "noisy" in found.d_ece_interval.note


def test_slow_loop_agrees() -> None:
    compared = 0
    for seed in range(60):
        truth, predictions = random_case(seed)
        matches = match(truth, predictions, (0.5,))
        weights = image_weights(truth.groups, FEW, "test")
        for bins in (7, 25):
            found = calibration(matches, weights, bins=bins)
            expected = _slow(matches, bins, np.ones(len(truth.image_ids)))
            if expected is not None:
                assert [found.d_ece, found.la_ece] == pytest.approx(list(expected), abs=1e-12)
                assert sum(part.n for part in found.bins) == found.n_detections
                compared += 1
    assert compared > 50


def test_interval_comes_from_the_same_sums_with_weights() -> None:
    """Judge: the slow loop on the weights of each replicate."""
    matches, weights = _calibrated(60, 12)
    found = calibration(matches, weights)
    assert found.is_stable and found.d_ece is not None
    slow = [_slow(matches, 25, weights.values[:, b]) for b in range(weights.n_replicates)]
    for index, (value, interval) in enumerate(
        [(found.d_ece, found.d_ece_interval), (found.la_ece, found.la_ece_interval)]
    ):
        assert value is not None
        replicates = np.array([one[index] for one in slow if one is not None])
        low, high = logit_t(value, standard_error(replicates, 60), 60)
        assert [interval.low, interval.high] == pytest.approx([float(low), float(high)], abs=2e-6)


def test_bands_of_the_bins_are_logit_t_of_their_replicates() -> None:
    matches, weights = _calibrated(60, 12)
    found = calibration(matches, weights, bins=5)
    part = found.bins[2]
    inside = (matches.score >= part.low) & (matches.score < part.high)
    hits, n = (
        np.bincount(matches.image_index[chosen], minlength=60) @ weights.values
        for chosen in (inside & matches.true_positive[0], inside)
    )
    assert part.precision is not None
    low, high = logit_t(part.precision, standard_error(hits / n, 60), 60)
    assert [part.precision_low, part.precision_high] == pytest.approx([float(low), float(high)], abs=2e-6)


def test_bin_of_hits_only_has_the_exact_band_of_its_images() -> None:
    truth = make_ground_truth([_row(1)[0]] * 8, np.arange(8), n_images=8)
    predictions = make_predictions([_row(1)[0]] * 8, [0.9] * 8, np.arange(8), n_images=8)
    (part,) = _made(truth, predictions).bins
    assert (part.precision, part.precision_low, part.precision_high) == (1.0, *clopper_pearson(8, 8))


def test_bin_of_few_detections_has_no_band() -> None:
    assert all(part.precision_low is None for part in _made(*_hand_case(), bins=2).bins)


def test_scores_that_are_probabilities_are_nearly_calibrated() -> None:
    matches, weights = _calibrated(400, 25)
    honest = calibration(matches, weights)
    assert honest.d_ece is not None and honest.d_ece < 0.02
    assert honest.la_ece == pytest.approx(honest.d_ece)  # all hits have an IoU of 1
    boastful, _ = _calibrated(400, 25, boast=0.5)
    bad = calibration(boastful, weights).d_ece
    assert bad is not None and bad > 0.15


def test_same_seed_same_interval_other_seed_another() -> None:
    matches, _ = _calibrated(60, 12)

    def made(seed: int) -> Calibration:
        return calibration(matches, image_weights((None,) * 60, Resampling(seed=seed, replicates=200), "test"))

    assert made(1) == made(1)
    assert made(1).d_ece_interval != made(2).d_ece_interval


def _calibrated(n_images: int, per_image: int, boast: float = 1.0) -> tuple[Matches, ImageWeights]:
    """Detections that are right with just the probability that is their score; ``boast`` below 1 raises the scores."""
    rng = np.random.default_rng(5)
    index = np.repeat(np.arange(n_images), per_image)
    boxes = np.tile(np.array(_row(per_image)), (n_images, 1))
    probability = rng.uniform(0.06, 1.0, len(index))
    right = rng.random(len(index)) < probability
    truth = make_ground_truth(boxes[right], index[right], n_images=n_images)
    predictions = make_predictions(boxes, probability**boast, index, n_images=n_images)
    return match(truth, predictions, (0.5,)), image_weights(truth.groups, FEW, "test")


def _slow(matches: Matches, bins: int, weight: NDArray[np.float64]) -> tuple[float, float] | None:
    groups: dict[int, list[tuple[float, float, bool, float]]] = {}
    for j in range(len(matches)):
        score = float(matches.score[j])
        if score >= 0.05 and not matches.ignored[0, j]:
            place = max(b for b in range(bins) if b / bins <= score)
            row = (
                float(weight[matches.image_index[j]]),
                score,
                bool(matches.match[0, j] >= 0),
                float(matches.iou[0, j]),
            )
            groups.setdefault(place, []).append(row)
    total = sum(w for rows in groups.values() for w, *_ in rows)
    if total == 0:
        return None
    d_ece = la_ece = 0.0
    for rows in groups.values():
        n = sum(w for w, *_ in rows)
        if n:
            confidence = sum(w * score for w, score, _, _ in rows) / n
            hits = sum(w for w, _, hit, _ in rows if hit)
            fit = sum(w * iou for w, _, hit, iou in rows if hit) / hits if hits else 0.0
            d_ece += n / total * abs(confidence - hits / n)
            la_ece += n / total * abs(confidence - hits / n * fit)
    return d_ece, la_ece
