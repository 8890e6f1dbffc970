from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.certificate import (
    ANY_MISS,
    CONFORMAL,
    LEARN_THEN_TEST,
    MISSED_SHARE,
    Certificate,
    best_level,
    binomial_tail,
    certificates,
    conformal_bound,
    hoeffding_bentkus,
    images_needed,
)
from robust.eval.metrics.counts import ImageCounts

LIMITS = np.array([0.3, 0.4, 0.5, 0.6])


def _counts(missed: list[int], n_images: int, objects: int = 1) -> ImageCounts:
    """At the k-th threshold the first ``missed[k]`` images miss one object."""
    tp = np.full((n_images, len(missed)), float(objects))
    for k, count in enumerate(missed):
        tp[:count, k] -= 1
    return ImageCounts(LIMITS[: len(missed)], tp, np.zeros_like(tp), np.full(n_images, float(objects)))


def _certify(counts: ImageCounts, groups: list[str | None] | None = None, **levels: float) -> list[Certificate]:
    return list(certificates(counts, groups=groups or [None] * counts.n_images, **levels))


@pytest.mark.parametrize(
    ("risk", "n", "alpha", "p"),
    [
        (0, 29, 0.1, 0.0471013),
        (0, 28, 0.1, 0.0523348),
        (0.05, 100, 0.1, 0.1565102),
        (0.05, 200, 0.1, 0.0219399),
        (0.08, 500, 0.1, 0.2041139),
        (0.1, 500, 0.15, 0.00177336),
        (0, 10, 0.1, 0.3486784),
    ],
)
def test_hoeffding_bentkus_reference_values(risk: float, n: int, alpha: float, p: float) -> None:
    assert hoeffding_bentkus(risk, n, alpha) == pytest.approx(p, abs=5.1e-8)


def test_hoeffding_bentkus_is_1_where_the_risk_is_above_alpha() -> None:
    assert hoeffding_bentkus(0.2, 50, 0.1) == 1
    assert hoeffding_bentkus(1.0, 50, 0.1) == 1


def test_rounding_of_the_mean_does_not_cost_a_loss() -> None:
    assert 100 * np.mean([1.0] * 7 + [0.0] * 93) > 7  # 7.000000000000001
    assert hoeffding_bentkus(float(np.mean([1.0] * 7 + [0.0] * 93)), 100, 0.2) == hoeffding_bentkus(0.07, 100, 0.2)


def test_binary_reference_value() -> None:
    assert binomial_tail(5, 100, 0.1) == pytest.approx(0.0575769, abs=5e-8)


def test_conformal_risk_control_needs_9_images_for_a_tenth() -> None:
    assert conformal_bound(0, 9) <= 0.1 < conformal_bound(0, 8)
    assert _certify(_counts([0], 9))[2].threshold == 0.3
    assert _certify(_counts([0], 8))[2].threshold is None


@pytest.mark.parametrize(
    ("alpha", "delta", "n"),
    [(0.1, 0.05, 29), (0.05, 0.05, 59), (0.01, 0.05, 299), (0.1, None, 9), (0.05, None, 19), (0.01, None, 99)],
)
def test_images_needed_without_a_miss(alpha: float, delta: float | None, n: int) -> None:
    assert images_needed(alpha, delta) == n


def test_ten_faultless_images_certify_26_percent_at_best() -> None:
    learn, binary, conformal, _ = _certify(_counts([0, 0], 10))
    for one in (learn, binary):
        assert one.threshold is None
        assert one.best_alpha == pytest.approx(1 - 0.05 ** (1 / 10), abs=1e-7)
        assert one.best_alpha == pytest.approx(0.259, abs=5e-4)
        assert (one.empirical_risk, one.images_needed) == (0, 29)
        assert one.p_value == pytest.approx(0.3486784, abs=5e-8)
    assert learn.sentence == (
        "No threshold is certified for 10.0% with 95% confidence: that takes 29 images without any miss, and there are "
        "10 with objects; what these images can certify at the lowest threshold of the sweep is 25.9%."
    )
    assert conformal.threshold == 0.4
    assert conformal.best_alpha is None  # its level must be fixed before looking


def test_what_is_asked_and_in_which_order() -> None:
    made = _certify(_counts([0], 50), risk=0.2, error=0.1)
    assert [(c.method, c.risk) for c in made] == [
        (LEARN_THEN_TEST, MISSED_SHARE),
        (LEARN_THEN_TEST, ANY_MISS),
        (CONFORMAL, MISSED_SHARE),
        (CONFORMAL, ANY_MISS),
    ]
    assert [(c.alpha, c.delta) for c in made] == [(0.2, 0.1)] * 2 + [(0.2, None)] * 2


def test_highest_threshold_that_passes_is_certified() -> None:
    missed = [0, 2, 5, 30]
    _, binary, _, conformal = _certify(_counts(missed, 100))
    p = [stats.binom.cdf(k, 100, 0.1) for k in missed]
    assert p[1] <= 0.05 < p[2]
    assert (binary.threshold, binary.empirical_risk) == (0.4, 0.02)
    assert binary.p_value == pytest.approx(p[1])
    assert binary.sentence == (
        "At threshold 0.4 the share of images with a missed object is at most 10.0% with 95% confidence, for images "
        "drawn like these (2.0% on 100 images with objects)."
    )
    assert conformal.threshold == 0.5  # (100 * 0.05 + 1) / 101 <= 0.1


def test_testing_stops_at_the_first_failure() -> None:
    counts = ImageCounts(
        LIMITS[:3],
        np.column_stack([np.ones(100), np.arange(100) >= 50, np.ones(100)]),
        np.zeros((100, 3)),
        np.ones(100),
    )
    assert _certify(counts)[1].threshold == 0.3  # the third would pass alone


def test_missed_shares_use_their_size() -> None:
    learn, binary, _, _ = _certify(_counts([60], 100, objects=12))
    assert learn.empirical_risk == pytest.approx(0.05)
    assert learn.p_value == pytest.approx(hoeffding_bentkus(0.05, 100, 0.1))
    assert binary.empirical_risk == 0.6


def test_images_without_objects_have_no_risk() -> None:
    counts = _counts([0], 30)
    more = ImageCounts(
        counts.thresholds,
        np.concatenate([counts.tp, np.zeros((70, 1))]),
        np.zeros((100, 1)),
        np.concatenate([counts.objects, np.zeros(70)]),
    )
    for one, other in zip(_certify(counts), _certify(more), strict=True):
        assert one == other
        assert one.n_images == 30


def test_groups_count_once() -> None:
    groups = [f"video {i // 5}" for i in range(100)]
    counts = _counts([2], 100)  # two images of the first video
    learn, binary, _, _ = _certify(counts, list(groups))
    for one in (learn, binary):
        assert (one.n_images, one.n_units, one.unit) == (100, 20, "source group")
        assert one.empirical_risk == pytest.approx(0.4 / 20)
        assert one.p_value == pytest.approx(hoeffding_bentkus(0.02, 20, 0.1))
        assert one.threshold is None
        assert "source groups" in one.sentence
    assert _certify(counts)[1].threshold == 0.3  # as if the images were independent


def test_high_risk_is_named_as_the_reason() -> None:
    made = _certify(_counts([50, 60], 100))[0]
    assert (made.threshold, made.empirical_risk) == (None, 0.5)
    assert "is 50.0% on 100 images with objects even at the lowest threshold" in made.sentence
    assert made.best_alpha is not None
    assert hoeffding_bentkus(0.5, 100, made.best_alpha) <= 0.05 < hoeffding_bentkus(0.5, 100, made.best_alpha - 1e-6)


def test_risk_just_below_alpha_is_called_too_close() -> None:
    assert "too close for so few" in _certify(_counts([9], 100))[1].sentence


def test_all_missed_has_no_level_below_1() -> None:
    for one in _certify(_counts([40], 40)):
        assert (one.best_alpha, one.threshold, one.empirical_risk) == (None, None, 1)


def test_no_objects_say_so() -> None:
    counts = ImageCounts(LIMITS, np.zeros((5, 4)), np.ones((5, 4)), np.zeros(5))
    for one in _certify(counts):
        assert (one.threshold, one.n_images, one.empirical_risk, one.p_value, one.best_alpha) == (
            None,
            0,
            None,
            None,
            None,
        )
        assert one.sentence == "The images hold no objects that could be missed."


def test_best_level_is_where_the_p_value_crosses() -> None:
    assert best_level(lambda a: 1 - a, 0.0, 0.25) == pytest.approx(0.75, abs=1e-8)
    assert best_level(lambda a: 1.0, 0.0, 0.25) is None


def test_certificates_hold_as_often_as_they_say() -> None:
    """The true risk at the chosen threshold is above alpha in at most delta of the draws."""
    rng = np.random.default_rng(5)
    risks = np.array([0.02, 0.06, 0.101, 0.15])
    wrong = 0
    for _ in range(400):
        hidden = rng.random(150)
        counts = ImageCounts(LIMITS, (hidden[:, None] >= risks).astype(float), np.zeros((150, 4)), np.ones(150))
        threshold = _certify(counts)[1].threshold
        wrong += threshold is not None and threshold >= 0.5
    assert 1 <= wrong <= 0.05 * 400 + 3 * (400 * 0.05 * 0.95) ** 0.5
