"""What a gate said, in the words that a pipeline shows: the same for the terminal, JUnit and the Markdown summary."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import interval, score, signed
from robust.eval.decision.records import GateResult, Outcome, Tier

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
    value = gate.estimate
    if value.value is None:
        return value.missing
    if gate.unit == "count":
        return f"{value.value:,.0f}"
    if gate.unit == "MB":
        return f"{value.value:,.1f} MB"
    if gate.unit == "ms":
        text, ends = f"{value.value:,.1f} ms", f"[{value.low or 0:,.1f}, {value.high or 0:,.1f}]"
    else:
        text, ends = signed(value) if gate.unit == "difference" else score(value), interval(value)
    if value.has_interval:
        return f"{text} {ends}"
    return text if gate.kind == "operating_point" else f"{text}, no interval"  # a threshold is chosen, not measured


def place(gate: GateResult) -> str:
    """Metric, split and variant that it was read on."""
    return ", ".join(part for part in (gate.metric, gate.split, gate.variant) if part)
