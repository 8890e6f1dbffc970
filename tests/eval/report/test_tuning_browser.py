"""The script of the tuning report in a real browser, inside the sandboxed frame that MLflow shows pages in."""

from __future__ import annotations

import base64
import hashlib
import html as escaping
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from robust.eval.decision.claims import bounded
from robust.eval.report.page_script import script_source
from robust.eval.report.tuning import build_tuning
from robust.eval.report.tuning_cells import TuningSubject, rate_at
from robust.eval.report.tuning_render import render_tuning_html

from .test_tuning import HOSTILE
from .tuning_subjects import formula_subjects, measured_subject, renamed

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH; install it with `apt-get install chromium`"),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    # the frame in the process of its page, whose virtual clock then waits for it however busy the machine is
    "--disable-features=IsolateSandboxedIframes",
    "--virtual-time-budget=20000",
    "--dump-dom",
)
LISTEN = """
window.faults = [];
window.addEventListener("error", (event) => window.faults.push(event.message));
document.addEventListener("securitypolicyviolation", (event) => window.faults.push(event.blockedURI));
"""
ACT = """
const byId = (id) => document.getElementById(id);
const rows = (table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
const slide = (value) => {
  byId("tuning-threshold").value = value;
  byId("tuning-threshold").dispatchEvent(new Event("input"));
};
const heading = (table, i) => table.tHead.rows[0].cells[i];
const shown = () => ({
  value: byId("tuning-value").textContent,
  rows: rows(byId("tuning-table")),
  line: document.querySelector(".candidate:not([hidden]) .here").getAttribute("x1"),
});
const press = (table, i) => heading(table, i).querySelector("button").click();
const found = {};
found.hidden = byId("explore").hidden;
found.range = ["min", "max", "step"].map((name) => byId("tuning-threshold")[name]);
found.start = shown();
slide("0.5");
found.moved = shown();
press(byId("tuning-table"), 6);
found.rising = rows(byId("tuning-table")).map((row) => row[6]);
slide("0.6");
found.still = rows(byId("tuning-table")).map((row) => row[6]);
press(byId("tuning-table"), 6);
found.falling = rows(byId("tuning-table")).map((row) => row[6]);
found.sorted = heading(byId("tuning-table"), 6).getAttribute("aria-sort");
press(byId("tuning-table"), 6);
found.unsorted = rows(byId("tuning-table")).map((row) => row[0]);
byId("tuning-reset").click();
found.reset = shown();
found.disabled = byId("tuning-reset").disabled;
const summary = document.querySelector("#summary table");
press(summary, 1);
found.summary = rows(summary).map((row) => row[1]);
found.names = [...byId("tuning-candidate").options].map((option) => option.textContent);
found.before = [...document.querySelectorAll(".candidate")].map((one) => one.hidden);
byId("tuning-candidate").value = "1";
byId("tuning-candidate").dispatchEvent(new Event("change"));
found.after = [...document.querySelectorAll(".candidate")].map((one) => one.hidden);
found.other = shown();
found.scripts = document.scripts.length;
found.faults = window.faults;
parent.postMessage(JSON.stringify(found), "*");
"""
FRAME = """<!DOCTYPE html><pre id="out">nothing</pre>
<script>addEventListener("message", (event) => { document.getElementById("out").textContent = event.data; });</script>
<iframe sandbox="allow-scripts" srcdoc="%s"></iframe>
"""


def browse(page: Path, profile: Path) -> tuple[str, str]:
    """The page as the browser leaves it, and what it logged."""
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def complaints(log: str) -> list[str]:
    """Lines of the page's console."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def allowed(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


@pytest.fixture(scope="module")
def subjects() -> tuple[TuningSubject, ...]:
    return renamed(measured_subject(), HOSTILE), formula_subjects()[0], formula_subjects()[-1]


@pytest.fixture(scope="module")
def found(subjects: tuple[TuningSubject, ...], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the page did in a frame that may run scripts and nothing else."""
    folder = tmp_path_factory.mktemp("frame")
    page = render_tuning_html(build_tuning(subjects))
    page = page.replace(script_source(), f"{script_source()} {allowed(LISTEN)} {allowed(ACT)}")
    page = page.replace("<title>", f"<script>{LISTEN}</script>\n<title>")
    page = page.replace("</body>", f"<script>{ACT}</script>\n</body>")
    (folder / "frame.html").write_text(FRAME % escaping.escape(page), encoding="utf-8")
    dom, log = browse(folder / "frame.html", folder / "profile")
    told = re.search(r'<pre id="out">(.*?)</pre>', dom, re.S)
    assert told is not None and told[1] != "nothing", log[-2000:]
    assert not complaints(log)
    return json.loads(escaping.unescape(told[1]))


def test_the_page_as_written_runs_without_a_complaint(subjects: tuple[TuningSubject, ...], tmp_path: Path) -> None:
    (tmp_path / "tuning.html").write_text(render_tuning_html(build_tuning(subjects)), encoding="utf-8")
    dom, log = browse(tmp_path / "tuning.html", tmp_path / "profile")
    assert not complaints(log)
    (explore,) = re.findall(r'<section id="explore"[^>]*>', dom)
    assert "hidden" not in explore and "<option" in dom


def test_a_script_that_the_page_does_not_know_is_not_run(subjects: tuple[TuningSubject, ...], tmp_path: Path) -> None:
    page = render_tuning_html(build_tuning(subjects)).replace("</body>", "<script>document.title='run'</script></body>")
    (tmp_path / "tuning.html").write_text(page, encoding="utf-8")
    dom, log = browse(tmp_path / "tuning.html", tmp_path / "profile")
    assert "<title>run</title>" not in dom and complaints(log), "the log must show what the other tests rely on"


def test_the_slider_starts_at_the_chosen_threshold_of_the_sweep(found: Any, subjects: Any) -> None:
    assert found["hidden"] is False and found["range"] == ["0.30", "0.80", "0.01"]
    assert found["start"]["value"] == f"{subjects[0].chosen:.2f} (the chosen one)"


def rows_at(subject: TuningSubject, threshold: float) -> list[list[str]]:
    place = subject.thresholds.index(threshold)
    rows = []
    for curve in subject.curves:
        counts = (curve.tp, curve.fp, tuple(curve.n_objects - tp for tp in curve.tp))
        changes = [c[place] - c[subject.at or 0] for c in counts]
        texts = [
            f"{c[place]:,}" + (f" ({change:+d})" if change else "") for c, change in zip(counts, changes, strict=True)
        ]
        note = curve.bands.note.split(";")[0] if curve.bands and "very small" in curve.bands.note else ""
        note = note or ("" if curve.bands else "no intervals were computed")
        label = subject.label(curve) + (f": {note}" if note else "")
        rows.append(
            [label, *(bounded(rate_at(curve, r, place)) for r in ("precision", "recall", "f1", "fppi")), *texts]
        )
    return rows


def test_moving_the_slider_moves_every_variant_to_what_was_measured_there(found: Any, subjects: Any) -> None:
    assert found["start"]["rows"] == rows_at(subjects[0], subjects[0].chosen)
    assert found["moved"]["rows"] == rows_at(subjects[0], 0.5)
    assert found["moved"]["value"] == f"0.50 (chosen: {subjects[0].chosen:.2f})"
    assert found["reset"] == found["start"] and found["disabled"] is True


def test_a_line_in_the_charts_moves_along(found: Any) -> None:
    assert float(found["moved"]["line"]) == pytest.approx(46 + 0.2 / 0.5 * (420 - 18 - 46), abs=0.1)
    assert found["moved"]["line"] != found["start"]["line"]


def number(text: str) -> float:
    return float(re.sub(r" .*|,", "", text))


def test_a_heading_sorts_rising_then_falling_then_as_it_was_also_while_sliding(found: Any, subjects: Any) -> None:
    for name in ("rising", "still"):
        assert [number(t) for t in found[name]] == sorted(number(t) for t in found[name])
    assert [number(t) for t in found["falling"]] == sorted((number(t) for t in found["still"]), reverse=True)
    assert found["rising"] != found["still"] and found["sorted"] == "descending"
    assert found["unsorted"] == [row[0] for row in rows_at(subjects[0], 0.6)]
    assert [float(t) for t in found["summary"]] == sorted(float(t) for t in found["summary"])


def test_another_candidate_comes_with_its_own_numbers(found: Any, subjects: Any) -> None:
    assert found["before"] == [False, True, True] and found["after"] == [True, False, True]
    assert found["other"]["rows"] == rows_at(subjects[1], subjects[1].chosen)
    assert found["names"][1:] == [subjects[1].name, f"{subjects[2].name} (baseline)"]


def test_hostile_names_run_nothing(found: Any) -> None:
    assert found["names"][0].startswith("</script><script>alert(1)</script>")
    assert found["scripts"] == 4 and found["faults"] == []  # data, its own, and the two of this test
