from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from jinja2 import meta

from robust.errors import UsageError
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.report.context import Cell, Table
from robust.eval.report.page_script import script, script_source
from robust.eval.report.render import environment
from robust.eval.report.tuning import EXTENTS, TuningContext, TuningSection, build_tuning
from robust.eval.report.tuning_cells import TuningSubject, rate_at
from robust.eval.report.tuning_render import (
    render_tuning_html,
    render_tuning_markdown,
    tuning_documents,
)
from robust.eval.report.view import threshold_text

from .tuning_subjects import Page, formula_subjects, measured_subject, page_data, renamed

HOSTILE = "</script><script>alert(1)</script><!--|`x`**b** {{ 7*7 }} \u202egpj\u2028.\"'&"
LIMITS = ThresholdConstraints(min_precision=0.7, max_fppi=1.0)
NUMBER = re.compile(r"^[-+]?\d+\.\d{3}(?P<ends> \[[-+]?\d+\.\d{3}, [-+]?\d+\.\d{3}\]| \(no interval\))$")


def section(subject: TuningSubject) -> TuningSection:
    (only,) = build_tuning([subject]).sections
    return only


def column(table: Table, header: str, name: str) -> Cell:
    row = next(row for row in table.rows if row.header == header)
    return row.cells[table.columns.index(name) - 1]


def fact(one: TuningSection, label: str) -> str:
    (found,) = [f.value for f in one.facts if f.label == label]
    assert isinstance(found, str)
    return found


# ---- what is said


def test_rates_at_the_chosen_threshold_are_those_of_the_evidence_with_their_intervals() -> None:
    subject = measured_subject()
    table = section(subject).operating
    assert [row.header for row in table.rows] == [
        "clean (val)",
        "clean (test)",
        "night/1 (test)",
        "night/2 (test)",
        "fog/1 (test)",
        "fog/2 (test)",
        "real_night (recorded, 12 images)",
    ]
    found = {(a.split, a.variant): a.intervals for a in subject.candidate.sweep.at_threshold}
    for curve in subject.candidate.sweep.curves:
        (point,) = [p for p in curve.points if p.threshold == subject.chosen]
        interval = found[curve.split, curve.variant]["recall"]
        assert interval.low is not None and interval.high is not None and point.recall is not None
        cell = column(table, subject.label(curve), "Recall")
        assert cell.text == f"{point.recall:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
        assert column(table, subject.label(curve), "Missed (FN)").text == f"{point.fn:,}"


def test_every_rate_carries_an_interval_or_says_that_it_has_none() -> None:
    for subject in (measured_subject(), formula_subjects()[0]):
        made = build_tuning([subject])
        one = made.sections[0]
        kinds = set()
        for table in (made.summary, one.operating, one.thresholds, one.opinions, *one.costs):
            for row in table.rows:
                for name, cell in zip(table.columns[1:], row.cells, strict=True):
                    if name in {"Precision", "Recall", "F1", "False positives per image"}:
                        found = NUMBER.match(cell.text)
                        assert found or cell.style == "missing", (table.id, row.header, name, cell.text)
                        kinds.add(found["ends"][1] if found else "missing")
        assert ("[" in kinds) == bool(subject.costs), "measured candidates have intervals, those from formulas do not"


def test_the_value_on_the_judging_split_is_said_not_to_be_for_choosing() -> None:
    one = section(measured_subject())
    assert "test: 30 images" in fact(one, "Value on test") and "not be used to choose again" in fact(
        one, "Value on test"
    )
    val, test = one.costs
    assert "flatters" in val.caption and "not be used to choose again" in test.caption
    assert "must not be followed" in one.opinions.caption
    assert [row.cells[1].text for row in one.opinions.rows if row.header == "highest floor over all variants"] == [
        "test"
    ]


def test_costs_are_counts_against_the_chosen_threshold() -> None:
    subject = measured_subject()
    curve = subject.curve("test")
    assert curve is not None and subject.at is not None
    (table,) = [t for t in section(subject).costs if t.id.endswith("test")]
    for row in table.rows:
        place = [threshold_text(t) for t in subject.thresholds].index(row.header)
        for name, counts in (("TP", curve.tp), ("FP", curve.fp)):
            assert int(column(table, row.header, name).text) == counts[place] - counts[subject.at]
        assert column(table, row.header, "FN").text.lstrip("+-") == column(table, row.header, "TP").text.lstrip("+-")
    assert threshold_text(subject.chosen) not in [row.header for row in table.rows]


def test_certainty_and_certified_thresholds_are_those_of_the_evidence() -> None:
    subject = measured_subject("limits", LIMITS)
    found = subject.candidate.sweep.certainty
    assert found is not None and found.certified
    one = section(subject)
    assert fact(one, "Certainty") == found.wording
    assert fact(one, "Constraints") == "precision at least 0.7; false positives per image at most 1"
    told = fact(one, "Shown to meet the constraints")
    assert f"({len(found.certified)} of 51 thresholds)" in told
    assert threshold_text(found.certified[0]) in told and threshold_text(found.certified[-1]) in told
    assert ("is not among them" in told) == (subject.chosen not in found.certified)
    shown = {row.header.removesuffix(" (chosen)"): row.cells[-1].text for row in one.thresholds.rows}
    for place in subject.shown:
        passed = subject.thresholds[place] in found.certified
        assert shown[threshold_text(subject.thresholds[place])].startswith("yes" if passed else ("no", "too"))


def test_gaps_between_certified_thresholds_are_not_papered_over() -> None:
    subject = measured_subject("limits", LIMITS)
    found = subject.candidate.sweep.certainty
    assert found is not None
    gaps = found.model_copy(update={"certified": (0.4, 0.41, 0.42, 0.5, 0.6, 0.61)})
    sweep = subject.candidate.sweep.model_copy(update={"certainty": gaps})
    changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
    told = fact(section(changed), "Shown to meet the constraints")
    assert told.startswith("0.40 to 0.42, 0.50, 0.60 to 0.61 (6 of 51 thresholds); the chosen one is not among them")


def test_a_guarantee_covers_the_chosen_threshold_only_up_to_its_own() -> None:
    subject = measured_subject()
    (first, *_) = subject.candidate.sweep.certificates
    chosen = subject.chosen
    assert chosen is not None
    for threshold, answer in ((chosen + 0.01, "yes"), (chosen, "yes"), (chosen - 0.01, "no"), (None, "no")):
        one = first.model_copy(update={"threshold": threshold})
        sweep = subject.candidate.sweep.model_copy(update={"certificates": (one,)})
        changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
        (row,) = section(changed).guarantees.rows
        assert row.cells[3].text == answer and row.cells[-1].text == first.sentence


def test_an_opinion_outside_the_sweep_is_not_read_at_its_end() -> None:
    subject = measured_subject()
    lrp = subject.candidate.sweep.lrp
    assert lrp is not None
    for threshold, expected in ((0.12, "outside the sweep"), (None, "no such threshold"), (0.4151, "0.42")):
        sweep = subject.candidate.sweep.model_copy(update={"lrp": lrp.model_copy(update={"threshold": threshold})})
        changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
        (row,) = [r for r in section(changed).opinions.rows if "localisation" in r.header]
        curve = subject.curve("test")
        if expected == "0.42":
            assert curve is not None and row.cells[2].text == expected
            assert row.cells[4].text.startswith(f"{rate_at(curve, 'recall', 12).value:.3f}")
        else:
            assert {cell.text for cell in row.cells[3:]} == {expected}


def test_images_that_flip_are_named_and_counted() -> None:
    subject = measured_subject()
    tables = section(subject).flips
    flips = [flip for costs in subject.costs for flip in costs.flips]
    assert len(tables) == len(flips) == 4
    for table, flip in zip(tables, flips, strict=True):
        assert f"{flip.n_changed} of 30 images" in table.caption
        assert [row.header for row in table.rows] == [f"image {image.image_id}" for image in flip.images]
        assert [int(row.cells[1].text) for row in table.rows] == [image.tp for image in flip.images]


def test_without_a_choice_nothing_is_read_and_the_reason_is_said() -> None:
    subject = measured_subject("none", ThresholdConstraints(min_precision=1.0, min_recall=1.0))
    assert subject.chosen is None
    one = section(subject)
    assert fact(one, "Confidence threshold") == "none" and "nearest miss" in fact(one, "Result of the rule")
    assert "no threshold was chosen" in fact(one, "Value on test")
    assert not one.operating.rows and not one.flips and not any(table.rows for table in one.costs)
    assert one.thresholds.rows and {row.cells[3].text for row in one.guarantees.rows} == {"none was chosen"}
    assert page_data(render_tuning_html(build_tuning([subject])))["candidates"][0]["chosen"] is None


def test_without_a_split_to_choose_on_the_report_still_stands() -> None:
    subject = measured_subject("noval", val=False)
    one = section(subject)
    assert fact(one, "Chosen on") == "no split was there" and not one.thresholds.rows
    assert [table.id for table in one.costs] == ["c0-costs-test"]
    render_tuning_markdown(build_tuning([subject]))


def test_a_sweep_of_one_threshold_is_drawn() -> None:
    subject = measured_subject()
    assert subject.at is not None
    keep = slice(subject.at, subject.at + 1)
    curves = tuple(
        c.model_copy(update={"thresholds": c.thresholds[keep], "tp": c.tp[keep], "fp": c.fp[keep], "bands": None})
        for c in subject.candidate.sweep.curves
    )
    sweep = subject.candidate.sweep.model_copy(
        update={"curves": curves, "start": subject.chosen, "stop": subject.chosen}
    )
    changed = dataclasses.replace(subject, costs=(), candidate=subject.candidate.model_copy(update={"sweep": sweep}))
    html = render_tuning_html(build_tuning([changed]))
    assert not re.search(r"[ ,\"](nan|inf)\b", html)
    assert page_data(html)["candidates"][0]["thresholds"] == [threshold_text(subject.chosen)]


# ---- the script and its data


def test_the_slider_shows_the_texts_of_the_tables() -> None:
    """Whole thousandths are what the tables print, so script and tables cannot round differently."""
    subject = measured_subject()
    (candidate,) = page_data(render_tuning_html(build_tuning([subject])))["candidates"]
    assert candidate["thresholds"][candidate["chosen"]] == threshold_text(subject.chosen)
    assert [cell["name"] for cell in candidate["cells"]] == [row.header for row in section(subject).operating.rows]
    for cell, curve in zip(candidate["cells"], subject.curves, strict=True):
        assert (cell["tp"], cell["fp"], cell["objects"]) == (list(curve.tp), list(curve.fp), curve.n_objects)
        for rate, (values, lows, highs) in cell["rates"].items():
            for place in range(51):
                told = rate_at(curve, rate, place)
                assert told.value is None or f"{values[place] / 1000:.3f}" == f"{told.value:.3f}"
                assert (values[place] is None) == (told.value is None)
                assert (lows[place] is None) == (told.low is None) == (highs[place] is None)
                if told.low is not None and told.high is not None:
                    assert f"{lows[place] / 1000:.3f}" == f"{told.low:.3f}"
                    assert f"{highs[place] / 1000:.3f}" == f"{told.high:.3f}"


def test_the_page_allows_this_script_alone() -> None:
    html = render_tuning_html(build_tuning([measured_subject()]))
    page = Page(html)
    (policy,) = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    data, code = page.scripts
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'" == script_source() and rules["default-src"] == "'none'"
    kinds = [a.get("type") for t, a in page.tags if t == "script"]
    assert kinds == ["application/json", None] and json.loads(data)
    loading = {"src", "srcdoc", "action", "formaction", "background", "poster", "xlink:href"}
    assert not [(t, n) for t, a in page.tags for n in a if n in loading or n.startswith("on")]
    assert not [a["href"] for _, a in page.tags if "href" in a and not str(a["href"]).startswith("#")]


def test_the_script_asks_for_nothing_that_a_sandbox_refuses() -> None:
    for forbidden in (
        "fetch", "XMLHttpRequest", "import(", "localStorage", "sessionStorage", "indexedDB", "cookie", "window.open",
        "alert(", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "</script",
        "<!--", "location", "parent", "top.",
    ):  # fmt: skip
        assert forbidden not in script(), forbidden
    assert len(script().splitlines()) <= 320


def test_hostile_names_stay_text_everywhere() -> None:
    subjects = [renamed(measured_subject(), HOSTILE), renamed(formula_subjects()[0], "=cmd|' /C calc'!A0")]
    context = build_tuning(subjects)
    html, markdown = render_tuning_html(context), render_tuning_markdown(context)
    page = Page(html)
    assert len(page.scripts) == 2 and page.scripts[1] == script()
    assert json.loads(page.scripts[0])["candidates"][0]["name"].startswith("</script><script>alert(1)</script><!--|")
    assert page.scripts[0].isascii() and not set("<>&") & set(page.scripts[0])
    shown = "".join(page.visible)
    assert "<script>alert(1)</script>" in shown and "{{ 7*7 }}" in shown and "\u202e" not in html + markdown
    assert "<script>" not in markdown and "**b**" not in markdown
    rows = list(csv.DictReader(io.StringIO(tuning_documents(subjects).contents["tuning.csv"].decode())))
    assert {row["candidate"][0] for row in rows} == {"<", "'"}


def test_every_id_is_there_once_and_what_the_script_needs_is_there() -> None:
    html = render_tuning_html(build_tuning([measured_subject(), *formula_subjects()[:2]]))
    ids = [a["id"] for _, a in Page(html).tags if "id" in a]
    assert len(ids) == len(set(ids))
    needed = set(re.findall(r'"((?:tuning-|explore)[a-z-]*)"', script()))
    assert len(needed) >= 7 and needed <= set(ids)
    (explore,) = [a for _, a in Page(html).tags if a.get("id") == "explore"]
    assert "hidden" in explore, "without the script nothing that needs it is shown"


# ---- the documents


def test_same_sweep_gives_the_same_bytes() -> None:
    subjects = (measured_subject(), formula_subjects()[0])
    assert tuning_documents(subjects) == tuning_documents(subjects)


def test_every_threshold_of_every_cell_is_in_the_csv() -> None:
    subject = measured_subject("limits", LIMITS)
    rows = list(csv.DictReader(io.StringIO(tuning_documents([subject]).contents["tuning.csv"].decode())))
    assert len(rows) == 7 * 51
    (chosen,) = [r for r in rows if r["chosen"] == "True" and (r["split"], r["variant"]) == ("test", "night/2")]
    curve = subject.curve("test", "night/2")
    assert curve is not None and subject.at is not None and curve.bands is not None
    assert float(chosen["threshold"]) == subject.chosen and int(chosen["tp"]) == curve.tp[subject.at]
    assert (float(chosen["recall_low"]), float(chosen["recall_high"])) == curve.bands.at("recall", subject.at)
    assert {chosen[f"{name}_change"] for name in ("tp", "fp", "fn")} == {"0"}
    tested = [r for r in rows if r["p_value"]]
    assert {(r["split"], r["variant"]) for r in tested} == {("val", "clean")}


def test_a_document_that_is_too_large_gives_up_curves_first_and_says_so() -> None:
    subjects = formula_subjects()[:3]
    sizes = [len(render_tuning_html(build_tuning(subjects, extent)).encode()) for extent in EXTENTS]
    assert sizes == sorted(sizes, reverse=True)
    for extent, size in zip(EXTENTS, sizes, strict=True):
        html = tuning_documents(subjects, limit=size).contents["tuning.html"].decode()
        assert len(html.encode()) == size
        assert ("To keep this document small" in html) == (extent != EXTENTS[0])
        found = page_data(html)["candidates"]
        shown = {cell["name"].split(" ")[0] for candidate in found for cell in candidate["cells"]}
        if extent.slider == "highest":
            assert shown == {"clean", "night/5", "occlusion/5", "crowd/5"}
        assert bool(found) == extent.sections
    assert "tuning.csv" in html and html.count("(baseline)") == 0
    assert subjects[2].name in html.replace("<wbr>", "")  # names may break there


def test_the_largest_suite_of_one_candidate_stays_within_two_megabytes() -> None:
    subject = measured_subject()
    plain = subject.curve("test", "night/1")
    assert plain is not None
    more = tuple(plain.model_copy(update={"variant": f"kind{i}/{s}"}) for i in range(31) for s in range(1, 6))
    sweep = subject.candidate.sweep.model_copy(update={"curves": (*subject.candidate.sweep.curves, *more)})
    changed = dataclasses.replace(subject, candidate=subject.candidate.model_copy(update={"sweep": sweep}))
    html = tuning_documents([changed]).contents["tuning.html"]
    assert len(html) <= 2_000_000 and b"kind30/5" in html


def test_weights_and_images_are_told_by_their_hashes_also_when_sections_are_left_out() -> None:
    subjects = (measured_subject(), formula_subjects()[0])
    for extent in EXTENTS[:: len(EXTENTS) - 1]:
        context = build_tuning(subjects, extent)
        hashes = {one.candidate.weights_sha256 for one in subjects}
        hashes |= {
            split.fingerprint
            for one in subjects
            for split in one.evidence.data.splits
            if split.split in {curve.split for curve in one.curves}
        }
        hashes |= {v.recipe_sha256 for v in subjects[0].evidence.suite.variants if v.recorded}
        assert len(hashes) >= 5, "two models, and splits and a recorded set"
        for text in (render_tuning_html(context), render_tuning_markdown(context)):
            assert all(found in text for found in hashes)
            assert subjects[0].run_id in text and "Inference settings" in text
    assert column(context.weights, subjects[0].title, "Weights sha256").text == subjects[0].candidate.weights_sha256


def test_baselines_are_marked() -> None:
    rows = build_tuning(formula_subjects()).summary.rows
    assert [r.header for r in rows if "(baseline)" in r.header] == ["yolov8n@320 (baseline)", "yolov8n@416 (baseline)"]


def test_candidates_come_before_baselines_and_keep_their_order() -> None:
    subjects = [formula_subjects()[8], formula_subjects()[1], formula_subjects()[0]]
    html = tuning_documents(subjects).contents["tuning.html"].decode()
    names = [candidate["name"] for candidate in page_data(html)["candidates"]]
    assert names == [subjects[1].name, subjects[2].name, "yolov8n@320 (baseline)"]


def test_nothing_swept_is_refused() -> None:
    with pytest.raises(UsageError):
        build_tuning([])


def test_templates_use_exactly_the_documented_context() -> None:
    fields = {field.name for field in dataclasses.fields(TuningContext)}
    loaded = environment(html=True)
    assert loaded.loader is not None
    used = {
        name: meta.find_undeclared_variables(loaded.parse(loaded.loader.get_source(loaded, name)[0]))
        for name in ("tuning.html.j2", "tuning.md.j2")
    }
    assert used["tuning.html.j2"] == fields | {"script", "script_source"}
    assert used["tuning.md.j2"] == fields - {"lang", "data"}
    for name, hint in get_type_hints(TuningContext, include_extras=True).items():
        assert get_origin(hint) is Annotated and get_args(hint)[1], name
