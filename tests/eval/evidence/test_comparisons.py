from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from robust.eval.evidence.compared import ComparisonEvidence, PairEvidence
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.comparison import Comparison, compare
from robust.eval.metrics.linear_contrast import SeedGroup
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.seeds import setting_difference, setting_estimate
from robust.eval.metrics.weighted import coco_replicates
from tests.eval.evidence.study_builder import (
    CLEAN_IMAGES,
    GRID,
    N_IMAGES,
    N_RECORDED,
    NIGHT,
    SIMULATED,
    BuiltStudy,
    Model,
    baseline,
    build,
    cell,
    cells_of,
    grid_study,
    number,
    numbers_by_hand,
    part,
    street,
    weights_by_hand,
)

FIRST = "sz256 lr0.005 s1"


def comparisons(study: BuiltStudy) -> ComparisonEvidence:
    assert study.evidence.comparisons is not None
    return study.evidence.comparisons


def find(
    pairs: Sequence[PairEvidence], study: BuiltStudy, names: tuple[str, str], asked: tuple[str, str, str]
) -> Comparison:
    keys = tuple(study.named(name).key for name in names)
    (found,) = [
        p.comparison
        for p in pairs
        if (p.first, p.second) == keys and (p.comparison.split, p.comparison.variant, p.comparison.metric) == asked
    ]
    return found


QUESTIONS = [
    ("test", "clean", "AP"),
    ("test", "clean", "ARs"),
    ("test", "clean", "precision"),
    ("test", "clean", "fppi"),
    ("test", "night/2", "AP50"),
    ("test", "fog/1", "recall"),
    ("test", "real_night", "AR100"),
    ("val", "clean", "AP50"),
    ("test", "all variants", "mPC AP50"),
    ("test", "all variants", "rPC AP"),
]


@pytest.mark.parametrize("asked", QUESTIONS, ids=" ".join)
def test_candidate_minus_baseline_is_the_paired_difference_of_their_detections(asked: tuple[str, str, str]) -> None:
    study, names = grid_study(), (FIRST, "base@256")
    split, variant, metric = asked
    (first, mine), (second, theirs) = (number(study, name, asked) for name in names)
    n_units = N_RECORDED if variant == "real_night" else N_IMAGES
    margin = None if metric in {"fppi", "precision"} else 0.02
    expected = compare(first, second, mine, theirs, n_units, split=split, variant=variant, metric=metric, margin=margin)
    found = find(comparisons(study).against_baseline, study, names, asked)
    assert found.interval.low is not None and found.interval.high is not None
    for name in ("verdict", "margin", "n_images_units", "split", "variant", "metric", "images_needed"):
        assert getattr(found, name) == getattr(expected, name)
    for name in ("first", "second", "difference", "relative", "p_value", "share_above", "smallest_detectable"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6)
    assert found.interval.low == pytest.approx(expected.interval.low, abs=2e-6)
    assert found.interval.high == pytest.approx(expected.interval.high, abs=2e-6)
    t = stats.t.ppf(0.975, n_units - 1)
    half = t * (mine - theirs).std(ddof=1) * math.sqrt(n_units / (n_units - 1))
    assert found.interval.high - found.interval.low == pytest.approx(2 * half, rel=1e-3)


def test_each_candidate_is_compared_with_the_baseline_of_its_size_on_everything() -> None:
    study = grid_study()
    pairs = comparisons(study).against_baseline
    for model in GRID:
        mine = [p for p in pairs if p.first == study.named(model.name).key]
        assert {p.second for p in mine} == {study.named(f"base@{model.imgsz}").key}
        asked = {(p.comparison.split, p.comparison.variant, p.comparison.metric) for p in mine}
        assert len(asked) == len(mine)
        assert {variant for _, variant, _ in asked} == {"clean", *SIMULATED, "real_night", "all variants"}
        assert {metric for split, _, metric in asked if split == "val"} == {"AP", "AP50"}


def holm_by_hand(p: Sequence[float]) -> list[float]:
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return [adjusted[i] for i in range(len(p))]


@pytest.mark.parametrize("asked", [("test", "clean", "AP50"), ("test", "night/1", "recall")], ids=" ".join)
def test_p_values_are_corrected_over_the_candidates_of_one_question(asked: tuple[str, str, str]) -> None:
    study = grid_study()
    found = [
        find(comparisons(study).against_baseline, study, (model.name, f"base@{model.imgsz}"), asked) for model in GRID
    ]
    p = [one.p_value for one in found]
    assert all(value is not None for value in p)
    assert [one.p_holm for one in found] == pytest.approx(holm_by_hand([value or 0.0 for value in p]))
    assert [one.p_holm for one in found] != p


def test_all_pairs_of_candidates_are_compared_and_corrected_together() -> None:
    study = grid_study()
    pairs = comparisons(study).between_candidates
    expected = {frozenset(study.named(m.name).key for m in pair) for pair in combinations(GRID, 2)}
    for metric in ("AP", "AP50", "recall"):
        mine = [p for p in pairs if p.comparison.metric == metric]
        assert len(mine) == 66 and {frozenset((p.first, p.second)) for p in mine} == expected
        p = [pair.comparison.p_value for pair in mine]
        assert [pair.comparison.p_holm for pair in mine] == pytest.approx(holm_by_hand([value or 0.0 for value in p]))
    assert {p.comparison.split for p in pairs} == {"test"}
    assert not {study.named(f"base@{size}").key for size in (256, 320)} & {p.first for p in pairs}
    names = ("sz256 lr0.005 s2", "sz320 lr0.01 s3")
    (first, drawn), (second, others) = (number(study, name, ("test", "clean", "AP50")) for name in names)
    found = find(pairs, study, names, ("test", "clean", "AP50"))
    assert found.difference == pytest.approx(first - second)
    assert found.share_above == np.mean(drawn > others)


def test_the_same_weights_differ_by_exactly_nothing_and_twins_are_not_called_equal() -> None:
    copy = Model("copy", draw=90, loss=0.3, weights="base")
    twin = Model("twin", draw=90, loss=0.3)  # other weights that find exactly the same
    study = build([copy, twin, baseline()], NIGHT[:1])
    for asked in (("test", "clean", "AP50"), ("test", "night/1", "AP"), ("test", "all variants", "mPC AP50")):
        same = find(comparisons(study).against_baseline, study, ("copy", "base@320"), asked)
        assert (same.difference, same.interval.low, same.interval.high, same.p_value) == (0, 0, 0, 1)
        assert same.verdict == "identical" and not same.is_shown
        other = find(comparisons(study).against_baseline, study, ("twin", "base@320"), asked)
        assert (other.difference, other.interval.low, other.verdict) == (0, None, "identical")


def chosen_by_hand(values: Sequence[float], settings: Sequence[str]) -> int:
    """The best candidate of the setting with the highest mean; one setting needs no mean."""
    means = {s: np.mean([v for v, mine in zip(values, settings, strict=True) if mine == s]) for s in settings}
    best = max(means, key=lambda s: means[s])
    return max((k for k in range(len(values)) if settings[k] == best), key=lambda k: values[k])


def winner_by_hand(
    values: Sequence[float], columns: NDArray[np.float64], unseen: NDArray[np.float64], settings: Sequence[str]
) -> tuple[int, float, float]:
    """The chosen one, how often a replicate chooses it, and what its choices are worth on the images left out."""
    worth, same = [], 0
    best = chosen_by_hand(values, settings)
    for b in range(columns.shape[1]):
        chosen = chosen_by_hand(columns[:, b].tolist(), settings)
        worth.append(unseen[chosen, b])
        same += chosen == best
    return best, same / columns.shape[1], float(np.mean(worth))


@pytest.mark.parametrize("val", [True, False])
def test_the_winner_is_checked_on_the_split_that_selects(val: bool) -> None:
    models = [Model(f"m{i}", draw=i, loss=0.2 + 0.02 * i) for i in range(3)]
    study = grid_study() if val else build(models, NIGHT[:1], val=False)
    names = [model.name for model in (GRID if val else models)]
    split = "val" if val else "test"
    found = {one.metric: one for one in comparisons(study).winners}
    assert set(found) == {"AP", "AP50", "AR100"} and {one.split for one in found.values()} == {split}
    order = {study.named(name).key: name for name in names}
    mine = found["AP50"]
    assert set(mine.candidates) == set(order)
    shown = [study.cell(order[key], split, "clean") for key in mine.candidates]
    values = [coco_metrics(c.truth, c.predictions).AP50 or 0.0 for c in shown]
    columns = np.stack([numbers_by_hand(c, "AP50") for c in shown])
    unseen = np.stack(
        [
            coco_replicates(c.truth, c.predictions, (weights_by_hand(c) == 0).astype(np.float64), ("AP50",))["AP50"]
            for c in shown
        ]
    )
    settings = [order[key].rpartition(" s")[0] for key in mine.candidates]  # "sz256 lr0.01 s2" has two more seeds
    best, frequency, worth = winner_by_hand(values, columns, unseen, settings if val else ["m"] * 3)
    check = mine.check
    assert (check.winner, check.apparent) == (best, values[best]) and check.frequency == pytest.approx(frequency)
    assert check.corrected == pytest.approx(worth) and check.optimism == pytest.approx(values[best] - worth)


@cache
def many() -> BuiltStudy:
    """Seventeen candidates; "m16" is best on val."""
    losses = [0.45 - 0.01 * i for i in range(16)] + [0.02]
    return build([Model(f"m{i}", draw=i, loss=loss) for i, loss in enumerate(losses)])


def test_more_than_sixteen_candidates_are_compared_with_the_best_on_val_only() -> None:
    study = many()
    names = [f"m{i}" for i in range(17)]
    on_val = {n: coco_metrics(c.truth, c.predictions).AP or 0 for n in names for c in [study.cell(n, "val", "clean")]}
    assert max(on_val, key=lambda n: on_val[n]) == "m16"
    best = study.named("m16").key
    pairs = comparisons(study).between_candidates
    for metric in ("AP", "AP50", "recall"):
        mine = [p for p in pairs if p.comparison.metric == metric]
        assert [p.first for p in mine] == [best] * 16
        assert {p.second for p in mine} == {study.named(n).key for n in names} - {best}


def test_sixteen_candidates_are_compared_in_all_pairs() -> None:
    fewer = assemble_study(many().parts[1:])
    assert fewer.comparisons is not None
    assert len([p for p in fewer.comparisons.between_candidates if p.comparison.metric == "AP"]) == 16 * 15 / 2


def test_more_than_sixteen_candidates_are_never_compared_in_all_pairs() -> None:
    models = [Model(f"m{i}", draw=i) for i in range(17)]
    few = street(4, seed=1)
    parts = [part(m, [cell("test", CLEAN_IMAGES, m), cell("val", CLEAN_IMAGES, m, few)]) for m in models]
    found = assemble_study(parts).comparisons
    assert found is not None and found.winners == ()
    assert len([p for p in found.between_candidates if p.comparison.metric == "AP50"]) <= 16


def group(study: BuiltStudy, names: Sequence[str], asked: tuple[str, str, str]) -> SeedGroup:
    columns = [number(study, name, asked) for name in names]
    return SeedGroup(tuple(value for value, _ in columns), np.stack([column for _, column in columns]))


def of_setting(imgsz: int, lr0: float) -> list[str]:
    return [f"sz{imgsz} lr{lr0:g} s{seed}" for seed in (1, 2, 3)]


@pytest.mark.parametrize(
    "asked",
    [("test", "clean", "AP50"), ("val", "clean", "AR100"), ("test", "all variants", "rPC AP50")],
    ids=" ".join,
)
def test_a_setting_is_the_mean_over_its_seeds_with_their_spread(asked: tuple[str, str, str]) -> None:
    study, names = grid_study(), of_setting(256, 0.01)
    keys = {study.named(name).key for name in names}
    (found,) = [
        s for s in comparisons(study).settings if set(s.members) == keys and (s.split, s.variant, s.metric) == asked
    ]
    expected = setting_estimate(group(study, names, asked), N_IMAGES)
    assert found.label == study.named(names[0]).configuration.label
    assert found.estimate.value == pytest.approx(expected.value)
    assert found.estimate.interval.low == pytest.approx(expected.interval.low)
    assert found.estimate.n_seeds == 3 and not found.estimate.can_claim


def test_settings_are_compared_with_images_paired_and_seeds_not() -> None:
    study, asked = grid_study(), ("test", "clean", "AP")
    labels = [study.named(of_setting(*place)[0]).configuration.label for place in ((256, 0.005), (320, 0.01))]
    (found,) = [p for p in comparisons(study).setting_pairs if {p.first, p.second} == set(labels) and p.metric == "AP"]
    assert [found.first, found.second] == labels
    expected = setting_difference(
        group(study, of_setting(256, 0.005), asked), group(study, of_setting(320, 0.01), asked), N_IMAGES
    )
    assert found.comparison.difference == pytest.approx(expected.difference)
    assert found.comparison.interval.low == pytest.approx(expected.interval.low)
    assert len(comparisons(study).setting_pairs) == 2 * 6


def test_a_setting_minus_its_baseline_carries_images_and_seeds_and_the_baseline_has_no_seeds() -> None:
    study, asked = grid_study(), ("test", "clean", "AP50")
    names = of_setting(320, 0.01)
    label = study.named(names[0]).configuration.label
    (found,) = [s for s in comparisons(study).settings_over_baseline if (s.setting, s.metric) == (label, "AP50")]
    fixed = study.named("base@320")
    assert found.baseline == fixed.key
    value, column = number(study, fixed.name, asked)
    mine = group(study, names, asked)
    apart = mine.replicates.mean(axis=0) - column
    of_images = np.var(apart, ddof=1) * N_IMAGES / (N_IMAGES - 1)
    of_seeds = np.var(mine.values, ddof=1) / 3
    degrees = (of_images + of_seeds) ** 2 / (of_images**2 / (N_IMAGES - 1) + of_seeds**2 / 2)
    half = float(stats.t.ppf(0.975, degrees)) * math.sqrt(of_images + of_seeds)
    told = found.comparison
    assert told.difference == pytest.approx(sum(mine.values) / 3 - value)
    assert (told.interval.high or 0) - told.difference == pytest.approx(half)
    assert (told.n_seeds, told.can_claim) == ((3, 0), False)
    assert len(comparisons(study).settings_over_baseline) == 2 * 4


def test_the_same_seed_or_the_same_weights_count_once_in_a_setting() -> None:
    models = [
        Model("a", 1, seed=1),
        Model("b", 2, seed=2),
        Model("c", 3, seed=3),
        Model("d", 4, seed=3),  # seed 3 trained again
        Model("e", 2, seed=5, weights="b"),  # the file of b under another seed
        Model("f", 6, seed=None),  # nobody knows which seed
    ]
    study = build(models)
    assert len(study.evidence.candidates) == 6
    keys = {study.named(name).key for name in "abc"}
    assert {frozenset(s.members) for s in comparisons(study).settings} == {frozenset(keys)}
    assert {s.estimate.n_seeds for s in comparisons(study).settings} == {3}


def test_effects_in_a_complete_grid_are_differences_of_means() -> None:
    study, asked = grid_study(), ("test", "clean", "AP50")
    groups = {(s, lr): group(study, of_setting(s, lr), asked) for s in (256, 320) for lr in (0.005, 0.01)}
    (found,) = [c for c in comparisons(study).contrasts if c.metric == "AP50"]
    assert found.reason == "" and {c.kind for c in found.contrasts} == {"imgsz", "lr0", "interaction"}
    coefficients = {
        "imgsz": {(256, 0.005): -0.5, (256, 0.01): -0.5, (320, 0.005): 0.5, (320, 0.01): 0.5},
        "lr0": {(256, 0.005): -0.5, (256, 0.01): 0.5, (320, 0.005): -0.5, (320, 0.01): 0.5},
        "interaction": {(256, 0.005): 1.0, (256, 0.01): -1.0, (320, 0.005): -1.0, (320, 0.01): 1.0},
    }
    for one in found.contrasts:
        terms = [(c, groups[place]) for place, c in coefficients[one.kind].items()]
        value = sum(c * sum(g.values) / 3 for c, g in terms)
        column = sum(c * g.replicates.mean(axis=0) for c, g in terms)
        of_images = np.var(column, ddof=1) * N_IMAGES / (N_IMAGES - 1)
        of_seeds = sum(c**2 * np.var(g.values, ddof=1) / 3 for c, g in terms)
        assert one.difference == pytest.approx(value)
        assert one.interval.se == pytest.approx(math.sqrt(of_images + of_seeds))
        assert one.n_seeds == (3, 3, 3, 3)


def with_configuration(made: EvidencePart, changes: Mapping[str, object]) -> EvidencePart:
    (one,) = made.evidence.candidates
    one = one.model_copy(update={"configuration": one.configuration.model_copy(update=dict(changes))})
    return replace(made, evidence=made.evidence.model_copy(update={"candidates": (one,)}))


def reason(parts: Sequence[EvidencePart]) -> str:
    found = assemble_study(parts).comparisons
    assert found is not None
    assert all(c.contrasts == () for c in found.contrasts)
    (one,) = {c.reason for c in found.contrasts}
    return one


def test_where_there_is_no_grid_the_reason_is_given() -> None:
    parts = {p.evidence.candidates[0].name: p for p in grid_study().parts}
    corner = [parts[n] for place in ((256, 0.005), (256, 0.01), (320, 0.005)) for n in of_setting(*place)]
    assert reason(corner) == "the grid is not complete: 320 px with 0.01 is missing"
    assert reason(corner[:3]) == "there is one configuration only"
    for changes, words in (
        ({"epochs": 99}, "the configurations differ in more than image size and learning rate"),
        ({"lr0": None}, "image size or learning rate is not known"),
    ):
        assert reason([with_configuration(corner[0], changes), *corner[3:6]]) == words


@pytest.mark.parametrize("how", ["lost", "drawn otherwise"])
def test_what_cannot_be_paired_is_named_and_left_out(how: str) -> None:
    models = [Model(f"m{i}", draw=i) for i in range(3)]
    parts = [part(model, cells_of(model, ())) for model in (*models, baseline())]
    if how == "lost":
        parts[1] = replace(parts[1], replicates=None)
    else:
        other = part(models[1], cells_of(models[1], ()), resampling=Resampling(seed=6, replicates=200))
        parts[1] = replace(parts[1], replicates=other.replicates)
    evidence = assemble_study(parts)
    found = evidence.comparisons
    assert found is not None
    words = "its replicates are not stored" if how == "lost" else "its replicates were drawn otherwise"
    assert found.not_compared == (f"m1: {words}",)
    gone = next(c.key for c in evidence.candidates if c.name == "m1")
    pairs = [*found.against_baseline, *found.between_candidates]
    everybody = {key for p in pairs for key in (p.first, p.second)}
    everybody |= {key for s in found.settings for key in s.members} | {k for w in found.winners for k in w.candidates}
    assert gone not in everybody and len(everybody) == 3


def test_without_any_replicates_nothing_is_compared() -> None:
    found = assemble_study([replace(p, replicates=None) for p in grid_study().parts]).comparisons
    assert found is not None and len(found.not_compared) == 14
    assert found == ComparisonEvidence(not_compared=found.not_compared)


def test_a_study_is_compared_alike_in_whatever_order_its_parts_come() -> None:
    parts = grid_study().parts
    assert assemble_study(parts[::-1]) == grid_study().evidence


def test_variants_of_the_split_that_selects_are_compared_too() -> None:
    models = (Model("one", draw=1), baseline())
    cells = [[*cells_of(m, NIGHT), *(cell("val", variant, m) for variant in NIGHT)] for m in models]
    evidence = assemble_study([part(m, shown) for m, shown in zip(models, cells, strict=True)])
    assert evidence.candidates[0].judged_on == "test" and evidence.comparisons is not None
    (found,) = [
        p.comparison
        for p in evidence.comparisons.against_baseline
        if (p.comparison.split, p.comparison.variant, p.comparison.metric) == ("val", "night/2", "AP50")
    ]
    mine, theirs = (next(c for c in shown if (c.split, c.variant) == ("val", NIGHT[1])) for shown in cells)
    apart = numbers_by_hand(mine, "AP50") - numbers_by_hand(theirs, "AP50")
    assert found.interval.se == pytest.approx(apart.std(ddof=1) * math.sqrt(N_IMAGES / (N_IMAGES - 1)), rel=1e-5)
    suite = [p.comparison for p in evidence.comparisons.against_baseline if p.comparison.variant == "all variants"]
    assert {c.split for c in suite} == {"test"}


def test_settings_of_the_same_label_can_be_told_apart() -> None:
    models = [(Model("a", 1), 8), (Model("b", 2, seed=2), 8), (Model("c", 3), 16), (Model("d", 4, seed=2), 16)]
    parts = [with_configuration(part(m, cells_of(m, ())), {"batch": batch}) for m, batch in models]
    found = assemble_study(parts).comparisons
    assert found is not None and len(found.setting_pairs) == 2
    assert all(pair.first != pair.second for pair in found.setting_pairs)
