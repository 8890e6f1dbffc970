from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robust.corruptions.records import CLEAN, Variant
from robust.errors import DataError
from robust.eval.evaluation_run import flat_metrics
from robust.eval.evidence.candidate import candidate_evidence, measure_cells, sweep_cells
from robust.eval.evidence.measure import CellResult, Weighing, measure_cell
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.miss_rate import miss_rate
from robust.eval.metrics.resampling import Resampling
from robust.eval.records import Candidate
from tests.eval.evidence_builder import build_evidence
from tests.eval.metrics.builders import make_ground_truth, make_predictions

PLAN = SweepPlan()
DRAWN = Resampling(replicates=200)
ROW = [(200.0 * i, 0.0, 200.0 * i + 100, 100.0) for i in range(12)]


def _cell(split: str, variant: Variant, n_found: int) -> CellResult:
    """Twelve objects in one image, seven bare and five heavy; the first ``n_found`` are found with falling scores."""
    truth = replace(make_ground_truth(ROW), visible=np.array([1.0] * 7 + [0.5] * 5))
    scores = [round(0.95 - 0.05 * i, 2) for i in range(n_found)]
    predictions = replace(
        make_predictions(ROW[:n_found], scores), provenance={"n_parameters": 1, "inference": {"imgsz": 64}}
    )
    return CellResult(split, variant, "0" * 64, truth, predictions)


def _candidate(n_found: dict[tuple[str, int], int]) -> CandidateEvidence:
    clean = Variant(CLEAN, 0)
    cells = [_cell("val", clean, 12), _cell("test", clean, 10)]
    cells += [_cell("test", Variant(*place), found) for place, found in n_found.items()]
    return candidate_evidence(
        Candidate("tiny", Path("tiny.pt"), "1" * 64, 64),
        measure_cells(cells, cells[0], PLAN, DRAWN),
        judged_on="test",
        training=None,
        weights_bytes=1,
    )


def test_cell_holds_its_miss_rate_and_its_kinds_of_objects() -> None:
    cell = _cell("test", Variant(CLEAN, 0), 9)
    measured = measure_cell(cell, Weighing(DRAWN).of(cell)).evidence
    assert measured.miss_rate == miss_rate(cell.truth, cell.predictions)
    found = {(part.division, part.stratum): part for part in measured.strata}
    assert pytest.approx(1.0) == found["visible", "bare"].AP50
    assert pytest.approx(41 / 101) == found["visible", "heavy"].AP50  # 2 of 5: recalls 0 to 0.40
    assert found["crowd", "apart"].AP50 == measured.coco.AP50
    assert (found["crowd", "dense"].n_objects, found["crowd", "dense"].AP50) == (0, None)


def test_recall_of_a_kind_is_read_at_the_chosen_threshold() -> None:
    measured = _candidate({})
    threshold = measured.sweep.choice.threshold
    assert threshold == pytest.approx(0.40)  # the lowest score of the twelve hits on val
    (clean,) = [one for one in measured.sweep.recalls if (one.split, one.variant) == ("test", "clean")]
    heavy = next(part for part in clean.strata if part.stratum == "heavy")
    assert (heavy.found, heavy.n_objects, heavy.recall) == (3, 5, pytest.approx(0.6))


def test_another_sweep_reads_other_recalls_from_the_same_predictions() -> None:
    cells = [_cell("val", Variant(CLEAN, 0), 12)]
    high = replace(PLAN, start=0.7, stop=0.8)
    swept, _ = sweep_cells(cells, cells[0], high, DRAWN)
    bare = next(part for part in swept.recalls[0].strata if part.stratum == "bare")
    assert (swept.choice.threshold, bare.found) == (pytest.approx(0.70), 6)
    nothing_chosen, rates = sweep_cells(cells, None, replace(high, chosen_on="elsewhere"), DRAWN)
    assert (nothing_chosen.recalls, nothing_chosen.at_threshold, rates) == ((), (), {})
    assert "elsewhere" in nothing_chosen.choice.reason


def test_candidate_holds_where_it_breaks() -> None:
    (ap, ap50) = _candidate({("night", 1): 8, ("night", 2): 2}).robustness
    point = ap50.breaking_points["night"]
    assert ap50.clean is not None and point is not None
    assert point.requirement == pytest.approx(ap50.clean / 2)
    assert (point.holds_at, point.fails_at) == (1, 2)
    assert ap50.worst_corruption == "night" and ap50.worst_mean == ap50.mPC
    assert (ap.metric, set(ap.retained_areas)) == ("AP", {"night"})


def test_mlflow_gets_numbers_that_are_defined_and_stable_only() -> None:
    flat = flat_metrics(_candidate({("night", 1): 8, ("night", 2): 7, ("fog", 1): 3, ("fog", 2): 2}))
    known = {name for name, value in flat.items() if value is not None}
    assert {"night/mean/AP50", "night/retained_area/AP50", "worst_mean/AP50", "fog/breaking_point/AP50"} <= known
    assert {"clean/recall_at_fppi_0.1", "clean/visible_heavy/AP50", "night/s2/crowd_apart/AP50"} <= known
    assert "night/breaking_point/AP50" not in known  # still above half of the clean value at the last severity
    assert "clean/MR-2" not in known  # one image
    assert "clean/visible_hidden/AP50" not in known


def test_evidence_of_an_older_or_newer_schema_is_refused_with_what_to_do() -> None:
    evidence = build_evidence()
    assert parse_evidence(evidence.to_json().encode(), "here") == evidence
    older, newer = ({**json.loads(evidence.to_json()), "schema_version": version} for version in (1, 3))
    with pytest.raises(DataError, match="here has schema 1") as refused:
        parse_evidence(json.dumps(older).encode(), "here")
    assert "robust eval" in refused.value.fix and "no model is run" in refused.value.fix
    with pytest.raises(DataError, match="here has schema 3") as refused:
        parse_evidence(json.dumps(newer).encode(), "here")
    assert "newer" in refused.value.fix
