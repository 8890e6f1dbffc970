"""The audit as JUnit: one test for each rule, errors red, silence never green, and no name breaks the file."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from robust.eval.audit.junit import to_junit
from robust.eval.audit.not_made import NO_RUNS
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity

# Lone surrogates are refused by the records themselves.
HOSTILE = "]]></failure><script>alert(1)</script> & \"q\" 'p'\n\n\x00\x1b[31m\x85\ufffe\uffff\u202e é 夜"

# Attributes that the schemas of Jenkins (xUnit plugin), Ant and GitLab's reader have in common.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}


def finding(rule: str, severity: Severity, *runs: str, what: str = "It is 0.5.") -> AuditFinding:
    return AuditFinding(rule=rule, severity=severity, runs=runs, what=what, why="It matters.", remedy="Mend it.")


AUDIT = AuditEvidence(
    rules=("best-epoch-last", "leakage", "small-val-set", "split-counts"),
    not_checked={"baseline-not-evaluated": "no run says", "duplicate-run": "half"},
    n_runs=3,
    findings=(
        finding("leakage", Severity.ERROR, what="Two pairs."),
        finding("leakage", Severity.ERROR, what="Three pairs."),
        finding("best-epoch-last", Severity.NOTE, "a"),
        finding("duplicate-run", Severity.WARNING, "a", "b"),
        finding("leakage", Severity.WARNING),
        finding("small-val-set", Severity.WARNING, "b", "a"),
    ),
)


def read(audit: AuditEvidence) -> ElementTree.Element:
    root = ElementTree.fromstring(to_junit(audit).encode("utf-8"))
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
    return root


def shown(audit: AuditEvidence) -> dict[str, tuple[str, str]]:
    """Rule -> what its test is shown as, and the text of it."""
    found = {}
    for case in read(audit).iter("testcase"):
        results = list(case)
        assert len(results) <= 1
        tag, text = (results[0].tag, results[0].text or "") if results else ("passed", "")
        found[case.attrib["name"]] = (tag, text)
    return found


def test_each_rule_is_one_test_in_its_colour() -> None:
    assert {rule: tag for rule, (tag, _) in shown(AUDIT).items()} == {
        "baseline-not-evaluated": "skipped",
        "best-epoch-last": "system-out",
        "duplicate-run": "skipped",
        "leakage": "failure",
        "small-val-set": "system-out",
        "split-counts": "passed",
    }


def test_the_counts_are_those_of_the_tests() -> None:
    for element in (read(AUDIT), read(AUDIT)[0]):
        counts = {name: element.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "6", "failures": "1", "errors": "0", "skipped": "2"}
    properties = {p.attrib["name"]: p.attrib["value"] for p in read(AUDIT).iter("property")}
    assert properties == {"runs": "3", "errors": "2", "warnings": "3", "notes": "1", "not_checked": "2"}


def test_a_failure_tells_every_finding_of_its_rule() -> None:
    [failure] = read(AUDIT).iter("failure")
    assert failure.attrib == {"message": "Two pairs.", "type": "error"}
    assert failure.text is not None
    assert [line for line in failure.text.splitlines() if line.startswith(("error", "warning"))] == [
        "error: Two pairs.",
        "error: Three pairs.",
        "warning: It is 0.5.",
    ]


def test_a_skipped_check_keeps_what_it_found_and_says_why() -> None:
    assert shown(AUDIT)["duplicate-run"][1].splitlines() == [
        "warning: It is 0.5.",
        "why: It matters.",
        "what to do: Mend it.",
        "runs: a, b",
        "not checked: half",
    ]


def test_an_error_stays_red_though_its_check_was_not_finished() -> None:
    audit = AUDIT.model_copy(update={"not_checked": {"leakage": "test was not compared"}})
    tag, text = shown(audit)["leakage"]
    assert tag == "failure" and "not checked: test was not compared" in text


def test_without_runs_nothing_about_runs_is_green() -> None:
    nothing = AuditEvidence(rules=("claimed-mean", "leakage"), n_runs=0)
    assert shown(nothing) == {"leakage": ("skipped", f"not checked: {NO_RUNS}"), "claimed-mean": ("passed", "")}


@pytest.mark.parametrize("severity", list(Severity))
def test_no_name_breaks_the_file(severity: Severity) -> None:
    audit = AuditEvidence(
        rules=(),
        not_checked={"split-counts": HOSTILE},
        n_runs=1,
        findings=(finding("leakage", severity, HOSTILE, what=HOSTILE),),
    )
    root = read(audit)
    assert root.find(".//script") is None
    text = "".join(root.itertext())
    assert "alert(1)" in text and "\\u0000\\u001b[31m \\ufffe\\uffff\\u202e é 夜" in text  # a line end is a blank
    assert not any(ord(c) < 32 and c != "\n" for c in text)


def test_the_same_audit_gives_the_same_text() -> None:
    again = AuditEvidence.model_validate_json(AUDIT.model_dump_json())
    assert to_junit(AUDIT) == to_junit(again)
