"""Training folders that MLflow never saw become runs like all others, once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from robust.errors import DataError, IntegrityError
from robust.eval.adopt import adopt
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import resolve_weights
from tests.eval.tiny_study import write_weights

RESULTS = """\
                  epoch,         train/box_loss,   metrics/mAP50(B),metrics/mAP50-95(B),  val/box_loss, lr/pg0
                      1,                 3.5000,            0.41000,            0.21000,        3.1000, 0.001
                      2,                 3.2500,            0.52000,            0.25000,           nan, 0.0005
"""


@pytest.fixture
def store(tmp_path: Path, new_store: Callable[[Path], Store]) -> Store:
    return new_store(tmp_path)


def run_folder(path: Path, seed: int = 42) -> Path:
    path.mkdir(parents=True)
    args = f"task: detect\nmodel: yolov8n.pt\ndata: tiny.yaml\nimgsz: 416\nlr0: 0.005\nseed: {seed}\ndevice: null\n"
    (path / "args.yaml").write_text(args, encoding="utf-8")
    (path / "results.csv").write_text(RESULTS, encoding="utf-8")
    (path / "results.png").write_bytes(b"picture")
    write_weights(path / "weights" / "best.pt", seed)
    return path


def test_a_folder_becomes_a_finished_run_with_the_usual_names(store: Store, tmp_path: Path) -> None:
    (adopted,) = adopt([run_folder(tmp_path / "yolov8n_e3_sz416_lr0.005_s42")], store, "old")
    run = store.run(adopted.run_id)
    assert (run.name, run.status, run.kind) == ("yolov8n_e3_sz416_lr0.005_s42", "FINISHED", "train")
    assert run.params["seed"] == "42"
    assert run.params["lr0"] == "0.005"
    history = store.metric_history(run.run_id, "metrics/mAP50B")
    assert [(p.step, p.value) for p in history] == [(0, 0.41), (1, 0.52)]
    assert [p.value for p in store.metric_history(run.run_id, "val/box_loss")] == [3.1]
    assert {a.path for a in store.list_artifacts(run.run_id)} == {"args.yaml", "results.csv", "results.png", "weights"}
    assert resolve_weights(store, run, tmp_path / "cache").sha256 == run.tags[tags.WEIGHTS_SHA256]


def test_a_name_that_disagrees_with_its_seed_is_kept_for_the_audit(store: Store, tmp_path: Path) -> None:
    (adopted,) = adopt([run_folder(tmp_path / "run_s422", seed=42)], store, "old")
    run = store.run(adopted.run_id)
    assert (run.name, run.params["seed"]) == ("run_s422", "42")


def test_adopting_the_same_contents_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = run_folder(tmp_path / "train")
    (adopted,) = adopt([first], store, "old")
    copied = shutil.copytree(first, tmp_path / "elsewhere")
    again = adopt([first, copied], store, "old")
    assert [(a.run_id, a.reused) for a in again] == [(adopted.run_id, True)] * 2
    assert len(store.runs("old")) == 1


@pytest.mark.parametrize("missing", ["args.yaml", "results.csv", "weights/best.pt"])
def test_an_unfinished_folder_is_refused_before_anything_is_logged(store: Store, tmp_path: Path, missing: str) -> None:
    good, bad = run_folder(tmp_path / "good"), run_folder(tmp_path / "bad")
    (bad / missing).unlink()
    with pytest.raises(DataError, match="no finished") as told:
        adopt([good, bad], store, "old")
    assert missing in told.value.why
    assert "old" not in store.experiments()


@pytest.mark.parametrize(
    ("file", "text"),
    [("args.yaml", "[1, 2"), ("args.yaml", "just text"), ("results.csv", ""), ("results.csv", "a,b\n")],
)
def test_damaged_files_are_named(store: Store, tmp_path: Path, file: str, text: str) -> None:
    folder = run_folder(tmp_path / "train")
    (folder / file).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=file):
        adopt([folder], store, "old")


def test_malicious_weights_are_refused(store: Store, tmp_path: Path) -> None:
    import pickle

    folder = run_folder(tmp_path / "train")
    (folder / "weights" / "best.pt").write_bytes(pickle.dumps(Path.touch))
    with pytest.raises(IntegrityError):
        adopt([folder], store, "old")
