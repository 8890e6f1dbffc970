"""The report as PDF: what it holds, that it fetches nothing, and what happens without WeasyPrint."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zlib
from datetime import date
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from robust.cli import robust
from robust.errors import IntegrityError, RobustError, UsageError
from robust.eval.decision.policy import read_policy
from robust.eval.gallery import draw_gallery
from robust.eval.report import files, pdf
from robust.eval.report.card import Card
from robust.eval.report.files import ReportFiles, verify_report, write_report
from robust.eval.report.pdf import for_paper, require_printer, to_pdf
from robust.eval.report.svg_rules import svg_rules
from robust.eval.verify import verify
from tests.eval.evidence_builder import build_evidence
from tests.eval.evidence_changes import with_intervals
from tests.eval.gallery_case import build_case
from tests.eval.report.test_print_width import renamed
from tests.eval.report.written import policy_for, small_evidence

HOSTILE = '<img src="http://192.0.2.1/x.png"> <script>alert(1)</script> &amp; "\'>'
REPOSITORY = Path(__file__).parents[3]


# --- the page, made ready for paper: no library needed ---


def test_rules_for_charts_have_values_instead_of_variables_and_those_for_paper_win() -> None:
    css = """
    :root { --ink: #111; --line: red } /* a { fill: blue } */
    @media (prefers-color-scheme: dark) { :root { --ink: white } path { fill: black } }
    .axis { stroke: var(--ink); stroke-width: 2; margin: 0 } p { margin: 0 } path:hover { fill: red }
    .label { fill: var(--line); stroke: white; paint-order: stroke; font-size: 12px }
    @media print { :root { --line: green } .bar path { fill: var(--line) } }
    """
    assert svg_rules(css).splitlines() == [
        ".axis { stroke: #111; stroke-width: 2 }",
        ".label { fill: green; font-size: 12px }",
        ".bar path { fill: green }",
    ]


def test_every_series_of_the_real_stylesheet_keeps_its_colour_and_no_variable_is_left() -> None:
    css = (resources.files("robust.templates") / "report.css").read_text(encoding="utf-8")
    rules = svg_rules(css)
    assert "var(" not in rules and "{}" not in rules
    found = dict(re.findall(r"^\.series-([a-e]) \{ color: (#[0-9a-f]{6}) \}$", rules, re.M))
    assert sorted(found) == list("abcde") and len(set(found.values())) == 5


def test_each_svg_gets_the_rules_and_the_classes_around_it_and_nothing_else_changes() -> None:
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><title>a &amp; b</title><script>if (1 < 2) "</p>"</script></head>'
        '<body><figure class="chart small"><svg viewBox="0 0 1 1"><title>T</title><desc>D</desc><path d="M0 0"/>'
        '</svg><ul class="legend"><li><svg><line x1="0"/></svg>&lt;b&gt; &#34;<br>x</li></ul></figure>'
        "<p>&lt;svg&gt;&lt;/svg&gt;</p><svg></svg></body></html>\n"
    )
    made = for_paper(page, "p { margin: 0 }", "path { fill: red }")
    opened = re.findall(r'<style>path \{ fill: red \}</style><g class="([^"]*)">', made)
    assert opened == ["chart small", "chart small legend"]
    assert '<desc>D</desc><style>path { fill: red }</style><g class="chart small"><path' in made
    assert "<style>p { margin: 0 }</style></head>" in made
    bare = re.sub(r'<style>path \{ fill: red \}</style><g class="[^"]*">', "", made).replace("</g></svg>", "</svg>")
    assert bare.replace("<style>p { margin: 0 }</style>", "") == page


# --- without WeasyPrint ---


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write some bytes in the place of a PDF, so that everything around them is tried without WeasyPrint."""
    monkeypatch.setattr(files, "to_pdf", lambda page, attached, day: b"%PDF-1.7\n" + page.encode())


def write(folder: Path, *, printed: bool = True, card: Card | None = None) -> ReportFiles:
    return write_report(small_evidence(), policy_for("PROMOTE"), card or Card(owner="Zoë"), folder, pdf=printed)


def test_the_missing_extra_is_told_before_anything_is_read_or_written(nothing_installed: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["report", "--evidence", str(tmp_path / "no such file.json"), "--pdf", "-o", str(out)]
    told = CliRunner().invoke(robust, command)
    assert told.exit_code == 2 and 'pip install "robust-detection[pdf]"' in told.stderr
    assert not out.exists()
    with pytest.raises(UsageError, match="WeasyPrint"):
        write(out)
    assert not out.exists()


def test_a_missing_library_of_the_system_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\\nand more\")\n")
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="apt-get install libpango") as caught:
        require_printer()
    assert len(str(caught.value).splitlines()) == 3


def test_a_pdf_verifies_by_its_hash_where_it_cannot_be_printed(
    pretended: None, nothing_installed: None, tmp_path: Path
) -> None:
    made = write(tmp_path)
    assert made.pdf == tmp_path / "report.pdf" and made.pdf.is_file()
    listed = json.loads(made.manifest.read_text())["files"]["report.pdf"]
    assert listed["sha256"] == hashlib.sha256(made.pdf.read_bytes()).hexdigest()
    found = verify(tmp_path)
    assert "report.pdf" in found.files
    assert found.not_checked[0].startswith("report.pdf beyond its hash; it was not printed again: WeasyPrint is not")
    assert not any("report.pdf" in words for words in found.checked)


@pytest.mark.parametrize("same", [True, False])
def test_other_bytes_of_another_weasyprint_are_told_and_are_no_error(
    pretended: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    write(tmp_path)
    printed = (tmp_path / "report.pdf").read_bytes()
    monkeypatch.setattr(pdf, "require_printer", lambda: None)
    monkeypatch.setattr(pdf, "to_pdf", lambda page, attached, day: printed if same else printed + b"other fonts")
    found = verify(tmp_path)
    assert [any(w.startswith("report.pdf") for w in words) for words in (found.checked, found.not_checked)] == [
        same,
        not same,
    ]


def test_one_changed_byte_of_a_pdf_is_found(pretended: None, tmp_path: Path) -> None:
    path = write(tmp_path).folder / "report.pdf"
    path.write_bytes(path.read_bytes().replace(b"PROMOTE", b"PROMOTF", 1))
    with pytest.raises(IntegrityError, match=r"report\.pdf"):
        verify_report(tmp_path)
    path.unlink()
    with pytest.raises(IntegrityError, match=r"report\.pdf is missing"):
        verify_report(tmp_path)


def test_a_pdf_of_another_report_is_removed_and_one_that_was_put_there_is_refused(
    pretended: None, tmp_path: Path
) -> None:
    write(tmp_path)
    write(tmp_path, printed=False)
    assert not (tmp_path / "report.pdf").exists()
    assert "report.pdf" not in verify_report(tmp_path).files
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 says PROMOTE")
    with pytest.raises(IntegrityError, match=r"report\.pdf is no file of this report"):
        verify_report(tmp_path)


# --- with WeasyPrint ---


def needs_printer() -> None:
    """Skip where WeasyPrint or Pango is missing, and say how to get it; in CI both are there."""
    try:
        require_printer()
    except UsageError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error.what} {error.fix}")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    needs_printer()
    card = Card(owner=HOSTILE, purpose=HOSTILE, reviewers=(HOSTILE,))
    return write(tmp_path_factory.mktemp("printed"), card=card)


def streams(content: bytes) -> list[tuple[bytes, bytes]]:
    """Dictionary and content of each stream object of a PDF (ISO 32000-1, 7.3.8), read by hand."""
    found = []
    for match in re.finditer(rb"\d+ 0 obj\n<<(.*?)>>\nstream\n", content, re.S):
        length = re.search(rb"/Length (\d+)", match[1])
        assert length is not None
        data = content[match.end() : match.end() + int(length[1])]
        found.append((match[1], zlib.decompress(data) if b"/FlateDecode" in match[1] else data))
    return found


def objects(content: bytes) -> bytes:
    """The objects that are packed into streams (ISO 32000-1, 7.5.7), one after another."""
    return b"\n".join(data for head, data in streams(content) if b"/ObjStm" in head)


@pytest.mark.slow
def test_the_attached_files_are_those_beside_it_byte_for_byte(printed: ReportFiles) -> None:
    assert printed.pdf is not None
    found = [data for head, data in streams(printed.pdf.read_bytes()) if b"/EmbeddedFile" in head]
    names = ("evidence.json", "decision.json")
    assert found == [(printed.folder / name).read_bytes() for name in names]
    packed = objects(printed.pdf.read_bytes())
    assert all(b"(" + name.encode() + b")" in packed for name in names)
    assert re.findall(rb"/AFRelationship /(\w+)", packed) == [b"Data", b"Supplement"]
    assert re.search(rb"/AF \[\d+ 0 R \d+ 0 R\]", packed)


@pytest.mark.slow
def test_it_says_pdf_a_3_and_has_what_that_asks_for(printed: ReportFiles) -> None:
    assert printed.pdf is not None
    content = printed.pdf.read_bytes()
    told = next(data for head, data in streams(content) if b"/Metadata" in head).decode()
    assert 'pdfaid:part="3"' in told and 'pdfaid:conformance="U"' in told
    assert '<rdf:li xml:lang="x-default">Promotion decision: PROMOTE' in told
    packed = objects(content)
    assert b"/GTS_PDFA1" in packed and b"/ID [" in content
    descriptors = re.findall(rb"/Type /FontDescriptor.*?>>", packed, re.S)
    assert len(descriptors) >= 3 and all(b"/FontFile" in one for one in descriptors)
    for forbidden in (b"/Interpolate true", b"/Encrypt", b"/JavaScript", b"/JS ", b"/Launch", b"/URI"):
        assert forbidden not in packed + content


@pytest.mark.slow
def test_it_is_tagged_has_a_language_and_its_headings_are_in_the_outline(printed: ReportFiles) -> None:
    assert printed.pdf is not None
    packed = objects(printed.pdf.read_bytes())
    assert b"/Marked true" in packed and b"/StructTreeRoot" in packed and b"/Lang (en)" in packed
    page = printed.html.read_text(encoding="utf-8")
    headings = re.findall(r"<h[123]>(.*?)</h[123]>", page)
    assert packed.count(b"/Title (") >= len(headings) > 20
    for tag in (b"H1", b"H2", b"H3", b"Table", b"TH", b"TD", b"Figure", b"Caption"):
        assert b"/S /" + tag + b"\n" in packed or b"/S /" + tag + b"/" in packed, tag
    described = re.findall(r"<title id=\"[^\"]+-title\">([^<]+)</title>", page)
    assert described and packed.count(b"/Alt (") >= len(described)


PRINT_AGAIN = """
import sys
from pathlib import Path
from robust.eval.report.pdf import RELATIONS, to_pdf
folder = Path(sys.argv[1])
attached = {name: (folder / name).read_bytes() for name in RELATIONS}
made = to_pdf((folder / "report.html").read_text(encoding="utf-8"), attached)
sys.stdout.buffer.write(made)
"""


@pytest.mark.slow
def test_another_process_language_and_time_zone_print_the_same_bytes(printed: ReportFiles, tmp_path: Path) -> None:
    assert printed.pdf is not None
    elsewhere = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Pacific/Auckland"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", PRINT_AGAIN, str(printed.folder)],
        capture_output=True, cwd=tmp_path, env=elsewhere, timeout=300, check=True,
    )  # fmt: skip
    assert done.stdout == printed.pdf.read_bytes()
    assert verify_report(printed.folder, reprint=True).same_pdf is True


@pytest.mark.slow
def test_attached_files_have_the_day_of_the_decision(printed: ReportFiles) -> None:
    attached = {name: (printed.folder / name).read_bytes() for name in pdf.RELATIONS}
    page = "<!DOCTYPE html><html lang=en><head><title>t</title></head><body>x</body></html>"
    days = {
        day: set(re.findall(rb"/ModDate \((.*?)\)", to_pdf(page, attached, day))) for day in (None, date(2026, 12, 31))
    }
    assert days == {None: {b"D:19700101000000Z"}, date(2026, 12, 31): {b"D:20261231000000Z"}}


@pytest.mark.slow
@pytest.mark.parametrize(
    "asks",
    [
        '<img src="http://192.0.2.1/x.png">',
        '<img src="//192.0.2.1/x.png">',
        '<link rel="stylesheet" href="https://example.org/x.css">',
        '<link rel="attachment" href="file:///etc/passwd">',
        '<div style="background: url(file:///etc/passwd)">x</div>',
        '<svg viewBox="0 0 9 9"><image href="ftp://192.0.2.1/x.png" width="9" height="9"/></svg>',
        '<object data="http://192.0.2.1/"></object>',
        '<style>@import url("http://192.0.2.1/x.css");</style>',
        '<style>@font-face { font-family: x; src: url(http://192.0.2.1/x.woff) }</style>',
    ],
)  # fmt: skip
def test_a_page_that_asks_for_anything_outside_is_refused_and_nothing_is_fetched(
    printed: ReportFiles, asks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connected)
    monkeypatch.setattr(socket, "getaddrinfo", connected)
    attached = {name: (printed.folder / name).read_bytes() for name in pdf.RELATIONS}
    page = f'<!DOCTYPE html><html lang="en"><head><title>t</title></head><body>{asks}</body></html>'
    if asks.startswith('<img src="//'):
        page = page.replace("<head>", '<head><base href="http://192.0.2.1/">')
    with pytest.raises(IntegrityError, match="asks for something that is not in it"):
        to_pdf(page, attached)


@pytest.mark.slow
def test_what_people_wrote_is_text_in_the_pdf(printed: ReportFiles) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on PATH; install it with `apt-get install poppler-utils`")
    told = subprocess.run(["pdftotext", str(printed.pdf), "-"], capture_output=True, text=True, check=True).stdout
    assert HOSTILE.split(maxsplit=1)[0] in told and "alert(1)" in told


@pytest.mark.slow
def test_charts_and_pictures_are_painted_with_the_colours_of_the_page(tmp_path: Path) -> None:
    needs_printer()
    case = build_case(tmp_path / "case")
    gallery = draw_gallery(case.evidence, case.policy, "blurred", case.origin).gallery
    made = write_report(case.evidence, case.policy, Card(), tmp_path / "report", gallery=gallery, pdf=True)
    assert made.pdf is not None
    found = streams(made.pdf.read_bytes())
    painted = b"\n".join(data for head, data in found if b"/FontFile" not in head)
    for colour in ("0067a5", "c04a00", "ff9a3d", "5fe0ff"):  # two series, a missed object and a hit
        parts = " ".join(f"{round(int(colour[at : at + 2], 16) / 255, 6):g}" for at in (0, 2, 4))
        assert re.search(rf"\b{re.escape(parts)} RG".encode(), painted), colour
    pictures = [head for head, _ in found if b"/Subtype /Image" in head and b"/Width 320" in head]
    assert len(pictures) == sum(entry.picture is not None for entry in gallery.entries) == 4
    assert not any(b"/Interpolate true" in head for head in pictures)
    if shutil.which("pdftotext") is not None:
        told = subprocess.run(["pdftotext", str(made.pdf), "-"], capture_output=True, text=True, check=True).stdout
        folded = ("night/4: 2 pictures", "Names and counts", "Versions", "Recipes of the variants")
        assert [one for one in folded if one not in told] == []  # what is folded on a screen keeps its heading on paper


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken", ['<img src="data:image/png;base64,AAAA" alt="x">', '<a href="#nowhere">x</a>'], ids=["picture", "link"]
)
def test_a_part_that_would_be_missing_is_an_error_and_warnings_stay_out_of_sight(
    printed: ReportFiles, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    attached = {name: (printed.folder / name).read_bytes() for name in pdf.RELATIONS}
    page = (
        '<!DOCTYPE html><html lang="en"><head><title>t</title><style>p { accent-color: red }</style></head>'
        f"<body>{broken}</body></html>"
    )
    to_pdf(page.replace(broken, ""), attached)
    with pytest.raises(RobustError, match="cannot be printed whole"):
        to_pdf(page, attached)
    assert [one for one in caplog.records if one.name.startswith("weasyprint")] == []  # others may log in this worker


LEFT, RIGHT, TOP, BOTTOM = 14, 210 - 14, 16, 297 - 18
POINTS = 72 / 25.4


@pytest.mark.slow
def test_no_word_lies_outside_the_margins_even_with_long_names(tmp_path: Path) -> None:
    needs_printer()
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on PATH; install it with `apt-get install poppler-utils`")
    made = write_report(renamed(with_intervals(build_evidence())), read_policy(), Card(), tmp_path, pdf=True)
    command = ["pdftotext", "-bbox", str(made.pdf), "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = re.findall(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>', told)
    assert len(words) > 3000
    outside = [
        word
        for left, _, right, _, word in words
        if float(left) < LEFT * POINTS - 1 or float(right) > RIGHT * POINTS + 1
    ]
    assert outside == []
