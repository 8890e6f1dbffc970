from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from robust.eval.metrics.robustness import breaking_point, mean_or_none, retained_area, robustness
from robust.eval.metrics.robustness_records import BreakingPoint

MICHAELIS = Path(__file__).with_name("michaelis_faster_rcnn_r50_coco.json")
CELLS: dict[tuple[str, int], float | None] = {
    ("night", 1): 0.4,
    ("night", 2): 0.2,
    ("crowd", 1): 0.5,
    ("crowd", 2): 0.3,
}


def test_small_matrix_by_hand() -> None:
    result = robustness("AP50", 0.7, CELLS)
    assert result.mPC == pytest.approx(0.35)
    assert result.rPC == pytest.approx(0.5)
    assert result.corruption_means == pytest.approx({"crowd": 0.4, "night": 0.3})
    assert (result.worst_variant, result.worst) == ("night/2", 0.2)
    assert (result.metric, result.clean) == ("AP50", 0.7)


def test_undefined_cell_is_not_averaged_away() -> None:
    result = robustness("AP", 0.7, CELLS | {("night", 2): None})
    assert (result.mPC, result.rPC, result.worst, result.worst_variant) == (None, None, None, None)
    assert result.corruption_means == {"crowd": pytest.approx(0.4), "night": None}


def test_missing_cell_is_not_averaged_away() -> None:
    result = robustness("AP", 0.7, {cell: value for cell, value in CELLS.items() if cell != ("night", 2)})
    assert (result.mPC, result.rPC, result.worst, result.worst_variant) == (None, None, None, None)
    assert result.corruption_means["night"] is None


@pytest.mark.parametrize("clean", [None, 0.0])
def test_no_ratio_without_a_clean_value(clean: float | None) -> None:
    result = robustness("AP", clean, CELLS)
    assert result.mPC == pytest.approx(0.35)
    assert result.rPC is None


def test_no_variants_is_undefined() -> None:
    result = robustness("AP", 0.7, {})
    assert (result.mPC, result.rPC, result.worst, result.corruption_means) == (None, None, None, {})


def test_equal_worst_variants_are_named_in_a_fixed_order() -> None:
    cells = {("b", 1): 0.2, ("a", 2): 0.2, ("a", 1): 0.3, ("b", 2): 0.4}
    assert robustness("AP", 0.7, cells).worst_variant == "a/2"
    assert robustness("AP", 0.7, dict(reversed(cells.items()))).worst_variant == "a/2"


def test_clean_is_not_a_severity() -> None:
    with pytest.raises(ValueError, match="start at 1"):
        robustness("AP", 0.7, {("night", 0): 0.7})


def test_mean_stays_within_its_values() -> None:
    for n in range(1, 50):
        assert mean_or_none([1.0] * n) == 1.0
        assert mean_or_none([0.1] * n) == pytest.approx(0.1)
    assert mean_or_none([]) is None
    assert mean_or_none([0.5, None]) is None


class TestUndefined:
    """What was not measured must never enter a mean, where NaN would spread and -1 would count as a number."""

    @pytest.mark.parametrize("value", [None, math.nan, -1.0])
    def test_cell_leaves_nothing_of_its_corruption_and_nothing_of_the_suite(self, value: float | None) -> None:
        result = robustness("AP50", 0.7, CELLS | {("night", 2): value})
        assert (result.mPC, result.rPC, result.worst, result.worst_mean) == (None, None, None, None)
        assert (result.worst_variant, result.worst_corruption) == (None, None)
        assert (result.retained_areas["night"], result.breaking_points["night"]) == (None, None)
        assert result.retained_areas["crowd"] is not None and result.breaking_points["crowd"] is not None

    @pytest.mark.parametrize("clean", [None, math.nan, -1.0])
    def test_clean_leaves_no_share(self, clean: float | None) -> None:
        result = robustness("AP50", clean, CELLS)
        assert (result.clean, result.rPC) == (None, None)
        assert set(result.retained_areas.values()) == set(result.breaking_points.values()) == {None}
        assert result.worst_corruption == "night"

    def test_missing_severity_leaves_no_area_and_no_break(self) -> None:
        result = robustness("AP50", 0.7, {cell: value for cell, value in CELLS.items() if cell != ("night", 1)})
        assert (result.retained_areas["night"], result.breaking_points["night"]) == (None, None)

    def test_clean_value_of_zero_keeps_no_share_and_meets_no_requirement(self) -> None:
        result = robustness("AP50", 0.0, dict.fromkeys(CELLS, 0.0))
        assert set(result.retained_areas.values()) == set(result.breaking_points.values()) == {None}


def test_worst_corruption_has_the_lowest_mean_though_another_has_the_lowest_cell() -> None:
    result = robustness("AP50", 0.7, {("fog", 1): 0.6, ("fog", 2): 0.1, ("rain", 1): 0.3, ("rain", 2): 0.2})
    assert (result.worst_corruption, result.worst_mean) == ("rain", pytest.approx(0.25))
    assert (result.worst_variant, result.worst) == ("fog/2", 0.1)


class TestRetainedArea:
    @pytest.mark.parametrize(
        ("ladder", "area"),
        [
            ({1: 0.8, 2: 0.8}, 1.0),
            ({1: 0.4}, 0.75),  # a straight line from 1 to 0.5
            ({1: 0.4, 2: 0.0}, 0.5),
            ({1: 0.0, 2: 0.0}, 0.25),  # half of the first step, nothing of the second
            ({1: 1.0, 2: 1.0}, (1.125 + 1.25) / 2),
        ],
    )
    def test_by_hand(self, ladder: Mapping[int, float | None], area: float) -> None:
        assert retained_area(0.8, ladder) == pytest.approx(area)

    @pytest.mark.parametrize("ladder", [{}, {1: 0.8, 3: 0.8}, {2: 0.8}, {1: None}])
    def test_no_area_over_severities_that_nobody_measured(self, ladder: Mapping[int, float | None]) -> None:
        assert retained_area(0.8, ladder) is None


class TestBreakingPoint:
    def test_between_two_severities_on_a_straight_line(self) -> None:
        found = breaking_point(0.8, {1: 0.7, 2: 0.5, 3: 0.1}, 0.4)
        assert found is not None
        assert (found.kind, found.holds_at, found.fails_at) == ("between", 2, 3)
        assert found.severity == pytest.approx(2.25)

    def test_requirement_that_is_just_met_is_met(self) -> None:
        found = breaking_point(0.8, {1: 0.4, 2: 0.3}, 0.4)
        assert found is not None
        assert (found.holds_at, found.severity) == (1, pytest.approx(1.0))

    def test_before_the_first_severity(self) -> None:
        found = breaking_point(0.8, {1: 0.2, 2: 0.7}, 0.4)
        assert found is not None
        assert (found.kind, found.holds_at, found.fails_at) == ("between", 0, 1)
        assert found.severity == pytest.approx(2 / 3)

    def test_never_is_beyond_the_last_severity_and_no_number(self) -> None:
        found = breaking_point(0.8, {1: 0.7, 2: 0.5, 3: 0.45}, 0.4)
        assert found is not None
        assert (found.kind, found.holds_at, found.fails_at, found.severity) == ("beyond", 3, None, None)

    def test_clean_below_the_requirement_is_no_break_of_the_ladder(self) -> None:
        found = breaking_point(0.3, {1: 0.7}, 0.4)
        assert found is not None
        assert (found.kind, found.holds_at, found.fails_at, found.severity) == ("clean", None, 0, None)

    def test_skipped_severities_give_the_gap_and_no_place_in_it(self) -> None:
        found = breaking_point(0.8, {1: 0.7, 3: 0.1}, 0.4)
        assert found is not None
        assert (found.kind, found.holds_at, found.fails_at, found.severity) == ("between", 1, 3, None)

    def test_a_recovery_lies_on_no_straight_line(self) -> None:
        """The running minimum 0.5 is left at severity 2, not the 0.7 that was measured there."""
        found = breaking_point(0.8, {1: 0.5, 2: 0.7, 3: 0.3}, 0.4)
        assert found is not None and found.severity == pytest.approx(2.5)

    @pytest.mark.parametrize("requirement", [None, 0.0])
    def test_nothing_required_breaks_nothing(self, requirement: float | None) -> None:
        assert breaking_point(0.8, {1: 0.7}, requirement) is None

    def test_no_severities_is_undefined(self) -> None:
        assert breaking_point(0.8, {}, 0.4) is None

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "between", "holds_at": 2, "fails_at": None},
            {"kind": "between", "holds_at": 2, "fails_at": 3, "severity": 3.5},
            {"kind": "beyond", "holds_at": 5, "fails_at": None, "severity": 5.0},
            {"kind": "clean", "holds_at": 0, "fails_at": 1},
        ],
    )
    def test_records_that_contradict_themselves_are_refused(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            BreakingPoint.model_validate({"requirement": 0.4, **fields})

    def test_the_suite_breaks_where_half_of_the_clean_value_is_lost(self) -> None:
        points = robustness("AP50", 0.7, CELLS).breaking_points
        night, crowd = points["night"], points["crowd"]
        assert night is not None and crowd is not None
        assert night.requirement == crowd.requirement == pytest.approx(0.35)
        assert night.severity == pytest.approx(1 + 0.05 / 0.2)
        assert crowd.severity == pytest.approx(1 + 0.15 / 0.2)


def _michaelis(*, benchmark_only: bool) -> dict[tuple[str, int], float | None]:
    data = json.loads(MICHAELIS.read_text(encoding="utf-8"))
    chosen = data["benchmark_corruptions"] if benchmark_only else list(data["AP"])
    return {(name, severity): data["AP"][name][severity] for name in chosen for severity in range(1, 6)}


def test_published_matrix_of_faster_rcnn_on_coco() -> None:
    """Michaelis et al. 2019, Faster R-CNN R50: P 36.3, mPC 18.2 (printed rPC 50.2; the raw data gives 50.1)."""
    result = robustness("AP", 0.3632656188432802, _michaelis(benchmark_only=True))
    assert result.mPC == pytest.approx(0.1820489105, abs=1e-10)
    assert result.rPC == pytest.approx(0.5011454458, abs=1e-10)
    assert result.worst_variant == "pixelate/5"
    assert result.worst == pytest.approx(0.0276042813, abs=1e-10)
    assert result.worst_corruption == "zoom_blur"
    assert result.worst_mean == pytest.approx(0.0758826665, abs=1e-10)
    assert result.corruption_means["zoom_blur"] == result.worst_mean
    found = (result.clean, result.mPC, result.rPC)
    assert [round(100 * value, 1) for value in found if value is not None] == [36.3, 18.2, 50.1]


def test_published_matrix_with_the_extra_corruptions() -> None:
    assert robustness("AP", 0.36, _michaelis(benchmark_only=False)).mPC == pytest.approx(0.1944165895, abs=1e-10)


def _ladder(corruption: str) -> dict[int, float | None]:
    return {
        severity: value for (name, severity), value in _michaelis(benchmark_only=True).items() if name == corruption
    }


@pytest.mark.parametrize(
    ("corruption", "severity"),
    [
        ("gaussian_noise", 2.6187),
        ("impulse_noise", 1.0020),
        ("zoom_blur", 0.6945),
        ("frost", 2.9867),
        ("contrast", 3.6538),
        ("fog", None),
        ("brightness", None),
    ],
)
def test_breaking_points_of_the_published_matrix(corruption: str, severity: float | None) -> None:
    """Case R5: AP 0.20 is required; None where it is still met at severity 5."""
    found = breaking_point(0.3632656188432802, _ladder(corruption), 0.20)
    assert found is not None
    if severity is None:
        assert (found.kind, found.holds_at, found.severity) == ("beyond", 5, None)
    else:
        assert found.kind == "between"
        assert found.severity == pytest.approx(severity, abs=5e-5)


@pytest.mark.parametrize(("corruption", "area"), [("gaussian_noise", 0.5578), ("fog", 0.8588), ("zoom_blur", 0.2969)])
def test_retained_areas_of_the_published_matrix(corruption: str, area: float) -> None:
    assert retained_area(0.3632656188432802, _ladder(corruption)) == pytest.approx(area, abs=5e-5)
