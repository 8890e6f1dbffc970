from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust.eval.decision.decide import conclude, decide, select
from robust.eval.decision.policy import SelectionRule, read_policy
from robust.eval.decision.records import Estimate, GateResult, Outcome, Tier, Verdict
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, without_cells

ORDER = [Outcome.FAIL, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.PASS]
VERDICTS = [Verdict.REJECT, Verdict.HOLD, Verdict.PROMOTE]


def result(outcome: Outcome, tier: Tier = Tier.CRITICAL) -> GateResult:
    return GateResult(
        gate="g", kind="metric", tier=tier, requirement="r", metric="AP50", variant="clean", split="test", unit="score",
        estimate=Estimate.of(0.5), bound=0.5, outcome=outcome, reason="because",
    )  # fmt: skip


results = st.lists(st.builds(result, st.sampled_from(ORDER), st.sampled_from(list(Tier))), max_size=6)


@given(results)
def test_promotion_needs_every_critical_gate_and_at_least_one(gates: list[GateResult]) -> None:
    critical = [gate.outcome for gate in gates if gate.tier is Tier.CRITICAL]
    assert (conclude(gates) is Verdict.PROMOTE) == (bool(critical) and set(critical) == {Outcome.PASS})
    assert (conclude(gates) is Verdict.REJECT) == (Outcome.FAIL in critical)


@given(results, st.data())
def test_a_better_gate_never_lowers_the_verdict(gates: list[GateResult], data: st.DataObject) -> None:
    if not gates:
        return
    i = data.draw(st.integers(0, len(gates) - 1))
    better = data.draw(st.sampled_from(ORDER[ORDER.index(gates[i].outcome) :]))
    changed = [*gates[:i], gates[i].model_copy(update={"outcome": better}), *gates[i + 1 :]]
    assert VERDICTS.index(conclude(changed)) >= VERDICTS.index(conclude(gates))


def test_without_intervals_the_decision_is_hold_and_says_why() -> None:
    decision = decide(build_evidence(), read_policy())
    assert decision.verdict is Verdict.HOLD
    assert decision.candidate == "yolov8n_e3_sz416_lr0.005_s42"
    assert "there is no interval" in decision.reason
    assert "clean AP50" in decision.reason


def test_the_same_input_gives_the_same_decision() -> None:
    assert decide(build_evidence(), read_policy()).to_json() == decide(build_evidence(), read_policy()).to_json()


def test_the_configuration_is_chosen_by_its_mean_not_by_its_best_seed() -> None:
    def lucky(c: CandidateEvidence) -> CandidateEvidence:
        values = {"yolov8n_e3_sz320_lr0.005_s1": 0.95, "yolov8n_e3_sz320_lr0.005_s42": 0.30}
        cells = tuple(
            cell.model_copy(update={"coco": cell.coco.model_copy(update={"AP50": values[c.name]})})
            if cell.split == "val" and c.name in values
            else cell
            for cell in c.cells
        )
        return c.model_copy(update={"cells": cells})

    selection = select(Study(change_candidates(build_evidence(), lucky)), SelectionRule())
    assert selection.candidate == "yolov8n_e3_sz416_lr0.005_s42"
    assert selection.ranking[-1].label == "yolov8n 320 lr0=0.005 e3"
    assert selection.ranking[-1].mean == pytest.approx(0.625)


def test_a_tie_goes_to_the_smaller_image_size() -> None:
    def tie(c: CandidateEvidence) -> CandidateEvidence:
        cells = tuple(cell.model_copy(update={"coco": cell.coco.model_copy(update={"AP50": 0.5})}) for cell in c.cells)
        return c.model_copy(update={"cells": cells})

    assert select(Study(change_candidates(build_evidence(), tie)), SelectionRule()).candidate == (
        "yolov8n_e3_sz320_lr0.005_s1"
    )


@pytest.mark.parametrize("broken", [without_cells(build_evidence(), "val"), undefined(build_evidence())])
def test_without_val_numbers_nothing_is_proposed_and_nothing_promoted(broken: object) -> None:
    decision = decide(broken, read_policy())  # type: ignore[arg-type]
    assert decision.candidate is None
    assert decision.verdict is Verdict.HOLD
    assert "No candidate can be proposed" in decision.reason


def test_a_configuration_with_a_missing_seed_value_cannot_be_ranked() -> None:
    def drop(c: CandidateEvidence) -> CandidateEvidence:
        if c.name != "yolov8n_e3_sz416_lr0.005_s1":
            return c
        return c.model_copy(update={"cells": tuple(cell for cell in c.cells if cell.split != "val")})

    selection = select(Study(change_candidates(build_evidence(), drop)), SelectionRule())
    assert selection.ranking[-1].label == "yolov8n 416 lr0=0.005 e3" and selection.ranking[-1].mean is None
    assert selection.candidate == "yolov8n_e3_sz416_lr0.01_s42"


def test_one_candidate_alone_needs_no_selection() -> None:
    only = "yolov8n_e3_sz320_lr0.01_s1"
    alone = change_candidates(without_cells(build_evidence(), "val"), lambda c: c if c.name == only else None)
    decision = decide(alone, read_policy())
    assert decision.candidate == only
    assert decision.verdict is Verdict.HOLD


def test_no_candidate_at_all_is_a_hold() -> None:
    nobody = change_candidates(build_evidence(), lambda c: None)
    assert decide(nobody, read_policy()).verdict is Verdict.HOLD


def test_a_seed_that_was_trained_twice_does_not_weigh_twice() -> None:
    name = "yolov8n_e3_sz416_lr0.005_s42"

    def val(c: CandidateEvidence, value: float) -> CandidateEvidence:
        cells = tuple(
            cell.model_copy(update={"coco": cell.coco.model_copy(update={"AP50": value})})
            if cell.split == "val"
            else cell
            for cell in c.cells
        )
        return c.model_copy(update={"cells": cells})

    levels = {name: 0.9, "yolov8n_e3_sz416_lr0.005_s1": 0.5}
    evidence = change_candidates(build_evidence(), lambda c: val(c, levels.get(c.name, 0.75)))
    best = next(c for c in evidence.candidates if c.name == name)
    assert best.training is not None
    again = best.model_copy(
        update={"name": "again", "training": best.training.model_copy(update={"run_id": "f" * 32, "run_name": "again"})}
    )
    twice = evidence.model_copy(update={"candidates": (*evidence.candidates, again)})
    for found in (select(Study(evidence), SelectionRule()), select(Study(twice), SelectionRule())):
        mean = next(r.mean for r in found.ranking if r.label == "yolov8n 416 lr0=0.005 e3")
        assert mean == pytest.approx(0.7)  # not (.9 + .9 + .5) / 3 = .767, which would win over .75
        assert found.candidate != name
