"""Claims held against a tolerance: that seeds bring about the same, and that train and test do not lie far apart."""

from __future__ import annotations

from robust.eval.decision.claims import (
    NO_INTERVAL_WORDS,
    Claim,
    Finding,
    Scope,
    Side,
    interval,
    plural,
    score,
    signed,
    verdict_of_tolerance,
    why_no_interval,
)
from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import fact, not_assessed, unmeasured
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM, SEEDS_FOR_INTERVAL


def reproducibility(
    label: str, metric: str, values: tuple[tuple[int | None, Estimate], ...], scope: Scope, *, spread: Estimate,
    tolerance: float | None, warning: str = "",
) -> Claim:  # fmt: skip
    """How far seeds bring a setting apart; "reproducible" only below a tolerance of the policy, from five seeds on.

    Args:
        label: The configuration.
        metric: The metric.
        values: Seed and value of every run.
        scope: With the number of distinct seeds with distinct weights.
        spread: Standard deviation over the seeds, with its interval (chi-square, for normal seeds).
        tolerance: Largest spread that the policy accepts; None when it says nothing.
        warning: What must be checked first.
    """
    words = {
        "label": label,
        "metric": metric,
        "values": "; ".join(f"{score(v)} (seed {'unknown' if seed is None else seed})" for seed, v in values),
        "n": plural(scope.n_seeds or 0, "distinct seed"),
        "scope": scope.text,
    }
    why = unmeasured(scope, *(value for _, value in values))
    if why or spread.value is None:
        needed = f"{words['n']}: no statement on reproducibility ({_needed()})"
        return fact("{label}: {metric} {values}; {why} ({scope}).", scope, **_less(words), why=why or needed)
    n_seeds = scope.n_seeds or 0
    verdict, said = _spread_said(spread, n_seeds, tolerance)
    words |= {"sd": score(spread), "interval": interval(spread), "range": _range(values), "said": said}
    words["warning"] = f"; {warning}" if warning else ""
    if spread.has_interval:
        message = "{label}: {metric} {values}, range {range}, seed sd {sd} {interval}; {n}: {said}{warning} ({scope})."
    else:
        message = "{label}: {metric} {values}, range {range}, seed sd {sd}; {n}: {said}{warning} ({scope})."
    return Claim(
        kind="reproducibility",
        message=message,
        values=words,
        verdict=verdict,
        metric=metric,
        scope=scope,
        estimand="setting",
        estimate=spread,
        reason=said if verdict == "observed only" else "",
        tolerance=tolerance,
    )


def _less(words: dict[str, str]) -> dict[str, str]:
    return {name: word for name, word in words.items() if name not in {"scope", "n"}}


def _needed() -> str:
    return f"{SEEDS_FOR_INTERVAL} needed for an interval, {SEEDS_FOR_CLAIM} for a claim"


def _range(values: tuple[tuple[int | None, Estimate], ...]) -> str:
    known = [v.value for _, v in values if v.value is not None]
    return score(max(known) - min(known))


def _spread_said(spread: Estimate, n_seeds: int, tolerance: float | None) -> tuple[Finding, str]:
    if n_seeds < SEEDS_FOR_CLAIM:
        return "observed only", f"no statement on reproducibility ({_needed()})"
    if spread.high is None:
        return "observed only", f"no statement on reproducibility ({why_no_interval(spread)})"
    if tolerance is None:
        return "observed only", "no statement on reproducibility (the policy names no tolerance for the seed sd)"
    if spread.high <= tolerance:
        return "within tolerance", f"reproducible within the tolerance of {tolerance:.3f}"
    return "not shown", f"not shown to be reproducible within the tolerance of {tolerance:.3f}"


def over_fitting(sides: tuple[Side, Side], metric: str, gap: Estimate, scope: Scope, tolerance: float) -> Claim:
    """Train minus test at the same protocol; said to be small only below a tolerance.

    Args:
        sides: Train, then test.
        metric: The metric.
        gap: Train minus test, with the interval of two independent sets of images.
        scope: Of the test images.
        tolerance: Largest gap that is accepted.
    """
    why = unmeasured(scope, gap, sides[0].value, sides[1].value)
    if why:
        return not_assessed("Over-fitting", why)
    reason = ""
    verdict: Finding = "observed only"
    if not gap.has_interval:
        reason = f"no interval, {why_no_interval(gap)}: {NO_INTERVAL_WORDS}"
    else:
        small, large = verdict_of_tolerance(gap, tolerance)
        verdict = "within tolerance" if small else "shown" if large else "observed only"
        reason = (
            "" if small or large else f"the interval does not tell on which side of the tolerance {tolerance:.3f} it is"
        )
    told = {
        "shown": "shown, more than the tolerance of {tolerance}",
        "within tolerance": "within the tolerance of {tolerance}",
    }
    ends = " {interval}" if gap.has_interval else ""
    message = (
        "Over-fitting: {metric} {a} on {first}, {b} on {second}, gap {gap}" + ends + "; "
        f"{told.get(verdict, '{reason}')} ({{scope}})."
    )
    return Claim(
        kind="over-fitting",
        message=message,
        values={
            "metric": metric,
            "a": score(sides[0].value),
            "first": sides[0].name,
            "b": score(sides[1].value),
            "second": sides[1].name,
            "gap": signed(gap),
            "interval": interval(gap),
            "tolerance": score(tolerance),
            "reason": reason,
            "scope": scope.text,
        },
        verdict=verdict,
        metric=metric,
        scope=scope,
        estimand="checkpoint",
        estimate=gap,
        reason=reason,
        sides=sides,
        tolerance=tolerance,
    )
