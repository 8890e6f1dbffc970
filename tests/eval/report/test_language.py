"""The report in French: every message has a translation, nothing stays English, and no number changes."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from robust.errors import UnknownName
from robust.eval.decision.decide import decide
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.evidence.findings import AuditEvidence
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.catalogue import Catalogue, catalogue
from robust.eval.report.context import Code, ReportContext
from robust.eval.report.language import NOT_WORDS, Translator, in_language, localised
from robust.eval.report.names import report_names
from robust.eval.report.render import render_html, render_markdown
from robust.eval.report.slider import slider_in_language
from robust.eval.report.tuning_data import page_json
from tests.eval.evidence.study_builder import grid_study
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, with_recorded, without_cells
from tests.eval.evidence_changes import with_intervals

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "templates"
CARD = Card(purpose="Count persons", owner="Ann <b>", reviewers=("Bo", "Cy"))


@pytest.fixture(scope="module")
def collector() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_messages", ROOT / "docs" / "messages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its records look their own module up
    spec.loader.exec_module(module)
    return module


def messages(path: Path) -> dict[str, str]:
    with path.open("rb") as stream:
        return {str(m.id): str(m.string) for m in read_po(stream) if m.id}


def places(text: str) -> Counter[str]:
    return Counter(re.findall(r"\{\d+\}", text))


def test_the_template_holds_the_messages_of_the_source(collector: ModuleType) -> None:
    assert list(messages(TEMPLATES / "report.pot")) == list(collector.all_messages()), "run docs/messages.py"


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("report.*.po")), ids=lambda path: path.stem)
def test_every_message_has_a_translation_with_the_same_places(path: Path) -> None:
    known = messages(path)
    assert set(known) == set(messages(TEMPLATES / "report.pot")), "run docs/messages.py"
    assert [message for message, words in known.items() if not words] == []
    assert [message for message, words in known.items() if places(message) != places(words)] == []


def test_french_has_a_space_that_does_not_break_before_high_punctuation() -> None:
    wrong = [w for w in messages(TEMPLATES / "report.fr.po").values() if re.search(r"\w ([;:?!%])(?!\w|-)", w)]
    assert wrong == []


def test_what_is_open_at_its_end_is_open_at_its_end_in_french() -> None:
    """A value there may be long ("share of {0}"), and words behind it would be far from what they belong to."""

    def end(text: str) -> str | None:
        found = re.search(r"\{\d+\}$", text)
        return found and found[0]

    known = messages(TEMPLATES / "report.fr.po")
    assert [m for m, words in known.items() if end(m) not in (None, end(words))] == []


STUDIES = {
    "measured": lambda: grid_study().evidence,
    "formulas": build_evidence,
    "with intervals": lambda: with_intervals(build_evidence()),
    "undefined": lambda: undefined(build_evidence()),
    "recorded": lambda: with_recorded(build_evidence()),
    "no test": lambda: without_cells(build_evidence(), "test"),
    "one variant missing": lambda: without_cells(build_evidence(), "test", "night/3"),
    "nobody": lambda: build_evidence().model_copy(update={"candidates": ()}),
    "audited": lambda: build_evidence().model_copy(update={"audit": AuditEvidence(rules=("copies",), n_runs=3)}),
}


@cache
def english(name: str) -> tuple[Evidence, Policy, ReportContext]:
    evidence, policy = STUDIES[name](), read_policy()
    return evidence, policy, build_context(evidence, policy, decide(evidence, policy), CARD)


@cache
def french(name: str) -> tuple[ReportContext, Translator]:
    evidence, policy, context = english(name)
    made, translator = in_language(context, "fr", report_names(evidence, policy, CARD))
    assert translator is not None
    return made, translator


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_of_a_report_stays_english(name: str) -> None:
    _, translator = french(name)
    assert translator.untranslated == {}


def texts(value: object, field: str = "") -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item, field)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Code):
        for one in dataclasses.fields(value):
            yield from texts(getattr(value, one.name), one.name)


def digits(text: str) -> Counter[str]:
    """Numbers of a text, whatever their decimal mark and grouping, as sorted digits."""
    return Counter(re.sub(r"\D", "", text))


@pytest.mark.parametrize("name", STUDIES)
def test_every_number_of_the_report_is_in_its_translation(name: str) -> None:
    """Independent of the translator: the digits of a text are those of its translation, in any order."""
    _, _, context = english(name)
    made, _ = french(name)
    for before, after in zip(texts(context), texts(made), strict=True):
        assert digits(before) == digits(after), (before, after)


@pytest.mark.parametrize("name", STUDIES)
def test_signs_of_differences_are_kept(name: str) -> None:
    _, _, context = english(name)
    made, _ = french(name)
    for before, after in zip(texts(context), texts(made), strict=True):
        signs = Counter(re.findall(r"(?<![\w.,])[+-](?=\d)", before))
        assert signs == Counter(re.findall(r"(?<![\w.,])[+-](?=\d)", after)), (before, after)


def test_what_is_for_the_browser_stays() -> None:
    _, _, context = english("formulas")
    made, _ = french("formulas")
    assert made.lang == "fr" and context.lang == "en"
    for before, after in zip(made.threshold_charts, context.threshold_charts, strict=True):
        assert before.id == after.id and before.plot is not None and after.plot is not None
        assert [line.segments for line in before.plot.lines] == [line.segments for line in after.plot.lines]
    assert {"id", "style", "path", "segments"} <= NOT_WORDS


def test_headings_and_reasons_read_as_french_readers_know_them() -> None:
    made, _ = french("formulas")
    assert (made.title, made.verdict.word) == ("Décision de promotion", "HOLD")
    assert made.verdict.answer == "Promouvoir\u00a0: EN ATTENTE"
    assert "NON RENSEIGNÉ" in {str(fact.value) for fact in made.constraints}
    (gate,) = [row for row in made.gates.rows if row.header == "AP50 sur les images d'origine"]
    assert gate.cells[0].text == "? PREUVES INSUFFISANTES" and re.fullmatch(r"0,\d{3}", gate.cells[1].text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.412", "0,412"),
        ("+0.034 [0.007, 0.061]", "+0,034 [0,007 ; 0,061]"),
        ("1,234 (95 %)", "1\u202f234 (95\u00a0%)"),
        ("17.3%", "17,3\u00a0%"),
        ("[-26.1 %, +6.5 %]", "[-26,1\u00a0% ; +6,5\u00a0%]"),
        ("1, 2, 3", "1 ; 2 ; 3"),
        ("2026-12-31", "31 décembre 2026"),
        ("8.4.190", "8.4.190"),
        ("-", "-"),
    ],
)
def test_numbers_and_dates_get_the_form_of_the_language(text: str, told: str) -> None:
    assert localised(text, "fr") == told


def small(names: frozenset[str] = frozenset()) -> Translator:
    known = {
        "{0} of {1} gates passed": "parmi {1} critères, {0} sont satisfaits",
        "{0} images": "{0} images d'essai",
        "all": "tous",
        "value {0} {1} on {2}": "sur {2}, valeur {0} {1}",
        "no interval": "pas d'intervalle",
        "Training": "Entraînement",
    }
    return Translator(Catalogue.of("fr", known, frozenset({"{0} images"})), names)


def test_values_are_cut_out_translated_and_put_where_the_language_wants_them() -> None:
    translator = small(frozenset({"run of all", "night"}))
    assert translator("3 of all gates passed") == "parmi tous critères, 3 sont satisfaits"
    assert translator("value 0.5 [0.4, 0.6] on night") == "sur night, valeur 0,5 [0,4 ; 0,6]"
    assert translator("value 0.5 (no interval) on night") == "sur night, valeur 0,5 (pas d'intervalle)"
    assert translator("value 'night' on \"night\"") == "sur \"night\", valeur 'night'"
    assert translator("run of all: 30 images; no interval.") == (
        "run of all\u00a0: 30 images d'essai\u00a0; pas d'intervalle."
    )
    assert translator.untranslated == {}


def test_a_name_is_never_translated_and_what_is_not_known_is_told() -> None:
    translator = small(frozenset({"Training"}))
    assert translator("Training: 3 images") == "Training\u00a0: 3 images d'essai"
    assert small()("Training") == "Entraînement"
    assert translator("five images; no interval") == "five images\u00a0; pas d'intervalle"
    assert translator.untranslated == {"five images; no interval": "five images"}


@given(st.text(max_size=60))
def test_any_text_is_translated_without_an_error_and_keeps_its_digits(text: str) -> None:
    assert digits(small()(text)) == digits(text) or re.search(r"\d{4}-\d{2}-\d{2}", text) or not text.isascii()


def test_the_data_of_the_slider_is_told_in_the_language_and_stays_safe() -> None:
    translator = small(frozenset({"a <b>"}))
    cells = [{"name": "a <b>: 3 images", "note": "no interval", "tp": [3]}]
    text = slider_in_language(Code(page_json({"candidates": [{"name": "all", "cells": cells}]})), translator).text
    assert "<" not in text and text.isascii()
    (candidate,) = json.loads(text)["candidates"]
    assert candidate["name"] == "tous"
    assert candidate["cells"] == [{"name": "a <b>\u00a0: 3 images d'essai", "note": "pas d'intervalle", "tp": [3]}]


MISLEADING = (
    "10.5",
    "3 of 4 critical gates failed",
    "a; b: c, d (e)",
    "test of all",
    "run: AP50 0.900 on test",
    "night: 3 images in 2",
    "x y. No interval",
    "no difference shown",
    "[0.1, 0.2] (no interval)",
)


@cache
def renamed(name: str) -> tuple[ReportContext, Translator]:
    """A French report whose experiment, data, proposed run, its configuration, owner and purpose have one name."""
    proposed = "yolov8n_e3_sz416_lr0.005_s42"

    def change(one: CandidateEvidence) -> CandidateEvidence:
        told = {"label": f"yolov8n 416 {name}"}
        same = one.configuration.model_copy(update=told if one.configuration.imgsz == 416 and one.seed else {})
        return one.model_copy(update={"name": one.name.replace(proposed, f"y {name}"), "configuration": same})

    evidence = change_candidates(with_intervals(build_evidence()), change)
    data = evidence.data.model_copy(update={"name": name})
    evidence = evidence.model_copy(update={"experiment": name, "data": data})
    card, policy = Card(owner=name, purpose=f"Not for\n{name}; 3 of 5 gates"), read_policy()
    context = build_context(evidence, policy, decide(evidence, policy), card)
    made, translator = in_language(context, "fr", report_names(evidence, policy, card))
    assert translator is not None
    return made, translator


@pytest.mark.parametrize("name", MISLEADING)
def test_a_name_changes_nothing_but_itself(name: str) -> None:
    """Judge: the French report of a study with a harmless name, with the name put in afterwards."""
    made, translator = renamed(name)
    plain, _ = renamed("zzqx")
    assert translator.untranslated == {}
    for found, harmless in zip(texts(made), texts(plain), strict=True):
        if len(found) < 10_000:  # not the data of the slider
            assert found == harmless.replace("zzqx", name), harmless


@pytest.mark.parametrize("name", ["PASS", "FAIL", "Training", "baseline", "all"])
def test_a_name_that_is_a_word_of_the_report_stays_a_name(name: str) -> None:
    made, _ = renamed(name)
    facts = {fact.label: str(fact.value) for fact in (*made.summary, *made.objectives)}
    assert facts["Responsable"] == name and facts["Candidat proposé"] == f"y {name}"
    assert made.subtitle.startswith(f"{name}\u00a0: ")
    assert all(row.cells[0].text.endswith(("PREUVES INSUFFISANTES", "SATISFAIT", name)) for row in made.gates.rows)


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownName, match="language 'de'"):
        catalogue("de")


def test_hostile_names_are_inert_in_french() -> None:
    hostile = "<script>alert(1)</script> of all gates passed"
    evidence = build_evidence().model_copy(update={"experiment": hostile})
    policy = read_policy()
    context = build_context(evidence, policy, decide(evidence, policy), Card(owner=hostile))
    made, _ = in_language(context, "fr", report_names(evidence, policy, Card(owner=hostile)))
    html, markdown = render_html(made), render_markdown(made)
    assert "<script>alert" not in html
    assert markdown.count("<script>alert") == render_markdown(context).count("<script>alert")  # inside code, as ever
    assert "&lt;script&gt;alert(1)&lt;/script&gt; of all gates passed" in html


@pytest.mark.parametrize("sign", ["\ue000", "\ue001", "\uf8ff"])
def test_a_private_use_sign_in_a_name_is_never_taken_for_another_name(sign: str) -> None:
    evidence = build_evidence().model_copy(update={"experiment": f"study {sign}"})
    policy = read_policy()
    context = build_context(evidence, policy, decide(evidence, policy), Card())
    made, _ = in_language(context, "fr", report_names(evidence, policy, Card()))
    assert f"study \\u{ord(sign):04x}" in render_html(made)

    translator = small(frozenset({"run of all", "night 2"}))
    assert translator(f"{sign}: 3 images") == f"{sign}: 3 images"
    assert translator.untranslated == {f"{sign}: 3 images": f"{sign}: 3 images"}
