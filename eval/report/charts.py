"""Charts: from measured points to coordinates. Templates only place what is computed here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robust.eval.report.context import Band, Chart, Label, Level, Line, Mark, Plot, Rule, Table, Tick

WIDE, NARROW, HEIGHT = 420.0, 300.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 24.0, 44.0
MARKER = 4.5
ALONE = 0.05
"""Room on both sides of an axis with one threshold."""
CAP = 3.0
"""Half the length of the ends of a whisker."""
LETTER, LABEL = 8.0, 12.0
"""About the width of a letter of a label, and the height of one."""
SIDE = 16.0
"""Half the length of a bound that holds at one place only."""
LONE = 1.5
"""Half the width of a band at a single x, which would have no area otherwise."""

Point = tuple[float, float | None, str]
"""x, y (None where nothing is defined: the line breaks), and what the point says."""

Ends = tuple[float, float | None, float | None]
"""x, lower and upper end (None where there is no interval: the band breaks)."""


@dataclass(frozen=True)
class Series:
    """One line or set of points.

    Attributes:
        name: Its name in the legend.
        style: "a" to "e": colour, dash and marker, so that colour never tells alone.
        points: In order of x.
        joined: Whether the points are joined by a line.
        marked: Whether each point gets a marker.
        band: Intervals in order of x, drawn as an area behind all lines; ends beyond the axis are cut off there.
        whiskers: Intervals drawn as upright whiskers, for points that are not joined; likewise cut off.
    """

    name: str
    style: str
    points: tuple[Point, ...]
    joined: bool = True
    marked: bool = True
    band: tuple[Ends, ...] = ()
    whiskers: tuple[Ends, ...] = ()


@dataclass(frozen=True)
class Bound:
    """A value to stay above or below, drawn as a horizontal line between two places of the x axis.

    Attributes:
        value: On the y axis.
        label: What it is.
        start: Where it begins to hold.
        stop: Where it ends; the same place for a value that holds there only.
    """

    value: float
    label: str
    start: float
    stop: float


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

    def inside(self, value: float) -> float:
        """The value, or the end of the axis that it lies beyond."""
        return min(max(value, self.low), self.high)


def unit_axis(label: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(label, 0.0, 1.0, tuple((tick / 5, f"{tick / 5:.1f}") for tick in range(6)))


def rising_axis(label: str, values: Sequence[float]) -> Axis:
    """An axis from 0 to a round number above the values, with five steps."""
    top = max([*values, 0.0])
    step = next((s for s in (0.02, 0.1, 0.2) if s * 5 >= top), 0.2) if top <= 1 else _round_step(top / 5)
    digits = 2 if step < 0.1 else 1 if step < 1 else 0
    return Axis(label, 0.0, step * 5, tuple((step * i, f"{step * i:.{digits}f}") for i in range(6)))


def fitted_axis(label: str, values: Sequence[float]) -> Axis:
    """An axis that fits the values closely, for points whose spread is the message; it need not start at 0."""
    spread = max(values) - min(values)
    step = next((s for s in (0.01, 0.02, 0.05, 0.1) if s * 4 >= spread), 0.2)
    first = max(math.floor((min(values) - step / 4) / step), 0)
    last = max(math.ceil((max(values) + step / 4) / step), first + 1)
    return Axis(label, first * step, last * step, tuple((step * i, f"{step * i:.2f}") for i in range(first, last + 1)))


def spread_axis(label: str, values: Sequence[float], *, signed: bool = False) -> Axis:
    """An axis that holds 0 and all values, with at most seven ticks; ``signed`` writes a plus too."""
    low, high = min([*values, 0.0]), max([*values, 0.0])
    step = _round_step(max(high - low, 0.01) / 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    digits = max(0, -math.floor(math.log10(step)))
    words = [f"{step * i:{'+' if signed and i else ''}.{digits}f}" if i else "0" for i in range(first, last + 1)]
    return Axis(label, first * step, last * step, tuple((step * i, w) for i, w in enumerate(words, first)))


def count_axis(label: str, counts: Sequence[int]) -> Axis:
    """An axis for decimal logarithms of counts, from 1 to the power of ten that holds them all."""
    top = max(1, len(str(max([*counts, 1]) - 1)))
    return Axis(label, 0.0, float(top), tuple((float(i), f"{10**i:,}") for i in range(top + 1)))


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... and their tenths that is not below a number."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def absent(name: str, title: str, why: str) -> Chart:
    """In place of a chart that has nothing to show."""
    return Chart(name, title, why, None, Table(f"{name}-data", title, (), (), why))


def plot(
    x_axis: Axis,
    y_axis: Axis,
    series: Sequence[Series],
    *,
    rules: Sequence[tuple[float, str]] = (),
    bounds: Sequence[Bound] = (),
    width: float = WIDE,
) -> Plot:
    """Compute the geometry of a chart.

    Args:
        x_axis: Horizontal.
        y_axis: Vertical.
        series: Drawn in this order.
        rules: x and label of upright lines.
        bounds: Horizontal lines.
        width: Of the view box.
    """
    right, bottom = width - RIGHT, HEIGHT - BOTTOM

    def x_of(value: float) -> float:
        return x_axis.place(value, LEFT, right)

    def y_of(value: float) -> float:
        return y_axis.place(value, bottom, TOP)

    return Plot(
        width=text(width),
        height=text(HEIGHT),
        left=text(LEFT),
        right=text(right),
        top=text(TOP),
        bottom=text(bottom),
        x_ticks=tuple(Tick(text(x_of(value)), label) for value, label in x_axis.ticks),
        y_ticks=tuple(Tick(text(y_of(value)), label) for value, label in y_axis.ticks),
        x_label=x_axis.label,
        y_label=y_axis.label,
        x_label_at=text((LEFT + right) / 2),
        tick_label_y=text(bottom + 17),
        tick_label_x=text(LEFT - 7),
        lines=tuple(
            _line(
                one,
                [(x_of(x), None if y is None else y_of(y), t) for x, y, t in one.points],
                _ends_at(one.band, x_of, lambda y: y_of(y_axis.inside(y))),
                _ends_at(one.whiskers, x_of, lambda y: y_of(y_axis.inside(y))),
            )
            for one in series
        ),
        rules=tuple(rule(x_of(value), label, (LEFT + right) / 2) for value, label in rules),
        levels=_levels(bounds, series, x_of, y_of, right),
    )


def _ends_at(
    ends: Sequence[Ends], x_of: Callable[[float], float], y_of: Callable[[float], float]
) -> list[tuple[float, float, float] | None]:
    """Coordinates of intervals; None where there is none."""
    return [None if low is None or high is None else (x_of(x), y_of(low), y_of(high)) for x, low, high in ends]


def _line(
    series: Series,
    placed: Sequence[Point],
    band: Sequence[tuple[float, float, float] | None],
    whiskers: Sequence[tuple[float, float, float] | None],
) -> Line:
    segments: list[list[str]] = [[]]
    for x, y, _ in placed:
        if y is None:
            segments.append([])
        else:
            segments[-1].append(f"{text(x)},{text(y)}")
    shown = [Mark(marker(series.style, x, y), title) for x, y, title in placed if y is not None]
    return Line(
        name=series.name,
        style=series.style,
        segments=tuple(" ".join(s) for s in segments if len(s) > 1) if series.joined else (),
        marks=tuple(shown) if series.marked else (),
        sample=marker(series.style, 16.0, 8.0) if series.marked else "",
        band=_areas(band),
        whiskers=tuple(_whisker(*one) for one in whiskers if one is not None),
    )


def _areas(placed: Sequence[tuple[float, float, float] | None]) -> tuple[Band, ...]:
    """One area for each run of intervals: along the lower ends and back along the upper ones."""
    runs: list[list[tuple[float, float, float]]] = [[]]
    for one in placed:
        if one is None:
            runs.append([])
        else:
            runs[-1].append(one)
    return tuple(_area(run) for run in runs if run)


def _area(run: list[tuple[float, float, float]]) -> Band:
    if len(run) == 1:
        x, low, high = run[0]
        run = [(x - LONE, low, high), (x + LONE, low, high)]
    corners = [(x, low) for x, low, _ in run] + [(x, high) for x, _, high in reversed(run)]
    return Band(" ".join(f"{text(x)},{text(y)}" for x, y in corners))


def _whisker(x: float, low: float, high: float) -> str:
    """Upright, with a short end at both sides."""
    ends = "".join(f"M{text(x - CAP)},{text(y)}h{2 * CAP:g}" for y in (low, high))
    return f"M{text(x)},{text(low)}V{text(high)}{ends}"


def _levels(
    bounds: Sequence[Bound],
    series: Sequence[Series],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    right: float,
) -> tuple[Level, ...]:
    """Lines, the highest first, whose labels keep clear of each other and of the marks as far as there is room."""
    marks = [(x_of(x), y_of(y)) for one in series if one.marked for x, y, _ in one.points if y is not None]
    taken: list[Place] = []
    made = []
    for bound in sorted(bounds, key=lambda one: (-one.value, one.start, one.stop, one.label)):
        start, stop, y = x_of(bound.start), x_of(bound.stop), y_of(bound.value)
        if start == stop:  # drawn a little to both sides, inside the frame
            start, stop = max(start - SIDE, LEFT), min(stop + SIDE, right)
        wide = LETTER * len(bound.label)
        first, last = min(start, right - wide), min(max(stop - wide, LEFT), right - wide)
        steps = [last - i * LETTER for i in range(1, int((last - first) / LETTER) + 1)]
        places = [
            (x, y + shift, wide) for shift in (-5.0, 13.0) for x in (last, first, *steps) if y + shift > TOP + LABEL - 4
        ]
        best = min(places, key=lambda place: _hidden(place, taken, marks))  # the first of equal ones
        taken.append(best)
        made.append(Level(text(y), text(start), text(stop), Label(text(best[0]), text(best[1]), bound.label, "start")))
    return tuple(made)


Place = tuple[float, float, float]
"""A label: its left end, its base line, its width."""


def _hidden(place: Place, labels: Sequence[Place], marks: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """How many labels a label would touch, and how many marks it would cover."""
    x, y, wide = place
    touched = sum(x <= left + width and x + wide >= left and abs(y - at) <= LABEL for left, at, width in labels)
    top = y - LABEL
    covered = sum(x - MARKER < at < x + wide + MARKER and top - MARKER < y_at < y + MARKER for at, y_at in marks)
    return touched, covered


def rule(x: float, label: str, middle: float) -> Rule:
    """An upright line with its label on the side where there is more room."""
    on_the_left = x > middle
    return Rule(text(x), label, text(x - 5 if on_the_left else x + 5), "end" if on_the_left else "start")


def marker(style: str, x: float, y: float) -> str:
    """The path of a marker: circle, square, diamond, triangle, cross."""
    r = MARKER
    shapes = {
        "a": f"M{text(x - r)},{text(y)}a{r},{r} 0 1,0 {2 * r},0a{r},{r} 0 1,0 {-2 * r},0z",
        "b": f"M{text(x - 4)},{text(y - 4)}h8v8h-8z",
        "c": f"M{text(x)},{text(y - 5.5)}l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
        "d": f"M{text(x)},{text(y - 5)}l5,9h-10z",
    }
    return shapes.get(style, f"M{text(x - 1)},{text(y - 5)}h2v4h4v2h-4v4h-2v-4h-4v-2h4z")


def text(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
