"""Both bars: every mistake of the hand-written study is found, and a sound study has no error."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robust.eval.audit.facts import ExperimentFacts
from robust.eval.audit.registry import CHECKS, audit
from robust.eval.audit_run import audit_experiment
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.tracking.store import Store
from tests.eval.audit import seed_study
from tests.shared_data import shared_data


def by_rule(facts: ExperimentFacts) -> dict[str, list[AuditFinding]]:
    told: dict[str, list[AuditFinding]] = {}
    for finding in audit(facts).findings:
        told.setdefault(finding.rule, []).append(finding)
    return told


def test_the_study_has_the_numbers_of_its_document(seed_facts: ExperimentFacts) -> None:
    of = {run.name: run.metrics.get("metrics/mAP50B") for run in seed_facts.runs}

    def group(imgsz: int, lr0: float, *seeds: int) -> list[float]:
        return [value for s in seeds if (value := of[seed_study.run_name(imgsz, lr0, s)]) is not None]

    a = group(320, 0.005, 1, 42, 422)
    assert (round(statistics.fmean(a), 3), round(statistics.stdev(a), 3)) == (0.269, 0.003)
    assert round(statistics.fmean(group(320, 0.01, 1, 42)), 3) == 0.269
    c = group(416, 0.005, 1, 42)
    assert [round(v, 3) for v in (*c, statistics.fmean(c), statistics.stdev(c))] == [0.245, 0.303, 0.274, 0.041]
    assert round(statistics.fmean(group(416, 0.01, 1, 42)), 3) == 0.244
    assert len(seed_facts.runs) == 10


def test_the_rate_that_auto_ignored_is_found_with_its_cause_and_its_copies(seed_facts: ExperimentFacts) -> None:
    told = by_rule(seed_facts)
    (axis,) = told["ineffective-axis"]
    assert axis.severity is Severity.ERROR and "optimizer=auto" in axis.what and "0.002" in axis.what
    assert (axis.numbers["parameter"], axis.numbers["same_pairs"], axis.numbers["pairs"]) == ("lr0", 4, 5)
    (copies,) = told["duplicate-result"]
    assert copies.severity is Severity.ERROR and (copies.numbers["runs"], copies.numbers["results"]) == (7, 3)
    assert told["overridden-parameter"][0].numbers["named"] == "0.005, 0.01"


def test_the_third_seed_that_is_the_second_one_again_is_found(seed_facts: ExperimentFacts) -> None:
    told = by_rule(seed_facts)
    (name,) = told["name-against-parameters"]
    assert name.severity is Severity.ERROR and name.runs == (seed_study.run_name(320, 0.005, 422),)
    assert "seed 42" in name.what and "appended" in name.what
    (twice,) = told["repeated-seed"]
    assert twice.severity is Severity.ERROR and "only 2 distinct trainings" in twice.what
    assert told["duplicate-run"][0].severity is Severity.NOTE


def test_two_seeds_are_too_few_in_every_configuration(seed_facts: ExperimentFacts) -> None:
    (few,) = by_rule(seed_facts)["seeds-per-configuration"]
    assert few.severity is Severity.WARNING
    assert few.numbers == {"configurations": 4, "of": 4, "fewest_seeds": 2, "needed": 3}


def test_the_finished_run_that_holds_nothing_is_found(seed_facts: ExperimentFacts) -> None:
    told = by_rule(seed_facts)["run-without-result"]
    assert all(one.severity is Severity.ERROR for one in told)
    assert (seed_study.run_name(416, 0.005, 7),) in [one.runs for one in told]


def test_precision_at_best_f1_val_alone_no_baseline_and_a_short_training_are_found(seed_facts: ExperimentFacts) -> None:
    told = by_rule(seed_facts)
    for rule in ("metric-at-best-f1", "selected-on-reported-split", "baseline-not-evaluated", "best-epoch-last"):
        assert told[rule], rule


def test_with_the_data_at_hand_ten_images_are_told_to_be_too_few(studies: Store) -> None:
    data = shared_data("tiny_coco.yaml")
    evidence = audit_experiment(studies, seed_study.EXPERIMENT, data=data)
    (small,) = [finding for finding in evidence.findings if finding.rule == "small-val-set"]
    assert small.numbers["images"] == 10 and small.numbers["objects"] == 31


def test_a_sound_study_has_no_error(sound_facts: ExperimentFacts) -> None:
    evidence = audit(sound_facts)
    assert evidence.n_runs == 20
    assert not [finding for finding in evidence.findings if finding.severity is Severity.ERROR]
    ours = {"ineffective-axis", "duplicate-run", "duplicate-result", "run-without-result", "name-against-parameters"}
    ours |= {"overridden-parameter", "seeds-per-configuration", "repeated-seed", "unlike-runs", "seed-without-effect"}
    assert ours <= set(evidence.rules)
    assert not ours & {finding.rule for finding in evidence.findings}


def test_every_check_is_made_or_says_why_not_and_errors_come_first(seed_facts: ExperimentFacts) -> None:
    evidence = audit(seed_facts)
    rules = [check.rule for check in CHECKS]
    assert sorted({*evidence.rules, *evidence.not_checked}) == rules == sorted(set(rules))
    order = [list(Severity).index(finding.severity) for finding in evidence.findings]
    assert order == sorted(order) and order[0] == 0
    assert {finding.rule for finding in evidence.findings} <= set(rules)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_the_runs_changes_no_finding(seed_facts: ExperimentFacts, data: st.DataObject) -> None:
    shuffled = tuple(data.draw(st.permutations(seed_facts.runs)))
    assert audit(seed_facts.model_copy(update={"runs": shuffled})) == audit(seed_facts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=300), value=st.text(max_size=40))
def test_no_name_and_no_value_stops_the_audit(seed_facts: ExperimentFacts, name: str, value: str) -> None:
    first, *rest = seed_facts.runs
    params = dict.fromkeys(("seed", "lr0", "imgsz", "epochs", "batch", "optimizer", "data"), value)
    odd = first.model_copy(update={"name": name, "params": params})
    assert audit(seed_facts.model_copy(update={"runs": (odd, *rest)})).n_runs == len(seed_facts.runs)


def test_fifty_runs_take_less_than_two_seconds_of_computing(tmp_path: Path, studies: Store) -> None:
    (tmp_path / "best.pt").write_bytes(b"weights")
    for seed in range(50):
        used = seed_study.parameters(320, 0.01, seed, optimizer="SGD")
        seed_study.log_run(
            studies, "fifty", f"s{seed}", used, map50=0.5 + seed * 0.00123457, weights=tmp_path / "best.pt"
        )
    audit_experiment(studies, "sound")  # what is imported once
    start = time.process_time()
    assert audit_experiment(studies, "fifty").n_runs == 50
    assert time.process_time() - start < 2
