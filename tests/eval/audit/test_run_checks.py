"""Runs without results, names that say something else than parameters, and parameters that were not used."""

from __future__ import annotations

import pytest

from robust.eval.audit.name_tokens import tokens_of
from robust.eval.evidence.findings import Severity
from tests.eval.audit.runs_builder import a_run, audited, found, told


def test_a_finished_run_without_metrics_or_weights_is_an_error() -> None:
    empty = a_run("empty", metrics={}, has_weights=False)
    bare = a_run("bare", has_weights=False)
    results = found("run-without-result", empty, bare, a_run("good"))
    assert [(one.severity, one.runs) for one in results] == [(Severity.ERROR, ("bare",)), (Severity.ERROR, ("empty",))]
    assert results[1].what == "1 of 3 finished runs has no metric, and no weights either: empty."


def test_weights_that_could_not_be_looked_for_and_learning_rates_are_no_result() -> None:
    evidence = audited(a_run(has_weights=None), a_run(has_weights=None), a_run())
    assert "the artifacts of 2 runs cannot be listed" in evidence.not_checked["run-without-result"]
    assert not told("run-without-result", a_run(has_weights=None))
    (empty, *_) = told("run-without-result", a_run("empty", has_weights=None, metrics={}))
    assert empty.severity is Severity.ERROR
    assert found("run-without-result", a_run(metrics={"lr/pg0": 0.00123456, "time": 3.123456}))


@pytest.mark.parametrize(
    "metrics",
    [
        {"metrics/mAP50B": -1.0, "metrics/mAP50-95B": -1.0},
        {"train/box_loss": 1.1234567},
        {"train_loss": 0.4, "train_runtime": 71.5},
        {"gpu_mem": 2.31},
    ],
)
def test_minus_one_a_train_loss_and_memory_are_no_result(metrics: dict[str, float]) -> None:
    (empty,) = found("run-without-result", a_run("x", metrics=metrics))
    assert empty.severity is Severity.ERROR and "no metric of a result" in empty.what
    assert not found("run-without-result", a_run(metrics={**metrics, "val/box_loss": 1.2}))


def test_failed_runs_are_noted_with_how_much_of_the_grid_is_missing() -> None:
    failed = [a_run("f1", status="FAILED", metrics={}, params={"seed": 1})]
    failed += [a_run("f2", status="KILLED", metrics={}, params={"seed": 2})]
    again = a_run("again", params={"seed": 1})
    (note,) = found("run-without-result", *failed, again)
    assert note.severity is Severity.NOTE
    assert note.numbers == {"unfinished": 2, "missing": 1, "trainings": 2}


def test_a_digit_that_ultralytics_appended_is_told_as_such() -> None:
    (named,) = found("name-against-parameters", a_run("yolov8n_e3_sz320_lr0.01_s422", params={"seed": 42}))
    assert named.severity is Severity.ERROR
    assert named.numbers == {"parameter": "seed", "named": "422", "logged": "42", "appended": 2}
    assert "appended by Ultralytics" in named.what


@pytest.mark.parametrize(
    "name",
    [
        "yolov8n_e3_sz320_lr0.01_s1",
        "yolov8n-e3-sz320-lr1e-2-s1",
        "imgsz=320 seed=1 epochs3",
        "x_s1-2",
        "train",
        "lr0",
        "s",
    ],
)
def test_names_that_agree_or_say_nothing_are_fine(name: str) -> None:
    assert not [finding for finding in audited(a_run(name)).findings if finding.rule == "name-against-parameters"]


@pytest.mark.parametrize(
    ("name", "parameter", "severity"),
    [
        ("n_e3_sz416_lr0.01_s1", "imgsz", Severity.ERROR),
        ("n_e3_sz320_lr0.005_s1", "lr0", Severity.ERROR),
        ("n_e5_sz320", "epochs", Severity.ERROR),
        ("seed7", "seed", Severity.ERROR),
        ("night_s3", "seed", Severity.WARNING),  # one letter alone may mean anything
    ],
)
def test_names_that_disagree_are_told(name: str, parameter: str, severity: Severity) -> None:
    (named,) = found("name-against-parameters", a_run(name))
    assert (named.numbers["parameter"], named.severity) == (parameter, severity)


def test_tokens_are_whole_words_with_one_meaning() -> None:
    values = {token.parameter: token.value for token in tokens_of("yolov8s_e3_sz416_lr0.005_b8_bs16_s42")}
    assert values == {"epochs": "3", "imgsz": "416", "lr0": "0.005", "batch": "16", "seed": "42"}
    assert tokens_of("s1_s2") == () and tokens_of("lr01_lr0_0.01") == ()


def test_a_logged_parameter_that_the_training_did_not_use_is_an_error() -> None:
    (wrong,) = found("overridden-parameter", a_run("x", params={"imgsz": 416}, resolved={"imgsz": "320"}))
    assert wrong.severity is Severity.ERROR and "x logs 416 but used 320" in wrong.what
    same = a_run(params={"imgsz": "320", "lr0": "1e-2"}, resolved={"imgsz": "320", "lr0": "0.010", "save_dir": "/x"})
    assert not found("overridden-parameter", same)


def test_a_rate_beside_auto_was_never_used() -> None:
    (rate,) = told("overridden-parameter", a_run(params={"optimizer": "auto", "lr0": 0.005}))
    assert rate.severity is Severity.WARNING and "lr0 0.005" in rate.what and "AdamW" in rate.what
    by_hand = a_run(params={"optimizer": None, "lr0": 0.005}, resolved={"optimizer": "auto", "lr0": "0.005"})
    assert [one.severity for one in found("overridden-parameter", by_hand)] == [Severity.WARNING]


def test_settings_that_cannot_be_read_are_told() -> None:
    (broken,) = told("overridden-parameter", a_run("x", unreadable=("args.yaml: aliases are not allowed",)))
    assert broken.severity is Severity.WARNING and "aliases" in broken.what


def test_runs_that_do_not_say_what_they_used_are_counted_and_not_taken_as_checked() -> None:
    known = a_run(resolved={"imgsz": "320"})
    callback = {"warmup_bias_lr": 0.1, "overlap_mask": True, "close_mosaic": 10, "save_dir": "/x"}
    evidence = audited(a_run(), a_run(params={"optimizer": None}), known, a_run(params=callback))
    assert evidence.not_checked["overridden-parameter"].startswith("2 of 4 runs keep no args.yaml")
    assert not found("overridden-parameter", known, a_run(has_own_params=True), a_run(params=callback))


def test_a_data_set_that_was_logged_without_its_folder_is_no_contradiction() -> None:
    same = a_run(params={"data": "data.yaml"}, resolved={"data": "/d/people-7/data.yaml"})
    assert not found("overridden-parameter", same)
    other = a_run(params={"data": "/d/people-1/data.yaml"}, resolved={"data": "/d/people-7/data.yaml"})
    assert found("overridden-parameter", other)[0].numbers["parameter"] == "data"


def test_copies_without_a_seed_are_found_and_others_without_a_seed_are_not_accused() -> None:
    copies = [a_run(name, map50=0.6543217, params={"seed": None}) for name in "ab"]
    other = a_run(params={"seed": None})
    (twice,) = told("duplicate-run", *copies, other)
    assert (twice.severity, twice.runs) == (Severity.WARNING, ("a", "b"))
    assert twice.numbers == {"runs": 2, "trainings": 1}
    assert not told("duplicate-run", copies[0], other)
    assert found("duplicate-run", *copies, a_run(params={"seed": 1}))


@pytest.mark.parametrize("size", ["[640]", "(640,)", "[640, 640]"])
def test_a_size_that_is_logged_as_a_list_is_that_size(size: str) -> None:
    assert not found("name-against-parameters", a_run("yolov8n_sz640", params={"imgsz": size}))
    assert found("name-against-parameters", a_run("yolov8n_sz320", params={"imgsz": size}))


def test_no_runs_give_no_findings_and_every_check_says_so() -> None:
    evidence = audited()
    assert evidence.n_runs == 0 and not evidence.findings and not evidence.rules
