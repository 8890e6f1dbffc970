"""How claims are made: each function derives the verdict, and the words follow from it.

What lacks a value or the counts of its images becomes "not assessed"; nothing here can be made to say more than
`robust.eval.decision.claims` allows.
"""

from __future__ import annotations

from robust.eval.decision.claims import (
    NO_INTERVAL_WORDS,
    Claim,
    ClaimKind,
    Estimand,
    Finding,
    Scope,
    Side,
    follows,
    interval,
    p_words,
    plural,
    score,
    signed,
    verdict_of_difference,
    why_no_interval,
)
from robust.eval.decision.records import Estimate
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM
from robust.eval.metrics.optimism import WinnerCheck
from robust.eval.metrics.records import Record
from robust.eval.metrics.robustness_intervals import Ladder

SELECTED_HERE = "selected on these images"


class Told(Record):
    """A difference as far as it may be told.

    Attributes:
        estimate: First minus second, with its interval if there is one.
        p_adjusted: Its p value, corrected for the comparisons made together.
        n_tests: How many those are.
        margin: Difference that does not matter.
    """

    estimate: Estimate
    p_adjusted: float | None = None
    n_tests: int | None = None
    margin: float | None = None


def fact(message: str, scope: Scope | None = None, **values: str | int) -> Claim:
    """Something that was counted or read, which needs no interval."""
    words = {name: str(value) for name, value in values.items()}
    if scope is not None:
        words["scope"] = scope.text
    return Claim(kind="fact", message=message, values=words, scope=scope, verdict="stated")


def not_assessed(what: str, why: str) -> Claim:
    """Something the reader may expect and nobody computed."""
    values = {"what": what, "why": why}
    return Claim(kind="not assessed", message="{what}: not assessed ({why}).", values=values, verdict="not assessed")


def level(subject: str, metric: str, estimate: Estimate, scope: Scope, *, estimand: Estimand = "checkpoint") -> Claim:
    """How high a metric is, with its interval or the reason why there is none."""
    why = unmeasured(scope, estimate)
    if why:
        return not_assessed(f"{subject}: {metric}", why)
    values = {"subject": subject, "metric": metric, "value": score(estimate), "scope": scope.text}
    reason = why_no_interval(estimate)
    if reason:
        message = "{subject}: {metric} {value} observed ({scope}; no interval, {reason})."
        values["reason"] = reason
    else:
        message = "{subject}: {metric} {value} {interval} ({scope})."
        values["interval"] = interval(estimate)
    return Claim(
        kind="level",
        message=message,
        values=values,
        verdict="observed only" if reason else "stated",
        metric=metric,
        scope=scope,
        estimand=estimand,
        estimate=estimate,
        reason=reason,
    )


def difference(
    sides: tuple[Side, Side],
    metric: str,
    told: Told,
    scope: Scope,
    *,
    words: str | None = None,
    estimand: Estimand = "checkpoint",
    selected_on: str | None = None,
) -> Claim:
    """How far two values are apart, in words that the interval, the correction and the seeds allow.

    Args:
        sides: What is compared; the difference is first minus second.
        metric: The metric, computed the same way on both sides.
        told: The difference.
        scope: What both were measured on.
        words: The metric in words; its name when None.
        estimand: Whether it is about files of weights or about settings.
        selected_on: Split on whose images one of the two was selected.
    """
    return _compared(
        "difference",
        sides,
        told,
        scope,
        metric=metric,
        words=words or metric,
        estimand=estimand,
        selected_on=selected_on,
    )


def setting_effect(
    name: str, sides: tuple[Side, Side], metric: str, told: Told, scope: Scope, *, is_change: bool
) -> Claim:
    """What a setting does in this grid.

    Args:
        name: The effect: "image size, averaged over lr0 0.005 and 0.01".
        sides: Higher and lower level, each the mean over the other settings.
        metric: The metric.
        told: The effect.
        scope: With the fewest seeds of a configuration that enters.
        is_change: Whether the sides are changes of the mean, as they are of an interaction.
    """
    words = f"{name}, in this grid: change of mean {metric}" if is_change else f"{name}, in this grid: mean {metric}"
    return _compared("setting effect", sides, told, scope, metric=metric, words=words, estimand="setting")


def _compared(
    kind: ClaimKind,
    sides: tuple[Side, Side],
    told: Told,
    scope: Scope,
    *,
    metric: str,
    words: str,
    estimand: Estimand,
    selected_on: str | None = None,
) -> Claim:
    first, second = sides
    estimate = told.estimate
    why = unmeasured(scope, estimate, first.value, second.value)
    if why:
        return not_assessed(f"{words}, {first.name} against {second.name}", why)
    if not follows(estimate.value or 0.0, first.value.value or 0.0, second.value.value or 0.0):
        why = f"the stored difference {signed(estimate)} is not that of {score(first.value)} and {score(second.value)}"
        return not_assessed(f"{words}, {first.name} against {second.name}", why)
    reason = _only_observed(estimate, scope, estimand, selected_on)
    verdict: Finding = "observed only"
    if not reason:
        verdict = verdict_of_difference(estimate, metric, p_adjusted=told.p_adjusted, margin=told.margin)
    if verdict == "equivalent within margin" and kind == "difference":
        kind = "equivalence"
    elif verdict == "equivalent within margin":
        verdict = "no difference shown"
    values = {
        "first": first.name,
        "second": second.name,
        "metric": words,
        "a": score(first.value),
        "b": score(second.value),
        "difference": signed(estimate),
        "interval": interval(estimate),
        "largest": score(max(abs(estimate.low or 0.0), abs(estimate.high or 0.0))),
        "margin": score(told.margin),
        "reason": reason,
        "correction": _correction(told),
        "scope": scope.text,
    }
    return Claim(
        kind=kind,
        message=_difference_message(estimate, verdict),
        values=values,
        verdict=verdict,
        metric=metric,
        scope=scope,
        estimand=estimand,
        estimate=estimate,
        reason=reason,
        sides=sides,
        p_adjusted=told.p_adjusted,
        n_tests=told.n_tests,
        margin=told.margin if kind == "equivalence" else None,
        selected_on=selected_on,
    )


def unmeasured(scope: Scope, *estimates: Estimate) -> str:
    """Why nothing can be said of a measurement; empty when something can."""
    missing = next((one.missing for one in estimates if one.value is None), None)
    if missing is not None:
        return f"{missing} on {scope.split}, {scope.variant}"
    return "" if scope.is_counted else f"the images of {scope.split} were not counted"


def _only_observed(estimate: Estimate, scope: Scope, estimand: Estimand, selected_on: str | None) -> str:
    """Why a difference is no more than observed; empty when more may be said."""
    reasons = []
    if not estimate.has_interval:
        reasons.append(f"no interval, {why_no_interval(estimate)}: {NO_INTERVAL_WORDS}")
    elif estimand == "setting" and (scope.n_seeds or 0) < SEEDS_FOR_CLAIM:
        reasons.append(f"too few seeds for a claim, which needs {SEEDS_FOR_CLAIM}")
    if selected_on == scope.split:
        reasons.append(SELECTED_HERE)
    return "; ".join(reasons)


def _correction(told: Told) -> str:
    if told.p_adjusted is None:
        return "no p value"
    corrected = f", corrected for {plural(told.n_tests, 'comparison')}" if told.n_tests and told.n_tests > 1 else ""
    return f"p {p_words(told.p_adjusted)}{corrected}"


def _difference_message(estimate: Estimate, verdict: Finding) -> str:
    start = "{metric} {a} for {first}, {b} for {second}"
    if verdict == "observed only":
        ends = " {interval}" if estimate.has_interval else ""
        return start + ": observed difference {difference}" + ends + " ({scope}; {reason})."
    told = {
        "better": ": better, difference {difference} {interval} ({scope}; {correction}).",
        "worse": ": worse, difference {difference} {interval} ({scope}; {correction}).",
        "equivalent within margin": (
            ": equivalent within the margin of {margin}, difference {difference} {interval} ({scope})."
        ),
    }
    unshown = (
        ": no difference shown, {difference} {interval}; differences larger than {largest} are unlikely "
        "({scope}; {correction})."
    )
    return start + told.get(verdict, unshown)


def relative_change(sides: tuple[Side, Side], metric: str, estimate: Estimate, scope: Scope) -> Claim | None:
    """The difference of two runs as a share of the second, only where the ratio was computed with its interval."""
    if unmeasured(scope, estimate, sides[0].value, sides[1].value) or not estimate.has_interval:
        return None
    a, b = (side.value.value or 0.0 for side in sides)
    if not follows((estimate.value or 0.0) * b, a, b):
        return None
    ends = f"[{_percent(estimate.low)}, {_percent(estimate.high)}]"
    return Claim(
        kind="relative change",
        message="That is {change} {interval} of the {metric} of {second} ({scope}).",
        values={
            "change": _percent(estimate.value),
            "interval": ends,
            "metric": metric,
            "second": sides[1].name,
            "scope": scope.text,
        },
        verdict="stated",
        metric=metric,
        scope=scope,
        estimand="checkpoint",
        estimate=estimate,
        sides=sides,
    )


def _percent(share: float | None) -> str:
    return "not defined" if share is None else f"{100 * share:+.1f} %"


def robustness_ladder(name: str, ladder: Ladder, scope: Scope, *, requirement: str, last: int) -> Claim:
    """Up to which severity a requirement is shown to be met.

    Args:
        name: The candidate.
        ladder: What the lower bounds show.
        scope: Of the corruption.
        requirement: Where the required value comes from.
        last: Highest severity that was evaluated.
    """
    what = f"{name} under {ladder.corruption}: {ladder.metric} of at least {ladder.requirement:.3f}"
    if not scope.is_counted:
        return not_assessed(what, f"the images of {scope.split} were not counted")
    values = {"what": what, "from": requirement, "reason": ladder.reason, "scope": scope.text, "last": str(last)}
    met = ladder.met_up_to
    if met is None:
        message = "{what} ({from}) is not shown even on clean images: {reason} ({scope})."
    elif met == 0:
        message = "{what} ({from}) is met on clean images and shown at no severity: {reason} ({scope})."
    else:
        message = "{what} ({from}) is met up to severity {met} of {last}: {reason} ({scope})."
        values["met"] = str(met)
    return Claim(
        kind="robustness ladder",
        message=message,
        values=values,
        verdict="not shown" if met is None else "shown",
        metric=ladder.metric,
        scope=scope,
        estimand="checkpoint",
        ladder=ladder,
    )


def best_of(name: str, metric: str, estimate: Estimate, scope: Scope, check: WinnerCheck) -> Claim:
    """The one that was chosen, on the images that chose it, with what it is worth on others."""
    why = unmeasured(scope, estimate)
    if why:
        return not_assessed(f"{name}: {metric}", why)
    corrected = score(check.corrected) if check.corrected is not None else f"not defined ({check.note})"
    often = "not known" if check.frequency is None else f"{100 * check.frequency:.0f} % of resamples"
    stable = "a stable choice" if check.is_stable else "not a stable choice, 90 % would be"
    return Claim(
        kind="best of k",
        message=(
            "{name}: chosen from {n} by {metric}, {value} as observed; selected on {split}, corrected value "
            "{corrected}; chosen again in {often}: {stable} ({scope})."
        ),
        values={
            "name": name,
            "metric": metric,
            "n": plural(check.n_candidates, "candidate"),
            "value": score(estimate),
            "split": scope.split,
            "corrected": corrected,
            "often": often,
            "stable": stable,
            "scope": scope.text,
        },
        verdict="observed only",
        metric=metric,
        scope=scope,
        estimand="checkpoint",
        estimate=estimate,
        reason=why_no_interval(estimate) or SELECTED_HERE,
        selected_on=scope.split,
        winner=check,
    )
