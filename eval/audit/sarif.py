"""The audit as SARIF 2.1.0, which code hosts and editors show as alerts.

Source: OASIS Standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; its sections are named below.
A finding is a result of its rule; a check that could not be made is a notification about its rule, so that its silence
is not read as approval. Nothing is linked and nothing is Markdown, whatever a run is called.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote

from robust import __version__
from robust.eval.audit.not_made import reasons_of
from robust.eval.audit.plain_text import printable
from robust.eval.audit.registry import CHECKS
from robust.eval.evidence.findings import AuditEvidence, AuditFinding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
VERSION = "2.1.0"
_LINK = re.compile(r"\[(?=[^\[\]]*\]\()")  # what 3.11.6 would read as the start of a link

Node = dict[str, Any]


def to_sarif(audit: AuditEvidence, *, place: str | None = None) -> str:
    """Write an audit as SARIF.

    Args:
        audit: What was found.
        place: A file of the repository that the findings are shown at, such as ``robust.yaml``, with forward slashes;
            GitHub refuses results without one. None: findings name their runs only.

    Returns:
        JSON text in ASCII, one trailing newline; the same for the same audit.
    """
    rules = sorted({*audit.rules, *audit.not_checked, *(finding.rule for finding in audit.findings)})
    run = {
        "tool": {"driver": _driver(rules)},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _not_made(audit)}],
        "results": [_result(finding, rules.index(finding.rule), place) for finding in audit.findings],
        "properties": {"runsLookedAt": audit.n_runs, "checksMade": list(audit.rules)},
    }
    log = {"$schema": SCHEMA, "version": VERSION, "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _driver(rules: list[str]) -> Node:
    asks = {check.rule: check.asks for check in CHECKS}
    return {
        "name": "robust audit",
        "version": __version__,
        "rules": [
            {"id": rule, **({"shortDescription": _message(asks[rule])} if rule in asks else {})} for rule in rules
        ],
    }


def _not_made(audit: AuditEvidence) -> list[Node]:
    return [
        {"level": "note", "message": _message(f"{rule} was not checked: {why}."), "associatedRule": {"id": rule}}
        for rule, why in sorted(reasons_of(audit).items())
    ]


def _result(finding: AuditFinding, index: int, place: str | None) -> Node:
    result: Node = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": _message(f"{finding.what} {finding.why} {finding.remedy}"),
        "partialFingerprints": {"robustFinding/v1": _fingerprint(finding)},
        "properties": {
            "numbers": {_text(name): _value(value) for name, value in sorted(finding.numbers.items())},
            "why": _text(finding.why),
            "remedy": _text(finding.remedy),
        },
    }
    location = _location(finding, place)
    return {**result, "locations": [location]} if location else result


def _location(finding: AuditFinding, place: str | None) -> Node:
    """One place for all runs (3.28.4): they are one finding, and each name counts once."""
    names = list(dict.fromkeys(_text(name) for name in finding.runs))
    location: Node = {}
    if place is not None:
        location["physicalLocation"] = {"artifactLocation": {"uri": quote(place)}, "region": {"startLine": 1}}
    if names:
        location["logicalLocations"] = [{"name": name, "kind": "resource"} for name in names]
    return location


def _message(text: str) -> Node:
    """Plain text: braces are doubled (3.11.5), and what would be a link is not one (3.11.6)."""
    shown = _text(text).replace("{", "{{").replace("}", "}}")
    return {"text": _LINK.sub(r"\\[", shown)}


def _text(text: str) -> str:
    return printable(text)


def _value(value: float | int | str) -> float | int | str:
    return _text(value) if isinstance(value, str) else value


def _fingerprint(finding: AuditFinding) -> str:
    """What makes it the same finding in the next audit: its rule, its runs and its sentence."""
    told = json.dumps([finding.rule, list(finding.runs), finding.what])
    return hashlib.sha256(told.encode()).hexdigest()
