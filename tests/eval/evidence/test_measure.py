from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from robust.corruptions.records import Variant
from robust.datasets.records import Category
from robust.errors import DataError
from robust.eval.evidence.measure import CellResult, Weighing, measure_cell
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.records import CellEvidence, Evidence
from robust.eval.evidence.study import assemble_study
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_evaluation
from robust.eval.metrics.interval import Interval, share_interval
from robust.eval.metrics.matching import match
from robust.eval.metrics.miss_rate import miss_rate
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.strata import MAX_REPLICATES
from robust.eval.metrics.weighted import COCO_NAMES, coco_replicates, miss_rate_replicates
from robust.eval.records import GroundTruth, Predictions
from tests.eval.evidence.study_builder import (
    CLEAN_IMAGES,
    DRAWN,
    FOG,
    N_IMAGES,
    N_RECORDED,
    NIGHT,
    REAL_NIGHT,
    Model,
    baseline,
    cell,
    cells_of,
    drawn_by_hand,
    grid_study,
    measured,
    part,
    street,
    weights_by_hand,
    with_predictions,
)

MODEL = Model("one", draw=3)
MISS_RATES = {"MR-2": "mr2", "recall_at_fppi_0.1": "recall_fppi_01", "recall_at_fppi_1": "recall_fppi_1"}
SIZES = {"s": (0, 32**2), "m": (32**2, 96**2), "l": (96**2, math.inf)}


def carriers(truth: GroundTruth, name: str) -> tuple[int, int]:
    """Objects that count for a number, and the images or groups that hold one."""
    low, high = SIZES.get(name[-1], (0, math.inf))
    objects, units = 0, set()
    for image, area, crowd in zip(truth.image_index, truth.area, truth.iscrowd, strict=True):
        if not crowd and low <= area <= high:
            objects += 1
            group = truth.groups[int(image)]
            units.add(("image", int(image)) if group is None else ("group", group))
    return objects, len(units)


def intervals_by_hand(shown: CellResult, weights: NDArray[np.float64], n_units: int) -> dict[str, Interval]:
    """All fifteen intervals of a cell with one class."""
    point = coco_metrics(shown.truth, shown.predictions).model_dump()
    columns = coco_replicates(shown.truth, shown.predictions, weights)
    rates = miss_rate(shown.truth, shown.predictions).model_dump()
    of_rates = miss_rate_replicates(match(shown.truth, shown.predictions, (0.5,)), weights)
    point |= {name: rates[field] for name, field in MISS_RATES.items()}
    columns |= {name: of_rates[field] for name, field in MISS_RATES.items()}
    found = {}
    for name, column in columns.items():
        objects, units = carriers(shown.truth, "AP" if name in MISS_RATES else name)
        found[name] = share_interval(point[name], column, n_units, n_objects=objects, n_carrying=units)
    return found


def evidence_of(cells: Sequence[CellResult], split: str, variant: str) -> CellEvidence:
    return next(
        one.evidence for one in measured(cells).cells if (one.evidence.split, one.evidence.variant) == (split, variant)
    )


@pytest.mark.parametrize(
    ("split", "variant"), [("test", "clean"), ("test", "night/2"), ("val", "clean"), ("test", "real_night")]
)
def test_every_number_of_a_cell_has_the_interval_of_its_own_replicates(split: str, variant: str) -> None:
    shown = grid_study().cell("sz256 lr0.005 s1", split, variant)
    found = next(c for c in grid_study().named("sz256 lr0.005 s1").cells if (c.split, c.variant) == (split, variant))
    n_units = N_RECORDED if variant == "real_night" else N_IMAGES
    assert set(found.intervals) == {*COCO_NAMES, *MISS_RATES} and found.n_units == n_units
    assert found.intervals == intervals_by_hand(shown, weights_by_hand(shown), n_units)
    assert all(i.low is not None or "images" in i.note or "objects" in i.note for i in found.intervals.values())
    assert found.intervals["AP50"].low is not None


def test_a_replicate_is_the_number_of_the_images_repeated_as_often_as_they_were_drawn() -> None:
    shown = cell("test", NIGHT[0], MODEL)
    stored = measured(cells_of(MODEL, NIGHT[:1])).replicates
    weights = weights_by_hand(shown)
    for b in (0, 7, 199):
        times = weights[:, b].astype(int)
        again = coco_metrics(*repeated(shown.truth, shown.predictions, times))
        for name in ("AP", "AP50", "AR100", "APm"):
            assert stored.values["test", "night/1", name][b] == pytest.approx(getattr(again, name), abs=1e-12)


def repeated(truth: GroundTruth, predictions: Predictions, times: NDArray[np.int64]) -> tuple[GroundTruth, Predictions]:
    """A data set in which image i stands ``times[i]`` times."""
    source = np.repeat(np.arange(len(times)), times)
    objects = [np.flatnonzero(truth.image_index == i) for i in source]
    found = [np.flatnonzero(predictions.image_index == i) for i in source]
    chosen, detected = np.concatenate(objects), np.concatenate(found)
    ids = np.arange(len(source)) + 1
    return (
        replace(
            truth,
            image_ids=ids,
            image_sizes=truth.image_sizes[source],
            groups=(None,) * len(source),
            image_index=np.repeat(np.arange(len(source)), [len(o) for o in objects]),
            annotation_ids=np.arange(len(chosen)) + 1,
            **{name: getattr(truth, name)[chosen] for name in ("boxes", "category_ids", "iscrowd", "area", "visible")},
        ),
        Predictions(
            ids,
            np.repeat(np.arange(len(source)), [len(f) for f in found]),
            predictions.boxes[detected],
            predictions.scores[detected],
            predictions.category_ids[detected],
            {},
        ),
    )


def test_variants_share_the_draws_of_clean_and_every_other_set_has_its_own() -> None:
    weighing = Weighing(DRAWN)
    clean, night, val, recorded = (
        weighing.of(cell(*place, MODEL))
        for place in (("test", CLEAN_IMAGES), ("test", NIGHT[0]), ("val", CLEAN_IMAGES), ("test", REAL_NIGHT))
    )
    np.testing.assert_array_equal(clean.values, night.values)
    np.testing.assert_array_equal(clean.values, drawn_by_hand("test", range(N_IMAGES)))
    np.testing.assert_array_equal(val.values, drawn_by_hand("val", range(N_IMAGES)))
    np.testing.assert_array_equal(recorded.values, drawn_by_hand("real_night", range(N_RECORDED)))
    assert abs(np.corrcoef(clean.values.ravel(), val.values.ravel())[0, 1]) < 0.05  # 6000 pairs: 0.013 by chance
    assert recorded.n_units == N_RECORDED


def test_another_seed_gives_other_replicates_and_the_same_seed_the_same() -> None:
    cells = [cell("test", CLEAN_IMAGES, MODEL)]
    key = ("test", "clean", "AP50")
    one, again, other = (
        measured(cells, resampling=Resampling(seed=seed, replicates=100)).replicates.values[key] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_change_of_errors_is_measured_against_the_same_images_only() -> None:
    cells = grid_study().named("sz256 lr0.005 s1").cells
    with_changes = {(c.split, c.variant) for c in cells if c.error_changes}
    assert with_changes == {("test", v.name) for v in (*NIGHT, *FOG)}  # not the recorded set, not clean


def test_errors_on_variants_of_val_are_held_against_clean_val() -> None:
    cells = [*cells_of(MODEL, NIGHT[:1]), cell("val", NIGHT[0], MODEL)]
    found = {(c.evidence.split, c.evidence.variant): c.evidence for c in measured(cells).cells}
    for split in ("test", "val"):
        clean, night = found[split, "clean"], found[split, "night/1"]
        assert clean.errors is not None and night.errors is not None and not clean.error_changes
        before = {one.kind: one.lost_ap50 or 0.0 for one in clean.errors.parts}
        after = {one.kind: one.lost_ap50 or 0.0 for one in night.errors.parts}
        assert len(night.error_changes) > 0
        for change in night.error_changes:
            assert change.change == pytest.approx(after[change.kind] - before[change.kind])


def test_images_of_a_group_are_drawn_together() -> None:
    groups = tuple(f"video {i // 3}" if i < 24 else None for i in range(N_IMAGES))  # 8 videos and 6 single images
    unit = [i // 3 if i < 24 else 8 + i - 24 for i in range(N_IMAGES)]
    truth = replace(street(), groups=groups)
    shown = cell("test", CLEAN_IMAGES, MODEL, truth)
    found = evidence_of([shown], "test", "clean")
    assert found.n_units == 14
    assert {interval.n_units for interval in found.intervals.values()} == {14}
    assert found.intervals == intervals_by_hand(shown, drawn_by_hand("test", unit), 14)


def two_classes(n_rare: int) -> GroundTruth:
    """Streets with one dog in each of the first ``n_rare`` images."""
    truth = street()
    rare = [int(np.flatnonzero(truth.image_index == i)[-1]) for i in np.unique(truth.image_index)[:n_rare]]
    category_ids = truth.category_ids.copy()
    category_ids[rare] = 2
    return replace(truth, category_ids=category_ids, categories=(Category(1, "person"), Category(2, "dog")))


@pytest.mark.parametrize(("n_rare", "smooth"), [(3, True), (12, False)])  # vanishes in (27 / 30)^30 = 4 % and 0.0002 %
def test_a_class_that_vanishes_from_replicates_makes_all_weights_of_its_images_smooth(
    n_rare: int, smooth: bool
) -> None:
    truth = two_classes(n_rare)
    cells = [cell("test", CLEAN_IMAGES, MODEL, truth), cell("test", NIGHT[0], MODEL, truth)]
    made = measured(cells)
    weights = drawn_by_hand("test", range(N_IMAGES), smooth=smooth)
    for shown in cells:
        expected = coco_replicates(truth, shown.predictions, weights, ("AP50",))["AP50"]
        np.testing.assert_allclose(made.replicates.values["test", shown.variant.name, "AP50"], expected, atol=1e-12)
    assert bool(made.replicates.left_out) is not smooth


@pytest.mark.parametrize(("n_rare", "smooth"), [(4, True), (5, False)])  # (26 / 30)^30 = 1.4 %, (25 / 30)^30 = 0.4 %
def test_weights_become_smooth_from_one_replicate_in_a_hundred_without_the_class(n_rare: int, smooth: bool) -> None:
    drawn = Resampling(seed=5, replicates=4000)
    weights = Weighing(drawn).of(cell("test", CLEAN_IMAGES, MODEL, two_classes(n_rare))).values
    np.testing.assert_allclose(weights, drawn_by_hand("test", range(N_IMAGES), drawn, smooth=smooth), rtol=1e-12)


def test_the_clean_cell_decides_for_its_variants() -> None:
    """Dogs that a variant hides must not change how its images are drawn."""
    weighing = Weighing(DRAWN)
    clean = weighing.of(cell("test", CLEAN_IMAGES, MODEL, two_classes(12)))
    hidden = weighing.of(cell("test", NIGHT[0], MODEL, two_classes(2)))
    np.testing.assert_array_equal(clean.values, hidden.values)


def test_one_class_never_needs_smooth_weights() -> None:
    truth = street(n_objects=3)
    weights = Weighing(DRAWN).of(cell("test", CLEAN_IMAGES, MODEL, truth))
    np.testing.assert_array_equal(weights.values, drawn_by_hand("test", range(N_IMAGES)))


def test_numbers_of_one_size_take_fewer_replicates_on_variants_and_are_not_compared_there() -> None:
    drawn = Resampling(seed=5, replicates=MAX_REPLICATES + 100)
    clean, night = cell("test", CLEAN_IMAGES, MODEL), cell("test", NIGHT[0], MODEL)
    made = measured([clean, night], resampling=drawn)
    columns = made.replicates.values
    assert len(columns["test", "clean", "APs"]) == drawn.replicates
    assert ("test", "night/1", "APs") not in columns and ("test", "night/1", "AP75") in columns
    few = coco_replicates(night.truth, night.predictions, weights_by_hand(night, drawn)[:, :MAX_REPLICATES], ("APs",))
    objects, units = carriers(night.truth, "APs")
    found = made.cells[1].evidence
    assert found.intervals["APs"] == share_interval(
        found.coco.APs, few["APs"], N_IMAGES, n_objects=objects, n_carrying=units
    )


def test_clean_cells_are_also_measured_on_the_images_that_were_not_drawn() -> None:
    made = measured(cells_of(MODEL, NIGHT[:1])).replicates
    assert {key[:2] for key in made.left_out} == {("test", "clean"), ("val", "clean")}
    shown = cell("val", CLEAN_IMAGES, MODEL)
    unseen = np.where(weights_by_hand(shown) == 0, 1.0, 0.0)
    expected = coco_replicates(shown.truth, shown.predictions, unseen, ("AP", "AP50", "AR100"))
    for name, column in expected.items():
        np.testing.assert_array_equal(made.left_out["val", "clean", name], column)


def test_cells_measured_alone_give_what_they_give_together() -> None:
    shown = cell("test", CLEAN_IMAGES, MODEL)
    alone = measure_cell(shown, Weighing(DRAWN).of(shown)).evidence
    assert alone == evidence_of(cells_of(MODEL, NIGHT[:1]), "test", "clean")


def floats(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from floats(inner)


def whole_study(truths: dict[str, GroundTruth], kept: int | None = None) -> Evidence:
    """A candidate and its baseline on val, test and a variant of test; ``kept`` detections of each cell."""
    parts = []
    for model in (MODEL, baseline()):
        places: tuple[tuple[str, Variant], ...] = (("test", CLEAN_IMAGES), ("test", NIGHT[0]), ("val", CLEAN_IMAGES))
        cells = [cell(split, variant, model, truths[split]) for split, variant in places]
        parts.append(part(model, cells if kept is None else [with_predictions(c, kept) for c in cells]))
    return assemble_study(parts)


def assert_sound(evidence: Evidence) -> CellEvidence:
    """No NaN anywhere, and the file reads back; the clean test cell."""
    assert all(math.isfinite(value) for value in floats(evidence.model_dump()))
    text = evidence.to_json()
    json.loads(text, parse_constant=pytest.fail)
    assert parse_evidence(text.encode(), "here") == evidence
    return evidence.candidates[0].cells[0]


def test_a_split_without_objects_has_no_numbers_and_says_so() -> None:
    evidence = whole_study({"test": street(n_objects=0), "val": street(seed=1)})
    found = assert_sound(evidence)
    assert found.coco.AP is None and {i.note for i in found.intervals.values()} == {"not defined"}
    at = next(a for a in evidence.candidates[0].sweep.at_threshold if (a.split, a.variant) == ("test", "clean"))
    assert at.intervals["recall"].note == "not defined" and at.intervals["fppi"].low is not None
    (ap, _) = evidence.candidates[0].robustness
    assert ap.mPC is None and ap.intervals == {}


def test_a_candidate_without_detections_has_zeros_with_exact_ends() -> None:
    evidence = whole_study({"test": street(), "val": street(seed=1)}, kept=0)
    found = assert_sound(evidence)
    assert (found.n_detections, found.coco.AP50) == (0, 0.0)
    _, units = carriers(street(), "AP50")
    assert found.intervals["AP50"].method == "exact" and found.intervals["AP50"].low == 0
    assert found.intervals["AP50"].high == pytest.approx(1 - 0.025 ** (1 / units))  # Clopper and Pearson, no hit
    assert evidence.candidates[0].sweep.choice.threshold is None
    assert evidence.comparisons is not None
    assert {p.comparison.verdict for p in evidence.comparisons.against_baseline} <= {"identical", "cannot tell"}


@pytest.mark.parametrize("n_images", [1, 3, 4])
def test_fewer_than_five_images_carry_no_interval(n_images: int) -> None:
    truths = {"test": street(n_images), "val": street(n_images, seed=1)}
    evidence = whole_study(truths)
    found = assert_sound(evidence)
    assert found.coco.AP50 is not None and found.n_units == n_images
    assert all(interval.low is None for interval in found.intervals.values())
    assert found.intervals["AP50"].note == (
        f"{n_images} independent images or groups are too few: at least 5 are needed"
    )
    assert evidence.comparisons is not None
    assert all(p.comparison.interval.low is None for p in evidence.comparisons.against_baseline)


def test_nothing_at_all_is_still_evidence() -> None:
    found = assert_sound(whole_study({"test": street(1, n_objects=0), "val": street(1, n_objects=0)}, kept=0))
    assert all(interval.low is None for interval in found.intervals.values())


def test_the_precision_recall_curve_of_clean_images_is_that_of_pycocotools() -> None:
    cells = cells_of(MODEL, NIGHT)
    found = [c.evidence for c in measured(cells).cells]
    for shown, evidence in zip(cells, found, strict=True):
        if shown.variant.name != "clean":
            assert evidence.precision_at_recall == ()
            continue
        reference = reference_evaluation(shown.truth, shown.predictions).eval["precision"][0, :, 0, 0, 2]
        np.testing.assert_allclose(evidence.precision_at_recall, reference, atol=1e-15)
        assert np.mean(evidence.precision_at_recall) == pytest.approx(evidence.coco.AP50, abs=1e-9)


def test_evidence_without_a_curve_still_parses_and_half_a_curve_does_not() -> None:
    evidence = part(MODEL, cells_of(MODEL)).evidence
    older = json.loads(evidence.to_json())
    for shown in older["candidates"][0]["cells"]:
        del shown["precision_at_recall"]
    parsed = parse_evidence(json.dumps(older).encode(), "older.json")
    assert {c.precision_at_recall for c in parsed.candidates[0].cells} == {()}
    older["candidates"][0]["cells"][0]["precision_at_recall"] = [1.0, 0.5]
    with pytest.raises(DataError, match="101 points"):
        parse_evidence(json.dumps(older).encode(), "half.json")
