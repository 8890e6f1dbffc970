"""The in-toto statement: only a promotion has passed."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Circumstances, Decision
from robust.eval.report.statement import result_of, to_statement
from tests.eval.report.written import GATES, PROPOSED, policy_for, small_evidence, written

FILES = {name: name.encode() for name in ("evidence.json", "decision.json", "report.html", "policy.yaml", "card.yaml")}


def decided(policy: Policy, day: date | None = None) -> Decision:
    return decide(small_evidence(), policy, Circumstances(today=day))


def statement(decision: Decision) -> dict[str, Any]:
    return dict(json.loads(to_statement(small_evidence(), decision, FILES)))


@pytest.mark.parametrize(
    ("verdict", "result", "place"),
    [("PROMOTE", "PASSED", "passedTests"), ("HOLD", "FAILED", "failedTests"), ("REJECT", "FAILED", "failedTests")],
)
def test_only_a_promotion_has_passed(verdict: str, result: str, place: str) -> None:
    found = statement(decided(policy_for(verdict)))["predicate"]
    gate = GATES[verdict]["name"]
    assert found["result"] == result
    assert {name: found[name] for name in ("passedTests", "warnedTests", "failedTests")} == {
        **{key: [] for key in ("passedTests", "warnedTests", "failedTests")},
        place: [gate],
    }


def test_what_the_predicate_cannot_say_goes_with_the_decision() -> None:
    """A gate without evidence has not failed, and a waived one was set aside by somebody."""
    waiver = {"gate": "size", "author": "A", "reason": "pilot", "expires": "2026-12-31"}
    gates = [{**GATES["REJECT"], "name": "size"}, GATES["HOLD"]]
    policy = Policy.model_validate({"version": 1, "name": "p", "gates": gates, "waivers": [waiver]})
    told = statement(decided(policy, date(2026, 12, 1)))
    (found,) = [subject["annotations"] for subject in told["subject"] if subject["name"] == "decision.json"]
    assert (found["gatesWithoutEnoughEvidence"], found["waivedGates"]) == (["images"], ["size"])
    assert told["predicate"]["failedTests"] == ["images"]


def test_a_promotion_that_needed_a_waiver_has_passed_with_warnings() -> None:
    waiver = {"gate": "images", "author": "A", "reason": "pilot", "expires": "2026-12-31"}
    gates = [GATES["PROMOTE"], GATES["HOLD"]]
    policy = Policy.model_validate({"version": 1, "name": "p", "gates": gates, "waivers": [waiver]})
    told = statement(decided(policy, date(2026, 12, 31)))["predicate"]
    assert (told["result"], told["warnedTests"], told["failedTests"]) == ("WARNED", ["images"], [])
    late = statement(decided(policy, date(2027, 1, 1)))["predicate"]
    assert (late["result"], late["warnedTests"], late["failedTests"]) == ("FAILED", [], ["images"])


def test_a_gate_that_is_not_critical_warns_and_never_fails() -> None:
    gates = [GATES["PROMOTE"], {**GATES["HOLD"], "tier": "supporting"}]
    decision = decided(Policy.model_validate({"version": 1, "name": "p", "gates": gates}))
    told = statement(decision)["predicate"]
    assert result_of(decision) == "PASSED"
    assert (told["passedTests"], told["warnedTests"], told["failedTests"]) == (["size"], ["images"], [])


def test_the_subjects_are_the_weights_and_files_of_the_report(tmp_path: Path) -> None:
    folder = written(tmp_path, "HOLD").folder
    told = json.loads((folder / "test-result.intoto.json").read_text(encoding="utf-8"))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    subjects = {subject["name"]: subject for subject in told["subject"]}
    proposed = next(c for c in small_evidence().candidates if c.name == PROPOSED)
    assert subjects.pop(f"weights of {PROPOSED}")["digest"] == {"sha256": proposed.weights_sha256}
    assert subjects["decision.json"]["annotations"]["verdict"] == "HOLD"
    described = [*subjects.values(), *told["predicate"]["configuration"]]
    assert [one["name"] for one in described] == [
        "evidence.json", "decision.json", "report.html", "policy.yaml", "card.yaml",
    ]  # fmt: skip
    for one in described:
        assert one["digest"]["sha256"] == hashlib.sha256((folder / one["name"]).read_bytes()).hexdigest()


def test_without_a_candidate_no_weights_are_a_subject() -> None:
    evidence = small_evidence()
    baselines = tuple(c for c in evidence.candidates if c.role == "baseline")
    alone = evidence.model_copy(update={"candidates": baselines})
    told = json.loads(to_statement(alone, decide(alone, policy_for("PROMOTE")), FILES))
    assert told["predicate"]["result"] == "FAILED"
    assert [subject["name"] for subject in told["subject"]] == ["evidence.json", "decision.json", "report.html"]


def test_another_reader_of_in_toto_understands_it() -> None:
    text = to_statement(small_evidence(), decided(policy_for("HOLD")), FILES)
    read = json_format.Parse(text, statement_pb2.Statement())
    predicate = json_format.MessageToDict(read)["predicate"]
    assert json_format.ParseDict(predicate, test_result_pb2.TestResult()).result == "FAILED"
