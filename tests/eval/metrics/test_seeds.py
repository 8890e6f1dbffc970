from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from robust.eval.metrics.interval import t_quantile
from robust.eval.metrics.linear_contrast import (
    SeedGroup,
    linear_contrast,
    satterthwaite_degrees,
    seed_sd,
)
from robust.eval.metrics.seeds import (
    contrasts,
    same_results,
    seed_sd_interval,
    setting_difference,
    setting_estimate,
)

N, B = 60, 400
WEIGHTS = np.random.default_rng(5).multinomial(N, np.full(N, 1 / N), B).T / N


def _group(scores: NDArray[np.float64], weights: NDArray[np.float64] = WEIGHTS) -> SeedGroup:
    """Seeds measured by the mean of their image scores, float64 (S, n)."""
    return SeedGroup(tuple(scores.mean(axis=1).tolist()), scores @ weights)


def _random_group(seed: int, n_seeds: int, level: float = 0.5) -> SeedGroup:
    rng = np.random.default_rng(seed)
    return _group(rng.normal(level, 0.2, (1, N)) + rng.normal(0, 0.03, (n_seeds, 1)) + rng.normal(0, 0.1, (n_seeds, N)))


def _scaled(values: tuple[float, ...], var_images: float, n_units: int) -> SeedGroup:
    """Replicates whose mean over the seeds has exactly the given V_img."""
    rows = np.linspace(-1, 1, 201)
    rows *= math.sqrt(var_images * (n_units - 1) / n_units) / rows.std(ddof=1)
    return SeedGroup(values, np.repeat(rows[None] + 0.5, len(values), axis=0))


def test_reference_case_r8() -> None:
    group = _scaled((0.47, 0.50, 0.53), 4e-4, 100)  # s = .03
    found = setting_estimate(group, 100)
    assert found.degrees_of_freedom == pytest.approx(10.5114, abs=5e-5)
    assert found.interval.low is not None and found.interval.high is not None
    assert (found.interval.high - found.interval.low) / 2 == pytest.approx(0.0585646, abs=5e-8)
    assert (found.value, found.var_images, found.var_seeds) == pytest.approx((0.5, 4e-4, 3e-4))
    assert satterthwaite_degrees(4e-4, 100, [3e-4], [3]) == pytest.approx(10.5114, abs=5e-5)
    assert found.interval.method == "Satterthwaite t"


@pytest.mark.parametrize(
    ("n_seeds", "factors"), [(2, (0.446, 31.9)), (3, (0.521, 6.28)), (5, (0.599, 2.87)), (10, (0.688, 1.83))]
)
def test_factors_of_the_seed_standard_deviation(n_seeds: int, factors: tuple[float, float]) -> None:
    assert seed_sd_interval(1.0, n_seeds) == pytest.approx(factors, rel=3e-3)


def test_two_seeds_of_the_motivating_document_say_nothing_and_no_interval_is_printed() -> None:
    """From 0.245 and 0.303 alone the interval would be [-0.094, 0.642]."""
    group = SeedGroup((0.245, 0.303), np.full((2, B), 0.274))
    raw = linear_contrast([1.0], [group], 10)
    assert raw.se is not None and raw.degrees_of_freedom is not None
    assert raw.degrees_of_freedom == pytest.approx(1.0)
    half = t_quantile(raw.degrees_of_freedom) * raw.se
    assert (raw.value - half, raw.value + half) == pytest.approx((-0.094, 0.642), abs=6e-4)
    found = setting_estimate(group, 10)
    assert (found.interval.low, found.degrees_of_freedom, found.can_claim) == (None, None, False)
    assert found.interval.note == "2 seeds: at least 3 are needed for an interval"
    assert found.seed_sd == pytest.approx(0.0410, abs=5e-5)
    assert found.seed_sd_interval == pytest.approx((0.446 * 0.0410, 31.9 * 0.0410), rel=2e-3)


def test_one_seed_has_no_spread() -> None:
    found = setting_estimate(_random_group(0, 1), N)
    assert (found.var_seeds, found.seed_sd, found.seed_sd_interval) == (None, None, None)
    assert found.interval.note.startswith("1 seed:")
    assert found.var_images is not None


def test_claims_need_five_seeds_and_enough_images() -> None:
    allowed = [setting_estimate(_random_group(0, n), N).can_claim for n in (3, 4, 5, 6)]
    assert allowed == [False, False, True, True]
    few = setting_estimate(_random_group(0, 5), 4)
    assert (few.can_claim, few.interval.low, few.var_images) == (False, None, None)
    assert "too few" in few.interval.note
    mixed = setting_difference(_random_group(0, 5), _random_group(1, 4), N)
    assert (mixed.can_claim, mixed.n_seeds) == (False, (5, 4))
    assert mixed.interval.low is not None


def _slow(groups: list[SeedGroup], coefficients: list[float], n: int) -> tuple[float, float, float]:
    """Value, standard error and degrees of freedom, number by number."""
    replicates = []
    for b in range(groups[0].replicates.shape[1]):
        means = [sum(row[b] for row in group.replicates) / len(group.values) for group in groups]
        replicates.append(sum(c * mean for c, mean in zip(coefficients, means, strict=True)))
    centre = sum(replicates) / len(replicates)
    v_img = sum((r - centre) ** 2 for r in replicates) / (len(replicates) - 1) * n / (n - 1)
    parts = []
    for c, group in zip(coefficients, groups, strict=True):
        size, mean = len(group.values), sum(group.values) / len(group.values)
        parts.append(c * c * sum((v - mean) ** 2 for v in group.values) / (size - 1) / size)
    v = v_img + sum(parts)
    below = v_img**2 / (n - 1)
    below += sum(p**2 / (len(g.values) - 1) for p, g in zip(parts, groups, strict=True))
    value = sum(c * sum(g.values) / len(g.values) for c, g in zip(coefficients, groups, strict=True))
    return value, math.sqrt(v), v**2 / below


def test_difference_is_the_one_computed_number_by_number() -> None:
    first, second = _random_group(1, 3, 0.55), _random_group(2, 5)
    value, se, degrees = _slow([first, second], [1.0, -1.0], N)
    found = setting_difference(first, second, N)
    assert (found.difference, found.degrees_of_freedom) == pytest.approx((value, degrees))
    half = float(stats.t.ppf(0.975, degrees)) * se
    assert (found.interval.low, found.interval.high) == pytest.approx((value - half, value + half))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(value) / se, degrees))
    reverse = setting_difference(second, first, N)
    assert (reverse.difference, reverse.p_value) == pytest.approx((-value, found.p_value))


def test_images_are_paired_and_seeds_are_not() -> None:
    group = _random_group(3, 4)
    found = setting_difference(group, group, N)
    assert (found.difference, found.var_images, found.p_value) == (0.0, 0.0, 1.0)
    assert found.var_seeds == pytest.approx(2 * np.var(group.values, ddof=1) / 4)
    assert found.degrees_of_freedom == pytest.approx(6.0)  # two equal groups of four


def test_without_seed_noise_the_images_alone_decide() -> None:
    group = _scaled((0.5, 0.5, 0.5), 4e-4, 100)
    found = setting_estimate(group, 100)
    assert (found.var_seeds, found.degrees_of_freedom) == pytest.approx((0.0, 99.0))
    assert found.seed_sd_interval is None
    assert "weight files" in found.warning


def test_identical_results_of_seeds_are_named_and_no_certainty() -> None:
    assert same_results((0.3, 0.4, 0.3)) and not same_results((0.3, 0.4, 0.30001)) and not same_results(())
    constant = SeedGroup((0.1, 0.1, 0.1), np.full((3, B), 0.1))
    found = setting_estimate(constant, N)
    assert (found.interval.low, found.interval.note) == (None, "neither images nor seeds vary")
    assert seed_sd((0.1, 0.1, 0.1)) == 0.0


def test_too_many_undefined_replicates_refuse_the_interval() -> None:
    group = _random_group(0, 5)
    group.replicates[2, : B // 10] = np.nan
    found = setting_estimate(group, N)
    assert (found.interval.low, found.var_images, found.can_claim) == (None, None, False)
    assert "10%" in found.interval.note


def test_seeds_and_draws_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="3 seeds"):
        SeedGroup((0.1, 0.2, 0.3), np.zeros((2, B)))
    with pytest.raises(ValueError, match="same draws"):
        linear_contrast([1.0, -1.0], [_random_group(0, 3), SeedGroup((0.1,), np.zeros((1, 7)))], N)


def test_interval_of_a_difference_covers_it_with_three_seeds_where_images_alone_do_not() -> None:
    rng, n, n_seeds = np.random.default_rng(11), 50, 3
    weights = rng.multinomial(n, np.full(n, 1 / n), 200).T / n
    covered, by_images, trials = 0, 0, 400
    for _ in range(trials):
        image = rng.normal(0.5, 0.3, (1, n))
        groups = [
            _group(image + rng.normal(0, 0.04, (n_seeds, 1)) + rng.normal(0, 0.15, (n_seeds, n)), weights)
            for _ in range(2)
        ]
        found = setting_difference(groups[0], groups[1], n)  # truly 0
        assert found.interval.low is not None and found.interval.high is not None and found.var_images is not None
        covered += found.interval.low <= 0 <= found.interval.high
        by_images += abs(found.difference) <= t_quantile(n - 1) * math.sqrt(found.var_images)
    assert 0.93 <= covered / trials <= 0.995
    assert by_images / trials < 0.85


class TestContrasts:
    GRID = tuple(itertools.product((320, 416), (0.005, 0.01)))

    def _cells(self, n_seeds: int = 3) -> dict[tuple[int, float], SeedGroup]:
        levels = dict(zip(self.GRID, (0.50, 0.53, 0.56, 0.67), strict=True))
        return {cell: _random_group(i, n_seeds, levels[cell]) for i, cell in enumerate(self.GRID)}

    def test_two_by_two_by_hand(self) -> None:
        cells = self._cells()
        a, b, c, d = (float(np.mean(cells[cell].values)) for cell in self.GRID)
        found, reason = contrasts(cells, N)
        assert reason == ""
        assert [(f.kind, f.imgsz, f.lr0) for f in found] == [
            (kind, (320, 416), (0.005, 0.01)) for kind in ("imgsz", "lr0", "interaction")
        ]
        assert [f.difference for f in found] == pytest.approx(
            [(c + d) / 2 - (a + b) / 2, (b + d) / 2 - (a + c) / 2, (d - c) - (b - a)]
        )
        assert {f.n_seeds for f in found} == {(3, 3, 3, 3)} and {f.residual_degrees for f in found} == {8}

    def test_errors_are_those_computed_number_by_number(self) -> None:
        cells = self._cells()
        groups = [cells[cell] for cell in self.GRID]
        signs = ([-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, -0.5, 0.5], [1.0, -1.0, -1.0, 1.0])
        for found, coefficients in zip(contrasts(cells, N)[0], signs, strict=True):
            value, se, degrees = _slow(groups, coefficients, N)
            half = float(stats.t.ppf(0.975, degrees)) * se
            assert (found.difference, found.degrees_of_freedom) == pytest.approx((value, degrees))
            assert (found.interval.low, found.interval.high) == pytest.approx((value - half, value + half))
            assert found.p_value == pytest.approx(2 * stats.t.sf(abs(value) / se, degrees))

    def test_levels_of_the_other_axis_count_equally_whatever_their_seeds(self) -> None:
        cells = self._cells() | {(416, 0.01): _random_group(9, 7, 0.67)}
        a, b, c, d = (float(np.mean(cells[cell].values)) for cell in self.GRID)
        assert contrasts(cells, N)[0][0].difference == pytest.approx((c + d - a - b) / 2)

    def test_larger_grids_give_every_pair_and_every_two_by_two_part(self) -> None:
        grid = itertools.product((256, 320, 416), (0.001, 0.005, 0.01, 0.02))
        found, _ = contrasts({cell: _random_group(i, 3) for i, cell in enumerate(grid)}, N)
        kinds = [f.kind for f in found]
        assert [kinds.count(kind) for kind in ("imgsz", "lr0", "interaction")] == [3, 6, 18]
        assert found[1].imgsz == (256, 416) and found[1].lr0 == (0.001, 0.005, 0.01, 0.02)

    def test_one_axis_has_its_effect_and_no_interaction(self) -> None:
        found, _ = contrasts({(size, 0.01): _random_group(size, 3) for size in (320, 416)}, N)
        assert [(f.kind, f.imgsz, f.lr0) for f in found] == [("imgsz", (320, 416), (0.01,))]

    def test_two_seeds_in_each_cell_show_the_effect_without_an_interval(self) -> None:
        found, reason = contrasts(self._cells(2), N)
        assert (len(found), reason) == (3, "")
        assert {(f.interval.low, f.p_value, f.degrees_of_freedom, f.can_claim) for f in found} == {
            (None, None, None, False)
        }
        assert {f.residual_degrees for f in found} == {4}

    def test_grid_with_a_hole_has_no_effects_and_says_why(self) -> None:
        cells = self._cells()
        del cells[416, 0.005]
        found, reason = contrasts(cells, N)
        assert found == () and "416 px with 0.005 is missing" in reason
        assert contrasts({(320, 0.01): _random_group(0, 3)}, N) == ((), "there is one configuration only")
        assert contrasts({}, N)[0] == ()
