"""The report as PDF/A-3, from the page itself: tagged, with the evidence attached. The only module with WeasyPrint.

The same page, version of WeasyPrint, fonts and libraries give the same bytes; other versions or fonts give other ones.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from importlib import resources
from typing import TYPE_CHECKING, Any

from robust.errors import IntegrityError, RobustError, UsageError
from robust.eval.report.svg_rules import svg_rules

if TYPE_CHECKING:
    from types import ModuleType

PDF = "report.pdf"
VARIANT = "pdf/a-3u"
"""ISO 19005-3, level U. The document is tagged too, but level A asks for more of the tags than WeasyPrint keeps to."""
RELATIONS = {"evidence.json": "Data", "decision.json": "Supplement"}
"""What is attached, and what it is to the document (ISO 32000-2, table 43)."""
SVG_RULES = """
text { font-family: Arial, "Liberation Sans", "DejaVu Sans", sans-serif }
image { image-rendering: crisp-edges }
"""
"""Letters as in the rest of the page; pictures without interpolation, which PDF/A forbids (ISO 19005-3, 6.2.8)."""
NO_DAY = date(1970, 1, 1)
"""Attached files must have a date (ISO 19005-3, 6.8); a report that depends on no day has this one."""


def require_printer() -> ModuleType:
    """The library that writes PDF.

    Raises:
        UsageError: it, or a library of the system that it needs, is not installed.
    """
    try:
        import weasyprint
    except ImportError as error:
        raise UsageError(
            "A PDF needs WeasyPrint, which is not installed.",
            str(error),
            'Install it with pip install "robust-detection[pdf]", or leave --pdf out: report.html prints well.',
        ) from error
    except OSError as error:
        raise UsageError(
            "WeasyPrint cannot load Pango, with which it lays out text.",
            str(error).partition("\n")[0],
            "Install it, on Debian and Ubuntu with: apt-get install libpango-1.0-0 libpangoft2-1.0-0",
        ) from error
    found: ModuleType = weasyprint
    return found


def to_pdf(page: str, attached: Mapping[str, bytes], day: date | None = None) -> bytes:
    """Print a report.

    Args:
        page: The HTML document.
        attached: Content of each file named in `RELATIONS`.
        day: That the decision rests on; the date of the attached files.

    Raises:
        UsageError: WeasyPrint is not installed.
        IntegrityError: the page asks for something that is not in it; nothing is ever fetched.
        RobustError: a part of the page would be missing.
    """
    printer = require_printer()
    refused: list[str] = []

    class Inside(printer.URLFetcher):  # type: ignore[misc, name-defined]
        """Gives what stands in the page itself, as ``data:``, and nothing else."""

        def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
            if not url.lower().startswith("data:"):
                refused.append(url)
                raise ValueError(f"refused: {url}")
            return super().fetch(url, headers)

    fetcher = Inside(allowed_protocols=("data",), allow_redirects=False)
    templates = resources.files("robust.templates")
    css = "".join((templates / name).read_text(encoding="utf-8") for name in ("report.css", "gallery.css"))
    moment = datetime.combine(day or NO_DAY, datetime.min.time(), UTC)
    files = [
        printer.Attachment(
            string=attached[name], name=name, relationship=relation, created=moment, modified=moment,
            url_fetcher=fetcher,
        )
        for name, relation in RELATIONS.items()
    ]  # fmt: skip
    paper = (templates / "pdf.css").read_text(encoding="utf-8")
    with _Troubles() as troubles:
        made = _written(printer, for_paper(page, paper, f"{svg_rules(css)}{SVG_RULES}"), fetcher, files)
    if refused:
        raise IntegrityError("The page asks for something that is not in it.", f"It names {refused[0][:200]}.")
    if troubles.told:
        raise RobustError("The report cannot be printed whole.", troubles.told[0][:200], "Leave --pdf out.")
    return made


def _written(printer: ModuleType, page: str, fetcher: Any, files: list[Any]) -> bytes:
    made: bytes = printer.HTML(string=page, url_fetcher=fetcher).write_pdf(
        pdf_variant=VARIANT, pdf_tags=True, attachments=files, finisher=_attach_once
    )
    return made


class _Troubles(logging.Handler):
    """Hears what WeasyPrint leaves out, which it only logs: a chart that it cannot read, a link that leads nowhere.

    Its warnings are about rules for browsers that it does not know, and are kept from the terminal.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []
        self._logger = logging.getLogger("weasyprint")
        self._passed_on = self._logger.propagate

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an error."""
        self.told.append(record.getMessage())

    def __enter__(self) -> _Troubles:
        self._logger.addHandler(self)
        self._logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._passed_on


def _attach_once(_: Any, document: Any) -> None:
    """Name each attached file once; WeasyPrint 70 does so twice."""
    document.catalog["AF"][:] = dict.fromkeys(document.catalog["AF"])


def printed_again(content: bytes, page: str, attached: Mapping[str, bytes], day: date | None) -> bool | None:
    """Whether printing the page again gives the same bytes; None when WeasyPrint is not installed.

    A different result proves nothing: another version of WeasyPrint, Pango or zlib, or other fonts, give it too.
    """
    try:
        require_printer()
    except UsageError:
        return None
    return to_pdf(page, attached, day) == content


def for_paper(page: str, paper: str, rules: str) -> str:
    """Add a stylesheet to a page, and the rules that paint charts to each of its SVGs.

    WeasyPrint takes an SVG out of the page before it paints it, and then knows neither the page's rules nor the
    elements around it. So each gets the rules, and a group with the classes of the elements that it stood in.
    """
    painter = _Painter(paper, rules)
    painter.feed(page)
    painter.close()
    return "".join(painter.parts)


class _Painter(HTMLParser):
    """Copies a page as it is, and adds a style and a group to each SVG, after its title and description."""

    def __init__(self, paper: str, rules: str) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._paper = paper
        self._rules = rules
        self._open: list[tuple[str, str]] = []  # tag and classes
        self._waiting = False  # in an SVG, before its group

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside = self._open[-1][0] if self._open else ""
        if self._waiting and tag not in {"title", "desc"} and inside == "svg":
            around = " ".join(dict.fromkeys(name for _, names in self._open for name in names.split()))
            self.parts.append(f'<style>{self._rules}</style><g class="{around}">')
            self._waiting = False
        self.parts.append(self.get_starttag_text() or "")
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("class") or ""))
        if tag == "svg":
            self._waiting = True

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag == "head":
            self.parts.append(f"<style>{self._paper}</style>")
        if tag == "svg" and not self._waiting:
            self.parts.append("</g>")
        self._waiting = self._waiting and tag != "svg"
        if self._open:
            self._open.pop()
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")


VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"))
