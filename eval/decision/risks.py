"""Risks, each tied to a measured fact: what it would do, what was measured, what to do about it."""

from __future__ import annotations

from robust.eval.decision.claims import Claim, Side, bounded, listed, plural, score
from robust.eval.decision.comparison import paired, scope
from robust.eval.decision.planning import USEFUL_DIFFERENCE, Plan, half_width, plan_of
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision
from robust.eval.decision.sentences import difference, fact
from robust.eval.decision.study import CLEAN, Study, robustness_of
from robust.eval.decision.training import n_best_epoch_last
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM
from robust.eval.metrics.records import Record

WORTH_A_RISK = 0.9
"""A rate below this is listed as a risk: more than one in ten goes wrong."""


class Risk(Record):
    """One risk.

    Attributes:
        title: Its name.
        impact: What it would do in production.
        cause: The measured fact behind it.
        mitigation: What to do about it.
    """

    title: str
    impact: str
    cause: Claim
    mitigation: str


def risks(study: Study, policy: Policy, decision: Decision) -> tuple[Risk, ...]:
    """All risks that a measured fact supports, about the data first."""
    candidate = study.candidate(decision.candidate)
    found = [_leakage(study, policy), _few_images(study, policy, candidate)]
    if candidate is not None:
        found += [
            _below_baseline(study, policy, candidate),
            _missed(study, policy, candidate),
            _false_alarms(study, policy, candidate),
            _worst_variant(study, policy, candidate),
            _few_seeds(study, candidate),
            _under_trained(study, candidate),
        ]
    found += [_seen(study), _synthetic(study)]
    return tuple(risk for risk in found if risk is not None)


def _leakage(study: Study, policy: Policy) -> Risk | None:
    pairs = [pair for pair in study.leaks(policy.judged_on) if pair.n_identical or pair.n_near_duplicates]
    if not pairs:
        return None
    words = "; ".join(
        f"{' and '.join(pair.splits)}: {pair.n_identical} identical, {pair.n_near_duplicates} near-duplicate"
        for pair in pairs
    )
    return Risk(
        title="Images shared between splits",
        impact="Every number on the shared images flatters the candidate: it may have seen them in training.",
        cause=fact("Shared images: {words}.", words=words),
        mitigation="Remove the shared images from one split (robust data check lists them), train and evaluate again.",
    )


def _few_images(study: Study, policy: Policy, candidate: CandidateEvidence | None) -> Risk | None:
    counts = study.splits.get(policy.judged_on)
    plan = plan_of(study, policy.judged_on, policy.objective.metric)
    low, high = plan.images_needed()
    if counts is None or counts.n_images < 1 or counts.n_images >= high:
        return None
    many = f"about {low:,} to {high:,}" if low < high else f"about {high:,}"
    return Risk(
        title="Few test images",
        impact="The order of the candidates, and the level promised to users, may be chance.",
        cause=_images_cause(study, policy, plan, candidate),
        mitigation=(
            f"Collect more images: {many} show a difference of {USEFUL_DIFFERENCE:.2f} {plan.metric} with power 80 % "
            f"({plan.source})."
        ),
    )


def _images_cause(study: Study, policy: Policy, plan: Plan, candidate: CandidateEvidence | None) -> Claim:
    """What the images of the split can show, and how wide the interval of the level is on them."""
    split, metric = policy.judged_on, policy.objective.metric
    counts = study.splits[split]
    seen = [f"{min(value, 1.0):.2f}" for value in plan.smallest_difference(counts.n_images)]  # none can be larger
    shown = listed(list(dict.fromkeys(seen))).replace(" and ", " to ")
    level = study.metric(candidate, split, CLEAN, metric) if candidate else None
    message = (
        "The split {split} has {images} and {objects}; differences of {metric} below about {shown} are not shown "
        "with power 80 % ({source}). "
    )
    if level is not None and level.has_interval and candidate is not None:
        message += "The interval of {name} is {level}."
    else:
        message += "By planning values an interval of AP50 is about +/-{width} wide."
    return fact(
        message,
        split=split,
        images=plural(counts.n_images, "image"),
        objects=plural(counts.n_objects, "object"),
        metric=plan.metric,
        shown=shown,
        source=plan.source,
        name=candidate.name if candidate else "none",
        level=bounded(level) if level is not None else "none",
        width=f"{half_width(counts.n_images):.2f}",
    )


def _below_baseline(study: Study, policy: Policy, candidate: CandidateEvidence) -> Risk | None:
    baseline = study.baseline_of(candidate)
    metric, split = policy.objective.metric, policy.judged_on
    if baseline is None:
        return Risk(
            title="Starting weights not evaluated",
            impact="Training may have made the model worse without anybody noticing.",
            cause=fact("No baseline of {name} is in the evidence.", name=candidate.name),
            mitigation="Evaluate the starting weights on the same images (robust eval --baseline FILE).",
        )
    mine, other = (study.metric(c, split, CLEAN, metric) for c in (candidate, baseline))
    if mine.value is None or other.value is None or mine.value > other.value:
        return None
    sides = (
        Side(name=candidate.name, value=mine, aggregate="one run"),
        Side(name=baseline.name, value=other, aggregate="fixed weights"),
    )
    told = paired(study, candidate, baseline, (split, CLEAN, metric))
    return Risk(
        title="Fine-tuning may have cost accuracy",
        impact="The untouched starting weights may serve users at least as well.",
        cause=difference(sides, metric, told, scope(study, split)),
        mitigation="Train longer or on more data, and keep the starting weights as the release to fall back to.",
    )


def _missed(study: Study, policy: Policy, candidate: CandidateEvidence) -> Risk | None:
    point = study.point(candidate, policy.judged_on, CLEAN)
    if point is None or point.recall is None or point.recall >= WORTH_A_RISK:
        return None
    message = "Recall {recall} at threshold {threshold}: {fn} of {n} missed ({scope})."
    return Risk(
        title="Missed objects at the operating point",
        impact="Objects go unnoticed in production, also in good conditions.",
        cause=fact(
            message,
            scope(study, policy.judged_on),
            recall=bounded(study.rate(candidate, policy.judged_on, CLEAN, "recall")),
            threshold=f"{point.threshold:.2f}",
            fn=point.fn,
            n=plural(point.tp + point.fn, "object"),
        ),
        mitigation="Lower the threshold, if the policy allows it and false alarms are bearable, or add training data.",
    )


def _false_alarms(study: Study, policy: Policy, candidate: CandidateEvidence) -> Risk | None:
    point = study.point(candidate, policy.judged_on, CLEAN)
    if point is None or point.precision is None or point.precision >= WORTH_A_RISK:
        return None
    message = "Precision {precision} at threshold {threshold}: {fp} of {n} are false, {fppi} per image ({scope})."
    return Risk(
        title="False alarms at the operating point",
        impact="Users act on detections that are not there, and stop trusting the rest.",
        cause=fact(
            message,
            scope(study, policy.judged_on),
            precision=bounded(study.rate(candidate, policy.judged_on, CLEAN, "precision")),
            threshold=f"{point.threshold:.2f}",
            fp=point.fp,
            n=plural(point.tp + point.fp, "detection"),
            fppi=bounded(study.rate(candidate, policy.judged_on, CLEAN, "fppi")),
        ),
        mitigation="Raise the threshold if more misses are bearable (see the curves), or add negative images.",
    )


def _worst_variant(study: Study, policy: Policy, candidate: CandidateEvidence) -> Risk | None:
    metric = policy.objective.metric
    found = robustness_of(candidate, metric)
    if found is None or found.worst_variant is None or found.worst is None or not found.clean:
        return None
    if found.worst >= WORTH_A_RISK * found.clean:
        return None
    message = "{metric} falls from {clean} to {worst} on {variant}, {share} of the clean value ({scope})."
    return Risk(
        title=f"Largest drop under {found.worst_variant.split('/')[0]}",
        impact="Detection drops most in these conditions; users meet them without warning.",
        cause=fact(
            message,
            scope(study, policy.judged_on, found.worst_variant),
            metric=metric,
            clean=bounded(study.metric(candidate, policy.judged_on, CLEAN, metric)),
            worst=bounded(study.metric(candidate, policy.judged_on, found.worst_variant, metric)),
            variant=found.worst_variant,
            share=score(found.worst / found.clean),
        ),
        mitigation="Keep such conditions out of the intended use, or train on them; confirm on real images.",
    )


def _few_seeds(study: Study, candidate: CandidateEvidence) -> Risk | None:
    group = study.group_of(candidate)
    n = len(group.distinct_seeds) if group else 0
    if n >= SEEDS_FOR_CLAIM:
        return None
    return Risk(
        title="Few seeds",
        impact="Training again may give a clearly different model; what worked may have been luck.",
        cause=fact("The proposed configuration was trained with {seeds}.", seeds=plural(n, "distinct seed")),
        mitigation=f"Train it with at least {SEEDS_FOR_CLAIM} seeds in all.",
    )


def _under_trained(study: Study, candidate: CandidateEvidence) -> Risk | None:
    group = study.group_of(candidate)
    last, known = n_best_epoch_last(group.candidates if group else (candidate,))
    if not last:
        return None
    message = "In {last} of {runs} of the proposed configuration the last epoch is the best one on val."
    return Risk(
        title="Training may have stopped early",
        impact="The model may not have reached what this configuration can do.",
        cause=fact(message, last=last, runs=plural(known, "run")),
        mitigation="Train longer with early stopping (robust train --epochs 20 --patience 5).",
    )


def _seen(study: Study) -> Risk | None:
    if not study.trained_on:
        return None
    return Risk(
        title="Conditions seen in training",
        impact="What is kept under them says nothing of conditions that are new to the model.",
        cause=fact(
            "Training images were augmented with {names}: {n} of {all} of the suite.",
            names=listed(study.trained_on),
            n=len(study.trained_on),
            all=plural(len(study.corruptions), "corruption"),
        ),
        mitigation="Judge on conditions that training has not seen, and on real images of those that it has.",
    )


def _synthetic(study: Study) -> Risk | None:
    if not study.corruptions:
        return None
    n = len([v for v in study.evidence.suite.variants if v.corruption in study.corruptions])
    return Risk(
        title="Conditions are simulated",
        impact=f"What is real can hurt more, or otherwise, than its simulation: {listed(study.corruptions)}.",
        cause=fact(
            "All {n} of the suite {suite} are computed from the clean images.",
            n=plural(n, "variant"),
            suite=study.evidence.suite.name,
        ),
        mitigation="Confirm on real images of each condition before release, and release in steps with monitoring.",
    )
