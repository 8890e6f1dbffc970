"""What the audit of the training runs found, and what it could not look at."""

from __future__ import annotations

from robust.eval.decision.claims import listed, plural
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity
from robust.eval.report.context import Cell, Row, Table
from robust.eval.report.view import View

STYLES = {Severity.ERROR: "fail", Severity.WARNING: "open", Severity.NOTE: ""}
MANY_RUNS = 6
"""More runs than this are counted instead of named; robust audit names them all."""


def audit_note(view: View) -> str:
    """How many runs were looked at, and what was found."""
    audit = view.study.evidence.audit
    if audit is None or not audit.n_runs:
        return "Not audited: the candidates come without training runs."
    counts = [plural(audit.count(severity), severity.value) for severity in Severity]
    return (
        f"{plural(len(audit.rules), 'check')} of {plural(audit.n_runs, 'training run')} found {listed(counts)}. "
        "An error makes a comparison of trainings invalid, a warning weakens it, a note is worth knowing."
    )


def audit_table(view: View) -> Table:
    """Every finding, errors first."""
    audit = view.study.evidence.audit
    rows = tuple(_row(finding) for finding in (audit.findings if audit else ()))
    columns = ("Check", "Severity", "What was found", "Runs", "Why it matters", "What to do")
    empty = "No finding." if audit and audit.n_runs else audit_note(view)
    return Table("audit", "Findings of the audit of the training runs, errors first", columns, rows, empty)


def _row(finding: AuditFinding) -> Row:
    runs = ", ".join(finding.runs) if len(finding.runs) <= MANY_RUNS else plural(len(finding.runs), "run")
    cells = (
        Cell(finding.severity.value, STYLES[finding.severity]),
        Cell(finding.what),
        Cell(runs or "the data"),
        Cell(finding.why),
        Cell(finding.remedy),
    )
    return Row(finding.rule, cells)


def not_audited(view: View) -> tuple[str, ...]:
    """Checks that could not be made, each with the reason."""
    audit: AuditEvidence | None = view.study.evidence.audit
    if audit is None or not audit.n_runs:
        return ()
    return tuple(f"{rule}: {why}" for rule, why in sorted(audit.not_checked.items()))
