from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from robust.eval.tracking.store import Store
from tests.eval.audit.seed_study import log_run, parameters

WRONG = """
document: decision.md
comparisons:
  - {what: "416 against 320", metric: mAP50, first: 0.274, second: 0.269, percent: "+11.5 %"}
"""
RIGHT = WRONG.replace("+11.5", "+1.9")


def audit(tmp_path: Path, text: str, *args: str) -> Result:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    return CliRunner().invoke(robust, ["audit", "--claims", str(path), *args])


def test_a_wrong_percentage_is_told_with_the_right_one(tmp_path: Path) -> None:
    found = audit(tmp_path, WRONG)
    assert found.exit_code == 0
    assert "error: claimed-percentage" in found.stdout and "+1.9 %" in found.stdout
    assert found.stdout.splitlines()[-1].startswith("1 error, ")


@pytest.mark.parametrize(("text", "code"), [(WRONG, 3), (RIGHT, 0)])
def test_strict_exits_with_3_for_errors_only(tmp_path: Path, text: str, code: int) -> None:
    assert audit(tmp_path, text, "--strict").exit_code == code


def test_json_has_every_finding_and_the_checks_that_were_made(tmp_path: Path) -> None:
    told = json.loads(audit(tmp_path, WRONG, "--json").stdout)
    assert told["counts"]["error"] == 1 == sum(f["severity"] == "error" for f in told["findings"])
    assert "claimed-percentage" in told["rules"]


def test_names_with_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    found = audit(tmp_path, WRONG.replace("416 against 320", "\\x1b[2J416\\nerror: forged"))
    assert "\x1b" not in found.stdout and "\nerror: forged" not in found.stdout


def test_a_misspelt_key_and_an_alias_are_refused(tmp_path: Path) -> None:
    refused = audit(tmp_path, WRONG.replace("percent:", "percentt:"))
    assert refused.exit_code == 2 and "percent" in refused.stderr
    bomb = audit(tmp_path, "a: &a [1, 1]\nb: [*a, *a]\n")
    assert bomb.exit_code == 2 and "aliases" in bomb.stderr


@pytest.fixture
def uri(tmp_path: Path, new_store: Callable[[Path], Store]) -> str:
    """A store with two runs that differ in a rate that auto ignored; one has a hostile name."""
    store = new_store(tmp_path)
    for lr0, name in ((0.005, "slow"), (0.01, "<b>x</b>\x1b[2J\nerror: forged_s7")):
        log_run(store, "e", name, parameters(320, lr0, 1, optimizer="auto"), map50=0.7012550525858202)
    return store.tracking_uri


def run(uri: str, *args: str) -> Result:
    return CliRunner().invoke(robust, ["audit", "--tracking-uri", uri, *args])


def test_an_experiment_is_audited_errors_first_and_what_was_not_checked_is_told(uri: str) -> None:
    found = run(uri, "--experiment", "e")
    lines = found.stdout.splitlines()
    assert found.exit_code == 0
    heads = [line.split(":")[0] for line in lines if line.split(":")[0] in {"error", "warning", "note", "not checked"}]
    assert heads == sorted(heads, key=["error", "warning", "note", "not checked"].index) and heads[0] == "error"
    assert any(line.startswith("not checked: leakage: ") for line in lines)
    assert "error: ineffective-axis" in lines and lines[-1].startswith(f"{heads.count('error')} errors, ")
    assert "(2 runs, " in lines[-1]


def test_hostile_names_are_inert_in_the_text(uri: str) -> None:
    text = run(uri, "--experiment", "e").stdout
    assert "\x1b" not in text and "\\u001b[2J" in text
    assert not any(line.startswith("error: forged") for line in text.splitlines())


def test_json_has_the_audit_and_strict_exits_with_3(uri: str) -> None:
    found = run(uri, "--experiment", "e", "--json", "--strict")
    told = json.loads(found.stdout)
    assert found.exit_code == 3 and told["counts"]["error"] > 0
    assert told["n_runs"] == 2 and "leakage" in told["not_checked"] and "ineffective-axis" in told["rules"]


def test_runs_are_audited_by_id_and_go_before_the_experiment_of_the_environment(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = next(one for one in Store.open(uri).runs("e") if one.name == "slow")
    monkeypatch.setenv("ROBUST_EXPERIMENT", "another")
    told = json.loads(run(uri, "--run-id", slow.run_id, "--json").stdout)
    assert (told["n_runs"], told["experiment"]) == (1, None)


def test_strict_does_not_pass_an_experiment_without_a_run(uri: str) -> None:
    Store.open(uri).create_experiment("empty")
    assert run(uri, "--experiment", "empty").exit_code == 0
    refused = run(uri, "--experiment", "empty", "--strict")
    assert refused.exit_code == 2 and "nothing to audit" in refused.stderr


@pytest.mark.parametrize("form", ["sarif", "junit"])
def test_findings_are_written_for_machines(uri: str, tmp_path: Path, form: str) -> None:
    path = tmp_path / "found"
    found = run(uri, "--experiment", "e", f"--{form}", str(path), "--strict")
    assert found.exit_code == 3 and not found.stdout
    assert "ineffective-axis" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "nothing to audit"),
        (("--experiment", "e", "--claims", "c.yaml"), "cannot be used together"),
        (("--experiment", "e", "--run-id", "1"), "cannot be used together"),
        (("--experiment", "e", "--json", "--sarif", "x"), "--json and --sarif cannot be used together"),
        (("--claims", "c.yaml", "--data", "d.yaml"), "--data says nothing about --claims"),
        (("--experiment", "nope"), "nope"),
    ],
)
def test_wrong_options_are_explained(uri: str, args: tuple[str, ...], told: str) -> None:
    refused = run(uri, *args)
    assert refused.exit_code == 2 and told in refused.stderr


def test_claims_go_before_the_experiment_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUST_EXPERIMENT", "e")
    monkeypatch.setenv("ROBUST_DATA", "d.yaml")
    assert "claimed-percentage" in audit(tmp_path, WRONG).stdout
