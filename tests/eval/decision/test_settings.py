from __future__ import annotations

import math
from functools import cache

import pytest

from robust.eval.decision.claims import Claim
from robust.eval.decision.comparison import cases, paired, scope, setting_difference_claim
from robust.eval.decision.decide import decide
from robust.eval.decision.effects import effect_claims
from robust.eval.decision.observations import observations, seed_claims
from robust.eval.decision.planning import images_for_setting, plan_of, sd_per_image, seeds_for_setting
from robust.eval.decision.policy import read_policy
from robust.eval.decision.risks import risks
from robust.eval.decision.settings import between, effects, over_baseline, pairs, spread
from robust.eval.decision.study import Study
from robust.eval.decision.training import over_fitting_claim
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.multiplicity import holm
from robust.eval.metrics.power import images_needed_for_difference
from robust.eval.metrics.seeds import SettingDifference, seed_sd_interval
from tests.eval.evidence.study_builder import Model, baseline, build, grid_study
from tests.eval.evidence_builder import build_evidence, change_candidates

POLICY = read_policy()
WIDE = tuple(
    Model(f"lr{lr0:g} s{seed}", 10 * i + seed, loss, 320, lr0, seed)
    for i, (lr0, loss) in enumerate([(0.005, 0.05), (0.01, 0.5)])
    for seed in (1, 2, 3, 4, 5)
)


@pytest.fixture
def study() -> Study:
    return Study(grid_study().evidence)


@cache
def five_seeds() -> Study:
    return Study(build([*WIDE, baseline()]).evidence)


def test_effects_of_the_grid_carry_the_interval_of_their_contrast_and_claim_nothing_from_three_seeds(
    study: Study,
) -> None:
    (grid,) = [g for g in study.comparisons.contrasts if g.metric == "AP50"]
    told = [c for c in effect_claims(study, POLICY) if c.kind == "setting effect"]
    assert {c.difference for c in grid.contrasts} == {c.estimate.value for c in told if c.estimate}
    for claim in told:
        assert claim.estimate is not None and claim.estimate.method == "Satterthwaite t"
        assert claim.verdict == "observed only" and "3 seeds; too few seeds for a claim, which needs 5" in claim.text
        assert "in this grid" in claim.text and "no interval" not in claim.text
    assert "averaged over lr0 0.005 and 0.01" in told[0].text


def test_five_seeds_allow_a_claim_about_the_setting_after_correction() -> None:
    made = five_seeds()
    (lr0,) = [c for c in effect_claims(made, POLICY) if c.kind == "setting effect"]
    assert lr0.verdict == "worse" and "5 seeds" in lr0.text
    first, second = (group.label for group in made.groups)
    claim = setting_difference_claim(made, (first, second), "test", "AP50")
    turned = setting_difference_claim(made, (second, first), "test", "AP50")
    assert (claim.verdict, turned.verdict) == ("better", "worse")
    assert claim.estimate is not None and turned.estimate is not None
    assert (claim.estimate.low, claim.estimate.high) == (-(turned.estimate.high or 0), -(turned.estimate.low or 0))


def test_a_configuration_is_told_against_its_starting_weights_with_images_and_seeds() -> None:
    made = five_seeds()
    told = {}
    for group in made.groups:
        base = made.baseline_of(group.candidates[0])
        assert base is not None
        found = over_baseline(made, group, base, "test", "AP50")
        means = [made.metric(c, "test", "clean", "AP50").value or 0.0 for c in group.candidates]
        other = made.metric(base, "test", "clean", "AP50").value or 0.0
        assert found.estimate.value == pytest.approx(math.fsum(means) / 5 - other)
        assert found.estimate.method == "Satterthwaite t" and found.n_tests == 2
        told[group.label] = found
    family = [s.comparison.p_value for s in made.comparisons.settings_over_baseline if s.metric == "AP50"]
    assert sorted(f.p_adjusted or 0.0 for f in told.values()) == sorted(p or 0.0 for p in holm(family))
    policy = POLICY.model_copy(update={"judged_on": "test"})
    texts = [c.text for case in cases(made, policy, decide(made.evidence, policy)) for c in case.arguments_against]
    assert any("untouched weights base@320: worse, difference -0." in text for text in texts), texts


def test_p_values_of_settings_are_corrected_over_all_that_were_compared(study: Study) -> None:
    found = pairs(study, "test", "AP50")
    assert len(found) == 6
    assert [p.told.p_adjusted for p in found] == holm([p.evidence.comparison.p_value for p in found])
    told = effects(study, "test", "AP50")
    assert [e.told.p_adjusted for e in told] == holm([e.contrast.p_value for e in told])
    assert {p.told.n_tests for p in found} == {6} and {e.told.n_tests for e in told} == {3}


def test_labels_that_stand_for_several_configurations_are_not_looked_up(study: Study) -> None:
    def rename(c: CandidateEvidence) -> CandidateEvidence:
        return c.model_copy(update={"configuration": c.configuration.model_copy(update={"label": "same"})})

    same = Study(change_candidates(study.evidence, rename))
    assert between(same, same.groups[0], same.groups[1], "test", "AP50") is None
    assert between(study, study.groups[0], study.groups[1], "test", "AP50") is not None


def test_the_spread_of_seeds_comes_with_its_interval(study: Study) -> None:
    for group, claim in zip(study.groups, seed_claims(study, POLICY), strict=True):
        made, _ = spread(study, group, "test", "AP50")
        assert made.value is not None
        assert (made.low, made.high) == pytest.approx(seed_sd_interval(made.value, 3))
        assert f"seed sd {made.value:.3f} [{made.low:.3f}, {made.high:.3f}]" in claim.text
        assert "no statement on reproducibility" in claim.text
    assert not spread(Study(build_evidence()), Study(build_evidence()).groups[0], "test", "AP50")[0].has_interval


def test_a_seed_that_was_run_twice_counts_once_and_keeps_the_interval() -> None:
    """The run named s422 is seed 42 again: same seed, and in the second study the same file."""
    models = [Model("a", 1, seed=1), Model("b", 2, seed=2), Model("c", 3, seed=3), Model("c again", 4, seed=3)]
    made = Study(build(models).evidence)
    (group,) = made.groups
    assert [c.name for c in group.counted] == ["a", "b", "c"] and group.distinct_seeds == (1, 2, 3)
    mean = made.mean_metric(group.candidates, "test", "clean", "AP50")
    (setting,) = [s for s in made.comparisons.settings if (s.split, s.variant, s.metric) == ("test", "clean", "AP50")]
    assert mean.value == pytest.approx(setting.estimate.value) and mean.low == setting.estimate.interval.low
    same = Study(build([Model("b", 1, seed=2, weights="A"), Model("a", 1, seed=1, weights="A")]).evidence)
    assert [c.name for c in same.groups[0].counted] == ["a"] and same.groups[0].distinct_seeds == (1,)


def test_a_difference_of_checkpoints_is_told_only_after_holm(study: Study) -> None:
    split, metric = "test", "AP50"
    verdicts = {}
    for candidate in study.candidates:
        base = study.baseline_of(candidate)
        assert base is not None
        told = paired(study, candidate, base, (split, "clean", metric))
        found = study.comparison(candidate, base, split, "clean", metric)
        assert found is not None and told.p_adjusted == found.p_holm and told.n_tests == 12
        verdicts[candidate.name] = (told.estimate.low or 0) > 0, (told.p_adjusted or 1) <= 0.05
    assert (True, False) in verdicts.values()  # an interval above 0 that the correction takes back
    (topic, *_) = observations(study, POLICY, decide(study.evidence, POLICY))
    above = sum(all(pair) for name, pair in verdicts.items() if name.startswith("sz256"))
    assert f"after correction: {above} above" in topic.claims[0].text


def _without_correction(evidence: Evidence) -> Evidence:
    assert evidence.comparisons is not None
    bare = tuple(
        p.model_copy(update={"comparison": p.comparison.model_copy(update={"p_holm": None})})
        for p in evidence.comparisons.against_baseline
    )
    return evidence.model_copy(
        update={"comparisons": evidence.comparisons.model_copy(update={"against_baseline": bare})}
    )


def test_p_values_that_nobody_corrected_are_corrected_before_anything_is_told(study: Study) -> None:
    bare = Study(_without_correction(study.evidence))
    for candidate in study.candidates:
        base = study.baseline_of(candidate)
        assert base is not None
        asked = ("test", "clean", "AP50")
        assert paired(bare, candidate, base, asked).p_adjusted == paired(study, candidate, base, asked).p_adjusted


def test_the_risk_of_few_images_rests_on_the_comparisons_of_the_study(study: Study) -> None:
    pairs_ = (*study.comparisons.against_baseline, *study.comparisons.between_candidates)
    clean = [p.comparison for p in pairs_ if (p.comparison.variant, p.comparison.metric) == ("clean", "AP50")]
    judged = [c for c in clean if c.split == "test"]
    plan = plan_of(study, "test", "AP50")
    sds = [math.sqrt(30) * (c.interval.se or 0) for c in judged]
    assert (plan.low, plan.high, plan.n_comparisons) == (min(sds), max(sds), len(judged)) and len(judged) == 78
    needed = [math.ceil(images_needed_for_difference(sd, 0.02) / 100) * 100 for sd in (min(sds), max(sds))]
    (risk,) = [r for r in risks(study, POLICY, decide(study.evidence, POLICY)) if r.title == "Few test images"]
    assert f"about {needed[0]:,} to {needed[1]:,} show a difference of 0.02 AP50" in risk.mitigation
    assert "measured on 78 paired comparisons of this study" in risk.cause.text and "planning" not in risk.cause.text
    bare = build_evidence()
    (planned,) = [r for r in risks(Study(bare), POLICY, decide(bare, POLICY)) if r.title == "Few test images"]
    assert "planning values for AP50, not measured on these data" in planned.cause.text
    assert sd_per_image(judged[0].model_copy(update={"interval": Interval.none("none", 30)})) is None


def _pair(difference: float, var_images: float | None, var_seeds: float | None) -> SettingDifference:
    return SettingDifference(
        difference=difference,
        interval=Interval.none("not needed", 50),
        degrees_of_freedom=None,
        p_value=None,
        can_claim=False,
        n_seeds=(3, 4),
        n_images_units=50,
        var_images=var_images,
        var_seeds=var_seeds,
    )


def test_images_and_seeds_that_would_show_a_difference_of_settings() -> None:
    """By hand: the variance may be (0.1 / 2.8016)^2 = 1.2741e-3; images leave 50 * 8e-4 / (1.2741e-3 - 2e-4) = 37.2."""
    assert images_for_setting(_pair(0.1, 8e-4, 2e-4)) == 38
    assert seeds_for_setting(_pair(-0.1, 8e-4, 2e-4)) == 2  # 3 * 2e-4 / (1.2741e-3 - 8e-4) = 1.27, and two at least
    assert seeds_for_setting(_pair(0.1, 1e-3, 2e-3)) == 22  # 3 * 2e-3 / (1.2741e-3 - 1e-3) = 21.9
    assert images_for_setting(_pair(0.1, 8e-4, 2e-3)) is None  # the seeds alone are above it
    assert images_for_setting(_pair(0.0, 8e-4, 2e-4)) is None and seeds_for_setting(_pair(0.1, None, 2e-4)) is None


def test_configurations_are_argued_with_the_intervals_of_settings(study: Study) -> None:
    found = cases(study, POLICY, decide(study.evidence, POLICY))
    claims: list[Claim] = [c for case in found for c in (*case.arguments_for, *case.arguments_against)]
    judged = [c for c in claims if c.kind == "difference" and c.scope is not None and c.scope.split == "test"]
    assert sum(c.estimate is not None and c.estimate.has_interval for c in judged) >= 4
    selecting = [c for c in claims if c.scope is not None and c.scope.split == "val" and c.kind == "difference"]
    assert selecting and all("selected on these images" in c.text for c in selecting)
    kept = [c for c in claims if "retained share" in c.text]
    assert kept and all(c.estimate is not None and c.estimate.has_interval for c in kept)


def test_over_fitting_is_assessed_only_when_train_was_measured_like_test(study: Study) -> None:
    candidate = study.candidates[0]
    where = scope(study, "test")
    assert over_fitting_claim(study, candidate, "test", "AP50", where).kind == "not assessed"
    assert "no candidate" in over_fitting_claim(study, None, "test", "AP50", where).text
    train = tuple(
        c.model_copy(update={"split": "train"}) for c in candidate.cells if (c.split, c.variant) == ("val", "clean")
    )
    both = candidate.model_copy(update={"cells": (*candidate.cells, *train)})
    claim = over_fitting_claim(study, both, "test", "AP50", where)
    a, b = (study.metric(candidate, split, "clean", "AP50") for split in ("val", "test"))
    assert claim.kind == "over-fitting" and claim.estimate is not None and claim.estimate.has_interval
    assert claim.estimate.value == pytest.approx((a.value or 0) - (b.value or 0))
