"""What holds for every check: honest studies pass, order and names do not matter, and the page tells all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robust.eval.audit import data_checks, selection_checks, training_checks
from robust.eval.audit.check import Check
from robust.eval.audit.facts import ExperimentFacts, ReportedOn
from robust.eval.audit.junit import to_junit
from robust.eval.audit.registry import CHECKS, audit
from robust.eval.audit.sarif import to_sarif
from robust.eval.evidence.findings import Severity
from tests.eval.audit.honest_study import by_epoch, data, run, study

PAGE = Path(__file__).resolve().parents[3] / "docs" / "audit.md"
MINE = (*data_checks.CHECKS, *selection_checks.CHECKS, *training_checks.CHECKS)

# Everything is wrong with it that these checks know of.
BROKEN = study(
    runs=tuple(
        run(
            imgsz,
            seed,
            0.27 + 0.001 * seed,
            metrics={"metrics/precisionB": 0.1, "train/mAP50": 0.9},
            params={"degrees": "10", "augmentations": "[RandomRain(p=0.1)]"},
            courses={
                "metrics/mAP50-95B": by_epoch(0.1, 0.2, 0.3, 0.4, 0.5),
                "val/box_loss": by_epoch(1.3, 1.2, 1.3, 1.4, 1.5),
            },
        )
        for imgsz in (320, 416)
        for seed in (1, 42 if imgsz == 320 else 7)
    ),
    data=data(declared={"train": 128}),
    reported=ReportedOn(selected_on="val", judged_on="val", n_val=10, variants=("roll",), n_evaluated=4),
)


def test_an_honest_study_passes_every_check_with_a_note_at_most() -> None:
    found = audit(study())
    assert {one.rule for one in found.findings if one.severity is not Severity.NOTE} == set()
    assert {"leakage", "small-val-set", "best-epoch-last", "train-val-gap"} <= set(found.rules)
    assert not {check.rule for check in MINE} & found.not_checked.keys()


def test_a_bare_experiment_raises_no_error_of_these_checks() -> None:
    bare = study(data=None, reported=ReportedOn())
    looked = [check.look(bare) for check in MINE]
    assert not [one for found in looked for one in found.findings if one.severity is Severity.ERROR]


def test_every_finding_of_a_check_is_told_under_its_rule() -> None:
    found = {check.rule: check.look(BROKEN).findings for check in MINE}
    assert {rule for rule, findings in found.items() if findings} == {check.rule for check in MINE} - {"leakage"}
    assert all(one.rule == rule for rule, findings in found.items() for one in findings)


@pytest.mark.parametrize("check", MINE, ids=lambda check: check.rule)
@pytest.mark.parametrize("facts", [BROKEN, study()], ids=["broken", "honest"])
def test_the_order_of_the_runs_does_not_matter(check: Check, facts: ExperimentFacts) -> None:
    backwards = facts.model_copy(update={"runs": facts.runs[::-1]})
    assert check.look(backwards) == check.look(facts)


@pytest.mark.parametrize("name", ["", "\x1b[2J]]><script>", "{0} {name}", "%s%n" * 400, "夜\u202e"])
def test_names_may_hold_anything(name: str) -> None:
    renamed = tuple(one.model_copy(update={"name": name}) for one in BROKEN.runs)
    found = audit(BROKEN.model_copy(update={"runs": renamed}))
    assert to_junit(found) and to_sarif(found)
    assert {one.rule for one in found.findings} >= {"metric-at-best-f1", "train-val-gap"}
    assert all(len(one.what) < 2000 for one in found.findings)


def test_the_page_lists_every_rule_with_its_question() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert {rule: question for rule, question, *_ in rows} == {check.rule: check.asks for check in CHECKS}
    assert all(severity.strip() and remedy.strip() for _, _, severity, remedy in rows)
