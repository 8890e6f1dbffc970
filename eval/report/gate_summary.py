"""The decision as a page of Markdown for a pull request or the summary of a pipeline."""

from __future__ import annotations

from robust.eval.decision.records import Decision, GateResult
from robust.eval.report.build import SYMBOLS
from robust.eval.report.context import Cell, Code, Fact, Row, Table, escape_markdown, map_text, printable
from robust.eval.report.gate_words import observed, place, reason, standing, worst_first
from robust.eval.report.render import environment


def gate_summary(decision: Decision) -> str:
    """Write a decision as GitHub-flavoured Markdown; names and reasons are shown as they are, never as markup."""
    facts, table = map_text(map_text((_facts(decision), _table(decision)), printable), escape_markdown)
    verdict = map_text(map_text((decision.verdict.value, decision.reason), printable), escape_markdown)
    return (
        environment(html=False)
        .get_template("gate_summary.md.j2")
        .render(word=verdict[0], reason=verdict[1], symbol=SYMBOLS[decision.verdict], facts_list=facts, gates=table)
    )


def _facts(decision: Decision) -> tuple[Fact, ...]:
    facts = [
        Fact("Proposed candidate", decision.candidate or "none"),
        Fact("Selection", decision.selection.reason),
        Fact("Evidence sha256", Code(decision.evidence_sha256)),
        Fact("Policy sha256, of its content", Code(decision.policy_sha256)),
    ]
    if decision.decided_on is not None:
        facts.append(Fact("Waivers held against", decision.decided_on.isoformat()))
    return tuple(facts)


def _table(decision: Decision) -> Table:
    columns = ("Gate", "Outcome", "Observed", "Requirement", "Tier", "Reason")
    rows = tuple(Row(gate.gate, _cells(gate)) for gate in worst_first(decision.gates))
    return Table("gates", "Gates, failures first", columns, rows, empty="The policy has no gate, so nothing was shown.")


def _cells(gate: GateResult) -> tuple[Cell, ...]:
    return (
        Cell(f"{SYMBOLS[gate.outcome]} {standing(gate)}"),
        Cell(f"{observed(gate)} ({place(gate)})"),
        Cell(gate.requirement),
        Cell(gate.tier.value),
        Cell(reason(gate)),
    )
