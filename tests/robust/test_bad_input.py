"""Bad input at the command line: the exit code, a message of three lines that names the place, and nothing left behind.

Each fault meets every command that it can reach.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from click.testing import CliRunner, Result

from robust.cli import robust
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from tests.eval.tiny_study import write_data, write_weights
from tests.robust.command_line import with_options
from tests.robust.data_faults import COCO_FAULTS, YOLO_FAULTS, Fault, to_coco, write


class Bench:
    """A folder with data, weights and an empty store, and the commands that use them."""

    def __init__(self, folder: Path, weights: Path, database: Path) -> None:
        self.folder, self.weights = folder, weights
        self.data = write_data(folder / "d", n_train=2, n_test=2)
        self.uri = f"sqlite:///{shutil.copyfile(database, folder / 'mlflow.db').as_posix()}"
        (folder / "night.yaml").write_text("corruptions: [night]\nseverities: [3]\n", encoding="utf-8")

    def arguments(self, command: str) -> list[object]:
        """Return a complete, sound command line; an option that is given again replaces it."""
        suite = ("--suite", self.folder / "night.yaml")
        store = ("--tracking-uri", self.uri)
        cell = ("--executor", "local", "--cache-dir", self.folder / "cache")
        grid = ("--model", self.weights, "--imgsz", 64, "--epochs", 1, "--batch", 2, "--experiment", "tiny")
        return {
            "check": ["data", "check", self.data],
            "convert": ["data", "convert", self.data, self.folder / "out" / "deep", "--to", "coco"],
            "preview": ["variants", "preview", self.data, "-o", self.folder / "sheet.png", *suite],
            "build": ["variants", "build", self.data, self.folder / "out" / "deep", *suite],
            "train": ["train", "--data", self.data, *grid, *store],
            "eval": ["eval", "--data", self.data, *suite, *cell, *store],
            "sweep": ["sweep", "-o", self.folder / "swept", *store],
            "report": ["report", "-o", self.folder / "out" / "deep", *store],
            "gate": ["gate", *store],
        }[command]

    def run(self, command: str, *more: object) -> Result:
        return CliRunner().invoke(robust, with_options(self.arguments(command), more))

    def must(self, command: str, *more: object) -> None:
        result = self.run(command, *more)
        assert result.exit_code == 0, result.stderr

    def files(self) -> dict[str, str]:
        """Hash every file, folders too: the store's file changes with anything that is logged."""
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else ""
            for path in self.folder.rglob("*")
        }

    def statuses(self) -> list[str]:
        store = Store.open(self.uri)
        return sorted(run.status for name in store.experiments() for run in store.runs(name))

    def refuses(self, command: str, *more: object, words: tuple[str, ...], code: int = 2) -> None:
        """Run a command that must fail in words and leave everything as it was."""
        before = self.files()
        result = self.run(command, *more)
        told = result.output if command == "check" else result.stderr  # the check lists its findings on stdout
        assert result.exit_code == code, result.output
        assert_short(result)
        for word in words:
            assert word in told
        assert self.files() == before


def assert_short(result: Result) -> None:
    lines = result.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 3
    assert "Traceback" not in result.stderr and "Unexpected" not in result.stderr


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Path, Path]:
    """Weights, and a store without experiments."""
    return write_weights(tmp_path_factory.mktemp("originals") / "tiny.pt"), empty_database


@pytest.fixture
def bench(tmp_path: Path, originals: tuple[Path, Path]) -> Bench:
    return Bench(tmp_path, *originals)


# --- the data set -----------------------------------------------------------------------------------------------------

DATA_COMMANDS = ("check", "convert", "preview", "build", "train", "eval")


@pytest.mark.parametrize("command", DATA_COMMANDS)
@pytest.mark.parametrize("fault", YOLO_FAULTS)
def test_fault_of_a_yolo_set_is_named_with_file_and_line(bench: Bench, fault: str, command: str) -> None:
    refuse_data(bench, command, *YOLO_FAULTS[fault])


@pytest.mark.parametrize("command", DATA_COMMANDS)
@pytest.mark.parametrize("fault", COCO_FAULTS)
def test_fault_of_a_coco_set_is_named_with_file_and_id(bench: Bench, fault: str, command: str) -> None:
    to_coco(bench.data)
    refuse_data(bench, command, *COCO_FAULTS[fault])


def refuse_data(bench: Bench, command: str, spoil: Fault, words: tuple[str, ...]) -> None:
    split = "train" if command == "train" else "test"
    spoil(bench.data, split)
    more = ("--weights", bench.weights) if command == "eval" else ()
    bench.refuses(command, *more, words=tuple(word.replace("{split}", split) for word in words))


def test_images_that_two_splits_share_are_an_error_of_the_check_and_a_warning_of_the_others(bench: Bench) -> None:
    for split in ("val", "test"):
        shutil.copyfile(bench.folder / "d/images/train/train1.png", bench.folder / "d/images" / split / f"{split}1.png")
    bench.refuses("check", words=("also in train", "test1.png = train1.png"))
    trained = bench.run("train")
    assert trained.exit_code == 0 and "train and val share 1 image" in trained.stderr
    evaluated = bench.run("eval", "--weights", bench.weights)
    assert evaluated.exit_code == 0 and "train share 1 image" in evaluated.stderr


# --- names and files of the configuration -----------------------------------------------------------------------------

SUITES = {
    "corruptoins: [night]\n": ("mine.yaml", "'corruptoins'", "Did you mean 'corruptions'?"),
    "corruptions: [nigth]\n": ("mine.yaml", "'nigth'", "Known: ", "crowd, ", "Did you mean 'night'?"),
    "corruptions:\n  - {name: night, severites: [1]}\n": ("mine.yaml", "Did you mean 'severities'?"),
    "corruptions:\n  - {name: crowd, parameters: {peple: 3}}\n": ("crowd", "'peple'", "Known: "),
    "corruptions: [night]\nseverities: [9]\n": ("mine.yaml", "[9]"),
    "include: [cor]\n": ("mine.yaml", "'cor'", "Known: ", "Did you mean 'core'?"),
    "include: [mine.yaml]\n": ("mine.yaml", "includes itself"),
    "include: [core]\ntrained_on: [nigth]\n": ("mine.yaml", "'nigth'", "Known: ", "coding, ", "Did you mean 'night'?"),
    "corruptions:\n  - [night\n": ("mine.yaml:3", "not valid YAML"),
}


@pytest.mark.parametrize("command", ["preview", "build", "eval"])
@pytest.mark.parametrize("text", SUITES)
def test_mistake_in_a_suite_names_the_file_and_the_nearest_name(bench: Bench, text: str, command: str) -> None:
    write(bench.folder / "mine.yaml", text)
    more = ("--weights", bench.weights) if command == "eval" else ()
    bench.refuses(command, *more, "--suite", bench.folder / "mine.yaml", words=SUITES[text])


@pytest.mark.parametrize("command", ["preview", "build", "eval"])
def test_unknown_suites_and_splits_list_the_known_ones(bench: Bench, command: str) -> None:
    more = ("--weights", bench.weights) if command == "eval" else ()
    bench.refuses(command, *more, "--suite", "cor", words=("'cor'", "Known: ", "Did you mean 'core'?"))
    bench.refuses(command, *more, "--suite", "none.yaml", words=("none.yaml", "cannot be read"))
    bench.refuses(command, *more, "--split", "tset", words=("'tset'", "train, val, test"))


POLICIES = {
    "version: 1\nname: x\ngatse: []\n": ("mine.yaml", "'gatse'", "Did you mean 'gates'?"),
    "version: 1\nname: x\ngates:\n  - {kind: metrc, name: a}\n": ("'metrc'", "Did you mean 'metric'?"),
    "version: 1\nname: x\ngates:\n  - {kind: seeds, name: a, tier: critical, minimun: 3}\n": (
        "Did you mean 'minimum'?",
    ),
    "version: 2\nname: x\ngates: []\n": ("mine.yaml", "version"),
    "version: 1\nname: [\n": ("mine.yaml:3", "not valid YAML"),
}


@pytest.mark.parametrize("command", ["report", "gate"])
@pytest.mark.parametrize("text", POLICIES)
def test_mistake_in_a_policy_names_the_file_and_the_nearest_name(bench: Bench, text: str, command: str) -> None:
    write(bench.folder / "mine.yaml", text)
    bench.refuses(command, "--experiment", "any", "--policy", bench.folder / "mine.yaml", words=POLICIES[text])


@pytest.mark.parametrize("command", ["sweep", "report", "gate", "eval"])
def test_unknown_experiments_and_runs_list_what_there_is(bench: Bench, command: str) -> None:
    store = Store.open(bench.uri)
    run = store.create_run(store.create_experiment("streets"), "first", tags={tags.KIND: "train"})
    store.finish(run)
    bench.refuses(command, "--experiment", "steets", words=("'steets'", "Did you mean 'streets'?"))
    bench.refuses(command, "--run-id", "0" * 32, words=(f"{run} (first)",))
    if command != "eval":
        bench.refuses(command, "--run-id", run, words=("finished evaluation", "robust eval"))


# --- weights ----------------------------------------------------------------------------------------------------------


class _Code:
    """Would make a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def spoiled(kind: str, sound: Path, path: Path) -> None:
    """Write a weights file that must not be loaded."""
    if kind == "malicious":
        torch.save({"model": _Code(path.parent / "harmed")}, path)
    elif kind == "malicious pickle":
        path.write_bytes(pickle.dumps(_Code(path.parent / "harmed")))
    elif kind == "no network":
        torch.save({"epoch": 1}, path)
    else:
        content = sound.read_bytes()
        path.write_bytes({"text": b"weights" * 50, "empty": b"", "cut off": content[: len(content) // 2]}[kind])


REFUSED = {
    "malicious": (5, ("bad.pt", "mkdir", "--trust-weights")),
    "malicious pickle": (5, ("bad.pt", "mkdir", "--trust-weights")),
    "text": (2, ("bad.pt", "not a file that PyTorch saved")),
    "empty": (2, ("bad.pt", "not a file that PyTorch saved")),
    "cut off": (2, ("bad.pt", "not a file that PyTorch saved")),
    "no network": (2, ("bad.pt", "no network")),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_weights_are_refused_and_their_code_never_runs(bench: Bench, kind: str) -> None:
    bad = bench.folder / "bad.pt"
    spoiled(kind, bench.weights, bad)
    code, words = REFUSED[kind]
    bench.refuses("train", "--model", bad, words=words, code=code)
    bench.refuses("eval", "--weights", bad, words=words, code=code)
    bench.refuses("eval", "--weights", bad, "--imgsz", 64, words=words, code=code)
    bench.refuses("eval", "--weights", bench.weights, "--baseline", bad, words=words, code=code)


def test_missing_weights_are_named(bench: Bench) -> None:
    gone = bench.folder / "gone.pt"
    bench.refuses("train", "--model", gone, words=("gone.pt",))
    bench.refuses("eval", "--weights", gone, words=("gone.pt",))
    bench.refuses("eval", words=("nothing to evaluate", "--weights"))


RUNS: dict[str, tuple[dict[str, str], tuple[str, ...], dict[str, str], int]] = {
    "none": ({"notes.txt": "x"}, ("has no weights", "notes.txt", "robust adopt"), {}, 2),
    "ambiguous": (
        {"a/best.pt": "1", "b/best.pt": "2"},
        ("a/best.pt, b/best.pt", tags.WEIGHTS_ARTIFACT),
        {},
        2,
    ),
    "changed": (
        {"weights/best.pt": "x"},
        ("not the file that the training logged",),
        {tags.WEIGHTS_SHA256: "0" * 64},
        5,
    ),
}


@pytest.mark.parametrize("kind", RUNS)
def test_run_without_its_weights_lists_what_it_has(bench: Bench, tmp_path_factory: Any, kind: str) -> None:
    artifacts, words, marks, code = RUNS[kind]
    store = Store.open(bench.uri)
    run = store.create_run(store.create_experiment("e"), "first", tags={tags.KIND: "train", **marks})
    for name, text in artifacts.items():
        file = tmp_path_factory.mktemp("artifact") / Path(name).name
        write(file, text)
        store.log_file(run, file, Path(name).parent.as_posix() if "/" in name else None)
    store.finish(run)
    (bench.folder / "cache" / "weights").mkdir(parents=True)  # where fetched files go; it must stay empty
    bench.refuses("eval", "--run-id", run, words=words, code=code)
    bench.refuses("eval", "--weights", bench.weights, "--baseline", run, words=words, code=code)


# --- the store, the disk, the user ------------------------------------------------------------------------------------

ALL_WITH_A_STORE = ("train", "eval", "sweep", "report", "gate")


@pytest.mark.parametrize("command", ALL_WITH_A_STORE)
def test_store_that_cannot_be_used_is_told_at_once(bench: Bench, command: str) -> None:
    write(bench.folder / "text.db", "no database")
    named = () if command == "train" else ("--experiment", "any")
    for uri, words in {
        "http://127.0.0.1:9": ("127.0.0.1:9", "does not answer"),
        "postgresql://me:secret@127.0.0.1:9/x": ("me:***@127.0.0.1:9", "cannot be reached"),
        f"sqlite:///{(bench.folder / 'text.db').as_posix()}": ("text.db", "not a SQLite database"),
        f"sqlite:///{bench.folder.as_posix()}": ("It is a folder",),
        "htp://server": ("htp://server", "--tracking-uri"),
    }.items():
        bench.refuses(command, *named, "--tracking-uri", uri, words=words, code=1)


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


def stop(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


BREAKS = {
    "convert": ("shutil.copyfile", "pathlib.Path.write_text"),
    "preview": ("os.fdopen",),
    "build": ("os.fdopen", "pathlib.Path.replace"),
    "eval": ("robust.eval.engine.work.Worker.run",),
    "report": ("pathlib.Path.write_bytes",),
    "sweep": ("pathlib.Path.write_bytes", "mlflow.MlflowClient.log_artifacts"),
    "gate": ("robust.eval.decision.decide.decide",),
}
ENDS = {"full disk": (full, 1, "pace"), "Ctrl-C": (stop, 130, "Interrupted")}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, originals: tuple[Path, Path]) -> Bench:
    """A bench where one candidate was trained and evaluated."""
    bench = Bench(tmp_path_factory.mktemp("study"), *originals)
    bench.must("train")
    bench.must("eval", "--experiment", "tiny")
    return bench


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("command", "place"), [(c, place) for c, places in BREAKS.items() for place in places])
def test_command_that_breaks_off_leaves_nothing_half_written(
    study: Bench, monkeypatch: pytest.MonkeyPatch, command: str, place: str, end: str
) -> None:
    raises, code, words = ENDS[end]
    named = {"eval": ("--weights", study.weights, "--imgsz", 32)}.get(command, ("--experiment", "tiny"))
    monkeypatch.setattr(place, raises)
    study.refuses(command, *(named if command in ALL_WITH_A_STORE else ()), words=(words,), code=code)


LOGGING_BREAKS = {
    ("train", "robust.eval.training.trainer.RecordTrainer.save_model"),
    ("train", "mlflow.MlflowClient.log_artifact"),
    ("train", "mlflow.MlflowClient.log_inputs"),
    ("eval", "os.fsync"),
    ("eval", "mlflow.MlflowClient.log_artifacts"),
    ("eval", "robust.eval.evaluation_run.write_artifacts"),
    ("report", "mlflow.MlflowClient.log_artifact"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("command", "place"), sorted(LOGGING_BREAKS))
def test_run_that_breaks_off_is_ended_and_resumed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, command: str, place: str, end: str
) -> None:
    raises, code, words = ENDS[end]
    named = (
        () if command == "train" else ("--weights", bench.weights) if command == "eval" else ("--experiment", "robust")
    )
    if command == "report":
        bench.must("eval", "--weights", bench.weights)
    with monkeypatch.context() as patch:
        patch.setattr(place, raises)
        result = bench.run(command, *named)
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert_short(result)
    assert "RUNNING" not in bench.statuses()
    assert not list(bench.folder.rglob(".part-*"))
    bench.must(command, *named)
    assert "FINISHED" in bench.statuses() and "RUNNING" not in bench.statuses()
