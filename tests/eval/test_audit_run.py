"""What the audit reads of a store: runs of ours and of others, their settings, their weights and their evaluations."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from robust.errors import StoreError, UnknownName, UsageError
from robust.eval.audit_run import audit_experiment, known_data, read_data, read_facts
from robust.eval.evidence.records import LeakageEvidence
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from tests.eval.audit.seed_study import log_run, parameters
from tests.eval.evidence_builder import build_evidence
from tests.eval.fakes import write_data_yaml


@pytest.fixture
def store(new_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    return new_store(tmp_path / "store")


def test_runs_of_others_are_read_with_courses_weights_and_what_they_wrote_down(store: Store, tmp_path: Path) -> None:
    for name in ("best.pt", "args.yaml"):
        (tmp_path / name).write_text("optimizer: auto\nlr0: 0.0100\namp: true\nfreeze: null\n", encoding="utf-8")
    run_id = log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567, weights=tmp_path / "best.pt")
    store.log_metrics(run_id, {"lr/pg0": 0.01, "final": 0.5})
    store.log_file(run_id, tmp_path / "args.yaml")
    (run,) = read_facts(store, "e").runs
    assert (run.name, run.status, run.seed, run.has_weights) == ("x", "FINISHED", 1, True)
    assert run.resolved == {"optimizer": "auto", "lr0": "0.0100", "amp": "True", "freeze": "None"}
    assert run.courses["metrics/mAP50B"] == {
        epoch: point.value for epoch, point in enumerate(store.metric_history(run_id, "metrics/mAP50B"))
    }
    assert len(run.courses["metrics/mAP50B"]) == 3
    assert not {"lr/pg0", "final"} & run.courses.keys() and run.metrics["final"] == 0.5


@pytest.mark.parametrize(
    "text", ["a: &a [1]\nb: *a\n", "[" * 5000, "lr0: 1\nlr0: 2\n", "just text", "x: " + "y" * 300_000]
)
def test_hostile_settings_are_named_and_not_believed(store: Store, tmp_path: Path, text: str) -> None:
    (tmp_path / "args.yaml").write_text(text, encoding="utf-8")
    run_id = log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    store.log_file(run_id, tmp_path / "args.yaml")
    (run,) = read_facts(store, "e").runs
    assert run.resolved is None and run.unreadable[0].startswith("args.yaml")
    told = [finding for finding in audit_experiment(store, "e").findings if finding.rule == "overridden-parameter"]
    assert "cannot be read" in told[0].what


@pytest.mark.parametrize(("file", "folder"), [("last.pt", "weights"), ("yolov8n.pt", "base"), ("x.png", None)])
def test_last_states_starting_weights_and_pictures_are_no_weights(
    store: Store, tmp_path: Path, file: str, folder: str | None
) -> None:
    (tmp_path / file).write_bytes(b"x")
    run_id = log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    store.log_file(run_id, tmp_path / file, folder)
    assert read_facts(store, "e").runs[0].has_weights is False


def test_weights_are_found_in_deep_folders_and_as_packed_models(store: Store, tmp_path: Path) -> None:
    for name, folder in (("best.onnx", "a/b/c"), ("MLmodel", "model")):
        (tmp_path / name).write_bytes(b"x")
        run_id = log_run(store, "e", name, parameters(320, 0.005, 1), map50=0.61234567)
        store.log_file(run_id, tmp_path / name, folder)
    assert [run.has_weights for run in read_facts(store, "e").runs] == [True, True]


def test_artifacts_that_lie_elsewhere_are_unknown_not_missing(store: Store) -> None:
    marks = {tags.WEIGHTS_SHA256: "a" * 64}
    log_run(store, "e", "x", parameters(320, 0.005, 1, optimizer="SGD"), map50=0.61234567, marks=marks)
    assert read_facts(store, "e").runs[0].has_weights is None
    assert "run-without-result" not in {finding.rule for finding in audit_experiment(store, "e").findings}


def test_evaluations_and_runs_that_only_hold_others_are_no_trainings(store: Store) -> None:
    number = store.create_experiment("e")
    parent = store.create_run(number, "search")
    child = store.create_run(number, "child", parent=parent)
    store.log_metrics(child, {"mAP50": 0.5})
    evaluation = store.create_run(number, "eval child", tags={tags.KIND: "eval", tags.SOURCE_RUN_ID: child})
    report = store.create_run(number, "report", tags={tags.KIND: "report"})
    for run_id in (parent, child, evaluation, report):
        store.finish(run_id)
    assert [run.name for run in read_facts(store, "e").runs] == ["child"]
    facts = read_facts(store, None, [evaluation, child])
    assert [run.name for run in facts.runs] == ["child"] and facts.experiment == "e"
    with pytest.raises(UsageError, match="report"):
        read_facts(store, None, [report])


def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(UnknownName):
        audit_experiment(store, "nothing")
    with pytest.raises(UsageError, match="No experiment"):
        audit_experiment(store, None)
    store.create_experiment("empty")
    evidence = audit_experiment(store, "empty")
    assert evidence.n_runs == 0 and not evidence.findings


def test_a_damaged_evaluation_still_counts_and_a_wrong_date_stops_nothing(store: Store) -> None:
    source = log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    number = store.create_experiment("e")
    for name, role, of in (("eval x", "candidate", source), ("eval base@320", "baseline", None)):
        marks = {tags.KIND: "eval", tags.ROLE: role, tags.SETTING_SHA256: "s", tags.REQUESTED_AT: "soon"}
        run_id = store.create_run(number, name, tags={**marks, **({tags.SOURCE_RUN_ID: of} if of else {})})
        store.finish(run_id)
    reported = read_facts(store, "e").reported
    assert (reported.n_evaluated, reported.baselines) == (1, ("base@320",))
    assert reported.selected_on is None and reported.judged_on is None


def test_data_are_counted_and_searched_for_shared_images(tmp_path: Path) -> None:
    data = write_data_yaml(tmp_path, n_images=5)
    facts = read_data(data)
    assert [(split.split, split.n_images, split.n_objects) for split in facts.splits] == [("val", 5, 4), ("test", 5, 4)]
    assert [(overlap.splits, overlap.identical) for overlap in facts.overlaps] == [(("val", "test"), ())]
    image, copy = tmp_path / "images" / "val" / "val001.png", tmp_path / "images" / "test" / "test001.png"
    copy.write_bytes(image.read_bytes())
    assert read_data(data).overlaps[0].identical == (("val001.png", "test001.png"),)


def test_artifacts_of_which_nothing_is_left_are_one_reason_and_no_error_for_each_run(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "best.pt").write_bytes(b"x")
    for seed in (1, 2):
        used = parameters(320, 0.005, seed)
        log_run(store, "e", f"s{seed}", used, map50=0.61 + seed / 1234.5, weights=tmp_path / "best.pt")
    roots = [Path(store.run(run.run_id).artifact_uri.removeprefix("file://")) for run in store.runs("e")]
    assert all(root.is_dir() for root in roots)
    for root in roots:
        shutil.rmtree(root)
    evidence = audit_experiment(store, "e")
    assert "the artifacts of 2 runs cannot be listed" in evidence.not_checked["run-without-result"]
    assert "2 of 2 runs" in evidence.not_checked["overridden-parameter"]
    assert "run-without-result" not in {finding.rule for finding in evidence.findings}


def test_an_artifact_store_that_fails_leaves_weights_and_settings_unknown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_driver(uri: str, tracking_uri: str | None = None) -> None:
        raise ModuleNotFoundError("No module named 'botocore'", name="botocore")

    log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    monkeypatch.setattr("mlflow.store.artifact.artifact_repository_registry.get_artifact_repository", no_driver)
    with pytest.raises(StoreError, match="cannot be listed") as told:
        store.list_artifacts(store.runs("e")[0].run_id)
    assert "botocore" in told.value.why and "pip install botocore" in told.value.fix
    with pytest.raises(StoreError, match="botocore"):
        store.download(store.runs("e")[0].run_id, "best.pt", Path())
    evidence = audit_experiment(store, "e")
    assert {"run-without-result", "overridden-parameter"} <= evidence.not_checked.keys()


def test_settings_are_found_in_any_folder_and_two_that_could_be_meant_are_not_guessed(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "best.pt").write_bytes(b"x")
    (tmp_path / "args.yaml").write_text("imgsz: 640\n", encoding="utf-8")
    run_id = log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    store.log_file(run_id, tmp_path / "best.pt")  # at the root: the search must not end with it
    store.log_file(run_id, tmp_path / "args.yaml", "runs/train")
    [wrong] = [finding for finding in audit_experiment(store, "e").findings if finding.rule == "overridden-parameter"]
    assert wrong.numbers["parameter"] == "imgsz" and wrong.numbers["used"] == "640"
    store.log_file(run_id, tmp_path / "args.yaml", "runs/train2")
    (run,) = read_facts(store, "e").runs
    assert run.resolved is None and "several folders" in run.unreadable[0]


def test_an_empty_file_and_the_starting_weights_are_no_weights(store: Store, tmp_path: Path) -> None:
    def has_weights(name: str, content: bytes, model: str) -> bool | None:
        (tmp_path / name).write_bytes(content)
        run_id = log_run(store, "e", "x", {"model": model}, map50=0.61234567)
        store.log_file(run_id, tmp_path / name, "weights")
        return next(run for run in read_facts(store, "e").runs if run.run_id == run_id).has_weights

    assert has_weights("best.pt", b"", "yolov8n.pt") is False
    assert has_weights("yolov8n.pt", b"x", "models/yolov8n.pt") is False
    assert has_weights("best.pt", b"x", "runs/train/weights/best.pt") is True
    assert has_weights("yolov8n.pt", b"x", "yolov8n.yaml") is True  # it started from nothing


def test_searches_with_numbers_of_their_own_and_evaluations_of_others_are_no_trainings(store: Store) -> None:
    number = store.create_experiment("e")
    parent = store.create_run(number, "search")
    store.log_params(parent, {"n_trials": 5})
    store.log_metrics(parent, {"mAP50": 0.5})
    child = store.create_run(number, "child", parent=parent)
    evaluation = store.create_run(number, "evaluation", parent=child)
    store.log_params(evaluation, {"mode": "val"})
    ours = store.create_run(number, "ours", tags={tags.KIND: "train"})
    other = store.create_run(number, "below ours", parent=ours)
    for run_id in (parent, child, evaluation, ours, other):
        store.finish(run_id)
    assert sorted(run.name for run in read_facts(store, "e").runs) == ["below ours", "child", "ours"]


def test_a_run_that_is_audited_alone_says_how_many_it_was_one_of(store: Store) -> None:
    runs = [log_run(store, "e", f"s{s}", parameters(320, 0.005, s), map50=0.6 + s / 1234.5) for s in (1, 2, 3)]
    log_run(store, "e", "failed", parameters(320, 0.005, 4), map50=None, status="FAILED")
    assert read_facts(store, None, [runs[0]]).reported.n_trainings == 3
    told = {finding.rule: finding.what for finding in audit_experiment(store, None, [runs[0]]).findings}
    assert "chosen from 3 candidates" in told["selected-on-reported-split"]


def test_what_an_evaluation_found_in_its_data_is_audited_without_reading_it_again(store: Store) -> None:
    log_run(store, "e", "x", parameters(320, 0.005, 1), map50=0.61234567)
    measured = build_evidence().data
    first, second = (split.split for split in measured.splits[:2])
    shared = LeakageEvidence(splits=(first, second), n_identical=2, n_near_duplicates=1)
    beside = LeakageEvidence(splits=(first, "real_night"), n_identical=9, n_near_duplicates=9)
    data = known_data(measured.model_copy(update={"leakage": (shared, beside)}))
    assert [(one.split, one.n_images, one.fingerprint) for one in data.splits] == [
        (one.split, one.n_images, one.fingerprint) for one in measured.splits
    ]
    found = [one for one in audit_experiment(store, "e", data=data).findings if one.rule == "leakage"]
    assert [(one.severity, one.numbers["pairs"]) for one in found] == [("error", 2), ("warning", 1)]
    assert all(f"{first} and {second}, {first} has" in one.what and "real_night" not in one.what for one in found)
