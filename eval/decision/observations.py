"""Key observations of a study, as claims: starting weights, selection, seeds, settings, training, robustness."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import Claim, Scope, Side, bounded, plural, score
from robust.eval.decision.comparison import paired, scope, winner_claim
from robust.eval.decision.effects import effect_claims
from robust.eval.decision.ladders import ladders
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate
from robust.eval.decision.seed_gates import SeedSpreadGate
from robust.eval.decision.sentences import (
    Told,
    difference,
    fact,
    level,
    not_assessed,
    relative_change,
    robustness_ladder,
)
from robust.eval.decision.settings import spread
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, Group, Study, robustness_of, subtract
from robust.eval.decision.tolerance import reproducibility
from robust.eval.decision.training import over_fitting_claim, training_claims
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Record


class Topic(Record):
    """Claims about one question."""

    title: str
    claims: tuple[Claim, ...]


def observations(study: Study, policy: Policy, decision: Decision) -> tuple[Topic, ...]:
    """Everything worth saying about the study as a whole."""
    split, metric = policy.judged_on, policy.objective.metric
    fitting = over_fitting_claim(study, study.candidate(decision.candidate), split, metric, scope(study, split))
    topics = (
        Topic(title="Fine-tuned against untouched starting weights", claims=baseline_claims(study, policy, decision)),
        Topic(title="Selection", claims=selection_claims(study, policy)),
        Topic(title="Spread between seeds", claims=seed_claims(study, policy)),
        Topic(title="Effect of the settings", claims=effect_claims(study, policy)),
        Topic(title="Training", claims=(*training_claims(study), fitting)),
        Topic(title="Robustness of the proposed candidate", claims=robustness_claims(study, policy, decision)),
    )
    return tuple(topic for topic in topics if topic.claims)


def baseline_claims(study: Study, policy: Policy, decision: Decision) -> tuple[Claim, ...]:
    """For each baseline: how many of its candidates lie above it; and what is shown of the proposed candidate."""
    metric, split = policy.objective.metric, policy.judged_on
    claims: list[Claim] = []
    for baseline in study.baselines:
        trained = [c for c in study.candidates if study.baseline_of(c) == baseline]
        if trained:
            claims.append(_beaten(study, baseline, trained, metric, split))
    proposed = study.candidate(decision.candidate)
    claims += _proposed_claims(study, proposed, metric, split) if proposed else []
    orphans = [c for c in study.candidates if study.baseline_of(c) is None]
    if orphans:
        why = f"{plural(len(orphans), 'candidate')} without evaluated starting weights"
        claims.append(not_assessed("Gain from fine-tuning", why))
    return tuple(claims)


def _beaten(
    study: Study, baseline: CandidateEvidence, trained: Sequence[CandidateEvidence], metric: str, split: str
) -> Claim:
    other = study.metric(baseline, split, CLEAN, metric)
    estimates = {c.name: study.metric(c, split, CLEAN, metric) for c in trained}
    known = {name: estimate.value for name, estimate in estimates.items() if estimate.value is not None}
    if other.value is None or not known:
        return not_assessed(f"Gain over {baseline.name}", f"{metric} on clean {split} images is missing")
    above = sum(value > other.value for value in known.values())
    highest = max(known, key=lambda name: (known[name], name))
    start = "No candidate lies" if not above else "{above} of {n} candidates lie"
    message = start + (
        " above the untouched weights {baseline} in observed {metric}: {baseline} {value}, highest of {n} trained from "
        "it {best} {highest} ({scope}). The highest of several flatters. {shown}"
    )
    return fact(
        message,
        scope(study, split),
        above=above,
        n=len(known),
        baseline=baseline.name,
        metric=metric,
        value=bounded(other),
        best=highest,
        highest=bounded(estimates[highest]),
        shown=_shown(study, baseline, trained, metric, split),
    )


def _shown(
    study: Study, baseline: CandidateEvidence, trained: Sequence[CandidateEvidence], metric: str, split: str
) -> str:
    """For how many candidates the paired interval shows it, after correction."""
    start = Side(name=baseline.name, value=study.metric(baseline, split, CLEAN, metric), aggregate="fixed weights")
    runs = [Side(name=c.name, value=study.metric(c, split, CLEAN, metric), aggregate="one run") for c in trained]
    told = [paired(study, c, baseline, (split, CLEAN, metric)) for c in trained]
    if not any(one.estimate.has_interval for one in told):
        return "No paired interval was computed, so none is shown to lie above it."
    verdicts = [
        difference((run, start), metric, one, scope(study, split)).verdict for run, one in zip(runs, told, strict=True)
    ]
    return (
        f"Shown by the paired interval after correction: {verdicts.count('better')} above, {verdicts.count('worse')} "
        f"below, {len(verdicts) - verdicts.count('better') - verdicts.count('worse')} neither."
    )


def _proposed_claims(study: Study, proposed: CandidateEvidence, metric: str, split: str) -> list[Claim]:
    """The proposed candidate against its baseline, and what share of the baseline's value that is."""
    baseline = study.baseline_of(proposed)
    if baseline is None:
        return []
    sides = (
        Side(name=proposed.name, value=study.metric(proposed, split, CLEAN, metric), aggregate="one run"),
        Side(
            name=f"the untouched weights {baseline.name}",
            value=study.metric(baseline, split, CLEAN, metric),
            aggregate="fixed weights",
        ),
    )
    where = scope(study, split)
    claims = [difference(sides, metric, paired(study, proposed, baseline, (split, CLEAN, metric)), where)]
    found = study.comparison(proposed, baseline, split, CLEAN, metric)
    if found is not None and found.relative is not None and found.relative_interval is not None:
        share = Estimate.of(found.relative, interval=found.relative_interval)
        claims += [claim for claim in (relative_change(sides, metric, share, where),) if claim]
    return claims


def selection_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """What the highest candidate on the selection split is worth when selection is corrected for."""
    split, metric = policy.selection.split, policy.selection.metric
    claim = winner_claim(study, split, metric)
    if claim is None and len(study.candidates) > 1:
        claim = not_assessed(f"What the highest {metric} on {split} is worth on other images", "it was not computed")
    return (claim,) if claim else ()


def seed_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """For each configuration: the value of every seed, and what may be said of their spread."""
    return tuple(_spread(study, policy, group) for group in study.groups)


def _spread(study: Study, policy: Policy, group: Group) -> Claim:
    metric, split = policy.objective.metric, policy.judged_on
    made, warning = spread(study, group, split, metric)
    limits = [g.maximum for g in policy.gates if isinstance(g, SeedSpreadGate) and g.metric == metric]
    return reproducibility(
        group.label,
        metric,
        tuple((c.seed, study.metric(c, split, CLEAN, metric)) for c in group.candidates),
        scope(study, split, n_seeds=len(group.distinct)),
        spread=made,
        tolerance=min(limits, default=None),
        warning=warning,
    )


def robustness_claims(study: Study, policy: Policy, decision: Decision) -> tuple[Claim, ...]:
    """How much of the clean value the proposed candidate keeps, where it is worst, and up to where it holds."""
    candidate = study.candidate(decision.candidate)
    if candidate is None:
        return ()
    metric, split = policy.objective.metric, policy.judged_on
    where = _marked(study, scope(study, split, ALL_VARIANTS))
    kept = study.retained(candidate, split, None, metric)
    claims = [level(candidate.name, f"retained share of clean {metric}", kept, where)]
    worst = _worst(study, candidate, metric, split)
    if worst is not None:
        claims.append(worst)
    baseline = study.baseline_of(candidate)
    if baseline is not None:
        sides = (
            Side(name=candidate.name, value=kept, aggregate="one run"),
            Side(
                name=f"the untouched weights {baseline.name}",
                value=study.retained(baseline, split, None, metric),
                aggregate="fixed weights",
            ),
        )
        told = paired(study, candidate, baseline, (split, ALL_VARIANTS, f"rPC {metric}"))
        if told.estimate.value is None or sides[0].value.value is None:
            told = Told(estimate=subtract(sides[0].value, sides[1].value))
        claims.append(difference(sides, f"Retained share of clean {metric}", told, where))
    for one in ladders(study, policy, candidate):
        corruption, stopped = one.ladder.corruption, one.ladder.stopped_at
        severity = one.last if stopped is None else stopped  # whose numbers the sentence quotes
        there = scope(study, split, f"{corruption}/{severity}" if severity else CLEAN)
        on = _marked(study, there, corruption)
        claims.append(robustness_ladder(candidate.name, one.ladder, on, requirement=one.requirement, last=one.last))
    return tuple(claims)


def _marked(study: Study, where: Scope, corruption: str | None = None) -> Scope:
    """The scope, saying when training has seen such images, or those of the corruption that is spoken of."""
    seen = study.seen(corruption or where.variant)
    return where.model_copy(update={"variant": f"{where.variant} ({seen})"}) if seen else where


def _worst(study: Study, candidate: CandidateEvidence, metric: str, split: str) -> Claim | None:
    found = robustness_of(candidate, metric)
    if found is None or found.worst_variant is None or found.worst is None or not found.clean:
        return None
    message = "Lowest {metric} on {variant}: {worst}, which is {share} of the clean {clean} ({scope})."
    lowest, clean = (study.metric(candidate, split, variant, metric) for variant in (found.worst_variant, CLEAN))
    return fact(
        message,
        _marked(study, scope(study, split, found.worst_variant)),
        metric=metric,
        variant=found.worst_variant,
        worst=bounded(lowest),
        share=score(found.worst / found.clean),
        clean=bounded(clean),
    )
