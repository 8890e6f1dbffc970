from __future__ import annotations

import csv
import io

import pytest

from robust.errors import DataError
from robust.eval.evaluation_run import (
    artifact_name,
    chosen_point,
    conditions_csv,
    finished_part,
    flat_metrics,
    sweep_csv,
)
from robust.eval.evidence.assemble import merge
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.study import EvidencePart
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.resampling import Resampling
from robust.eval.tracking.records import RunInfo

from .evidence_builder import build_evidence, undefined

EVIDENCE = build_evidence()
CANDIDATE = EVIDENCE.candidates[0]


def test_metric_names_are_those_of_the_contract_and_legal_in_mlflow() -> None:
    flat = flat_metrics(CANDIDATE)
    assert {"clean/AP50", "night/s3/AP50", "night/mean/AP50", "mPC/AP50", "rPC/AP50", "val/clean/AP"} <= set(flat)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./ ") for name in flat)
    cell = next(c for c in CANDIDATE.cells if c.variant == "night/3")
    assert flat["night/s3/AP50"] == cell.coco.AP50


def test_undefined_numbers_stay_undefined_everywhere() -> None:
    candidate = undefined(EVIDENCE).candidates[0]
    flat = flat_metrics(candidate)
    assert flat["clean/AP50"] is None and flat["mPC/AP50"] is None
    rows = list(csv.DictReader(io.StringIO(conditions_csv(candidate.cells))))
    assert rows[0]["AP50"] == ""


def test_sweep_table_has_every_cell_and_marks_the_choice() -> None:
    rows = list(csv.DictReader(io.StringIO(sweep_csv(CANDIDATE))))
    assert len(rows) == sum(len(curve.points) for curve in CANDIDATE.sweep.curves)
    assert {float(row["threshold"]) for row in rows if row["chosen"] == "True"} == {CANDIDATE.sweep.choice.threshold}


def test_operating_point_is_looked_up_at_the_chosen_threshold() -> None:
    point = chosen_point(CANDIDATE, "test", "night/5")
    assert point is not None and point.threshold == CANDIDATE.sweep.choice.threshold
    assert chosen_point(CANDIDATE, "test", "hail/1") is None


def test_judged_split_is_the_one_with_variants() -> None:
    assert CANDIDATE.judged_on == "test"


def test_artifacts_of_the_selection_split_do_not_overwrite_the_judged_ones() -> None:
    assert artifact_name("test", "night/3", judged=True) == "night-3"
    assert artifact_name("val", "clean", judged=False) == "val-clean"


def test_evidence_comes_back_from_its_text() -> None:
    assert parse_evidence(EVIDENCE.to_json().encode(), "here") == EVIDENCE


@pytest.mark.parametrize(
    ("before", "after"), [('"schema_version": 2', '"schema_version": "x"'), ('"experiment"', '"experimnt"'), ("{", "[")]
)
def test_changed_evidence_is_refused(before: str, after: str) -> None:
    with pytest.raises(DataError, match="not evidence") as error:
        parse_evidence(EVIDENCE.to_json().replace(before, after, 1).encode(), "run x")
    assert error.value.exit_code == 2


def test_merging_parts_gives_the_whole_in_any_order() -> None:
    parts = [EVIDENCE.model_copy(update={"candidates": (c,)}) for c in EVIDENCE.candidates]
    forward, backward = merge(parts), merge(parts[::-1])
    assert forward == backward
    assert {c.name for c in forward.candidates} == {c.name for c in EVIDENCE.candidates}
    assert [c.role for c in forward.candidates] == sorted((c.role for c in EVIDENCE.candidates), reverse=True)


def test_evidence_of_other_data_is_not_merged() -> None:
    other = EVIDENCE.model_copy(update={"suite": EVIDENCE.suite.model_copy(update={"seed": 99})})
    with pytest.raises(Exception, match="cannot be compared"):
        merge([EVIDENCE, other])


def test_finished_evaluation_without_todays_numbers_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence without intervals, or without the replicates behind them, is not kept; its cells are measured anew."""
    interval = Interval(low=0.1, high=0.2, method="t", n_units=10)
    with_intervals = CANDIDATE.model_copy(
        update={"cells": tuple(c.model_copy(update={"intervals": {"AP": interval}}) for c in CANDIDATE.cells)}
    )
    replicates = Replicates(Resampling(), {}, {})
    run = RunInfo("r", "eval tiny", "0", "FINISHED")
    for candidate, stored, kept in (
        (with_intervals, replicates, True),
        (with_intervals, None, False),
        (CANDIDATE, replicates, False),
    ):
        part = EvidencePart(EVIDENCE.model_copy(update={"candidates": (candidate,)}), stored)
        monkeypatch.setattr("robust.eval.evaluation_run.read_part", lambda *_, found=part: found)
        assert (finished_part(None, run) is part) is kept  # type: ignore[arg-type]
