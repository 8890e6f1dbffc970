from __future__ import annotations

from statistics import fmean

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.gates import Subject
from robust.eval.decision.metric_gates import MetricGate, RetainedGate
from robust.eval.decision.next_steps import next_steps
from robust.eval.decision.policy import read_policy
from robust.eval.decision.records import Outcome
from robust.eval.decision.risks import risks
from robust.eval.decision.study import Study

from ..evidence_builder import build_evidence, seen_in_training, with_recorded

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
