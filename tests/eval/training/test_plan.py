"""A grid becomes exactly the trainings that were asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robust.errors import UnknownName, UsageError
from robust.eval.training.plan import Grid, TrainJob, plan_grid

GRID = Grid(Path("d.yaml"), Path("w/yolov8n.pt"), (320, 416), (0.005, 0.01), (1, 42))
JOB = plan_grid(GRID)[0]


def test_names_are_those_of_the_study() -> None:
    assert [job.name for job in plan_grid(GRID)] == [
        f"yolov8n_e3_sz{size}_lr{rate}_s{seed}" for size in (320, 416) for rate in (0.005, 0.01) for seed in (1, 42)
    ]


def test_values_given_twice_are_trained_once() -> None:
    assert len(plan_grid(replace(GRID, seeds=(1, 1, 42), lr0=(0.01, 0.01)))) == 4


def test_auto_is_refused_because_it_ignores_the_rate() -> None:
    with pytest.raises(UsageError, match="ignores lr0"):
        plan_grid(replace(GRID, optimizer="Auto"))


def test_optimizers_are_named_in_any_case_and_unknown_ones_are_listed() -> None:
    assert plan_grid(replace(GRID, optimizer="adamw"))[0].optimizer == "AdamW"
    with pytest.raises(UnknownName, match="AdamW"):
        plan_grid(replace(GRID, optimizer="AdamV"))


@pytest.mark.parametrize(
    "change",
    [
        {"imgsz": (100,)},
        {"imgsz": (0,)},
        {"imgsz": ()},
        {"lr0": (0.0,)},
        {"lr0": (float("nan"),)},
        {"seeds": (-1,)},
        {"epochs": 0},
        {"batch": 0},
        {"patience": 0},
        {"workers": -1},
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        plan_grid(replace(GRID, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"seed": 2}, False),
        ({"lr0": 0.02}, False),
        ({"imgsz": 640}, False),
        ({"epochs": 4}, False),
        ({"batch": 4}, False),
        ({"optimizer": "SGD"}, False),
        ({"patience": 5}, False),
        ({"model": "renamed"}, True),
        ({"device": "0"}, True),
        ({"workers": 4}, True),
    ],
)
def test_the_key_holds_what_decides_the_weights(change: dict[str, object], same: bool) -> None:
    other: TrainJob = replace(JOB, **change)  # type: ignore[arg-type]
    assert (other.key("t", "v", "b") == JOB.key("t", "v", "b")) is same


def test_the_key_holds_the_data_and_the_starting_weights() -> None:
    keys = {JOB.key(*parts) for parts in (("t", "v", "b"), ("T", "v", "b"), ("t", "V", "b"), ("t", "v", "B"))}
    assert len(keys) == 4


def test_what_ultralytics_is_told_names_the_optimizer_and_the_rate() -> None:
    told = JOB.arguments()
    assert (told["optimizer"], told["lr0"], told["imgsz"], told["seed"]) == ("AdamW", 0.005, 320, 1)
    assert told["warmup_bias_lr"] == 0.0
    assert "warmup_bias_lr" not in replace(JOB, optimizer="SGD").arguments()
