from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from robust.eval.metrics.counts import ImageCounts, rates
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.metrics.resampling import ImageWeights, Resampling, image_weights
from robust.eval.metrics.threshold_certainty import (
    ThresholdCertainty,
    certifying_p_values,
    max_min,
    mean_p,
    replicate_choices,
    threshold_certainty,
)
from robust.eval.metrics.thresholds import choose_threshold, operating_point

NO_CONSTRAINTS = ThresholdConstraints()
LIMITS = np.array([0.3, 0.4, 0.5, 0.6])


def _counts(tp: list[list[float]], fp: list[list[float]], objects: list[float]) -> ImageCounts:
    return ImageCounts(LIMITS[: len(tp[0])], np.array(tp), np.array(fp), np.array(objects))


def _random_counts(seed: int, n_images: int = 12) -> ImageCounts:
    rng = np.random.default_rng(seed)
    objects = rng.poisson(1.5, n_images)
    tp = np.sort(rng.binomial(objects[:, None], 0.7, (n_images, 4)), axis=1)[:, ::-1]
    fp = np.sort(rng.poisson(0.3, (n_images, 4)), axis=1)[:, ::-1]
    return ImageCounts(LIMITS, tp.astype(float), fp.astype(float), objects.astype(float))


def _certainty(
    counts: ImageCounts, constraints: ThresholdConstraints = NO_CONSTRAINTS, *, seed: int = 0
) -> ThresholdCertainty:
    groups = [None] * counts.n_images
    weights = image_weights(groups, Resampling(seed=seed), "val")
    choice = choose_threshold(counts.operating_points(), constraints)
    return threshold_certainty(counts, weights, constraints, choice, groups=groups)


class TestMeanTest:
    def test_linearised_recall_reference_case(self) -> None:
        tp, objects = np.array([[2.0], [2.0], [3.0]]), np.array([[2.0], [3.0], [5.0]])
        (p,) = mean_p(tp - 0.5 * objects)
        assert p == pytest.approx(0.0285955, abs=5e-8)
        assert p == pytest.approx(stats.t.sf(4.0, 2))

    def test_equals_scipy(self) -> None:
        table = np.random.default_rng(1).normal(0.2, 1, (30, 5))
        expected = stats.ttest_1samp(table, 0, alternative="greater").pvalue
        np.testing.assert_allclose(mean_p(table), expected, rtol=1e-12)

    def test_what_does_not_vary_shows_nothing(self) -> None:
        assert mean_p(np.ones((9, 2))).tolist() == [1, 1]
        assert mean_p(np.ones((1, 2))).tolist() == [1, 1]


class TestCertified:
    def test_p_is_the_larger_of_the_linear_test_and_the_bound_on_the_logit_scale(self) -> None:
        rng = np.random.default_rng(3)
        objects = rng.integers(1, 6, 40).astype(float)
        tp = rng.binomial(objects.astype(int), 0.8).astype(float)
        counts = ImageCounts(LIMITS[:1], tp[:, None], np.zeros((40, 1)), objects)
        (p,) = certifying_p_values(counts, ThresholdConstraints(min_recall=0.7), [None] * 40)
        linear = stats.ttest_1samp(tp - 0.7 * objects, 0, alternative="greater").pvalue
        recall = tp.sum() / objects.sum()
        weights = np.random.default_rng(0).multinomial(40, [1 / 40] * 40, 40_000)
        se = np.std(weights @ tp / (weights @ objects)) * (40 / 39) ** 0.5
        logit = stats.t.sf((np.log(recall / (1 - recall)) - np.log(0.7 / 0.3)) * recall * (1 - recall) / se, 39)
        assert p >= linear
        assert p == pytest.approx(max(linear, logit), rel=0.1)  # a bootstrap SE against a linearised one

    def test_false_alarms_inside_one_group_are_one_event(self) -> None:
        n = 60
        fp = np.zeros((n, 1))
        fp[:6] = 1.0
        counts = ImageCounts(LIMITS[:1], np.ones((n, 1)), fp, np.ones(n))
        limit = ThresholdConstraints(max_fppi=0.25)
        (apart,) = certifying_p_values(counts, limit, [None] * n)
        (together,) = certifying_p_values(counts, limit, [f"video {i // 6}" for i in range(n)])
        assert apart < 0.05 < together

    def test_no_false_alarm_needs_three_expected_ones(self) -> None:
        counts = ImageCounts(LIMITS[:1], np.ones((30, 1)), np.zeros((30, 1)), np.ones(30))
        for limit, certified in ((0.1, True), (0.099, False)):
            (p,) = certifying_p_values(counts, ThresholdConstraints(max_fppi=limit), [None] * 30)
            assert p == pytest.approx(np.exp(-30 * limit))
            assert (p <= 0.05) == certified

    def test_faultless_precision_gets_the_exact_value_of_the_images_with_detections(self) -> None:
        tp = np.concatenate([np.full((28, 1), 3.0), np.zeros((10, 1))])
        counts = ImageCounts(LIMITS[:1], tp, np.zeros((38, 1)), np.full(38, 5.0))
        (p,) = certifying_p_values(counts, ThresholdConstraints(min_precision=0.9), [None] * 38)
        assert p == pytest.approx(0.9**28)

    def test_largest_p_value_of_all_constraints_decides(self) -> None:
        counts = _random_counts(4, 60)
        one = ThresholdConstraints(min_precision=0.6)
        other = ThresholdConstraints(max_fppi=0.6)
        both = ThresholdConstraints(min_precision=0.6, max_fppi=0.6)
        p = [certifying_p_values(counts, c, [None] * 60) for c in (one, other, both)]
        np.testing.assert_array_equal(p[2], np.maximum(p[0], p[1]))
        assert (p[0] > p[1]).any() or (p[1] > p[0]).any()

    def test_limit_of_zero(self) -> None:
        counts = _random_counts(4, 60)
        free = ThresholdConstraints(min_precision=0, min_recall=0)
        assert (certifying_p_values(counts, free, [None] * 60) == 0).all()
        never = ThresholdConstraints(max_fppi=0)
        assert (certifying_p_values(counts, never, [None] * 60) == 1).all()

    def test_too_few_units_or_objects_show_nothing(self) -> None:
        limit = ThresholdConstraints(min_recall=0.1)
        assert np.isnan(certifying_p_values(_random_counts(1, 4), limit, [None] * 4)).all()
        assert np.isnan(certifying_p_values(_random_counts(1, 40), limit, ["a", "b"] * 20)).all()
        few = ImageCounts(LIMITS[:1], np.ones((4, 1)), np.zeros((4, 1)), np.ones(4))
        more = ImageCounts(
            LIMITS[:1], np.pad(few.tp, ((0, 20), (0, 0))), np.zeros((24, 1)), np.pad(few.objects, (0, 20))
        )
        assert np.isnan(certifying_p_values(more, limit, [None] * 24)).all()

    @pytest.mark.parametrize("n_images", [30, 100])
    @pytest.mark.parametrize("limit", [0.1, 0.5, 1.0])
    def test_what_is_just_not_good_enough_rarely_passes(self, n_images: int, limit: float) -> None:
        """3000 data sets at the limit, one for each column; a linear t-test alone passes 20 % of the hardest."""
        k = 3000
        fp = np.random.default_rng(7).poisson(limit, (n_images, k)).astype(float)
        counts = ImageCounts(np.linspace(0.1, 0.9, k), np.zeros((n_images, k)), fp, np.ones(n_images))
        p = certifying_p_values(counts, ThresholdConstraints(max_fppi=limit), [None] * n_images)
        assert (p <= 0.05).mean() <= 0.06

    @pytest.mark.parametrize("least", [0.8, 0.9])
    def test_clustered_precision_just_not_good_enough_rarely_passes(self, least: float) -> None:
        rng, k, n_images = np.random.default_rng(8), 3000, 60
        share = rng.beta(8 * least, 8 * (1 - least), (n_images, k))
        found = rng.poisson(3, (n_images, k))
        tp = rng.binomial(found, share).astype(float)
        counts = ImageCounts(np.linspace(0.1, 0.9, k), tp, found - tp, np.full(n_images, 40.0))
        p = certifying_p_values(counts, ThresholdConstraints(min_precision=least), [None] * n_images)
        assert 0.02 <= (p <= 0.05).mean() <= 0.065

    def test_highest_recall_among_what_is_shown(self) -> None:
        tp = [[1.0, 1.0, 1.0, 0.0]] * 90 + [[1.0, 1.0, 0.0, 0.0]] * 10
        fp = [[1.0, 0.0, 0.0, 0.0]] * 9 + [[0.0] * 4] * 91
        made = _certainty(_counts(tp, fp, [1.0] * 100), ThresholdConstraints(max_fppi=0.1))
        assert made.threshold == 0.4
        assert made.certified == (0.4, 0.5, 0.6)  # 9 alarms in 100 images are no proof of at most 10
        assert made.certified_threshold == 0.4
        assert made.certified_reason == (
            "3 of 4 thresholds each pass a 5 % test of the constraints; 0.4 finds the most "
            "(not corrected for choosing among them)."
        )
        assert len(made.p_values) == 4
        assert made.p_values[0] is not None and 0.05 < made.p_values[0] < 0.5

    def test_feasible_is_not_yet_shown(self) -> None:
        counts = _counts([[1.0]] * 20, [[1.0]] * 3 + [[0.0]] * 17, [1.0] * 20)
        made = _certainty(counts, ThresholdConstraints(max_fppi=0.2))
        assert (made.threshold, made.certified_threshold, made.certified) == (0.3, None, ())
        assert made.certified_reason.startswith(
            "None of 1 thresholds passes a 5 % test of the constraints; the nearest is 0.3"
        )

    def test_without_constraints_there_is_nothing_to_show(self) -> None:
        made = _certainty(_random_counts(2, 40))
        assert (made.p_values, made.certified, made.certified_threshold) == ((), (), None)
        assert "no constraints" in made.certified_reason

    def test_too_few_images_are_named(self) -> None:
        made = _certainty(_random_counts(2, 4), ThresholdConstraints(min_recall=0.1))
        assert made.p_values == (None,) * 4
        assert made.certified_reason.startswith("Too few images")


CONSTRAINTS = [
    NO_CONSTRAINTS,
    ThresholdConstraints(min_precision=0.8),
    ThresholdConstraints(max_fppi=0.25),
    ThresholdConstraints(min_recall=0.6, max_fppi=0.5),
    ThresholdConstraints(min_precision=0.7, max_fppi=0.4, min_recall=0.3),
]


class TestStability:
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10_000), constraints=st.sampled_from(CONSTRAINTS), n_images=st.sampled_from([2, 5, 12]))
    def test_each_replicate_chooses_as_the_rule_does(
        self, seed: int, constraints: ThresholdConstraints, n_images: int
    ) -> None:
        counts = _random_counts(seed, n_images)
        groups = ["one", "one"] + [None] * (n_images - 2)
        weights = image_weights(groups, Resampling(seed=seed, replicates=100), "val").values
        chosen = replicate_choices(rates(counts, weights), constraints)
        for b in range(100):
            tp, fp = weights[:, b] @ counts.tp, weights[:, b] @ counts.fp
            objects, images = int(weights[:, b] @ counts.objects), int(weights[:, b].sum())
            points = [
                operating_point(LIMITS[k], int(tp[k]), int(fp[k]), objects - int(tp[k]), images) for k in range(4)
            ]
            expected = choose_threshold(points, constraints).threshold
            assert (LIMITS[chosen[b]] if chosen[b] >= 0 else None) == expected

    def test_shares_and_quantiles_of_a_known_distribution(self) -> None:
        counts = _counts([[1, 1], [0, 0]], [[1, 0], [0, 0]], [1.0, 1.0])
        # columns: only image 1 (nothing found), both (0.4 is better), only image 0 (0.4)
        weights = np.repeat([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]], [10, 60, 30], axis=1)
        choice = choose_threshold(counts.operating_points(), NO_CONSTRAINTS)
        made = threshold_certainty(counts, ImageWeights(weights, 2), NO_CONSTRAINTS, choice, groups=[None, None])
        assert (made.modal_threshold, made.modal_share, made.same_share) == (0.4, 0.9, 0.9)
        assert made.none_share == pytest.approx(0.1)
        assert (made.q05, made.q95, made.replicates) == (0.4, 0.4, 100)
        assert made.is_determined
        assert made.wording == (
            "The threshold is determined by this data: 90% of the resamples choose 0.4; "
            "no threshold could be chosen in 10% of the resamples."
        )

    def test_nearly_equal_thresholds_are_not_determined(self) -> None:
        rng = np.random.default_rng(0)  # each step up loses a hit for each false alarm it saves, but for the noise
        tp = 8 - np.cumsum(rng.random((30, 4)) < 0.3, axis=1)
        fp = 8 - np.cumsum(rng.random((30, 4)) < 0.6, axis=1)
        made = _certainty(ImageCounts(LIMITS, tp.astype(float), fp.astype(float), np.full(30, 10.0)))
        assert not made.is_determined
        assert made.q05 is not None and made.q95 is not None and made.q05 < made.q95
        assert f"plausible range [{made.q05:g}, {made.q95:g}]" in made.wording
        assert "not determined by this data" in made.wording

    def test_clear_winner_is_determined(self) -> None:
        tp = [[3.0, 3.0, 0.0]] * 40
        fp = [[4.0, 0.0, 0.0]] * 40
        made = _certainty(_counts(tp, fp, [3.0] * 40))
        assert (made.threshold, made.same_share, made.is_determined, made.none_share) == (0.4, 1, True, 0)

    def test_determined_speaks_of_the_chosen_threshold_not_of_the_modal_one(self) -> None:
        counts = _counts([[3.0, 3.0, 0.0]] * 40, [[4.0, 0.0, 0.0]] * 40, [3.0] * 40)
        weights = image_weights([None] * 40, Resampling(), "val")
        other = choose_threshold(counts.operating_points()[:1], NO_CONSTRAINTS)
        made = threshold_certainty(counts, weights, NO_CONSTRAINTS, other, groups=[None] * 40)
        assert (made.modal_share, made.same_share, made.is_determined) == (1, 0, False)

    def test_rarely_no_choice_is_not_called_never(self) -> None:
        counts = _counts([[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]], [1.0, 1.0])
        weights = np.repeat([[0.0, 2.0], [2.0, 0.0]], [1, 299], axis=1)
        choice = choose_threshold(counts.operating_points(), NO_CONSTRAINTS)
        made = threshold_certainty(counts, ImageWeights(weights, 2), NO_CONSTRAINTS, choice, groups=[None, None])
        assert made.none_share == pytest.approx(1 / 300)
        assert made.wording.endswith("no threshold could be chosen in less than 1% of the resamples.")

    def test_nothing_found_leaves_no_choice(self) -> None:
        made = _certainty(_counts([[0.0]] * 9, [[1.0]] * 9, [1.0] * 9))
        assert (made.threshold, made.modal_threshold, made.q05, made.none_share) == (None, None, None, 1)
        assert made.wording == "No threshold could be chosen in any resample of these images."

    def test_no_choice_but_some_replicates_have_one(self) -> None:
        counts = _counts([[1.0]] * 10, [[1.0]] * 5 + [[0.0]] * 5, [1.0] * 10)
        made = _certainty(counts, ThresholdConstraints(max_fppi=0.4))
        assert made.threshold is None
        assert not made.is_determined
        expected = stats.binom.cdf(4, 10, 0.5)  # resamples with at most 4 false alarms
        assert 1 - made.none_share == pytest.approx(expected, abs=0.04)
        assert made.wording.startswith(
            "No threshold was chosen; resamples that allow one choose in the plausible range"
        )

    def test_same_seed_same_answer_other_seed_other_answer(self) -> None:
        counts = _random_counts(3, 20)
        assert _certainty(counts, seed=1) == _certainty(counts, seed=1)
        assert _certainty(counts, seed=1) != _certainty(counts, seed=2)


class TestMaxMin:
    def test_worst_variant_decides(self) -> None:
        clean = _counts([[9.0, 8.0, 7.0]], [[3.0, 1.0, 0.0]], [10.0])
        night = _counts([[6.0, 5.0, 2.0]], [[0.0, 0.0, 0.0]], [10.0])
        made = max_min({"clean": clean, "night": night}, ThresholdConstraints(max_fppi=1), split="val")
        assert (made.threshold, made.value, made.binding, made.goal) == (0.4, 0.5, "night", "recall")
        assert (made.split, made.variants) == ("val", ("clean", "night"))
        assert made.reason == "At 0.4 the worst of 2 variants is night, recall 0.500."

    def test_f1_without_constraints(self) -> None:
        clean = _counts([[9.0, 8.0]], [[9.0, 0.0]], [10.0])
        night = _counts([[6.0, 5.0]], [[0.0, 0.0]], [10.0])
        made = max_min({"clean": clean, "night": night}, NO_CONSTRAINTS, split="test")
        f1 = [min(18 / 28, 12 / 16), min(16 / 18, 10 / 15)]
        assert f1[1] > f1[0]
        assert (made.goal, made.threshold, made.value) == ("f1", 0.4, pytest.approx(f1[1]))
        assert made.binding == "night"

    @settings(max_examples=80, deadline=None)
    @given(seeds=st.lists(st.integers(0, 10_000), min_size=1, max_size=4), constraints=st.sampled_from(CONSTRAINTS))
    def test_equals_trying_everything(self, seeds: list[int], constraints: ThresholdConstraints) -> None:
        counts = {f"v{i}": _random_counts(seed) for i, seed in enumerate(seeds)}
        made = max_min(counts, constraints, split="val")
        points = {name: each.operating_points() for name, each in counts.items()}
        free = constraints == NO_CONSTRAINTS
        tried = []
        for k in range(4):
            here = [each[k] for each in points.values()]
            feasible = [_holds(p.precision, p.recall, p.fppi, constraints) for p in here]
            goals = [p.f1 if free else p.recall for p in here]
            if all(feasible) and all(goals):
                tried.append((min(g or 0.0 for g in goals), -max(p.fppi or 0.0 for p in here), LIMITS[k]))
        if not tried:
            assert (made.threshold, made.value) == (None, None)
            assert made.binding in counts
            assert made.binding in made.reason
            return
        assert made.threshold == max(tried)[2]
        assert made.value == pytest.approx(max(tried)[0])

    def test_variant_that_rules_thresholds_out_is_named(self) -> None:
        clean = _counts([[9.0, 8.0]], [[0.0, 0.0]], [10.0])
        fog = _counts([[9.0, 8.0]], [[5.0, 4.0]], [10.0])
        made = max_min({"clean": clean, "fog": fog}, ThresholdConstraints(max_fppi=1), split="val")
        assert (made.threshold, made.value, made.binding) == (None, None, "fog")
        assert made.reason == ("No threshold meets the constraints on every variant; fog meets them at no threshold.")

    def test_variants_that_exclude_each_other(self) -> None:
        clean = _counts([[9.0, 3.0, 3.0]], [[0.0, 0.0, 0.0]], [10.0])
        fog = _counts([[9.0, 8.0, 7.0]], [[5.0, 1.0, 0.0]], [10.0])
        limits = ThresholdConstraints(max_fppi=1, min_recall=0.5)
        made = max_min({"clean": clean, "fog": fog}, limits, split="val")
        assert (made.threshold, made.binding) == (None, "clean")
        assert made.reason.endswith("clean meets them at only 1 of 3 thresholds.")

    def test_variant_without_objects_or_hits_is_named(self) -> None:
        clean = _counts([[1.0]], [[0.0]], [1.0])
        empty, blind = _counts([[0.0]], [[0.0]], [0.0]), _counts([[0.0]], [[0.0]], [1.0])
        made = max_min({"clean": clean, "x": empty}, NO_CONSTRAINTS, split="val")
        assert (made.threshold, made.binding, made.reason) == (None, "x", "x holds no objects to judge a threshold by.")
        made = max_min({"clean": clean, "x": blind}, NO_CONSTRAINTS, split="val")
        assert (made.threshold, made.binding) == (None, "x")
        assert made.reason == "No object of x is found at any threshold that is allowed."

    def test_other_thresholds_are_refused(self) -> None:
        with pytest.raises(ValueError, match="same thresholds"):
            max_min({"a": _random_counts(0), "b": _counts([[1.0]], [[0.0]], [1.0])}, NO_CONSTRAINTS, split="val")
        with pytest.raises(ValueError, match="same thresholds"):
            max_min({}, NO_CONSTRAINTS, split="val")


def _holds(
    precision: float | None, recall: float | None, fppi: float | None, constraints: ThresholdConstraints
) -> bool:
    asked = (
        (precision, constraints.min_precision, 1),
        (recall, constraints.min_recall, 1),
        (fppi, constraints.max_fppi, -1),
    )
    return all(bound is None or (value is not None and sign * value >= sign * bound) for value, bound, sign in asked)
