from __future__ import annotations

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext
from robust.eval.report.render import render_html, render_markdown
from tests.eval.evidence_builder import build_evidence

HOSTILE = "<img src=x onerror=alert(1)>"


def finding(rule: str, severity: Severity, runs: tuple[str, ...] = ()) -> AuditFinding:
    return AuditFinding(rule=rule, severity=severity, runs=runs, what=f"{rule} 3 of 4", why="It matters.", remedy="Do.")


def context(audit: AuditEvidence | None) -> ReportContext:
    evidence, policy = build_evidence().model_copy(update={"audit": audit}), read_policy()
    return build_context(evidence, policy, decide(evidence, policy), Card())


def gate(made: ReportContext) -> tuple[str, ...]:
    (row,) = [row for row in made.gates.rows if row.header == "the training runs are sound"]
    return tuple(cell.text for cell in row.cells)


def test_findings_are_printed_errors_first_with_runs_and_what_was_not_checked() -> None:
    audit = AuditEvidence(
        rules=("copies", "names"),
        not_checked={"leakage": "no data set was named"},
        n_runs=9,
        findings=(
            finding("names", Severity.ERROR, (HOSTILE,)),
            finding("copies", Severity.WARNING, tuple(f"r{i}" for i in range(7))),
            finding("data", Severity.NOTE),
        ),
    )
    made = context(audit)
    assert made.audit_note.startswith("2 checks of 9 training runs found 1 error, 1 warning and 1 note.")
    cells = [(row.header, row.cells[0].text, row.cells[2].text) for row in made.audit_table.rows]
    assert cells == [("names", "error", HOSTILE), ("copies", "warning", "7 runs"), ("data", "note", "the data")]
    assert made.not_audited == ("leakage: no data set was named",)
    assert gate(made)[0] == "✕ FAIL" and "1 finding: names" in gate(made)[-1]
    html, markdown = render_html(made), render_markdown(made)
    assert "names 3 of 4" in html and "leakage: no data set was named" in html and HOSTILE not in html
    assert "names 3 of 4" in markdown and HOSTILE not in markdown


def test_a_clean_audit_says_so_and_a_missing_one_is_no_clean_one() -> None:
    made = ("duplicate-result", "repeated-seed", "run-without-result")  # those that the policy insists on
    clean = context(AuditEvidence(rules=made, n_runs=4))
    assert gate(context(AuditEvidence(rules=made[:2], n_runs=4)))[0] == "? NOT ENOUGH EVIDENCE"
    assert "found 0 errors, 0 warnings and 0 notes" in clean.audit_note and clean.audit_table.empty == "No finding."
    assert gate(clean)[0] == "✓ PASS"
    for audit in (None, AuditEvidence(rules=("copies",), n_runs=0)):
        missing = context(audit)
        assert (
            missing.audit_note
            == missing.audit_table.empty
            == ("Not audited: the candidates come without training runs.")
        )
        assert gate(missing)[0] == "? NOT ENOUGH EVIDENCE"
