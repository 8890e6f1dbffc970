"""The intervals cover the truth, chance promotes nobody, and docs/statistics.md says what was measured.

The full study takes minutes (tests/bench/coverage_study.py); here a small part of it runs with the same functions.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from robust.eval.metrics.ranking import ranked_average_precision
from tests.bench import coverage_study as study
from tests.bench.simulated_detector import (
    DETECTED,
    POPULATION,
    average_precision,
    detect,
    recall,
    scenes,
    skill,
    truths,
)

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("statistics_page", DOCS / "statistics_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "coverage.json").read_text(encoding="utf-8"))
    return found


def cell(results: dict[str, Any], number: str, level: float, images: int) -> dict[str, Any]:
    return next(
        row
        for row in results["coverage"]["cells"]
        if (row["number"], row["AP50"], row["images"]) == (number, level, images)
    )


def test_the_page_shows_the_results_that_were_measured(page: ModuleType, results: dict[str, Any]) -> None:
    text = (DOCS / "statistics.md").read_text(encoding="utf-8")
    decided = json.loads((DOCS / "decision_study.json").read_text(encoding="utf-8"))
    assert text == page.current(text, results, decided), "out of date: run docs/statistics_page.py"


def test_the_results_are_of_todays_study(results: dict[str, Any]) -> None:
    """A changed generator, seed or size needs a new run of the study."""
    settings = results["settings"]
    sizes = (settings["simulations"], settings["replicates"], settings["seed"], settings["population"])
    assert sizes == (study.SIMULATIONS, study.REPLICATES, study.SEED, POPULATION)
    weak, strong = truths(tuple(map(skill, DETECTED[0.57])), study.SEED)
    assert cell(results, "AP50", 0.57, 50)["truth"] == round(weak["AP50"], 4)
    assert cell(results, "recall difference", 0.57, 50)["truth"] == round(strong["recall"] - weak["recall"], 4)
    assert {row["AP50"] for row in results["coverage"]["cells"]} == set(DETECTED)


def test_levels_of_usual_size_are_covered_in_the_full_study(results: dict[str, Any]) -> None:
    for number in study.METRICS:
        for level in (0.57, 0.83):
            assert cell(results, number, level, 10)["coverage"] >= 0.88
            assert 0.925 <= cell(results, number, level, 50)["coverage"] <= 0.97
            assert 0.925 <= cell(results, number, level, 200)["coverage"] <= 0.97


def test_equal_candidates_are_rarely_promoted_in_the_full_study(results: dict[str, Any]) -> None:
    for row in results["selection"]:
        assert row["chosen_on_val"] <= study.MOST_FALSE_PROMOTIONS < row["any_uncorrected"]


def test_no_model_differs_from_itself_in_the_full_study(results: dict[str, Any]) -> None:
    assert results["coverage"]["self_claims"] == 0
    assert results["coverage"]["self_comparisons"] > 0


def test_simulated_sets_have_the_ap50_they_are_named_after() -> None:
    for level, (share, _) in DETECTED.items():
        assert truths((skill(share),), seed=3, n_images=20_000)[0]["AP50"] == pytest.approx(level, abs=0.015)


def test_persons_of_one_image_depend_on_each_other_and_detectors_on_what_is_hard() -> None:
    """Otherwise the study would be easier than reality: boxes could be counted as if they were independent."""
    rows = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        seen = scenes(60, rng)
        persons = int(seen.is_person.sum())
        pair = [detect(seen, skill(DETECTED[0.57][0]), rng) for _ in range(2)]
        rows.append([recall(pair[0], persons), persons, *(average_precision(found, persons) for found in pair)])
    recalls, persons_each, one, other = np.array(rows).T
    independent = recalls.mean() * (1 - recalls.mean()) / persons_each.mean()
    assert recalls.var() / independent > 1.5
    assert 0.7 < np.corrcoef(one, other)[0, 1] < 0.88


def test_the_simulations_own_ap_is_the_products() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        seen = scenes(15, rng)
        found = detect(seen, rng.uniform(-1, 3), rng)
        product = ranked_average_precision(
            score=found.score,
            hit=found.hit,
            counted=np.ones(len(found.hit), dtype=np.bool_),
            image_index=found.image,
            objects_per_image=seen.persons_per_image,
            weights=np.ones((15, 1)),
        )
        assert product[0] == pytest.approx(average_precision(found, int(seen.is_person.sum())), abs=1e-12)


def test_the_bca_interval_of_a_mean_is_scipys() -> None:
    rng = np.random.default_rng(5)
    data = rng.exponential(size=25)
    weights = rng.multinomial(25, np.full(25, 1 / 25), 40_000)
    replicates = weights @ data / 25
    ours = study.bca(data.mean(), replicates, (data.sum() - data) / 24)
    judge = stats.bootstrap((data,), np.mean, method="BCa", n_resamples=40_000, rng=np.random.default_rng(6))
    close = 0.08 * judge.standard_error
    assert ours == pytest.approx(tuple(judge.confidence_interval), abs=close)
    assert np.abs(ours - np.quantile(replicates, [0.025, 0.975])).min() > 1.5 * close, "without its two corrections"


@pytest.mark.slow
def test_intervals_cover_the_truth_with_50_images() -> None:
    """One standard error of these coverages is 1 point; a standard error that is too small by 0.76 covers 86 %."""
    found = study.coverage((0.57,), (50,), (500, 300))
    assert [row["number"] for row in found["cells"]] == ["AP50", "AP50 difference", "recall", "recall difference"]
    for row in found["cells"]:
        assert 0.92 <= row["coverage"] <= 0.98, row
        assert row["refused"] == 0
    assert found["self_comparisons"] == 1000
    assert found["self_claims"] == 0


@pytest.mark.slow
def test_equal_candidates_are_rarely_promoted_and_the_winners_lead_is_luck() -> None:
    found = study.selection((50, 50), (200, 200))
    assert found["chosen_on_val"] <= 0.05 < found["any_uncorrected"]
    assert found["apparent"] - found["truth"] > 0.03
    assert abs(found["corrected"] - found["truth"]) < 0.4 * (found["apparent"] - found["truth"])


def test_another_model_counts_as_a_claim_where_only_the_same_may_stand() -> None:
    """The check of the study that no model differs from itself can fail."""
    rng = np.random.default_rng(0)
    seen = scenes(50, rng)
    weights = study.with_whole(rng.multinomial(50, np.full(50, 1 / 50), 200).T.astype(np.float64))
    one, other = (study.measure(seen, detect(seen, 0.5, rng), weights)["AP50"] for _ in range(2))
    assert study.claims_something(study.difference(one, other, 50, "AP50"))
    assert not study.claims_something(study.difference(one, one, 50, "AP50"))


def test_results_depend_on_the_seed_alone() -> None:
    assert study.coverage((0.57,), (10,), (5, 100)) == study.coverage((0.57,), (10,), (5, 100))
