from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.eval.metrics.lrp import lrp_curve, lrp_optimum
from robust.eval.metrics.matching import Matches, match

from .builders import cocoapi_case, make_ground_truth, make_predictions, random_case

BOX = (0, 0, 100, 100)
OTHER = (200, 0, 300, 100)
MISSED = (0, 200, 100, 300)
AWAY = (500, 0, 600, 100)


def _slow(matches: Matches, category: int, threshold: float) -> float:
    """LRP of one class at one threshold, one detection at a time."""
    n_objects = sum(
        not ignored and c == category
        for ignored, c in zip(matches.object_ignored, matches.object_category, strict=True)
    )
    tp, fp, inaccuracy = 0, 0, 0.0
    for j in range(len(matches)):
        if matches.detection_category[j] != category or matches.score[j] < threshold or matches.ignored[0, j]:
            continue
        if matches.match[0, j] >= 0:
            tp += 1
            inaccuracy += (1 - matches.iou[0, j]) / 0.5
        else:
            fp += 1
    return float((inaccuracy + fp + n_objects - tp) / (n_objects + fp))


def test_hand_case_two_hits_an_alarm_and_a_miss() -> None:
    truth = make_ground_truth([BOX, OTHER, MISSED])
    found = make_predictions([(0, 0, 100, 90), (200, 0, 300, 70), AWAY], [0.9, 0.8, 0.85])
    curve = lrp_curve(match(truth, found, (0.5,)), 1)
    assert curve is not None
    assert curve.scores.tolist() == [np.inf, 0.9, 0.85, 0.8]
    assert curve.lrp[-1] == pytest.approx(0.7)  # ((0.1 + 0.3) / 0.5 + 1 + 1) / 4
    assert curve.lrp.tolist() == pytest.approx([1, (0.2 + 2) / 3, (0.2 + 1 + 2) / 4, 0.7])


def test_cocoapi_person_equals_the_published_implementation() -> None:
    made = lrp_optimum(match(*cocoapi_case(1), (0.5,)))
    assert made.olrp == pytest.approx(0.4332521264466081, abs=1e-14)
    assert made.localisation == pytest.approx(0.1411546, abs=5e-8)
    assert made.false_positive == pytest.approx(0.0099502, abs=5e-8)
    assert made.false_negative == pytest.approx(0.204, abs=5e-8)
    assert made.threshold == 0.012
    assert (made.lrp, made.n_classes, made.iou_threshold) == (made.olrp, 1, 0.5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equals_trying_every_score(seed: int) -> None:
    matches = match(*random_case(seed), (0.5,))
    made = lrp_optimum(matches)
    classes = [
        c for c in matches.category_ids.tolist() if (~matches.object_ignored & (matches.object_category == c)).any()
    ]
    assert made.n_classes == len(classes)
    if not classes:
        assert (made.olrp, made.threshold, made.lrp, made.false_negative) == (None, None, None, None)
        return
    scores = [np.inf, *np.unique(matches.score)[::-1].tolist()]
    table = np.array([[_slow(matches, c, s) for s in scores] for c in classes])
    assert made.olrp == pytest.approx(table.min(axis=1).mean(), abs=1e-12)
    shared = table.mean(axis=0)
    assert made.lrp == pytest.approx(shared.min(), abs=1e-12)
    if made.threshold is None:
        assert shared.min() == pytest.approx(1, abs=1e-12)
    else:
        assert shared[scores.index(made.threshold)] == pytest.approx(shared.min(), abs=1e-12)


def test_classes_share_a_threshold_but_not_their_optimum() -> None:
    truth, found = cocoapi_case()
    made = lrp_optimum(match(truth, found, (0.5,)))
    apart = [lrp_optimum(match(*cocoapi_case(c.id), (0.5,))).olrp for c in truth.categories]
    assert made.olrp == pytest.approx(np.mean([value for value in apart if value is not None]), abs=1e-12)
    assert made.lrp is not None and made.olrp is not None and made.lrp > made.olrp


def test_perfect_detector_has_no_error() -> None:
    made = lrp_optimum(match(make_ground_truth([BOX]), make_predictions([BOX], [0.4]), (0.5,)))
    assert (made.olrp, made.localisation, made.false_positive, made.false_negative) == (0, 0, 0, 0)
    assert made.threshold == 0.4


def test_nothing_found_is_the_full_error_without_a_threshold() -> None:
    for found in (make_predictions([], []), make_predictions([AWAY], [0.9])):
        made = lrp_optimum(match(make_ground_truth([BOX]), found, (0.5,)))
        assert (made.olrp, made.lrp, made.threshold) == (1, 1, None)
        assert (made.localisation, made.false_positive, made.false_negative) == (None, None, 1)


def test_equal_scores_are_taken_together() -> None:
    found = make_predictions([BOX, AWAY], [0.9, 0.9])
    made = lrp_optimum(match(make_ground_truth([BOX]), found, (0.5,)))
    assert (made.olrp, made.threshold) == (0.5, 0.9)


def test_highest_of_equal_thresholds() -> None:
    truth = make_ground_truth([BOX, OTHER])
    found = make_predictions([BOX, AWAY, (200, 0, 300, 75)], [0.9, 0.8, 0.7])
    curve = lrp_curve(match(truth, found, (0.5,)), 1)
    assert curve is not None and curve.lrp.tolist() == [1, 0.5, 2 / 3, 0.5]
    assert lrp_optimum(match(truth, found, (0.5,))).threshold == 0.9


def test_iou_threshold_of_1_is_refused() -> None:
    with pytest.raises(ValueError, match="not defined"):
        lrp_optimum(match(make_ground_truth([BOX]), make_predictions([BOX], [0.4]), (1.0,)))


def test_other_iou_threshold_scales_the_inaccuracy() -> None:
    matches = match(make_ground_truth([BOX]), make_predictions([(0, 0, 100, 90)], [0.4]), (0.5, 0.75))
    assert lrp_optimum(matches, 0).olrp == pytest.approx(0.2)
    assert lrp_optimum(matches, 1).olrp == pytest.approx(0.4)
