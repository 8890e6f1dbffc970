"""``robust train`` and ``robust adopt``: bad input is told in words, with its exit code."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from tests.eval.tiny_study import write_data, write_weights


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(robust, [str(argument) for argument in arguments])


def test_auto_is_refused_with_its_reason(tmp_path: Path) -> None:
    result = run(
        "train", "--data", write_data(tmp_path), "--model", write_weights(tmp_path / "w.pt"), "--optimizer", "auto"
    )
    assert result.exit_code == 2
    assert "ignores lr0" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_weights_and_missing_splits_are_told(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    result = run("train", "--data", data, "--model", tmp_path / "yolov8n.pt")
    assert (result.exit_code, "no weights file" in result.stderr) == (2, True)
    data.write_text("train: images/train\nnames: [person]\n", encoding="utf-8")
    result = run("train", "--data", data, "--model", write_weights(tmp_path / "w.pt"))
    assert (result.exit_code, "val" in result.stderr) == (2, True)


def test_malicious_weights_exit_with_5(tmp_path: Path) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Path.touch))
    result = run("train", "--data", write_data(tmp_path), "--model", tmp_path / "evil.pt")
    assert result.exit_code == 5
    assert "--trust-weights" in result.stderr


def test_a_folder_that_is_no_training_exits_with_2(tmp_path: Path) -> None:
    result = run("adopt", tmp_path)
    assert (result.exit_code, "args.yaml" in result.stderr) == (2, True)


@pytest.mark.slow
def test_a_grid_is_printed_as_json_and_a_second_time_reused(tmp_path: Path) -> None:
    arguments = [
        *("train", "--data", write_data(tmp_path / "d"), "--model", write_weights(tmp_path / "w.pt"), "--json"),
        *("--imgsz", "64", "--epochs", "1", "--batch", "2", "--experiment", "cli"),
        *("--tracking-uri", f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"),
    ]
    first, second = run(*arguments), run(*arguments)
    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr
    reports = [json.loads(result.stdout) for result in (first, second)]
    assert [r["candidates"][0]["reused"] for r in reports] == [False, True]
    assert reports[0]["candidates"][0]["run_id"] == reports[1]["candidates"][0]["run_id"]
