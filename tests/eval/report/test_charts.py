from __future__ import annotations

import pytest

from robust.eval.report.charts import Axis, Series, fitted_axis, plot, rising_axis, unit_axis

X = Axis("x", 0.0, 2.0, ((0.0, "0"), (2.0, "2")))


def points(*values: float | None) -> tuple[tuple[float, float | None, str], ...]:
    return tuple((float(i), y, f"{y}") for i, y in enumerate(values))


def test_points_lie_where_their_values_say() -> None:
    drawn = plot(X, unit_axis("y"), [Series("s", "a", points(0.0, 0.5, 1.0))])
    first, middle, last = (pair.split(",") for pair in drawn.lines[0].segments[0].split())
    assert (first[0], first[1]) == (drawn.left, drawn.bottom)
    assert (last[0], last[1]) == (drawn.right, drawn.top)
    assert float(middle[1]) == pytest.approx((float(drawn.top) + float(drawn.bottom)) / 2)


def test_an_undefined_value_breaks_the_line_and_has_no_marker() -> None:
    drawn = plot(X, unit_axis("y"), [Series("s", "a", (*points(0.1, 0.2, None), (3.0, 0.3, "c"), (4.0, 0.4, "d")))])
    assert len(drawn.lines[0].segments) == 2
    assert len(drawn.lines[0].marks) == 4


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 1.0], [0.731, 0.743], [0.0], [1.0], [0.02, 0.98]])
def test_a_fitted_axis_holds_all_values(values: list[float]) -> None:
    axis = fitted_axis("y", values)
    assert axis.low <= min(values) and max(values) <= axis.high and axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 9


@pytest.mark.parametrize("values", [[], [0.0], [0.07], [3.2], [299.0], [1234.5]])
def test_a_rising_axis_starts_at_zero_and_holds_all_values(values: list[float]) -> None:
    axis = rising_axis("y", values)
    assert axis.low == 0.0 and max([*values, 0.0]) <= axis.high and axis.high > 0
