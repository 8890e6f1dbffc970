"""``robust report``, ``robust gate`` and ``robust verify`` on an evidence file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from robust.cli.output import echo_untranslated
from tests.eval.evidence_builder import build_evidence, change_candidates


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    small = change_candidates(build_evidence(), lambda c: c if "sz416" in c.name or c.name == "yolov8n@416" else None)
    path = tmp_path / "evidence.json"
    path.write_text(small.to_json(), encoding="utf-8")
    return path


def run(*args: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(robust, [str(arg) for arg in args], env=env)


def test_report_writes_a_folder_that_verify_accepts(tmp_path: Path, evidence: Path) -> None:
    out = tmp_path / "out"
    done = run("report", "--evidence", evidence, "-o", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("HOLD: ") and str(out / "report.html") in done.stdout
    assert run("verify", out).exit_code == 0
    assert json.loads(run("verify", out, "--json").stdout)["verified"][0] == "evidence.json"
    (out / "report.md").write_text("PROMOTE")
    broken = run("verify", out)
    assert broken.exit_code == 5 and "report.md" in broken.stderr and broken.stdout == ""


def test_report_and_gate_speak_json(tmp_path: Path, evidence: Path) -> None:
    told = json.loads(run("report", "--evidence", evidence, "-o", tmp_path / "out", "--json").stdout)
    assert told["decision"]["verdict"] == "HOLD" and len(told["sha256"]) == 64
    assert json.loads(run("gate", "--evidence", evidence, "--json").stdout)["verdict"] == "HOLD"


def test_gate_exits_with_the_decision(tmp_path: Path, evidence: Path) -> None:
    assert run("gate", "--evidence", evidence).exit_code == 4
    policy = tmp_path / "policy.yaml"
    text = "version: 1\nname: p\ngates:\n- {name: seeds, kind: seeds, tier: critical, minimum: %d}\n"
    policy.write_text(text % 2)
    assert run("gate", "--evidence", evidence, "--policy", policy).exit_code == 0
    policy.write_text(text % 3)
    assert run("gate", "--evidence", evidence, "--policy", policy).exit_code == 4
    policy.write_text("version: 1\nname: p\ngates:\n- {name: small, kind: size, tier: critical, maximum_mb: 1}\n")
    rejected = run("gate", "--evidence", evidence, "--policy", policy)
    assert rejected.exit_code == 3 and rejected.stdout.startswith(
        "REJECT: 1 of 1 critical gates failed: small (size of the weights file as evaluated)."
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["report"], "Say where the evidence is"),
        (["gate", "--evidence", "EVIDENCE", "--experiment", "x"], "Say where the evidence is"),
        (["report", "--evidence", "EVIDENCE", "--lang", "de"], "'de' is not one of 'en', 'fr'"),
        (["sweep", "--experiment", "x", "--lang", "de"], "'de' is not one of 'en', 'fr'"),
        (["report", "--evidence", "none.json"], "cannot be read"),
        (["gate", "--evidence", "EVIDENCE", "--policy", "none.yaml"], "cannot be read"),
        (["report", "--evidence", "EVIDENCE", "--card", "none.yaml"], "cannot be read"),
        (["verify", "nowhere"], "holds no report"),
    ],
)
def test_wrong_usage_exits_with_2_and_writes_nothing(
    args: list[str], words: str, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(evidence.parent)
    done = run(*(str(evidence) if arg == "EVIDENCE" else arg for arg in args))
    assert done.exit_code == 2 and words in done.stderr and done.stdout == ""
    assert [path.name for path in evidence.parent.iterdir()] == ["evidence.json"]


@pytest.mark.parametrize("command", ["report", "sweep"])
def test_the_help_tells_of_the_languages(command: str) -> None:
    told = " ".join(run(command, "--help").stdout.split())
    assert "--lang [en|fr] Language of the report. [default: en]" in told


def test_what_stays_english_is_told_once_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    echo_untranslated(["some words", "more words", "some words"])
    echo_untranslated([])
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == "2 texts stayed English, such as: some words\n"


def test_a_file_named_on_the_command_line_goes_before_the_environment(evidence: Path) -> None:
    assert run("gate", "--evidence", evidence, env={"ROBUST_EXPERIMENT": "x"}).exit_code == 4
