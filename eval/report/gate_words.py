"""What a gate said, in the words that a pipeline shows: the same for the terminal, JUnit and the Markdown summary."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import interval, score, signed
from robust.eval.decision.records import GateResult, Outcome, Tier
from robust.eval.metrics.interval import VERY_SMALL

_WORST_FIRST = {Outcome.FAIL: 0, Outcome.NOT_ENOUGH_EVIDENCE: 1, Outcome.PASS: 2}
_CRITICAL_FIRST = {Tier.CRITICAL: 0, Tier.SUPPORTING: 1, Tier.INFORMATIONAL: 2}


def blocks(gate: GateResult) -> bool:
    """Whether a gate stands in the way of a promotion: critical, not passed, for lack of evidence too, not waived."""
    return gate.tier is Tier.CRITICAL and gate.outcome is not Outcome.PASS and not gate.waived


def worst_first(gates: Sequence[GateResult]) -> list[GateResult]:
    """Gates that block, then other failures, then what is open, then what passed; critical ones first."""
    return sorted(gates, key=lambda g: (not blocks(g), _WORST_FIRST[g.outcome], _CRITICAL_FIRST[g.tier]))


def standing(gate: GateResult) -> str:
    """``FAIL``, or ``FAIL, waived``."""
    return f"{gate.outcome}, waived" if gate.waived else gate.outcome.value


def waiver(gate: GateResult) -> str:
    """Who waives the gate, until when and why, or why the waiver does not count; empty without one."""
    if gate.waiver is None:
        return ""
    told = f"{gate.waiver.author}, until {gate.waiver.expires.isoformat()}: {gate.waiver.reason}"
    return f"Waived by {told}" if gate.waiver.valid else f"The waiver of {told} does not count: {gate.waiver.note}"


def observed(gate: GateResult) -> str:
    """The observed value with its interval, or why there is none."""
    text = value(gate)
    if gate.estimate.value is None or is_counted(gate):
        return text
    return f"{text} {ends(gate)}" if gate.estimate.has_interval else f"{text}, no interval"


def is_counted(gate: GateResult) -> bool:
    """Whether the value is exact: counted, or chosen as a threshold is."""
    return gate.unit in {"count", "MB"} or gate.kind == "operating_point"


def value(gate: GateResult) -> str:
    """The observed value alone, in its unit, or why it is missing."""
    found = gate.estimate
    if found.value is None:
        return found.missing
    if gate.unit == "count":
        return f"{found.value:,.0f}"
    if gate.unit in {"MB", "ms"}:
        return f"{found.value:,.1f} {gate.unit}"
    return signed(found) if gate.unit == "difference" else score(found)


def ends(gate: GateResult) -> str:
    """The interval alone, in its unit."""
    if gate.unit == "ms" and gate.estimate.low is not None and gate.estimate.high is not None:
        return f"[{gate.estimate.low:,.1f}, {gate.estimate.high:,.1f}]"
    return interval(gate.estimate)


def reason(gate: GateResult) -> str:
    """Why the gate answers so, whether the sample is too small to lean on, and who waives it."""
    small = VERY_SMALL if gate.estimate.has_interval and VERY_SMALL in gate.estimate.note else ""
    return "; ".join(part for part in (gate.reason, small, waiver(gate)) if part)


def place(gate: GateResult) -> str:
    """Metric, split and variant that it was read on."""
    return ", ".join(part for part in (gate.metric, gate.split, gate.variant) if part)
