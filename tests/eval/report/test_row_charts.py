from __future__ import annotations

import re
from itertools import pairwise

import pytest

from robust.eval.report.charts import spread_axis
from robust.eval.report.context import Plot
from robust.eval.report.row_charts import Block, Entry, cut, row_plot

AXIS = spread_axis("x", [-0.2, 0.4], signed=True)


def drawn(*entries: Entry, bars: bool = False, zero: str = "") -> Plot:
    return row_plot(AXIS, [Block("one", entries[:1]), Block("two", entries[1:])], {"a": "A"}, bars=bars, zero=zero)


def at(made: Plot, value: float) -> float:
    """Where a value lies, from the ticks alone."""
    (first, low), (last, high) = ((float(t.at), float(t.label)) for t in (made.x_ticks[0], made.x_ticks[-1]))
    return first + (value - low) / (high - low) * (last - first)


def entry(value: float | None, ends: tuple[float, float] | None = None, name: str = "") -> Entry:
    return Entry(name, "a", value, ends, "said", "not measured")


def test_bars_start_at_zero_and_end_at_their_value() -> None:
    made = drawn(entry(0.4), entry(0.1), bars=True)
    for mark, value in zip(made.lines[0].marks, (0.4, 0.1), strict=True):
        found = re.fullmatch(r"M([\d.]+),[\d.]+H([\d.]+)v10H([\d.]+)z", mark.path)
        assert found and found[1] == found[3]
        assert (float(found[1]), float(found[2])) == pytest.approx((at(made, 0.0), at(made, value)), abs=0.11)


def test_whiskers_lie_between_their_ends_and_only_where_there_are_some() -> None:
    made = drawn(entry(0.1, (-0.1, 0.3)), entry(0.2), zero="none")
    (whisker,) = made.lines[0].whiskers
    start, stop = re.match(r"M([\d.]+),[\d.]+H([\d.]+)", whisker).groups()  # type: ignore[union-attr]
    assert (float(start), float(stop)) == pytest.approx((at(made, -0.1), at(made, 0.3)), abs=0.11)
    assert float(made.rules[0].at) == pytest.approx(at(made, 0.0), abs=0.11)


def test_a_row_without_a_value_says_why_and_has_no_mark() -> None:
    made = drawn(entry(None, name="night/3"), entry(0.2))
    assert len(made.lines[0].marks) == 1
    assert [label.text for label in made.labels] == ["one", "two", "night/3", "not measured"]


def test_rows_do_not_overlap_and_lie_above_the_axis() -> None:
    made = row_plot(AXIS, [Block(str(i), (entry(0.1), entry(0.2))) for i in range(9)], {"a": "A"})
    heights = [float(re.match(r"M[\d.]+,([\d.]+)a", m.path)[1]) for m in made.lines[0].marks]  # type: ignore[index]
    assert all(second - first >= 16 for first, second in pairwise(heights))
    assert heights[-1] < float(made.bottom) < float(made.height)


def test_long_names_keep_both_ends() -> None:
    assert cut("short", 20) == "short"
    one, other = (cut(f"yolo11x_person_detector_finetuned_s{seed}", 20) for seed in (1, 2))
    assert len(one) == len(other) == 20 and one != other and one.startswith("yolo11x") and one.endswith("_s1")
