"""Runs without results, names that say something else than parameters, and parameters that were not used."""

from __future__ import annotations

import pytest

from robust.eval.audit.name_tokens import tokens_of
from robust.eval.evidence.findings import Severity
from tests.eval.audit.runs_builder import a_run, audited, found


def test_a_finished_run_without_metrics_or_weights_is_an_error() -> None:
    empty = a_run("empty", metrics={}, has_weights=False)
    bare = a_run("bare", has_weights=False)
    told = found("run-without-result", empty, bare, a_run("good"))
    assert [(one.severity, one.runs) for one in told] == [(Severity.ERROR, ("bare",)), (Severity.ERROR, ("empty",))]
    assert told[1].what == "1 of 3 finished runs has no metric, and no weights either: empty."


def test_weights_that_could_not_be_looked_for_and_learning_rates_are_no_result() -> None:
    assert not found("run-without-result", a_run(has_weights=None))
    assert found("run-without-result", a_run(metrics={"lr/pg0": 0.00123456, "time": 3.123456}))


def test_failed_runs_are_noted_with_how_much_of_the_grid_is_missing() -> None:
    failed = [a_run("f1", status="FAILED", metrics={}, params={"seed": 1})]
    failed += [a_run("f2", status="KILLED", metrics={}, params={"seed": 2})]
    again = a_run("again", params={"seed": 1})
    (note,) = found("run-without-result", *failed, again)
    assert note.severity is Severity.NOTE
    assert note.numbers == {"unfinished": 2, "missing": 1, "trainings": 2}


def test_a_digit_that_ultralytics_appended_is_told_as_such() -> None:
    (told,) = found("name-against-parameters", a_run("yolov8n_e3_sz320_lr0.01_s422", params={"seed": 42}))
    assert told.severity is Severity.ERROR
    assert told.numbers == {"parameter": "seed", "named": "422", "logged": "42", "appended": 2}
    assert "appended by Ultralytics" in told.what


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
    (told,) = found("name-against-parameters", a_run(name))
    assert (told.numbers["parameter"], told.severity) == (parameter, severity)


def test_tokens_are_whole_words_with_one_meaning() -> None:
    told = {token.parameter: token.value for token in tokens_of("yolov8s_e3_sz416_lr0.005_b8_bs16_s42")}
    assert told == {"epochs": "3", "imgsz": "416", "lr0": "0.005", "batch": "16", "seed": "42"}
    assert tokens_of("s1_s2") == () and tokens_of("lr01_lr0_0.01") == ()


def test_a_logged_parameter_that_the_training_did_not_use_is_an_error() -> None:
    (told,) = found("overridden-parameter", a_run("x", params={"imgsz": 416}, resolved={"imgsz": "320"}))
    assert told.severity is Severity.ERROR and "x logs 416 but used 320" in told.what
    same = a_run(params={"imgsz": "320", "lr0": "1e-2"}, resolved={"imgsz": "320", "lr0": "0.010", "save_dir": "/x"})
    assert not found("overridden-parameter", same)


def test_a_rate_beside_auto_was_never_used() -> None:
    (told,) = found("overridden-parameter", a_run(params={"optimizer": "auto", "lr0": 0.005}))
    assert told.severity is Severity.WARNING and "lr0 0.005" in told.what and "AdamW" in told.what
    by_hand = a_run(params={"optimizer": None, "lr0": 0.005}, resolved={"optimizer": "auto", "lr0": "0.005"})
    assert [one.severity for one in found("overridden-parameter", by_hand)] == [Severity.WARNING]


def test_settings_that_cannot_be_read_are_told() -> None:
    (told,) = found("overridden-parameter", a_run("x", unreadable=("args.yaml: aliases are not allowed",)))
    assert told.severity is Severity.WARNING and "aliases" in told.what


def test_without_settings_the_check_is_not_made() -> None:
    assert "overridden-parameter" in audited(a_run(params={"optimizer": None})).not_checked


def test_no_runs_give_no_findings_and_every_check_says_so() -> None:
    evidence = audited()
    assert evidence.n_runs == 0 and not evidence.findings and not evidence.rules
