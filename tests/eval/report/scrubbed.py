"""A report without its look: for comparing what it says, in which order, and where its links lead.

Taken out are stylesheets and scripts, classes, the geometry of drawings, and indentation. Versions get a placeholder.
Every hash becomes a number, by its first appearance, so that the same hash in two places stays the same.
"""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser

from robust import __version__

_DRAWN = ("transform", "text-anchor", "fill", "d", "points", "viewbox", "width", "height", "r")
_PLACES = ("x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "cx", "cy")
WRITER = f"robust {__version__}"
LOOK = frozenset(("class", "style", *_DRAWN, *_PLACES))
SHAPES = frozenset(("g", "line", "path", "polyline", "polygon", "rect", "circle"))
"""Drawn, with nothing to read but a title in them."""
_HASH = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{12})(?![0-9a-zA-Z])")
_SOURCE = re.compile(r"'sha(256|384|512)-[A-Za-z0-9+/]+=*'")


def scrub_html(page: str) -> str:
    """What a page says, in the lines of its template that say something."""
    scrubber = _Scrubber()
    scrubber.feed(page)
    scrubber.close()
    text = _SOURCE.sub("'sha-HASH'", "".join(scrubber.parts))
    return _numbered(_plain(re.sub(r"[ \t]+", " ", text)))


def scrub_markdown(text: str) -> str:
    """What the Markdown says; every space and empty line of it, which have a meaning there."""
    return _numbered(text.replace(WRITER, "robust VERSION"))


def _plain(text: str) -> str:
    lines = (line.strip() for line in text.replace(WRITER, "robust VERSION").splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def _numbered(text: str) -> str:
    seen: dict[str, str] = {}
    return _HASH.sub(lambda found: seen.setdefault(found[0], f"HASH-{len(seen) + 1}"), text)


class _Scrubber(HTMLParser):
    """Copies a page without what only concerns its look."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._inside = ""  # of which element the text is no prose: style, script, or the kind of its data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = [(name, value) for name, value in attrs if name not in LOOK]
        if tag not in SHAPES:
            told = "".join(f" {name}" if value is None else f' {name}="{_escaped(value)}"' for name, value in kept)
            self.parts.append(f"<{tag}{told}>")
        if tag in {"style", "script"}:
            self._inside = "data" if dict(attrs).get("type") == "application/json" else tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in SHAPES:
            self.parts.append(f"</{tag}>")
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "data":  # numbers that a script reads: long, and judged by tests of their own
            self.parts.append(f"{len(data)} characters, {hashlib.sha256(data.encode()).hexdigest()[:10]}")
        elif not self._inside:
            self.parts.append(data)

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self.parts.append(f"<!{decl}>")


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
