from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from robust.eval.decision.fact_gates import ImagesGate, LeakageGate, OperatingPointGate
from robust.eval.decision.gates import Gate, Subject, judge
from robust.eval.decision.metric_gates import BaselineGate, MetricGate, ThresholdGate
from robust.eval.decision.policy import read_policy
from robust.eval.decision.records import Estimate, Outcome, Tier
from robust.eval.decision.seed_gates import SeedsGate
from robust.eval.decision.study import Study
from robust.eval.decision.suite_gates import RetainedGate
from robust.eval.evidence.records import CandidateEvidence, Evidence, LeakageEvidence
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, without_cells

CANDIDATE = "yolov8n_e3_sz416_lr0.005_s42"
shares = st.floats(0, 1)


def outcome(gate: Gate, evidence: Evidence | None = None) -> Outcome:
    study = Study(evidence or build_evidence())
    return gate.evaluate(Subject(study, study.candidate(CANDIDATE), "test")).outcome


@given(value=st.none() | st.just(math.nan) | st.just(math.inf), bound=shares, at_least=st.booleans())
def test_a_missing_value_never_passes(value: float | None, bound: float, at_least: bool) -> None:
    assert judge(Estimate.of(value), bound, at_least=at_least).outcome is Outcome.NOT_ENOUGH_EVIDENCE


@given(value=shares, bound=shares, at_least=st.booleans())
def test_a_value_without_interval_neither_passes_nor_fails(value: float, bound: float, at_least: bool) -> None:
    found = judge(Estimate.of(value), bound, at_least=at_least)
    assert found.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    assert found.estimate.value == value
    assert "no interval" in found.reason


@given(ends=st.tuples(shares, shares), bound=shares, shift=st.floats(0, 1))
def test_better_evidence_never_turns_a_pass_into_less(ends: tuple[float, float], bound: float, shift: float) -> None:
    order = [Outcome.FAIL, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.PASS]
    low, high = sorted(ends)
    before = judge(Estimate(value=low, low=low, high=high), bound).outcome
    after = judge(Estimate(value=low, low=low + shift, high=high + shift), bound).outcome
    assert order.index(after) >= order.index(before)


@pytest.mark.parametrize(
    ("low", "high", "at_least", "at_most"),
    [
        (0.5, 0.6, Outcome.PASS, Outcome.NOT_ENOUGH_EVIDENCE),
        (0.4, 0.5, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.PASS),
        (0.4, 0.49, Outcome.FAIL, Outcome.PASS),
        (0.51, 0.6, Outcome.PASS, Outcome.FAIL),
    ],
)
def test_an_interval_is_held_against_the_bound_from_both_sides(
    low: float, high: float, at_least: Outcome, at_most: Outcome
) -> None:
    estimate = Estimate(value=low, low=low, high=high)
    assert judge(estimate, 0.5).outcome is at_least
    assert judge(estimate, 0.5, at_least=False).outcome is at_most


def test_an_estimate_cannot_be_half_made() -> None:
    for wrong in ({"value": None}, {"value": 0.1, "missing": "not measured"}, {"value": 0.1, "low": 0.0}):
        with pytest.raises(ValidationError):
            Estimate(**wrong)
    with pytest.raises(ValidationError):
        Estimate(value=0.5, low=0.6, high=0.4)


@pytest.mark.parametrize("gate", read_policy().gates, ids=lambda gate: gate.name)
def test_every_gate_answers_not_enough_evidence_when_nothing_was_evaluated(gate: Gate) -> None:
    evidence = build_evidence()
    data = evidence.data.model_copy(update={"splits": (), "leakage": ()})
    empty = change_candidates(evidence.model_copy(update={"data": data}), lambda c: None)
    result = gate.evaluate(Subject(Study(empty), None, "test"))
    assert result.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    assert result.estimate.value is None


@pytest.mark.parametrize("gate", [g for g in read_policy().gates if g.kind not in {"no_leakage", "seeds", "images"}])
def test_no_gate_about_a_measurement_passes_on_undefined_values(gate: Gate) -> None:
    assert outcome(gate, undefined(build_evidence())) is not Outcome.PASS
    assert outcome(gate, without_cells(build_evidence(), "test")) in {Outcome.NOT_ENOUGH_EVIDENCE, outcome(gate)}


def test_a_gate_shows_what_it_is() -> None:
    gate = MetricGate(name="clean", tier=Tier.CRITICAL, metric="AP50", minimum=0.6)
    assert repr(gate) == "<metric gate 'clean' (critical): AP50 on clean images at least 0.600>"
    assert gate.requirement == "AP50 on clean images at least 0.600"


def test_metric_gates_show_the_observed_value() -> None:
    study = Study(build_evidence())
    subject = Subject(study, study.candidate(CANDIDATE), "test")
    clean = MetricGate(name="a", tier=Tier.CRITICAL, metric="AP50", minimum=0.6).evaluate(subject)
    assert clean.estimate.value == pytest.approx(0.7308)
    gain = BaselineGate(name="b", tier=Tier.CRITICAL, metric="AP50", margin=0.02).evaluate(subject)
    assert gain.estimate.value == pytest.approx(0.7308 - 0.7426)
    assert gain.bound == -0.02
    kept = RetainedGate(name="c", tier=Tier.CRITICAL, metric="AP50", corruption="night", minimum=0.5).evaluate(subject)
    assert kept.estimate.value == pytest.approx((0.7308 - 0.33) / 0.7308)
    rate = ThresholdGate(name="d", tier=Tier.CRITICAL, measure="fppi", maximum=1.0).evaluate(subject)
    assert (rate.metric, rate.unit, rate.estimate.value) == ("fppi", "per image", pytest.approx(0.7))


def test_two_seeds_are_too_few_for_a_requirement_of_three_and_meet_one_of_two() -> None:
    assert outcome(SeedsGate(name="s", tier=Tier.CRITICAL, minimum=3)) is Outcome.NOT_ENOUGH_EVIDENCE
    assert outcome(SeedsGate(name="s", tier=Tier.CRITICAL, minimum=2)) is Outcome.PASS


@pytest.mark.parametrize("same", ["seed", "weights_sha256"])
def test_the_same_seed_or_the_same_weights_count_once(same: str) -> None:
    first = next(c for c in build_evidence().candidates if c.name == CANDIDATE)
    evidence = change_candidates(build_evidence(), lambda c: c.model_copy(update={same: getattr(first, same)}))
    assert outcome(SeedsGate(name="s", tier=Tier.CRITICAL, minimum=2), evidence) is Outcome.NOT_ENOUGH_EVIDENCE


def leaking(**pair: int) -> Evidence:
    evidence = build_evidence()
    first = LeakageEvidence(splits=("train", "val"), **({"n_identical": 0, "n_near_duplicates": 0} | pair))
    return evidence.model_copy(
        update={"data": evidence.data.model_copy(update={"leakage": (first, *evidence.data.leakage[1:])})}
    )


def test_identical_images_fail_near_duplicates_hold_and_unchecked_pairs_never_pass() -> None:
    gate = LeakageGate(name="l", tier=Tier.CRITICAL)
    assert outcome(gate) is Outcome.PASS
    assert outcome(gate, leaking(n_identical=1)) is Outcome.FAIL
    assert outcome(gate, leaking(n_near_duplicates=1)) is Outcome.NOT_ENOUGH_EVIDENCE
    evidence = build_evidence()
    for data in (
        evidence.data.model_copy(update={"leakage": evidence.data.leakage[:1]}),
        evidence.data.model_copy(update={"splits": evidence.data.splits[1:], "leakage": evidence.data.leakage[2:]}),
    ):
        assert outcome(gate, evidence.model_copy(update={"data": data})) is Outcome.NOT_ENOUGH_EVIDENCE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Outcome.PASS),
        ({"threshold": 0.85}, Outcome.FAIL),
        ({"threshold": None}, Outcome.NOT_ENOUGH_EVIDENCE),
        ({"threshold": None, "chosen_on": None}, Outcome.NOT_ENOUGH_EVIDENCE),
        ({"chosen_on": "test"}, Outcome.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_an_operating_point_must_be_chosen_in_range_and_not_on_the_judging_split(
    changes: dict[str, object], expected: Outcome
) -> None:
    def change(c: CandidateEvidence) -> CandidateEvidence:
        choice = c.sweep.choice.model_copy(update=changes)
        return c.model_copy(update={"sweep": c.sweep.model_copy(update={"choice": choice})})

    gate = OperatingPointGate(name="o", tier=Tier.CRITICAL)
    assert outcome(gate, change_candidates(build_evidence(), change)) is expected


def test_the_size_of_the_judging_split_is_counted() -> None:
    assert outcome(ImagesGate(name="i", tier=Tier.CRITICAL, minimum=10)) is Outcome.PASS
    assert outcome(ImagesGate(name="i", tier=Tier.CRITICAL, minimum=11)) is Outcome.NOT_ENOUGH_EVIDENCE


def test_a_missing_baseline_is_not_enough_evidence() -> None:
    gate = BaselineGate(name="b", tier=Tier.CRITICAL, metric="AP50", margin=0.5)
    alone = change_candidates(build_evidence(), lambda c: c if c.role == "candidate" else None)
    assert outcome(gate, alone) is Outcome.NOT_ENOUGH_EVIDENCE
