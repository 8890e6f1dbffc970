from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from robust.cli.data import data_command
from robust.errors import DataError, RobustError
from tests.datasets.builders import annotation, coco_values, make_coco, make_yolo

BOX = "0 0.5 0.5 0.25 0.5\n"


def test_check_prints_a_table_and_succeeds(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}, "test": {"b.png": BOX}})
    result = CliRunner().invoke(data_command, ["check", str(source)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "Nothing wrong was found." in result.stdout
    assert result.stdout.splitlines()[2].split()[:3] == ["split", "images", "negatives"]


def test_check_lists_errors_with_file_and_line_and_gives_exit_code_2(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": "0 0.5 0.5 9 9\n4 0.5 0.5 0.1 0.1\n"}})
    result = CliRunner().invoke(data_command, ["check", str(source)])
    assert isinstance(result.exception, DataError) and result.exception.exit_code == 2
    assert "a.txt:1: 9 is outside 0..1." in result.stdout
    assert "a.txt:2: class 4 is unknown" in result.stdout
    as_json = CliRunner().invoke(data_command, ["check", str(source), "--json"])
    assert [finding["line"] for finding in json.loads(as_json.stdout)["findings"][:2]] == [1, 2]
    assert isinstance(as_json.exception, DataError)


def test_check_shortens_long_lists_of_warnings(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {f"{i}.png": BOX + BOX for i in range(8)}})
    result = CliRunner().invoke(data_command, ["check", str(source)], catch_exceptions=False)
    assert "3 more of warning label-duplicate" in result.stdout


@pytest.mark.parametrize(("to", "expected"), [("coco", "annotations/test.json"), ("yolo", "labels/test/1.txt")])
def test_convert_writes_the_other_format(tmp_path: Path, to: str, expected: str) -> None:
    source = make_coco(tmp_path / "set.json", coco_values(2, [annotation(), annotation(id=2, iscrowd=1)]))
    command = ["convert", str(source), str(tmp_path / "out"), "--to", to, "--json"]
    result = CliRunner().invoke(data_command, command, catch_exceptions=False)
    assert json.loads(result.stdout)["n_images"] == 2
    assert (tmp_path / "out" / expected).is_file()


def test_convert_says_on_stderr_what_yolo_cannot_hold(tmp_path: Path) -> None:
    source = make_coco(tmp_path / "set.json", coco_values(2, [annotation(), annotation(id=2, iscrowd=1)]))
    command = ["convert", str(source), str(tmp_path / "out"), "--to", "yolo"]
    result = CliRunner().invoke(data_command, command, catch_exceptions=False)
    assert "1 ignored regions left out" in result.stderr
    assert "2 images, 1 objects" in result.stdout


def test_synth_draws_a_data_set_that_is_sound(tmp_path: Path) -> None:
    folder = tmp_path / "synthetic"
    command = ["synth", str(folder), "--seed", "3", "--train", "2", "--val", "0", "--test", "1", "--json"]
    result = CliRunner().invoke(data_command, command, catch_exceptions=False)
    assert json.loads(result.stdout)["splits"] == {"train": 2, "test": 1}
    assert len(list((folder / "images" / "train").iterdir())) == 2
    check = CliRunner().invoke(data_command, ["check", str(folder)])
    assert not isinstance(check.exception, RobustError), check.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (["convert", "typo.yaml", "out", "--to", "coco"], "Did you mean 'train'"),
    ],
)
def test_the_console_script_gives_exit_code_2_and_one_message(arguments: list[str], message: str) -> None:
    Path("typo.yaml").write_text("trian: images\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "robust", "data", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == "" and not Path("out").exists()


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; import robust.cli.data; print([m for m in ('numpy', 'cv2', 'yaml', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
