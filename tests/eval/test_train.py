"""A real grid on a tiny study: logged as Ultralytics would, never twice, and not stopped by one failure."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from robust.errors import DataError, IntegrityError
from robust.eval.detectors.checkpoint import check_weights
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import resolve_weights
from robust.eval.train import train_grid
from robust.eval.training.plan import Grid
from tests.eval.tiny_study import write_data, write_weights

pytestmark = pytest.mark.slow


class Study:
    """A trained grid of two seeds, and where everything lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
        self.data = write_data(folder / "data")
        self.grid = Grid(self.data, write_weights(folder / "tiny.pt"), (64,), (0.01,), (1, 42), epochs=2, batch=2)
        before = _files(folder / "data")
        self.progress: list[tuple[int, int]] = []
        self.result = train_grid(self.grid, self.store, "study", on_progress=lambda *done: self.progress.append(done))
        self.data_touched = _files(folder / "data") != before


def _files(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"))


def test_every_candidate_is_trained_and_named(study: Study) -> None:
    assert [(c.name, c.status, c.reused) for c in study.result.candidates] == [
        ("tiny_e2_sz64_lr0.01_s1", "FINISHED", False),
        ("tiny_e2_sz64_lr0.01_s42", "FINISHED", False),
    ]
    assert study.progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert study.result.warnings == ()


def test_nothing_is_written_beside_the_data_or_in_the_working_directory(study: Study) -> None:
    assert not study.data_touched
    assert list(Path.cwd().iterdir()) == []


def test_parameters_are_those_of_ultralytics(study: Study) -> None:
    run = study.store.run(study.result.candidates[0].run_id)
    assert len(run.params) > 100
    wanted = {"imgsz": "64", "lr0": "0.01", "seed": "1", "epochs": "2", "batch": "2", "optimizer": "AdamW"}
    assert wanted.items() <= run.params.items()
    assert (run.params["data"], run.params["model"]) == (str(study.data), str(study.grid.model))
    assert (run.params["project"], run.params["name"]) == ("study", run.name)
    assert not any("robust-train-" in value for value in run.params.values())


def test_metrics_are_logged_by_epoch_from_0_and_the_best_weights_one_later(study: Study) -> None:
    run_id = study.result.candidates[0].run_id
    for name in ("train/box_loss", "train/cls_loss", "lr/pg0"):
        assert [p.step for p in study.store.metric_history(run_id, name)] == [0, 1]
    assert [p.step for p in study.store.metric_history(run_id, "metrics/mAP50B")] == [0, 1, 2]
    assert len(study.store.metric_history(run_id, "val/box_loss")) >= 2


def test_artifacts_are_where_ultralytics_puts_them(study: Study, tmp_path: Path) -> None:
    run_id = study.result.candidates[0].run_id
    assert {a.path for a in study.store.list_artifacts(run_id)} == {"weights", "base", "args.yaml", "results.csv"}
    args = study.store.download(run_id, "args.yaml", tmp_path)
    assert args is not None
    assert yaml.safe_load(args.read_text(encoding="utf-8"))["lr0"] == 0.01
    results = study.store.download(run_id, "results.csv", tmp_path)
    assert results is not None
    rows = list(csv.DictReader(io.StringIO(results.read_text(encoding="utf-8"))))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    logged = [p.value for p in study.store.metric_history(run_id, "train/box_loss")]
    assert logged == pytest.approx([float(row["train/box_loss"]) for row in rows], rel=1e-4)


def test_the_weights_and_what_they_came_from_can_be_traced(study: Study, tmp_path: Path) -> None:
    run = study.store.run(study.result.candidates[0].run_id)
    found = resolve_weights(study.store, run, tmp_path)
    info = check_weights(found.path)
    assert info.sha256 == found.sha256 == run.tags[tags.WEIGHTS_SHA256]
    assert info.tensors_sha256 == run.tags[tags.TENSORS_SHA256]
    assert info.names == {0: "person"}
    assert "robust-train-" not in str(info.train_args)
    base = study.store.download(run.run_id, run.tags[tags.BASE_WEIGHTS_ARTIFACT], tmp_path)
    assert base is not None
    assert base.read_bytes() == study.grid.model.read_bytes()
    assert run.tags[tags.BASE_WEIGHTS_SHA256] == hashlib.sha256(base.read_bytes()).hexdigest()
    assert info.tensors_sha256 != check_weights(base).tensors_sha256, "training changed the weights"


def test_seeds_give_different_weights(study: Study) -> None:
    first, second = study.result.candidates
    assert first.tensors_sha256 != second.tensors_sha256


def test_a_finished_grid_is_not_trained_again_even_from_a_copy(study: Study, tmp_path: Path) -> None:
    copied = shutil.copytree(study.folder / "data", tmp_path / "copy")
    weights = shutil.copyfile(study.grid.model, tmp_path / "tiny.pt")
    again = train_grid(replace(study.grid, data=copied / "data.yaml", model=weights), study.store, "study")
    assert all(candidate.reused for candidate in again.candidates)
    assert [c.run_id for c in again.candidates] == [c.run_id for c in study.result.candidates]
    assert len(study.store.runs("study")) == 2


def test_the_same_training_gives_the_same_tensors(study: Study) -> None:
    other = train_grid(replace(study.grid, seeds=(1,)), study.store, "repeated")
    assert other.candidates[0].tensors_sha256 == study.result.candidates[0].tensors_sha256


def test_planted_arrays_and_caches_are_neither_read_nor_kept(study: Study, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for image in (tmp_path / "data" / "images").rglob("*.png"):
        np.save(image.with_suffix(".npy"), np.zeros((64, 64, 3), dtype=np.uint8))
    for split in ("train", "val"):
        (tmp_path / "data" / "labels" / f"{split}.cache").write_bytes(b"planted")
    before = _files(tmp_path / "data")
    result = train_grid(replace(study.grid, data=data, seeds=(1,)), study.store, "planted")
    assert result.candidates[0].tensors_sha256 == study.result.candidates[0].tensors_sha256
    assert _files(tmp_path / "data") == before


def test_a_failed_candidate_says_why_and_the_others_go_on(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from robust.eval.training.trainer import RecordTrainer

    build = RecordTrainer.build_dataset

    def fail_at_96(self: RecordTrainer, *args: object, **settings: object) -> object:
        if self.args.imgsz == 96:
            raise RuntimeError("the card caught fire\nsecond line")
        return build(self, *args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(RecordTrainer, "build_dataset", fail_at_96)
    result = train_grid(replace(study.grid, imgsz=(96, 128), seeds=(1,), epochs=1), study.store, "failing")
    assert [c.status for c in result.candidates] == ["FAILED", "FINISHED"]
    assert [c.reason for c in result.failed] == ["RuntimeError: the card caught fire"]
    run = study.store.run(result.failed[0].run_id)
    assert (run.status, run.tags[tags.FAILURE]) == ("FAILED", "RuntimeError: the card caught fire")
    monkeypatch.undo()
    again = train_grid(replace(study.grid, imgsz=(96, 128), seeds=(1,), epochs=1), study.store, "failing")
    assert [(c.status, c.reused) for c in again.candidates] == [("FINISHED", False), ("FINISHED", True)]


def test_an_interruption_kills_the_run_and_keeps_what_is_done(study: Study) -> None:
    grid = replace(study.grid, seeds=(5, 6, 7), epochs=1)

    def interrupt_in_the_second() -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        return progress

    result = train_grid(grid, study.store, "stopped", on_progress=interrupt_in_the_second())
    assert result.interrupted
    assert [c.status for c in result.candidates] == ["FINISHED", "KILLED"]
    assert [run.status for run in study.store.runs("stopped")] == ["FINISHED", "KILLED"]


def test_seeds_that_changed_nothing_are_told(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from robust.eval.training.plan import TrainJob

    told = TrainJob.arguments
    monkeypatch.setattr(TrainJob, "arguments", lambda self: {**told(self), "seed": 3})
    result = train_grid(replace(study.grid, seeds=(3, 4), epochs=1), study.store, "stuck")
    assert len(result.warnings) == 1
    assert "identical weights although their seeds differ" in result.warnings[0]
    first, second = result.candidates
    assert study.store.run(first.run_id).tags[tags.SAME_WEIGHTS_AS] == second.run_id


def test_two_processes_train_what_one_trains(study: Study) -> None:
    result = train_grid(study.grid, study.store, "parallel", jobs=2)
    assert [c.status for c in result.candidates] == ["FINISHED", "FINISHED"]
    assert [c.tensors_sha256 for c in result.candidates] == [c.tensors_sha256 for c in study.result.candidates]


def test_malicious_weights_are_refused_before_any_run_is_made(study: Study, tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "pwned"),))

    torch.save({"model": Planted()}, tmp_path / "evil.pt")
    with pytest.raises(IntegrityError):
        train_grid(replace(study.grid, model=tmp_path / "evil.pt"), study.store, "evil")
    assert not (tmp_path / "pwned").exists()
    assert "evil" not in study.store.experiments()


def test_weights_replaced_during_a_grid_change_neither_trainings_nor_records(study: Study, tmp_path: Path) -> None:
    model = shutil.copyfile(study.grid.model, tmp_path / "tiny.pt")
    grid = replace(study.grid, model=model)
    result = train_grid(grid, study.store, "replaced", on_progress=lambda done, total: model.write_bytes(b"other"))
    assert [c.tensors_sha256 for c in result.candidates] == [c.tensors_sha256 for c in study.result.candidates]
    for candidate in result.candidates:
        run = study.store.run(candidate.run_id)
        kept = study.store.download(run.run_id, run.tags[tags.BASE_WEIGHTS_ARTIFACT], tmp_path / run.run_id)
        assert kept is not None
        assert kept.read_bytes() == study.grid.model.read_bytes()


def test_one_coco_file_is_not_enough_to_train(study: Study, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [], "categories": []}', encoding="utf-8")
    with pytest.raises(DataError, match="train and val"):
        train_grid(replace(study.grid, data=tmp_path / "a.json"), study.store, "coco")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize(("sent", "seeds"), [("SIGINT", (1, 2)), ("SIGTERM", (1,))])
def test_a_signal_ends_processes_and_marks_their_runs(
    study: Study, tmp_path: Path, sent: str, seeds: tuple[int, ...]
) -> None:
    """Ctrl-C with a process for each of two candidates; what a cluster sends, with one candidate in the process."""
    command = [sys.executable, "-m", "robust", "train", "--data", str(study.data), "--model", str(study.grid.model)]
    command += ["--imgsz", "64", "--epochs", "2000", "--batch", "2", "--jobs", str(len(seeds))]
    command += [part for seed in seeds for part in ("--seed", str(seed))]
    started = subprocess.Popen(
        [*command, "--patience", "2000", "--experiment", sent, "--tracking-uri", study.store.tracking_uri], cwd=tmp_path
    )
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and started.poll() is None:
            time.sleep(0.5)
            runs = study.store.runs(sent) if sent in study.store.experiments() else ()
            if len(runs) == len(seeds) and all("train/box_loss" in run.metrics for run in runs):
                break
        started.send_signal(getattr(signal, sent))
        assert started.wait(120) == 130
    finally:
        started.kill()
    assert [run.status for run in study.store.runs(sent)] == ["KILLED"] * len(seeds)
