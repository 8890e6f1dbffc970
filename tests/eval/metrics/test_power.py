from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.power import (
    MOST,
    half_width,
    images_needed_for_difference,
    images_needed_for_margin,
    smallest_difference,
)


@pytest.mark.parametrize(
    ("sd", "needed"),
    [
        (0.25, (50, 197, 546, 1227, 4906, 19_623)),
        (0.40, (126, 503, 1396, 3140, 12_559, 50_233)),
        (0.47, (174, 694, 1927, 4335, 17_339, 69_353)),
    ],
)
def test_images_for_a_difference_are_those_of_the_planning_table(sd: float, needed: tuple[int, ...]) -> None:
    found = tuple(images_needed_for_difference(sd, d) for d in (0.10, 0.05, 0.03, 0.02, 0.01, 0.005))
    assert found == needed
    assert images_needed_for_difference(sd, -0.02) == needed[3]


def test_half_widths_of_the_planning_table() -> None:
    widths = [half_width(n, 0.40) for n in (50, 100, 300, 1000, 5000)]
    assert widths == pytest.approx([0.11, 0.078, 0.045, 0.025, 0.011], abs=1.1e-3)


def test_margin_needs_the_images_of_a_one_sided_test() -> None:
    assert images_needed_for_margin(0.40, 0.02) == int(np.ceil((2.4865 * 0.40 / 0.02) ** 2))
    assert images_needed_for_margin(0.40, 0.02, error=0.025) == images_needed_for_difference(0.40, 0.02)


def test_smallest_difference_is_the_one_that_needs_the_present_images() -> None:
    assert smallest_difference(10, 0.40) == pytest.approx(0.3544, abs=5e-5)
    found = smallest_difference(730, 0.37)
    assert images_needed_for_difference(0.37, found * (1 + 1e-9)) == 730
    assert images_needed_for_difference(0.37, found, power=0.9) > 730


def test_so_many_images_show_the_difference_in_four_of_five_studies() -> None:
    """Judge: simulated studies with a two-sided z test."""
    n = images_needed_for_difference(0.4, 0.05)
    seen = np.random.default_rng(0).normal(0.05, 0.4 / np.sqrt(n), 20_000)
    shown = np.abs(seen) * np.sqrt(n) / 0.4 > stats.norm.ppf(0.975)
    assert shown.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("ask", [images_needed_for_difference, images_needed_for_margin])
def test_no_number_of_images_shows_a_difference_of_zero(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="no number of images"):
        ask(0.4, 0.0)
    assert ask(0.4, 1e-300) == MOST
