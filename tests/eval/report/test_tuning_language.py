"""The tuning report in French: nothing stays English, no number changes, names stay names, and English is as it was."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest

from robust.eval.evidence.records import Evidence
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.report.gallery import Gallery, Judged
from robust.eval.report.language import Translator
from robust.eval.report.names import tuning_names
from robust.eval.report.page_script import script
from robust.eval.report.tuning import EXTENTS, Extent, TuningContext, build_tuning
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_render import (
    render_tuning_html,
    render_tuning_markdown,
    tuning_documents,
    tuning_in_language,
)
from tests.eval.evidence_builder import build_evidence, seen_in_training, undefined, with_recorded, without_cells
from tests.eval.evidence_changes import with_intervals

from .test_flips import subject_with_pictures
from .test_language import digits, texts
from .tuning_subjects import Page, formula_subjects, measured_subject, page_data, renamed, subjects_of

LIMITS = ThresholdConstraints(min_precision=0.7, max_fppi=1.0)
IMPOSSIBLE = ThresholdConstraints(min_precision=1.0, min_recall=1.0)
STUDIES: dict[str, Callable[[], Sequence[TuningSubject]]] = {
    "measured": lambda: (measured_subject(),),
    "limits": lambda: (measured_subject("limits", LIMITS),),
    "recall limit": lambda: (measured_subject("limits", ThresholdConstraints(min_recall=0.6)),),
    "nothing chosen": lambda: (measured_subject("strict", IMPOSSIBLE),),
    "no val": lambda: (measured_subject("noval", val=False),),
    "certified": lambda: (measured_subject("sure", risk=0.6),),
    "too few": lambda: (measured_subject("few", risk=0.02),),
    "grouped": lambda: (measured_subject("grouped", group=3), measured_subject("sure", risk=0.6, group=3)),
    "formulas": lambda: some_of(build_evidence()),
    "with intervals": lambda: some_of(with_intervals(build_evidence())),
    "undefined": lambda: some_of(undefined(build_evidence())),
    "recorded": lambda: some_of(with_recorded(build_evidence())),
    "seen in training": lambda: some_of(seen_in_training(build_evidence(), "night", "crowd")),
    "no test": lambda: some_of(without_cells(build_evidence(), "test")),
    "one variant missing": lambda: some_of(without_cells(build_evidence(), "test", "night/3")),
    "pictures": lambda: (subject_with_pictures(),),
    "pictures elsewhere": lambda: tuple(s.without_pictures() for s in (subject_with_pictures(), measured_subject())),
    "mixed": lambda: (measured_subject(), formula_subjects()[-1]),
}


def some_of(evidence: Evidence) -> Sequence[TuningSubject]:
    """A candidate and a baseline."""
    return subjects_of(evidence)[7:9]


def told(subjects: Sequence[TuningSubject], extent: Extent | None = None) -> tuple[TuningContext, Translator]:
    """In French."""
    made, translator = tuning_in_language(build_tuning(subjects, extent), "fr", tuning_names(subjects))
    assert translator is not None
    return made, translator


@cache
def english(name: str) -> TuningContext:
    return build_tuning(STUDIES[name]())


@cache
def french(name: str) -> tuple[TuningContext, Translator]:
    return told(STUDIES[name]())


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_of_a_tuning_report_stays_english(name: str) -> None:
    _, translator = french(name)
    assert translator.untranslated == {}


@pytest.mark.parametrize("extent", EXTENTS, ids=str)
def test_what_a_large_document_says_that_it_leaves_out_is_french_too(extent: Extent) -> None:
    subjects = formula_subjects()[:2]
    for shown in (subjects, subjects[:1]):
        made, translator = told(shown, extent)
        assert translator.untranslated == {}
        assert bool(made.left_out) == (extent != EXTENTS[0])
        assert not made.left_out or made.left_out.startswith("Pour que ce document reste petit, ")


@pytest.mark.parametrize("name", STUDIES)
def test_numbers_and_their_signs_are_those_of_the_english_report(name: str) -> None:
    """Independent of the translator: the digits of a text are those of its translation, in any order."""
    made, _ = french(name)
    for before, after in zip(texts(english(name)), texts(made), strict=True):
        assert digits(before) == digits(after), (before, after)
        signs = [sorted(re.findall(r"(?<![\w.,])[+-](?=\d)", text)) for text in (before, after)]
        assert signs[0] == signs[1], (before, after)


def readable(page: str) -> str:
    """What a page shows, without the data of its slider and its script."""
    return " ".join(Page(page).visible)


@pytest.mark.parametrize("name", ["measured", "limits", "nothing chosen"])
def test_numbers_have_the_form_of_the_language(name: str) -> None:
    """The names of these studies hold no numbers with a point, so a point between digits is an English number."""
    made, _ = french(name)
    for text in (readable(render_tuning_html(made)), render_tuning_markdown(made)):
        assert re.findall(r".{20}\d\.\d.{5}", text) == []
        assert re.findall(r"\d ?%", text) == [] and "\u00a0%" in text
        assert re.search(r"\d,\d{3} \\?\[\d,\d{3} ; \d,\d{3}\\?\]", text)
    assert re.search(r"\d\.\d", readable(render_tuning_html(english(name)))), "the test must see what it looks for"


def test_large_counts_have_the_group_mark_of_the_language() -> None:
    subject = measured_subject()
    (curve, *rest) = subject.candidate.sweep.curves
    many = curve.model_copy(update={"fp": tuple(n + 12_000 for n in curve.fp)})
    sweep = subject.candidate.sweep.model_copy(update={"curves": (many, *rest)})
    changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
    made, translator = told([changed])
    cells = [cell.text for row in made.sections[0].operating.rows for cell in row.cells]
    assert any(re.fullmatch(r"12\u202f\d{3}", cell) for cell in cells) and translator.untranslated == {}


def test_headings_of_both_documents_are_french() -> None:
    made, _ = french("limits")
    assert (made.lang, made.title) == ("fr", "Ajustement du seuil")
    html, markdown = render_tuning_html(made), render_tuning_markdown(made)
    assert '<html lang="fr">' in html
    for heading in (
        "Seuils retenus",
        "Le choix et sa certitude",
        "Garanties",
        "Seconds avis",
        "Comment lire ce document",
    ):
        assert f">{heading}</h" in html and f"# {heading}\n" in markdown
    assert "Chart in" not in markdown and "Graphique dans le rapport HTML\u00a0:" in markdown


def without_words(value: Any) -> Any:
    """JSON without the texts that people read."""
    if isinstance(value, list):
        return [without_words(item) for item in value]
    if isinstance(value, dict):
        return {key: without_words(item) for key, item in value.items() if key not in {"name", "note"}}
    return value


@pytest.mark.parametrize("name", ["limits", "recorded", "mixed"])
def test_the_data_of_the_slider_has_french_words_and_the_same_numbers(name: str) -> None:
    made, _ = french(name)
    html = render_tuning_html(made)
    found, before = page_data(html), page_data(render_tuning_html(english(name)))
    assert without_words(found) == without_words(before)
    assert Page(html).scripts[0].isascii() and not set("<>&") & set(Page(html).scripts[0])
    for one, section in zip(found["candidates"], made.sections, strict=True):
        assert one["name"] == section.name
        assert [cell["name"] for cell in one["cells"]] == [row.header for row in section.operating.rows]
    assert found != before
    shown = json.dumps([cell for one in found["candidates"] for cell in one["cells"]], ensure_ascii=False)
    assert not re.search(r"\b(no intervals?|very small|recorded|images? of)\b", shown)
    assert {"limits": "très petit échantillon", "recorded": "(enregistrée, 6 images)", "mixed": "calculé"}[
        name
    ] in shown


def test_what_the_slider_adds_is_said_as_the_tables_say_it() -> None:
    made, _ = french("mixed")
    (explore,) = [a for _, a in Page(render_tuning_html(made)).tags if a.get("id") == "explore"]
    unbounded = [c.text for row in made.summary.rows for c in row.cells if "(" in c.text]
    assert unbounded and all(text.endswith(str(explore["data-unbounded"])) for text in unbounded)


@pytest.mark.parametrize("name", ["limits", "mixed"])
def test_csv_and_english_documents_know_no_language(name: str) -> None:
    subjects = STUDIES[name]()
    plain, french_ones = tuning_documents(subjects), tuning_documents(subjects, lang="fr")
    assert plain == tuning_documents(subjects, lang="en") and plain.untranslated == french_ones.untranslated == ()
    assert french_ones.contents["tuning.csv"] == plain.contents["tuning.csv"]
    assert all(french_ones.contents[one] != plain.contents[one] for one in ("tuning.html", "tuning.md"))
    assert set(french_ones.contents) == set(plain.contents)


def test_what_stays_english_is_told() -> None:
    subject = measured_subject()
    choice = subject.candidate.sweep.choice.model_copy(update={"reason": "Somebody liked this one."})
    sweep = subject.candidate.sweep.model_copy(update={"choice": choice})
    changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
    assert tuning_documents([changed], lang="fr").untranslated == ("Somebody liked this one.",)
    assert tuning_documents([changed]).untranslated == ()


HOSTILE = (
    "</script><script>alert(1)</script><!--|`x`**b** {{ 7*7 }}",
    "10.5",
    "0.48 to 0.6",
    "a; b: c, d (e)",
    "clean images; val",
    "3 of 51 thresholds",
    "no interval at all",
    "night/1 (test)",
    "[0.1, 0.2] (no interval)",
)


def study_named(name: str) -> Sequence[TuningSubject]:
    """A candidate, its experiment and its data set that have one name."""
    subject = renamed(measured_subject("limits", LIMITS), name)
    data = subject.evidence.data.model_copy(update={"name": name})
    evidence = subject.evidence.model_copy(update={"experiment": name, "data": data})
    return [dataclasses.replace(subject, evidence=evidence)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_changes_nothing_but_itself(name: str) -> None:
    """Judge: the French report of a study with a harmless name, with the name put in afterwards."""
    made, translator = told(study_named(name))
    plain, _ = told(study_named("zzqx"))
    assert translator.untranslated == {}
    for found, harmless in zip(texts(made), texts(plain), strict=True):
        assert found == harmless.replace("zzqx", name), harmless
    cells = [json.loads(one.data.text)["candidates"][0] for one in (made, plain)]
    assert cells[0] == {**cells[1], "name": name}


@pytest.mark.parametrize("name", ["Precision", "chosen", "Threshold tuning", "no threshold", "all", "F1", "val"])
def test_a_name_that_is_a_phrase_of_the_report_stays_a_name(name: str) -> None:
    made, translator = told(study_named(name))
    assert translator.untranslated == {}
    assert made.sections[0].name == made.summary.rows[0].header == name
    assert json.loads(made.data.text)["candidates"][0]["name"] == name
    assert made.subtitle.startswith(f"{name}\u00a0: 1 modèle, jeu de données {name}, suite core")
    assert made.sections[0].operating.caption.startswith(f"{name} au seuil de confiance ")


@pytest.mark.parametrize("name", ["3 of 51 thresholds.png", "false alarm: cat", "image 7 (image 8)", "from 0.1 to 0.2"])
def test_a_name_of_a_picture_stays_and_what_is_said_of_it_is_french(name: str) -> None:
    (made, translator), (plain, _) = (told([subject_with_pictures(name=one)]) for one in (name, "zzqx"))
    assert translator.untranslated == {}
    for found, harmless in zip(texts(made), texts(plain), strict=True):
        assert found == harmless.replace("zzqx", name), harmless
    shot = made.sections[0].flip_gallery.groups[0].shots[0]
    assert re.fullmatch(r"manqués\u00a0: 1 sur \d+, \d fausses? alarmes?", shot.counts), shot.counts
    assert re.search(r"de 0,\d\d à 0,\d\d\u00a0: détections correctes [+0]", shot.places)
    assert [box.title.partition("\u00a0")[0] for box in shot.boxes][1:] == ["détection correcte", "fausse alarme"]


def test_what_the_browser_counts_of_boxes_without_room_stays_and_is_no_text() -> None:
    subject = subject_with_pictures()
    left_out = (Judged(kind="miss"), Judged(kind="false alarm", score=0.9), Judged(kind="false alarm", score=0.4))

    def crowded(gallery: Gallery) -> Gallery:
        first, *rest = gallery.entries
        picture = first.picture and first.picture.model_copy(update={"undrawn": left_out})
        return gallery.model_copy(update={"entries": (first.model_copy(update={"picture": picture}), *rest)})

    changed = dataclasses.replace(subject, pictures={k: crowded(one) for k, one in subject.pictures.items()})
    made, translator = told([changed])
    shots = [one.sections[0].flip_gallery.groups[0].shots[0] for one in (made, build_tuning([changed]))]
    assert translator.untranslated == {}
    assert shots[0].undrawn == shots[1].undrawn == "missed:0 alarm:51 alarm:11"
    assert [box.found for box in shots[0].boxes] == [box.found for box in shots[1].boxes]
    assert shots[0].counts != shots[1].counts


def test_hostile_names_are_inert_in_french() -> None:
    made, _ = told(study_named(HOSTILE[0]))
    page, markdown = Page(render_tuning_html(made)), render_tuning_markdown(made)
    assert len(page.scripts) == 2 and page.scripts[1] == script()
    assert "<script>alert(1)</script>" in "".join(page.visible) and "{{ 7*7 }}" in "".join(page.visible)
    assert "<script>" not in markdown and "**b**" not in markdown


def test_baselines_and_splits_are_marked_in_french_around_their_names() -> None:
    made, _ = french("formulas")
    headers = [row.header for row in made.summary.rows]
    assert "yolov8n@320 (modèle de référence)" in headers
    labels = [row.header for row in made.sections[0].operating.rows]
    assert {"clean (val)", "clean (test)", "night/1 (test)"} <= set(labels)
