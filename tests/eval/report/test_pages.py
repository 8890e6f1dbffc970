"""The pages people read, in a real browser: no error, nothing fetched, accessible, at any width and light, printed.

The browser is Debian's Chromium, driven by Playwright; neither is installed by the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.language import in_language
from robust.eval.report.names import report_names
from robust.eval.report.render import render_html
from robust.eval.report.tuning import build_tuning
from robust.eval.report.tuning_render import render_tuning_html, tuning_documents
from tests.eval.evidence.study_builder import grid_study

from .tuning_subjects import formula_subjects, measured_subject

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.slow

A4 = {"width": 718, "height": 1047}
"""A4 at 96 pixels an inch, within margins of 10 mm."""
LANDSCAPE = {"width": 1047, "height": 718}
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
CUT = """() => [...document.querySelectorAll("table, svg, pre, code, dl")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.tagName + " " + (one.querySelector("caption")?.textContent ?? one.textContent.slice(0, 80)))"""

ONE_OF_A_KIND = """() => {
  const kind = (one) => `${one.tagName}.${one.getAttribute("class") ?? ""}.${one.getAttribute("style") ?? ""}`;
  const seen = new Set();
  for (const row of document.querySelectorAll("tbody tr")) {
    const around = [];
    for (let one = row; one; one = one.parentElement) around.push(one);
    const marks = [...around, ...row.querySelectorAll("*")].map(kind).join(" ");
    if (seen.has(marks)) row.remove(); else seen.add(marks);
  }
  return document.querySelectorAll("tbody tr").length;
}"""
"""Leaves one row of each kind: rows of the same elements and classes, in the same places, have the same colours."""


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


@cache
def report_page(lang: str = "en") -> str:
    evidence, policy = grid_study().evidence, read_policy()
    context = build_context(evidence, policy, decide(evidence, policy), Card())
    return render_html(in_language(context, lang, report_names(evidence, policy, Card()))[0])


def french_page() -> str:
    return report_page("fr")


@cache
def tuning_page() -> str:
    return render_tuning_html(build_tuning((measured_subject(), formula_subjects()[0])))


@cache
def french_tuning_page() -> str:
    subjects = (measured_subject(), formula_subjects()[0])
    return tuning_documents(subjects, lang="fr").contents["tuning.html"].decode("utf-8")


PAGES = {"report": report_page, "french": french_page, "tuning": tuning_page, "french tuning": french_tuning_page}


@pytest.fixture(scope="module", params=PAGES.values(), ids=PAGES)
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make: Callable[[], str] = request.param
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(make(), encoding="utf-8")
    return path


class Visit:
    """A page that was opened, and what it complained of or asked for."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda one: None if one.url == url or _inline(one.url) else self.faults.append(one.url))
        self.page.goto(url)


def _inline(url: str) -> bool:
    return url.startswith(("data:", "about:"))


def visit(browser: Browser, path: Path, size: dict[str, int], **options: Any) -> Visit:
    context = browser.new_context(viewport=size, **options)  # type: ignore[arg-type]
    return Visit(context, path.as_uri())


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_axe_finds_no_violation_and_the_page_never_scrolls_sideways(
    browser: Browser, page_file: Path, size: dict[str, int]
) -> None:
    seen = opened(browser, page_file, size, "light")
    assert violations(seen.page, {"color-contrast": {"enabled": False}}) == []
    for scheme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=scheme)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert seen.faults == []
    seen.page.context.close()


@pytest.mark.parametrize("name", ["report", "tuning"])
def test_axe_finds_enough_contrast_in_both_lights(browser: Browser, tmp_path: Path, name: str) -> None:
    """The rule that takes axe longest, so each style sheet is asked once: languages and widths share their colours."""
    (tmp_path / "page.html").write_text(PAGES[name](), encoding="utf-8")
    seen = opened(browser, tmp_path / "page.html", WIDE, "light")
    assert seen.page.evaluate(ONE_OF_A_KIND) >= 8
    for scheme in ("light", "dark"):
        seen.page.emulate_media(color_scheme=scheme)
        colours = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (min(map(int, re.findall(r"\d+", colours)[:3])) > 200) == (scheme == "light"), colours
        assert violations(seen.page, None, "color-contrast") == []
    seen.page.context.close()


def opened(browser: Browser, path: Path, size: dict[str, int], scheme: str) -> Visit:
    """Visit a page with all its folded parts open, without its policy: axe is a script that we bring."""
    seen = visit(browser, path, size, color_scheme=scheme, bypass_csp=True)
    seen.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return seen


def violations(page: Page, rules: dict[str, Any] | None, *only: str) -> list[str]:
    """What axe complains of, with all of its rules but those switched off, or with some of them only."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    asked = {"runOnly": list(only)} if only else {"rules": rules}
    answer = axe.Axe().run(page, options={"resultTypes": ["violations"], **asked}).response  # all else is slow to send
    assert answer["passes"], "axe looked at something"
    found = [(one, node["html"][:160]) for one in answer["violations"] for node in one["nodes"][:2]]
    return [f"{one['id']}: {one['help']} ({place})" for one, place in found]


def test_nothing_is_fetched_and_nothing_is_logged_with_the_policy_of_the_page_in_force(
    browser: Browser, page_file: Path
) -> None:
    seen = visit(browser, page_file, WIDE)
    seen.page.wait_for_timeout(200)
    assert seen.faults == []
    seen.page.context.close()


def test_everything_can_be_read_without_scripts(browser: Browser, page_file: Path) -> None:
    """What a script adds are controls; no table, no chart and no sentence depends on it."""
    texts = []
    for enabled in (True, False):
        seen = visit(browser, page_file, WIDE, java_script_enabled=enabled)
        texts.append(seen.page.locator("main table tr").all_inner_texts()[:2000])
        seen.page.context.close()
    with_scripts, without = (set(map(_letters, rows)) for rows in texts)
    assert len(without) > 20
    assert without <= with_scripts, sorted(without - with_scripts)[:5]


def _letters(text: str) -> str:
    """A row without the marks of sort buttons and without spaces."""
    return "".join(c for c in text if c.isalnum())


@pytest.mark.parametrize("size", [A4, LANDSCAPE], ids=["portrait", "landscape"])
def test_print_cuts_no_table(browser: Browser, page_file: Path, size: dict[str, int], tmp_path: Path) -> None:
    seen = visit(browser, page_file, size)
    seen.page.emulate_media(media="print")
    assert seen.page.evaluate(CUT) == []
    paper = tmp_path / "page.pdf"
    seen.page.pdf(path=str(paper), format="A4", landscape=size is LANDSCAPE)
    assert paper.read_bytes().startswith(b"%PDF-") and paper.stat().st_size > 20_000
    seen.page.context.close()


def test_the_slider_speaks_french(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(french_page(), encoding="utf-8")
    seen = visit(browser, path, WIDE)
    slider = seen.page.locator("#tuning-threshold")
    before = seen.page.locator("#tuning-table tbody tr").all_inner_texts()
    slider.evaluate("(one) => { one.value = '0.4'; one.dispatchEvent(new Event('input')); }")
    after = seen.page.locator("#tuning-table tbody tr").all_inner_texts()
    assert len(after) == len(before) > 3 and after[0] != before[0]
    caption = seen.page.locator("#tuning-caption").inner_text()
    assert "au seuil de confiance 0,4" in caption and "à IoU 0,5 (retenu" in caption
    assert all(re.search(r"\d,\d{3}", row) and not re.search(r"\d\.\d", row) for row in after)
    words = " ".join(re.findall(r"[A-Za-z]{3,}", " ".join(after)))
    assert "interval)" not in words and "not defined" not in words
    assert seen.faults == []
    seen.page.context.close()


def test_the_slider_of_the_tuning_report_says_in_french_what_its_tables_say(browser: Browser, tmp_path: Path) -> None:
    """At the chosen threshold it shows the rows of the operating table, which were translated before."""
    path = tmp_path / "page.html"
    path.write_text(french_tuning_page(), encoding="utf-8")
    seen = visit(browser, path, WIDE)
    for place in ("0", "1"):
        seen.page.locator("#tuning-candidate").select_option(place)
        moving, written = (
            [re.split(r"\t", row)[1:8] for row in seen.page.locator(f"{table} tbody tr").all_inner_texts()]
            for table in ("#tuning-table", f"#c{place} table:has(#c{place}-operating-caption)")
        )
        assert moving == written and len(moving) > 3
    assert seen.page.locator("#tuning-value").inner_text().endswith("(le seuil retenu)")
    assert seen.faults == []
    seen.page.context.close()


def test_the_page_works_in_a_sandboxed_frame(browser: Browser, page_file: Path, tmp_path: Path) -> None:
    """As MLflow shows artifacts: scripts may run; storage, popups, downloads and other files may not be had."""
    frame = tmp_path / "frame.html"
    text = page_file.read_text(encoding="utf-8").replace("&", "&amp;").replace('"', "&quot;")
    frame.write_text(f'<!DOCTYPE html><iframe sandbox="allow-scripts" srcdoc="{text}"></iframe>', encoding="utf-8")
    seen = visit(browser, frame, WIDE)
    inner = seen.page.frames[1]
    assert inner.locator("h1").inner_text()
    assert inner.locator("main table").count() > 3
    assert seen.faults == [], json.dumps(seen.faults)
    seen.page.context.close()
