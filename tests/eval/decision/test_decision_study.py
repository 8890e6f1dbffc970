"""Chance promotes nobody, a better model is promoted, and docs/decision_study.json is of today's policy and study.

The full study takes minutes (tests/bench/decision_study.py); here a few of its studies run with the same functions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from robust.eval.decision.policy import read_policy
from tests.bench import decision_study as study
from tests.bench.simulated_detector import skill, truths

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "decision_study.json"
OPEN = "above the baseline"


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def test_the_results_are_of_todays_policy_and_scenarios(results: dict[str, Any]) -> None:
    """A changed policy, generator, seed or size needs a new run of the study."""
    assert results["settings"]["policy_sha256"] == read_policy().sha256
    assert (results["settings"]["seed"], results["settings"]["replicates"]) == (study.SEED, study.REPLICATES)
    for row, scenario in zip(results["scenarios"], study.SCENARIOS, strict=True):
        assert (row["name"], row["studies"], row["val"], row["test"], row["seeds"]) == (
            scenario.name,
            scenario.studies,
            scenario.n_val,
            scenario.n_test,
            scenario.seeds,
        )
        assert sum(row["verdicts"].values()) == row["studies"]
        (base,) = truths((skill(scenario.baseline),), study.SEED)
        assert row["baseline_AP50"] == pytest.approx(base["AP50"], abs=0.002)


def test_what_is_no_better_is_promoted_in_at_most_one_study_in_twenty(results: dict[str, Any]) -> None:
    """The end of the exact interval, not the share that was seen."""
    for row in results["scenarios"]:
        assert row["promoted_no_better_interval"][1] <= study.MOST_FALSE
    for row in results["scenarios"][:2]:
        assert row["promoted_no_better"] == row["promoted"]
        others = {gate: n for gate, n in row["passed"].items() if gate != OPEN}
        assert min(others.values()) > 0.9 * row["studies"], "only one gate may stand between chance and PROMOTE"


def test_a_configuration_that_is_better_by_a_tenth_is_promoted(results: dict[str, Any]) -> None:
    better = results["scenarios"][2]
    assert 0.09 < better["AP50"][0] - better["baseline_AP50"] <= 0.1
    assert better["promoted_interval"][0] >= study.FEWEST_RIGHT
    assert better["proposed"] == {"lr 0": better["studies"]}, "the better configuration is the one that is proposed"


@pytest.mark.parametrize(("scenario", "wanted"), [(study.SCENARIOS[0], "HOLD"), (study.SCENARIOS[2], "PROMOTE")])
def test_a_study_is_decided_as_in_the_full_run(scenario: study.Scenario, wanted: str) -> None:
    found = study.run_study(scenario, 0, read_policy())
    assert found.verdict == wanted
    assert {gate for gate, outcome in found.answers.items() if outcome != "PASS"} == (
        {OPEN} if wanted == "HOLD" else set()
    )
