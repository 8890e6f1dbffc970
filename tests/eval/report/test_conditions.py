from __future__ import annotations

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.evidence.records import Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import read_card
from robust.eval.report.context import ReportContext
from robust.eval.report.render import render_html, render_markdown

from ..evidence_builder import build_evidence, seen_in_training, with_recorded

BARE = build_evidence()


def context(evidence: Evidence) -> ReportContext:
    policy = read_policy()
    return build_context(evidence, policy, decide(evidence, policy), read_card())


def test_a_study_without_either_says_nothing_of_them() -> None:
    plain = context(BARE)
    assert plain.condition_notes == ()
    assert plain.recorded_table.rows == ()
    for page in (render_html(plain), render_markdown(plain)):
        assert "ecorded" not in page
        assert "een in training" not in page


def test_a_recorded_set_has_a_table_of_its_own_and_stays_out_of_the_degradation() -> None:
    bare, shown = context(BARE), context(with_recorded(BARE))
    assert shown.degradation_table == bare.degradation_table
    assert shown.degradation_charts == bare.degradation_charts
    names = [row.header.partition(",")[0] for row in shown.recorded_table.rows]
    assert names == ["real_night", "real_night"]  # the candidate and its baseline
    assert [cell.text for cell in shown.recorded_table.rows[0].cells[:4]] == ["6", "47", "0.558", "0.900"]
    assert any("Recorded, not simulated: real_night" in note for note in shown.condition_notes)
    assert any("never compared with the clean images of test: real_night" in limit for limit in shown.limits)
    assert not any("simulated" in limit and "real_night" in limit for limit in shown.limits)
    assert "real_night (recorded)" in [row.header for row in shown.variant_table.rows]


def test_what_training_has_seen_is_marked_and_the_rest_has_a_mean_of_its_own() -> None:
    shown = context(seen_in_training(BARE, "night"))
    assert {"night/1 (seen in training)", "occlusion/1"} <= {row.header for row in shown.variant_table.rows}
    candidate = next(c for c in BARE.candidates if c.name == decide(BARE, read_policy()).candidate)
    means = next(r for r in candidate.robustness if r.metric == "AP50").corruption_means
    held_out = ((means["occlusion"] or 0) + (means["crowd"] or 0)) / 2
    assert f"{candidate.name}: mean AP50 {held_out:.3f} over the 2 corruptions that training has not seen" in (
        " ".join(shown.condition_notes)
    )
    all_seen = context(seen_in_training(BARE, "night", "occlusion", "crowd"))
    assert any("training has seen every corruption" in note for note in all_seen.condition_notes)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_both_pages_show_them(render: object) -> None:
    assert callable(render)
    page = render(context(seen_in_training(with_recorded(BARE, "dusk_road"), "night"))).replace("\\", "")
    for words in ("dusk_road (recorded)", "night/3 (seen in training)", "Seen in training: night"):
        assert words in page
