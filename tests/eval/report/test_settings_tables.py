from __future__ import annotations

from functools import cache

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.planning import images_for_setting
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.decision.records import Tier
from robust.eval.decision.suite_gates import LadderGate
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.interval import Interval
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext, Table
from robust.eval.report.degradation import breaking_interval
from robust.eval.report.render import render_html, render_markdown
from tests.eval.evidence.study_builder import grid_study
from tests.eval.evidence_builder import build_evidence, change_candidates
from tests.eval.evidence_changes import with_intervals


def context(evidence: Evidence, policy: Policy | None = None) -> ReportContext:
    policy = policy or read_policy()
    return build_context(evidence, policy, decide(evidence, policy), Card())


@cache
def grid() -> ReportContext:
    return context(grid_study().evidence)


def column(table: Table, name: str) -> list[str]:
    place = table.columns.index(name) - 1
    return [row.cells[place].text for row in table.rows]


def test_pairs_of_configurations_are_shown_with_interval_and_what_would_show_them() -> None:
    comparisons = grid_study().evidence.comparisons
    assert comparisons is not None
    stored = [p.comparison for p in comparisons.setting_pairs if p.metric == "AP50"]
    table = grid().setting_table
    for text, pair in zip(column(table, "Difference"), stored, strict=True):
        assert text == f"{pair.difference:+.3f} [{pair.interval.low:.3f}, {pair.interval.high:.3f}]"
    needed = [images_for_setting(pair) for pair in stored]
    assert column(table, "Images needed") == ["no number of images alone" if n is None else f"{n:,}" for n in needed]
    assert set(column(table, "Verdict")) == {"observed only, too few seeds for a claim"}
    assert "Pairs of configurations: not assessed" in context(build_evidence()).setting_table.empty


def test_the_spread_of_seeds_and_the_effects_are_printed_with_their_intervals() -> None:
    made = grid()
    assert all("[" in text for text in column(made.configuration_table, "Seed sd (test)"))
    assert all("[" in text for text in column(made.effect_table, "Difference"))
    assert [row.header.partition(":")[0] for row in made.effect_table.rows] == ["image size", "lr0", "interaction"]
    assert column(context(build_evidence()).configuration_table, "Seed sd (test)")[0].startswith("0.")


def test_where_the_value_of_the_winner_is_printed_its_correction_is_said() -> None:
    comparisons = grid_study().evidence.comparisons
    assert comparisons is not None
    check = next(w.check for w in comparisons.winners if w.metric == "AP50")
    assert check.corrected is not None and check.frequency is not None
    words = f"corrected value {check.corrected:.3f}, chosen again in {100 * check.frequency:.0f} % of resamples"
    made = grid()
    captions = (made.candidate_metrics.caption, made.configuration_table.caption, made.candidate_table.caption)
    assert all("Selected on val" in text and words in text for text in (*captions, made.why_not[-1]))
    assert words in made.seed_charts[0].description and words not in made.seed_charts[1].description
    bare = context(build_evidence())
    assert "a corrected value was not computed" in bare.candidate_metrics.caption


def _detected_elsewhere(lowest: float) -> Evidence:
    def change(c: CandidateEvidence) -> CandidateEvidence:
        places = {f"lowest score of {split} {variant}": lowest for split in ("val", "test") for variant in ("clean",)}
        return c.model_copy(update={"inference": {"source": "COCO results", **places}})

    return change_candidates(build_evidence(), change)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (build_evidence(), "all thresholds from 0.001 up"),
        (_detected_elsewhere(0.3), "all scores of the result files, which start at 0.3 (cut off: the tail of the"),
        (_detected_elsewhere(0.004), "all scores of the result files, which start at 0.004"),
        (
            change_candidates(build_evidence(), lambda c: c.model_copy(update={"inference": {}})),
            "all thresholds (the lowest score that was kept is not known)",
        ),
    ],
)
def test_captions_say_from_which_score_on_detections_entered(evidence: Evidence, said: str) -> None:
    made = context(evidence)
    for table in (made.degradation_table, made.candidate_metrics, made.recorded_table):
        assert said in table.caption
        assert ("0.001" in table.caption) == ("0.001" in said) and ("cut off" in table.caption) == ("cut off" in said)


def test_files_with_different_floors_are_told_apart() -> None:
    def change(c: CandidateEvidence) -> CandidateEvidence:
        floor = 0.25 if c.role == "baseline" else 0.01
        return c.model_copy(update={"inference": {"lowest score of test clean": floor}})

    caption = context(change_candidates(build_evidence(), change)).degradation_table.caption
    assert "start at 0.01 (yolov8n_e3_sz416_lr0.005_s42)" in caption
    assert "start at 0.25 (cut off: the tail of the precision-recall curve is missing) (yolov8n@416)" in caption


def test_the_ladder_of_the_policy_or_of_half_the_clean_value_is_printed() -> None:
    policy = read_policy()
    gate = LadderGate(name="night", tier=Tier.SUPPORTING, metric="AP50", corruption="night", up_to=3, minimum=0.45)
    kept = tuple(g for g in policy.gates if not isinstance(g, LadderGate))
    evidence = with_intervals(build_evidence(), half=0.02)
    made = context(evidence, policy.model_copy(update={"gates": (*kept, gate)}))
    rows = {row.header: [cell.text for cell in row.cells] for row in made.ladder_table.rows}
    # AP50 is 0.731 when clean and falls by 0.11 a step: lower bounds 0.711, 0.601, 0.491, 0.381
    assert rows["night"][:3] == ["AP50 of at least 0.450", "required by the gate night", "severity 2 of 5"]
    assert rows["night"][3] == "lower bound 0.381 at severity 3, 0.450 required"
    # crowd falls by 0.05: 0.711 to 0.461, and half of the clean value is 0.365
    assert rows["crowd"][:3] == ["AP50 of at least 0.365", "half of the observed clean value", "severity 5 of 5"]
    (topic,) = [t for t in made.observations if t.title.startswith("Robustness")]
    assert any("is met up to severity 2 of 5" in sentence for sentence in topic.sentences)
    for page in (render_html(made), render_markdown(made)):
        assert "severity 2 of 5" in page
    bare = context(build_evidence(), policy.model_copy(update={"gates": (*kept, gate)}))
    assert set(column(bare.ladder_table, "Met up to")) == {"not shown on clean"}


def _break(low: float, high: float, note: str = "") -> Interval:
    return Interval(low=low, high=high, method="percentile", n_units=30, note=note)


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (_break(2.13, 3.38), " [2.1, 3.4]"),
        (_break(4.2, 5.0, "very small sample; censored: beyond severity 5"), " [4.2, > 5]"),
        (_break(5.0, 5.0, "censored: beyond severity 5"), " [all > 5]"),
        (Interval.none("not defined", 30), ""),
        (None, ""),
    ],
)
def test_the_interval_of_a_breaking_point_shows_where_it_is_open(bounds: Interval | None, text: str) -> None:
    assert breaking_interval(bounds) == text


def test_breaking_points_of_a_measured_study_carry_their_interval() -> None:
    assert all("[" in text for text in column(grid().degradation_table, "half lost at") if text)


def test_captions_of_rates_say_their_threshold() -> None:
    made = context(build_evidence())
    for table in (made.operating_table, made.miss_table, made.worst_table):
        assert "threshold 0.34" in table.caption
    assert "Threshold" in made.candidate_table.columns
