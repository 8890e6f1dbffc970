from __future__ import annotations

import re

import pytest

from robust.eval.decision.comparison import cases
from robust.eval.decision.decide import decide
from robust.eval.decision.next_steps import next_steps, suite_with
from robust.eval.decision.observations import observations
from robust.eval.decision.planning import Plan, half_width
from robust.eval.decision.policy import read_policy
from robust.eval.decision.records import Circumstances
from robust.eval.decision.risks import risks
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.power import DIFFERENCE_SD
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, without_cells

POLICY = read_policy()


def sentences(evidence: Evidence) -> dict[str, list[str]]:
    study, decision = Study(evidence), decide(evidence, POLICY)
    return {topic.title: [c.text for c in topic.claims] for topic in observations(study, POLICY, decision)}


def test_two_seeds_allow_no_statement_on_reproducibility() -> None:
    for text in sentences(build_evidence())["Spread between seeds"]:
        assert "2 distinct seeds: no statement on reproducibility (3 needed for an interval, 5 for a claim)" in text


def test_no_candidate_above_the_untouched_weights_is_said_with_both_values() -> None:
    texts = sentences(build_evidence())["Fine-tuned against untouched starting weights"]
    assert len(texts) == 3
    assert texts[2].startswith("AP50 0.731 for yolov8n_e3_sz416_lr0.005_s42, 0.743 for the untouched weights")
    assert texts[1].startswith("No candidate lies above the untouched weights yolov8n@416 in observed AP50")
    assert "yolov8n@416 0.743" in texts[1] and "yolov8n_e3_sz416_lr0.005_s42 0.731" in texts[1]


def test_effects_compare_the_same_aggregate_on_both_sides() -> None:
    texts = sentences(build_evidence())["Effect of the settings"]
    assert any(
        "mean AP50 0.721 for imgsz 416 (4 runs), 0.598 for imgsz 320 (4 runs): observed difference +0.123" in t
        for t in texts
    )
    assert any(t.startswith("AP50 0.743 for the untouched weights at 416 px") for t in texts)


def test_two_learning_rates_with_identical_results_are_told() -> None:
    twins = {c.name: c for c in build_evidence().candidates}

    def copy(c: CandidateEvidence) -> CandidateEvidence:
        twin = twins.get(c.name.replace("lr0.01", "lr0.005"), c)
        return c.model_copy(update={"cells": twin.cells})

    texts = sentences(change_candidates(build_evidence(), copy))["Effect of the settings"]
    assert (
        "4 of 4 pairs of runs that differ only in lr0 gave identical weights or results to every digit: lr0 had no "
        "effect in them." in texts
    )
    assert (
        "None of 4 pairs of runs that differ only in lr0 gave identical weights or identical results."
        in (sentences(build_evidence())["Effect of the settings"])
    )


def test_an_effect_is_taken_only_over_settings_that_both_levels_have() -> None:
    part = {"yolov8n_e3_sz320_lr0.005_s1", "yolov8n_e3_sz416_lr0.01_s1"}
    evidence = change_candidates(build_evidence(), lambda c: c if c.name in part or c.role == "baseline" else None)
    texts = sentences(evidence)["Effect of the settings"]
    assert "imgsz 416 against 320: not assessed (no other setting was run at both values)." in texts


def test_training_says_only_what_was_computed() -> None:
    texts = sentences(build_evidence())["Training"]
    assert "The val box loss falls in every epoch in 4 of 8 runs; in 4 it rises at least once (3 epochs)." in texts
    assert "The last epoch is the best one on val in 4 of 8 runs (3 epochs)." in texts
    bare = change_candidates(build_evidence(), lambda c: c.model_copy(update={"training": None}))
    assert all("not assessed" in text for text in sentences(bare)["Training"])


def test_candidates_without_baseline_are_not_assessed() -> None:
    alone = change_candidates(build_evidence(), lambda c: c if c.role == "candidate" else None)
    assert sentences(alone)["Fine-tuned against untouched starting weights"] == [
        "Gain from fine-tuning: not assessed (8 candidates without evaluated starting weights)."
    ]


def test_every_configuration_is_argued_for_and_against() -> None:
    evidence = build_evidence()
    found = cases(Study(evidence), POLICY, decide(evidence, POLICY))
    assert [case.rank for case in found] == [1, 2, 3, 4]
    assert [case.proposed for case in found] == [True, False, False, False]
    first = [claim.text for claim in found[0].arguments_for]
    assert any("Mean AP50 0.796 for this configuration" in text for text in first)
    assert any("the untouched weights yolov8n@416" in c.text for c in found[0].arguments_against)


def test_runs_that_share_a_name_and_configurations_that_share_a_label_are_told_apart() -> None:
    def rename(c: CandidateEvidence) -> CandidateEvidence:
        if c.role == "baseline":
            return c
        label = c.configuration.model_copy(update={"label": "same"})
        return c.model_copy(update={"name": "same", "configuration": label})

    study = Study(change_candidates(build_evidence(), rename))
    assert len({c.name for c in study.candidates}) == 8
    assert len({g.label for g in study.groups}) == 4
    assert study.groups[0].label == "same imgsz=320 lr0=0.005"


def test_risks_and_next_steps_rest_on_facts() -> None:
    evidence = build_evidence()
    study, decision = Study(evidence), decide(evidence, POLICY)
    found = {risk.title: risk for risk in risks(study, POLICY, decision)}
    assert "10 images and 47 objects" in found["Few test images"].cause.text
    assert "0.181 (no interval) on night/5" in found["Largest drop under night"].cause.text
    assert "2 distinct seeds" in found["Few seeds"].cause.text
    steps = {step.what: step for step in next_steps(study, POLICY, decision)}
    assert steps["Measure latency and size"].why.startswith("not measured: latency")
    more = steps["Train the proposed configuration with 3 more seeds"].command
    assert more is not None and "--seed 2 --seed 3 --seed 4" in more and "--imgsz 416" in more


def test_a_command_quotes_names_that_a_shell_would_run() -> None:
    evidence = build_evidence().model_copy(update={"experiment": "a; rm -rf $HOME"})
    steps = next_steps(Study(evidence), POLICY, decide(evidence, POLICY))
    commands = [step.command for step in steps if step.command]
    assert commands and all("'a; rm -rf $HOME'" in command for command in commands)


@pytest.mark.parametrize("make", [undefined, lambda e: without_cells(e, "test"), lambda e: without_cells(e, "val")])
def test_missing_values_are_named_and_never_read_as_good(make: object) -> None:
    assert callable(make)
    evidence = make(build_evidence())
    study, decision = Study(evidence), decide(evidence, POLICY)
    texts = [text for topic in sentences(evidence).values() for text in topic]
    texts += [c.text for case in cases(study, POLICY, decision) for c in (*case.arguments_for, *case.arguments_against)]
    assert not [text for text in texts if re.search(r"\bnan\b|\bNone\b(?! of \d)|-1\.0", text)]
    assert any("not measured" in t or "not defined" in t or "missing" in t for t in texts)


def test_planning_numbers_are_those_of_the_published_formulas() -> None:
    # n(d = .02, power 80 %) = (2.80 s / .02)^2: 1,225 for s = .25 and 4,329.6 for s = .47; half-width .124 at n = 40
    plan = Plan(metric="AP50", low=DIFFERENCE_SD[0], high=DIFFERENCE_SD[1], n_comparisons=0)
    assert plan.images_needed(0.02) == (1300, 4400)
    assert half_width(40) == pytest.approx(0.124, abs=5e-4)
    assert plan.smallest_difference(10) == pytest.approx((0.221, 0.416), abs=5e-4)


def test_a_claim_about_a_variant_counts_the_objects_of_that_variant() -> None:
    evidence = build_evidence()
    night = evidence.suite.variants[5].model_copy(update={"n_objects": 61})
    suite = evidence.suite.model_copy(
        update={"variants": (*evidence.suite.variants[:5], night, *evidence.suite.variants[6:])}
    )
    texts = sentences(evidence.model_copy(update={"suite": suite}))["Robustness of the proposed candidate"]
    assert any("(test, night/5, 10 images, 61 objects)" in text for text in texts)
    assert any("(test, all variants, 10 images, 47 objects;" in text for text in texts)


def test_a_suite_with_a_missing_cell_has_no_retained_share() -> None:
    evidence = without_cells(build_evidence(), "test", "crowd/2")
    study = Study(evidence)
    candidate = study.candidates[0]
    assert study.retained(candidate, "test", None, "AP50").missing == "not measured"
    assert study.retained(candidate, "test", "crowd", "AP50").missing == "not measured"
    assert study.retained(candidate, "test", "night", "AP50").value is not None


def test_a_variant_that_the_policy_requires_and_nobody_evaluated_is_the_first_step() -> None:
    evidence = build_evidence()
    fog = tuple(v for v in evidence.suite.variants if not v.name.startswith(("night/", "crowd/")))
    evidence = evidence.model_copy(update={"suite": evidence.suite.model_copy(update={"variants": fog})})
    decision = decide(evidence, POLICY)
    first = next_steps(Study(evidence), POLICY, decision)[0]
    assert first.what == "Evaluate what the policy requires: night and crowd"
    assert first.why.startswith("not measured at severity 1, 2, 3, 4 and 5; ")
    assert first.command is not None and first.command.endswith("--split test --suite core")
    steps = next_steps(Study(build_evidence()), POLICY, decide(build_evidence(), POLICY))
    assert not steps[0].what.startswith("Evaluate what the policy requires")


@pytest.mark.parametrize(
    ("corruptions", "suite"), [(("night", "crowd"), "core"), (("night", "rainfall"), "full"), (("moon",), None)]
)
def test_the_smallest_suite_that_holds_what_is_required_is_named(corruptions: tuple[str, ...], suite: str) -> None:
    assert suite_with(corruptions) == suite


def test_facts_that_a_gate_asks_for_and_nobody_gave_are_a_step() -> None:
    evidence = build_evidence()
    given = decide(evidence, POLICY, Circumstances(facts=("purpose",)))
    steps = {step.what: step for step in next_steps(Study(evidence), POLICY, given)}
    (gate,) = [g for g in given.gates if g.kind == "human_facts"]
    assert steps["Fill in the card, card.yaml"].why == gate.reason
    everything = decide(
        evidence, POLICY, Circumstances(facts=("purpose", "owner", "intended_use", "operating_conditions"))
    )
    assert "Fill in the card, card.yaml" not in {s.what for s in next_steps(Study(evidence), POLICY, everything)}


def test_commands_name_files_where_the_evidence_has_names_alone() -> None:
    def shortened(one: CandidateEvidence) -> CandidateEvidence:
        names = {"data": "people", "model": "yolov8n"} if one.role == "candidate" else {}
        return one.model_copy(update={"configuration": one.configuration.model_copy(update=names)})

    evidence = change_candidates(build_evidence(), shortened)
    steps = {step.what: step.command for step in next_steps(Study(evidence), POLICY, decide(evidence, POLICY))}
    assert "--data people.yaml --model yolov8n.pt " in (
        steps["Train the proposed configuration with 3 more seeds"] or ""
    )
