"""No word of a page's templates is outside the catalogue of messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"
TRANSLATED = (
    "report.html.j2",
    "report.md.j2",
    "macros.html.j2",
    "macros.md.j2",
    "gallery.html.j2",
    "tuning.html.j2",
    "tuning.md.j2",
    "tuning_slider.html.j2",
)


@pytest.mark.parametrize("name", TRANSLATED)
def test_every_word_that_a_template_says_can_be_translated(name: str) -> None:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    text = re.sub(r"\{[{%#].*?[}%#]\}", " ", text, flags=re.DOTALL)  # what Jinja2 fills in
    text = re.sub(r"<(style|script).*?</\1>", " ", text, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
    said = re.sub(r"<[^<>]*>", " ", text)
    assert re.findall(r"[A-Za-z]{3,}", " ".join([said, *labels])) == []
