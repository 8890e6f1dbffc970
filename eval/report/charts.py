"""Charts: from measured points to coordinates. Templates only place what is computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.report.context import Line, Mark, Plot, Rule, Tick

WIDE, NARROW, HEIGHT = 420.0, 300.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 24.0, 44.0
MARKER = 4.5

Point = tuple[float, float | None, str]
"""x, y (None where nothing is defined: the line breaks), and what the point says."""


@dataclass(frozen=True)
class Series:
    """One line or set of points.

    Attributes:
        name: Its name in the legend.
        style: "a" to "e": colour, dash and marker, so that colour never tells alone.
        points: In order of x.
        joined: Whether the points are joined by a line.
        marked: Whether each point gets a marker.
    """

    name: str
    style: str
    points: tuple[Point, ...]
    joined: bool = True
    marked: bool = True


@dataclass(frozen=True)
class Axis:
    """Range and ticks of one axis."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float, start: float, stop: float) -> float:
        """Where a value lies between two coordinates."""
        return start + (value - self.low) / (self.high - self.low) * (stop - start)


def unit_axis(label: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(label, 0.0, 1.0, tuple((tick / 5, f"{tick / 5:.1f}") for tick in range(6)))


def rising_axis(label: str, values: Sequence[float]) -> Axis:
    """An axis from 0 to a round number above the values, with five steps."""
    top = max([*values, 0.0])
    step = next((s for s in (0.02, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0) if s * 5 >= top), top / 5)
    digits = 2 if step < 0.1 else 1 if step < 1 else 0
    return Axis(label, 0.0, step * 5, tuple((step * i, f"{step * i:.{digits}f}") for i in range(6)))


def fitted_axis(label: str, values: Sequence[float]) -> Axis:
    """An axis that fits the values closely, for points whose spread is the message; it need not start at 0."""
    spread = max(values) - min(values)
    step = next((s for s in (0.01, 0.02, 0.05, 0.1) if s * 4 >= spread), 0.2)
    first = max(math.floor((min(values) - step / 4) / step), 0)
    last = max(math.ceil((max(values) + step / 4) / step), first + 1)
    return Axis(label, first * step, last * step, tuple((step * i, f"{step * i:.2f}") for i in range(first, last + 1)))


def plot(
    x_axis: Axis,
    y_axis: Axis,
    series: Sequence[Series],
    *,
    rules: Sequence[tuple[float, str]] = (),
    width: float = WIDE,
) -> Plot:
    """Compute the geometry of a chart."""
    right, bottom = width - RIGHT, HEIGHT - BOTTOM

    def x_of(value: float) -> float:
        return x_axis.place(value, LEFT, right)

    def y_of(value: float) -> float:
        return y_axis.place(value, bottom, TOP)

    return Plot(
        width=_text(width),
        height=_text(HEIGHT),
        left=_text(LEFT),
        right=_text(right),
        top=_text(TOP),
        bottom=_text(bottom),
        x_ticks=tuple(Tick(_text(x_of(value)), label) for value, label in x_axis.ticks),
        y_ticks=tuple(Tick(_text(y_of(value)), label) for value, label in y_axis.ticks),
        x_label=x_axis.label,
        y_label=y_axis.label,
        x_label_at=_text((LEFT + right) / 2),
        tick_label_y=_text(bottom + 17),
        tick_label_x=_text(LEFT - 7),
        lines=tuple(
            _line(one, [(x_of(x), None if y is None else y_of(y), t) for x, y, t in one.points]) for one in series
        ),
        rules=tuple(_rule(x_of(value), label, (LEFT + right) / 2) for value, label in rules),
    )


def _line(series: Series, placed: Sequence[Point]) -> Line:
    segments: list[list[str]] = [[]]
    for x, y, _ in placed:
        if y is None:
            segments.append([])
        else:
            segments[-1].append(f"{_text(x)},{_text(y)}")
    shown = [Mark(_marker(series.style, x, y), title) for x, y, title in placed if y is not None]
    return Line(
        name=series.name,
        style=series.style,
        segments=tuple(" ".join(s) for s in segments if len(s) > 1) if series.joined else (),
        marks=tuple(shown) if series.marked else (),
        sample=_marker(series.style, 16.0, 8.0) if series.marked else "",
    )


def _rule(x: float, label: str, middle: float) -> Rule:
    on_the_left = x > middle
    return Rule(_text(x), label, _text(x - 5 if on_the_left else x + 5), "end" if on_the_left else "start")


def _marker(style: str, x: float, y: float) -> str:
    """Path of a marker: circle, square, diamond, triangle, cross."""
    r = MARKER
    shapes = {
        "a": f"M{_text(x - r)},{_text(y)}a{r},{r} 0 1,0 {2 * r},0a{r},{r} 0 1,0 {-2 * r},0z",
        "b": f"M{_text(x - 4)},{_text(y - 4)}h8v8h-8z",
        "c": f"M{_text(x)},{_text(y - 5.5)}l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
        "d": f"M{_text(x)},{_text(y - 5)}l5,9h-10z",
    }
    return shapes.get(style, f"M{_text(x - 1)},{_text(y - 5)}h2v4h4v2h-4v4h-2v-4h-4v-2h4z")


def _text(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
