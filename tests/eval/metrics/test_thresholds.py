from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.errors import DataError, UsageError
from robust.eval.metrics.matching import match
from robust.eval.metrics.records import OperatingPoint, ThresholdConstraints
from robust.eval.metrics.thresholds import MAX_F1, MAX_RECALL, choose_threshold, operating_point, sweep, threshold_grid

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

BOX = (0, 0, 100, 100)
AWAY = (500, 0, 600, 100)
NO_CONSTRAINTS = ThresholdConstraints()


class TestGrid:
    def test_default_is_the_51_values_from_0_30_to_0_80(self) -> None:
        grid = threshold_grid()
        assert len(grid) == 51
        assert grid == tuple(float(f"0.{hundredth}") for hundredth in range(30, 81))

    def test_stops_at_the_last_step_inside(self) -> None:
        assert threshold_grid(0.3, 0.5, 0.15) == (0.3, 0.45)
        assert threshold_grid(0.5, 0.5, 0.1) == (0.5,)
        assert threshold_grid(0.001, 1, 0.333) == (0.001, 0.334, 0.667, 1.0)

    @pytest.mark.parametrize(
        ("start", "stop", "step"),
        [
            (0.8, 0.3, 0.01),
            (0.0, 0.8, 0.01),
            (-0.1, 0.8, 0.01),
            (0.3, 1.1, 0.01),
            (0.3, 0.8, 0),
            (0.3, 0.8, -0.1),
            (0.3, 0.8, 1e-6),
            (math.nan, 0.8, 0.01),
            (0.3, 0.8, math.inf),
        ],
    )
    def test_bad_range_is_a_usage_error(self, start: float, stop: float, step: float) -> None:
        with pytest.raises(UsageError):
            threshold_grid(start, stop, step)


class TestSweep:
    def test_cocoapi_person_counts(self) -> None:
        points = sweep(*cocoapi_case(1), [0.3, 0.5, 0.8])
        assert [(p.tp, p.fp, p.fn) for p in points] == [(137, 2, 113), (107, 1, 143), (38, 0, 212)]
        assert [p.recall for p in points] == pytest.approx([0.548, 0.428, 0.152])
        assert [p.precision for p in points] == pytest.approx([137 / 139, 107 / 108, 1])
        assert [p.f1 for p in points] == pytest.approx([0.704370, 0.597765, 0.263889], abs=5e-7)
        assert [p.fppi for p in points] == pytest.approx([0.02, 0.01, 0])

    def test_score_equal_to_the_threshold_counts(self) -> None:
        (point,) = sweep(make_ground_truth([BOX]), make_predictions([BOX], [0.5]), [0.5])
        assert (point.tp, point.fp, point.fn) == (1, 0, 0)

    def test_second_hit_on_an_object_is_a_false_alarm(self) -> None:
        points = sweep(make_ground_truth([BOX]), make_predictions([BOX, BOX], [0.9, 0.4]), [0.3, 0.5])
        assert [(p.tp, p.fp) for p in points] == [(1, 1), (1, 0)]

    def test_ignored_region_makes_neither_hit_nor_false_alarm_nor_miss(self) -> None:
        truth = make_ground_truth([(0, 0, 400, 400)], iscrowd=[True])
        (point,) = sweep(truth, make_predictions([BOX, AWAY], [0.9, 0.8]), [0.5])
        assert (point.tp, point.fp, point.fn) == (0, 1, 0)
        assert (point.precision, point.recall, point.f1) == (0.0, None, None)

    def test_fppi_counts_negative_images(self) -> None:
        truth = make_ground_truth([BOX], n_images=4)
        (point,) = sweep(truth, make_predictions([BOX, AWAY, AWAY], [0.9, 0.8, 0.7], [0, 2, 3], n_images=4), [0.5])
        assert point.fppi == 0.5

    def test_rates_without_a_denominator_are_undefined(self) -> None:
        (none_found,) = sweep(make_ground_truth([BOX]), make_predictions([BOX], [0.2]), [0.5])
        assert (none_found.precision, none_found.recall, none_found.f1, none_found.fppi) == (None, 0.0, 0.0, 0.0)
        (no_images,) = sweep(make_ground_truth([], n_images=0), make_predictions([], [], n_images=0), [0.5])
        assert (no_images.precision, no_images.recall, no_images.f1, no_images.fppi) == (None, None, None, None)

    def test_more_than_100_detections_of_an_image_count(self) -> None:
        truth = make_ground_truth([BOX])
        (point,) = sweep(truth, make_predictions([AWAY] * 150 + [BOX], [0.9] * 150 + [0.8]), [0.5])
        assert (point.tp, point.fp) == (1, 150)

    def test_other_images_are_refused(self) -> None:
        with pytest.raises(DataError, match="not of the images"):
            sweep(make_ground_truth([BOX], n_images=3), make_predictions([BOX], [0.5], n_images=2), [0.5])

    @settings(max_examples=60, deadline=None)
    @given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.001, 0.1, 0.3, 0.55, 0.8, 1.0]))
    def test_equals_dropping_the_detections_and_matching_again(self, seed: int, threshold: float) -> None:
        truth, found = random_case(seed)
        keep = found.scores >= threshold
        kept = make_predictions(
            found.boxes[keep],
            found.scores[keep],
            found.image_index[keep],
            n_images=len(found.image_ids),
            category_ids=found.category_ids[keep],
            image_ids=found.image_ids,
        )
        matches = match(truth, kept, [0.5])
        hits = {int(m) for m in matches.match[0] if m >= 0 and not truth.iscrowd[m]}
        (point,) = sweep(truth, found, [threshold])
        assert point.tp == len(hits)
        assert point.fp == sum(int(m) < 0 for m in matches.match[0])
        assert point.fn == truth.n_objects - len(hits)


def _point(threshold: float, tp: int, fp: int, fn: int = 0, n_images: int = 10) -> OperatingPoint:
    return operating_point(threshold, tp, fp, fn, n_images)


CURVE = (_point(0.3, 9, 9, 1), _point(0.4, 8, 2, 2), _point(0.5, 8, 2, 2), _point(0.6, 6, 1, 4), _point(0.7, 2, 0, 8))


class TestChoice:
    def test_highest_f1_without_constraints_and_the_higher_of_equals(self) -> None:
        choice = choose_threshold(CURVE, NO_CONSTRAINTS)
        assert (choice.threshold, choice.rule, choice.chosen_on) == (0.5, MAX_F1, "val")
        assert "0.5 (precision 0.800, recall 0.800, F1 0.800, FPPI 0.200)" in choice.reason

    def test_a_shared_optimum_and_one_at_an_end_of_the_sweep_are_told(self) -> None:
        inside = choose_threshold(CURVE, NO_CONSTRAINTS).reason
        assert inside.endswith(" As high an F1, with as many or more false alarms: 1.") and "sweep" not in inside
        lowest = choose_threshold(CURVE[2:], NO_CONSTRAINTS).reason
        assert lowest.endswith("It is the lowest threshold of the sweep: a better one may lie below.")
        assert "As high an F1" not in lowest
        highest = choose_threshold(CURVE[:3], NO_CONSTRAINTS).reason
        assert highest.endswith("It is the highest threshold of the sweep: a better one may lie above.")
        limited = choose_threshold(CURVE, ThresholdConstraints(max_fppi=0)).reason
        assert limited.endswith(f"has the {MAX_RECALL}.")  # recall only falls above
        loose = choose_threshold(CURVE, ThresholdConstraints(min_precision=0.5)).reason
        assert loose.endswith("It is the lowest threshold of the sweep: a better one may lie below.")

    def test_lowest_fppi_among_equal_f1(self) -> None:
        first, second = _point(0.4, 4, 2, 2), _point(0.5, 2, 0, 2)
        assert first.f1 == second.f1
        assert choose_threshold([first, second], NO_CONSTRAINTS).threshold == 0.5
        high_fppi = _point(0.6, 4, 2, 2)
        assert choose_threshold([second, high_fppi], NO_CONSTRAINTS).threshold == 0.5

    @pytest.mark.parametrize(
        ("constraints", "threshold"),
        [
            (ThresholdConstraints(min_precision=0.5), 0.3),
            (ThresholdConstraints(min_precision=0.51), 0.5),
            (ThresholdConstraints(min_precision=0.8), 0.5),
            (ThresholdConstraints(max_fppi=0.1), 0.6),
            (ThresholdConstraints(max_fppi=0), 0.7),
            (ThresholdConstraints(min_recall=0.7, min_precision=0.6), 0.5),
            (ThresholdConstraints(min_recall=0.0), 0.3),
        ],
    )
    def test_highest_recall_within_constraints(self, constraints: ThresholdConstraints, threshold: float) -> None:
        choice = choose_threshold(CURVE, constraints, chosen_on="train")
        assert (choice.threshold, choice.rule, choice.chosen_on) == (threshold, MAX_RECALL, "train")

    def test_nearest_miss_is_named_when_nothing_is_feasible(self) -> None:
        choice = choose_threshold(CURVE, ThresholdConstraints(min_precision=0.85, min_recall=0.75))
        assert choice.threshold is None
        assert choice.reason == (
            "No threshold meets precision >= 0.85 and recall >= 0.75; "
            "the nearest miss is 0.5 (precision 0.800, recall 0.800, F1 0.800, FPPI 0.200)."
        )

    def test_undefined_precision_satisfies_nothing(self) -> None:
        points = [_point(0.5, 1, 9, 9), _point(0.9, 0, 0, 10)]
        choice = choose_threshold(points, ThresholdConstraints(min_precision=0.5))
        assert choice.threshold is None
        assert "nearest miss is 0.5" in choice.reason

    @pytest.mark.parametrize(
        ("points", "reason"),
        [
            ([], "no sweep"),
            ([_point(0.5, 0, 3)], "hold no objects"),
            ([_point(0.5, 0, 3, 5)], "No object is found"),
        ],
    )
    @pytest.mark.parametrize("constraints", [NO_CONSTRAINTS, ThresholdConstraints(min_recall=0)])
    def test_nothing_to_judge_gives_no_threshold(
        self, points: list[OperatingPoint], reason: str, constraints: ThresholdConstraints
    ) -> None:
        choice = choose_threshold(points, constraints, chosen_on=None)
        assert choice.threshold is None
        assert reason in choice.reason

    @settings(max_examples=200, deadline=None)
    @given(
        curve=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8),
        precision=st.none() | st.sampled_from([0.0, 0.5, 0.75, 1.0]),
        fppi=st.none() | st.sampled_from([0.0, 0.1, 0.3]),
        recall=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    )
    def test_equals_trying_everything(
        self, curve: list[tuple[int, int]], precision: float | None, fppi: float | None, recall: float | None
    ) -> None:
        points = [_point(round(0.1 * (i + 1), 1), tp, fp, 6 - tp) for i, (tp, fp) in enumerate(curve)]
        constraints = ThresholdConstraints(min_precision=precision, max_fppi=fppi, min_recall=recall)
        chosen = choose_threshold(points, constraints).threshold
        allowed = [
            p
            for p in points
            if (precision is None or (p.tp + p.fp and p.tp >= precision * (p.tp + p.fp)))
            and (fppi is None or p.fp / 10 <= fppi)
            and (recall is None or p.tp >= recall * 6)
        ]
        if not allowed or not any(p.tp for p in points):
            assert chosen is None
            return
        (winner,) = (p for p in points if p.threshold == chosen)
        assert winner in allowed
        by_recall = constraints != NO_CONSTRAINTS
        for other in allowed:
            goal, best = (other.tp, winner.tp) if by_recall else (other.f1 or 0.0, winner.f1 or 0.0)
            assert (goal, -other.fp, other.threshold) <= (best, -winner.fp, winner.threshold)


def test_grid_values_find_their_rows_in_a_sweep() -> None:
    truth = make_ground_truth([BOX])
    points = sweep(truth, make_predictions([BOX], [0.57]), threshold_grid())
    assert [p.threshold for p in points] == list(threshold_grid())
    assert [p.tp for p in points] == [int(t <= 0.57) for t in threshold_grid()]
    assert np.all(np.diff([p.fn for p in points]) >= 0)
