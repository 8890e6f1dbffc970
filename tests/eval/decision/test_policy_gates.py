"""Gates of the policy on evidence with intervals: each passes, fails and stays open for the right reason."""

from __future__ import annotations

import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from robust.eval.decision.any_gate import AllOfGate
from robust.eval.decision.build_gates import LatencyGate, SizeGate
from robust.eval.decision.decide import decide
from robust.eval.decision.fact_gates import AuditGate, HumanFactsGate, ImagesGate, LeakageGate
from robust.eval.decision.gates import EVERY_VARIANT, Finding, Gate, Subject, together
from robust.eval.decision.metric_gates import BaselineGate, CalibrationGate, MetricGate, ThresholdGate
from robust.eval.decision.policy import Policy, Waiver, read_policy
from robust.eval.decision.records import Circumstances, Estimate, GateResult, Outcome, Tier, Verdict
from robust.eval.decision.seed_gates import SeedsGate, seeds_for_spread
from robust.eval.decision.study import ALL_VARIANTS, Study
from robust.eval.decision.suite_gates import LadderGate, RetainedGate, SuiteGate
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity
from robust.eval.evidence.latency import LatencyEvidence, Timing
from robust.eval.evidence.records import Evidence
from robust.eval.metrics.calibration import Calibration
from robust.eval.metrics.interval import Interval
from tests.eval.evidence_builder import build_evidence, change_candidates, without_cells
from tests.eval.evidence_changes import of_severities, with_intervals

CANDIDATE = "yolov8n_e3_sz416_lr0.005_s42"
CRITICAL = Tier.CRITICAL
MEASURED = with_intervals(build_evidence())
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.NOT_ENOUGH_EVIDENCE


def ask(gate: Gate, evidence: Evidence = MEASURED, circumstances: Circumstances = Circumstances()) -> GateResult:  # noqa: B008
    study = Study(evidence)
    return gate.evaluate(Subject(study, study.candidate(CANDIDATE), "test", circumstances))


def night(severity: int) -> float:
    return 0.7308 - 0.11 * severity


@pytest.mark.parametrize(("up_to", "minimum", "outcome"), [(3, 0.38, PASS), (3, 0.39, OPEN), (3, 0.43, FAIL)])
def test_a_ladder_needs_every_rung(up_to: int, minimum: float, outcome: Outcome) -> None:
    # the third rung is .4008 +/- .02
    gate = LadderGate(name="g", tier=CRITICAL, metric="AP50", corruption="night", up_to=up_to, minimum=minimum)
    found = ask(gate)
    assert found.outcome is outcome
    assert "night/3" in found.reason and found.estimate.value == pytest.approx(night(3))


def test_a_ladder_fails_already_below_its_last_rung_and_never_skips_one() -> None:
    gate = LadderGate(name="g", tier=CRITICAL, metric="AP50", corruption="night", up_to=5, minimum=0.55)
    assert "night/2" in ask(gate).reason and ask(gate).outcome is FAIL
    low = LadderGate(name="g", tier=CRITICAL, metric="AP50", corruption="night", up_to=3, minimum=0.3)
    assert ask(low).outcome is PASS
    assert ask(low, without_cells(MEASURED, "test", "night/2")).outcome is OPEN
    assert ask(low, of_severities(MEASURED, 1, 2)).outcome is OPEN


def test_every_variant_is_as_good_as_the_worst_of_them() -> None:
    worst = 0.7308 - 0.55  # night/5
    assert ask(MetricGate(name="g", tier=CRITICAL, metric="AP50", variant=EVERY_VARIANT, minimum=0.15)).outcome is PASS
    failed = ask(MetricGate(name="g", tier=CRITICAL, metric="AP50", variant=EVERY_VARIANT, minimum=0.25))
    assert failed.outcome is FAIL and failed.reason.startswith("night/5:")
    assert failed.estimate.value == pytest.approx(worst)
    gone = without_cells(MEASURED, "test", "crowd/4")
    still_open = ask(MetricGate(name="g", tier=CRITICAL, metric="AP50", variant=EVERY_VARIANT, minimum=0.15), gone)
    assert still_open.outcome is OPEN and "crowd/4" in still_open.reason


def test_the_mean_over_all_variants_is_mpc() -> None:
    steps = [0.7308 - loss * s for loss in (0.11, 0.07, 0.05) for s in range(1, 6)]
    gate = MetricGate(name="g", tier=CRITICAL, metric="AP50", variant=ALL_VARIANTS, minimum=0.4)
    assert ask(gate).estimate.value == pytest.approx(sum(steps) / 15) and ask(gate).outcome is PASS
    assert ask(gate, without_cells(MEASURED, "test", "night/1")).estimate.missing == "not measured"


def test_a_miss_rate_takes_a_maximum_and_stays_open_without_interval() -> None:
    found = ask(MetricGate(name="g", tier=CRITICAL, metric="MR-2", maximum=0.9))
    assert found.outcome is OPEN and found.estimate.value == pytest.approx(1 - 0.6 * 0.7308)
    with pytest.raises(ValidationError, match="miss rate"):
        MetricGate(name="g", tier=CRITICAL, metric="MR-2", minimum=0.9)
    with pytest.raises(ValidationError, match="either a minimum or a maximum"):
        MetricGate(name="g", tier=CRITICAL, metric="AP")
    with pytest.raises(ValidationError, match="AP and AP50"):
        MetricGate(name="g", tier=CRITICAL, metric="AR10", variant=ALL_VARIANTS, minimum=0.1)


def test_better_than_the_baseline_is_not_the_same_as_not_worse() -> None:
    touching = with_intervals(build_evidence(), gain=0.02)  # [0, .04]
    better = BaselineGate(name="g", tier=CRITICAL, metric="AP50", margin=0)
    not_worse = BaselineGate(name="g", tier=CRITICAL, metric="AP50", margin=0.02)
    assert ask(better, touching).outcome is OPEN and ask(not_worse, touching).outcome is PASS
    assert ask(better).outcome is PASS and "yolov8n@416" in ask(better).reason
    worse = with_intervals(build_evidence(), gain=-0.05)
    assert ask(better, worse).outcome is FAIL and ask(not_worse, worse).outcome is FAIL
    gain = BaselineGate(name="g", tier=CRITICAL, metric="AP50", margin=-0.04)
    assert ask(gain).outcome is OPEN and ask(gain, with_intervals(build_evidence(), gain=0.07)).outcome is PASS
    assert [g.requirement.split("images ", 1)[1] for g in (better, not_worse, gain)] == [
        "above the baseline",
        "not below the baseline by more than 0.020",
        "above the baseline by at least 0.040",
    ]


def test_a_threshold_must_hold_on_every_variant() -> None:
    clean = ThresholdGate(name="g", tier=CRITICAL, measure="recall", minimum=0.5)
    everywhere = ThresholdGate(name="g", tier=CRITICAL, measure="recall", variant=EVERY_VARIANT, minimum=0.5)
    assert ask(clean).outcome is PASS and ask(everywhere).outcome is FAIL
    assert ask(everywhere).reason.startswith("night/")


def test_a_partial_suite_is_not_the_whole_suite() -> None:
    gate = SuiteGate(name="g", tier=CRITICAL, corruptions=("night", "crowd"), severities=(1, 5))
    assert ask(gate).outcome is PASS
    part = ask(gate, of_severities(MEASURED, 1))
    assert part.outcome is OPEN and "night/5 and crowd/5" in part.reason
    # the share that is kept over the easy severities alone would pass
    kept = RetainedGate(name="k", tier=CRITICAL, metric="AP50", minimum=0.6)
    policy = Policy(version=1, name="p", gates=(gate, kept))
    assert decide(of_severities(MEASURED, 1), policy).verdict is not Verdict.PROMOTE


def test_size_is_read_from_the_weights_and_never_guessed() -> None:
    assert ask(SizeGate(name="g", tier=CRITICAL, maximum_mb=7)).outcome is PASS
    assert ask(SizeGate(name="g", tier=CRITICAL, maximum_mb=6.5)).outcome is FAIL
    assert ask(SizeGate(name="g", tier=CRITICAL, maximum_parameters=3_157_200)).outcome is PASS
    unknown = change_candidates(MEASURED, lambda c: c.model_copy(update={"weights_bytes": None, "parameters": None}))
    for gate in ({"maximum_mb": 7}, {"maximum_parameters": 1}):
        assert ask(SizeGate.model_validate({"name": "g", "tier": CRITICAL, **gate}), unknown).outcome is OPEN
    with pytest.raises(ValidationError, match="maximum_mb or maximum_parameters"):
        SizeGate(name="g", tier=CRITICAL)


def test_latency_counts_on_the_named_device_only_and_by_its_upper_end() -> None:
    timing = Timing(ms=30, low=28, high=33)
    measured = LatencyEvidence(
        format="onnx", device="Xeon", n_timings=300, p50=timing, p95=timing, p99=Timing(ms=50, note="few")
    )
    fast = change_candidates(MEASURED, lambda c: c.model_copy(update={"latency": (measured,)}))

    def gate(limit: float, **changes: str) -> LatencyGate:
        return LatencyGate.model_validate(
            {"name": "g", "tier": CRITICAL, "maximum_ms": limit, "device": "Xeon", "format": "onnx", **changes}
        )

    assert [ask(gate(limit), fast).outcome for limit in (33, 32, 27)] == [PASS, OPEN, FAIL]
    assert ask(gate(100, percentile="p99"), fast).outcome is OPEN  # no interval
    assert (
        ask(gate(100, device="Orin"), fast).outcome is OPEN
        and "onnx on Xeon" in ask(gate(100, device="Orin"), fast).reason
    )
    assert ask(gate(100)).outcome is OPEN and "not measured" in ask(gate(100)).reason


def test_calibration_needs_an_interval_below_the_maximum() -> None:
    gate = CalibrationGate(name="g", tier=CRITICAL, maximum=0.1)
    assert ask(gate).outcome is OPEN

    def calibrated(interval: Interval) -> Evidence:
        made = Calibration(
            iou_threshold=0.5, lowest_score=0.05, n_detections=900, d_ece=0.06, d_ece_interval=interval,
            la_ece=0.2, la_ece_interval=Interval.none("n", 500), bins=(),
        )  # fmt: skip
        return change_candidates(
            MEASURED,
            lambda c: c.model_copy(
                update={"cells": tuple(x.model_copy(update={"calibration": made}) for x in c.cells)}
            ),
        )

    def ends(low: float, high: float) -> Interval:
        return Interval(low=low, high=high, method="logit-t", n_units=500)

    assert ask(gate, calibrated(ends(0.04, 0.09))).outcome is PASS
    assert ask(gate, calibrated(ends(0.04, 0.11))).outcome is OPEN
    assert ask(gate, calibrated(ends(0.11, 0.2))).outcome is FAIL
    assert ask(gate, calibrated(Interval.none("fewer than 500 detections", 500))).outcome is OPEN


def audited(*severities: Severity, n_runs: int = 8) -> Evidence:
    found = tuple(
        AuditFinding(rule=f"rule-{i}", severity=s, runs=(), what="w", why="y", remedy="r")
        for i, s in enumerate(severities)
    )
    audit = AuditEvidence(
        rules=("duplicate-runs",), not_checked={"seeds": "no seed logged"}, n_runs=n_runs, findings=found
    )
    return MEASURED.model_copy(update={"audit": audit})


def test_an_audit_must_have_been_made_and_tolerates_what_the_policy_says() -> None:
    gates = [AuditGate(name="g", tier=CRITICAL, tolerated=t) for t in ("warning", "note", "nothing")]
    assert [ask(g).outcome for g in gates] == [OPEN] * 3
    assert [ask(g, audited()).outcome for g in gates] == [PASS] * 3
    assert [ask(g, audited(Severity.NOTE)).outcome for g in gates] == [PASS, PASS, FAIL]
    assert [ask(g, audited(Severity.WARNING)).outcome for g in gates] == [PASS, FAIL, FAIL]
    assert [ask(g, audited(Severity.ERROR)).outcome for g in gates] == [FAIL] * 3
    assert ask(gates[0], audited(n_runs=0)).outcome is OPEN
    assert "1 check could not be made" in ask(gates[0], audited()).reason
    strict = AuditGate(name="g", tier=CRITICAL, must_check=("seeds",))
    assert ask(strict, audited()).outcome is OPEN and "not checked: seeds" in ask(strict, audited()).reason


def test_a_fact_that_nobody_stated_is_missing_evidence() -> None:
    gate = HumanFactsGate(name="g", tier=CRITICAL, required=("purpose", "owner"))
    assert ask(gate).outcome is OPEN
    assert ask(gate, MEASURED, Circumstances(facts=("purpose",))).reason == "NOT PROVIDED: owner"
    assert ask(gate, MEASURED, Circumstances(facts=("owner", "purpose"))).outcome is PASS


def test_several_gates_as_one_answer_with_the_worst_of_them() -> None:
    good = MetricGate(name="level", tier=CRITICAL, metric="AP50", minimum=0.6)
    bad = MetricGate(name="strict", tier=CRITICAL, metric="AP", minimum=0.9)
    missing = SeedsGate(name="seeds", tier=CRITICAL, minimum=5)

    def together_(*parts: Gate) -> GateResult:
        return ask(AllOfGate.model_validate({"name": "all", "tier": Tier.SUPPORTING, "parts": parts}))

    assert together_(good, good.model_copy(update={"name": "again"})).outcome is PASS
    assert together_(good, missing).outcome is OPEN and together_(good, missing).seeds_needed == 5
    failed = together_(good, missing, bad)
    assert failed.outcome is FAIL and failed.reason.startswith("strict:") and failed.bound == 0.9
    assert (failed.gate, failed.tier) == ("all", Tier.SUPPORTING)
    with pytest.raises(ValidationError, match="two parts"):
        AllOfGate(name="all", tier=CRITICAL, parts=(good, good))


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=5))
def test_parts_together_pass_only_when_all_do(outcomes: list[Outcome]) -> None:
    found = together([(str(i), Finding(Estimate.of(0.5), o, "r")) for i, o in enumerate(outcomes)])
    assert (found.outcome is PASS) == (set(outcomes) == {PASS})
    assert (found.outcome is FAIL) == (FAIL in outcomes)


@pytest.mark.parametrize(("sd", "maximum"), [(0.01, 0.03), (0.02, 0.03), (0.05, 0.03)])
def test_the_seeds_that_a_spread_needs_are_the_first_that_settle_it(sd: float, maximum: float) -> None:
    n = seeds_for_spread(sd, maximum)
    assert n is not None

    def settled(k: int) -> bool:
        ends = [sd * math.sqrt((k - 1) / stats.chi2.ppf(q, k - 1)) for q in (0.975, 0.025)]
        return not ends[0] <= maximum < ends[1]

    assert settled(n) and not any(settled(k) for k in range(3, n))


def test_too_few_images_and_shared_images_never_pass() -> None:
    few = ask(ImagesGate(name="g", tier=CRITICAL, minimum=300))
    assert few.outcome is OPEN and few.images_needed == 300 and "290 more images needed" in few.reason
    bare = MEASURED.model_copy(update={"data": MEASURED.data.model_copy(update={"leakage": ()})})
    assert ask(LeakageGate(name="g", tier=CRITICAL), bare).outcome is OPEN


# --- the whole decision ------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    half=st.floats(0.001, 0.3),
    shifts=st.tuples(st.floats(-0.5, 0.5), st.floats(0, 0.5)),
    gain=st.floats(-0.1, 0.1),
)
def test_better_evidence_never_turns_a_promotion_into_less(
    half: float, shifts: tuple[float, float], gain: float
) -> None:
    order = [Verdict.REJECT, Verdict.HOLD, Verdict.PROMOTE]
    low, more = shifts
    before, after = (
        decide(with_intervals(build_evidence(), half=half, shift=s, gain=gain), read_policy()).verdict
        for s in (low, low + more)
    )
    assert order.index(after) >= order.index(before)


def test_a_study_that_meets_everything_is_promoted_by_the_default_policy() -> None:
    decision = decide(MEASURED, read_policy())
    assert decision.verdict is Verdict.PROMOTE, decision.reason
    assert decision.reason == "All 8 critical gates passed."


WAIVER = {"gate": "clean AP50", "author": "A. Person", "reason": "pilot", "expires": date(2026, 12, 31)}
WEAK = with_intervals(build_evidence(), shift=-0.2, gain=0.3)


def waived(**changes: object) -> Policy:
    gates = (
        MetricGate(name="clean AP50", tier=CRITICAL, metric="AP50", minimum=0.6),
        BaselineGate(name="better", tier=CRITICAL, metric="AP50", margin=0),
    )
    return Policy(version=1, name="p", gates=gates, waivers=(Waiver.model_validate({**WAIVER, **changes}),))


def test_a_valid_waiver_lets_a_failed_gate_be_seen_but_not_decide() -> None:
    in_time = Circumstances(today=date(2026, 12, 31))
    decision = decide(WEAK, waived(), in_time)
    (gate, _) = decision.gates
    assert decision.verdict is Verdict.PROMOTE and gate.outcome is FAIL and gate.waived
    assert decision.reason == (
        "1 of 2 critical gates passed (waived: clean AP50, FAIL, by A. Person until 2026-12-31)."
    )
    assert decision.decided_on == date(2026, 12, 31)


@pytest.mark.parametrize("today", [date(2027, 1, 1), None])
def test_an_expired_waiver_or_one_on_an_unknown_day_does_not_count(today: date | None) -> None:
    decision = decide(WEAK, waived(), Circumstances(today=today))
    (gate, _) = decision.gates
    assert decision.verdict is Verdict.REJECT and not gate.waived
    assert gate.waiver is not None and gate.waiver.note


def test_a_policy_without_waivers_decides_the_same_on_any_day() -> None:
    days = (None, date(2020, 1, 1), date(2030, 1, 1))
    assert len({decide(MEASURED, read_policy(), Circumstances(today=d)).to_json() for d in days}) == 1


def test_a_waiver_for_nothing_and_waivers_for_everything_are_refused() -> None:
    with pytest.raises(ValidationError, match="did you mean 'clean AP50'"):
        waived(gate="clean AP5")
    only = MetricGate(name="clean AP50", tier=CRITICAL, metric="AP50", minimum=0.6)
    with pytest.raises(ValidationError, match="every critical gate is waived"):
        Policy(version=1, name="p", gates=(only,), waivers=(Waiver.model_validate(WAIVER),))


def test_a_missing_value_under_a_waiver_is_shown_as_missing() -> None:
    gone = without_cells(MEASURED, "test", "clean")
    decision = decide(gone, waived(), Circumstances(today=date(2026, 1, 1)))
    assert decision.gates[0].outcome is OPEN and decision.gates[0].estimate.value is None
    assert decision.verdict is not Verdict.PROMOTE  # the other gate has lost its evidence too
