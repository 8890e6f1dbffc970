from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.multiplicity import benjamini_hochberg, holm, max_t_critical

P = [0.01, 0.04, 0.03, 0.005]


def test_reference_case_r8() -> None:
    assert holm(P) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(P) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@pytest.mark.parametrize("seed", range(5))
def test_benjamini_hochberg_is_that_of_scipy(seed: int) -> None:
    p = np.random.default_rng(seed).random(12) ** 3
    p[3] = p[7]
    assert benjamini_hochberg(p.tolist()) == pytest.approx(stats.false_discovery_control(p).tolist())


@pytest.mark.parametrize("seed", range(5))
def test_holm_steps_down_as_its_definition_says(seed: int) -> None:
    """Judge: reject in rising order while p < a / (m - k + 1); the adjusted p is the smallest a that rejects."""
    p = (np.random.default_rng(seed).random(7) ** 4).tolist()
    adjusted = holm(p)
    for level in np.linspace(0.001, 0.999, 300):
        rejected = set()
        for k, place in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[place] > level / (len(p) - k):
                break
            rejected.add(place)
        assert rejected == {i for i, value in enumerate(adjusted) if value is not None and value <= level}


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_what_was_not_tested_counts_for_nothing_and_stays_none(adjust) -> None:  # type: ignore[no-untyped-def]
    assert adjust([None, *P[:2], None, *P[2:]]) == [None, *adjust(P)[:2], None, *adjust(P)[2:]]
    assert adjust([]) == []
    assert adjust([None]) == [None]
    assert adjust([0.9, 0.8]) == pytest.approx([1.0, 1.0] if adjust is holm else [0.9, 0.9])


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_a_p_value_outside_0_to_1_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(list(p))


def test_one_difference_has_the_quantile_of_a_normal_and_five_the_one_of_their_largest() -> None:
    draws = np.random.default_rng(1).normal(0.3, [[1.0], [2.0], [0.1], [5.0], [1.0]], (5, 200_000))
    assert max_t_critical(draws[:1]) == pytest.approx(1.960, abs=0.02)
    independent = stats.norm.ppf((1 + 0.95 ** (1 / 5)) / 2)  # P(all |z| < c) = P(|z| < c)^5
    assert max_t_critical(draws) == pytest.approx(independent, abs=0.02)
    assert max_t_critical(np.repeat(draws[:1], 5, axis=0)) == pytest.approx(max_t_critical(draws[:1]))


def test_critical_value_is_that_of_a_slow_loop_and_passes_over_what_is_undefined() -> None:
    draws = np.random.default_rng(2).normal(0, 1, (3, 400))
    draws[0, 5] = draws[1, 9] = np.nan
    draws[:, 20] = np.nan
    largest = []
    for b in range(400):
        if b != 20:
            known = [row[~np.isnan(row)] for row in draws]
            z = [abs(row[b] - k.mean()) / k.std(ddof=1) for row, k in zip(draws, known, strict=True)]
            largest.append(max(value for value in z if not np.isnan(value)))
    assert max_t_critical(draws) == pytest.approx(np.quantile(largest, 0.95), abs=1e-12)
    assert max_t_critical(np.vstack([draws, np.zeros((1, 400))])) == max_t_critical(draws)


def test_no_critical_value_where_nothing_varies() -> None:
    with pytest.raises(ValueError, match="no difference varies"):
        max_t_critical(np.zeros((2, 100)))
