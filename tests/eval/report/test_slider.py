"""What the slider of the report may show: which sweeps, the numbers of the static table, nothing without a sweep."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext
from robust.eval.report.render import render_html, render_markdown
from robust.eval.report.slider import LEFT_OUT, make_slider
from robust.eval.report.view import View
from tests.eval.evidence.study_builder import grid_study
from tests.eval.evidence_builder import build_evidence, change_candidates

from .tuning_subjects import Page, page_data


def context_of(evidence: Evidence) -> ReportContext:
    policy = read_policy()
    return build_context(evidence, policy, decide(evidence, policy), Card())


@pytest.fixture(scope="module")
def measured() -> ReportContext:
    return context_of(grid_study().evidence)


def candidates_of(context: ReportContext) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(context.slider_data.text)["candidates"]
    return found


def unswept(evidence: Evidence, role: str) -> Evidence:
    """Without the sweeps of the candidates, or of the baselines."""

    def change(one: CandidateEvidence) -> CandidateEvidence:
        swept = one.sweep.model_copy(update={"curves": (), "recalls": (), "at_threshold": ()})
        return one.model_copy(update={"sweep": swept}) if one.role == role else one

    return change_candidates(evidence, change)


def test_the_slider_holds_the_proposed_candidate_and_its_baseline_alone(measured: ReportContext) -> None:
    proposed = next(fact.value for fact in measured.summary if fact.label == "Proposed candidate")
    assert [one["name"] for one in candidates_of(measured)] == [proposed, "base@256 (baseline)"]


def test_the_slider_has_the_rows_of_the_operating_table_and_its_numbers_at_the_chosen_threshold(
    measured: ReportContext,
) -> None:
    first = candidates_of(measured)[0]
    at = first["chosen"]
    assert f"threshold {first['thresholds'][at]} " in measured.operating_table.caption
    assert len(first["cells"]) == len(measured.operating_table.rows) == 7
    for cell, row in zip(first["cells"], measured.operating_table.rows, strict=True):
        assert cell["name"].split(" ")[0] == row.header.split(" ")[0]
        told = [
            f"{values[at] / 1000:.3f} [{lows[at] / 1000:.3f}, {highs[at] / 1000:.3f}]"
            for values, lows, highs in (cell["rates"][rate] for rate in ("precision", "recall", "f1", "fppi"))
        ]
        counts = [cell["tp"][at], cell["fp"][at], cell["objects"] - cell["tp"][at]]
        assert [one.text for one in row.cells] == [*told, *map(str, counts)]


def test_without_a_sweep_there_is_neither_slider_nor_data_and_the_tables_still_sort() -> None:
    for evidence in (change_candidates(build_evidence(), lambda one: None), unswept(build_evidence(), "candidate")):
        context = context_of(evidence)
        page = Page(render_html(context))
        assert context.slider_data.text == ""
        assert not {"explore", "tuning-data", "tuning-table"} & {str(a.get("id")) for _, a in page.tags}
        assert len(page.scripts) == 1
    assert any("sortable" in str(a.get("class")) for tag, a in page.tags if tag == "table")


def test_a_baseline_without_a_sweep_leaves_the_candidate_alone() -> None:
    found = candidates_of(context_of(unswept(build_evidence(), "baseline")))
    assert len(found) == 1 and "baseline" not in found[0]["name"]


def test_a_threshold_that_was_not_swept_is_not_said_to_be_missing() -> None:
    """The script would read "none was chosen" where the page says which one was."""

    def change(one: CandidateEvidence) -> CandidateEvidence:
        choice = one.sweep.choice.model_copy(update={"threshold": 0.3417})
        return one.model_copy(update={"sweep": one.sweep.model_copy(update={"choice": choice})})

    assert context_of(change_candidates(build_evidence(), change)).slider_data.text == ""


def test_the_page_stays_small_for_a_study_of_sixteen_cells_and_fifty_one_thresholds() -> None:
    html = render_html(context_of(build_evidence()))
    first, second = page_data(html)["candidates"]
    assert {len(one["thresholds"]) for one in (first, second)} == {51}
    assert {len(one["cells"]) for one in (first, second)} == {17}, "sixteen of test, and clean val"
    assert len(html.encode()) < 2_000_000
    assert len(json.dumps([first, second], separators=(",", ":"))) < 150_000


def test_data_that_would_take_too_much_room_keep_the_highest_severities_and_say_so() -> None:
    evidence, policy = grid_study().evidence, read_policy()
    view = View(Study(evidence), policy, decide(evidence, policy), Card())
    whole = make_slider(view)
    assert make_slider(view, limit=len(whole.data.text)) == whole and "highest severity" not in whole.note
    less = make_slider(view, limit=len(whole.data.text) - 1)
    for one in json.loads(less.data.text)["candidates"]:
        names = [cell["name"].split(" ")[0] for cell in one["cells"]]
        assert names == ["clean", "clean", "night/2", "fog/2", "real_night"]
    assert less.note == f"{whole.note} {LEFT_OUT}"


def test_the_markdown_twin_has_no_data_block(measured: ReportContext) -> None:
    assert '"candidates"' not in render_markdown(measured) and "<script" not in render_markdown(measured)


def test_ordered_tables_are_not_for_sorting(measured: ReportContext) -> None:
    """Gates stand worst first, findings by severity, ladders in the order in which they were asked."""
    html = render_html(measured)
    looks = {name: look for look, name in re.findall(r'<table class="([^"]*)">\s*<caption id="(.*?)-caption"', html)}
    for table in ("gates", "ladders", "sign-off"):
        assert "sortable" not in looks[table], table
    for table in ("operating", "thresholds", "degradation", "comparisons", "candidates", "configurations"):
        assert "sortable" in looks[table], table
