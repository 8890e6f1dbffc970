"""What speaks for and against each configuration, as claims."""

from __future__ import annotations

from robust.eval.decision.claims import (
    SEEDS_FOR_CLAIM,
    SEEDS_FOR_INTERVAL,
    Claim,
    Scope,
    difference,
    fact,
    plural,
    score,
)
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate, RankedConfiguration
from robust.eval.decision.study import CLEAN, Group, Study, subtract
from robust.eval.decision.training import n_best_epoch_last
from robust.eval.metrics.records import Record


class Case(Record):
    """One configuration's case.

    Attributes:
        label: The configuration.
        rank: Its place by the selection rule, from 1; None when it cannot be ranked.
        proposed: True when the proposed candidate is one of its runs.
        arguments_for: What speaks for it.
        arguments_against: What speaks against it.
    """

    label: str
    rank: int | None
    proposed: bool
    arguments_for: tuple[Claim, ...]
    arguments_against: tuple[Claim, ...]


def scope(study: Study, split: str, variant: str = CLEAN, n_seeds: int | None = None) -> Scope:
    """What a number of this split was measured on."""
    counts = study.counts(split, variant)
    return Scope(
        split=split,
        variant=variant,
        n_images=counts.n_images if counts else None,
        n_objects=counts.n_objects if counts else None,
        n_seeds=n_seeds,
    )


def cases(study: Study, policy: Policy, decision: Decision) -> tuple[Case, ...]:
    """The case of every configuration, in the order of the selection rule."""
    groups = {group.label: group for group in study.groups}
    found = []
    for place, ranked in enumerate(decision.selection.ranking, start=1):
        group = groups[ranked.label]
        arguments = (
            _against_baseline(study, policy, group),
            _on_selection_split(study, decision, ranked),
            _retained(study, policy, group),
            _pixels(study, group),
            _seeds(group),
            _last_epoch(group),
        )
        found.append(
            Case(
                label=ranked.label,
                rank=place if ranked.mean is not None else None,
                proposed=decision.candidate in ranked.candidates,
                arguments_for=tuple(claim for speaks_for, claim in filter(None, arguments) if speaks_for),
                arguments_against=tuple(claim for speaks_for, claim in filter(None, arguments) if not speaks_for),
            )
        )
    return tuple(found)


Argument = tuple[bool, Claim] | None
"""Whether a claim speaks for the configuration, and the claim; None when it says nothing either way."""


def _against_baseline(study: Study, policy: Policy, group: Group) -> Argument:
    baselines = {c.baseline_sha256 for c in group.candidates}
    baseline = study.baseline_of(group.candidates[0]) if len(baselines) == 1 else None
    where = scope(study, policy.judged_on, n_seeds=len(group.distinct_seeds))
    if baseline is None:
        return False, fact("Its starting weights were not evaluated: nothing to compare with.")
    metric = policy.objective.metric
    mean = study.mean_metric(group.candidates, policy.judged_on, CLEAN, metric)
    other = study.metric(baseline, policy.judged_on, CLEAN, metric)
    gap = subtract(mean, other)
    first, second = f"the mean of {plural(len(group.candidates), 'run')}", f"the untouched weights {baseline.name}"
    return (gap.value or 0.0) > 0, difference(first, second, metric, values=(mean, other), estimate=gap, scope=where)


def _on_selection_split(study: Study, decision: Decision, ranked: RankedConfiguration) -> Argument:
    selection = decision.selection
    where = scope(study, selection.split, n_seeds=len(set(ranked.seeds)))
    others = [r for r in selection.ranking if r.label != ranked.label and r.mean is not None]
    if ranked.mean is None:
        message = "Cannot be ranked: {metric} is missing on {split} for at least one seed."
        return False, fact(message, where, metric=selection.metric, split=selection.split)
    if not others:
        return None
    best = others[0]
    values = (Estimate.of(ranked.mean), Estimate.of(best.mean))
    claim = difference(
        "this configuration",
        best.label,
        f"Mean {selection.metric}",
        values=values,
        estimate=subtract(*values),
        scope=where,
    )
    return ranked.mean > (best.mean or 0.0), claim


def _retained(study: Study, policy: Policy, group: Group) -> Argument:
    metric, split = policy.objective.metric, policy.judged_on
    shares = {g.label: _mean_retained(study, g, split, metric) for g in study.groups}
    mine = shares[group.label]
    known = sorted(value for value in shares.values() if value is not None)
    if mine is None or len(known) < 2 or mine not in (known[0], known[-1]):
        return None
    highest = mine == known[-1]
    message = (
        "Keeps {share} of its clean {metric} over the suite, the {place} of {n} configurations as observed "
        "({scope}; no interval of the mean over runs: cannot be told from noise)."
    )
    where = scope(study, split, "all variants", len(group.distinct_seeds))
    place = "highest" if highest else "lowest"
    return highest, fact(message, where, share=score(mine), metric=metric, place=place, n=len(known))


def _mean_retained(study: Study, group: Group, split: str, metric: str) -> float | None:
    shares = [study.retained(c, split, None, metric).value for c in group.candidates]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known and len(known) == len(shares) else None


def _pixels(study: Study, group: Group) -> Argument:
    sizes = sorted({g.configuration.imgsz for g in study.groups if g.configuration.imgsz})
    mine = group.configuration.imgsz
    if mine is None or len(sizes) < 2 or mine not in (sizes[0], sizes[-1]):
        return None
    other = sizes[-1] if mine == sizes[0] else sizes[0]
    message = "{mine} px input has {ratio} times the pixels of {other} px; latency was not measured."
    return mine == sizes[0], fact(message, mine=mine, other=other, ratio=f"{(mine / other) ** 2:.2f}")


def _seeds(group: Group) -> Argument:
    n = len(group.distinct_seeds)
    message = (
        "{seeds}: too few for a statement about the setting ({interval} needed for an interval, {claim} for a claim)."
    )
    claim = fact(message, seeds=plural(n, "distinct seed"), interval=SEEDS_FOR_INTERVAL, claim=SEEDS_FOR_CLAIM)
    return (False, claim) if n < SEEDS_FOR_CLAIM else None


def _last_epoch(group: Group) -> Argument:
    last, known = n_best_epoch_last(group.candidates)
    if not last:
        return None
    message = "In {last} of {runs} the last epoch is the best one on val: a sign that training may have stopped early."
    return False, fact(message, last=last, runs=plural(known, "run"))
