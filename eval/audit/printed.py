"""A printed number: the text that somebody typed, and every value that would be printed so.

A printed 0.274 stands for anything from 0.2735 to 0.2745, both ends included, because programs round ties up, down or
to even. All arithmetic is exact, with fractions, so that no contradiction is found that is only one of floating point.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
_LONGEST = 30  # characters; nobody prints more, and longer ones would only cost time


@dataclass(frozen=True)
class Span:
    """All values from ``low`` to ``high``, both ends included."""

    low: Fraction
    high: Fraction

    def __add__(self, other: Span) -> Span:
        """Every sum of a value of this and a value of the other."""
        return Span(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Span) -> Span:
        """Every difference, this minus the other."""
        return Span(self.low - other.high, self.high - other.low)

    def times(self, factor: Fraction | int) -> Span:
        """Every value multiplied by a number."""
        ends = (self.low * factor, self.high * factor)
        return Span(min(ends), max(ends))

    def over(self, other: Span) -> Span:
        """Every ratio of a value of this to one of the other, for values above 0."""
        return Span(self.low / other.high, self.high / other.low)

    def meets(self, other: Span) -> bool:
        """Whether some value belongs to both."""
        return self.low <= other.high and other.low <= self.high

    @property
    def middle(self) -> Fraction:
        """Half way between the ends."""
        return (self.low + self.high) / 2

    @property
    def largest(self) -> Fraction:
        """The largest size of a value, whatever its sign."""
        return max(abs(self.low), abs(self.high))

    @property
    def shares(self) -> Span:
        """The part between 0 and 1; an end outside is moved to the nearest of the two."""
        low, high = (min(max(end, Fraction(0)), Fraction(1)) for end in (self.low, self.high))
        return Span(low, high)


@dataclass(frozen=True)
class Printed:
    """A number as it was typed.

    Attributes:
        text: The typed text, without blanks.
        value: The number that the text names; a percentage is divided by 100.
        step: One unit of its last digit.
    """

    text: str
    value: Fraction
    step: Fraction

    @property
    def span(self) -> Span:
        """Every value that would be printed so."""
        return Span(self.value - self.step / 2, self.value + self.step / 2)

    @property
    def digits(self) -> int:
        """Digits behind the point, of the number that is not a percentage; not below 0."""
        return len(str(int(1 / self.step))) - 1 if self.step < 1 else 0


def read_printed(typed: object) -> Printed:
    """Read a typed number: ``0.274``, ``27.4 %``, ``+1.5e-3``.

    Raises:
        ValueError: it is none; pydantic makes a message of it.
    """
    if isinstance(typed, Printed):
        return typed
    text = str(typed).replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ").strip()
    number = text.removesuffix("%").strip()
    if isinstance(typed, bool) or len(text) > _LONGEST or not _NUMBER.fullmatch(number):
        raise ValueError("a number as it is printed is needed, such as 0.274 or 27.4 %, or nothing if there is none")
    mantissa, _, exponent = number.lower().partition("e")
    scale = Fraction(10) ** int(exponent or 0) / (100 if text.endswith("%") else 1)
    decimals = len(mantissa.partition(".")[2])
    return Printed(text, Fraction(mantissa) * scale, scale / 10**decimals)


def read_percent(typed: object) -> Printed:
    """Read a typed percentage, in percent: ``11.5``, ``+11.5 %``.

    Raises:
        ValueError: it is no number.
    """
    return typed if isinstance(typed, Printed) else read_printed(str(typed).strip().removesuffix("%"))


Number = Annotated[Printed, BeforeValidator(read_printed)]
"""Field of a record: a typed number."""
Percent = Annotated[Printed, BeforeValidator(read_percent)]
"""Field of a record: a typed percentage, in percent."""


def total(spans: Iterable[Span]) -> Span:
    """The sum of some spans."""
    return sum(spans, Span(Fraction(0), Fraction(0)))


def decimal(value: Fraction | float, digits: int, *, sign: bool = False) -> str:
    """A number with some digits behind the point; zero has no sign."""
    text = f"{float(value):{'+' if sign else ''}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def reach(span: Span, digits: int, *, sign: bool = False) -> str:
    """``0.2435 to 0.2465``."""
    return f"{decimal(span.low, digits, sign=sign)} to {decimal(span.high, digits, sign=sign)}"


def whole_between(span: Span, n: int) -> bool:
    """Whether some whole number k from 0 to n has k / n inside the span (GRIM test, Brown and Heathers 2017)."""
    return max(math.ceil(span.low * n), 0) <= min(math.floor(span.high * n), n)
