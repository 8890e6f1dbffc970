"""The weights of a run are found wherever its author put them, and never guessed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from robust.errors import IntegrityError, UsageError
from robust.eval.tracking import tags
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import resolve_weights


def run_with(store: Store, folder: Path, files: list[str], marks: dict[str, str] | None = None) -> RunInfo:
    """A run whose artifacts hold their own path as content."""
    run_id = store.create_run(store.create_experiment("study"), "candidate", tags=marks)
    for name in files:
        local = folder / "made" / name
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_text(name, encoding="utf-8")
        store.log_file(run_id, local, str(Path(name).parent.as_posix()) if "/" in name else None)
    return store.run(run_id)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["weights/best.pt", "weights/last.pt", "args.yaml"], "weights/best.pt"),  # Ultralytics' own callback
        (["best.pt"], "best.pt"),  # a script that logs the file
        (["train/weights/best.pt", "train/weights/last.pt"], "train/weights/best.pt"),
        (["runs/detect/x/weights/best.pt"], "runs/detect/x/weights/best.pt"),
        (["model/artifacts/detector.pt", "model/MLmodel"], "model/artifacts/detector.pt"),  # an MLflow 2 model
        (["final.pt", "last.pt"], "final.pt"),
        (["base/yolov8n.pt", "epoch9.pt"], "epoch9.pt"),
    ],
)
def test_weights_are_found_where_people_put_them(store: Store, tmp_path: Path, files: list[str], expected: str) -> None:
    found = resolve_weights(store, run_with(store, tmp_path, files), tmp_path / "cache")
    assert found.artifact == expected
    assert found.path.read_text(encoding="utf-8") == expected
    assert found.sha256 == hashlib.sha256(expected.encode()).hexdigest()
    assert found.path == tmp_path / "cache" / "weights" / f"{found.sha256}.pt"
    assert found.rule
    assert list(found.path.parent.iterdir()) == [found.path]


@pytest.mark.parametrize(
    "files", [["a/best.pt", "b/best.pt"], ["one.pt", "two.pt"], ["m/artifacts/a.pt", "m/artifacts/b.pt"]]
)
def test_two_files_that_could_be_meant_are_listed(store: Store, tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(UsageError, match="could be its weights") as told:
        resolve_weights(store, run_with(store, tmp_path, files), tmp_path / "cache")
    assert all(name in told.value.why for name in files)


@pytest.mark.parametrize("files", [[], ["results.csv"], ["weights/last.pt"], ["base/yolov8n.pt"]])
def test_a_run_without_weights_lists_what_it_has(store: Store, tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(UsageError, match="has no weights") as told:
        resolve_weights(store, run_with(store, tmp_path, files), tmp_path / "cache")
    assert all(name in told.value.why for name in files)
    assert "robust adopt" in told.value.fix


def test_the_tag_and_the_argument_name_the_file(store: Store, tmp_path: Path) -> None:
    run = run_with(store, tmp_path, ["weights/best.pt", "weights/last.pt"], {tags.WEIGHTS_ARTIFACT: "weights/last.pt"})
    assert resolve_weights(store, run, tmp_path / "cache").artifact == "weights/last.pt"
    assert resolve_weights(store, run, tmp_path / "cache", "weights/best.pt").artifact == "weights/best.pt"
    with pytest.raises(UsageError, match=r"weights/first\.pt"):
        resolve_weights(store, run, tmp_path / "cache", "weights/first.pt")


def test_a_file_that_was_replaced_after_training_is_refused(store: Store, tmp_path: Path) -> None:
    run = run_with(store, tmp_path, ["weights/best.pt"], {tags.WEIGHTS_SHA256: "0" * 64})
    with pytest.raises(IntegrityError, match="not the file"):
        resolve_weights(store, run, tmp_path / "cache")


def test_a_damaged_cache_is_mended(store: Store, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"weights/best.pt").hexdigest()
    run = run_with(store, tmp_path, ["weights/best.pt"], {tags.WEIGHTS_SHA256: sha256})
    found = resolve_weights(store, run, tmp_path / "cache")
    found.path.write_bytes(b"damaged")
    assert resolve_weights(store, run, tmp_path / "cache").path.read_bytes() == b"weights/best.pt"


def test_weights_of_a_logged_model_are_found(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with(store, tmp_path, ["results.csv"])
    folder = tmp_path / "model" / "artifacts"
    folder.mkdir(parents=True)
    (folder / "best.pt").write_text("logged", encoding="utf-8")
    client = store._client
    model = client.create_logged_model(experiment_id=run.experiment_id, name="detector", source_run_id=run.run_id)
    client.log_model_artifacts(model.model_id, str(tmp_path / "model"))
    client.finalize_logged_model(model.model_id, "READY")
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, 0)])
    found = resolve_weights(store, store.run(run.run_id), tmp_path / "cache")
    assert found.path.read_text(encoding="utf-8") == "logged"
    assert model.model_id in found.rule
