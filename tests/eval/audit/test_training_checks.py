"""Checks of single trainings: by hand, at their edges, and where they cannot look."""

from __future__ import annotations

import pytest
from scipy import stats

from robust.eval.audit.logged import Quantity, course, losses, meaning, rate
from robust.eval.audit.training_checks import CHECKS
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.metrics.courses import best_is_last, end_slope, epochs_since_lowest, falls, losses_part
from tests.eval.audit.honest_study import by_epoch, changed, finding, look, not_checked, run, study

AP = "metrics/mAP50-95B"


def found(rule: str, *runs: object) -> AuditFinding:
    return finding(CHECKS, rule, study(runs=runs))


def why_not(rule: str, *runs: object) -> str:
    return not_checked(CHECKS, rule, study(runs=runs))


# --- an honest study


def test_an_honest_study_raises_no_error_and_no_warning() -> None:
    looked = [check.look(study()) for check in CHECKS]
    assert [one.not_checked for one in looked] == [None, None, None]
    assert [f.severity for one in looked for f in one.findings] == [Severity.NOTE]  # where precision was read


@pytest.mark.parametrize("rule", [check.rule for check in CHECKS])
def test_no_finished_run_is_never_read_as_good(rule: str) -> None:
    assert why_not(rule) == "no training run finished"
    assert why_not(rule, run(status="FAILED")) == "no training run finished"


# --- precision and recall at the best F1


def test_precision_of_one_percent_is_a_threshold_that_nobody_would_run() -> None:
    poor = run(metrics={"metrics/precisionB": 0.00801, "metrics/recallB": 0.774})
    one = found("metric-at-best-f1", poor, run(seed=2))
    assert one.severity is Severity.WARNING
    assert one.runs == (poor.name,)
    assert "logged precision 0.00801 and recall 0.774: more false detections than true ones" in one.what
    assert (
        "Ultralytics read them on val at the confidence where F1 is highest (2 runs with such numbers, 1 with"
        in one.what
    )
    assert one.numbers == {"precision": 0.00801, "recall": 0.774, "runs": 2, "runs_below_half": 1}


def test_bare_names_beside_a_map_are_most_likely_those_of_ultralytics() -> None:
    bare = run(metrics={"metrics/precisionB": None, "metrics/recallB": None, "precision": 0.2, "recall": 0.9})
    assert "they were most likely read, as Ultralytics does, on val" in found("metric-at-best-f1", bare).what


@pytest.mark.parametrize(("precision", "severity"), [(0.499, Severity.WARNING), (0.5, Severity.NOTE)])
def test_half_of_the_detections_being_true_is_the_edge(precision: float, severity: Severity) -> None:
    assert found("metric-at-best-f1", run(metrics={"metrics/precisionB": precision})).severity is severity


@pytest.mark.parametrize(
    "metrics",
    [
        {"metrics/precisionB": None},
        {"metrics/recallB": -1.0},
        {"metrics/precisionB": 85.0},
        {"metrics/mAP50B": None, AP: None},
    ],
    ids=["no precision", "minus one", "percent", "no mAP"],
)
def test_without_precision_and_recall_beside_a_map_it_is_not_checked(metrics: dict[str, float | None]) -> None:
    assert "no finished run logged precision and recall" in why_not("metric-at-best-f1", run(metrics=metrics))


# --- best epoch last


def test_a_training_that_still_improves_is_under_trained() -> None:
    rising = run(courses={AP: by_epoch(0.20, 0.23, 0.27, 0.27)})  # three epochs, then best.pt
    short = {"train/box_loss": by_epoch(1.5, 1.3, 1.2)}
    one = found("best-epoch-last", changed(rising, courses=short), run(seed=2))
    assert one.severity is Severity.WARNING
    assert one.runs == (rising.name,)
    assert (
        "the best one on val in 1 of 2 runs (3 epochs); over the last 3 epochs mAP50-95 changes by +0.0350" in one.what
    )
    assert one.numbers["slope_max"] == pytest.approx(0.035)
    assert one.numbers["epochs"] == 3


def test_the_final_evaluation_of_the_best_weights_is_no_epoch() -> None:
    assert course(run(), Quantity.AP) == (0.40, 0.55, 0.61, 0.62, 0.615)
    without_losses = run(courses={"train/box_loss": None, "val/box_loss": None})
    assert course(without_losses, Quantity.AP) == (0.40, 0.55, 0.61, 0.62, 0.615)  # five epochs, six values
    from_one = changed(without_losses, courses={AP: {i + 1: v for i, v in enumerate((0.1, 0.2, 0.3, 0.4, 0.5))}})
    assert course(from_one, Quantity.AP) == (0.1, 0.2, 0.3, 0.4, 0.5)  # counted from 1: none too many
    assert look(CHECKS, "best-epoch-last", study()).findings == ()


@pytest.mark.parametrize(
    ("last", "severity"),
    [(0.62, None), (0.6201, Severity.NOTE), (0.6249, Severity.NOTE), (0.6255, Severity.WARNING)],
    ids=["tie", "flat", "just flat", "up"],
)
def test_a_tie_is_not_last_and_a_flat_end_is_a_note(last: float, severity: Severity | None) -> None:
    flat = run(courses={AP: by_epoch(0.62, 0.62, 0.62, 0.62, last)})
    slope = stats.linregress(range(5), (0.62, 0.62, 0.62, 0.62, last)).slope
    assert bool(slope > 0.001) is (severity is Severity.WARNING)
    looked = look(CHECKS, "best-epoch-last", study(runs=(flat,)))
    assert looked.not_checked is None
    assert [one.severity for one in looked.findings] == ([severity] if severity else [])


def test_fitness_chooses_the_best_epoch_where_it_was_logged() -> None:
    rising = run(courses={"fitness": by_epoch(0.1, 0.2, 0.3, 0.4, 0.5)})
    assert "fitness changes by +0.1000" in found("best-epoch-last", rising).what


def test_only_last_values_of_a_short_training_are_a_note_and_not_a_check() -> None:
    looked = look(CHECKS, "best-epoch-last", study(runs=(run(params={"epochs": "3"}, courses={AP: None}),)))
    [note] = looked.findings
    assert note.severity is Severity.NOTE
    assert "1 training of at most 3 epochs, and no val course" in note.what
    assert looked.not_checked is not None and "its best epoch is not known" in looked.not_checked


@pytest.mark.parametrize("epochs", ["6", "100", "", "nan", "1e400", None])
def test_only_last_values_of_a_longer_training_are_not_checked(epochs: str | None) -> None:
    silent = run(params={"epochs": epochs}, courses={AP: by_epoch(0.6)})
    assert "its best epoch is not known" in why_not("best-epoch-last", silent)


def test_a_course_that_holds_minus_one_is_no_course() -> None:
    assert "its best epoch is not known" in why_not(
        "best-epoch-last", run(params={"epochs": "50"}, courses={AP: by_epoch(-1.0, 0.2, 0.3)})
    )


# --- over-fitting


def test_a_val_loss_that_rises_while_the_train_loss_falls_is_over_fitting() -> None:
    parted = run(courses={"val/box_loss": by_epoch(1.6, 1.2, 1.3, 1.35, 1.41)})
    one = found("train-val-gap", parted, run(seed=2))
    assert one.severity is Severity.WARNING
    assert one.runs == (parted.name,)
    assert "in 1 of 2 runs: box_loss" in one.what
    assert "rose on val from 1.2 to 1.41 in the last 3 epochs" in one.what
    assert one.numbers["epochs_since"] == 3


def test_one_bad_epoch_is_a_note() -> None:
    one = found("train-val-gap", run(courses={"val/box_loss": by_epoch(1.6, 1.4, 1.3, 1.2, 1.21)}))
    assert one.severity is Severity.NOTE


@pytest.mark.parametrize(
    ("train", "val"),
    [((1.5, 1.3, 1.2, 1.1, 1.15), (1.6, 1.2, 1.3, 1.4, 1.5)), ((1.5, 1.3, 1.2, 1.1, 1.0), (1.6, 1.4, 1.3, 1.2, 1.2))],
    ids=["train rises too", "val ends on its lowest"],
)
def test_losses_that_go_together_are_no_finding(train: tuple[float, ...], val: tuple[float, ...]) -> None:
    together = run(courses={"train/box_loss": by_epoch(*train), "val/box_loss": by_epoch(*val)})
    looked = look(CHECKS, "train-val-gap", study(runs=(together,)))
    assert (looked.findings, looked.not_checked) == ((), None)


@pytest.mark.parametrize(("train", "is_wide"), [(0.8201, True), (0.8199, False)])
def test_the_gap_of_the_policy_holds_for_logged_rates_too(train: float, is_wide: bool) -> None:
    both = run(ap50=0.80, metrics={"train/mAP50": train}, courses={"train/box_loss": None})
    looked = look(CHECKS, "train-val-gap", study(runs=(both,)))
    assert looked.not_checked is None
    assert [f.severity for f in looked.findings] == ([Severity.WARNING] if is_wide else [])
    if is_wide:
        assert "0.820 against 0.800" in looked.findings[0].what and "without an interval" in looked.findings[0].what


@pytest.mark.parametrize("courses", [{"val/box_loss": None}, {"train/box_loss": by_epoch(1.0)}])
def test_over_fitting_that_was_not_looked_for_is_not_denied(courses: dict[str, object]) -> None:
    assert "over-fitting was not looked for" in why_not("train-val-gap", run(courses=courses))


def test_losses_of_other_scripts_are_found() -> None:
    other = run(courses={"train/box_loss": None, "train_loss": by_epoch(3.0, 2.0), "val_loss": by_epoch(3.0, 3.5)})
    assert losses(other) == ("loss", (3.0, 2.0), (3.0, 3.5))


# --- names and courses


@pytest.mark.parametrize(
    ("name", "split", "quantity"),
    [
        ("metrics/mAP50B", "val", Quantity.AP50),
        ("metrics/mAP50-95(B)", "val", Quantity.AP),
        ("metrics/precisionB", "val", Quantity.PRECISION),
        ("metrics/mAP_0.5:0.95", "val", Quantity.AP),
        ("mAP50-95", "val", Quantity.AP),
        ("val_map50", "val", Quantity.AP50),
        ("test/recall", "test", Quantity.RECALL),
        ("train/mAP50", "train", Quantity.AP50),
    ],
)
def test_spellings_of_one_number_are_one_number(name: str, split: str, quantity: Quantity) -> None:
    assert meaning(name) == (split, quantity)


@pytest.mark.parametrize("name", ["metrics/mAP50M", "train/box_loss", "lr/pg0", "", "/", "mAP75", "precision_at_k"])
def test_other_numbers_are_none_of_them(name: str) -> None:
    assert meaning(name) is None


def test_a_number_of_test_is_not_read_as_one_of_val() -> None:
    assert rate(run(metrics={"metrics/mAP50B": None, "test/mAP50": 0.7}), Quantity.AP50) is None


def test_courses_by_hand() -> None:
    assert best_is_last((0.1,)) is None and falls(()) is None and losses_part((1.0,), (1.0, 2.0)) is None
    assert best_is_last((0.1, 0.3, 0.2)) is False and best_is_last((0.1, 0.2)) is True
    assert falls((3.0, 2.0, 2.0)) is False and falls((3.0, 2.0)) is True
    assert losses_part((2.0, 1.0), (1.0, 1.1)) is True and losses_part((2.0, 2.1), (1.0, 1.1)) is False
    assert epochs_since_lowest((3.0, 1.0, 2.0, 1.0, 1.5)) == 1 and epochs_since_lowest((2.0, 1.0)) == 0
    assert end_slope((0.5,)) is None


def test_the_slope_is_that_of_least_squares_over_the_last_epochs() -> None:
    values = (9.0, 0.1, 0.4, 0.3, 0.7, 0.65)
    assert end_slope(values) == pytest.approx(stats.linregress(range(5), values[1:]).slope)
    assert end_slope(values, 2) == pytest.approx(-0.05)
