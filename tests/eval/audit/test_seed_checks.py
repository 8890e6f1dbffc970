"""Seeds: how many there are, which count twice, and whether they do anything."""

from __future__ import annotations

import pytest

from robust.eval.evidence.findings import Severity
from robust.eval.tracking import tags
from tests.eval.audit.runs_builder import a_run, audited, found, told

SAME = 0.7012550525858202


@pytest.mark.parametrize(
    ("n", "severity"), [(1, Severity.WARNING), (2, Severity.WARNING), (3, Severity.NOTE), (4, Severity.NOTE), (5, None)]
)
def test_fewer_than_three_seeds_weaken_and_fewer_than_five_are_noted(n: int, severity: Severity | None) -> None:
    told = found("seeds-per-configuration", *(a_run(params={"seed": seed}) for seed in range(n)))
    assert [finding.severity for finding in told] == ([severity] if severity else [])
    assert all(finding.numbers["fewest_seeds"] == n for finding in told)


def test_each_configuration_is_counted_alone_and_named_by_what_varies() -> None:
    runs = [a_run(params={"imgsz": i, "seed": s}) for i, n in ((320, 5), (416, 2)) for s in range(n)]
    (few,) = found("seeds-per-configuration", *runs)
    assert few.what == "1 of 2 configurations has fewer than 3 distinct seeds: imgsz 416: 2 (0, 1)."


def test_without_logged_seeds_nothing_is_claimed() -> None:
    evidence = audited(a_run(params={"seed": None}), a_run(params={"seed": None}))
    assert {"seeds-per-configuration", "repeated-seed", "duplicate-run"} <= evidence.not_checked.keys()


def test_a_seed_that_counts_twice_is_an_error_and_a_note_on_the_run() -> None:
    runs = [a_run("s1", params={"seed": 1}), a_run("s42", map50=SAME, params={"seed": 42})]
    runs.append(a_run("s422", map50=SAME, params={"seed": 42}))
    (twice,) = found("repeated-seed", *runs)
    assert (twice.severity, twice.runs) == (Severity.ERROR, ("s42", "s422"))
    assert twice.numbers == {"runs": 3, "trainings": 2, "repeated": 1}
    (run,) = found("duplicate-run", *runs)
    assert run.severity is Severity.NOTE


def test_the_same_seed_with_another_result_is_a_warning_with_the_difference() -> None:
    runs = [a_run("a", map50=0.61234567, params={"seed": 1}), a_run("b", map50=0.60234567, params={"seed": 1})]
    (twice,) = found("repeated-seed", *runs)
    (run,) = found("duplicate-run", *runs)
    assert twice.severity is run.severity is Severity.WARNING and "0.01)" in run.what


def test_equal_weights_and_the_tag_of_the_training_count_once_too() -> None:
    weights = [a_run(params={"seed": seed}, tensors_sha256="a" * 64) for seed in (1, 2)]
    (twice,) = found("repeated-seed", *weights)
    assert "equal weights" in twice.what and twice.severity is Severity.ERROR
    first = a_run(params={"seed": 1})
    marked = a_run(params={"seed": 2}, tags={tags.SAME_WEIGHTS_AS: first.run_id})
    assert found("repeated-seed", first, marked)
    assert not found("repeated-seed", first, a_run(params={"seed": 2}))


def test_the_same_seed_in_another_configuration_is_no_repetition() -> None:
    assert not found("repeated-seed", a_run(params={"imgsz": 320}), a_run(params={"imgsz": 416}))


def test_what_the_training_wrote_down_is_the_seed_not_what_was_logged_by_hand() -> None:
    runs = [a_run("a", params={"seed": 42}), a_run("b", params={"seed": 422}, resolved={"seed": "42"})]
    assert found("repeated-seed", *runs)
    (override,) = told("overridden-parameter", *runs)
    assert override.severity is Severity.ERROR and "logs 422 but used 42" in override.what


def test_seeds_with_the_same_result_did_nothing() -> None:
    (same,) = found("seed-without-effect", *(a_run(map50=SAME, params={"seed": seed}) for seed in (1, 2)))
    assert same.severity is Severity.ERROR and same.numbers["groups"] == 1
    assert not found("seed-without-effect", *(a_run(params={"seed": seed}) for seed in (1, 2)))


@pytest.mark.parametrize(("version", "is_told"), [("8.4.123", True), ("8.4.125", False), ("8.4.190", False)])
def test_old_versions_never_told_the_loader_their_seed(version: str, is_told: bool) -> None:
    old = found("seed-without-effect", *(a_run(params={"seed": seed}, ultralytics=version) for seed in (1, 2)))
    assert [finding.severity for finding in old] == [Severity.WARNING] * is_told


def test_an_old_version_with_one_seed_of_each_configuration_is_a_note() -> None:
    runs = [a_run(params={"imgsz": size}, ultralytics="8.0.20") for size in (320, 640)]
    (old,) = told("seed-without-effect", *runs)
    assert old.severity is Severity.NOTE and "8.0.20" in old.what
    assert "seed-without-effect" in audited(*runs).not_checked


@pytest.mark.parametrize("version", [None, "?"])
def test_seeds_of_an_unknown_version_are_not_checked_unless_results_answer(version: str | None) -> None:
    seeds = [a_run(params={"seed": seed}, ultralytics=version) for seed in (1, 2)]
    reason = audited(*seeds).not_checked["seed-without-effect"]
    assert reason.startswith("the version of Ultralytics of 2 runs is not known")
    same = [a_run(map50=SAME, params={"seed": seed}, ultralytics=version) for seed in (1, 2)]
    assert found("seed-without-effect", *same)[0].severity is Severity.ERROR
    others = [a_run(params={"seed": s, "imgsz": None, "lr0": None}, ultralytics=version) for s in (1, 2)]
    assert not found("seed-without-effect", *others)  # another trainer, whose results do differ
