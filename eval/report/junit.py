"""The decision as JUnit XML, which GitLab, Jenkins and GitHub actions show as a list of tests.

A case for the decision itself and one for each gate. Only a promotion gives a suite without failures:

- the decision fails unless it is PROMOTE, so that a HOLD without a single failed gate is not green;
- a critical gate that did not pass is a failure, for lack of evidence too. It is not an ``<error>``, which some readers
  leave out of the count, and never ``<skipped>``, which all of them let through;
- a supporting or informational gate that did not pass, and a gate under a valid waiver, is skipped with its reason:
  seen, and not red.

Readers differ in what they show, so the reason stands both in the attribute ``message`` and in the text.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from robust.eval.decision.records import Decision, GateResult, Outcome, Verdict
from robust.eval.report.context import printable
from robust.eval.report.gate_words import blocks, observed, place, standing, waiver, worst_first

SUITE = "robust gate"


def junit(decision: Decision) -> bytes:
    """Write a decision as JUnit XML: UTF-8, the same bytes for the same decision."""
    cases = [_decision_case(decision), *(_gate_case(gate) for gate in worst_first(decision.gates))]
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
    suite.append(_properties(decision))
    suite.extend(cases)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _properties(decision: Decision) -> ElementTree.Element:
    properties = ElementTree.Element("properties")
    told = {
        "verdict": decision.verdict.value,
        "candidate": decision.candidate or "none",
        "evidence_sha256": decision.evidence_sha256,
        "policy_sha256": decision.policy_sha256,
        "decided_on": decision.decided_on.isoformat() if decision.decided_on else "",
    }
    properties.extend(_element("property", name=name, value=value) for name, value in told.items() if value)
    return properties


def _decision_case(decision: Decision) -> ElementTree.Element:
    case = _element("testcase", classname="robust.gate.decision", name="decision", time=0)
    lines = [
        f"{decision.verdict}: {decision.reason}",
        f"Proposed candidate: {decision.candidate or 'none'}",
        f"Evidence sha256: {decision.evidence_sha256}",
        f"Policy sha256: {decision.policy_sha256}",
    ]
    if decision.verdict is not Verdict.PROMOTE:
        case.append(_result("failure", lines, message=lines[0], kind=decision.verdict.value))
    else:
        case.append(_result("system-out", lines))
    return case


def _gate_case(gate: GateResult) -> ElementTree.Element:
    case = _element("testcase", classname=f"robust.gate.{gate.tier}", name=gate.gate, time=0)
    lines = [
        f"{standing(gate)}: {gate.reason}",
        f"Required: {gate.requirement}",
        f"Observed: {observed(gate)} ({place(gate)})",
        waiver(gate),
    ]
    if blocks(gate):
        case.append(_result("failure", lines, message=lines[0], kind=gate.outcome.value))
    elif gate.outcome is not Outcome.PASS:
        case.append(_result("skipped", lines, message=lines[0]))
    else:
        case.append(_result("system-out", lines))
    return case


def _result(tag: str, lines: list[str], *, message: str = "", kind: str = "") -> ElementTree.Element:
    given = {"message": message, "type": kind}
    found = _element(tag, **{name: value for name, value in given.items() if value})
    found.text = "\n".join(_text(line) for line in lines if line)
    return found


def _element(tag: str, **attributes: str | int) -> ElementTree.Element:
    return ElementTree.Element(tag, {name: _text(str(value)) for name, value in attributes.items()})


def _text(text: str) -> str:
    """One line that XML 1.0 may hold: it has no place for control characters, lone surrogates, U+FFFE and U+FFFF."""
    return re.sub("[\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", printable(text))
