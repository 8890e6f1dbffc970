from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.corruptions.records import CLEAN, Variant
from robust.datasets.records import Category
from robust.eval.evidence.candidate import candidate_evidence, measure_cells
from robust.eval.evidence.comparisons import compare_study
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.resampling import Resampling
from robust.eval.records import Candidate
from tests.eval.evidence_builder import build_evidence
from tests.eval.metrics.builders import make_ground_truth, make_predictions

N = 30
BOX, OTHER = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 300.0, 100.0)
CLASSES = (Category(1, "person"), Category(2, "bicycle"))


def _measure(n_rare: int, missed: int, sha: str, role: str) -> tuple[CandidateEvidence, Replicates]:
    """One person in each of 30 images, a bicycle in the first ``n_rare``; every ``missed``-th person is not found."""
    people = list(range(N))
    truth = make_ground_truth(
        [BOX] * N + [OTHER] * n_rare,
        people + list(range(n_rare)),
        n_images=N,
        category_ids=[1] * N + [2] * n_rare,
        categories=CLASSES,
    )
    found = [i for i in people if i % missed]
    order = sorted([(i, 1) for i in found] + [(i, 2) for i in range(n_rare)])
    predictions = make_predictions(
        [BOX if kind == 1 else OTHER for _, kind in order],
        [0.9 - 0.01 * i for i, _ in order],
        [i for i, _ in order],
        n_images=N,
        category_ids=[kind for _, kind in order],
    )
    cell = CellResult("test", Variant(CLEAN, 0), "0" * 64, truth, predictions)
    measured = measure_cells([cell], None, SweepPlan(), Resampling(replicates=300))
    candidate = Candidate(
        sha,
        Path("w.pt"),
        sha * 64,
        64,
        role=role,
        baseline_sha256="b" * 64 if role == "candidate" else None,  # type: ignore[arg-type]
    )
    return candidate_evidence(
        candidate, measured, judged_on="test", training=None, weights_bytes=1
    ), measured.replicates


@pytest.mark.parametrize(("n_rare", "carried"), [(1, False), (4, False), (12, True)])
def test_a_mean_over_classes_needs_images_of_every_class(n_rare: int, carried: bool) -> None:
    (one, of_one), (other, of_other) = _measure(n_rare, 2, "a", "candidate"), _measure(n_rare, 7, "b", "baseline")
    interval = one.cells[0].intervals["AP50"]
    assert (interval.low is not None) is carried
    assert carried or "one of its classes" in interval.note
    evidence = build_evidence().model_copy(update={"candidates": (one, other)})
    found = compare_study(evidence, {one.key: of_one, other.key: of_other}).against_baseline
    (pair,) = [p.comparison for p in found if (p.comparison.variant, p.comparison.metric) == (CLEAN, "AP50")]
    assert pair.difference == pytest.approx((one.cells[0].coco.AP50 or 0) - (other.cells[0].coco.AP50 or 0))
    assert (pair.interval.low is not None) is carried
    assert carried or pair.verdict == "cannot tell"
    assert carried or all(part.interval is None for part in one.cells[0].strata)


def test_paired_difference_is_that_of_the_stored_replicates() -> None:
    (one, of_one), (other, of_other) = _measure(12, 2, "a", "candidate"), _measure(12, 7, "b", "baseline")
    evidence = build_evidence().model_copy(update={"candidates": (one, other)})
    found = compare_study(evidence, {one.key: of_one, other.key: of_other}).against_baseline
    (pair,) = [p.comparison for p in found if (p.comparison.variant, p.comparison.metric) == (CLEAN, "AP50")]
    key = ("test", CLEAN, "AP50")
    apart = of_one.values[key] - of_other.values[key]
    assert pair.interval.se == pytest.approx(apart.std(ddof=1) * np.sqrt(N / (N - 1)), rel=1e-5)


def test_candidates_without_replicates_are_named_and_not_compared() -> None:
    (one, of_one), (other, _) = _measure(12, 2, "a", "candidate"), _measure(12, 7, "b", "baseline")
    evidence = build_evidence().model_copy(update={"candidates": (one, other)})
    found = compare_study(evidence, {one.key: of_one})
    assert found.against_baseline == () and found.not_compared == ("b: its replicates are not stored",)
