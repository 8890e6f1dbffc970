"""Key observations of a study, as claims: starting weights, seeds, effect of settings, training, robustness."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean, stdev

from robust.eval.decision.claims import (
    SEEDS_FOR_CLAIM,
    SEEDS_FOR_INTERVAL,
    Claim,
    Scope,
    bounded,
    difference,
    fact,
    level,
    listed,
    not_assessed,
    plural,
    score,
)
from robust.eval.decision.comparison import scope
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, Group, Study, cell, robustness_of, subtract
from robust.eval.decision.training import training_claims
from robust.eval.evidence.records import CandidateEvidence, ConfigurationEvidence
from robust.eval.metrics.records import Record


class Topic(Record):
    """Claims about one question."""

    title: str
    claims: tuple[Claim, ...]


def observations(study: Study, policy: Policy, decision: Decision) -> tuple[Topic, ...]:
    """Everything worth saying about the study as a whole."""
    topics = (
        Topic(title="Fine-tuned against untouched starting weights", claims=baseline_claims(study, policy)),
        Topic(title="Spread between seeds", claims=seed_claims(study, policy)),
        Topic(title="Effect of the settings", claims=effect_claims(study, policy)),
        Topic(title="Training", claims=training_claims(study)),
        Topic(title="Robustness of the proposed candidate", claims=robustness_claims(study, policy, decision)),
    )
    return tuple(topic for topic in topics if topic.claims)


def baseline_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """For each baseline: how many of its candidates lie above it, and the highest of them."""
    metric, split = policy.objective.metric, policy.judged_on
    claims = []
    for baseline in study.baselines:
        trained = [c for c in study.candidates if study.baseline_of(c) == baseline]
        if trained:
            claims.append(_beaten(study, baseline, trained, metric, split))
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
    best = max(known, key=lambda name: (known[name], name))
    start = "No candidate lies" if not above else "{above} of {n} candidates lie"
    message = start + (
        " above the untouched weights {baseline} in observed {metric}: {baseline} {value}, highest of {n} trained from "
        "it {best} {highest} ({scope}). The highest of several flatters."
    )
    return fact(
        message,
        scope(study, split),
        above=above,
        n=len(known),
        baseline=baseline.name,
        metric=metric,
        value=bounded(other),
        best=best,
        highest=bounded(estimates[best]),
    )


def seed_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """For each configuration: the value of every seed, and what may be said of their spread."""
    return tuple(_spread(study, policy, group) for group in study.groups)


def _spread(study: Study, policy: Policy, group: Group) -> Claim:
    metric, split = policy.objective.metric, policy.judged_on
    n = len(group.distinct_seeds)
    values = [(c.seed, study.metric(c, split, CLEAN, metric)) for c in group.candidates]
    known = [v.value for _, v in values if v.value is not None]
    words = {
        "label": group.label,
        "metric": metric,
        "values": listed([f"{score(v)} (seed {seed if seed is not None else 'unknown'})" for seed, v in values]),
        "n": plural(n, "seed"),
        "interval": str(SEEDS_FOR_INTERVAL),
        "claim": str(SEEDS_FOR_CLAIM),
    }
    where = scope(study, split)
    message = "{label}: {metric} {values}"
    if len(known) > 1:
        message += ", range {range}"
        words["range"] = score(max(known) - min(known))
    if n >= SEEDS_FOR_INTERVAL and len(known) == len(values):
        message += ", standard deviation {sd}; {n}: no statement on reproducibility without an interval"
        words["sd"] = score(stdev(known))
    else:
        message += "; {n}: no statement on reproducibility ({interval} needed for an interval, {claim} for a claim)"
    return fact(message + " ({scope}).", where, **words)


def effect_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """Effect of image size and learning rate: difference of group means over the same other settings."""
    claims: list[Claim] = []
    for axis, name in (("imgsz", "image size"), ("lr0", "learning rate lr0")):
        levels = sorted({getattr(g.configuration, axis) for g in study.groups} - {None})
        if len(levels) < 2:
            why = "the study has a single value of it" if levels else "it is not known for any run of the study"
            claims.append(not_assessed(f"Effect of {name}", why))
            continue
        for low, high in combinations(levels, 2):
            for split in (policy.selection.split, policy.judged_on):
                claims.append(_effect(study, policy, axis, (high, low), split))
        claims.append(_identical(study, axis, name))
    return (*claims, *_size_effect_on_baselines(study, policy))


def _effect(study: Study, policy: Policy, axis: str, levels: tuple[float, float], split: str) -> Claim:
    """Mean of configuration means at each level, over the other settings that both levels have."""
    metric = policy.objective.metric
    by_level = [
        {_without(g.configuration, axis): g for g in study.groups if getattr(g.configuration, axis) == value}
        for value in levels
    ]
    shared = [key for key in by_level[0] if key in by_level[1]]
    if not shared:
        return not_assessed(f"{axis} {levels[0]:g} against {levels[1]:g}", "no other setting was run at both values")
    sides = []
    for groups in by_level:
        means = [study.mean_metric(groups[key].candidates, split, CLEAN, metric) for key in shared]
        sides.append(_mean(means))
    runs = [sum(len(groups[key].candidates) for key in shared) for groups in by_level]
    seeds = {seed for groups in by_level for key in shared for seed in groups[key].distinct_seeds}
    names = [f"{axis} {value:g} ({plural(n, 'run')})" for value, n in zip(levels, runs, strict=True)]
    where = scope(study, split, n_seeds=len(seeds))
    return difference(
        names[0],
        names[1],
        f"In this grid, mean {metric}",
        values=(sides[0], sides[1]),
        estimate=subtract(*sides),
        scope=where,
    )


def _without(configuration: ConfigurationEvidence, axis: str) -> ConfigurationEvidence:
    return configuration.model_copy(update={axis: None, "label": ""})


def _mean(values: Sequence[Estimate]) -> Estimate:
    known = [value.value for value in values if value.value is not None]
    if len(known) < len(values) or not known:
        return Estimate.of(None, next((v.missing for v in values if v.missing), "not measured"))
    return Estimate.of(fmean(known))


def _identical(study: Study, axis: str, name: str) -> Claim:
    """Pairs of runs that differ in one setting only and came out the same to every digit."""
    pairs = [
        (a, b)
        for a, b in combinations(study.candidates, 2)
        if a.seed == b.seed
        and a.configuration != b.configuration
        and _without(a.configuration, axis) == _without(b.configuration, axis)
    ]
    if not pairs:
        return not_assessed(f"Whether {name} had any effect", "no two runs differ in it alone")
    if not any(c.coco.AP is not None for pair in pairs for candidate in pair for c in candidate.cells):
        return not_assessed(f"Whether {name} had any effect", "no result is defined")
    same = sum(identical_results(a, b) for a, b in pairs)
    if not same:
        message = "None of {pairs} that differ only in {axis} gave identical weights or identical results."
    else:
        message = (
            "{same} of {pairs} that differ only in {axis} gave identical weights or results to every digit: "
            "{axis} had no effect in them."
        )
    return fact(message, same=same, pairs=plural(len(pairs), "pair") + " of runs", axis=axis)


def identical_results(a: CandidateEvidence, b: CandidateEvidence) -> bool:
    """True when the weights are the same bytes, or every cell that both have shows the same defined numbers."""
    if a.weights_sha256 == b.weights_sha256:
        return True
    shared = [(one.coco, other.coco) for one in a.cells if (other := cell(b, one.split, one.variant)) is not None]
    measured = [pair for pair in shared if pair[0].AP is not None]
    return bool(measured) and all(one == other for one, other in measured)


def _size_effect_on_baselines(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """The same weights at two image sizes: what image size does without any training."""
    metric, split = policy.objective.metric, policy.judged_on
    claims = []
    for a, b in combinations(sorted(study.baselines, key=lambda c: c.imgsz or 0), 2):
        if a.weights_sha256 != b.weights_sha256 or a.imgsz == b.imgsz:
            continue
        values = (study.metric(b, split, CLEAN, metric), study.metric(a, split, CLEAN, metric))
        names = (f"the untouched weights at {b.imgsz} px", f"the same weights at {a.imgsz} px")
        claims.append(difference(*names, metric, values=values, estimate=subtract(*values), scope=scope(study, split)))
    return tuple(claims)


def robustness_claims(study: Study, policy: Policy, decision: Decision) -> tuple[Claim, ...]:
    """How much of the clean value the proposed candidate keeps, and where it is worst."""
    candidate = study.candidate(decision.candidate)
    if candidate is None:
        return ()
    metric, split = policy.objective.metric, policy.judged_on
    where = _marked(study, scope(study, split, ALL_VARIANTS))
    claims = [
        level(
            candidate.name, f"retained share of clean {metric}", study.retained(candidate, split, None, metric), where
        )
    ]
    worst = _worst(study, candidate, metric, split)
    if worst is not None:
        claims.append(worst)
    baseline = study.baseline_of(candidate)
    if baseline is not None:
        kept = {c.name: study.retained(c, split, None, metric) for c in (candidate, baseline)}
        values = (kept[candidate.name], kept[baseline.name])
        names = (candidate.name, f"the untouched weights {baseline.name}")
        found = study.comparison(candidate, baseline, split, ALL_VARIANTS, f"rPC {metric}")
        gap = Estimate.of(found.difference, interval=found.interval) if found else subtract(*values)
        claims.append(difference(*names, f"Retained share of clean {metric}", values=values, estimate=gap, scope=where))
    return tuple(claims)


def _marked(study: Study, where: Scope) -> Scope:
    """The scope, saying when training has seen such images."""
    seen = study.seen(where.variant)
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
