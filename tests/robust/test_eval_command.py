"""The options of ``robust eval`` that name sets on disk and what training has seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from robust.eval.tracking.store import Store
from tests.eval.tiny_study import write_data, write_weights


def run(*arguments: object) -> Result:
    return CliRunner().invoke(robust, ["--quiet", *map(str, arguments)])


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Weights, and a store without experiments: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("originals")
    Store.open(f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
    return write_weights(folder / "tiny.pt"), folder / "mlflow.db"


@pytest.fixture
def evaluate(originals: tuple[Path, Path]) -> Callable[..., Result]:
    """Evaluate tiny weights on night/3 of two images, with more options."""
    data, weights = write_data(Path("d"), n_train=1, n_test=2), originals[0]
    shutil.copyfile(originals[1], "mlflow.db")
    Path("night.yaml").write_text("corruptions: [night]\nseverities: [3]\n", encoding="utf-8")
    common = ("eval", "--data", data, "--weights", weights, "--imgsz", 64, "--executor", "local")
    return lambda *more: run(*common, "--suite", "night.yaml", *more)


def test_built_and_recorded_sets_and_what_training_has_seen(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "built", "--suite", "night.yaml").exit_code == 0
    more = ("--variant", "built", "--variant", "real_day=d/data.yaml", "--trained-on", "light")
    table = evaluate(*more)
    assert table.exit_code == 0, table.stderr
    header = table.stdout.splitlines()[0]
    assert "night (seen in training)" in header
    assert header.endswith("real_day (recorded)")
    row = table.stdout.splitlines()[1].split()
    assert row[-1] == row[2]  # the recorded set is the test split itself, so it has the clean AP50
    evidence = json.loads(evaluate(*more, "--json").stdout)["evidence"]
    marks = {v["name"]: (v["recorded"], v["trained_on"]) for v in evidence["suite"]["variants"]}
    assert marks == {"night/3": (False, True), "real_day": (True, False)}


def test_an_equals_sign_later_in_a_path_makes_no_name(evaluate: Callable[..., Result]) -> None:
    assert run("variants", "build", "d/data.yaml", "sets/lr=1/built", "--suite", "night.yaml").exit_code == 0
    assert evaluate("--variant", "sets/lr=1/built").exit_code == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--variant", "nothing"), ("nothing holds no variant", "--variant NAME=DATA")),
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
