from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust

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
