"""What image size and learning rate do, as claims: in this grid, averaged over the other setting."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from robust.eval.decision.claims import Claim, Side, listed, plural
from robust.eval.decision.comparison import paired, scope, uncompared
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import Told, difference, fact, not_assessed, setting_effect
from robust.eval.decision.settings import Effect, effects, no_effects
from robust.eval.decision.study import CLEAN, Group, Study, cell, subtract
from robust.eval.evidence.records import CandidateEvidence, ConfigurationEvidence
from robust.eval.metrics.seeds import Contrast

AXES = {"imgsz": "image size", "lr0": "learning rate lr0"}


def effect_claims(study: Study, policy: Policy) -> tuple[Claim, ...]:
    """Effects on the split that judges, what was observed on the one that selects, and whether a setting did anything.

    With a complete grid the effects are its contrasts, which carry the spread of the seeds; without one, differences of
    the configurations that both levels have, as observed.
    """
    claims: list[Claim] = []
    found = effects(study, policy.judged_on, policy.objective.metric)
    for axis, name in AXES.items():
        levels = sorted({getattr(g.configuration, axis) for g in study.groups} - {None})
        if len(levels) < 2:
            why = "the study has a single value of it" if levels else "it is not known for any run of the study"
            claims.append(not_assessed(f"Effect of {name}", why))
            continue
        claims += [effect_claim(study, policy, effect) for effect in found if effect.contrast.kind == axis]
        splits = [policy.selection.split, *(() if found else (policy.judged_on,))]
        pairs = [(high, low) for low, high in combinations(levels, 2)]
        claims += [_observed(study, policy, axis, pair, split) for pair in pairs for split in splits]
        claims.append(_identical(study, axis, name))
    claims += [effect_claim(study, policy, effect) for effect in found if effect.contrast.kind == "interaction"]
    return (*claims, *_size_effect_on_baselines(study, policy))


def effect_name(contrast: Contrast) -> str:
    """The effect in words: the higher level minus the lower one."""
    sizes, rates = ([f"{level:g}" for level in levels] for levels in (contrast.imgsz, contrast.lr0))
    if contrast.kind == "imgsz":
        return f"image size: {' minus '.join(reversed(sizes))}, averaged over lr0 {listed(rates)}"
    if contrast.kind == "lr0":
        return f"lr0: {' minus '.join(reversed(rates))}, averaged over image size {listed(sizes)}"
    return f"interaction: image size {' minus '.join(reversed(sizes))}, at lr0 {' minus '.join(reversed(rates))}"


def effect_claim(study: Study, policy: Policy, effect: Effect) -> Claim:
    """One effect of the grid; its two sides are made again from the means of the configurations."""
    metric, split = policy.objective.metric, policy.judged_on
    where = scope(study, split, n_seeds=effect.n_seeds)
    is_change = effect.contrast.kind == "interaction"
    sides = _sides(study, effect.contrast, split, metric)
    return setting_effect(effect_name(effect.contrast), sides, metric, effect.told, where, is_change=is_change)


def _sides(study: Study, contrast: Contrast, split: str, metric: str) -> tuple[Side, Side]:
    means = {
        (g.configuration.imgsz, g.configuration.lr0): study.mean_metric(g.candidates, split, CLEAN, metric)
        for g in study.groups
    }
    sizes, rates = contrast.imgsz, contrast.lr0
    if contrast.kind == "interaction":
        parts = [subtract(means[sizes[1], rate], means[sizes[0], rate]) for rate in rates]
        names = [f"the effect of image size at lr0 {rate:g}" for rate in rates]
    elif contrast.kind == "imgsz":
        parts = [_mean([means[size, rate] for rate in rates]) for size in sizes]
        names = [f"imgsz {size}" for size in sizes]
    else:
        parts = [_mean([means[size, rate] for size in sizes]) for rate in rates]
        names = [f"lr0 {rate:g}" for rate in rates]
    low, high = (
        Side(name=name, value=part, aggregate="mean over settings") for name, part in zip(names, parts, strict=True)
    )
    return high, low


def _observed(study: Study, policy: Policy, axis: str, levels: tuple[float, float], split: str) -> Claim:
    """Mean of configuration means at each level, over the other settings that both levels have."""
    metric = policy.objective.metric
    by_level = [
        {_without(g.configuration, axis): g for g in study.groups if getattr(g.configuration, axis) == value}
        for value in levels
    ]
    shared = [key for key in by_level[0] if key in by_level[1]]
    if not shared:
        return not_assessed(f"{axis} {levels[0]:g} against {levels[1]:g}", "no other setting was run at both values")
    sides = [
        _level_side(study, [groups[key] for key in shared], f"{axis} {value:g}", split, metric)
        for groups, value in zip(by_level, levels, strict=True)
    ]
    n_seeds = min(len(groups[key].distinct) for groups in by_level for key in shared)
    where = scope(study, split, n_seeds=n_seeds)
    estimate = uncompared((sides[0], sides[1]))
    if estimate.value is not None and split == policy.judged_on:
        estimate = estimate.model_copy(update={"note": no_effects(study, split, metric)})
    return difference(
        (sides[0], sides[1]),
        metric,
        Told(estimate=estimate),
        where,
        words=f"In this grid, mean {metric}",
        estimand="setting",
        selected_on=policy.selection.split,
    )


def _level_side(study: Study, groups: Sequence[Group], name: str, split: str, metric: str) -> Side:
    runs = plural(sum(len(group.counted) for group in groups), "run")
    means = [study.mean_metric(group.candidates, split, CLEAN, metric) for group in groups]
    return Side(name=f"{name} ({runs})", value=_mean(means), aggregate="mean over settings")


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
        named = ((b, f"the untouched weights at {b.imgsz} px"), (a, f"the same weights at {a.imgsz} px"))
        small, large = (
            Side(name=name, value=study.metric(one, split, CLEAN, metric), aggregate="fixed weights")
            for one, name in reversed(named)
        )
        told = paired(study, b, a, (split, CLEAN, metric))
        claims.append(difference((large, small), metric, told, scope(study, split)))
    return tuple(claims)
