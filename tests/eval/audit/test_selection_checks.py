"""Checks of how numbers were used: by hand, at their edges, and where they cannot look."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from robust.eval.audit.facts import ReportedOn, RunFacts, SplitFacts
from robust.eval.audit.selection_checks import CHECKS
from robust.eval.evidence.findings import Severity
from robust.eval.tracking import tags
from tests.eval.audit.honest_study import SEEDS, changed, data, finding, look, not_checked, reported, run, runs, study


def test_an_honest_study_raises_nothing() -> None:
    for check in CHECKS:
        looked = check.look(study())
        assert (looked.findings, looked.not_checked) == ((), None)


# --- enough images


def pair(first: float, second: float) -> tuple[RunFacts, ...]:
    return (run(416, 1, first), run(320, 1, second))


def test_ten_images_cannot_show_half_a_point() -> None:
    """The seed study: means 0.274 and 0.269 on 10 images with 31 persons."""
    split = SplitFacts(split="val", n_images=10, n_objects=31, fingerprint="x")
    facts = study(runs=pair(0.274, 0.269), data=data(splits=(split,)), reported=ReportedOn())
    one = finding(CHECKS, "small-val-set", facts)
    assert one.severity is Severity.WARNING
    assert one.numbers["difference"] == pytest.approx(0.005)
    assert one.numbers["smallest_difference_low"] == pytest.approx(0.2215, abs=5e-5)
    assert one.numbers["smallest_difference_high"] == pytest.approx(0.4164, abs=5e-5)
    assert (one.numbers["images_needed_low"], one.numbers["images_needed_high"]) == (19_623, 69_353)
    assert "10 val images with 31 objects, each of which is 0.032 of recall, can show 0.221 to 0.416" in one.what


@pytest.mark.parametrize(
    ("share", "severity"), [(0.99, Severity.WARNING), (1.01, Severity.NOTE)], ids=["below the low end", "above it"]
)
def test_the_low_end_of_the_planning_values_is_the_edge_of_a_warning(share: float, severity: Severity) -> None:
    low = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.25 / math.sqrt(500)
    assert finding(CHECKS, "small-val-set", study(runs=pair(0.7 + low * share, 0.7))).severity is severity


@pytest.mark.parametrize(("share", "n"), [(0.99, 1), (1.01, 0)])
def test_the_high_end_is_the_edge_of_a_finding(share: float, n: int) -> None:
    high = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.47 / math.sqrt(500)
    looked = look(CHECKS, "small-val-set", study(runs=pair(0.7 + high * share, 0.7)))
    assert (len(looked.findings), looked.not_checked) == (n, None)


def test_means_of_configurations_are_compared_and_not_single_runs() -> None:
    lucky = (run(416, 1, 0.90), run(416, 2, 0.70), run(320, 1, 0.79), run(320, 2, 0.79))
    one = finding(CHECKS, "small-val-set", study(runs=lucky))
    assert one.numbers["difference"] == pytest.approx(0.01)
    assert "0.8000, 2 runs, against 0.7900, 2 runs" in one.what


def test_a_repeated_seed_counts_once_in_a_mean() -> None:
    again = run(416, 1, 0.30, name="z again", run_id="f" * 32)  # whatever it says: it is seed 1 once more
    assert finding(CHECKS, "small-val-set", study(runs=(*pair(0.28, 0.27), again))).numbers[
        "difference"
    ] == pytest.approx(0.01)


def test_an_axis_without_effect_does_not_hide_the_next_difference() -> None:
    twice = run(416, 1, 0.274, params={"lr0": "0.01"}, run_id="f" * 32)
    one = finding(CHECKS, "small-val-set", study(runs=(*pair(0.274, 0.269), twice), reported=ReportedOn(n_val=10)))
    assert one.numbers["difference"] == pytest.approx(0.005)


def test_objects_of_another_val_are_not_told() -> None:
    assert "objects" not in finding(CHECKS, "small-val-set", study(reported=reported(n_val=10))).numbers


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": None, "reported": ReportedOn()}, "how many images val has is not known"),
        ({"reported": reported(n_val=0)}, "how many images val has is not known"),
        ({"runs": tuple(run(416, seed) for seed in SEEDS)}, "there is one configuration only"),
        ({"runs": ()}, "no finished run logged mAP50 on val"),
        ({"runs": pair(-1.0, 27.4)}, "no finished run logged mAP50 on val"),
    ],
    ids=["unknown images", "no images", "one configuration", "no runs", "no rates"],
)
def test_small_val_set_says_why_it_cannot_look(changes: dict[str, object], words: str) -> None:
    assert words in not_checked(CHECKS, "small-val-set", study(**changes))


# --- which split chose


def test_the_best_of_ten_on_the_split_that_judges_is_an_error() -> None:
    one = finding(CHECKS, "selected-on-reported-split", study(reported=reported(selected_on="test")))
    assert one.severity is Severity.ERROR
    assert one.what == ("The reported numbers are those of test, and the best of 10 candidates is chosen on test too.")
    assert one.numbers == {"split": "test", "candidates": 10}


def test_a_single_training_has_only_its_epoch_chosen_on_val() -> None:
    alone = {"runs": (run(),)}
    val = reported(selected_on="val", judged_on="val", n_evaluated=1)
    assert finding(CHECKS, "selected-on-reported-split", study(**alone, reported=val)).severity is Severity.WARNING
    test = reported(selected_on="test", judged_on="test", n_evaluated=1)
    assert look(CHECKS, "selected-on-reported-split", study(**alone, reported=test)).findings == ()


def test_judging_one_of_ten_trainings_on_val_is_an_error_though_one_was_evaluated() -> None:
    val = reported(selected_on="val", judged_on="val", n_evaluated=1)
    assert finding(CHECKS, "selected-on-reported-split", study(reported=val)).severity is Severity.ERROR
    test = reported(selected_on="test", judged_on="test", n_evaluated=1)
    assert look(CHECKS, "selected-on-reported-split", study(reported=test)).findings == ()  # nothing was chosen there


def test_evaluations_on_val_alone_judge_where_epochs_were_chosen() -> None:
    val = reported(selected_on=None, judged_on="val")
    assert finding(CHECKS, "selected-on-reported-split", study(reported=val)).severity is Severity.ERROR


def test_a_bare_experiment_reports_the_split_that_chose() -> None:
    one = finding(CHECKS, "selected-on-reported-split", study(reported=ReportedOn()))
    assert one.severity is Severity.WARNING
    assert one.what.startswith("The only numbers of 10 runs are those of val, the split that chose the best epoch")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reported": reported(selected_on=None)}, "nothing says which split chose"),
        ({"reported": reported(judged_on=None)}, "nothing says which split chose"),
        ({"reported": ReportedOn(), "runs": (run(metrics={"test/mAP50": 0.7}),)}, "1 run logged numbers of test"),
        ({"reported": ReportedOn(), "runs": (run(status="FAILED"),)}, "nobody evaluated"),
    ],
    ids=["test alone", "unknown judge", "test logged", "nothing finished"],
)
def test_the_choice_is_not_checked_where_nothing_tells(changes: dict[str, object], words: str) -> None:
    assert words in not_checked(CHECKS, "selected-on-reported-split", study(**changes))


# --- the baseline


def test_starting_weights_that_were_never_evaluated_are_a_warning() -> None:
    one = finding(CHECKS, "baseline-not-evaluated", study(reported=reported(baselines=())))
    assert one.severity is Severity.WARNING
    assert one.what == (
        "No evaluation of the untouched starting weights (yolov8n) is recorded: "
        "10 candidates were evaluated without them."
    )
    assert one.numbers == {"runs": 10, "starting_weights": 1, "evaluated": 10}
    bare = finding(CHECKS, "baseline-not-evaluated", study(reported=ReportedOn()))
    assert "nobody evaluated anything" in bare.what


def test_several_starting_weights_are_all_named() -> None:
    mixed = (run(seed=2, params={"model": "/a/b/yolov8s.pt"}), *runs(), run(seed=3, params={"model": "net.yaml"}))
    one = finding(CHECKS, "baseline-not-evaluated", study(runs=mixed, reported=ReportedOn()))
    assert "(yolov8n and yolov8s)" in one.what
    assert one.numbers["runs"] == 11


@pytest.mark.parametrize(
    ("model", "words"), [(None, "which weights it started from"), ("yolov8n.YAML", "started from no weights")]
)
def test_the_baseline_is_not_checked_where_there_is_none(model: str | None, words: str) -> None:
    bare = study(runs=(run(params={"model": model}),), reported=ReportedOn())
    assert words in not_checked(CHECKS, "baseline-not-evaluated", bare)


def test_evaluations_that_cannot_be_read_are_no_missing_test() -> None:
    unreadable = study(reported=ReportedOn(n_evaluated=3))
    assert not_checked(CHECKS, "selected-on-reported-split", unreadable) == "the evaluations cannot be read"


def test_one_run_of_several_is_told_with_how_many_it_was_chosen_from() -> None:
    alone = study(runs=study().runs[:1], reported=ReportedOn(n_trainings=9))
    told = finding(CHECKS, "selected-on-reported-split", alone)
    assert "chosen from 9 candidates" in told.what and told.numbers == {"runs": 1, "candidates": 9}


def test_val_images_of_another_data_set_do_not_judge_a_difference() -> None:
    marks = {tags.VAL_DATA_SHA256: "f" * 64}
    other = study(runs=tuple(changed(one, tags=marks) for one in study().runs), reported=ReportedOn())
    assert "the data set is not that of 10 of 10 runs" in not_checked(CHECKS, "small-val-set", other)
