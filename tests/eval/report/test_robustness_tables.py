from __future__ import annotations

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.robustness_records import BreakingPoint
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext, Row, Table
from robust.eval.report.degradation import breaking_text
from robust.eval.report.render import render_html, render_markdown
from tests.eval.evidence_builder import (
    N_OBJECTS,
    build_evidence,
    change_candidates,
    undefined,
    without_cells,
)
from tests.eval.evidence_changes import of_severities


def _context(evidence: Evidence) -> ReportContext:
    policy = read_policy()
    return build_context(evidence, policy, decide(evidence, policy), Card())


def _texts(table: Table, header: str) -> dict[str, str]:
    """Column -> text of the first row whose header starts so."""
    row: Row = next(row for row in table.rows if row.header.startswith(header))
    return dict(zip(table.columns[1:], (cell.text for cell in row.cells), strict=True))


def _older(evidence: Evidence) -> Evidence:
    """Evidence as it was written before these numbers were measured."""

    def strip(c: CandidateEvidence) -> CandidateEvidence:
        none = {"retained_areas": {}, "breaking_points": {}, "worst_corruption": None, "worst_mean": None}
        return c.model_copy(
            update={
                "cells": tuple(cell.model_copy(update={"miss_rate": None, "strata": ()}) for cell in c.cells),
                "robustness": tuple(r.model_copy(update=none) for r in c.robustness),
                "sweep": c.sweep.model_copy(update={"recalls": ()}),
            }
        )

    return change_candidates(evidence, strip)


def _point(kind: str, holds_at: int | None, fails_at: int | None, severity: float | None = None) -> BreakingPoint:
    return BreakingPoint.model_validate(
        {"requirement": 0.3, "kind": kind, "holds_at": holds_at, "fails_at": fails_at, "severity": severity}
    )


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (_point("between", 2, 3, 2.62), "2.6"),
        (_point("between", 0, 1, 0.69), "< 1"),
        (_point("between", 1, 3), "1 to 3"),
        (_point("beyond", 5, None), "> 5"),
        (_point("clean", None, 0), "clean"),
    ],
)
def test_breaking_point_in_words(point: BreakingPoint, text: str) -> None:
    assert breaking_text(point) == text


def test_degradation_shows_where_half_is_lost_and_the_area_that_is_kept() -> None:
    """AP50 falls by 0.11 a step from the clean value, so both have a closed form."""
    made = _context(build_evidence())
    night = _texts(made.degradation_table, "night")
    clean = float(night["clean"])
    assert float(night["half lost at"]) == pytest.approx(clean / 2 / 0.11, abs=0.06)
    assert float(night["retained area"]) == pytest.approx(1 - 0.11 * 2.5 / clean, abs=0.001)
    assert _texts(made.degradation_table, "crowd")["half lost at"] == "> 5"


def test_worst_corruption_and_variant_are_named_with_their_share() -> None:
    facts = {fact.label.split(",")[0]: str(fact.value) for fact in _context(build_evidence()).degradation_facts[:2]}
    assert facts["Worst corruption"].startswith("night: mean AP50 0.")
    assert facts["Worst variant"].startswith("night/5: AP50 0.")
    assert all("of the clean 0." in value and "[" not in value for value in facts.values())  # this evidence has none


def test_kinds_of_objects_are_shown_clean_and_where_a_variant_changes_them() -> None:
    tables = _context(build_evidence()).strata_tables
    assert [table.caption.split(", ")[1] for table in tables] == ["clean", "occlusion/3", "crowd/3"]
    clean, occluded, _ = tables
    assert _texts(clean, "visible: more than 0.9")["Objects"] == str(N_OBJECTS["test"] - 9)
    few = _texts(clean, "visible: 0.2 to 0.65")
    assert (few["Objects"], few["AP50, candidate"], few["recall, candidate"]) == (
        "3", "too few objects", "too few objects"
    )  # fmt: skip
    assert not any(row.header == "visible: less than 0.2" for row in clean.rows)  # there is none of this kind
    many = _texts(occluded, "visible: 0.2 to 0.65")
    assert many["Objects"] == "13" and many["AP50, candidate"].startswith("0.")
    assert many["recall, candidate"].endswith(" of 13)")


def test_unstable_miss_rate_says_so() -> None:
    table = _context(build_evidence()).miss_rate_table
    assert [row.header for row in table.rows][:2] == ["clean", "night/1"]
    clean = _texts(table, "clean")
    assert clean["MR^-2, candidate"].endswith("(unstable)") and clean["MR^-2, baseline"].endswith("(unstable)")
    assert "On 10 images, 0.1 FP per image is 1 false positive in all" in table.caption


def test_miss_rate_of_enough_images_is_a_plain_number() -> None:
    def more(c: CandidateEvidence) -> CandidateEvidence:
        cells = tuple(
            cell.model_copy(update={"miss_rate": cell.miss_rate.model_copy(update={"n_images": 100})})
            for cell in c.cells
            if cell.miss_rate is not None
        )
        return c.model_copy(update={"cells": cells})

    table = _context(change_candidates(build_evidence(), more)).miss_rate_table
    assert float(_texts(table, "clean")["MR^-2, candidate"]) > 0


def test_older_evidence_reads_not_measured() -> None:
    made = _context(_older(build_evidence()))
    row = _texts(made.degradation_table, "night")
    assert (row["retained area"], row["half lost at"]) == ("not measured", "not measured")
    assert float(row["retained"]) > 0
    facts = {fact.label.split(",")[0]: fact.value for fact in made.degradation_facts[:2]}
    assert facts["Worst corruption"] == "not measured" and str(facts["Worst variant"]).startswith("night/5")
    assert {cell.text for row in made.miss_rate_table.rows for cell in row.cells} == {"not measured"}
    assert [table.rows for table in made.strata_tables] == [()]
    for page in (render_html(made), render_markdown(made)):
        assert "Not measured: there is nothing to put into this table." in page


def test_lost_variant_leaves_no_summary_of_its_corruption() -> None:
    made = _context(without_cells(build_evidence(), "test", "night/5"))
    row = _texts(made.degradation_table, "night")
    assert (row["retained area"], row["half lost at"]) == ("not measured", "not measured")
    assert {str(fact.value) for fact in made.degradation_facts} == {"not measured"}
    assert set(_texts(made.miss_rate_table, "night/5").values()) == {"not measured"}


def test_undefined_numbers_are_not_defined() -> None:
    made = _context(undefined(build_evidence()))
    shown = {cell.text for row in made.miss_rate_table.rows for cell in row.cells}
    assert shown <= {"not defined", "not measured"}
    assert not any("0." in str(fact.value) for fact in made.degradation_facts)
    assert not any(table.rows for table in made.strata_tables)  # no objects of any kind


def test_one_severity_draws_no_course_and_has_no_column_of_empty_areas() -> None:
    made = _context(of_severities(build_evidence(), 3))
    assert [chart.plot for chart in made.degradation_charts] == [None]
    assert made.degradation_charts[0].description == "No corruption was shown at two severities or more."
    assert "retained area" not in made.degradation_table.columns
    assert "Retained area" not in made.degradation_note
    columns = len(made.degradation_table.columns) - 1
    assert {len(row.cells) for row in made.degradation_table.rows} == {columns}
    night = _texts(made.degradation_table, "night")
    assert night["half lost at"] == "> 3"
    assert night["mean"] == night["severity 3"]
    assert "Chart in the HTML report: AP50 under" not in render_markdown(made)


def test_words_of_the_table_are_explained_above_it() -> None:
    two = _context(of_severities(build_evidence(), 1, 2, 5))
    assert "retained area" not in two.degradation_table.columns
    assert len(two.degradation_charts) == 3
    assert _texts(two.degradation_table, "night")["half lost at"] == "2 to 5"
    assert '"a to b" (0 is clean) means somewhere between' in two.degradation_note
    assert '"severity skipped" stands where' in _context(build_evidence()).degradation_note


def test_skipped_is_shown_where_only_some_corruptions_skip_a_severity() -> None:
    evidence = build_evidence()
    variants = tuple(v for v in evidence.suite.variants if v.name not in {"night/1", "night/2"})
    made = _context(evidence.model_copy(update={"suite": evidence.suite.model_copy(update={"variants": variants})}))
    assert "retained area" in made.degradation_table.columns
    assert float(_texts(made.degradation_table, "crowd")["retained area"]) > 0


def test_rows_come_in_the_order_of_the_suite() -> None:
    evidence = build_evidence()
    turned = tuple(sorted(evidence.suite.variants, key=lambda v: (v.corruption != "crowd", v.corruption != "night")))
    made = _context(evidence.model_copy(update={"suite": evidence.suite.model_copy(update={"variants": turned})}))
    headers = [row.header.partition(",")[0] for row in made.degradation_table.rows]
    assert list(dict.fromkeys(headers)) == ["crowd", "night", "occlusion", "whole suite"]


def test_the_miss_rate_is_explained_beside_its_numbers() -> None:
    caption = _context(build_evidence()).miss_rate_table.caption
    assert "log-average miss rate" in caption and "nine values from 0.01 to 1 false positives per image" in caption
