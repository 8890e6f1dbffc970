"""A parameter that was varied and did nothing, copies with other parameters, and runs that are not alike."""

from __future__ import annotations

from typing import Any

import pytest

from robust.eval.audit.results import is_telling, significant_digits
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.tracking import tags
from tests.eval.audit.runs_builder import a_run, audited, found

SAME = 0.7012550525858202


def test_two_rates_with_the_same_result_are_an_axis_without_effect() -> None:
    runs = [a_run("slow", map50=SAME, params={"lr0": 0.005}), a_run("fast", map50=SAME, params={"lr0": 0.01})]
    (axis,) = found("ineffective-axis", *runs)
    assert (axis.severity, axis.runs) == (Severity.ERROR, ("fast", "slow"))
    assert axis.numbers == {"parameter": "lr0", "same_pairs": 1, "pairs": 1, "value": SAME}
    assert "0.005 and 0.01" in axis.what and "0.7012550525858202" in axis.what
    assert "auto" not in axis.what  # SGD was named: the cause is something else
    (copies,) = found("duplicate-result", *runs)
    assert copies.severity is Severity.ERROR and copies.numbers["parameters"] == "lr0"


def test_results_that_differ_in_the_last_digit_are_different_trainings() -> None:
    runs = [a_run(map50=SAME, params={"lr0": 0.005}), a_run(map50=0.7012550525858203, params={"lr0": 0.01})]
    assert not found("ineffective-axis", *runs) and not found("duplicate-result", *runs)


@pytest.mark.parametrize("value", [0.5, 0.995, 24 / 31, 0.61235])
def test_round_numbers_and_shares_of_few_boxes_agree_by_chance(value: float) -> None:
    runs = [a_run(map50=value, params={"lr0": 0.005}), a_run(map50=value, params={"lr0": 0.01})]
    assert not found("ineffective-axis", *runs) and not found("duplicate-result", *runs)


def test_three_numbers_of_five_digits_do_not_agree_by_chance() -> None:
    assert is_telling([0.26917, 0.20134, 1.8331]) and not is_telling([0.26917, 0.20134])
    assert [significant_digits(v) for v in (0.27, 1.83387, 1e-05, 120.0)] == [2, 6, 1, 2]


def test_weights_that_differ_are_no_copies_whatever_the_metrics_say() -> None:
    runs = [a_run(map50=SAME, params={"lr0": lr0}, tensors_sha256=c * 64) for lr0, c in ((0.005, "a"), (0.01, "b"))]
    assert not found("ineffective-axis", *runs) and not found("duplicate-result", *runs)
    runs = [a_run(params={"lr0": lr0}, tensors_sha256="a" * 64) for lr0 in (0.005, 0.01)]
    assert found("ineffective-axis", *runs) and found("duplicate-result", *runs)


def test_auto_ignores_the_rate_even_when_no_results_can_be_compared() -> None:
    runs = [a_run(params={"optimizer": "auto", "lr0": lr0, "seed": s}) for lr0, s in ((0.005, 1), (0.01, 2))]
    (axis,) = found("ineffective-axis", *runs)
    assert axis.severity is Severity.ERROR and "AdamW" in axis.what and "0.002 for one class" in axis.what
    runs = [a_run(params={"optimizer": "auto", "momentum": m, "seed": s}) for m, s in ((0.9, 1), (0.937, 2))]
    (axis,) = found("ineffective-axis", *runs)
    assert axis.severity is Severity.WARNING and axis.numbers["parameter"] == "momentum"


def test_auto_is_read_from_the_training_too_and_what_it_picked_is_told() -> None:
    runs = [
        a_run(
            params={"optimizer": "AdamW", "lr0": 0.002, "seed": seed},
            resolved={"optimizer": "auto", "lr0": lr0, "seed": str(seed)},
        )
        for seed, lr0 in ((1, "0.005"), (2, "0.01"))
    ]
    (axis,) = found("ineffective-axis", *runs)
    assert axis.severity is Severity.ERROR and "AdamW with lr0 0.002" in axis.what


def test_rates_without_an_optimizer_are_a_warning_and_one_rate_is_none() -> None:
    runs = [a_run(params={"optimizer": None, "lr0": lr0, "seed": s}) for lr0, s in ((0.005, 1), (0.01, 2))]
    (axis,) = found("ineffective-axis", *runs)
    assert axis.severity is Severity.WARNING and "not their optimizer" in axis.what
    assert not found("ineffective-axis", runs[0], a_run(params={"optimizer": None, "lr0": 0.005, "seed": 9}))


def test_patience_may_change_nothing_in_a_short_training() -> None:
    (axis,) = found("ineffective-axis", *(a_run(map50=SAME, params={"patience": p}) for p in (10, 100)))
    assert axis.severity is Severity.NOTE


def test_names_and_places_of_a_training_are_no_axis() -> None:
    runs = [a_run(map50=SAME, params={"project": p, "name": p, "save_dir": p, "data": f"/{p}/d.yaml"}) for p in "ab"]
    assert not found("ineffective-axis", *runs) and not found("duplicate-result", *runs)


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"params": {"data": "other.yaml"}}, Severity.WARNING),
        ({"params": {"data": "other.yaml", "epochs": 20}}, Severity.ERROR),
        ({"data_sha256": "b" * 64}, Severity.ERROR),
        ({"ultralytics": "8.4.100"}, Severity.ERROR),
        ({"params": {"epochs": 20}}, Severity.NOTE),
        ({"params": {"epochs": 20, "lr0": 0.02}}, Severity.WARNING),
        ({"params": {"model": "yolov8s.pt", "lr0": 0.02}}, Severity.WARNING),
    ],
)
def test_what_varies_beside_the_grid_is_told(change: dict[str, Any], severity: Severity) -> None:
    shared: dict[str, Any] = {"data_sha256": "a" * 64, "ultralytics": "8.4.190"}
    first = a_run(params={"data": "d.yaml"}, **shared)
    merged = {**shared, **change, "params": {"data": "d.yaml", **change.get("params", {})}}
    (unlike,) = found("unlike-runs", first, a_run(**merged))
    assert unlike.severity is severity


def test_a_grid_of_size_rate_and_seed_is_alike_and_settings_that_change_together_are_one_finding() -> None:
    grid = [a_run(params={"imgsz": i, "lr0": lr, "seed": s}) for i in (320, 416) for lr in (0.01, 0.02) for s in (1, 2)]
    assert not found("unlike-runs", *grid)
    runs = [a_run(params={"optimizer": o, "warmup_bias_lr": w}) for o, w in (("SGD", 0.1), ("AdamW", 0.0))]
    (unlike,) = found("unlike-runs", *runs)
    assert "optimizer (AdamW and SGD) and warmup_bias_lr (0 and 0.1)" in unlike.what


def test_another_device_is_a_note_and_no_other_configuration() -> None:
    runs = [a_run(params={"device": device, "seed": seed}) for device, seed in (("cpu", 1), ("0", 2))]
    (unlike,) = found("unlike-runs", *runs)
    assert unlike.severity is Severity.NOTE and "device (0 and cpu)" in unlike.what


def test_one_run_cannot_be_compared_and_that_is_said() -> None:
    evidence = audited(a_run())
    assert {"ineffective-axis", "duplicate-result", "unlike-runs"} <= evidence.not_checked.keys()


def test_settings_that_vary_together_are_told_and_never_pass_as_effective() -> None:
    runs = [
        a_run(params={"imgsz": size, "lr0": rate, "seed": seed})
        for size, rate in ((320, 0.01), (640, 0.001))
        for seed in (1, 2)
    ]
    told = found("ineffective-axis", *runs)
    assert [(one.severity, one.numbers["parameter"]) for one in told] == [
        (Severity.WARNING, "imgsz"),
        (Severity.WARNING, "lr0"),
    ]
    assert "no two runs differ in it alone: lr0 varies with it" in told[0].what
    (seeds,) = found("ineffective-axis", *(a_run(params={"lr0": r, "seed": s}) for r, s in ((0.01, 1), (0.02, 2))))
    assert "seed varies with it" in seeds.what
    assert not found("ineffective-axis", *(a_run(params={"lr0": rate}) for rate in (0.01, 0.02)))


def test_memory_and_other_numbers_do_not_hide_copies() -> None:
    def run(rate: float, **more: float) -> Any:
        return a_run(metrics={"mAP50": SAME, "val_f1": 0.6123, **more}, params={"lr0": rate})

    assert found("duplicate-result", run(0.01, vram_peak=2.1), run(0.02, vram_peak=2.2))
    assert found("duplicate-result", run(0.01, train_runtime=10.1), run(0.02, train_runtime=10.2))
    assert not found("duplicate-result", run(0.01, val_loss=1.1), run(0.02, val_loss=1.2))
    unknown = [a_run(metrics={"score": 0.61234567, "other": i}, params={"lr0": i}) for i in (1, 2)]
    assert not found("duplicate-result", *unknown)


def test_two_training_sets_compared_on_purpose_are_a_warning_and_a_note_with_equal_val_images() -> None:
    def grid(**more: Any) -> list[Any]:
        return [a_run(params={"data": d, "seed": s}, **more) for d in ("real.yaml", "both.yaml") for s in (1, 2)]

    assert [one.severity for one in found("unlike-runs", *grid())] == [Severity.WARNING]
    assert [one.severity for one in found("unlike-runs", *grid(tags={tags.VAL_DATA_SHA256: "v"}))] == [Severity.NOTE]
    first, *others = grid(tags={tags.VAL_DATA_SHA256: "v"})
    mixed = [first.model_copy(update={"tags": {tags.VAL_DATA_SHA256: "w"}}), *others]
    assert Severity.ERROR in [one.severity for one in found("unlike-runs", *mixed)]


def test_files_of_a_common_name_are_told_apart_by_their_folder() -> None:
    def unlike(key: str, *values: str) -> list[AuditFinding]:
        return found("unlike-runs", *(a_run(params={key: value}) for value in values))

    assert unlike("data", "/d/people-1/data.yaml", "/d/people-7/data.yaml")
    assert unlike("model", "runs/train/weights/best.pt", "runs/train9/weights/best.pt")
    assert not unlike("data", "/a/people/data.yaml", "C:\\b\\people\\data.yaml")
    known = [a_run(params={"data": f"/{at}/data.yaml"}, data_sha256="a" * 64) for at in "xy"]
    assert not found("unlike-runs", *known)  # their content is known to be equal
