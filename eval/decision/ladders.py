"""Up to which severity of a corruption a requirement is shown to be met."""

from __future__ import annotations

from robust.eval.decision.policy import Policy
from robust.eval.decision.study import CLEAN, Study, robustness_of
from robust.eval.decision.suite_gates import LadderGate
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Record
from robust.eval.metrics.robustness_intervals import Ladder, ladder

HALF = "half of the observed clean value"


class ToldLadder(Record):
    """A ladder with where its requirement comes from.

    Attributes:
        ladder: What the lower bounds show.
        requirement: Where the required value comes from, in words.
        last: Highest severity of the suite.
    """

    ladder: Ladder
    requirement: str
    last: int


def ladders(study: Study, policy: Policy, candidate: CandidateEvidence) -> tuple[ToldLadder, ...]:
    """One for each requirement of the policy; for other corruptions, of half of the clean value.

    A ladder whose requirement is not known, because clean images gave nothing, is left out.
    """
    found = []
    for corruption in study.corruptions:
        required = _required(policy, corruption) or _half(policy, candidate, corruption)
        last = max(study.severities(corruption))
        for metric, value, words in required:
            bounds = _bounds(study, candidate, policy.judged_on, corruption, metric)
            made = ladder(corruption, metric, bounds, value)
            found.append(ToldLadder(ladder=made, requirement=words, last=last))
    return tuple(found)


def _required(policy: Policy, corruption: str) -> list[tuple[str, float, str]]:
    gates = [gate for gate in policy.gates if isinstance(gate, LadderGate) and gate.corruption == corruption]
    return [(gate.metric, gate.minimum, f"required by the gate {gate.name}") for gate in gates]


def _half(policy: Policy, candidate: CandidateEvidence, corruption: str) -> list[tuple[str, float, str]]:
    metric = policy.objective.metric
    found = robustness_of(candidate, metric)
    point = found.breaking_points.get(corruption) if found else None
    return [(metric, point.requirement, HALF)] if point is not None else []


def _bounds(
    study: Study, candidate: CandidateEvidence, split: str, corruption: str, metric: str
) -> dict[int, float | None]:
    """Lower bound at each severity; 0 is clean."""
    places = {0: CLEAN} | {severity: f"{corruption}/{severity}" for severity in study.severities(corruption)}
    return {severity: study.metric(candidate, split, variant, metric).low for severity, variant in places.items()}
