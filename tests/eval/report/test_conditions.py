from __future__ import annotations

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.evidence.records import Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import read_card
from robust.eval.report.context import ReportContext
from robust.eval.report.render import render_html, render_markdown

from ..evidence_builder import build_evidence, change_candidates, seen_in_training, with_recorded
from ..evidence_changes import sharing

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


@pytest.mark.parametrize(
    ("shared", "said"),
    [
        (None, "Whether real_night (6 images) shares images with test was not compared."),
        ((0, 0), "real_night (6 images) shares no image with test."),
        ((3, 1), "with test it shares 3 identical images and 1 near-duplicate."),
    ],
)
def test_other_images_are_claimed_only_when_they_are(shared: tuple[int, int] | None, said: str) -> None:
    evidence = with_recorded(BARE)
    notes = context(sharing(evidence, ("test", "real_night"), *shared) if shared else evidence).condition_notes
    assert notes[-1].endswith(said)
    assert not any("These are other images" in note for note in notes)


def test_the_untouched_weights_are_not_said_to_have_been_trained() -> None:
    one, every = (context(seen_in_training(BARE, *names)) for names in (("night",), ("night", "occlusion", "crowd")))
    (about,) = [note for note in one.condition_notes if note.startswith("yolov8n@")]
    assert "over the same 2 corruptions (test: 10 images" in about
    assert not any(note.startswith("yolov8n@") for note in every.condition_notes)


def test_what_was_declared_but_is_not_in_the_suite_is_said() -> None:
    suite = BARE.suite.model_copy(update={"trained_on": ("fog",)})
    made = context(BARE.model_copy(update={"suite": suite}))
    said = "Declared as trained on, but not in this suite: fog."
    assert made.condition_notes == (said,)
    assert said in made.limits


def test_the_operating_point_is_shown_clean_and_recorded_sets_are_no_split() -> None:
    evidence = with_recorded(BARE)
    variants = tuple(v for v in evidence.suite.variants if v.name != "clean")  # a suite holds no clean
    made = context(evidence.model_copy(update={"suite": evidence.suite.model_copy(update={"variants": variants})}))
    headers = [row.header for row in made.operating_table.rows]
    assert headers[:3] == ["clean (val)", "clean (test)", "night/1 (test)"]
    assert headers[-1] == "real_night (recorded)"
    assert "real_night (test)" not in headers


def test_a_single_run_leaves_no_other_open() -> None:
    name = BARE.candidates[0].name
    alone = change_candidates(BARE, lambda c: c if c.role == "baseline" or c.name == name else None)
    assert context(alone).why_not == ("There is no other: the evidence holds a single run, so nothing was preferred.",)
    assert "remain open" in context(BARE).why_not[-1]
