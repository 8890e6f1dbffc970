"""What speaks for and against each configuration, as claims."""

from __future__ import annotations

from statistics import fmean

from robust.eval.decision.claims import Claim, Scope, Side, plural
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate, RankedConfiguration
from robust.eval.decision.sentences import Told, best_of, difference, fact, level
from robust.eval.decision.settings import between, over_baseline
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, Group, Study, subtract
from robust.eval.decision.training import n_best_epoch_last
from robust.eval.evidence.compared import PairEvidence, WinnerEvidence
from robust.eval.evidence.records import CandidateEvidence, SplitEvidence
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM, SEEDS_FOR_INTERVAL
from robust.eval.metrics.multiplicity import holm
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
    of_split = counts if isinstance(counts, SplitEvidence) else study.splits.get(split)
    recorded = variant in {v.name for v in study.recorded}
    return Scope(
        split=split,
        variant=variant,
        n_images=counts.n_images if counts else None,
        n_objects=counts.n_objects if counts else None,
        n_groups=of_split.n_groups if of_split and not recorded else None,
        n_seeds=n_seeds,
        resampling=study.evidence.resampling,
    )


def paired(
    study: Study, candidate: CandidateEvidence, other: CandidateEvidence, question: tuple[str, str, str]
) -> Told:
    """Candidate minus other on the same images, with its p value corrected for all comparisons of the question.

    Args:
        study: The study.
        candidate: The first.
        other: The second.
        question: Split, variant and metric.
    """
    split, variant, metric = question
    estimate = study.difference(candidate, other, split, variant, metric)
    found = study.comparison(candidate, other, split, variant, metric)
    if found is None:
        return Told(estimate=estimate)
    estimate = Estimate.of(found.difference, interval=found.interval)
    places = (study.comparisons.against_baseline, study.comparisons.between_candidates)
    families = [[p for p in pairs if _asks(p, question)] for pairs in places]
    family = next(pairs for pairs in families if any(p.comparison is found for p in pairs))
    known = [p.comparison.p_value for p in family]
    corrected = found.p_holm
    if corrected is None:  # nobody corrected it yet
        place = next(i for i, p in enumerate(family) if p.comparison is found)
        corrected = holm(known)[place]
    n_tests = sum(p is not None for p in known)
    return Told(estimate=estimate, p_adjusted=corrected, n_tests=n_tests, margin=found.margin)


def _asks(pair: PairEvidence, question: tuple[str, str, str]) -> bool:
    found = pair.comparison
    return (found.split, found.variant, found.metric) == question


def winner_of(study: Study, split: str, metric: str) -> WinnerEvidence | None:
    """The correction for having chosen one of all candidates on a split."""
    return next((w for w in study.comparisons.winners if (w.split, w.metric) == (split, metric)), None)


def winner_claim(study: Study, split: str, metric: str) -> Claim | None:
    """The highest candidate on the selection split, and what it is worth on other images; None when not computed."""
    found = winner_of(study, split, metric)
    if found is None:
        return None
    names = {c.key: c.name for c in study.everybody}
    name = names.get(found.candidates[found.check.winner], "unknown")
    return best_of(name, metric, Estimate.of(found.check.apparent), scope(study, split), found.check)


def cases(study: Study, policy: Policy, decision: Decision) -> tuple[Case, ...]:
    """The case of every configuration, in the order of the selection rule."""
    groups = {group.label: group for group in study.groups}
    found = []
    for place, ranked in enumerate(decision.selection.ranking, start=1):
        group = groups[ranked.label]
        arguments = (
            _against_baseline(study, policy, group),
            *_against_best_other(study, policy, decision, ranked),
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


def _speaks(claim: Claim) -> tuple[bool, Claim]:
    """A difference speaks for the first side when it is told, or observed, in its favour."""
    observed = claim.verdict == "observed only" and claim.estimate is not None and (claim.estimate.value or 0.0) > 0
    return claim.verdict == "better" or observed, claim


def mean_side(study: Study, group: Group, name: str, split: str, metric: str) -> Side:
    """A configuration as one side of a comparison: the mean over its runs, no seed and no file of weights twice."""
    value = study.mean_metric(group.candidates, split, CLEAN, metric)
    return Side(name=name, value=value, aggregate="mean over seeds")


def _against_baseline(study: Study, policy: Policy, group: Group) -> Argument:
    baselines = {c.baseline_sha256 for c in group.candidates}
    baseline = study.baseline_of(group.candidates[0]) if len(baselines) == 1 else None
    if baseline is None:
        return False, fact("Its starting weights were not evaluated: nothing to compare with.")
    metric, split = policy.objective.metric, policy.judged_on
    other = Side(
        name=f"the untouched weights {baseline.name}",
        value=study.metric(baseline, split, CLEAN, metric),
        aggregate="fixed weights",
    )
    if len(group.counted) == 1:  # one file of weights: the question is about that file, not about the setting
        (run,) = group.counted
        mine = Side(name="its only run", value=study.metric(run, split, CLEAN, metric), aggregate="one run")
        told = paired(study, run, baseline, (split, CLEAN, metric))
        return _speaks(difference((mine, other), metric, told, scope(study, split)))
    mine = mean_side(study, group, f"the mean of {plural(len(group.counted), 'run')}", split, metric)
    where = scope(study, split, n_seeds=len(group.distinct))
    told = over_baseline(study, group, baseline, split, metric)
    return _speaks(difference((mine, other), metric, told, where, estimand="setting"))


def _against_best_other(
    study: Study, policy: Policy, decision: Decision, ranked: RankedConfiguration
) -> tuple[Argument, ...]:
    """Where it stands on the split that selects, and what the split that judges says of the same two."""
    selection = decision.selection
    if ranked.mean is None:
        message = "Cannot be ranked: {metric} is missing on {split} for at least one seed."
        where = scope(study, selection.split, n_seeds=len(set(ranked.seeds)))
        return ((False, fact(message, where, metric=selection.metric, split=selection.split)),)
    other = next((r for r in selection.ranking if r.label != ranked.label and r.mean is not None), None)
    if other is None:
        return ()
    chosen = setting_difference_claim(
        study, (ranked.label, other.label), selection.split, selection.metric, selected_on=selection.split
    )
    judged = setting_difference_claim(study, (ranked.label, other.label), policy.judged_on, policy.objective.metric)
    return _speaks(chosen), _speaks(judged)


def setting_difference_claim(
    study: Study,
    labels: tuple[str, str],
    split: str,
    metric: str,
    *,
    names: tuple[str, str] | None = None,
    selected_on: str | None = None,
) -> Claim:
    """One configuration against another, both as means over their seeds.

    Args:
        study: The study.
        labels: Of the two.
        split: Where.
        metric: The metric.
        names: What to call them; "this configuration" and the label of the other when None.
        selected_on: The split that selects, when that is the one.
    """
    groups = {group.label: group for group in study.groups}
    first, second = (groups[label] for label in labels)
    called = names or ("this configuration", second.label)
    sides = (
        mean_side(study, first, called[0], split, metric),
        mean_side(study, second, called[1], split, metric),
    )
    pair = between(study, first, second, split, metric)
    told = pair.told if pair else Told(estimate=uncompared(sides))
    n_seeds = min(len(first.distinct), len(second.distinct))
    where = scope(study, split, n_seeds=n_seeds)
    return difference(sides, metric, told, where, words=f"Mean {metric}", estimand="setting", selected_on=selected_on)


def uncompared(sides: tuple[Side, Side]) -> Estimate:
    """The plain difference of two values, which nobody compared image by image."""
    found = subtract(sides[0].value, sides[1].value)
    return found if found.value is None else found.model_copy(update={"note": "the two were not compared"})


def _retained(study: Study, policy: Policy, group: Group) -> Argument:
    metric, split = policy.objective.metric, policy.judged_on
    shares = {g.label: mean_retained(study, g, split, metric) for g in study.groups}
    mine = shares[group.label]
    known = sorted(share.value for share in shares.values() if share.value is not None)
    if mine.value is None or len(known) < 2 or mine.value not in (known[0], known[-1]):
        return None
    is_highest = mine.value == known[-1]
    place = "highest" if is_highest else "lowest"
    words = f"retained share of clean {metric} over the suite, the {place} of {len(known)} configurations as observed"
    where = scope(study, split, ALL_VARIANTS, len(group.distinct))
    return is_highest, level("This configuration", words, mine, where, estimand="setting")


def mean_retained(study: Study, group: Group, split: str, metric: str) -> Estimate:
    """Mean over the runs, with the interval of the setting if it was computed."""
    shares = [study.retained(c, split, None, metric) for c in group.counted]
    known = [share.value for share in shares if share.value is not None]
    if not known or len(known) < len(shares):
        return Estimate.of(None, next((s.missing for s in shares if s.missing), "not measured"))
    found = study.setting(group.candidates, split, ALL_VARIANTS, f"rPC {metric}")
    return Estimate.of(fmean(known), interval=found.estimate.interval if found else None)


def _pixels(study: Study, group: Group) -> Argument:
    sizes = sorted({g.configuration.imgsz for g in study.groups if g.configuration.imgsz})
    mine = group.configuration.imgsz
    if mine is None or len(sizes) < 2 or mine not in (sizes[0], sizes[-1]):
        return None
    other = sizes[-1] if mine == sizes[0] else sizes[0]
    timed = any(c.latency for c in group.candidates)
    message = "{mine} px input has {ratio} times the pixels of {other} px" + (
        "." if timed else "; latency was not measured."
    )
    return mine == sizes[0], fact(message, mine=mine, other=other, ratio=f"{(mine / other) ** 2:.2f}")


def _seeds(group: Group) -> Argument:
    n = len(group.distinct)
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
