from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robust.datasets.coco import write_coco
from robust.datasets.load import load_dataset
from robust.errors import DataError, IntegrityError, StoreError, UnknownName, UsageError
from robust.eval.candidates import Selection, choose
from robust.eval.decision.study import Study
from robust.eval.evaluate import Evaluation, evaluate
from robust.eval.evaluation_run import read_evidence
from robust.eval.measuring import Request
from robust.eval.report_run import collect_evidence
from robust.eval.tracking.store import Store

from .fakes import save_tiny_weights, write_data_yaml
from .preloaded import Preloaded


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
        selection = Selection(weights=(material / "tiny.pt",), baseline=str(material / "base.pt"), imgsz=64)
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
    monkeypatch.setattr("robust.eval.measuring.candidate_evidence", None)  # measuring again would fail
    second = desk.evaluate()
    assert second.filled.n_inferences == 0
    assert second.run_ids == first.run_ids
    assert second.evidence.to_json() == first.evidence.to_json()


@pytest.fixture
def foreign(material: Path, tmp_path: Path) -> Path:
    """Weights that know zebras only."""
    import torch

    checkpoint = torch.load(material / "base.pt", weights_only=False)
    (checkpoint.get("ema") or checkpoint["model"]).names = {0: "zebra"}
    torch.save(checkpoint, tmp_path / "foreign.pt")
    return tmp_path / "foreign.pt"


def test_named_baseline_without_the_class_is_refused(desk: Desk, foreign: Path) -> None:
    with pytest.raises(DataError, match="no class 'person'"):
        desk.evaluate(selection=replace(desk.request.selection, baseline=str(foreign)))


def test_starting_weights_without_the_class_are_told_and_left_out(
    desk: Desk, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = choose(replace(desk.request.selection, baseline=str(foreign)), desk.store, desk.request.cache_dir)
    monkeypatch.setattr("robust.eval.evaluate.choose", lambda *_: found)  # as if training had started from them
    evidence = desk.evaluate(selection=replace(desk.request.selection, baseline=None)).evidence
    assert [(c.name, c.baseline, c.baseline_sha256) for c in evidence.candidates] == [("tiny", None, None)]
    assert [entry.name for entry in evidence.not_evaluated] == ["foreign@64"]


def test_interrupted_measuring_leaves_no_run_running(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("robust.eval.measuring.candidate_evidence", _interrupt)
        desk.evaluate()
    assert {run.status for run in desk.store.runs("robust")} == {"KILLED"}
    assert {desk.store.run(run_id).status for run_id in desk.evaluate().run_ids.values()} == {"FINISHED"}


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


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
        ({"selection": Selection(weights=(Path("tiny.pt"),), imgsz=100)}, UsageError, "multiple of 32"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(
    desk: Desk, changes: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        desk.evaluate(**changes)
    assert caught.value.exit_code == 2  # type: ignore[attr-defined]
    assert not desk.request.cache_dir.exists()


def test_a_path_with_an_apostrophe_is_a_path(desk: Desk, material: Path, tmp_path: Path) -> None:
    folder = tmp_path / "o'brien"
    folder.mkdir()
    shutil.copyfile(material / "tiny.pt", folder / "yolov5n.pt")
    evidence = desk.evaluate(selection=Selection(weights=(folder / "yolov5n.pt",), imgsz=64)).evidence
    assert [candidate.name for candidate in evidence.candidates] == ["yolov5n"]


def test_damaged_evidence_of_a_finished_run_is_made_again(desk: Desk, tmp_path: Path) -> None:
    first = desk.evaluate()
    (stored,) = (p for p in tmp_path.rglob("evidence.json") if first.run_ids["tiny"] in p.parts)
    whole = stored.read_bytes()
    stored.write_bytes(whole[: len(whole) // 2])
    assert desk.evaluate().evidence == first.evidence
    assert stored.read_bytes() == whole


def test_split_that_cannot_be_read_is_told_and_does_not_stop_the_others(
    desk: Desk, material: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.yaml"
    data.write_text(
        f"path: {material.as_posix()}\ntrain: images/lost\nval: images/val\ntest: images/test\nnames: [person]\n",
        encoding="utf-8",
    )
    evidence = desk.evaluate(data=data).evidence
    assert [entry.name for entry in evidence.not_evaluated] == ["split train"]
    assert [split.split for split in evidence.data.splits] == ["test", "val"]


def test_lone_coco_file_gives_the_same_numbers_and_no_threshold(desk: Desk, material: Path, tmp_path: Path) -> None:
    data = tmp_path / "instances.json"
    write_coco(load_dataset(material / "data.yaml", "test"), data)
    (ours, *_), (theirs, *_) = (desk.evaluate(data=d).evidence.candidates for d in (data, material / "data.yaml"))
    assert [cell.coco for cell in ours.cells] == [cell.coco for cell in theirs.cells if cell.split == "test"]
    assert ours.sweep.choice.threshold is None and "no split 'val'" in ours.sweep.choice.reason


def test_replaced_baseline_of_the_same_name_is_the_one_compared_with(
    desk: Desk, material: Path, tmp_path: Path
) -> None:
    wanted = []
    save_tiny_weights(tmp_path / "new.pt", seed=7)
    for number, name in enumerate(("base.pt", "tiny.pt", "base.pt")):  # the last one asked for counts, new or not
        champion = tmp_path / "champion.pt"
        shutil.copyfile(material / name, champion)
        selection = Selection(weights=(tmp_path / "new.pt",), baseline=str(champion), imgsz=64)
        wanted.append(desk.evaluate(selection=selection).evidence.candidates[0].baseline_sha256)
        report = collect_evidence(experiment="robust", run_ids=(), tracking_uri=desk.store.tracking_uri)
        study = Study(report)
        (candidate,) = study.candidates
        baseline = study.baseline_of(candidate)
        assert baseline is not None and baseline.weights_sha256 == wanted[number]
        assert study.baselines == (baseline,)
    assert wanted[0] == wanted[2] != wanted[1]


def test_part_of_a_suite_in_between_does_not_spoil_the_report(desk: Desk) -> None:
    def variants() -> list[str]:
        report = collect_evidence(experiment="robust", run_ids=(), tracking_uri=desk.store.tracking_uri)
        return [variant.name for variant in report.suite.variants]

    desk.evaluate()
    desk.evaluate(severities=(3,))
    assert variants() == ["night/3", "occlusion/3", "crowd/3"]
    desk.evaluate()
    assert len(variants()) == 6


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
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes_and_so_do_several_processes(
    tmp_path: Path, material: Path
) -> None:
    def arguments(folder: Path, *executor: str) -> list[str]:
        return [
            *("--quiet", "eval", "--weights", str(material / "tiny.pt"), "--baseline", str(material / "base.pt")),
            *("--imgsz", "64", "--data", str(material / "data.yaml"), "--suite", str(tmp_path / "suite.yaml")),
            *("--cache-dir", str(folder / "cache"), *executor),
            *("--tracking-uri", f"sqlite:///{folder / 'mlflow.db'}", "--json"),
        ]

    def evidence(output: Path) -> str:
        return json.dumps(json.loads(output.read_text(encoding="utf-8"))["evidence"])

    alone, several = ("--executor", "local"), ("--workers", "2")
    calm, hunted, output = tmp_path / "calm", tmp_path / "hunted", tmp_path / "output"
    calm.mkdir()
    hunted.mkdir()
    (tmp_path / "suite.yaml").write_text("corruptions: [night, occlusion]\nseverities: [1, 3]\n", encoding="utf-8")
    with Preloaded(tmp_path) as robust:
        length, told = {}, []
        for executor in (alone, several):
            started = time.monotonic()
            assert robust.run(arguments(calm, *executor), output) == 0
            length[executor] = time.monotonic() - started
            told.append(evidence(output))
            shutil.rmtree(calm / "cache")
        moments, ends = random.Random(20261123), []
        for executor in (alone, several, several, alone):
            killed_after = moments.uniform(0.2, 0.75) * length[executor]
            ends.append(robust.run(arguments(hunted, *executor), output, killed_after))
        assert -signal.SIGKILL in ends and set(ends) <= {-signal.SIGKILL, 0}  # less is left to do for the later ones
        assert robust.run(arguments(hunted, *alone), output) == 0
        told.append(evidence(output))
    assert told[0] == told[1] == told[2]
