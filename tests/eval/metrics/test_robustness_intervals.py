from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.eval.metrics.interval import difference_interval, percentile_interval, ratio_interval, share_interval
from robust.eval.metrics.robustness import breaking_point, retained_area, robustness
from robust.eval.metrics.robustness_intervals import (
    breaking_points,
    ladder,
    retained_areas,
    robustness_intervals,
)
from robust.eval.metrics.robustness_records import RobustnessEvidence

Cells = dict[tuple[str, int], NDArray[np.float64]]

N, B = 40, 300
CLEAN = 0.6
VALUES = {("fog", s): 0.6 - 0.03 * s for s in range(1, 6)} | {("blur", s): 0.55 - 0.1 * s for s in range(1, 6)}
MICHAELIS = Path(__file__).with_name("michaelis_faster_rcnn_r50_coco.json")
SEVERITIES = (1, 2, 3, 4, 5)


def _case(seed: int = 0) -> tuple[RobustnessEvidence, NDArray[np.float64], Cells]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.05, B)
    clean = np.clip(CLEAN + shared, 0, 1)
    cells = {cell: np.clip(value + shared + rng.normal(0, 0.03, B), 0, 1) for cell, value in VALUES.items()}
    return robustness("AP50", CLEAN, VALUES), clean, cells


def _one_by_one(
    clean: NDArray[np.float64], cells: Cells, number: Callable[[RobustnessEvidence], float | None]
) -> NDArray[np.float64]:
    """Judge: the point functions, replicate by replicate."""
    found = [
        number(robustness("AP50", float(clean[b]), {cell: float(rows[b]) for cell, rows in cells.items()}))
        for b in range(len(clean))
    ]
    return np.array([math.nan if value is None else value for value in found])


def _break(found: RobustnessEvidence, corruption: str) -> float | None:
    point = found.breaking_points[corruption]
    return None if point is None else {"clean": 0.0, "between": point.severity, "beyond": 5.0}[point.kind]


def test_intervals_are_those_of_the_point_functions_in_each_replicate() -> None:
    found, clean, cells = _case()
    made = robustness_intervals(found, clean, cells, N, values=VALUES)
    assert len(made) == 4 + 2 * 4 + 10
    shares: dict[str, Callable[[RobustnessEvidence], float | None]] = {
        "mPC": lambda r: r.mPC,
        "fog/mean": lambda r: r.corruption_means["fog"],
        "blur/mean": lambda r: r.corruption_means["blur"],
    }
    ratios: dict[str, Callable[[RobustnessEvidence], float | None]] = {
        "rPC": lambda r: r.rPC,
        "fog/retained": lambda r: (r.corruption_means["fog"] or 0) / (r.clean or 1),
        "blur/retained_area": lambda r: r.retained_areas["blur"],
    }
    lowest: dict[str, Callable[[RobustnessEvidence], float | None]] = {
        "worst": lambda r: r.worst,
        "worst_mean": lambda r: r.worst_mean,
        "blur/breaking_point": lambda r: _break(r, "blur"),
    }
    for numbers, interval, method in [
        (shares, share_interval, "logit-t"),
        (ratios, ratio_interval, "log-t"),
        (lowest, percentile_interval, "percentile"),
    ]:
        for key, number in numbers.items():
            judge = interval(number(found), _one_by_one(clean, cells, number), N)
            assert made[key].method == judge.method == method
            assert (made[key].low, made[key].high, made[key].se) == pytest.approx((judge.low, judge.high, judge.se))


def test_change_is_the_paired_difference_to_clean() -> None:
    found, clean, cells = _case()
    change = robustness_intervals(found, clean, cells, N, values=VALUES)["blur/s3/change"]
    judge = difference_interval(0.25 - CLEAN, cells["blur", 3] - clean, N)
    assert change == judge and judge.method == "t"
    unpaired = math.hypot(cells["blur", 3].std(), clean.std())
    assert change.se is not None and change.se < 0.6 * unpaired


def test_change_without_point_values_is_centred_on_the_replicates_and_says_so() -> None:
    found, clean, cells = _case()
    change = robustness_intervals(found, clean, cells, N)["blur/s3/change"]
    assert change.low is not None and change.high is not None
    assert (change.low + change.high) / 2 == pytest.approx((cells["blur", 3] - clean).mean(), abs=2e-6)
    assert "centred" in change.note


def test_lowest_values_are_marked_as_biased_down() -> None:
    found, clean, cells = _case()
    made = robustness_intervals(found, clean, cells, N)
    assert {key for key, interval in made.items() if "biased down" in interval.note} == {"worst", "worst_mean"}


def test_break_beyond_the_last_severity_is_censored() -> None:
    found, clean, cells = _case()
    made = robustness_intervals(found, clean, cells, N)
    assert made["fog/breaking_point"].high == 5.0
    assert "censored: beyond severity 5" in made["fog/breaking_point"].note
    assert "censored" not in made["blur/breaking_point"].note


def test_break_on_clean_images_is_censored() -> None:
    """More than the clean value is required, in every replicate."""
    found, clean, cells = _case()
    point = breaking_point(CLEAN, {s: VALUES["blur", s] for s in SEVERITIES}, 0.7)
    strict = found.model_copy(update={"breaking_points": {"blur": point}})
    made = robustness_intervals(strict, clean, cells, N)["blur/breaking_point"]
    assert (made.low, made.high) == (0.0, 0.0)
    assert "censored: below the requirement on clean images" in made.note


@pytest.mark.parametrize("severities", [(1, 2, 3, 4, 5), (1, 2, 4), (2, 3), (1,)])
@pytest.mark.parametrize("requirement", [0.2, 0.45, 0.7])
def test_breaking_points_of_random_curves_are_those_of_the_point_function(
    severities: tuple[int, ...], requirement: float
) -> None:
    rng = np.random.default_rng(len(severities))
    curves = np.round(rng.random((len(severities) + 1, 500)) * np.linspace(1.6, 0.6, len(severities) + 1)[:, None], 1)
    curves[:, :5] = np.nan
    curves[-1, 5:9] = np.nan
    curves = np.minimum(curves, 1.0)
    found = breaking_points(curves[0], curves[1:], severities, requirement)
    kinds = set()
    for b in range(500):
        rungs = {s: float(curves[i + 1, b]) for i, s in enumerate(severities)}
        judge = breaking_point(float(curves[0, b]), rungs, requirement)
        kinds.add(judge.kind if judge else None)
        places = {"clean": 0.0, "beyond": float(severities[-1]), "between": judge.severity if judge else None}
        expected = places[judge.kind] if judge else None
        assert found[b] == pytest.approx(expected) if expected is not None else np.isnan(found[b])
    assert kinds >= {"between", "clean", None}


def test_nothing_required_breaks_nothing() -> None:
    assert np.isnan(breaking_points(np.array([0.5, 0.0]), np.zeros((1, 2)), (1,), np.array([0.0, 0.0]))).all()


def _michaelis(name: str) -> NDArray[np.float64]:
    return np.array(json.loads(MICHAELIS.read_text(encoding="utf-8"))["AP"][name], dtype=np.float64)


@pytest.mark.parametrize(
    ("corruption", "severity"),
    [
        ("gaussian_noise", 2.6187),
        ("impulse_noise", 1.0020),
        ("zoom_blur", 0.6945),
        ("frost", 2.9867),
        ("contrast", 3.6538),
        ("fog", 5.0),
        ("brightness", 5.0),
    ],
)
def test_breaking_points_of_the_published_matrix(corruption: str, severity: float) -> None:
    """Case R5: AP 0.20 is required; 5 where it is still met there."""
    row = _michaelis(corruption)
    found = breaking_points(row[:1], row[1:, None], SEVERITIES, 0.20)
    assert found.tolist() == pytest.approx([severity], abs=5e-5)


@pytest.mark.parametrize(("corruption", "area"), [("gaussian_noise", 0.5578), ("fog", 0.8588), ("zoom_blur", 0.2969)])
def test_retained_areas_of_the_published_matrix(corruption: str, area: float) -> None:
    row = _michaelis(corruption)
    found = retained_areas(row[:1], row[1:, None], SEVERITIES)
    assert (found / row[0]).tolist() == pytest.approx([area], abs=5e-5)
    assert (found / row[0]).tolist() == pytest.approx([retained_area(row[0], dict(enumerate(row[1:], 1)))])
    assert np.isnan(retained_areas(row[:1], row[2:, None], SEVERITIES[1:])).all()


class TestRefusals:
    def test_ratios_to_almost_nothing(self) -> None:
        _, clean, cells = _case()
        small = {cell: rows / 12 for cell, rows in cells.items()}
        found = robustness("AP50", CLEAN / 12, {cell: value / 12 for cell, value in VALUES.items()})
        made = robustness_intervals(found, clean / 12, small, N)
        ratios = [interval for key, interval in made.items() if key == "rPC" or "retained" in key]
        assert len(ratios) == 5
        assert all(interval.low is None and "not above 0.05" in interval.note for interval in ratios)
        assert made["mPC"].low is not None and made["blur/breaking_point"].low is not None

    def test_missing_cell_leaves_no_summary_that_holds_it(self) -> None:
        _, clean, cells = _case()
        del cells["blur", 4]
        values: Mapping[tuple[str, int], float | None] = {c: v for c, v in VALUES.items() if c != ("blur", 4)}
        made = robustness_intervals(robustness("AP50", CLEAN, values), clean, cells, N, values=values)
        missing = {key for key, interval in made.items() if interval.low is None}
        summaries = {"mPC", "rPC", "worst", "worst_mean"}
        assert missing == summaries | {f"blur/{k}" for k in ("mean", "retained", "retained_area", "breaking_point")}
        assert "blur/s4/change" not in made and made["blur/s5/change"].low is not None

    def test_too_few_images_and_undefined_clean(self) -> None:
        found, clean, cells = _case()
        assert all(i.low is None for i in robustness_intervals(found, clean, cells, 4, values=VALUES).values())
        assert all(i.low is None for i in robustness_intervals(found, clean, cells, 0).values())
        nothing = robustness("AP50", None, VALUES)
        made = robustness_intervals(nothing, np.full(B, np.nan), cells, N, values=VALUES)
        assert made["mPC"].low is not None and made["fog/mean"].low is not None
        assert made["rPC"].note == made["fog/retained"].note == made["fog/breaking_point"].note == "not defined"
        assert made["fog/s1/change"].low is None

    def test_break_in_a_gap_has_no_place(self) -> None:
        _, clean, cells = _case()
        kept = {cell: value for cell, value in VALUES.items() if cell[1] in {1, 5}}
        found = robustness("AP50", CLEAN, kept)
        made = robustness_intervals(found, clean, {cell: cells[cell] for cell in kept}, N)
        assert "not measured" in made["blur/breaking_point"].note
        assert made["blur/retained_area"].low is None

    def test_no_variants(self) -> None:
        assert robustness_intervals(robustness("AP", 0.5, {}), np.full(B, 0.5), {}, N) == {}

    def test_nothing_lost_anywhere_is_no_share_of_no_width(self) -> None:
        _, clean, cells = _case()
        same = robustness("AP50", CLEAN, dict.fromkeys(VALUES, CLEAN))
        made = robustness_intervals(same, clean, dict.fromkeys(cells, clean), N)
        assert made["fog/s1/change"].low is None and "do not vary" in made["fog/s1/change"].note
        assert made["rPC"].low is None and "do not vary" in made["rPC"].note


class TestLadder:
    BOUNDS: Mapping[int, float | None] = {0: 0.7, 1: 0.6, 2: 0.5, 3: 0.3, 4: 0.55}

    def test_ends_at_the_first_severity_that_is_not_shown_though_a_later_one_would_be(self) -> None:
        found = ladder("fog", "AP50", self.BOUNDS, 0.5)
        assert (found.met_up_to, found.stopped_at) == (2, 3)
        assert found.reason == "lower bound 0.300 at severity 3, 0.500 required"
        assert (found.corruption, found.metric, found.requirement) == ("fog", "AP50", 0.5)

    def test_clean_is_severity_0_and_may_be_all_that_is_shown_or_not_even_that(self) -> None:
        assert (
            ladder("fog", "AP50", self.BOUNDS, 0.65).met_up_to,
            ladder("fog", "AP50", self.BOUNDS, 0.8).met_up_to,
        ) == (
            0,
            None,
        )
        assert ladder("fog", "AP50", self.BOUNDS, 0.8).stopped_at == 0
        assert "on clean images" in ladder("fog", "AP50", self.BOUNDS, 0.8).reason

    def test_all_shown(self) -> None:
        found = ladder("fog", "AP50", self.BOUNDS, 0.3)
        assert (found.met_up_to, found.stopped_at) == (4, None)

    @pytest.mark.parametrize("bounds", [{0: 0.7, 1: None, 2: 0.7}, {0: 0.7, 2: 0.7}])
    def test_a_severity_without_a_bound_ends_it(self, bounds: Mapping[int, float | None]) -> None:
        found = ladder("fog", "AP50", bounds, 0.5)
        assert (found.met_up_to, found.stopped_at, found.reason) == (0, 1, "no lower bound at severity 1")

    def test_nothing_measured(self) -> None:
        found = ladder("fog", "AP50", {}, 0.5)
        assert (found.met_up_to, found.stopped_at) == (None, 0)
