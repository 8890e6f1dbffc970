"""The audit as JUnit XML, which GitLab, Jenkins and GitHub actions show as a list of tests: one for each rule.

- an error is a failure;
- warnings and notes pass, and stand in the output of their test;
- a check that could not be made is skipped with its reason, and so is every check of runs when there was no run.

Readers differ in what they show, so the first sentence stands both in the attribute ``message`` and in the text.
"""

from __future__ import annotations

from xml.etree import ElementTree

from robust.eval.audit.not_made import reasons_of
from robust.eval.audit.plain_text import printable
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity

SUITE = "robust audit"
_CLASS = "robust.audit"


def to_junit(audit: AuditEvidence) -> str:
    """Write an audit as JUnit XML for a file in UTF-8; the same text for the same audit."""
    rules = sorted({*audit.rules, *audit.not_checked, *(finding.rule for finding in audit.findings)})
    cases = [_case(rule, audit) for rule in rules]
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": 0,
        "skipped": sum(case.find("skipped") is not None for case in cases),
        "time": 0,
    }
    root = _element("testsuites", name=SUITE, **counts)
    suite = _element("testsuite", name=SUITE, **counts)
    root.append(suite)
    suite.append(_properties(audit))
    suite.extend(cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _properties(audit: AuditEvidence) -> ElementTree.Element:
    properties = ElementTree.Element("properties")
    counted = {f"{severity}s": audit.count(severity) for severity in Severity}
    told = {"runs": audit.n_runs, **counted, "not_checked": len(audit.not_checked)}
    properties.extend(_element("property", name=name, value=value) for name, value in told.items())
    return properties


def _case(rule: str, audit: AuditEvidence) -> ElementTree.Element:
    case = _element("testcase", classname=_CLASS, name=rule, time=0)
    found = [finding for finding in audit.findings if finding.rule == rule]
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    lines = [line for finding in found for line in _lines(finding)]
    why_not = reasons_of(audit).get(rule)
    if why_not:
        lines.append(f"not checked: {why_not}")
    if errors:
        case.append(_result("failure", lines, message=errors[0].what, type=Severity.ERROR.value))
    elif why_not:
        case.append(_result("skipped", lines, message=f"not checked: {why_not}"))
    elif lines:
        case.append(_result("system-out", lines))
    return case


def _lines(finding: AuditFinding) -> list[str]:
    runs = [f"runs: {', '.join(finding.runs)}"] if finding.runs else []
    return [f"{finding.severity}: {finding.what}", f"why: {finding.why}", f"what to do: {finding.remedy}", *runs]


def _result(tag: str, lines: list[str], **attributes: str) -> ElementTree.Element:
    result = _element(tag, **attributes)
    result.text = "\n".join(printable(line) for line in lines)
    return result


def _element(tag: str, **attributes: str | int) -> ElementTree.Element:
    return ElementTree.Element(tag, {name: printable(str(value)) for name, value in attributes.items()})
