from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robust.errors import DataError, IntegrityError, StoreError, UnknownName, UsageError
from robust.eval.candidates import Selection
from robust.eval.engine.executors import ProcessExecutor
from robust.eval.evaluate import Evaluation, Request, evaluate
from robust.eval.evaluation_run import read_evidence
from robust.eval.tracking.store import Store

from .fakes import save_tiny_weights, write_data_yaml


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.yaml and two tiny networks."""
    folder = tmp_path_factory.mktemp("material")
    write_data_yaml(folder)
    save_tiny_weights(folder / "tiny.pt", seed=0)
    save_tiny_weights(folder / "base.pt", seed=1)
    return folder


class Desk:
    """A store and a cache of their own."""

    def __init__(self, folder: Path, material: Path, store: Store) -> None:
        self.store = store
        selection = Selection(weights=(material / "tiny.pt",), baselines=(str(material / "base.pt"),), imgsz=64)
        self.request = Request(material / "data.yaml", selection, severities=(1, 3), cache_dir=folder / "cache")

    def evaluate(self, **changes: object) -> Evaluation:
        return evaluate(replace(self.request, **changes), self.store)


@pytest.fixture
def desk(tmp_path: Path, material: Path, new_store: Callable[[Path], Store]) -> Desk:
    return Desk(tmp_path, material, new_store(tmp_path))


def test_candidate_and_baseline_are_measured_on_everything(desk: Desk) -> None:
    evidence = desk.evaluate().evidence
    assert [(c.name, c.role, c.baseline) for c in evidence.candidates] == [
        ("tiny", "candidate", "base@64"),
        ("base@64", "baseline", None),
    ]
    variants = ["clean", *(f"{name}/{s}" for name in ("night", "occlusion", "crowd") for s in (1, 3))]
    expected = [*(("test", v) for v in variants), ("val", "clean")]
    assert [(cell.split, cell.variant) for cell in evidence.candidates[0].cells] == expected
    assert [split.split for split in evidence.data.splits] == ["test", "val"]


def test_everything_is_logged_under_the_names_of_the_contract(desk: Desk) -> None:
    evaluation = desk.evaluate()
    run = desk.store.run(evaluation.run_ids["tiny"])
    assert run.status == "FINISHED"
    assert {"robust.kind", "robust.schema", "robust.weights_sha256", "robust.dataset_sha256", "robust.suite"} <= set(
        run.tags
    )
    assert {"clean/AR100", "night/s3/AR100", "val/clean/AR100"} <= set(run.metrics)
    artifacts = {
        a.path
        for f in (None, "predictions")
        for a in desk.store.list_artifacts(run.run_id, "robust" + (f"/{f}" if f else ""))
    }
    names = ("evidence.json", "manifest.json", "environment.json", "conditions.csv", "sweep.csv")
    assert {f"robust/{name}" for name in names} <= artifacts
    assert {"robust/predictions/night-3.parquet", "robust/predictions/val-clean.parquet"} <= artifacts
    (part,) = [c for c in read_evidence(desk.store, run).candidates]
    assert part == evaluation.evidence.candidates[0]


def test_second_evaluation_infers_nothing_and_adds_no_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = desk.evaluate()
    monkeypatch.setattr("robust.eval.evaluate.candidate_evidence", None)  # measuring again would fail
    second = desk.evaluate()
    assert second.filled.n_inferences == 0
    assert second.run_ids == first.run_ids
    assert second.evidence.to_json() == first.evidence.to_json()


@pytest.mark.slow
def test_several_processes_give_the_same_evidence(
    tmp_path: Path, material: Path, new_store: Callable[[Path], Store]
) -> None:
    alone, together = (Desk(folder, material, new_store(folder)) for folder in (tmp_path / "a", tmp_path / "b"))
    one = alone.evaluate()
    other = evaluate(together.request, together.store, executor=ProcessExecutor(2))
    assert one.evidence.to_json() == other.evidence.to_json()


def test_baseline_without_the_class_is_told_and_left_out(desk: Desk, material: Path, tmp_path: Path) -> None:
    import torch

    checkpoint = torch.load(material / "base.pt", weights_only=False)
    (checkpoint.get("ema") or checkpoint["model"]).names = {0: "zebra"}
    torch.save(checkpoint, tmp_path / "foreign.pt")
    selection = replace(desk.request.selection, baselines=(str(tmp_path / "foreign.pt"),))
    evidence = desk.evaluate(selection=selection).evidence
    assert [(c.name, c.baseline) for c in evidence.candidates] == [("tiny", None)]
    assert "zebra" in evidence.not_evaluated[0].reason or "person" in evidence.not_evaluated[0].reason


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"suite": "coer"}, UnknownName, "core"),
        ({"split": "tset"}, DataError, "test"),
        ({"data": Path("nowhere.yaml")}, DataError, "nowhere.yaml"),
        ({"selection": Selection()}, UsageError, "nothing to evaluate"),
        ({"selection": Selection(weights=(Path("nowhere.pt"),))}, UsageError, "nowhere.pt"),
        ({"selection": Selection(run_ids=("0" * 32,))}, UsageError, "no run"),
        ({"selection": Selection(experiment="nobody")}, UnknownName, "nobody"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(
    desk: Desk, changes: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        desk.evaluate(**changes)
    assert caught.value.exit_code == 2  # type: ignore[attr-defined]
    assert not desk.request.cache_dir.exists()


def test_weights_that_hold_code_are_refused_unread(desk: Desk, tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "pwned"),)

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(IntegrityError, match="evil"):
        desk.evaluate(selection=Selection(weights=(tmp_path / "evil.pt",), imgsz=64))
    assert not (tmp_path / "pwned").exists()


def test_unreachable_store_is_told() -> None:
    with pytest.raises(StoreError):
        Store.open("http://127.0.0.1:9")


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(tmp_path: Path, material: Path) -> None:
    def command(folder: Path) -> list[str]:
        return [
            *(sys.executable, "-m", "robust", "eval", "--weights", str(material / "tiny.pt"), "--imgsz", "64"),
            *("--baseline", str(material / "base.pt"), "--data", str(material / "data.yaml"), "--workers", "2"),
            *("--cache-dir", str(folder / "cache"), "--tracking-uri", f"sqlite:///{folder / 'mlflow.db'}", "--json"),
        ]

    def run(folder: Path) -> str:
        done = subprocess.run(command(folder), cwd=tmp_path, capture_output=True, text=True, check=True, env=_quiet())
        return json.dumps(json.loads(done.stdout)["evidence"])

    calm, hunted = tmp_path / "calm", tmp_path / "hunted"
    calm.mkdir()
    hunted.mkdir()
    started = time.monotonic()
    expected = run(calm)
    length = time.monotonic() - started
    moments = random.Random(20261123)
    for _ in range(4):
        child = subprocess.Popen(
            command(hunted), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_quiet()
        )
        time.sleep(moments.uniform(0.3, 1.0) * length)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert run(hunted) == expected


def _quiet() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
