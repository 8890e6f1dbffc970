"""`robust init` writes files that the other commands accept, and never over somebody's edits."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from robust.cli import robust
from robust.eval.decision.policy import read_policy
from robust.eval.report.card import read_card


def test_the_files_are_written_and_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(robust, ["init", str(tmp_path / "new"), "--json"])
    assert result.exit_code == 0
    names = [Path(name) for name in json.loads(result.stdout)["written"]]
    assert [name.name for name in names] == ["policy.yaml", "policy.schema.json", "card.yaml"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "card.yaml",
        "policy.schema.json",
        "policy.yaml",
    ]


def test_the_files_that_are_written_say_what_is_built_in(tmp_path: Path) -> None:
    CliRunner().invoke(robust, ["init", str(tmp_path)])
    assert read_policy(tmp_path / "policy.yaml") == read_policy()
    assert read_card(tmp_path / "card.yaml") == read_card()


def test_a_file_that_is_there_is_kept_and_nothing_else_is_written(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("owner: me", encoding="utf-8")
    result = CliRunner().invoke(robust, ["init", str(tmp_path)])
    assert result.exit_code == 2
    assert "already there" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["card.yaml"]
    assert (tmp_path / "card.yaml").read_text(encoding="utf-8") == "owner: me"


def test_force_replaces_it(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("owner: me", encoding="utf-8")
    assert CliRunner().invoke(robust, ["init", str(tmp_path), "--force"]).exit_code == 0
    assert "NOT PROVIDED" in (tmp_path / "card.yaml").read_text(encoding="utf-8")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    result = CliRunner().invoke(robust, ["init", str(tmp_path / "taken")])
    assert (result.exit_code, result.stderr.splitlines()[0]) == (2, f"{tmp_path / 'taken'} is a file.")
