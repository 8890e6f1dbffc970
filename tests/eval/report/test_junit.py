"""The decision as JUnit and as a Markdown summary: only a promotion is green, and no name breaks the file."""

from __future__ import annotations

import itertools
import re
from datetime import date
from xml.etree import ElementTree

import pytest

from robust.eval.decision.decide import conclude, decide
from robust.eval.decision.policy import read_policy
from robust.eval.decision.records import (
    Decision,
    Estimate,
    GateResult,
    Outcome,
    Selection,
    Tier,
    Unit,
    Verdict,
    WaiverResult,
)
from robust.eval.metrics.interval import VERY_SMALL
from robust.eval.report.gate_summary import gate_summary
from robust.eval.report.gate_words import observed, reason
from robust.eval.report.junit import junit
from tests.eval.evidence_builder import build_evidence

HOSTILE = (
    "]]></failure><script>alert(1)</script> | `x` **b** & \"q\" 'p'\n\n# h "
    "\x00\x1b[31m\x85\ufffe\uffff\ud800\u202e é 夜"
)

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


def waiver(*, valid: bool, text: str = "pilot") -> WaiverResult:
    note = "" if valid else "it ended"
    return WaiverResult(author="A. Person", reason=text, expires=date(2026, 12, 31), valid=valid, note=note)


def gate(outcome: Outcome, tier: Tier = Tier.CRITICAL, waived: bool | None = None, text: str = "") -> GateResult:
    return GateResult(
        gate=f"{tier} {outcome} {waived}{text}",
        kind="metric",
        tier=tier,
        requirement=f"AP50 at least 0.600{text}",
        metric="AP50",
        variant="clean",
        split="test",
        unit="score",
        estimate=Estimate(value=0.731, low=0.5, high=0.9),
        bound=0.6,
        outcome=outcome,
        reason=f"the interval lies on both sides{text}",
        waiver=None if waived is None else waiver(valid=waived, text=f"pilot{text}"),
    )


def decision(*gates: GateResult, verdict: Verdict | None = None, text: str = "") -> Decision:
    return Decision(
        verdict=verdict or conclude(gates),
        reason=f"because{text}",
        selection=Selection(
            split="val", metric="AP50", rule="r", ranking=(), candidate=f"run{text}", reason=f"only one{text}"
        ),
        gates=gates,
        evidence_sha256="e" * 64,
        policy_sha256="b" * 64,
    )


def suite(made: Decision) -> ElementTree.Element:
    root = ElementTree.fromstring(junit(made))
    assert [child.tag for child in root] == ["testsuite"]
    return root[0]


def shown_as(case: ElementTree.Element) -> str:
    [child] = case
    return child.tag


EVERY = [gate(*kind) for kind in itertools.product(Outcome, Tier, (None, True, False))]


@pytest.mark.parametrize(
    ("outcome", "tier", "waived", "tag"),
    [
        (Outcome.PASS, Tier.CRITICAL, None, "system-out"),
        (Outcome.PASS, Tier.INFORMATIONAL, None, "system-out"),
        (Outcome.FAIL, Tier.CRITICAL, None, "failure"),
        (Outcome.NOT_ENOUGH_EVIDENCE, Tier.CRITICAL, None, "failure"),
        (Outcome.FAIL, Tier.CRITICAL, True, "skipped"),
        (Outcome.NOT_ENOUGH_EVIDENCE, Tier.CRITICAL, True, "skipped"),
        (Outcome.FAIL, Tier.CRITICAL, False, "failure"),
        (Outcome.FAIL, Tier.SUPPORTING, None, "skipped"),
        (Outcome.NOT_ENOUGH_EVIDENCE, Tier.SUPPORTING, None, "skipped"),
        (Outcome.FAIL, Tier.INFORMATIONAL, None, "skipped"),
    ],
)
def test_lack_of_evidence_is_as_red_as_a_failure(outcome: Outcome, tier: Tier, waived: bool | None, tag: str) -> None:
    _, case = suite(decision(gate(outcome, tier, waived))).iter("testcase")
    assert shown_as(case) == tag
    assert case.attrib["classname"] == f"robust.gate.{tier}"
    assert (case[0].text or "").startswith(str(outcome))
    assert tag == "system-out" or case[0].attrib["message"].startswith(str(outcome))


def test_the_suite_is_green_exactly_when_the_verdict_is_promote() -> None:
    for pair in itertools.combinations(EVERY, 2):
        made = decision(*pair)
        assert (suite(made).attrib["failures"] == "0") == (made.verdict is Verdict.PROMOTE), pair


def test_a_hold_without_any_gate_or_failure_is_not_green() -> None:
    for made in (decision(), decision(gate(Outcome.FAIL, waived=True)), decision(gate(Outcome.PASS, Tier.SUPPORTING))):
        assert made.verdict is Verdict.HOLD
        first = next(suite(made).iter("testcase"))
        assert first.attrib["name"] == "decision" and shown_as(first) == "failure"


def test_counts_and_attributes_are_what_readers_expect() -> None:
    content = junit(decision(*EVERY))
    assert content.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<testsuites ')
    root = ElementTree.fromstring(content)
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
    cases = list(root.iter("testcase"))
    assert len(cases) == len(EVERY) + 1
    for top in (root, root[0]):
        assert top.attrib["tests"] == str(len(cases))
        assert top.attrib["failures"] == str(len(list(root.iter("failure"))))
        assert top.attrib["skipped"] == str(len(list(root.iter("skipped"))))
        assert top.attrib["errors"] == "0"
    names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
    assert len(set(names)) == len(names)
    told = {p.attrib["name"]: p.attrib["value"] for p in root.iter("property")}
    assert told["evidence_sha256"] == "e" * 64 and told["policy_sha256"] == "b" * 64 and told["candidate"] == "run"
    assert content == junit(decision(*EVERY))


def test_hostile_names_neither_break_the_xml_nor_get_lost() -> None:
    content = junit(decision(gate(Outcome.FAIL, waived=False, text=HOSTILE), text=HOSTILE))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|<script", content)
    root = ElementTree.fromstring(content)
    assert {element.tag for element in root.iter()} <= set(ATTRIBUTES)
    _, case = root.iter("testcase")
    assert "]]></failure><script>alert(1)</script>" in case.attrib["name"]
    text = case[0].text or ""
    assert "é 夜" in text and "\\u0000" in text and "\\ufffe\\uffff\\ud800\\u202e" in text
    assert len(text.splitlines()) == 4  # the outcome, what is required, what was observed, the waiver


def test_the_summary_shows_everything_with_what_blocks_first() -> None:
    page = gate_summary(decision(*EVERY))
    assert page.startswith("## Promotion decision: ✕ REJECT\n\n**REJECT.** because\n")
    assert f"- **Evidence sha256**: `{'e' * 64}`" in page
    assert f"- **Policy sha256, of its content**: `{'b' * 64}`" in page
    assert "- **Proposed candidate**: run\n" in page
    rows = [line for line in page.splitlines() if line.startswith("| critical") or line.startswith("| supporting")]
    assert len(rows) == 2 * 9 and rows[0].startswith("| critical FAIL None | ✕ FAIL | 0.731 \\[0.500, 0.900\\] (AP50,")
    assert [row.split(" | ")[1] for row in rows[:4]] == ["✕ FAIL"] * 2 + ["? NOT ENOUGH EVIDENCE"] * 2
    assert "✕ FAIL, waived" in page
    assert "Waived by A. Person, until 2026-12-31: pilot" in page
    assert "The waiver of A. Person, until 2026-12-31: pilot does not count: it ended" in page


def test_hostile_names_stay_inside_their_cell_of_the_summary() -> None:
    page = gate_summary(decision(gate(Outcome.FAIL, waived=True, text=HOSTILE), text=HOSTILE))
    assert "<script" not in page and "**b**" not in page and "\x1b" not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 3
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [7, 7, 7]
    assert not [line for line in page.splitlines() if line.startswith("# ")]


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("score", Estimate(value=0.5), "0.500, no interval"),
        ("difference", Estimate(value=0.25, low=0.125, high=0.375), "+0.250 [0.125, 0.375]"),
        ("count", Estimate(value=1200), "1,200"),
        ("MB", Estimate(value=6.53), "6.5 MB"),
        ("ms", Estimate(value=50, low=40, high=61), "50.0 ms [40.0, 61.0]"),
        ("ms", Estimate(value=50), "50.0 ms, no interval"),
        ("score", Estimate(value=None, missing="not measured"), "not measured"),
    ],
)
def test_observed_values_say_when_they_have_no_interval(unit: Unit, value: Estimate, text: str) -> None:
    assert observed(gate(Outcome.FAIL).model_copy(update={"unit": unit, "estimate": value})) == text


def test_a_real_decision_is_written_both_ways() -> None:
    made = decide(build_evidence(), read_policy())
    assert made.verdict is Verdict.HOLD
    cases = list(suite(made).iter("testcase"))
    assert cases[0].attrib["name"] == "decision" and len(cases) == len(made.gates) + 1
    page = gate_summary(made)
    assert all(one.gate in page for one in made.gates) and made.evidence_sha256 in page


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
def test_an_answer_from_a_very_small_sample_says_so(outcome: Outcome) -> None:
    plain = gate(outcome)
    small = Estimate(value=0.7, low=0.65, high=0.75, note=VERY_SMALL)
    assert reason(plain.model_copy(update={"estimate": small})) == f"{plain.reason}; {VERY_SMALL}"
    assert reason(plain) == plain.reason
    assert reason(plain.model_copy(update={"estimate": Estimate(value=0.7, note=VERY_SMALL)})) == plain.reason
