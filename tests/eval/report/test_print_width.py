"""The report on paper, laid out by a real browser: nothing is cut off at the right."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.render import render_html
from tests.eval.evidence_builder import build_evidence, change_candidates
from tests.eval.evidence_changes import with_intervals

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH; install it with `apt-get install chromium`"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
A4_INSIDE = 687
"""Width of A4 less the margins of the page rule, in CSS pixels: (210 - 28) mm."""
MEASURE = """
<script>
const wide = [...document.querySelectorAll("table, figure, dl, ul, p")].filter((one) => {
  return one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.tagName + ": " + one.textContent.trim().slice(0, 60));
const n = document.querySelectorAll("table").length;
document.body.innerHTML = "<pre id=out></pre>";
document.getElementById("out").textContent = JSON.stringify({wide, n, width: innerWidth});
</script>
"""


def renamed(evidence: Evidence) -> Evidence:
    """With names as long as people make them, without a place to break."""

    def rename(c: CandidateEvidence) -> CandidateEvidence:
        label = "yolo11x_person_detector_finetuned_1280_" + c.configuration.label.replace(" ", "_")
        name = "yolo11x_person_detector_finetuned_e100_imgsz1280_augmented_" + c.name
        return c.model_copy(update={"name": name, "configuration": c.configuration.model_copy(update={"label": label})})

    return change_candidates(evidence, rename)


def on_paper(evidence: Evidence, folder: Path) -> dict[str, object]:
    """What is wider than the paper, with the rules for paper applied to a frame of its width."""
    policy = read_policy()
    page = render_html(build_context(evidence, policy, decide(evidence, policy), Card()))
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page).replace("@media print", "@media all")
    (folder / "page.html").write_text(page.replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    frame = f'<iframe src="page.html" style="width:{A4_INSIDE}px;height:900px;border:0"></iframe>'
    listen = (
        "<pre id=told></pre><script>const frame = document.querySelector('iframe'); frame.onload = () => { "
        "document.getElementById('told').textContent = frame.contentDocument.getElementById('out').textContent; };"
        "</script>"
    )
    (folder / "frame.html").write_text(frame + listen, encoding="utf-8")
    flags = (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--allow-file-access-from-files")
    done = subprocess.run(
        [str(BROWSER), *flags, "--window-size=1000,1200", "--virtual-time-budget=20000", "--dump-dom",
         (folder / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    told = re.search(r'<pre id="told">(.+?)</pre>', done.stdout, re.S)
    assert told is not None, done.stderr[-1000:]
    found: dict[str, object] = json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return found


@pytest.mark.parametrize("make", [with_intervals, lambda e: renamed(with_intervals(e))], ids=["usual", "long names"])
def test_no_table_or_chart_is_wider_than_a_printed_page(make: object, tmp_path: Path) -> None:
    assert callable(make)
    found = on_paper(make(build_evidence()), tmp_path)
    assert found["width"] == A4_INSIDE and isinstance(found["n"], int) and found["n"] > 15
    assert found["wide"] == []
