from __future__ import annotations

from statistics import fmean

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.effects import effect_claims
from robust.eval.decision.fact_gates import LeakageGate
from robust.eval.decision.gates import Subject
from robust.eval.decision.metric_gates import MetricGate
from robust.eval.decision.next_steps import next_steps
from robust.eval.decision.observations import robustness_claims
from robust.eval.decision.policy import read_policy
from robust.eval.decision.records import Outcome
from robust.eval.decision.risks import risks
from robust.eval.decision.study import Study
from robust.eval.decision.suite_gates import RetainedGate

from ..evidence_builder import (
    build_evidence,
    change_candidates,
    seen_in_training,
    with_recorded,
)
from ..evidence_changes import sharing

BARE = build_evidence()
RECORDED = Study(with_recorded(BARE))


def test_a_recorded_set_is_no_corruption_and_changes_no_mean() -> None:
    assert RECORDED.corruptions == Study(BARE).corruptions
    assert [v.name for v in RECORDED.recorded] == ["real_night"]
    candidate = RECORDED.candidates[0]
    for corruption in (None, "night"):
        kept = RECORDED.retained(candidate, "test", corruption, "AP50")
        assert kept == Study(BARE).retained(Study(BARE).candidates[0], "test", corruption, "AP50")
        assert kept.value is not None


def test_nothing_is_retained_of_clean_on_other_images_but_the_level_counts() -> None:
    candidate = RECORDED.candidates[0]
    assert RECORDED.retained(candidate, "test", "real_night", "AP50").value is None
    assert RECORDED.metric(candidate, "test", "real_night", "AP50").value == pytest.approx(0.9)
    assert RECORDED.point(candidate, "test", "real_night") is not None
    counts = RECORDED.counts("test", "real_night")
    assert counts is not None and (counts.n_images, counts.n_objects) == (6, 47)


def test_a_gate_on_its_retained_share_says_why_there_is_none() -> None:
    candidate = RECORDED.candidates[0]
    subject = Subject(RECORDED, candidate, "test")
    retained = RetainedGate(name="kept", tier="critical", metric="AP50", corruption="real_night", minimum=0.1)
    finding = retained.examine(subject, candidate)
    assert finding.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    assert "other images" in finding.reason
    level = MetricGate(name="level", tier="critical", metric="AP50", variant="real_night", minimum=0.1)
    assert level.examine(subject, candidate).estimate.value == pytest.approx(0.9)


def test_recorded_variants_are_not_called_simulated() -> None:
    policy = read_policy()
    for study, counted in ((Study(BARE), "15 variants"), (RECORDED, "15 variants")):
        decision = decide(study.evidence, policy)
        (simulated,) = [r for r in risks(study, policy, decision) if r.title == "Conditions are simulated"]
        assert counted in simulated.cause.text
    (step,) = [s for s in next_steps(RECORDED, policy, decision) if s.what.startswith("Confirm on real images")]
    assert "all variants but real_night are simulated" in step.why


def test_the_held_out_mean_leaves_out_what_training_has_seen() -> None:
    candidate = BARE.candidates[0]
    means = next(r for r in candidate.robustness if r.metric == "AP50").corruption_means
    study = Study(seen_in_training(BARE, "night"))
    assert study.trained_on == ("night",)
    held_out = study.held_out(candidate, "AP50").value
    assert held_out == pytest.approx(fmean(m for name, m in means.items() if name != "night" and m is not None))
    whole = next(r.mPC for r in candidate.robustness if r.metric == "AP50")
    assert Study(BARE).held_out(candidate, "AP50").value == pytest.approx(whole)
    assert Study(seen_in_training(BARE, "night", "occlusion", "crowd")).held_out(candidate, "AP50").value is None


def test_a_missing_mean_never_makes_a_held_out_mean() -> None:
    broken = BARE.candidates[0].model_copy(update={"robustness": ()})
    assert Study(seen_in_training(BARE, "night")).held_out(broken, "AP50").missing == "not measured"


def _renamed(old: str, new: str) -> Study:
    variants = tuple(
        v.model_copy(update={"corruption": new}) if v.corruption == old else v for v in BARE.suite.variants
    )
    return Study(BARE.model_copy(update={"suite": BARE.suite.model_copy(update={"variants": variants})}))


@pytest.mark.parametrize(("name", "said"), [("steep_view", False), ("roll", False), ("of_another_version", True)])
def test_camera_angles_are_missed_only_when_no_corruption_turns_the_camera(name: str, said: bool) -> None:
    policy = read_policy()
    steps = next_steps(_renamed("night", name), policy, decide(BARE, policy))
    (step,) = [s for s in steps if s.what.startswith("Confirm on real images")]
    assert ("hard camera angles were not evaluated" in step.why) is said


def test_a_leak_names_its_pair_and_how_to_judge_without_a_recorded_set() -> None:
    gate = LeakageGate(name="leaks", tier="critical")
    both = sharing(sharing(with_recorded(BARE), ("val", "real_night"), 5), ("train", "val"), 1)
    finding = gate.examine_data(Study(both), "test")
    assert finding.outcome is Outcome.FAIL
    assert finding.estimate.value == 6
    assert "val and real_night: 5 identical images, train and val: 1 identical image" in finding.reason
    assert finding.reason.endswith("leaving out --variant real_night judges without it")
    without = gate.examine_data(Study(sharing(BARE, ("train", "val"), 1)), "test")
    assert "--variant" not in without.reason
    near = gate.examine_data(Study(sharing(BARE, ("train", "test"), 0, 2)), "test")
    assert near.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    assert near.reason == "train and test: 2 near-duplicates: a person must look at them"


def test_a_recorded_set_may_share_images_with_the_split_that_judges() -> None:
    study, policy = Study(sharing(with_recorded(BARE), ("test", "real_night"), 3)), read_policy()
    assert LeakageGate(name="leaks", tier="critical").examine_data(study, "test").outcome is Outcome.PASS
    found = risks(study, policy, decide(study.evidence, policy))
    assert not any(risk.title == "Images shared between splits" for risk in found)


@pytest.mark.parametrize(
    ("seen", "corruption", "said"),
    [
        (("night",), "night", "no interval: none was computed (seen in training)"),
        (("night",), "crowd", "no interval: none was computed"),
        (("night",), None, "no interval: none was computed (partly seen in training)"),
        (("night", "occlusion", "crowd"), None, "no interval: none was computed (seen in training)"),
        ((), None, "no interval: none was computed"),
    ],
)
def test_a_gate_says_when_training_has_seen_what_it_reads(
    seen: tuple[str, ...], corruption: str | None, said: str
) -> None:
    study = Study(seen_in_training(BARE, *seen))
    gate = RetainedGate(name="kept", tier="critical", metric="AP50", corruption=corruption, minimum=0.1)
    assert gate.evaluate(Subject(study, study.candidates[0], "test")).reason == said


def test_a_gate_on_one_variant_says_it_too() -> None:
    study = Study(seen_in_training(BARE, "night"))
    for variant, said in (("night/3", True), ("crowd/3", False), ("clean", False)):
        gate = MetricGate(name="level", tier="critical", metric="AP50", variant=variant, minimum=0.1)
        assert ("seen in training" in gate.evaluate(Subject(study, study.candidates[0], "test")).reason) is said


def test_what_training_has_seen_is_a_risk_and_is_said_of_the_robustness() -> None:
    policy, seen = read_policy(), seen_in_training(BARE, "night")
    for evidence, expected in ((seen, 1), (BARE, 0)):
        study, decision = Study(evidence), decide(evidence, policy)
        found = [r for r in risks(study, policy, decision) if r.title == "Conditions seen in training"]
        assert len(found) == expected
        texts = [claim.text for claim in robustness_claims(study, policy, decision)]
        assert (
            sum("seen in training" in text for text in texts) == 4 * expected
        )  # share, worst variant, baseline, and the ladder of night
    (risk,) = [r for r in risks(Study(seen), policy, decide(seen, policy)) if r.title == "Conditions seen in training"]
    assert risk.cause.text == "Training images were augmented with night: 1 of 3 corruptions of the suite."


def test_a_learning_rate_that_nobody_knows_is_not_called_single() -> None:
    bare = change_candidates(
        BARE, lambda c: c.model_copy(update={"configuration": c.configuration.model_copy(update={"lr0": None})})
    )
    texts = [claim.text for claim in effect_claims(Study(bare), read_policy())]
    assert "Effect of learning rate lr0: not assessed (it is not known for any run of the study)." in texts


def test_the_risk_of_simulation_names_the_corruptions_of_the_suite() -> None:
    study, policy = _renamed("night", "sensor_noise"), read_policy()
    (risk,) = [r for r in risks(study, policy, decide(BARE, policy)) if r.title == "Conditions are simulated"]
    assert "sensor_noise, occlusion and crowd" in risk.impact
    assert "night" not in risk.impact


def test_one_run_is_one_configuration_and_has_no_others() -> None:
    name = BARE.candidates[0].name
    alone = change_candidates(BARE, lambda c: c if c.role == "baseline" or c.name == name else None)
    assert decide(alone, read_policy()).selection.reason.endswith("of 1 configuration")
