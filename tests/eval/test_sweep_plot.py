from __future__ import annotations

from xml.etree import ElementTree

from robust.eval.sweep_plot import plot_sweep

from .evidence_builder import build_evidence

CANDIDATE = build_evidence().candidates[0]


def test_same_sweep_gives_the_same_bytes() -> None:
    assert plot_sweep(CANDIDATE, "test") == plot_sweep(CANDIDATE, "test")


def test_picture_is_xml_that_names_the_choice() -> None:
    text = plot_sweep(CANDIDATE, "test").decode()
    ElementTree.fromstring(text)
    choice = CANDIDATE.sweep.choice
    assert f"threshold {choice.threshold:.2f}, chosen on val" in text


def test_hostile_run_name_stays_text() -> None:
    hostile = CANDIDATE.model_copy(update={"name": "<script>alert(1)</script> $\\frac{1}{"})
    text = plot_sweep(hostile, "test").decode()
    assert "<script>" not in text
    ElementTree.fromstring(text)


def test_no_choice_is_said() -> None:
    choice = CANDIDATE.sweep.choice.model_copy(update={"threshold": None, "reason": "none feasible"})
    sweep = CANDIDATE.sweep.model_copy(update={"choice": choice})
    assert "no threshold" in plot_sweep(CANDIDATE.model_copy(update={"sweep": sweep}), "test").decode()
