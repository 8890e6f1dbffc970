"""From evidence and policy to PROMOTE, REJECT or HOLD. Pure: same input, same decision."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from robust.eval.decision.claims import plural
from robust.eval.decision.gates import Subject
from robust.eval.decision.policy import Policy, SelectionRule
from robust.eval.decision.records import (
    Decision,
    GateResult,
    Outcome,
    RankedConfiguration,
    Selection,
    Tier,
    Verdict,
    evidence_sha256,
)
from robust.eval.decision.study import CLEAN, Group, Study
from robust.eval.evidence.records import Evidence


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Propose a candidate on the selection split and judge it on the other one."""
    study = Study(evidence)
    selection = select(study, policy.selection)
    subject = Subject(study, study.candidate(selection.candidate), policy.judged_on)
    gates = tuple(gate.evaluate(subject) for gate in policy.gates)
    verdict = conclude(gates)
    return Decision(
        verdict=verdict,
        reason=_reason(verdict, selection, gates),
        selection=selection,
        gates=gates,
        evidence_sha256=evidence_sha256(evidence),
        policy_sha256=policy.sha256,
    )


def conclude(gates: Sequence[GateResult]) -> Verdict:
    """Any critical FAIL rejects; all critical PASS promotes; anything else, also no critical gate at all, holds."""
    critical = [gate.outcome for gate in gates if gate.tier is Tier.CRITICAL]
    if Outcome.FAIL in critical:
        return Verdict.REJECT
    if critical and all(outcome is Outcome.PASS for outcome in critical):
        return Verdict.PROMOTE
    return Verdict.HOLD


def select(study: Study, rule: SelectionRule) -> Selection:
    """Apply the selection rule.

    A configuration with a missing value cannot be ranked. One candidate alone needs no comparison, so it is
    proposed even when the selection split was not evaluated.
    """
    ranking = tuple(sorted((_rank(study, group, rule) for group in study.groups), key=lambda r: _order(study, r)))
    best = ranking[0] if ranking and ranking[0].mean is not None else None
    if best is not None:
        proposed = best.candidates[0]
        reason = f"{proposed}: highest mean {rule.metric} on {rule.split} of {plural(len(ranking), 'configuration')}"
    elif len(study.candidates) == 1:
        proposed = study.candidates[0].name
        reason = f"{proposed} is the only candidate"
    else:
        return Selection(
            split=rule.split,
            metric=rule.metric,
            rule=rule.words,
            ranking=ranking,
            candidate=None,
            reason=_no_choice(study, rule),
        )
    return Selection(
        split=rule.split, metric=rule.metric, rule=rule.words, ranking=ranking, candidate=proposed, reason=reason
    )


def _no_choice(study: Study, rule: SelectionRule) -> str:
    if not study.candidates:
        return "the evidence holds no candidate"
    return (
        f"no configuration has {rule.metric} on {rule.split} for all its seeds, and choosing on the split that "
        "judges would flatter the winner"
    )


def _rank(study: Study, group: Group, rule: SelectionRule) -> RankedConfiguration:
    values = {c.name: study.metric(c, rule.split, CLEAN, rule.metric).value for c in group.candidates}
    ordered = sorted(group.candidates, key=lambda c: (_descending(values[c.name]), c.imgsz, c.name))
    known = [value for value in values.values() if value is not None]
    return RankedConfiguration(
        label=group.label,
        candidates=tuple(c.name for c in ordered),
        seeds=tuple(c.seed for c in ordered),
        values=tuple(values[c.name] for c in ordered),
        mean=fmean(known) if len(known) == len(values) else None,
    )


def _descending(value: float | None) -> tuple[bool, float]:
    return (value is None, -(value or 0.0))


def _order(study: Study, ranked: RankedConfiguration) -> tuple[bool, float, int, str]:
    first = study.candidate(ranked.candidates[0])
    missing, value = _descending(ranked.mean)
    return (missing, value, (first.imgsz or 0) if first else 0, ranked.label)


def _reason(verdict: Verdict, selection: Selection, gates: Sequence[GateResult]) -> str:
    """The decision in one sentence."""
    critical = [gate for gate in gates if gate.tier is Tier.CRITICAL]
    if verdict is Verdict.REJECT:
        failed = [gate for gate in critical if gate.outcome is Outcome.FAIL]
        return f"{len(failed)} of {len(critical)} critical gates failed: {_listed(failed, reasons=True)}."
    if selection.candidate is None:
        return f"No candidate can be proposed: {selection.reason}."
    if verdict is Verdict.PROMOTE:
        return f"All {len(critical)} critical gates passed."
    still_open = [gate for gate in critical if gate.outcome is Outcome.NOT_ENOUGH_EVIDENCE]
    without = [g for g in still_open if g.estimate.value is not None and not g.estimate.has_interval]
    cause = _cause(len(without), len(still_open))
    return f"{len(still_open)} of {len(critical)} critical gates lack evidence{cause}: {_listed(still_open)}."


def _cause(n_without_interval: int, n_open: int) -> str:
    if not n_without_interval:
        return ""
    how_many = "all" if n_without_interval == n_open else str(n_without_interval)
    return f" ({how_many} of them because there is no interval)"


def _listed(gates: Sequence[GateResult], *, reasons: bool = False) -> str:
    return "; ".join(f"{gate.gate} ({gate.reason})" if reasons else gate.gate for gate in gates)
