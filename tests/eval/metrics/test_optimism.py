from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats

from robust.eval.metrics.optimism import corrected_winner

VALUES = np.array([0.5, 0.7, 0.7])
REPLICATES = np.array([[0.6, 0.1, 0.5, 0.2], [0.5, 0.8, 0.5, 0.7], [0.4, 0.7, 0.9, 0.7]])
OUT_OF_BAG = np.array([[0.3, 0.9, 0.9, 0.9], [0.9, 0.5, 0.9, 0.6], [0.9, 0.9, 0.4, 0.9]])


def test_hand_case_with_ties_to_the_first() -> None:
    found = corrected_winner(VALUES, REPLICATES, OUT_OF_BAG)
    assert (found.n_candidates, found.winner, found.apparent) == (3, 1, 0.7)
    assert found.corrected == pytest.approx((0.3 + 0.5 + 0.4 + 0.6) / 4)
    assert found.optimism == pytest.approx(0.25)
    assert (found.frequency, found.is_stable, found.note) == (0.5, False, "")


def test_the_best_of_the_setting_with_the_highest_mean_is_chosen() -> None:
    values = np.array([0.9, 0.1, 0.6, 0.7])  # means 0.5 and 0.65: the best single one is not chosen
    replicates = np.array([[0.9, 0.9, np.nan], [0.1, 0.8, 0.9], [0.6, 0.1, 0.1], [0.7, 0.2, 0.2]])
    unseen = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.5, 0.6, 0.7], [0.8, 0.9, 0.4]])
    found = corrected_winner(values, replicates, unseen, [0, 0, 1, 1])
    assert (found.winner, found.apparent) == (3, 0.7)
    assert found.frequency == pytest.approx(2 / 3)  # the second replicate chooses the first candidate
    assert found.corrected == pytest.approx((0.8 + 0.2 + 0.4) / 3)
    with pytest.raises(ValueError, match="settings of 4 candidates"):
        corrected_winner(values, replicates, unseen, [0, 0, 1])
    with pytest.raises(ValueError, match="settings of 4 candidates"):
        corrected_winner(values, replicates, unseen, [0, 0, 1, 1], [True, True, False, False])


def test_what_is_there_twice_weighs_once_and_can_still_be_chosen() -> None:
    values = np.array([0.5, 0.9, 0.65])  # the second is the first again: 0.5 < 0.65
    columns = np.tile(values[:, None], (1, 2))
    found = corrected_winner(values, columns, columns, [0, 0, 1], [True, False, True])
    assert (found.winner, found.frequency) == (2, 1.0)
    assert corrected_winner(values, columns, columns, [0, 0, 1]).winner == 1
    assert corrected_winner(np.array([0.7, 0.9, 0.65]), columns, columns, [0, 0, 1], [True, False, True]).winner == 1


def test_a_replicate_in_which_every_setting_lacks_a_value_chooses_nobody() -> None:
    values = np.array([0.6, 0.5, 0.7, 0.7])
    replicates = np.array([[0.6, np.nan], [0.5, 0.5], [0.1, 0.9], [0.1, np.nan]])
    found = corrected_winner(values, replicates, np.full((4, 2), 0.4), [0, 0, 1, 1])
    assert (found.winner, found.frequency, found.corrected) == (2, 0.0, 0.4)
    assert "50%" in found.note


def test_candidate_that_is_undefined_in_a_replicate_does_not_win_it() -> None:
    replicates, unseen = REPLICATES.copy(), OUT_OF_BAG.copy()
    replicates[0, 0] = np.nan  # now the second wins: 0.9
    replicates[:, 3] = np.nan  # nobody wins
    unseen[1, 1] = np.nan
    found = corrected_winner(VALUES, replicates, unseen)
    assert found.corrected == pytest.approx((0.9 + 0.4) / 2)
    assert found.frequency == pytest.approx(2 / 3)
    assert "50%" in found.note


def test_nothing_left_out_gives_no_correction() -> None:
    found = corrected_winner(VALUES, REPLICATES, np.full((3, 4), np.nan))
    assert (found.corrected, found.optimism) == (None, None)
    assert "no correction" in found.note


def test_clear_winner_is_stable_and_one_candidate_is_no_choice() -> None:
    found = corrected_winner(VALUES, REPLICATES + np.array([[0.0], [1.0], [0.0]]), OUT_OF_BAG)
    assert (found.frequency, found.is_stable) == (1.0, True)
    alone = corrected_winner(VALUES[:1], REPLICATES[:1], OUT_OF_BAG[:1])
    assert (alone.corrected, alone.optimism, alone.note) == (0.5, 0.0, "one candidate: nothing was chosen")


def test_undefined_values_and_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="with a value"):
        corrected_winner(np.array([0.5, np.nan, 0.7]), REPLICATES, OUT_OF_BAG)
    with pytest.raises(ValueError, match="do not fit"):
        corrected_winner(VALUES[:2], REPLICATES, OUT_OF_BAG)


def _means(scores: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(scores @ weights / weights.sum(axis=0))


def test_equal_candidates_look_better_by_the_largest_of_six_normals_and_the_correction_removes_most_of_it() -> None:
    """Judge: E[max of 6 normals] = 1.2672 standard errors, here by numerical integration."""
    largest = integrate.quad(lambda z: 6 * z * stats.norm.pdf(z) * stats.norm.cdf(z) ** 5, -10, 10)[0]
    assert largest == pytest.approx(1.2672, abs=1e-4)
    rng, n = np.random.default_rng(4), 40
    apparent, corrected, frequency = [], [], []
    for _ in range(400):
        scores = rng.normal(0.5, 0.3, (6, n))
        weights = rng.multinomial(n, np.full(n, 1 / n), 100).T.astype(np.float64)
        unseen = _means(scores, (weights == 0).astype(np.float64))
        found = corrected_winner(scores.mean(axis=1), _means(scores, weights), unseen)
        assert found.corrected is not None and found.frequency is not None
        apparent.append(found.apparent - 0.5)
        corrected.append(found.corrected - 0.5)
        frequency.append(found.frequency)
    se = 0.3 / np.sqrt(n)
    assert np.mean(apparent) == pytest.approx(largest * se, rel=0.06)
    assert abs(np.mean(corrected)) < 0.25 * largest * se
    assert 0.3 < np.mean(frequency) < 0.7
