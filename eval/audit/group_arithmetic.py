"""Arithmetic of typed groups: mean and standard deviation against the runs, runs that are not printed, few seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from robust.eval.audit.printed import Printed, Span, decimal, reach, total, whole_between
from robust.eval.audit.typed_claims import ClaimedGroup, is_share
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM
from robust.eval.metrics.seeds import seed_sd_interval

_SLACK = 1e-9  # standard deviations have roots, so they are compared as floats
_WHY = "Every sentence that rests on the number rests on an arithmetic error."
_RETYPE = "Compute it again from the runs, or correct what was typed."


@dataclass(frozen=True)
class Group:
    """A typed group with what follows from it.

    Attributes:
        claimed: As typed.
        known: The printed values.
        missing: Names of the runs without one.
        rest: What the runs without a value add up to; None without a mean, or when nothing is missing.
    """

    claimed: ClaimedGroup
    known: dict[str, Printed]
    missing: tuple[str, ...]
    rest: Span | None

    @classmethod
    def of(cls, claimed: ClaimedGroup) -> Group:
        """Work out what follows."""
        known = {name: value for name, value in claimed.values.items() if value is not None}
        missing = tuple(name for name, value in claimed.values.items() if value is None)
        rest = None
        if known and missing and claimed.mean is not None:
            rest = claimed.mean.span.times(len(claimed.values)) - total(value.span for value in known.values())
        return cls(claimed, known, missing, rest)

    @property
    def n(self) -> int:
        """Runs."""
        return len(self.claimed.values)

    @property
    def digits(self) -> int:
        """The most digits that are printed."""
        printed = [*self.known.values(), *([self.claimed.mean] if self.claimed.mean else [])]
        return max((value.digits for value in printed), default=3)

    @property
    def title(self) -> str:
        """``imgsz 416, mAP50``."""
        return f"{self.claimed.name}, {self.claimed.metric}"

    @property
    def listed(self) -> str:
        """``s1 = 0.269, s42 = 0.270``."""
        return ", ".join(f"{name} = {value.text}" for name, value in self.known.items())

    @property
    def values(self) -> dict[str, Span]:
        """Every value that is printed or follows; one that follows from the mean only where a single one is missing."""
        known = {name: value.span for name, value in self.known.items()}
        return {**known, self.missing[0]: self.rest} if self.rest and len(self.missing) == 1 else known

    @property
    def sd(self) -> tuple[float, float, float] | None:
        """Standard deviation of all runs, and between which values it lies; None where a value is not known.

        A standard deviation is a seminorm: moving the values by e moves it by the standard deviation of e at most,
        which is sqrt(sum e^2 / (n - 1)) at most.
        """
        spans = list(self.values.values())
        if len(spans) < self.n or self.n < 2:
            return None
        middle = _sd([span.middle for span in spans])
        moved = math.sqrt(sum(float(span.high - span.middle) ** 2 for span in spans) / (self.n - 1))
        return middle, max(middle - moved, 0.0), middle + moved


def check_group(claimed: ClaimedGroup) -> Iterator[AuditFinding]:
    """Everything that is wrong with a group, and what must be known to read it."""
    group = Group.of(claimed)
    yield from _mean(group)
    yield from _missing(group)
    yield from _spread(group)
    yield from _claim(group)
    yield from _whole(group)
    yield from _names(group)


def can_check(claimed: ClaimedGroup) -> bool:
    """Whether anything of a group can be held against something else."""
    group = Group.of(claimed)
    spread = claimed.sd is not None and (group.n == 1 or group.sd is not None or group.rest is not None)
    whole = bool(claimed.of) and claimed.counted is not False and bool(group.known or (claimed.mean and group.n))
    return bool((claimed.mean and group.known) or spread or whole or claimed.says)


def _mean(group: Group) -> Iterator[AuditFinding]:
    mean = group.claimed.mean
    if mean is None or not group.known or group.missing:
        return
    real = total(value.span for value in group.known.values()).times(Fraction(1, group.n))
    if real.meets(mean.span):
        return
    digits = group.digits
    yield AuditFinding(
        rule="claimed-mean",
        severity=Severity.ERROR,
        runs=(),
        what=f"{group.title}: the mean of {group.listed} is {decimal(real.middle, digits)} "
        f"({reach(real, digits + 1)} with rounding), not {mean.text}.",
        numbers={"mean": float(real.middle), "claimed": float(mean.value)},
        why=_WHY,
        remedy=_RETYPE,
    )


def _missing(group: Group) -> Iterator[AuditFinding]:
    """The value that runs without one must have had."""
    if group.rest is None:
        return
    assert group.claimed.mean is not None
    each = group.rest.times(Fraction(1, len(group.missing)))
    impossible = is_share(group.claimed.metric) and (each.high < 0 or each.low > 1)
    alone = len(group.missing) == 1
    who = group.missing[0] if alone else f"the mean of {', '.join(group.missing)}"
    digits = group.digits
    spread = f" The standard deviation of all {group.n} is then {group.sd[0]:.{digits}f}." if group.sd else ""
    numbers: dict[str, float | int | str] = {"value": float(each.middle), "runs_without_value": len(group.missing)}
    if group.sd:
        numbers["sd"] = group.sd[0]
    yield AuditFinding(
        rule="unprinted-value",
        severity=Severity.ERROR if impossible else Severity.NOTE,
        runs=(),
        what=f"{group.title}: with a mean of {group.claimed.mean.text} and {group.listed}, {who} must be "
        f"{decimal(each.middle, digits)} ({reach(each, digits + 1)} with rounding)"
        + (", which no such metric can be." if impossible else f".{spread}"),
        numbers=numbers,
        why=_WHY if impossible else "The mean shows one run and hides the others; the spread is what a reader needs.",
        remedy=_RETYPE if impossible else "Print the value of every run.",
    )


def _spread(group: Group) -> Iterator[AuditFinding]:
    sd = group.claimed.sd
    if sd is None:
        return
    span = (float(sd.span.low) - _SLACK, float(sd.span.high) + _SLACK)
    digits = max(group.digits, sd.digits)
    if group.n == 1:
        yield _sd_finding(group, sd, "a single run has no standard deviation", {}, wrong=span[0] > 0)
        return
    if group.sd is not None:
        value, low, high = group.sd
        of_all = math.sqrt((group.n - 1) / group.n)
        if low <= span[1] and span[0] <= high:
            return
        as_whole = low * of_all <= span[1] and span[0] <= high * of_all
        words = f"the standard deviation is {value:.{digits}f} ({low:.{digits + 1}f} to {high:.{digits + 1}f})"
        text = f"that is divided by n; divided by n - 1, as for a sample, {words}" if as_whole else words
        yield _sd_finding(group, sd, text, {"sd": value}, wrong=not as_whole)
        return
    least = _least_sd(group)
    if least is not None and span[1] < least:
        text = f"the standard deviation is at least {least:.{digits + 1}f}, whatever the other runs gave"
        yield _sd_finding(group, sd, text, {"sd": least}, wrong=True)


def _sd_finding(
    group: Group, sd: Printed, words: str, numbers: dict[str, float | int | str], *, wrong: bool
) -> AuditFinding:
    listed = group.listed or "no printed run"
    return AuditFinding(
        rule="claimed-spread",
        severity=Severity.ERROR if wrong else Severity.NOTE,
        runs=(),
        what=f"{group.title}: a standard deviation of {sd.text} is printed for {listed}; {words}.",
        numbers={**numbers, "claimed": float(sd.value)},
        why="The spread over seeds decides whether two configurations differ at all.",
        remedy="Compute it again from all runs, divided by n - 1.",
    )


def _least_sd(group: Group) -> float | None:
    """Smallest standard deviation, divided by n, that the mean allows: all runs without a value give the same."""
    if group.rest is None:
        return None
    m = len(group.missing)
    spans = [value.span for value in group.known.values()] + [group.rest.times(Fraction(1, m))] * m
    moved = math.sqrt(sum(float(span.high - span.middle) ** 2 for span in spans) / (group.n - 1))
    least = _sd([span.middle for span in spans]) - moved
    return max(least, 0.0) * math.sqrt((group.n - 1) / group.n)


def _claim(group: Group) -> Iterator[AuditFinding]:
    """What the document says of the seeds."""
    says = group.claimed.says
    if says is None:
        return
    spans = sorted(group.values.items(), key=lambda item: item[1].middle)
    differ = says == "identical" and len(spans) > 1 and not spans[0][1].meets(spans[-1][1])
    printed_sd = group.claimed.sd is not None and says == "identical" and group.claimed.sd.span.low > 0
    if differ or printed_sd:
        yield _not_identical(group, spans if differ else [])
    if group.n < SEEDS_FOR_CLAIM:
        yield _too_few_seeds(group)


def _not_identical(group: Group, spans: list[tuple[str, Span]]) -> AuditFinding:
    digits = group.digits
    apart = [f"{name} is {decimal(span.middle, digits)}" for name, span in (spans[0], spans[-1])] if spans else []
    sd = group.claimed.sd
    words = " and ".join(apart) or f"a standard deviation of {sd.text if sd else ''} is printed"
    derived = " (the one that is not printed follows from the mean)" if apart and group.rest else ""
    numbers: dict[str, float | int | str] = {"n_seeds": group.n}
    if group.sd:
        numbers["sd"] = group.sd[0]
    spread = f"; the standard deviation is {group.sd[0]:.{digits}f}" if group.sd else ""
    return AuditFinding(
        rule="claimed-reproducibility",
        severity=Severity.ERROR,
        runs=(),
        what=f"{group.title}: the runs are called identical, but {words}{derived}{spread}.",
        numbers=numbers,
        why="A single seed then passes for the configuration, and the spread over seeds for nothing.",
        remedy="Print every run and the standard deviation, and drop the sentence.",
    )


def _too_few_seeds(group: Group) -> AuditFinding:
    bounds = ""
    numbers: dict[str, float | int | str] = {"n_seeds": group.n, "needed": SEEDS_FOR_CLAIM}
    if group.sd is not None and group.sd[0] > 0:
        low, high = seed_sd_interval(group.sd[0], group.n)
        numbers |= {"sd": group.sd[0], "sd_low": low, "sd_high": high}
        bounds = f" From a standard deviation of {group.sd[0]:.3f} over {group.n}, the true one can be anything from "
        bounds += f"{low:.3f} to {high:.3f} (95 %)."
    runs = f"{group.n} runs" if group.n != 1 else "1 run"
    return AuditFinding(
        rule="claimed-reproducibility",
        severity=Severity.WARNING,
        runs=(),
        what=f"{group.title}: called {group.claimed.says} with {runs if group.n else 'no run listed'}; "
        f"{SEEDS_FOR_CLAIM} seeds are needed to say so.{bounds}",
        numbers=numbers,
        why="Few seeds agree by chance; runs that agree to the last digit are most often the same run twice.",
        remedy=f"Train {SEEDS_FOR_CLAIM} seeds or more, check that their weights differ, and print the spread.",
    )


def _whole(group: Group) -> Iterator[AuditFinding]:
    """Values that no count of objects gives, and means that no counts give."""
    of, counted = group.claimed.of, group.claimed.counted
    if of is None or counted is False:
        return
    for name, value in group.known.items():
        if not whole_between(value.span, of):
            yield impossible_rate(f"{group.title}, {name}", value, of, certain=bool(counted))
    mean = group.claimed.mean
    if mean is not None and group.n and not whole_between(mean.span, of * group.n):
        yield impossible_rate(f"{group.title}, mean of {group.n}", mean, of * group.n, certain=bool(counted))


def impossible_rate(title: str, value: Printed, of: int, *, certain: bool) -> AuditFinding:
    """Say that no whole number of objects gives a rate.

    Args:
        title: Where it is printed.
        value: The rate.
        of: What it is a share of.
        certain: Whether it is known to be a count.
    """
    below = max(min(math.floor(value.value * of), of), 0)
    near = sorted({below, min(below + 1, of)})
    digits = value.digits + 1
    either = " and ".join(f"{k}/{of} = {k / of:.{digits}f}" for k in near)
    return AuditFinding(
        rule="impossible-rate",
        severity=Severity.ERROR if certain else Severity.WARNING,
        runs=(),
        what=f"{title}: no whole number of {of} gives {value.text}; the nearest are {either}.",
        numbers={"claimed": float(value.value), "of": of, "nearest": near[0] / of},
        why="A rate of counted objects moves in steps of one object"
        + (", so this number was not counted." if certain else "; other values come from an interpolated curve."),
        remedy="Count again on the same data"
        + ("." if certain else ", or write `counted: false` if the number was read off a curve, as Ultralytics does."),
    )


def _names(group: Group) -> Iterator[AuditFinding]:
    """Names that Ultralytics makes of a folder that exists: s42 run again becomes s422."""
    for name in group.claimed.values:
        again = re.fullmatch(r"(.*\d)([2-9])", name)
        if again and again[1] in group.claimed.values:
            yield AuditFinding(
                rule="repeated-seed-name",
                severity=Severity.NOTE,
                runs=(),
                what=f"{group.title}: {name} may be {again[1]} run again, not another seed.",
                numbers={},
                why=f"Ultralytics appends {again[2]} to the name of a folder that exists, so one seed counts twice.",
                remedy=f"Look up the seed among the parameters of {name}.",
            )


def _sd(values: list[Fraction]) -> float:
    mean = sum(values, Fraction(0)) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
