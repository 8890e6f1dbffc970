"""Claims: the only source of sentences about results.

A claim cannot be made without the numbers it rests on, and its words follow from them: a difference without an interval
is "observed" and "cannot be told from noise"; "better" needs an interval that excludes zero; nothing is ever "equal".
Each sentence is a message with named places, so that a translation replaces the message and keeps the numbers.
"""

from __future__ import annotations

from typing import Literal

from robust.eval.decision.records import Estimate
from robust.eval.metrics.records import Record

SEEDS_FOR_INTERVAL = 3
SEEDS_FOR_CLAIM = 5
NO_INTERVAL_WORDS = "no interval: cannot be told from noise"

ClaimKind = Literal["level", "difference", "fact", "not assessed"]


class Scope(Record):
    """What a number was measured on.

    Attributes:
        split: The split.
        variant: "clean", "night/3", "all variants".
        n_images: Images of the split; None when the evidence has no counts for it.
        n_objects: Annotated objects of the split that count.
        n_seeds: Distinct training seeds behind the number; None when it is about one set of weights.
    """

    split: str
    variant: str
    n_images: int | None
    n_objects: int | None
    n_seeds: int | None = None

    @property
    def text(self) -> str:
        """The scope in words."""
        parts = [f"{self.split}, {self.variant}"]
        if self.n_images is None or self.n_objects is None:
            parts.append("counts not measured")
        else:
            parts += [plural(self.n_images, "image"), plural(self.n_objects, "object")]
        if self.n_seeds is not None:
            parts.append(plural(self.n_seeds, "seed"))
        return ", ".join(parts)


class Claim(Record):
    """One sentence with what it rests on.

    Attributes:
        kind: What sort of sentence it is; decides which words are allowed.
        message: The sentence with named places.
        values: What goes into the places, as text.
        metric: The metric it is about, if any.
        scope: What it was measured on, if it is about a measurement.
        estimate: The number it states, if it states one.
    """

    kind: ClaimKind
    message: str
    values: dict[str, str]
    metric: str | None = None
    scope: Scope | None = None
    estimate: Estimate | None = None

    @property
    def text(self) -> str:
        """The sentence."""
        return self.message.format_map(self.values)


def level(subject: str, metric: str, estimate: Estimate, scope: Scope) -> Claim:
    """How high a metric is, with its interval or the word that there is none."""
    values = {"subject": subject, "metric": metric, "value": score(estimate), "scope": scope.text}
    if estimate.value is None:
        message = "{subject}: {metric} {value} ({scope})."
    elif not estimate.has_interval:
        message = "{subject}: {metric} {value} observed ({scope}; no interval)."
    else:
        message = "{subject}: {metric} {value} {interval} ({scope})."
        values["interval"] = interval(estimate)
    return Claim(kind="level", message=message, values=values, metric=metric, scope=scope, estimate=estimate)


def difference(
    first: str, second: str, metric: str, *, values: tuple[Estimate, Estimate], estimate: Estimate, scope: Scope
) -> Claim:
    """How far two values are apart, in words that the interval allows.

    Args:
        first: What the difference is about.
        second: What it is compared with.
        metric: The metric, computed the same way on both sides.
        values: The two values.
        estimate: First minus second, with its paired interval if there is one.
        scope: What both were measured on.
    """
    words = {
        "first": first,
        "second": second,
        "metric": metric,
        "a": score(values[0]),
        "b": score(values[1]),
        "difference": signed(estimate),
        "interval": interval(estimate),
        "scope": scope.text,
    }
    return Claim(
        kind="difference",
        message=_difference_message(estimate),
        values=words,
        metric=metric,
        scope=scope,
        estimate=estimate,
    )


def _difference_message(estimate: Estimate) -> str:
    start = "{metric} {a} for {first}, {b} for {second}"
    if estimate.value is None:
        return start + ": difference {difference} ({scope})."
    if estimate.low is None or estimate.high is None:
        return start + f": observed difference {{difference}} ({{scope}}; {NO_INTERVAL_WORDS})."
    if estimate.low > 0:
        return start + ": better by {difference} {interval} ({scope})."
    if estimate.high < 0:
        return start + ": worse, difference {difference} {interval} ({scope})."
    return start + ": no difference shown, {difference} {interval} ({scope})."


def fact(message: str, scope: Scope | None = None, **values: str | int) -> Claim:
    """Something that was counted or read, which needs no interval."""
    words = {name: str(value) for name, value in values.items()}
    if scope is not None:
        words["scope"] = scope.text
    return Claim(kind="fact", message=message, values=words, scope=scope)


def not_assessed(what: str, why: str) -> Claim:
    """Something the reader may expect and nobody computed."""
    return Claim(kind="not assessed", message="{what}: not assessed ({why}).", values={"what": what, "why": why})


def score(value: Estimate | float | None) -> str:
    """A value between 0 and 1 with three digits, or why there is none."""
    if isinstance(value, Estimate):
        return f"{value.value:.3f}" if value.value is not None else value.missing
    return f"{value:.3f}" if value is not None else "not defined"


def signed(value: Estimate) -> str:
    """A difference with its sign and three digits, or why there is none."""
    if value.value is None:
        return value.missing
    return "0.000" if abs(value.value) < 0.0005 else f"{value.value:+.3f}"


def interval(value: Estimate) -> str:
    """The 95 % interval, or that there is none."""
    return "no interval" if value.low is None or value.high is None else f"[{value.low:.3f}, {value.high:.3f}]"


def bounded(value: Estimate) -> str:
    """A value with its interval, or the word that it has none."""
    if value.value is None:
        return value.missing
    return f"{score(value)} {interval(value)}" if value.has_interval else f"{score(value)} (no interval)"


def plural(n: int, noun: str) -> str:
    """``1 image``, ``2 images``, ``1,200 images``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(items: tuple[str, ...] | list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"
