"""The options of ``robust eval`` that name sets on disk and what training has seen."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import eval as eval_module
from robust.cli import robust
from robust.eval.engine.fill import Filled
from robust.eval.evaluate import Evaluation
from tests.eval.evidence_builder import build_evidence
from tests.eval.tiny_study import write_data, write_weights
from tests.robust.command_line import with_options


def run(*arguments: object) -> Result:
    return CliRunner().invoke(robust, ["--quiet", *map(str, arguments)])


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Path, Path]:
    """Weights, and a store without experiments."""
    return write_weights(tmp_path_factory.mktemp("originals") / "tiny.pt"), empty_database


@pytest.fixture
def evaluate(originals: tuple[Path, Path]) -> Callable[..., Result]:
    """Evaluate tiny weights on night/3 of two images, with more options."""
    data, weights = write_data(Path("d"), n_train=1, n_test=2), originals[0]
    shutil.copyfile(originals[1], "mlflow.db")
    Path("night.yaml").write_text("corruptions: [night]\nseverities: [3]\n", encoding="utf-8")
    common = ("eval", "--data", data, "--weights", weights, "--imgsz", 64, "--executor", "local")
    return lambda *more: run(*with_options((*common, "--suite", "night.yaml"), more))


def test_built_and_recorded_sets_and_what_training_has_seen(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "built", "--suite", "night.yaml").exit_code == 0
    write_data(Path("own"), n_train=1, n_test=3)
    more = ("--variant", "built", "--variant", "real_day=own/data.yaml", "--trained-on", "light")
    table = evaluate(*more)
    assert table.exit_code == 0, table.stderr
    header = table.stdout.splitlines()[0]
    assert "night (seen in training)" in header
    assert header.endswith("real_day (recorded)")
    evidence = json.loads(evaluate(*more, "--json").stdout)["evidence"]
    (measured,) = (c["coco"]["AP50"] for c in evidence["candidates"][0]["cells"] if c["variant"] == "real_day")
    assert table.stdout.splitlines()[1].split()[-1] == f"{measured:.3f}"
    marks = {v["name"]: (v["recorded"], v["trained_on"]) for v in evidence["suite"]["variants"]}
    assert marks == {"night/3": (False, True), "real_day": (True, False)}


def test_an_equals_sign_later_in_a_path_makes_no_name(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "sets/lr=1/built", "--suite", "night.yaml").exit_code == 0
    assert evaluate("--variant", "sets/lr=1/built").exit_code == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--variant", "nothing"), ("nothing: there is no such folder", "--variant NAME=DATA")),
        (("--variant", "d"), ("d holds no variant", "--variant NAME=DATA")),
        (("--variant", "x/3=rec.yaml"), ("'x/3' cannot be the name", "letters, digits and underscores")),
        (("--variant", "../x=rec.yaml"), ("'../x' cannot be the name",)),
        (("--variant", "<b>x</b>=rec.yaml"), ("'<b>x</b>' cannot be the name",)),
        (("--variant", "=rec.yaml"), ("'' cannot be the name", "For example: --variant real_night=")),
        (("--variant", "real="), ("--variant real=", "names no data")),
        (("--variant", "real-day=d/data.yaml"), ("'real-day'", "letters, digits and underscores")),
        (("--variant", "a=d/data.yaml", "--variant", "a=d/data.yaml"), ("a is given twice",)),
        (("--variant", "real=none.yaml"), ("none.yaml", "no such file")),
        (("--variant", "night=d/data.yaml"), ("'night'", "a corruption")),
        (("--trained-on", "nigth"), ("--trained-on: 'nigth'", "Known: ", "light", "Did you mean 'night'?")),
    ],
)
def test_mistakes_are_told_in_three_lines(
    evaluate: Callable[..., Result], more: tuple[str, ...], words: tuple[str, ...]
) -> None:
    result = evaluate(*more)
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) <= 3
    for word in words:
        assert word in result.stderr


def test_a_damaged_built_set_exits_5_and_names_the_file(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "built", "--suite", "night.yaml").exit_code == 0
    picture = next(Path("built/night-3/images/test").iterdir())
    picture.write_bytes(b"other")
    result = evaluate("--variant", "built")
    assert result.exit_code == 5
    assert str(picture) in result.stderr


def test_a_set_built_of_another_split_first_suggests_that_split(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "built", "--suite", "night.yaml").exit_code == 0
    result = evaluate("--split", "val", "--variant", "built")
    assert result.exit_code == 2
    assert result.stderr.strip().splitlines()[-1].startswith("Give --split test, ")


def test_the_next_command_is_one_that_works(evaluate: Callable[..., Result]) -> None:
    """Weights without an experiment are logged where nobody named, so the hint must name it."""
    hint = evaluate("--experiment", "my study").stderr.strip().splitlines()[-1].partition("Next: ")[2]
    assert hint == "robust report --experiment 'my study' -o report"
    hint = evaluate().stderr.strip().splitlines()[-1].partition("Next: ")[2]
    assert hint == "robust report --experiment robust -o report"
    assert run(*shlex.split(hint)[1:]).exit_code == 0
    assert Path("report/report.html").is_file()
    evaluated = json.loads(evaluate("--json").stdout)["run_ids"]
    again = evaluate("--tracking-uri", "sqlite:///mlflow.db").stderr
    assert "--experiment robust --tracking-uri sqlite:///mlflow.db -o report" in again
    assert len(evaluated) == 1


def test_what_came_from_disk_is_told(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "built", "--suite", "night.yaml").exit_code == 0
    Path("two.yaml").write_text("include: [night.yaml]\ncorruptions: [jpeg]\nseverities: [2]\n", encoding="utf-8")
    both = ("--suite", "two.yaml", "--variant", "built")
    assert "1 of 2 variants read from built, 1 made now.\n" in evaluate(*both).stderr
    assert "0 of 2 variants read from built, 0 made now, 2 measured before.\n" in evaluate(*both, "--json").stderr
    assert "variants read" not in evaluate().stderr


def test_a_table_of_many_corruptions_is_turned(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation = Evaluation(build_evidence(), {}, Filled(0, 0, 0, 0, 0))
    monkeypatch.setattr(eval_module, "_MOST_COLUMNS", 3)
    eval_module._show(evaluation)
    wide = capsys.readouterr().out.splitlines()
    assert len(wide) == 1 + 10
    assert wide[0].split()[0] == "name"
    monkeypatch.setattr(eval_module, "_MOST_COLUMNS", 2)
    eval_module._show(evaluation)
    header, *rows = capsys.readouterr().out.splitlines()
    names = re.split("  +", header)
    assert names[0] == "AP50"
    assert "yolov8n@320 (baseline)" in names
    cells = {row[0]: row[1:] for row in (re.split("  +", line) for line in rows)}
    assert list(cells) == ["val AP50", "test AP50", "night", "occlusion", "crowd", "mPC", "rPC"]
    position = names.index("yolov8n_e3_sz320_lr0.01_s1") - 1  # its clean AP50 is 0.59; night takes 0.11 a step
    values = [cells[name][position] for name in ("test AP50", "night", "occlusion", "crowd", "mPC", "rPC")]
    assert values == ["0.590", "0.260", "0.380", "0.440", "0.360", "0.610"]
