"""The sign-off report in a real browser: the slider, the sort buttons, and what stays as it was written."""

from __future__ import annotations

import html as escaping
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Curve, Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext
from robust.eval.report.gallery import Box, Entry, Gallery, Judged, Picture, Shown, shown_images
from robust.eval.report.page_script import script
from robust.eval.report.render import render_html
from robust.eval.report.tuning import build_tuning
from robust.eval.report.tuning_render import render_tuning_html
from robust.eval.thumbnails import encode
from tests.eval.evidence.study_builder import grid_study
from tests.eval.evidence_builder import change_candidates

from .test_flips import subject_with_pictures
from .test_render import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Frame, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.slow

WIDE = {"width": 1200, "height": 900}
MOVED = 0.7
"""Where the tests move the slider to; 0.60 is the chosen one."""
ROWS = "(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
SLIDER = "#tuning-table"
OPERATING = 'table:has(> caption[id="operating-caption"])'
EVERY_RUN = 'table:has(> caption[id="candidates-caption"])'


def renamed(evidence: Evidence) -> Evidence:
    def rename(one: CandidateEvidence) -> CandidateEvidence:
        return one.model_copy(
            update={"name": HOSTILE + one.name, "baseline": HOSTILE + one.baseline if one.baseline else None}
        )

    return change_candidates(evidence, rename)


def context_of(evidence: Evidence) -> ReportContext:
    policy = read_policy()
    return build_context(evidence, policy, decide(evidence, policy), Card())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "Chromium is not installed; on Debian: apt-get install chromium"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    with sync_api.sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report() -> str:
    return render_html(context_of(grid_study().evidence))


class Visit:
    """A page that was opened, and what it complained of."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(viewport=WIDE, **options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", self._refuse)
        self.page.goto(path.as_uri())

    def _refuse(self, dialog: Dialog) -> None:
        self.faults.append(dialog.message)
        dialog.dismiss()

    @property
    def framed(self) -> Frame:
        """The page inside its frame."""
        return self.page.frames[1]


Open = Callable[..., Visit]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    opened: list[Visit] = []

    def opening(page: str, *, sandboxed: bool = False, **options: Any) -> Visit:
        path = tmp_path / f"page-{len(opened)}.html"
        framed = f'<!DOCTYPE html><iframe sandbox="allow-scripts" srcdoc="{escaping.escape(page)}"></iframe>'
        path.write_text(framed if sandboxed else page, encoding="utf-8")
        opened.append(Visit(browser, path, **options))
        return opened[-1]

    yield opening
    for visit in opened:
        visit.context.close()


def rows(page: Page | Frame, table: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(table).evaluate(ROWS)
    return found


def slide(page: Page | Frame, threshold: float) -> None:
    page.locator("#tuning-threshold").fill(f"{threshold:g}")


def sort_by(page: Page | Frame, table: str, heading: str) -> None:
    page.locator(table).get_by_role("button", name=heading, exact=True).click()


def shown_cells(candidate: CandidateEvidence) -> list[Curve]:
    """Clean images of val, then what was measured on test, in the order of the suite."""
    order = [("val", "clean"), *(("test", v.name) for v in grid_study().evidence.suite.variants)]
    curves = {(curve.split, curve.variant): curve for curve in candidate.sweep.curves}
    return [curves[place] for place in order]


def told_at(curve: Curve, threshold: float, chosen: float) -> list[str]:
    """What the row of a cell must say, from its counts and bands, by hand."""
    at, before = curve.thresholds.index(threshold), curve.thresholds.index(chosen)
    tp, fp, missed = curve.tp[at], curve.fp[at], curve.n_objects - curve.tp[at]
    values = {
        "precision": tp / (tp + fp),
        "recall": tp / curve.n_objects,
        "f1": 2 * tp / (2 * tp + fp + missed),
        "fppi": fp / curve.n_images,
    }
    assert curve.bands is not None
    ends = {rate: curve.bands.at(rate, at) for rate in values}
    rates = [f"{value:.3f} [{ends[rate][0]:.3f}, {ends[rate][1]:.3f}]" for rate, value in values.items()]  # type: ignore[index]
    was = curve.tp[before], curve.fp[before], curve.n_objects - curve.tp[before]
    counts = [
        f"{now}" + (f" ({now - old:+d})" if now != old else "") for now, old in zip((tp, fp, missed), was, strict=True)
    ]
    return [*rates, *counts]


def named(name: str) -> CandidateEvidence:
    return next(one for one in grid_study().evidence.candidates if one.name == name)


PROPOSED, BASELINE = "sz256 lr0.005 s1", "base@256"


def test_at_the_chosen_threshold_the_slider_says_what_the_static_table_says(open_page: Open, report: str) -> None:
    page = open_page(report).page
    moving, static = rows(page, SLIDER), rows(page, OPERATING)
    assert page.locator("#explore").is_visible() and len(static) == 7
    assert page.locator("#tuning-value").inner_text() == "0.60 (the chosen one)"
    assert [row[1:] for row in moving] == [row[1:] for row in static]
    assert [row[0].split(" ")[0] for row in moving] == [row[0].split(" ")[0] for row in static]


def test_the_slider_moves_every_variant_to_what_was_measured_there_also_in_a_sandboxed_frame(
    open_page: Open, report: str
) -> None:
    visit = open_page(report, sandboxed=True)
    page = visit.framed
    before, static = rows(page, SLIDER), rows(page, OPERATING)
    slide(page, MOVED)
    moved = rows(page, SLIDER)
    assert [row[1:] for row in moved] == [told_at(curve, MOVED, 0.6) for curve in shown_cells(named(PROPOSED))]
    assert all(old[1:] != new[1:] for old, new in zip(before, moved, strict=True)), "all variants move"
    assert rows(page, OPERATING) == static, "the table of the decision does not"
    assert page.locator("#tuning-value").inner_text() == "0.70 (chosen: 0.60)"
    page.locator("#tuning-reset").click()
    assert rows(page, SLIDER) == before and page.locator("#tuning-reset").is_disabled()
    assert visit.faults == []


def test_a_line_in_the_threshold_charts_follows_and_no_other_chart_has_one(open_page: Open, report: str) -> None:
    page = open_page(report).page
    slide(page, MOVED)
    places = page.locator(".here").evaluate_all("(lines) => lines.map((line) => Number(line.getAttribute('x1')))")
    assert places == [pytest.approx(46 + (MOVED - 0.3) / 0.5 * (420 - 18 - 46), abs=0.1)] * 2
    assert page.locator("#operating-point .here").count() == 2
    slide(page, 0.8)
    assert page.locator("#operating-point .here").first.get_attribute("x1") == "402.0"


def test_the_line_is_right_where_the_last_step_does_not_reach_the_end(open_page: Open) -> None:
    """A sweep from 0.30 to 0.80 by steps that end at 0.75: the axis ends where the thresholds do."""

    def cut(one: CandidateEvidence) -> CandidateEvidence:
        curves = tuple(
            curve.model_copy(
                update={"thresholds": curve.thresholds[:-1], "tp": curve.tp[:-1], "fp": curve.fp[:-1], "bands": None}
            )
            for curve in one.sweep.curves
        )
        return one.model_copy(update={"sweep": one.sweep.model_copy(update={"curves": curves})})

    page = open_page(render_html(context_of(change_candidates(grid_study().evidence, cut)))).page
    chosen = page.locator("#operating-point .rule").first.get_attribute("x1")
    here = page.locator("#operating-point .here").first.get_attribute("x1")
    assert chosen is not None and here is not None and float(chosen) == pytest.approx(float(here), abs=0.06)


def test_the_baseline_comes_with_its_own_numbers_and_its_charts_are_not_the_candidates(
    open_page: Open, report: str
) -> None:
    page = open_page(report).page
    charts = page.locator("#operating-point .by-threshold")
    assert charts.is_visible()
    page.locator("#tuning-candidate").select_option("1")
    chosen = named(BASELINE).sweep.choice.threshold
    assert chosen is not None and chosen != 0.6
    assert [row[1:] for row in rows(page, SLIDER)] == [
        told_at(curve, chosen, chosen) for curve in shown_cells(named(BASELINE))
    ]
    assert not charts.is_visible()
    page.locator("#tuning-candidate").select_option("0")
    assert charts.is_visible() and rows(page, SLIDER)[0][1:] == rows(page, OPERATING)[0][1:]


def boxes_of(one: Shown) -> tuple[Box, ...]:
    """What the evidence counts at 0.60, and a hit that is lost and a false alarm that appears elsewhere."""
    place = {"left": 10.0, "top": 10.0, "width": 20.0, "height": 40.0, "category": "person", "image_height": 80}
    misses = [Box(kind="miss", **place) for _ in range(one.image.misses)]
    alarms = [Box(kind="false alarm", score=0.65 + i / 10, **place) for i in range(one.image.false_positives)]
    lost = [Box(kind="hit", score=0.66, **place), Box(kind="miss", score=0.66, **place)]
    return (*misses, *alarms, *lost, Box(kind="false alarm", score=0.41, **place), Box(kind="ignored", **place))


@pytest.fixture(scope="module")
def pictured() -> tuple[str, Gallery]:
    """The report with a failure gallery, of which the first picture counts two more than it draws."""
    evidence, policy = grid_study().evidence, read_policy()
    study, candidate = Study(evidence), named(PROPOSED)
    stored = write_image_data()
    entries = []
    for one in shown_images(study, candidate, "test"):
        drawn = boxes_of(one)
        undrawn = () if entries else (Judged(kind="hit", score=0.9), Judged(kind="hit", score=0.69))
        picture = Picture(data=stored, width=60, height=60, boxes=drawn, undrawn=undrawn)
        entries.append(Entry(variant=one.variant, image_id=one.image.image_id, picture=picture))
    gallery = Gallery(mode="full", candidate=candidate.key, split="test", threshold=0.6, entries=tuple(entries))
    return render_html(build_context(evidence, policy, decide(evidence, policy), Card(), gallery)), gallery


def write_image_data() -> str:
    return encode(np.full((60, 60, 3), 90, dtype=np.uint8), 50)


SHOTS = """() => [...document.querySelectorAll("#failure-gallery .shot")].map((shot) => {
  const there = (box) => getComputedStyle(box).display !== "none";
  const boxes = [...shot.querySelectorAll("path[data-found]")].filter(there);
  const halo = shot.querySelector(".halo").getAttribute("d").split("M").length - 1;
  return [boxes.map((box) => box.getAttribute("class")).sort(), halo, shot.querySelector(".counts").textContent];
})"""
STYLED = {"miss": "missed", "false alarm": "alarm", "hit": "hit", "ignored": "ignored"}


def drawn_at(gallery: Gallery, threshold: float) -> list[list[str]]:
    """The looks of the boxes that a picture must show, by the rule of the record."""
    pictures = [entry.picture for entry in gallery.entries if entry.picture]
    return [sorted(STYLED[box.kind] for box in one.boxes if box.shown_at(threshold)) for one in pictures]


@pytest.mark.parametrize("sandboxed", [False, True])
def test_the_boxes_of_the_gallery_follow_the_slider(
    open_page: Open, pictured: tuple[str, Gallery], sandboxed: bool
) -> None:
    html, gallery = pictured
    visit = open_page(html, sandboxed=sandboxed)
    page = visit.framed if sandboxed else visit.page
    written = page.evaluate(SHOTS)
    assert [one[0] for one in written] == drawn_at(gallery, 0.6)
    for threshold in (MOVED, 0.35, 0.8, 0.6):
        slide(page, threshold)
        shots = page.evaluate(SHOTS)
        assert [one[0] for one in shots] == drawn_at(gallery, threshold)
        assert [one[1] for one in shots] == [len(one[0]) for one in shots]
        if threshold == 0.6:
            assert shots == written
            continue
        for shot, entry in zip(shots, gallery.entries, strict=True):
            assert entry.picture is not None
            counts = entry.picture.counts(threshold)
            assert shot[2].startswith(f"at {threshold:.2f}: {counts['miss']} of ")
            assert f"missed, false alarms: {counts['false alarm']}" in shot[2]
        assert ("boxes without room: 1" in shots[0][2]) is (threshold in {MOVED, 0.8})
        assert ("boxes without room: 2" in shots[0][2]) is (threshold == 0.35)
    assert visit.faults == []


def test_the_gallery_has_a_slider_of_its_own_and_both_move_together(
    open_page: Open, pictured: tuple[str, Gallery]
) -> None:
    html, gallery = pictured
    visit = open_page(html)
    page = visit.page
    page.locator("#tuning-candidate").select_option("1")  # the baseline, whose boxes are not on the page
    slide(page, MOVED)
    assert [one[0] for one in page.evaluate(SHOTS)] == drawn_at(gallery, 0.6)
    assert page.locator("#tuning-examples").is_hidden()
    thresholds = named(PROPOSED).sweep.curves[0].thresholds
    page.locator("#gallery-threshold").fill(str(thresholds.index(MOVED)))
    assert page.locator("#tuning-threshold").input_value() == f"{MOVED:g}"
    assert page.locator("#tuning-candidate").input_value() == "0"
    assert page.locator("#gallery-value").text_content() == f"{MOVED:.2f}"
    assert [one[0] for one in page.evaluate(SHOTS)] == drawn_at(gallery, MOVED)
    page.locator("#gallery-reset").click()
    assert page.locator("#gallery-reset").is_disabled()
    assert [one[0] for one in page.evaluate(SHOTS)] == drawn_at(gallery, 0.6)
    assert visit.faults == []


def test_examples_beside_the_slider_show_each_variant_and_move_too(
    open_page: Open, pictured: tuple[str, Gallery]
) -> None:
    html, gallery = pictured
    page = open_page(html).page
    variants = list(dict.fromkeys(entry.variant for entry in gallery.entries))
    examples = page.locator("#tuning-examples .shot")
    assert examples.count() == min(6, len(variants))
    named = page.locator("#tuning-examples .shot strong").all_text_contents()
    assert [one.rpartition(" on ")[2] for one in named] == variants[:6]
    slide(page, MOVED)
    first = page.locator("#failure-gallery .shot .counts").first.text_content()
    assert examples.first.locator(".counts").text_content() == first and first is not None and "at 0.70" in first
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_without_scripts_the_gallery_shows_the_chosen_threshold(open_page: Open, pictured: tuple[str, Gallery]) -> None:
    html, _ = pictured
    page = open_page(html, java_script_enabled=False).page
    shown, hidden = (
        page.locator(f"#failure-gallery .shot path[data-found]{which}").count()
        for which in (":not([display])", "[display=none]")
    )
    _, gallery = pictured
    assert shown == sum(map(len, drawn_at(gallery, 0.6))) and hidden > 0
    assert page.locator("#gallery-slider").is_hidden()


def test_pictures_of_a_tuning_report_follow_its_slider_and_paper_shows_what_was_written(
    open_page: Open, tmp_path: Path
) -> None:
    subject = subject_with_pictures()
    assert subject.chosen is not None
    visit = open_page(render_tuning_html(build_tuning([subject])))
    alarms = visit.page.locator(".shot .alarm[data-found]")
    hidden = "(boxes) => boxes.map((box) => box.getAttribute('display') === 'none')"
    written = [subject.chosen > 0.55] * 2
    assert alarms.evaluate_all(hidden) == written
    for threshold, expected in ((0.5, [False] * 2), (0.56, [True] * 2), (0.55, [False] * 2)):
        slide(visit.page, threshold)
        assert alarms.evaluate_all(hidden) == expected, threshold
    slide(visit.page, 0.5 if subject.chosen > 0.55 else 0.7)
    visit.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert alarms.evaluate_all(hidden) == written
    visit.page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    assert alarms.evaluate_all(hidden) == [not one for one in written]
    assert visit.faults == []


def test_every_run_can_be_sorted_and_gates_keep_their_order(open_page: Open, report: str) -> None:
    page = open_page(report).page
    written = rows(page, EVERY_RUN)
    column = page.locator(EVERY_RUN).locator("thead th").all_inner_texts().index("AP50 (test)")
    for direction in ("ascending", "descending"):
        sort_by(page, EVERY_RUN, "AP50 (test)")
        values = [float(row[column].split(" ")[0]) for row in rows(page, EVERY_RUN)]
        assert (
            values
            == sorted(values, reverse=direction == "descending")
            != [float(r[column].split()[0]) for r in written]
        )
        assert page.locator(f"{EVERY_RUN} th[aria-sort={direction}]").count() == 1
    sort_by(page, EVERY_RUN, "AP50 (test)")
    assert rows(page, EVERY_RUN) == written
    assert page.locator("#gates button").count() == page.locator("#sign-off button").count() == 0


def test_hostile_run_names_stay_text_in_the_slider(open_page: Open) -> None:
    page = render_html(context_of(renamed(grid_study().evidence)))
    visit = open_page(page, sandboxed=True)
    names = visit.framed.locator("#tuning-candidate option").all_text_contents()
    assert len(names) == 2 and all(name.startswith("<script>alert(1)</script>|`x`") for name in names)
    slide(visit.framed, MOVED)
    assert visit.framed.locator("#tuning-table caption").inner_text().startswith("<script>alert(1)</script>")
    assert (
        visit.framed.locator("script").count() == 2 and visit.framed.locator("option script, table script").count() == 0
    )
    assert visit.faults == []


@pytest.mark.parametrize(
    "injected",
    [
        "<script>document.title = 'ran'</script>",
        "<script src=\"data:text/javascript,document.title='ran'\"></script>",
        '<img src="data:," onerror="document.title = \'ran\'">',
        "<iframe srcdoc=\"<script>parent.document.title = 'ran'</script>\"></iframe>",
    ],
    ids=["inline", "data", "handler", "frame"],
)
def test_the_policy_of_the_page_stops_an_injected_script(open_page: Open, report: str, injected: str) -> None:
    loose = report.replace("script-src 'sha256-", "script-src 'unsafe-inline' data:; x-src 'sha256-")
    for page, title_changes in ((report, False), (loose.replace("default-src 'none'", "default-src data:"), True)):
        visit = open_page(page.replace("</body>", f"{injected}</body>"))
        visit.page.wait_for_timeout(100)
        assert (visit.page.title() == "ran") is title_changes
        assert visit.page.locator("#explore").is_visible(), "its own script runs all the same"
        assert title_changes or any("Content Security Policy" in fault for fault in visit.faults)


def test_without_scripts_nothing_moves_and_nothing_is_lost(open_page: Open, report: str) -> None:
    visit = open_page(report, java_script_enabled=False)
    assert not visit.page.locator("#explore").is_visible()
    assert visit.page.locator("#operating-point .by-threshold svg[role=img]").count() == 2
    assert visit.page.locator("#operating-point .by-threshold").is_visible()
    assert visit.page.locator("button:visible").count() == 0
    assert visit.page.locator(f"{OPERATING} tbody tr").count() == 7


def test_paper_shows_what_was_written_whatever_was_moved_before(open_page: Open, report: str, tmp_path: Path) -> None:
    page = open_page(report).page
    written = rows(page, EVERY_RUN)
    sort_by(page, EVERY_RUN, "AP50 (test)")
    looked_at = rows(page, EVERY_RUN)
    slide(page, MOVED)
    page.locator("#tuning-candidate").select_option("1")
    page.evaluate(f"""() => addEventListener("beforeprint", () => {{
      const captions = [...document.querySelectorAll("caption")];
      const table = captions.find((one) => one.id === "candidates-caption").parentElement;
      window.printed = ({ROWS})(table);
    }})""")
    page.pdf(path=str(tmp_path / "page.pdf"))
    assert page.evaluate("window.printed") == written != looked_at
    assert rows(page, EVERY_RUN) == looked_at, "the screen is as it was"
    page.emulate_media(media="print")
    assert not page.locator("#explore").is_visible()
    assert page.locator("#operating-point .by-threshold").is_visible()
    assert page.locator(".here:visible").count() == 0
    arrows = "(all) => all.map((one) => getComputedStyle(one, '::after').content)"
    assert set(page.locator("button.sort").evaluate_all(arrows)) == {'""'}, "also where a table is sorted"


TABLE = """<!DOCTYPE html><html lang="{lang}">
<table class="sortable"><thead><tr><th>x</th></tr></thead><tbody>{rows}</tbody></table>
<script>{script}</script></html>"""


@pytest.mark.parametrize(
    ("lang", "written", "rising"),
    [
        ("en", ["1,200", "0.5 [0.4, 0.6]", "-0.010", "+0.020 (no interval)"], [2, 3, 1, 0]),
        ("en", ["> 2 [all > 2]", "2 [1, 2]", "< 0.001", "0.001", "0.0005"], [4, 2, 3, 1, 0]),
        ("en", ["night/10 (test)", "night/2 (test)", "clean (val)"], [2, 1, 0]),
        ("en", ["100cc", "17bb", "2e5f00"], [2, 1, 0]),
        ("en", ["-not measured", "0.9", "-not defined", "0.1"], [3, 1, 0, 2]),
        ("fr", ["0,748", "1,2", "12\u202f345", "3"], [0, 1, 3, 2]),
    ],
    ids=["numbers", "beyond", "variants", "hashes", "missing", "another language"],
)
def test_cells_sort_as_a_reader_would(open_page: Open, lang: str, written: list[str], rising: list[int]) -> None:
    """A cell that starts with a minus and a letter stands for one that is missing, which comes last both ways."""
    cells = "".join(
        f'<tr><td class="missing">{text[1:]}</td></tr>'
        if text[:2] == "-n"
        else f"<tr><td>{escaping.escape(text)}</td></tr>"
        for text in written
    )
    page = open_page(TABLE.format(lang=lang, rows=cells, script=script())).page
    texts = [text.removeprefix("-") if text[:2] == "-n" else text for text in written]
    page.get_by_role("button").click()
    assert [row[0] for row in rows(page, "table")] == [texts[i] for i in rising]
    page.get_by_role("button").click()
    missing = [i for i in rising if written[i][:2] == "-n"]
    falling = [i for i in reversed(rising) if i not in missing] + missing
    assert [row[0] for row in rows(page, "table")] == [texts[i] for i in falling]
