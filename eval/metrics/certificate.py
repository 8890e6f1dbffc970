"""Certificates of a threshold that hold whatever the images look like: how many objects are missed, at most.

No distribution is assumed, only that images are exchangeable: those the threshold will meet are drawn like those that
were counted. A certificate says nothing of a variant that was not counted, and it speaks of the mean over images, in
which an image with one object weighs as much as one with twenty; that is not one minus the pooled recall.

*Learn then Test* (Angelopoulos, Bates, Candes, Jordan and Lei, arXiv 2110.01052): with probability 1 - delta over the
images that were counted, the risk is at most alpha. Thresholds are tested from the safest, the lowest, upwards, and the
first failure ends it; so no correction is needed for their number. The p-value is that of Hoeffding and Bentkus and,
for losses of 0 or 1, the binomial tail.

*Conformal risk control* (Angelopoulos, Bates, Fisch, Lei and Schuster, arXiv 2208.02814): the risk, averaged over all
sets of images that could have been counted, is at most alpha. Weaker, so it needs fewer images. The losses must not
fall as the threshold rises; they do not, because matching serves high scores first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats

from robust.eval.metrics.counts import ImageCounts
from robust.eval.metrics.records import Record, Share
from robust.eval.metrics.resampling import unit_of_image

Method = Literal["Learn then Test", "conformal risk control"]
Risk = Literal["mean share of missed objects per image", "share of images with a missed object"]
Unit = Literal["image", "source group"]

LEARN_THEN_TEST: Method = "Learn then Test"
CONFORMAL: Method = "conformal risk control"
MISSED_SHARE: Risk = "mean share of missed objects per image"
ANY_MISS: Risk = "share of images with a missed object"

_SLACK = 1e-9  # sums of shares such as 1/3 are a little off the whole numbers they stand for


class Certificate(Record):
    """One statement on the risk of missing objects at a threshold, or why it cannot be made.

    Attributes:
        method: Learn then Test holds with probability 1 - delta; conformal risk control on average.
        risk: What is bounded.
        alpha: Its largest allowed value.
        delta: Largest probability that the statement is wrong; None for conformal risk control.
        threshold: The highest threshold that is certified; None when none is.
        n_images: Images with objects; only these have a risk.
        n_units: Independent units among them: the losses of a source group are averaged first, so that its risk counts
            once.
        unit: What the risk is a mean over.
        empirical_risk: On these units, at ``threshold`` or, without one, at the lowest threshold. None without objects.
        p_value: Of "the risk is above alpha", at the same threshold; None for conformal risk control.
        best_alpha: The smallest alpha that these units could certify, at the lowest threshold; None when none is below
            1, and for conformal risk control, whose alpha must be fixed before looking.
        images_needed: Units that certify alpha when none of them misses anything.
        sentence: What is certified, or why nothing is.
    """

    method: Method
    risk: Risk
    alpha: Annotated[float, Field(gt=0, lt=1)]
    delta: Annotated[float, Field(gt=0, lt=1)] | None
    threshold: Share | None
    n_images: int
    n_units: int
    unit: Unit
    empirical_risk: Share | None
    p_value: Share | None
    best_alpha: Share | None
    images_needed: int
    sentence: str


@dataclass(frozen=True, eq=False)
class _Losses:
    """Losses of the units, float64 (n_units, K), 0..1; ``binary`` when each is 0 or 1 by its nature."""

    values: NDArray[np.float64]
    binary: bool
    n_images: int
    unit: Unit


def certificates(
    counts: ImageCounts, *, groups: Sequence[str | None], risk: float = 0.10, error: float = 0.05
) -> tuple[Certificate, ...]:
    """Certify both risks by both methods: four certificates, Learn then Test first.

    Args:
        counts: Of one variant, the images of which the threshold is to be certified for.
        groups: For each image its source group, or None.
        risk: alpha, in (0, 1).
        error: delta of Learn then Test, in (0, 1).
    """
    shares, misses = _losses(counts, groups, binary=False), _losses(counts, groups, binary=True)
    thresholds = counts.thresholds
    return (
        _learn_then_test(thresholds, shares, MISSED_SHARE, risk, error),
        _learn_then_test(thresholds, misses, ANY_MISS, risk, error),
        _conformal(thresholds, shares, MISSED_SHARE, risk),
        _conformal(thresholds, misses, ANY_MISS, risk),
    )


def hoeffding_bentkus(risk: float, n: int, alpha: float) -> float:
    """P-value of "the mean loss is above alpha", for losses in 0..1.

    min(exp(-n h(min(risk, alpha), alpha)), e P(Bin(n, alpha) <= ceil(n risk))), h being the relative entropy of two
    coins.

    Args:
        risk: Mean of the n losses.
        n: Units.
        alpha: In (0, 1).
    """
    hoeffding = math.exp(-n * _relative_entropy(min(risk, alpha), alpha))
    bentkus = math.e * binomial_tail(math.ceil(n * risk - _SLACK), n, alpha)
    return min(1.0, hoeffding, bentkus)


def binomial_tail(losses: int, n: int, alpha: float) -> float:
    """P(Bin(n, alpha) <= losses), the p-value for losses of 0 or 1."""
    return float(stats.binom.cdf(losses, n, alpha))


def conformal_bound(risk: float, n: int) -> float:
    """The alpha that n losses in 0..1 of this mean control on average: (n risk + 1) / (n + 1)."""
    return (n * risk + 1) / (n + 1)


def images_needed(alpha: float, delta: float | None) -> int:
    """Fewest units without any loss that certify alpha: ln(delta) / ln(1 - alpha), or on average 1 / alpha - 1."""
    exact = 1 / alpha - 1 if delta is None else math.log(delta) / math.log1p(-alpha)
    return math.ceil(exact - _SLACK)


def best_level(p_value: Callable[[float], float], risk: float, delta: float) -> float | None:
    """The smallest alpha with p_value(alpha) <= delta, by bisection above the risk; None when there is none below 1.

    Args:
        p_value: Falls as alpha rises.
        risk: Observed; no smaller level can be certified.
        delta: In (0, 1).
    """
    low, high = risk, 1 - 1e-9
    if low >= high or p_value(high) > delta:
        return None
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if p_value(middle) <= delta else (middle, high)
    return high


def _relative_entropy(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)


def _losses(counts: ImageCounts, groups: Sequence[str | None], *, binary: bool) -> _Losses:
    """Losses of the images with objects, averaged inside source groups."""
    holding = np.flatnonzero(counts.objects > 0)
    tp, objects = counts.tp[holding], counts.objects[holding, None]
    losses = (tp < objects).astype(np.float64) if binary else 1 - tp / objects
    _, unit = np.unique(unit_of_image(groups)[holding], return_inverse=True)
    sizes = np.bincount(unit)
    sums = np.zeros((len(sizes), losses.shape[1]))
    np.add.at(sums, unit, losses)
    single = len(sizes) == len(holding)
    values = sums / sizes[:, None]
    return _Losses(values, binary and single, len(holding), "image" if single else "source group")


def _p_value(losses: _Losses, risk: float, alpha: float) -> float:
    n = len(losses.values)
    return binomial_tail(round(n * risk), n, alpha) if losses.binary else hoeffding_bentkus(risk, n, alpha)


def _learn_then_test(
    thresholds: NDArray[np.float64], losses: _Losses, risk: Risk, alpha: float, delta: float
) -> Certificate:
    """Test from the lowest threshold upwards, and stop at the first failure."""
    means = losses.values.mean(axis=0).tolist() if len(losses.values) else []
    p_values: list[float] = []
    for mean in means:
        p_values.append(_p_value(losses, mean, alpha))
        if p_values[-1] > delta:
            break
    n_passed = sum(p <= delta for p in p_values)
    at = max(0, n_passed - 1)
    level = best_level(lambda a: _p_value(losses, means[0], a), means[0], delta) if means else None
    asked = _Asked(LEARN_THEN_TEST, risk, alpha, delta, f"with {1 - delta:.0%} confidence")
    found = _Found(thresholds[:n_passed], means, at, level, p_values[at] if means else None)
    return _certificate(losses, asked, found)


def _conformal(thresholds: NDArray[np.float64], losses: _Losses, risk: Risk, alpha: float) -> Certificate:
    """The last threshold whose bound is within alpha: the losses do not fall, so all before it are."""
    n = len(losses.values)
    means = losses.values.mean(axis=0).tolist() if n else []
    n_passed = sum(conformal_bound(mean, n) <= alpha + _SLACK for mean in means)
    asked = _Asked(CONFORMAL, risk, alpha, None, "on average")
    return _certificate(losses, asked, _Found(thresholds[:n_passed], means, max(0, n_passed - 1), None, None))


@dataclass(frozen=True)
class _Asked:
    method: Method
    risk: Risk
    alpha: float
    delta: float | None
    assurance: str


@dataclass(frozen=True, eq=False)
class _Found:
    """Thresholds that passed, the risk at all, where to read it, the best level, and the p-value where it is read."""

    passed: NDArray[np.float64]
    means: list[float]
    at: int
    best_alpha: float | None
    p_value: float | None


def _certificate(losses: _Losses, asked: _Asked, found: _Found) -> Certificate:
    return Certificate(
        method=asked.method,
        risk=asked.risk,
        alpha=asked.alpha,
        delta=asked.delta,
        threshold=float(found.passed[-1]) if len(found.passed) else None,
        n_images=losses.n_images,
        n_units=len(losses.values),
        unit=losses.unit,
        empirical_risk=found.means[found.at] if found.means else None,
        p_value=found.p_value,
        best_alpha=found.best_alpha,
        images_needed=images_needed(asked.alpha, asked.delta),
        sentence=_sentence(losses, asked, found),
    )


def _sentence(losses: _Losses, asked: _Asked, found: _Found) -> str:
    if not found.means:
        return "The images hold no objects that could be missed."
    n, unit = len(losses.values), losses.unit
    units = f"{n} {unit}{'' if n == 1 else 's'} with objects"
    risk = asked.risk if unit == "image" else f"{asked.risk}, averaged inside source groups,"
    seen = found.means[found.at]
    if len(found.passed):
        return (
            f"At threshold {found.passed[-1]:g} the {risk} is at most {asked.alpha:.1%} {asked.assurance}, for images "
            f"drawn like these ({seen:.1%} on {units})."
        )
    start = f"No threshold is certified for {asked.alpha:.1%} {asked.assurance}"
    needed = images_needed(asked.alpha, asked.delta)
    if n < needed:
        why = f"that takes {needed} {unit}s without any miss, and there are {n} with objects"
    elif seen > asked.alpha:
        why = f"the {risk} is {seen:.1%} on {units} even at the lowest threshold of the sweep"
    else:
        why = f"the {risk} is {seen:.1%} on {units} at the lowest threshold of the sweep, too close for so few"
    best = ""
    if found.best_alpha is not None:
        best = f"; what these {unit}s can certify at the lowest threshold of the sweep is {found.best_alpha:.1%}"
    return f"{start}: {why}{best}."
