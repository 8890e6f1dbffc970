"""From evidence and policy to PROMOTE, REJECT or HOLD. Pure: same input, same decision."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from robust.eval.decision.claims import plural
from robust.eval.decision.gates import Subject
from robust.eval.decision.policy import Policy, SelectionRule
from robust.eval.decision.records import (
    UNSTATED,
    Circumstances,
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


def decide(evidence: Evidence, policy: Policy, circumstances: Circumstances = UNSTATED) -> Decision:
    """Propose a candidate on the selection split and judge it on the other one.

    Args:
        evidence: Of the study.
        policy: What must be true.
        circumstances: The day, which only waivers depend on, and the human facts that were given.
    """
    study = Study(evidence)
    selection = select(study, policy.selection)
    subject = Subject(study, study.candidate(selection.candidate), policy.judged_on, circumstances)
    waivers = {waiver.gate: waiver.held_against(circumstances.today) for waiver in policy.waivers}
    gates = tuple(gate.evaluate(subject).model_copy(update={"waiver": waivers.get(gate.name)}) for gate in policy.gates)
    verdict = conclude(gates)
    return Decision(
        verdict=verdict,
        reason=_reason(verdict, selection, gates),
        selection=selection,
        gates=gates,
        evidence_sha256=evidence_sha256(evidence),
        policy_sha256=policy.sha256,
        decided_on=circumstances.today if policy.waivers else None,
        facts=circumstances.facts,
    )


def conclude(gates: Sequence[GateResult]) -> Verdict:
    """Any critical FAIL rejects; all critical PASS promotes; anything else, also no critical gate at all, holds.

    A gate under a valid waiver neither rejects nor holds, but at least one critical gate must really pass.
    """
    critical = [gate for gate in gates if gate.tier is Tier.CRITICAL]
    counted = [gate.outcome for gate in critical if not gate.waived]
    if Outcome.FAIL in counted:
        return Verdict.REJECT
    if counted and all(outcome is Outcome.PASS for outcome in counted):
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
    counted = [values[c.name] for c in group.counted]  # a seed or a file that is there twice must not weigh twice
    known = [value for value in counted if value is not None]
    return RankedConfiguration(
        label=group.label,
        candidates=tuple(c.name for c in ordered),
        seeds=tuple(c.seed for c in ordered),
        values=tuple(values[c.name] for c in ordered),
        mean=fmean(known) if len(known) == len(counted) else None,
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
    waived = [gate for gate in critical if gate.waived]
    aside = f" ({_waived(waived)})" if waived else ""
    if verdict is Verdict.REJECT:
        failed = [gate for gate in critical if gate.outcome is Outcome.FAIL and not gate.waived]
        return f"{len(failed)} of {len(critical)} critical gates failed: {_listed(failed, reasons=True)}{aside}."
    if selection.candidate is None:
        return f"No candidate can be proposed: {selection.reason}."
    if verdict is Verdict.PROMOTE:
        passed = len(critical) - len(waived)
        return (
            f"{passed} of {len(critical)} critical gates passed{aside}."
            if waived
            else (f"All {len(critical)} critical gates passed.")
        )
    still_open = [gate for gate in critical if gate.outcome is Outcome.NOT_ENOUGH_EVIDENCE and not gate.waived]
    without = [g for g in still_open if g.estimate.value is not None and not g.estimate.has_interval]
    cause = _cause(len(without), len(still_open))
    return f"{len(still_open)} of {len(critical)} critical gates lack evidence{cause}: {_listed(still_open)}{aside}."


def _waived(gates: Sequence[GateResult]) -> str:
    said = [f"{g.gate}, {g.outcome}, by {g.waiver.author} until {g.waiver.expires}" for g in gates if g.waiver]
    return f"waived: {'; '.join(said)}"


def _cause(n_without_interval: int, n_open: int) -> str:
    if not n_without_interval:
        return ""
    how_many = "all" if n_without_interval == n_open else str(n_without_interval)
    return f" ({how_many} of them because there is no interval)"


def _listed(gates: Sequence[GateResult], *, reasons: bool = False) -> str:
    return "; ".join(f"{gate.gate} ({gate.reason})" if reasons else gate.gate for gate in gates)
