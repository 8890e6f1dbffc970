"""The decision as an in-toto statement, for tools that gate a release on attestations. Pure.

Formats: in-toto Statement v1 and the predicate test-result v0.1 (https://github.com/in-toto/attestation, spec/v1 and
spec/predicates/test-result.md). The file is not signed itself; what people sign is described in
`robust.eval.report.approval`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from robust.eval.decision.records import Decision, GateResult, Outcome, Tier, Verdict
from robust.eval.evidence.records import CandidateEvidence, Evidence

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
ABOUT = ("evidence.json", "decision.json", "report.html")
"""Files of the report that the statement is about, beside the weights."""
CONFIGURATION = ("policy.yaml", "card.yaml")


def result_of(decision: Decision) -> str:
    """PASSED for PROMOTE; WARNED for PROMOTE with a waived critical gate; FAILED for HOLD and REJECT.

    In this predicate WARNED means "passed, with warnings", so a HOLD, which has not passed, must not be WARNED.
    """
    if decision.verdict is not Verdict.PROMOTE:
        return "FAILED"
    return "WARNED" if any(gate.tier is Tier.CRITICAL and gate.waived for gate in decision.gates) else "PASSED"


def list_of(gate: GateResult) -> str:
    """Which list of tests a gate is in.

    ``failedTests``: critical and not passed, for lack of evidence too. ``warnedTests``: not passed, but waived or not
    critical.
    """
    if gate.outcome is Outcome.PASS:
        return "passedTests"
    return "failedTests" if gate.tier is Tier.CRITICAL and not gate.waived else "warnedTests"


def to_statement(evidence: Evidence, decision: Decision, files: Mapping[str, bytes]) -> str:
    """Write the statement as JSON text.

    Args:
        evidence: Of the study; it knows the hash of the proposed weights.
        decision: What was decided.
        files: Content of the report's files by name.

    Returns:
        JSON with subjects (weights of the proposed candidate, evidence, decision, report), result, and one entry for
        each gate.
    """
    proposed = next((c for c in evidence.candidates if c.name == decision.candidate and c.role == "candidate"), None)
    lists: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for gate in decision.gates:
        lists[list_of(gate)].append(gate.gate)
    subjects = [_weights(proposed)] if proposed else []
    subjects += [_described(name, files[name]) for name in ABOUT]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [_with_verdict(subject, decision) for subject in subjects],
        "predicateType": TEST_RESULT,
        "predicate": {
            "result": result_of(decision),
            "configuration": [_described(name, files[name]) for name in CONFIGURATION],
            **lists,
        },
    }
    return json.dumps(statement, indent=2, ensure_ascii=False) + "\n"


def _weights(candidate: CandidateEvidence) -> dict[str, Any]:
    """The weights, or the detections that were judged in their place."""
    kind = "weights" if candidate.weights_bytes is not None else "detections"
    return {"name": f"{kind} of {candidate.name}", "digest": {"sha256": candidate.weights_sha256}}


def _described(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}


def _with_verdict(subject: dict[str, Any], decision: Decision) -> dict[str, Any]:
    """What the predicate has no word for goes with the decision file.

    HOLD and REJECT are both FAILED, and a gate that lacks evidence stands in the list of those that failed.
    """
    if subject["name"] != "decision.json":
        return subject
    annotations = {
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "gatesWithoutEnoughEvidence": [
            gate.gate for gate in decision.gates if gate.outcome is Outcome.NOT_ENOUGH_EVIDENCE
        ],
        "waivedGates": [gate.gate for gate in decision.gates if gate.waived],
    }
    return {**subject, "annotations": annotations}
