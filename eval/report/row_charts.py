"""Charts of rows: a point with its whisker, or a bar, for each thing that has a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from robust.eval.report.charts import BOTTOM, CAP, RIGHT, WIDE, Axis, marker, rule, text
from robust.eval.report.context import Label, Line, Mark, Plot, Tick

TOP, MARGIN = 22.0, 8.0
HEADING, ROW, GAP = 17.0, 16.0, 7.0
BAR = 10.0
"""Thickness of a bar."""
LETTER = 6.4
"""About the width of a letter, to leave room for names."""
LONGEST_NAME, LONGEST_HEADING = 20, 50
"""Letters that fit; what is cut off is in the title of the mark and in the table."""


@dataclass(frozen=True)
class Entry:
    """One row.

    Attributes:
        name: Left of the row; may be empty.
        style: As in `robust.eval.report.charts.Series`.
        value: None when there is none; then ``missing`` stands in the row.
        ends: Of its interval; None when there is none.
        said: What the mark says.
        missing: Why there is no value.
    """

    name: str
    style: str
    value: float | None
    ends: tuple[float, float] | None
    said: str
    missing: str = ""


@dataclass(frozen=True)
class Block:
    """Rows under a heading."""

    heading: str
    entries: tuple[Entry, ...]


def row_plot(
    axis: Axis, blocks: Sequence[Block], legend: Mapping[str, str], *, bars: bool = False, zero: str = ""
) -> Plot:
    """Compute the geometry of a chart of rows.

    Args:
        axis: Horizontal; holds all values and ends, and 0 where there are bars or a line at 0.
        blocks: From top to bottom.
        legend: Style -> what it stands for.
        bars: Whether values are bars from 0 on, and not points.
        zero: Label of an upright line at 0; empty for no line.
    """
    left, right = _left(blocks), WIDE - RIGHT
    placed, headings, bottom = _rows(blocks)

    def x_of(value: float) -> float:
        return axis.place(value, left, right)

    labels = list(headings)
    for entry, y in placed:
        labels.append(Label(text(left - 6), text(y), cut(entry.name, LONGEST_NAME), "end", "middle"))
        if entry.value is None:
            labels.append(Label(text(x_of(axis.inside(0.0)) + 5), text(y), entry.missing, "start", "middle"))
    middle = (left + right) / 2
    return Plot(
        width=text(WIDE),
        height=text(bottom + BOTTOM),
        left=text(left),
        right=text(right),
        top=text(MARGIN / 2),
        bottom=text(bottom),
        x_ticks=tuple(Tick(text(x_of(value)), words) for value, words in axis.ticks),
        y_ticks=(),
        x_label=axis.label,
        y_label="",
        x_label_at=text(middle),
        tick_label_y=text(bottom + 17),
        tick_label_x=text(left),
        lines=tuple(
            _series((style, name), [(entry, y) for entry, y in placed if entry.style == style], x_of, bars=bars)
            for style, name in legend.items()
        ),
        rules=(rule(x_of(0.0), zero, middle),) if zero else (),
        labels=tuple(label for label in labels if label.text),
        x_grid=tuple(text(x_of(value)) for value, _ in axis.ticks),
    )


def _left(blocks: Sequence[Block]) -> float:
    longest = max((min(len(e.name), LONGEST_NAME) for block in blocks for e in block.entries), default=0)
    return MARGIN + (LETTER * longest + 6 if longest else 2 * LETTER)  # room for half of the first label of the axis


def _rows(blocks: Sequence[Block]) -> tuple[list[tuple[Entry, float]], list[Label], float]:
    """The middle of each row, the headings, and where the last row ends."""
    placed, headings, y = [], [], TOP
    for block in blocks:
        headings.append(Label(text(MARGIN), text(y + HEADING - 5), cut(block.heading, LONGEST_HEADING), "start"))
        y += HEADING
        for entry in block.entries:
            placed.append((entry, y + ROW / 2))
            y += ROW
        y += GAP
    return placed, headings, y


def cut(words: str, most: int) -> str:
    """The words, or their two ends with a sign that the middle is left out: names of runs differ at their end."""
    head = most // 2
    return words if len(words) <= most else f"{words[:head].rstrip()}…{words[head + 1 - most :].lstrip()}"


def _series(
    look: tuple[str, str], placed: Sequence[tuple[Entry, float]], x_of: Callable[[float], float], *, bars: bool
) -> Line:
    style, name = look
    shown = [(entry, entry.value, y) for entry, y in placed if entry.value is not None]
    marks = [
        Mark(_bar(x_of(0.0), x_of(value), y) if bars else marker(style, x_of(value), y), entry.said)
        for entry, value, y in shown
    ]
    whiskers = [_lying(x_of(entry.ends[0]), x_of(entry.ends[1]), y) for entry, _, y in shown if entry.ends]
    sample = _bar(2.0, 30.0, 8.0) if bars else marker(style, 16.0, 8.0)
    return Line(name, style, (), tuple(marks), sample, (), tuple(whiskers), "bars" if bars else "")


def _bar(start: float, stop: float, y: float) -> str:
    """A rectangle between two places, at least wide enough to be seen."""
    return f"M{text(start)},{text(y - BAR / 2)}H{text(max(stop, start + 0.5))}v{BAR:g}H{text(start)}z"


def _lying(low: float, high: float, y: float) -> str:
    ends = "".join(f"M{text(x)},{text(y - CAP)}v{2 * CAP:g}" for x in (low, high))
    return f"M{text(low)},{text(y)}H{text(high)}{ends}"
