"""The audit as SARIF: valid, complete, the same bytes every time, and no name of a run gets out of its string."""

from __future__ import annotations

import json
from typing import Any

import pytest

from robust.eval.audit.not_made import NO_RUNS, reasons_of
from robust.eval.audit.registry import CHECKS
from robust.eval.audit.sarif import to_sarif
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity

HOSTILE = "\x00\x1b[31m\ufffe\u202e</script> [click](http://evil) {0} \"'\\ é 夜"

# Properties that the schema of SARIF 2.1.0 (OASIS) gives these objects, as far as they are used, and those it requires.
# Every object of that schema is closed: any other property makes the file invalid.
OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    "log": ({"$schema", "version", "runs"}, {"version", "runs"}),
    "run": ({"tool", "invocations", "results", "properties"}, {"tool"}),
    "tool": ({"driver"}, {"driver"}),
    "driver": ({"name", "version", "rules"}, {"name"}),
    "rule": ({"id", "shortDescription"}, {"id"}),
    "invocation": ({"executionSuccessful", "toolExecutionNotifications"}, {"executionSuccessful"}),
    "notification": ({"level", "message", "associatedRule"}, {"message"}),
    "result": (
        {"ruleId", "ruleIndex", "level", "message", "partialFingerprints", "properties", "locations"},
        {"message"},
    ),
    "location": ({"physicalLocation", "logicalLocations"}, set()),
    "physicalLocation": ({"artifactLocation", "region"}, {"artifactLocation"}),
    "logicalLocation": ({"name", "kind"}, set()),
    "message": ({"text"}, {"text"}),
}
LEVELS = {"none", "note", "warning", "error"}


def finding(rule: str, severity: Severity, *runs: str, what: str = "It is 0.5.", **numbers: Any) -> AuditFinding:
    return AuditFinding(
        rule=rule, severity=severity, runs=runs, what=what, numbers=numbers, why="It matters.", remedy="Mend it."
    )


AUDIT = AuditEvidence(
    rules=("best-epoch-last", "leakage", "small-val-set"),
    not_checked={"split-counts": "nobody declared {how} many"},
    n_runs=3,
    findings=(
        finding("leakage", Severity.ERROR, pairs=2),
        finding("small-val-set", Severity.WARNING, "b", "a", "a", difference=0.005, note="x"),
        finding("best-epoch-last", Severity.NOTE, "a"),
    ),
)


def check(kind: str, node: dict[str, Any]) -> None:
    allowed, required = OBJECTS[kind]
    assert required <= node.keys() <= allowed, kind


def valid(text: str) -> dict[str, Any]:
    """The run of a log, after everything that the schema asks of what we write was checked."""
    log = json.loads(text)
    check("log", log)
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    driver = run["tool"]["driver"]
    for kind, node in (("run", run), ("tool", run["tool"]), ("driver", driver)):
        check(kind, node)
    for rule in driver["rules"]:
        check("rule", rule)
    [invocation] = run["invocations"]
    check("invocation", invocation)
    assert isinstance(invocation["executionSuccessful"], bool)
    for notification in invocation["toolExecutionNotifications"]:
        check("notification", notification)
        assert notification["level"] in LEVELS and notification["associatedRule"].keys() == {"id"}
    for result in run["results"]:
        check_result(result, driver["rules"])
    messages = [one["message"] for one in (*run["results"], *invocation["toolExecutionNotifications"])]
    for message in (*messages, *(r["shortDescription"] for r in driver["rules"] if "shortDescription" in r)):
        check("message", message)
        assert isinstance(message["text"], str) and message["text"]
    found: dict[str, Any] = run
    return found


def check_result(result: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    check("result", result)
    assert result["level"] in LEVELS
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    for location in result.get("locations", []):
        check("location", location)
        places = location.get("logicalLocations", [])
        assert len({json.dumps(place) for place in places}) == len(places)  # "uniqueItems"
        for place in places:
            check("logicalLocation", place)
        if "physicalLocation" in location:
            check("physicalLocation", location["physicalLocation"])
            assert location["physicalLocation"]["artifactLocation"].keys() == {"uri"}
            assert location["physicalLocation"]["region"] == {"startLine": 1}


def test_every_finding_is_a_result_with_its_level_runs_and_numbers() -> None:
    leak, small, last = valid(to_sarif(AUDIT))["results"]
    assert [one["level"] for one in (leak, small, last)] == ["error", "warning", "note"]
    assert "locations" not in leak  # about the data
    [location] = small["locations"]
    assert location["logicalLocations"] == [{"name": "b", "kind": "resource"}, {"name": "a", "kind": "resource"}]
    assert small["properties"]["numbers"] == {"difference": 0.005, "note": "x"}
    assert small["message"]["text"] == "It is 0.5. It matters. Mend it."


def test_a_check_that_was_not_made_is_told_and_no_result() -> None:
    run = valid(to_sarif(AUDIT))
    [note] = run["invocations"][0]["toolExecutionNotifications"]
    assert note["associatedRule"] == {"id": "split-counts"}
    assert note["message"]["text"] == "split-counts was not checked: nobody declared {{how}} many."
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted([*AUDIT.rules, "split-counts"])


def test_without_runs_no_check_of_runs_is_silent() -> None:
    nothing = AuditEvidence(rules=("leakage", "claimed-mean"), n_runs=0)
    assert reasons_of(nothing) == {"leakage": NO_RUNS}  # claims need no run
    [note] = valid(to_sarif(nothing))["invocations"][0]["toolExecutionNotifications"]
    assert NO_RUNS in note["message"]["text"]


def test_rules_are_told_with_the_question_that_they_ask() -> None:
    every = AuditEvidence(rules=tuple(sorted({check.rule for check in CHECKS} | {"unknown-rule"})), n_runs=1)
    told = {rule["id"]: rule for rule in valid(to_sarif(every))["tool"]["driver"]["rules"]}
    assert told["unknown-rule"] == {"id": "unknown-rule"}
    assert {rule: told[rule]["shortDescription"]["text"] for rule in told if rule != "unknown-rule"} == {
        one.rule: one.asks for one in CHECKS
    }


def test_a_place_in_the_repository_makes_alerts_of_code_hosts() -> None:
    leak, small, _ = valid(to_sarif(AUDIT, place="my study/robust.yaml"))["results"]
    for result in (leak, small):
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"] == {"uri": "my%20study/robust.yaml"}
    assert small["locations"][0]["logicalLocations"]


def test_no_name_becomes_a_link_a_placeholder_or_a_control_character() -> None:
    audit = AuditEvidence(
        rules=("leakage",),
        n_runs=1,
        findings=(finding("leakage", Severity.ERROR, HOSTILE, what=f"Run {HOSTILE}.", **{HOSTILE: HOSTILE}),),
    )
    text = to_sarif(audit)
    assert text.isascii()
    [result] = valid(text)["results"]
    message = result["message"]["text"]
    assert "\\[click](http://evil) {{0}}" in message and "\x1b" not in message
    name = result["locations"][0]["logicalLocations"][0]["name"]
    assert name == "\\u0000\\u001b[31m\\ufffe\\u202e</script> [click](http://evil) {0} \"'\\ é 夜"


def test_an_interval_in_brackets_stays_as_it_is() -> None:
    audit = AuditEvidence(
        rules=("leakage",), n_runs=1, findings=(finding("leakage", Severity.NOTE, what="[0.1, 0.2]."),)
    )
    assert valid(to_sarif(audit))["results"][0]["message"]["text"].startswith("[0.1, 0.2].")


def test_the_same_audit_gives_the_same_text_and_another_finding_another_fingerprint() -> None:
    assert to_sarif(AUDIT) == to_sarif(AuditEvidence.model_validate_json(AUDIT.model_dump_json()))
    prints = [r["partialFingerprints"]["robustFinding/v1"] for r in valid(to_sarif(AUDIT))["results"]]
    assert len(set(prints)) == 3


@pytest.mark.parametrize("change", [{"rule": "leaked"}, {"runs": ("c",)}, {"what": "It is 0.6."}])
def test_the_fingerprint_is_of_rule_runs_and_sentence(change: dict[str, Any]) -> None:
    one = finding("leakage", Severity.ERROR, "a")
    prints = {
        valid(to_sarif(AuditEvidence(rules=(), n_runs=1, findings=(f,))))["results"][0]["partialFingerprints"][
            "robustFinding/v1"
        ]
        for f in (one, one.model_copy(update=change), one.model_copy(update={"remedy": "Do."}))
    }
    assert len(prints) == 2
