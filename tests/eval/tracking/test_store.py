"""Runs are logged and found again; other people's runs stay as they are."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from robust.errors import StoreError, UnknownName, UsageError
from robust.eval.tracking import tags
from robust.eval.tracking.records import DatasetInput
from robust.eval.tracking.store import Store

SHA = "0123456789abcdef" * 4


def test_a_run_comes_back_as_it_was_logged(store: Store) -> None:
    experiment = store.create_experiment("study")
    parent = store.create_run(experiment, "parent")
    run_id = store.create_run(experiment, "child", parent=parent, tags={tags.KIND: "train"})
    store.log_params(run_id, {"imgsz": 320, "lr0": 0.005, "freeze": None})
    store.log_metrics(run_id, {"metrics/mAP50B": 0.5}, step=0)
    store.log_metrics(run_id, {"metrics/mAP50B": 0.7}, step=1)
    store.finish(run_id)
    run = store.run(run_id)
    assert (run.name, run.status, run.parent_run_id, run.kind) == ("child", "FINISHED", parent, "train")
    assert run.params == {"imgsz": "320", "lr0": "0.005", "freeze": "None"}
    assert run.metrics == {"metrics/mAP50B": 0.7}
    assert [(p.step, p.value) for p in store.metric_history(run_id, "metrics/mAP50B")] == [(0, 0.5), (1, 0.7)]
    assert run.start_time is not None
    assert run.end_time is not None
    assert run.end_time >= run.start_time


def test_undefined_metrics_are_never_logged(store: Store) -> None:
    run_id = store.create_run(store.create_experiment("study"), "r")
    store.log_metrics(run_id, {"nan": math.nan, "inf": math.inf, "minus": -math.inf, "none": None, "zero": 0.0})
    assert store.run(run_id).metrics == {"zero": 0.0}


def test_logging_to_a_finished_run_does_not_reopen_it(store: Store) -> None:
    run_id = store.create_run(store.create_experiment("study"), "r")
    store.finish(run_id, "FAILED", "CUDA out of memory")
    before = store.run(run_id)
    store.set_tags(run_id, {"later": "yes"})
    after = store.run(run_id)
    assert (after.status, after.end_time) == ("FAILED", before.end_time)
    assert after.tags[tags.FAILURE] == "CUDA out of memory"


def test_opening_a_store_leaves_the_environment_and_the_working_directory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    store = Store.open(f"sqlite:///{(tmp_path / 'store' / 'mlflow.db').as_posix()}")
    run_id = store.create_run(store.create_experiment("with space & ümlaut #1"), "r")
    (elsewhere / "a.txt").write_text("hello", encoding="utf-8")
    store.log_file(run_id, elsewhere / "a.txt", "robust")
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert [p.name for p in elsewhere.iterdir()] == ["a.txt"]
    assert len(list((tmp_path / "store" / "mlruns").rglob("a.txt"))) == 1


def test_the_default_store_is_a_file_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    Store.open()
    assert (tmp_path / "mlflow.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_what_a_killed_process_left_of_a_new_store_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db.lock").touch()
    (tmp_path / "mlflow.db.part").write_bytes(b"half of a database")
    store = Store.open(f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}")
    assert store.experiments() == ("Default",)
    assert not (tmp_path / "mlflow.db.part").exists()


def test_the_environment_names_the_store_and_the_argument_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    assert Store.open().tracking_uri == store.tracking_uri
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert Store.open(store.tracking_uri).tracking_uri == store.tracking_uri


def test_artifacts_are_listed_and_fetched(store: Store, tmp_path: Path) -> None:
    run_id = store.create_run(store.create_experiment("study"), "r")
    (tmp_path / "best.pt").write_bytes(b"weights")
    store.log_file(run_id, tmp_path / "best.pt", "weights")
    assert [(a.path, a.is_dir) for a in store.list_artifacts(run_id)] == [("weights", True)]
    assert [(a.path, a.size_bytes) for a in store.list_artifacts(run_id, "weights")] == [("weights/best.pt", 7)]
    fetched = store.download(run_id, "weights/best.pt", tmp_path / "into")
    assert fetched is not None
    assert fetched.read_bytes() == b"weights"
    assert fetched.is_relative_to(tmp_path / "into")
    assert store.download(run_id, "weights/last.pt", tmp_path / "into") is None


def test_runs_of_others_count_as_training_runs(store: Store) -> None:
    experiment = store.create_experiment("study")
    theirs = store.create_run(experiment, "theirs")
    ours = store.create_run(experiment, "ours", tags={tags.KIND: "train"})
    judged = store.create_run(experiment, "judged", tags={tags.KIND: "eval"})
    assert {r.run_id for r in store.runs("study", "train")} == {theirs, ours}
    assert [r.run_id for r in store.runs("study", "eval")] == [judged]
    assert len(store.runs("study")) == 3


def test_evaluations_are_found_by_what_they_measured(store: Store) -> None:
    experiment = store.create_experiment("study")
    marks = {tags.KIND: "eval", tags.SOURCE_RUN_ID: "s1", tags.SUITE: "core", tags.DATASET_SHA256: SHA}
    core = store.create_run(experiment, "a", tags=marks)
    full = store.create_run(experiment, "b", tags={**marks, tags.SUITE: "full"})
    store.create_run(experiment, "c", tags={**marks, tags.SOURCE_RUN_ID: "s2"})
    assert [r.run_id for r in store.evaluations("s1", experiment_id=experiment, suite="core")] == [core]
    assert {r.run_id for r in store.evaluations("s1", experiment_id=experiment)} == {core, full}
    assert store.evaluations("s1", experiment_id=experiment, dataset_sha256="f" * 64) == ()


def test_a_data_set_is_listed_with_its_whole_fingerprint(store: Store) -> None:
    run_id = store.create_run(store.create_experiment("study"), "r")
    store.log_dataset(run_id, DatasetInput("tiny", SHA, "data.yaml", "training", {"images": 40}))
    (logged,) = store._client.get_run(run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("tiny", SHA[:32])
    assert {t.key: t.value for t in logged.tags} == {"mlflow.data.context": "training", tags.DATASET_SHA256: SHA}


def test_an_unknown_run_names_the_nearest(store: Store) -> None:
    run_id = store.create_run(store.create_experiment("study"), "yolov8n_e3_sz416_lr0.005_s42")
    with pytest.raises(UsageError, match=run_id):
        store.run(run_id[:-1] + ("0" if run_id[-1] != "0" else "1"))
    with pytest.raises(UsageError, match=run_id):
        store.run("yolov8n_e3_sz416_lr0.005_s42")
    with pytest.raises(UsageError, match="Latest"):
        store.run("zzz")


def test_an_unknown_experiment_lists_the_known(store: Store) -> None:
    store.create_experiment("pedestrians")
    with pytest.raises(UnknownName, match="pedestrians"):
        store.runs("pedestrian")


def test_making_an_experiment_twice_gives_the_same(store: Store) -> None:
    assert store.create_experiment("study") == store.create_experiment("study")


def test_a_deleted_experiment_or_run_is_explained(store: Store) -> None:
    experiment = store.create_experiment("study")
    run_id = store.create_run(experiment, "r")
    store._client.delete_run(run_id)
    with pytest.raises(UsageError, match="deleted"):
        store.run(run_id)
    store._client.delete_experiment(experiment)
    with pytest.raises(StoreError, match="deleted"):
        store.create_experiment("study")


def test_a_metric_name_that_mlflow_refuses_is_an_error_of_the_store(store: Store) -> None:
    run_id = store.create_run(store.create_experiment("study"), "r")
    with pytest.raises(StoreError, match="metrics"):
        store.log_metrics(run_id, {"metrics/mAP50(B)": 0.5})
