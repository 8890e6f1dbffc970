from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robust.corruptions.records import CLEAN
from robust.eval.evidence.candidate import sweep_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import SweepEvidence
from robust.eval.evidence.study import assemble_study
from robust.eval.metrics.bands import rate_intervals
from robust.eval.metrics.counts import counts_of
from robust.eval.metrics.interval import Interval, rate_interval, share_interval
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.metrics.resampling import ImageWeights
from tests.eval.evidence.study_builder import (
    CLEAN_IMAGES,
    DRAWN,
    FOG,
    N_IMAGES,
    N_RECORDED,
    NIGHT,
    PLAN,
    REAL_NIGHT,
    Model,
    baseline,
    cell,
    cells_of,
    measured,
    part,
    weights_by_hand,
    with_predictions,
)

MODEL = Model("one", draw=3)
VARIANTS = (*NIGHT, *FOG, REAL_NIGHT)


def cells() -> list[CellResult]:
    return cells_of(MODEL, VARIANTS)


def chosen(sweep: SweepEvidence) -> tuple[object, ...]:
    return sweep.choice, sweep.certainty, sweep.certificates, sweep.lrp


def changed(shown: list[CellResult], split: str) -> list[CellResult]:
    """The cells with a third of the detections in those of one split."""
    return [with_predictions(c, len(c.predictions) // 3) if c.split == split else c for c in shown]


@pytest.mark.parametrize("constraints", [ThresholdConstraints(), ThresholdConstraints(max_fppi=0.8)])
def test_the_choice_and_all_that_speaks_for_it_come_from_val_alone(constraints: ThresholdConstraints) -> None:
    plan = replace(PLAN, constraints=constraints)
    before = measured(cells(), plan).sweep
    other_test = measured(changed(cells(), "test"), plan).sweep
    other_val = measured(changed(cells(), "val"), plan).sweep
    assert before.choice.threshold is not None and before.choice.chosen_on == "val"
    assert chosen(other_test) == chosen(before) and other_test.curves != before.curves
    assert other_val.choice != before.choice and other_val.certainty != before.certainty


def test_the_chosen_threshold_has_the_best_f1_on_val() -> None:
    shown = cell("val", CLEAN_IMAGES, MODEL)
    f1 = {}
    for threshold in PLAN.thresholds:
        counts = counts_of(shown.truth, shown.predictions, (threshold,))
        f1[threshold] = 2 * counts.tp.sum() / (counts.tp.sum() + counts.fp.sum() + counts.n_objects)
    choice = measured(cells()).sweep.choice
    assert choice.threshold is not None and f1[choice.threshold] == pytest.approx(max(f1.values()))


def rates_by_hand(shown: CellResult, threshold: float) -> dict[str, Interval]:
    counts = counts_of(shown.truth, shown.predictions, (threshold,))
    tp, fp, objects = counts.tp[:, 0], counts.fp[:, 0], counts.objects
    drawn = weights_by_hand(shown)
    n_units = len(objects)
    weights = np.hstack([np.ones((n_units, 1)), drawn])
    hits, alarms, there = tp @ weights, fp @ weights, objects @ weights
    columns = {
        "precision": hits / (hits + alarms),
        "recall": hits / there,
        "f1": 2 * hits / (hits + alarms + there),
    }
    counted = {"precision": tp + fp, "recall": objects, "f1": objects}
    found = {
        name: share_interval(
            float(column[0]),
            column[1:],
            n_units,
            n_objects=int(counted[name].sum()),
            n_carrying=int((counted[name] > 0).sum()),
        )
        for name, column in columns.items()
    }
    fppi = alarms / weights.sum(axis=0)
    return {**found, "fppi": rate_interval(float(fppi[0]), fppi[1:], n_units)}


def test_rates_at_the_chosen_threshold_have_the_intervals_of_their_own_replicates() -> None:
    shown = cells()
    made = measured(shown)
    threshold = made.sweep.choice.threshold
    assert threshold is not None
    assert [(a.split, a.variant) for a in made.sweep.at_threshold] == [(c.split, c.variant.name) for c in shown]
    for at, one in zip(made.sweep.at_threshold, shown, strict=True):
        weights = ImageWeights(weights_by_hand(one), len(one.truth.image_ids))
        counts = counts_of(one.truth, one.predictions, (threshold,))
        assert at.intervals == rate_intervals(counts, weights, threshold)
        for name, expected in rates_by_hand(one, threshold).items():
            found = at.intervals[name]
            assert found.low is not None and expected.low is not None
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-6)
            assert found.n_units == (N_RECORDED if one.variant.name == "real_night" else N_IMAGES)


def test_bands_of_the_curve_meet_the_intervals_at_the_threshold() -> None:
    sweep = measured(cells()).sweep
    threshold = sweep.choice.threshold
    assert threshold is not None
    at = {(a.split, a.variant): a for a in sweep.at_threshold}
    for curve in sweep.curves:
        assert curve.bands is not None
        for rate, interval in at[curve.split, curve.variant].intervals.items():
            ends = curve.bands.at(rate, curve.thresholds.index(threshold))
            assert ends == pytest.approx((interval.low, interval.high), abs=2e-6)


def test_rates_of_a_candidate_are_compared_through_their_stored_replicates() -> None:
    made = measured(cells())
    shown = cell("test", FOG[1], MODEL)
    counts = counts_of(shown.truth, shown.predictions, (made.sweep.choice.threshold or 0,))
    weights = weights_by_hand(shown)
    recall = (counts.tp[:, 0] @ weights) / (counts.objects @ weights)
    np.testing.assert_allclose(made.replicates.values["test", "fog/2", "recall"], recall, atol=1e-12)


def test_the_best_threshold_of_the_worst_variant_is_given_for_splits_with_several_variants() -> None:
    only_test = measured(cells_of(MODEL, NIGHT)).sweep
    assert [one.split for one in only_test.max_min] == ["test"]
    on_val = [*cells_of(MODEL, NIGHT), *(cell("val", variant, MODEL) for variant in NIGHT)]
    assert [one.split for one in measured(on_val).sweep.max_min] == ["test", "val"]
    assert measured(cells_of(MODEL, ())).sweep.max_min == ()


def test_the_best_threshold_of_the_worst_variant_is_the_best_of_all() -> None:
    shown = cells_of(MODEL, NIGHT)
    worst = {}
    for threshold in PLAN.thresholds:
        f1 = []
        for one in shown[:3]:  # clean test images and two severities
            counts = counts_of(one.truth, one.predictions, (threshold,))
            f1.append(2 * counts.tp.sum() / (counts.tp.sum() + counts.fp.sum() + counts.n_objects))
        worst[threshold] = min(f1)
    (found,) = measured(shown).sweep.max_min
    assert found.variants == ("clean", "night/1", "night/2")
    assert found.threshold is not None and worst[found.threshold] == pytest.approx(max(worst.values()))
    assert found.value == pytest.approx(max(worst.values()))


def test_without_a_val_split_nothing_is_chosen_and_nothing_is_read_at_a_threshold() -> None:
    models = (MODEL, baseline())
    parts = [part(model, cells_of(model, NIGHT[:1], val=False)) for model in models]
    sweep = parts[0].evidence.candidates[0].sweep
    assert (sweep.choice.threshold, sweep.choice.chosen_on) == (None, None) and "'val'" in sweep.choice.reason
    assert (sweep.at_threshold, sweep.recalls, sweep.certainty, sweep.certificates, sweep.lrp) == (
        (),
        (),
        None,
        (),
        None,
    )
    assert [(c.split, c.variant) for c in sweep.curves] == [("test", "clean"), ("test", "night/1")]
    compared = assemble_study(parts).comparisons
    assert compared is not None and compared.against_baseline
    assert not {"recall", "precision", "f1", "fppi"} & {p.comparison.metric for p in compared.against_baseline}


def test_limits_that_no_threshold_meets_leave_no_choice_but_say_how_sure_that_is() -> None:
    plan = replace(PLAN, constraints=ThresholdConstraints(min_precision=1.0, min_recall=1.0))
    sweep = measured(cells(), plan).sweep
    assert sweep.choice.threshold is None and sweep.choice.chosen_on == "val" and sweep.at_threshold == ()
    assert sweep.certainty is not None and sweep.certainty.threshold is None


def test_sweeping_alone_gives_the_sweep_of_the_whole_evaluation() -> None:
    shown = cells()
    selecting = next(c for c in shown if c.split == "val" and c.variant.corruption == CLEAN)
    sweep, rates = sweep_cells(shown, selecting, PLAN, DRAWN)
    made = measured(shown)
    assert sweep == made.sweep
    assert rates and all(np.array_equal(made.replicates.values[key], column) for key, column in rates.items())
