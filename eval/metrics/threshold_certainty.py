"""How sure a threshold is: which ones are shown to meet their constraints, and would other images choose the same one.

*Shown to meet a constraint* is a one-sided test at 5 %. Each constraint on a ratio is one on a mean over units
(Fieller's argument): P >= p0 where E[TP - p0 (TP + FP)] >= 0, R >= r0 where E[TP - r0 objects] >= 0, FPPI <= f0 where
E[f0 images - FP] >= 0, which a t-test over the units decides. With few false alarms its statistic is far from t (at a
true FPPI just over the limit of 0.1 it passes 20 % of the samples of 30 images), so the limit must also lie outside the
one-sided 95 % bound on the logarithm (FPPI) or the logit (shares), and the larger of the two p-values counts. Where the
rate is at its end (no false alarm, everything found) neither can be made, and the exact value over units stands in. All
constraints must hold, so the largest p-value decides and nothing is to be corrected between them; the choice among the
thresholds that pass is not corrected for. Measured on Poisson and clustered false alarms, 10 to 300 images: 0 to 10 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from robust.eval.metrics.counts import ImageCounts, rates
from robust.eval.metrics.interval import MIN_OBJECTS, MIN_UNITS
from robust.eval.metrics.records import Record, Share, ThresholdChoice, ThresholdConstraints
from robust.eval.metrics.resampling import ImageWeights, unit_of_image
from robust.eval.metrics.thresholds import choose_threshold

ERROR = 0.05
"""Probability of a one-sided test to pass what is just not good enough."""
STABLE_SHARE = 0.8
"""Share of the replicates that must choose the same threshold for it to count as determined."""

_DIGITS = 1e6  # p-values are stored with 6 decimals, rounded up


class ThresholdCertainty(Record):
    """What speaks for and against a chosen threshold, from the split it was chosen on.

    Attributes:
        threshold: The chosen one; None when none was.
        n_units: Independent units: images, or source groups.
        p_values: For each threshold of the sweep, the probability of data this good if some constraint were just
            missed; None where too little is counted. Empty without constraints.
        certified: Thresholds that pass a test of all constraints, one-sided at 5 % each and not corrected for their
            number: that some threshold passes wrongly is likelier than 5 % (13 to 17 % where all just miss).
        certified_threshold: Of those, the one of highest recall (then lowest FPPI, then highest threshold).
        certified_reason: Why this one, or why none.
        replicates: How often the choice was repeated on resampled images.
        modal_threshold: What was chosen most often; the higher of equals. None when never any.
        modal_share: Share of all replicates that chose it.
        same_share: Share of all replicates that chose ``threshold``.
        q05: 5 % quantile of the choices; one of the thresholds.
        q95: 95 % quantile.
        none_share: Share of the replicates in which no threshold could be chosen.
        is_determined: Whether at least 80 % of the replicates chose ``threshold``.
        wording: All of that in one sentence.
    """

    threshold: Share | None
    n_units: int
    p_values: tuple[Share | None, ...]
    certified: tuple[Share, ...]
    certified_threshold: Share | None
    certified_reason: str
    replicates: int
    modal_threshold: Share | None
    modal_share: Share
    same_share: Share
    q05: Share | None
    q95: Share | None
    none_share: Share
    is_determined: bool
    wording: str


class MaxMin(Record):
    """The threshold that is best in the worst variant of one split.

    On the split that judges (test) this is an exploration: it tells where the trade-off lies, and a threshold taken
    from there would be chosen on test.

    Attributes:
        split: Of all the variants.
        variants: Names.
        goal: What is maximised: recall within constraints, F1 without any.
        constraints: What must hold on every variant.
        threshold: The best one; None when there is none.
        value: The goal in the worst variant there.
        binding: The variant that is the worst there; when no threshold is found, the one that rules most of them out.
        reason: Why this one, or why none.
    """

    split: str
    variants: tuple[str, ...]
    goal: Literal["recall", "f1"]
    constraints: ThresholdConstraints
    threshold: Share | None
    value: Share | None
    binding: str | None
    reason: str


def threshold_certainty(
    counts: ImageCounts,
    weights: ImageWeights,
    constraints: ThresholdConstraints,
    choice: ThresholdChoice,
    *,
    groups: Sequence[str | None],
) -> ThresholdCertainty:
    """Test every threshold against the constraints, and repeat the choice on resampled images.

    Args:
        counts: Of the split that the threshold was chosen on.
        weights: Of its images.
        constraints: What an operating point must satisfy.
        choice: Made by `choose_threshold` from the same counts.
        groups: For each image its source group, or None.
    """
    p_values = certifying_p_values(counts, constraints, groups)
    certified, reason = _certified(counts, constraints, p_values)
    chosen = replicate_choices(rates(counts, weights.values), constraints)
    return ThresholdCertainty(
        threshold=choice.threshold,
        n_units=weights.n_units,
        p_values=() if constraints == ThresholdConstraints() else tuple(map(_stored, p_values.tolist())),
        certified=tuple(counts.thresholds[p_values <= ERROR].tolist()),
        certified_threshold=certified,
        certified_reason=reason,
        replicates=weights.n_replicates,
        **_stability(counts.thresholds, chosen, choice.threshold),
    )


def certifying_p_values(
    counts: ImageCounts, constraints: ThresholdConstraints, groups: Sequence[str | None]
) -> NDArray[np.float64]:
    """P-value of each threshold against all constraints, float64 (K,); NaN where too little is counted or without any.

    Args:
        counts: Of one split.
        constraints: What an operating point must satisfy.
        groups: For each image its source group, or None; counts are summed inside groups first.
    """
    unit = unit_of_image(groups)
    if len(np.unique(unit)) < MIN_UNITS:
        return np.full(len(counts.thresholds), np.nan)
    tp, fp = _summed(counts.tp, unit), _summed(counts.fp, unit)
    objects, images = _summed(counts.objects[:, None], unit), _summed(np.ones((counts.n_images, 1)), unit)
    tests = []
    if constraints.min_precision is not None:
        tests.append(_share_p(tp, tp + fp, constraints.min_precision))
    if constraints.min_recall is not None:
        tests.append(_share_p(tp, np.broadcast_to(objects, tp.shape), constraints.min_recall))
    if constraints.max_fppi is not None:
        tests.append(_rate_p(fp, images, constraints.max_fppi))
    if not tests:
        return np.full(len(counts.thresholds), np.nan)
    return np.asarray(np.max(tests, axis=0), dtype=np.float64)  # NaN stays NaN


def mean_p(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """One-sided t-test of a mean >= 0, for each column of float64 (n_units, K).

    1 where the column does not vary: such data tell nothing of how far the mean may be off.
    """
    n = len(differences)
    if n < 2:
        return np.ones(differences.shape[1])
    mean, spread = differences.mean(axis=0), differences.std(axis=0, ddof=1)
    varies = differences.min(axis=0) < differences.max(axis=0)
    statistic = np.divide(mean * math.sqrt(n), spread, out=np.zeros(len(mean)), where=varies)
    return np.where(varies, stats.t.sf(statistic, n - 1), 1.0)


def _share_p(hits: NDArray[np.float64], total: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """P-value of sum(hits) / sum(total) >= bound, for tables (n_units, K)."""
    sums = total.sum(axis=0)
    value = np.divide(hits.sum(axis=0), sums, out=np.zeros(len(sums)), where=sums > 0)
    if bound == 0:  # no share is below it
        return np.where(sums >= MIN_OBJECTS, 0.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (special.logit(value) - special.logit(bound)) * value * (1 - value)
    p = np.maximum(mean_p(hits - bound * total), _tail(distance, hits - value * total, sums))
    carrying = np.count_nonzero(total, axis=0)
    exact = np.where(carrying >= MIN_UNITS, bound**carrying, 1.0)  # all units clean, if one were with this probability
    p = np.where(value == 1, exact, np.where(value == 0, 1.0, p))
    return np.where(sums >= MIN_OBJECTS, p, np.nan)


def _rate_p(events: NDArray[np.float64], exposure: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """P-value of sum(events) / sum(exposure) <= bound, for tables (n_units, K) and (n_units, 1)."""
    n_units, total = len(events), float(exposure.sum())
    value = events.sum(axis=0) / total
    if bound == 0:  # other images may always hold a false alarm
        return np.ones(len(value))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.log(bound / value) * value
    sums = np.full(len(value), total)
    p = np.maximum(mean_p(bound * exposure - events), _tail(distance, events - value * exposure, sums))
    return np.where(value == 0, math.exp(-n_units * bound), p)  # no event where n_units x bound are expected (Poisson)


def _tail(
    distance: NDArray[np.float64], residuals: NDArray[np.float64], sums: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Upper tail of distance / SE, the SE of a ratio being that of its residuals over units (linearised)."""
    n = len(residuals)
    se = np.sqrt((residuals**2).sum(axis=0) * n / max(1, n - 1)) / np.maximum(sums, 1)
    statistic = np.divide(distance, se, out=np.full(len(se), -np.inf), where=(se > 0) & np.isfinite(distance))
    return np.asarray(stats.t.sf(statistic, max(1, n - 1)), dtype=np.float64)


def _summed(table: NDArray[np.float64], unit: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = np.zeros((int(unit.max(initial=-1)) + 1, table.shape[1]))
    np.add.at(sums, unit, table)
    return sums


def _certified(
    counts: ImageCounts, constraints: ThresholdConstraints, p_values: NDArray[np.float64]
) -> tuple[float | None, str]:
    if constraints == ThresholdConstraints():
        return None, "There are no constraints to show anything of."
    points = [p for p, value in zip(counts.operating_points(), p_values.tolist(), strict=True) if value <= ERROR]
    best = choose_threshold(points, constraints).threshold
    n = len(p_values)
    if best is not None:
        return best, (
            f"{len(points)} of {n} thresholds each pass a 5 % test of the constraints; {best:g} finds the most "
            "(not corrected for choosing among them)."
        )
    if points:
        return None, "No object is found at the thresholds that pass the test of the constraints."
    if np.isnan(p_values).all():
        return None, "Too few images, objects or detections to show that any threshold meets the constraints."
    nearest = int(np.nanargmin(p_values))
    return None, (
        f"None of {n} thresholds passes a 5 % test of the constraints; the nearest is {counts.thresholds[nearest]:g} "
        f"(p = {p_values[nearest]:.3f}, {ERROR:g} is needed)."
    )


def replicate_choices(found: Mapping[str, NDArray[np.float64]], constraints: ThresholdConstraints) -> NDArray[np.int64]:
    """Repeat the rule of `choose_threshold` in every replicate.

    Args:
        found: The `rates` of all thresholds, float64 (K, B) each, thresholds rising.
        constraints: What an operating point must satisfy.

    Returns:
        int64 (B,), position of the chosen threshold, -1 where there is none.
    """
    recall = found["recall"]
    goal = found["f1" if constraints == ThresholdConstraints() else "recall"]
    able = _feasible(found, constraints) & np.isfinite(goal)
    able &= np.nan_to_num(recall).max(axis=0) > 0
    best = _best(np.where(able, goal, -np.inf), found["fppi"])
    return np.where(able.any(axis=0), best, -1)


def _feasible(found: Mapping[str, NDArray[np.float64]], constraints: ThresholdConstraints) -> NDArray[np.bool_]:
    """Where all constraints hold; an undefined rate (NaN) satisfies none."""
    able = np.ones(found["recall"].shape, dtype=np.bool_)
    if constraints.min_precision is not None:
        able &= found["precision"] >= constraints.min_precision
    if constraints.min_recall is not None:
        able &= found["recall"] >= constraints.min_recall
    if constraints.max_fppi is not None:
        able &= found["fppi"] <= constraints.max_fppi
    return able


def _best(goal: NDArray[np.float64], fppi: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of the highest goal in each column, then of the lowest FPPI, then the last."""
    equal = goal == goal.max(axis=0)
    alarms = np.where(equal, fppi, np.inf)
    equal &= alarms == alarms.min(axis=0)
    return np.asarray(len(goal) - 1 - np.argmax(equal[::-1], axis=0), dtype=np.int64)


def _stability(thresholds: NDArray[np.float64], chosen: NDArray[np.int64], threshold: float | None) -> dict[str, Any]:
    """The fields of `ThresholdCertainty` that describe the choices of the replicates."""
    n = len(chosen)
    some = thresholds[chosen[chosen >= 0]]
    fields: dict[str, Any] = {"none_share": (n - len(some)) / n, "same_share": float((some == threshold).sum() / n)}
    fields["is_determined"] = threshold is not None and fields["same_share"] >= STABLE_SHARE
    if len(some) == 0:
        wording = "No threshold could be chosen in any resample of these images."
        return {**fields, "modal_threshold": None, "modal_share": 0.0, "q05": None, "q95": None, "wording": wording}
    values, times = np.unique(some, return_counts=True)
    modal = len(values) - 1 - int(np.argmax(times[::-1]))
    low, high = np.quantile(some, [0.05, 0.95], method="inverted_cdf").tolist()
    fields |= {
        "modal_threshold": float(values[modal]),
        "modal_share": float(times[modal] / n),
        "q05": low,
        "q95": high,
    }
    return {**fields, "wording": _wording(fields, threshold)}


def _wording(fields: Mapping[str, Any], threshold: float | None) -> str:
    none = fields["none_share"]
    share = f"{none:.0%}" if none >= 0.01 else "less than 1%"
    tail = f"; no threshold could be chosen in {share} of the resamples" if none > 0 else ""
    plausible = f"plausible range [{fields['q05']:g}, {fields['q95']:g}]"
    if threshold is None:
        return f"No threshold was chosen; resamples that allow one choose in the {plausible}{tail}."
    same = f"{fields['same_share']:.0%} of the resamples choose {threshold:g}"
    if fields["is_determined"]:
        return f"The threshold is determined by this data: {same}{tail}."
    return f"The threshold is not determined by this data; {plausible}: {same}{tail}."


def _stored(p: float) -> float | None:
    return None if math.isnan(p) else min(1.0, math.ceil(p * _DIGITS) / _DIGITS)


def max_min(counts: Mapping[str, ImageCounts], constraints: ThresholdConstraints, *, split: str) -> MaxMin:
    """Find the threshold whose worst variant is best: recall within constraints on every variant, F1 without any.

    Among equals: the lowest FPPI of the variant that has most, then the highest threshold.

    Args:
        counts: Name of the variant -> its counts, all on the same split and thresholds; one at least.
        constraints: What must hold on every variant.
        split: Its name.

    Raises:
        ValueError: there is no variant, or the thresholds differ.
    """
    names = tuple(counts)
    if not names or any(not np.array_equal(c.thresholds, counts[names[0]].thresholds) for c in counts.values()):
        raise ValueError("max_min needs variants with the same thresholds")
    goal: Literal["recall", "f1"] = "f1" if constraints == ThresholdConstraints() else "recall"
    found = [rates(c, np.ones((c.n_images, 1))) for c in counts.values()]
    able = np.column_stack([_feasible(each, constraints)[:, 0] for each in found])  # (K, variants)
    goals = np.column_stack([each[goal][:, 0] for each in found])
    fppi = np.column_stack([each["fppi"][:, 0] for each in found])
    at, binding, reason = _worst_case(names, able, goals, fppi.max(axis=1))
    threshold = None
    value = None
    if at is not None:
        threshold, value = float(counts[names[0]].thresholds[at]), float(goals[at, binding])
        reason = f"At {threshold:g} the worst of {len(names)} variants is {names[binding]}, {goal} {value:.3f}."
    return MaxMin(
        split=split,
        variants=names,
        goal=goal,
        constraints=constraints,
        threshold=threshold,
        value=value,
        binding=names[binding],
        reason=reason,
    )


def _worst_case(
    names: tuple[str, ...], able: NDArray[np.bool_], goals: NDArray[np.float64], fppi: NDArray[np.float64]
) -> tuple[int | None, int, str]:
    """Position of the best threshold, of the variant that binds, and why there is no threshold."""
    blind = np.isnan(goals).any(axis=0)
    if blind.any():
        return None, int(np.argmax(blind)), f"{names[int(np.argmax(blind))]} holds no objects to judge a threshold by."
    if not able.all(axis=1).any():
        strictest = int(np.argmin(able.sum(axis=0)))
        n_able = int(able[:, strictest].sum())
        where = "at no threshold" if n_able == 0 else f"at only {n_able} of {len(able)} thresholds"
        return (
            None,
            strictest,
            (f"No threshold meets the constraints on every variant; {names[strictest]} meets them {where}."),
        )
    worst = np.where(able.all(axis=1), goals.min(axis=1), -np.inf)
    at = int(_best(worst[:, None], fppi[:, None])[0])
    binding = int(np.argmin(goals[at]))
    if worst[at] <= 0:
        return None, binding, f"No object of {names[binding]} is found at any threshold that is allowed."
    return at, binding, ""
