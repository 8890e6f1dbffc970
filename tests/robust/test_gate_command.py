"""``robust gate`` in a pipeline: exit codes, the JUnit file, the Markdown summary."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from tests.eval.evidence_builder import build_evidence, change_candidates

POLICY = "version: 1\nname: p\ngates:\n- {name: seeds, kind: seeds, tier: critical, minimum: %d}\n"
SIZE = "- {name: size, kind: size, tier: critical, maximum_mb: 1}\n"
IMAGES = "- {name: images, kind: images, tier: critical, minimum: 300}\n"
WAIVER = "waivers:\n- {gate: images, author: A. Person, reason: pilot, expires: %s}\n"


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    small = change_candidates(build_evidence(), lambda c: c if "sz416" in c.name or c.name == "yolov8n@416" else None)
    path = tmp_path / "evidence.json"
    path.write_text(small.to_json(), encoding="utf-8")
    return path


def run(*args: object, env: dict[str, str | None] | None = None) -> Result:
    clean: dict[str, str | None] = {"GITHUB_STEP_SUMMARY": None, **(env or {})}
    return CliRunner().invoke(robust, ["gate", *(str(arg) for arg in args)], env=clean)


def policy(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [(POLICY % 2, 0, "PROMOTE"), (POLICY % 2 + SIZE, 3, "REJECT"), (POLICY % 2 + IMAGES, 4, "HOLD")],
)
def test_exit_code_junit_and_summary_say_the_same(
    tmp_path: Path, evidence: Path, text: str, code: int, word: str
) -> None:
    report, summary = tmp_path / "new" / "gate.xml", tmp_path / "new" / "gate.md"
    rules = policy(tmp_path, text)
    done = run("--evidence", evidence, "--policy", rules, "--junit", report, "--summary", summary, "--json")
    assert done.exit_code == code, done.output
    told = json.loads(done.stdout)
    assert told["verdict"] == word
    suite = ElementTree.parse(report).getroot()
    assert suite.attrib["failures"] == ("2" if code else "0") and suite.attrib["tests"] == str(len(told["gates"]) + 1)
    page = summary.read_text(encoding="utf-8")
    assert f"**{word}.** " in page and told["evidence_sha256"] in page and told["policy_sha256"] in page
    assert report.stat().st_mode & 0o777 == rules.stat().st_mode & 0o777


def test_the_day_decides_whether_a_waiver_counts_as_in_the_report(tmp_path: Path, evidence: Path) -> None:
    valid = policy(tmp_path, POLICY % 2 + IMAGES + WAIVER % "9999-12-31")
    done = run("--evidence", evidence, "--policy", valid)
    assert done.exit_code == 0 and "NOT ENOUGH EVIDENCE, waived" in done.stdout
    late = policy(tmp_path, POLICY % 2 + IMAGES + WAIVER % "2001-01-01")
    done = run("--evidence", evidence, "--policy", late)
    assert done.exit_code == 4 and "NOT ENOUGH EVIDENCE, waived" not in done.stdout


def test_facts_of_the_card_count_as_in_the_report(tmp_path: Path, evidence: Path) -> None:
    asks = "version: 1\nname: p\ngates:\n- {name: facts, kind: human_facts, tier: critical, required: [owner]}\n"
    rules = policy(tmp_path, asks)
    card = tmp_path / "card.yaml"
    card.write_text("owner: Somebody\n", encoding="utf-8")
    assert run("--evidence", evidence, "--policy", rules).exit_code != 0
    assert run("--evidence", evidence, "--policy", rules, "--card", card).exit_code == 0


def test_on_github_the_summary_is_added_to_that_of_the_step(tmp_path: Path, evidence: Path) -> None:
    step = tmp_path / "step.md"
    step.write_text("# Earlier\n", encoding="utf-8")
    assert run("--evidence", evidence, env={"GITHUB_STEP_SUMMARY": str(step)}).exit_code == 4
    page = step.read_text(encoding="utf-8")
    assert page.startswith("# Earlier\n") and "**HOLD.** " in page
    own = tmp_path / "own.md"
    run("--evidence", evidence, "--summary", own, env={"GITHUB_STEP_SUMMARY": str(step)})
    assert step.read_text(encoding="utf-8") == page and "**HOLD.** " in own.read_text(encoding="utf-8")


def test_a_step_summary_that_cannot_be_written_warns_and_keeps_the_decision(tmp_path: Path, evidence: Path) -> None:
    done = run("--evidence", evidence, env={"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert done.exit_code == 4 and done.stdout.startswith("HOLD: ")
    assert "Warning: no summary was added" in done.stderr


def test_nothing_is_written_unless_asked(tmp_path: Path, evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--evidence", evidence).exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--junit", "evidence.json"], "is also the evidence"),
        (["--summary", "policy.yaml", "--policy", "policy.yaml"], "is also the policy"),
        (["--junit", "out", "--summary", "./out"], "is also the summary"),
        (["--junit", "evidence.json/gate.xml"], "cannot be written"),
        (["--policy", "none.yaml", "--junit", "gate.xml"], "cannot be read"),
    ],
)
def test_wrong_files_are_refused_and_nothing_is_lost(
    args: list[str], words: str, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evidence.parent)
    policy(evidence.parent, POLICY % 2)
    before = evidence.read_bytes()
    done = run("--evidence", "evidence.json", *args)
    assert done.exit_code == 2 and words in done.stderr and done.stdout == ""
    assert evidence.read_bytes() == before
    assert sorted(path.name for path in evidence.parent.iterdir()) == ["evidence.json", "policy.yaml"]
