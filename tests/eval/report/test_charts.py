from __future__ import annotations

import re

import pytest

from robust.eval.report.charts import (
    Axis,
    Bound,
    Series,
    count_axis,
    fitted_axis,
    plot,
    rising_axis,
    spread_axis,
    unit_axis,
)

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


def corners(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_a_band_goes_along_the_lower_ends_and_back_along_the_upper_ones() -> None:
    band = ((0.0, 0.0, 0.5), (1.0, 0.25, 0.75), (2.0, 0.5, 1.0))
    drawn = plot(X, unit_axis("y"), [Series("s", "a", points(0.2, 0.5, 0.8), band=band)])
    left, right, top, bottom = (float(v) for v in (drawn.left, drawn.right, drawn.top, drawn.bottom))
    middle, half, quarter = (left + right) / 2, (top + bottom) / 2, (bottom - top) / 4
    (area,) = drawn.lines[0].band
    assert corners(area.corners) == [
        (left, bottom), (middle, bottom - quarter), (right, half),
        (right, top), (middle, top + quarter), (left, half),
    ]  # fmt: skip


def test_a_band_encloses_its_line() -> None:
    band = ((0.0, 0.1, 0.3), (1.0, 0.4, 0.6), (2.0, 0.7, 0.9))
    line = plot(X, unit_axis("y"), [Series("s", "a", points(0.2, 0.5, 0.8), band=band)]).lines[0]
    shape, drawn = corners(line.band[0].corners), corners(line.segments[0])
    lows, highs = shape[:3], shape[:2:-1]
    for (x, y), (x_low, low), (x_high, high) in zip(drawn, lows, highs, strict=True):
        assert x == x_low == x_high and high < y < low  # SVG counts downwards


def test_a_band_breaks_where_there_is_no_interval() -> None:
    band = ((0.0, 0.1, 0.3), (0.5, 0.1, 0.3), (1.0, None, None), (2.0, 0.4, 0.6))
    areas = plot(X, unit_axis("y"), [Series("s", "a", points(0.2, 0.2, 0.5), band=band)]).lines[0].band
    assert [len(corners(area.corners)) for area in areas] == [4, 4]
    lone = corners(areas[1].corners)
    assert max(x for x, _ in lone) - min(x for x, _ in lone) == pytest.approx(3.0)  # seen although it has one x only
    assert plot(X, unit_axis("y"), [Series("s", "a", points(0.2), band=((0.0, None, None),))]).lines[0].band == ()


def test_a_band_is_cut_off_at_the_ends_of_the_axis() -> None:
    drawn = plot(X, unit_axis("y"), [Series("s", "a", points(0.5, 0.5), band=((0.0, -1.0, 3.0), (1.0, 0.0, 2.0)))])
    ys = {y for _, y in corners(drawn.lines[0].band[0].corners)}
    assert ys == {float(drawn.top), float(drawn.bottom)}


@pytest.mark.parametrize("values", [[0.04], [-0.02, 0.31], [-0.3, -0.1], [0.0], [0.4999], [-7.0, 12.0]])
def test_a_spread_axis_holds_zero_and_all_values_between_few_ticks(values: list[float]) -> None:
    axis = spread_axis("x", values, signed=True)
    assert axis.low <= min([0.0, *values]) and max([0.0, *values]) <= axis.high and axis.low < axis.high
    assert 2 <= len(axis.ticks) <= 8 and "0" in [words for _, words in axis.ticks]
    assert all(value == pytest.approx(float(words)) for value, words in axis.ticks)


@pytest.mark.parametrize(("most", "ends"), [(1, "10"), (10, "10"), (11, "100"), (1000, "1,000"), (1001, "10,000")])
def test_a_count_axis_ends_at_the_power_of_ten_that_holds_all(most: int, ends: str) -> None:
    axis = count_axis("n", [1, most])
    assert axis.ticks[0] == (0.0, "1") and axis.ticks[-1] == (axis.high, ends)


def test_whiskers_end_where_the_intervals_do() -> None:
    drawn = plot(X, unit_axis("y"), [Series("s", "a", points(0.5), whiskers=((1.0, 0.25, 1.0), (2.0, None, None)))])
    (whisker,) = drawn.lines[0].whiskers
    bottom, top = float(drawn.bottom), float(drawn.top)
    assert whisker.startswith(f"M224,{bottom - (bottom - top) / 4:g}V{top:g}M")


def test_a_bound_is_a_line_at_its_value_where_it_holds() -> None:
    bounds = [Bound(0.5, "≥ 0.500", 0.0, 1.0), Bound(0.25, "here", 2.0, 2.0)]
    drawn = plot(X, unit_axis("y"), [], bounds=bounds)
    along, here = drawn.levels
    left, right = float(drawn.left), float(drawn.right)
    assert (float(along.start), float(along.stop)) == (left, (left + right) / 2)
    assert float(along.at) == pytest.approx((float(drawn.top) + float(drawn.bottom)) / 2, abs=0.06)
    assert float(here.start) < float(here.stop) == right  # seen, and not outside of the frame


def test_labels_of_bounds_keep_clear_of_each_other() -> None:
    bounds = [Bound(value, f"≥ {value:.3f}", 0.0, 2.0) for value in (0.50, 0.52, 0.54)]
    labels = [level.label for level in plot(X, unit_axis("y"), [], bounds=bounds).levels]
    for i, one in enumerate(labels):
        for other in labels[i + 1 :]:
            beside = abs(float(one.x) - float(other.x)) >= 8 * len(one.text)
            assert beside or abs(float(one.y) - float(other.y)) >= 12


def test_labels_of_bounds_cover_no_mark_where_there_is_room() -> None:
    for value in (0.3, 0.55, 0.62):
        series = [Series("s", "a", tuple((float(i), height, "p") for i, height in enumerate((0.66, 0.6, 0.34))))]
        drawn = plot(X, unit_axis("y"), series, bounds=[Bound(value, "≥ 0.500", 0.0, 2.0)])
        (label,) = [level.label for level in drawn.levels]
        x, y = float(label.x), float(label.y)
        for mark in drawn.lines[0].marks:
            at, height = map(float, re.findall(r"-?[\d.]+", mark.path)[:2])
            assert not (x <= at + 4.5 <= x + 8 * len(label.text) and y - 12 < height < y), (value, mark)
