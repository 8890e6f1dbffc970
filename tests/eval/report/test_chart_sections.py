"""The charts of a measured study against its evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from robust.eval.decision.any_gate import AllOfGate
from robust.eval.decision.decide import decide
from robust.eval.decision.metric_gates import MetricGate
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.decision.records import Tier
from robust.eval.decision.study import Study
from robust.eval.decision.suite_gates import LadderGate, RetainedGate
from robust.eval.evidence.records import CandidateEvidence, CellEvidence, Evidence
from robust.eval.metrics.error_types import KINDS, ErrorKind
from robust.eval.report import error_stack
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import Chart, Plot, ReportContext
from robust.eval.report.error_tables import ERROR_WORDS
from robust.eval.report.render import render_html, render_markdown
from robust.eval.report.view import View
from tests.eval.evidence.study_builder import FOG, NIGHT, Model, baseline, build
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, without_cells

HOSTILE = "<script>alert(1)</script>\"'{{ 7*7 }}</text></svg><img src=x onerror=alert(1)>"
GATES = (
    LadderGate(name="night ladder", tier=Tier.SUPPORTING, metric="AP50", corruption="night", up_to=1, minimum=0.45),
    AllOfGate(
        name="several",
        tier=Tier.SUPPORTING,
        parts=(
            RetainedGate(name="kept", tier=Tier.SUPPORTING, metric="AP50", corruption="fog", minimum=0.5),
            MetricGate(name="fog 2", tier=Tier.SUPPORTING, metric="AP50", variant="fog/2", minimum=0.2),
        ),
    ),
    MetricGate(name="another number", tier=Tier.SUPPORTING, metric="AP75", variant="fog/2", minimum=0.9),
)
IDS = {
    "chart-precision-recall", "chart-rates", "chart-alarms", "chart-degradation-0", "chart-degradation-1",
    "chart-errors", "chart-reliability", "chart-reliability-counts", "chart-differences", "chart-seeds-val",
    "chart-seeds-test",
}  # fmt: skip


@cache
def measured() -> Evidence:
    models = [Model(f"sz320 s{seed}", 30 + seed, 0.15 + 0.05 * seed, seed=seed) for seed in (1, 2, 3)]
    return build([*models, baseline(320)], (*NIGHT, *FOG)).evidence


def policy() -> Policy:
    made = read_policy()
    return made.model_copy(update={"gates": (*made.gates, *GATES)})


def context(evidence: Evidence) -> ReportContext:
    return build_context(evidence, policy(), decide(evidence, policy()), Card())


@pytest.fixture(scope="module")
def made() -> ReportContext:
    return context(measured())


def proposed(evidence: Evidence) -> CandidateEvidence:
    name = decide(evidence, policy()).candidate
    return next(c for c in evidence.candidates if c.name == name)


def cell_of(candidate: CandidateEvidence, variant: str) -> CellEvidence:
    return next(c for c in candidate.cells if (c.split, c.variant) == ("test", variant))


def plot_of(chart: Chart) -> Plot:
    assert chart.plot is not None
    return chart.plot


def y_of(plot: Plot, value: float) -> float:
    """On an axis from 0 to 1."""
    return float(plot.bottom) - value * (float(plot.bottom) - float(plot.top))


def pairs(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def charts_of(made: ReportContext) -> list[Chart]:
    fields = (
        made.pr_charts, made.threshold_charts, made.degradation_charts, made.error_charts, made.reliability_charts,
        made.forest_charts, made.seed_charts,
    )  # fmt: skip
    return [chart for field in fields for chart in field]


def test_the_report_of_a_measured_study_has_every_chart(made: ReportContext) -> None:
    found = charts_of(made)
    assert {chart.id for chart in found} == IDS and len(found) == len(IDS)
    assert all(chart.plot and chart.title and chart.description and chart.table.rows for chart in found)
    page = render_html(made)
    assert set(re.findall(r'<title id="([\w-]+)-title">', page)) == IDS
    assert "not drawn" not in page


def test_threshold_bands_are_those_of_the_evidence(made: ReportContext) -> None:
    candidate = proposed(measured())
    curve = next(c for c in candidate.sweep.curves if (c.split, c.variant) == ("test", "clean"))
    plot = plot_of(made.threshold_charts[0])
    for line, rate in zip(plot.lines, ("precision", "recall", "f1"), strict=False):
        ends = [e for i in range(len(curve.thresholds)) if curve.bands and (e := curve.bands.at(rate, i))]
        assert len(line.band) == 1 and len(ends) == len(curve.thresholds)
        ys = [y for _, y in pairs(line.band[0].corners)]
        lows, highs = [y_of(plot, low) for low, _ in ends], [y_of(plot, high) for _, high in ends]
        assert ys == pytest.approx([*lows, *reversed(highs)], abs=0.06)
        middle = [y for _, y in pairs(line.segments[0])]
        assert all(high <= y <= low for y, low, high in zip(middle, ys, ys[::-1], strict=False))


def test_severity_bands_are_the_intervals_of_the_variants(made: ReportContext) -> None:
    candidate = proposed(measured())
    plot = plot_of(made.degradation_charts[0])
    found = [cell_of(candidate, v).intervals["AP50"] for v in ("clean", "night/1", "night/2")]
    expected = [y_of(plot, one.low or 0) for one in found] + [y_of(plot, one.high or 0) for one in reversed(found)]
    assert [y for _, y in pairs(plot.lines[0].band[0].corners)] == pytest.approx(expected, abs=0.06)


def test_what_gates_require_stands_in_the_chart_of_its_corruption(made: ReportContext) -> None:
    night, fog = (plot_of(chart) for chart in made.degradation_charts)
    clean = cell_of(proposed(measured()), "clean").coco.AP50
    assert clean is not None

    def levels(plot: Plot) -> dict[str, float]:
        return {level.label.text: float(level.at) for level in plot.levels}

    assert levels(night)["≥ 0.450"] == pytest.approx(y_of(night, 0.45), abs=0.06)
    assert levels(fog)["≥ 0.200"] == pytest.approx(y_of(fog, 0.2), abs=0.06)
    assert levels(fog)[f"mean ≥ {0.5 * clean:.3f}"] == pytest.approx(y_of(fog, 0.5 * clean), abs=0.06)
    assert "≥ 0.450" not in levels(fog) and not any("0.900" in words for words in levels(fog))
    ladder = next(level for level in night.levels if level.label.text == "≥ 0.450")
    left, right = float(night.left), float(night.right)
    assert (float(ladder.start), float(ladder.stop)) == pytest.approx((left, (left + right) / 2), abs=0.06)
    assert "Required up to severity 1: at least 0.450 (night ladder)" in made.degradation_charts[0].description


def test_the_forest_has_the_rows_of_the_comparison_table(made: ReportContext) -> None:
    (chart,) = made.forest_charts
    plot, table = plot_of(chart), made.comparison_table
    assert [row.header for row in chart.table.rows] == [row.header for row in table.rows]
    verdict = table.columns.index("Verdict") - 1
    assert [row.cells[1] for row in chart.table.rows] == [row.cells[verdict] for row in table.rows]
    marks = [mark for line in plot.lines for mark in line.marks]
    assert len(marks) == len(table.rows) == 3
    for row in table.rows:
        assert any(mark.title.removeprefix(row.header).endswith(f": {row.cells[0].text}") for mark in marks)
    assert [line.name for line in plot.lines] == ["proposed candidate", "other candidate"]
    assert measured().comparisons is not None


def test_points_and_whiskers_of_the_forest_lie_where_the_comparison_says(made: ReportContext) -> None:
    plot = plot_of(made.forest_charts[0])
    (first, low), (last, high) = ((float(t.at), float(t.label)) for t in (plot.x_ticks[0], plot.x_ticks[-1]))
    comparisons = measured().comparisons
    assert comparisons is not None
    key = proposed(measured()).key
    mine = [p.comparison for p in comparisons.against_baseline if p.first == key]
    pair = next(p for p in mine if (p.split, p.variant, p.metric) == ("test", "clean", "AP50"))
    assert pair.difference is not None and pair.interval.low is not None and pair.interval.high is not None
    ours = plot.lines[0]
    start, stop = re.match(r"M([\d.]+),[\d.]+H([\d.]+)", ours.whiskers[0]).groups()  # type: ignore[union-attr]
    place = [first + (v - low) / (high - low) * (last - first) for v in (pair.interval.low, pair.interval.high)]
    assert [float(start), float(stop)] == pytest.approx(place, abs=0.11)


def test_the_mean_height_of_the_precision_recall_line_is_average_precision(made: ReportContext) -> None:
    plot = plot_of(made.pr_charts[0])
    heights = [
        (float(plot.bottom) - y) / (float(plot.bottom) - float(plot.top)) for _, y in pairs(plot.lines[0].segments[0])
    ]
    assert len(heights) == 101
    assert np.mean(heights) == pytest.approx(cell_of(proposed(measured()), "clean").coco.AP50, abs=5e-4)
    assert [line.name for line in plot.lines][1] == "base@320 (baseline)"


def test_reliability_shows_every_bin_with_its_count_and_interval(made: ReportContext) -> None:
    found = cell_of(proposed(measured()), "clean").calibration
    assert found is not None
    shares, counts = made.reliability_charts
    plot = plot_of(shares)
    assert len(plot.lines[1].marks) == len(found.bins) == len(plot_of(counts).lines[0].marks)
    assert len(plot.lines[1].whiskers) == sum(one.precision_low is not None for one in found.bins) > 3
    assert [row.cells[0].text for row in counts.table.rows] == [f"{one.n:,}" for one in found.bins]
    assert sum(one.n for one in found.bins) == found.n_detections
    diagonal = pairs(plot.lines[0].segments[0])
    assert diagonal == [(float(plot.left), float(plot.bottom)), (float(plot.right), float(plot.top))]


def test_bars_of_errors_are_those_of_the_evidence(made: ReportContext) -> None:
    (chart,) = made.error_charts
    candidate = proposed(measured())
    rows = {row.header: dict(zip(chart.table.columns[1:], row.cells, strict=True)) for row in chart.table.rows}
    n_drawn = 0
    for kind in KINDS:
        parts = {v: _part(candidate, v, kind) for v in ("clean", "night/2", "fog/2")}
        if "false" in kind or not any(count for count, _ in parts.values()):
            assert ERROR_WORDS[kind] not in rows
            continue
        for variant, (count, lost) in parts.items():
            n_drawn += count > 0
            shown = rows[ERROR_WORDS[kind]][variant].text
            assert shown == "none seen" if count == 0 else shown.startswith(f"{lost:.3f}")
    assert sum(len(line.marks) for line in plot_of(chart).lines) == n_drawn > 5


def _part(candidate: CandidateEvidence, variant: str, kind: ErrorKind) -> tuple[int, float | None]:
    errors = cell_of(candidate, variant).errors
    assert errors is not None
    part = next(p for p in errors.parts if p.kind == kind)
    return part.count, part.lost_ap50


def test_every_run_is_a_point_under_its_configuration(made: ReportContext) -> None:
    for chart in made.seed_charts:
        plot = plot_of(chart)
        assert [len(line.marks) for line in plot.lines] == [3, 1]
        assert [label.text for label in plot.labels if label.text.startswith("seed")] == ["seed 1", "seed 2", "seed 3"]


NOTHING: dict[str, Callable[[], Evidence]] = {
    "no candidate": lambda: change_candidates(build_evidence(), lambda c: None),
    "not measured": build_evidence,
    "undefined": lambda: undefined(build_evidence()),
    "no test": lambda: without_cells(build_evidence(), "test"),
    "no val": lambda: without_cells(build_evidence(), "val"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_where_nothing_was_measured_a_sentence_stands_in_place_of_the_chart(case: str) -> None:
    shown = context(NOTHING[case]())
    page, markdown = render_html(shown), render_markdown(shown)
    for charts in (shown.pr_charts, shown.error_charts, shown.reliability_charts, shown.forest_charts):
        assert [chart.plot for chart in charts] == [None]
        assert charts[0].description and f"{charts[0].title}: not drawn." in page
    assert len(re.findall("not drawn", page)) == sum(chart.plot is None for chart in charts_of(shown))
    assert "Share of hits by score" not in markdown or "Not measured" in markdown or "No candidate" in markdown
    assert all(line.marks or line.segments for c in charts_of(shown) if c.plot for line in c.plot.lines)
    ids = [chart.id for chart in charts_of(shown)]
    assert len(ids) == len(set(ids))


class Drawings(HTMLParser):
    """Tags, texts and attribute values inside SVG."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self._depth = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._depth += tag == "svg"
        if self._depth:
            self.tags.add(tag)
            self.attributes |= {name for name, _ in attrs}
            self.text += [value or "" for _, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "svg"

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.text.append(data)


@pytest.mark.parametrize("case", ["measured", *NOTHING])
def test_no_drawing_holds_a_number_that_is_none(case: str) -> None:
    drawn = Drawings(render_html(context(measured() if case == "measured" else NOTHING[case]())))
    assert not [t for t in drawn.text if re.search(r"\b(nan|NaN|-?inf|None)\b", t)]


def test_names_are_inert_in_drawings(made: ReportContext) -> None:
    def rename(c: CandidateEvidence) -> CandidateEvidence:
        label = c.configuration.model_copy(update={"label": HOSTILE + c.configuration.label})
        return c.model_copy(update={"name": HOSTILE + c.name, "configuration": label})

    page = render_html(context(change_candidates(measured(), rename)))
    hostile, plain = Drawings(page), Drawings(render_html(made))
    assert (hostile.tags, hostile.attributes) == (plain.tags, plain.attributes)
    assert any("<script>" in text for text in hostile.text) and page.count("<script") == 2  # as text; tags are its own
    assert not any("49" in text for text in hostile.text if "7*7" in text)


def test_the_same_evidence_gives_the_same_drawings(made: ReportContext) -> None:
    assert charts_of(context(measured())) == charts_of(made)


def test_markdown_has_the_numbers_of_reliability_and_errors(made: ReportContext) -> None:
    markdown = render_markdown(made)
    for chart in (made.reliability_charts[0], made.error_charts[0]):
        assert f"| {chart.table.columns[0]} |" in markdown
        assert len(re.findall(re.escape(f"| {chart.table.rows[0].header} |"), markdown)) >= 1


def test_older_evidence_without_a_curve_says_how_to_get_one() -> None:
    def strip(c: CandidateEvidence) -> CandidateEvidence:
        return c.model_copy(
            update={"cells": tuple(one.model_copy(update={"precision_at_recall": ()}) for one in c.cells)}
        )

    (chart,) = context(change_candidates(measured(), strip)).pr_charts
    assert chart.plot is None and "robust eval with the same options adds it" in chart.description


def test_a_requirement_up_to_a_severity_that_was_not_measured_stays_in_the_chart() -> None:
    far = LadderGate(name="far", tier=Tier.SUPPORTING, metric="AP50", corruption="night", up_to=5, minimum=0.37)
    rules = read_policy().model_copy(update={"gates": (far,)})
    evidence = measured()  # severities 1 and 2
    shown = build_context(evidence, rules, decide(evidence, rules), Card()).degradation_charts[0]
    (level,) = plot_of(shown).levels
    assert level.label.text == "≥ 0.370" and float(level.stop) <= float(plot_of(shown).right)
    assert "Required up to severity 5: at least 0.370 (far)" in shown.description


def test_variants_without_a_value_are_drawn_before_those_with_a_high_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is said to have a higher AP50, so it must have one."""
    many = ["clean", *(f"{corruption}/{severity}" for corruption in ("night", "crowd") for severity in range(1, 6))]
    monkeypatch.setattr(error_stack, "telling_variants", lambda view: many)
    evidence, rules = build_evidence(), read_policy()
    view = View(Study(evidence), rules, decide(evidence, rules), Card())
    assert view.candidate is not None
    assert "crowd/1" not in error_stack.drawn_variants(view, view.candidate)

    def blank(one: CellEvidence) -> CellEvidence:
        missing = one.coco.model_copy(update={"AP50": None})
        return one.model_copy(update={"coco": missing}) if one.variant == "crowd/1" else one

    candidate = view.candidate.model_copy(update={"cells": tuple(map(blank, view.candidate.cells))})
    drawn = error_stack.drawn_variants(view, candidate)
    assert "crowd/1" in drawn and len(drawn) == error_stack.MOST and drawn == [v for v in many if v in drawn]
