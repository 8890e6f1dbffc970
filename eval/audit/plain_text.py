"""Text for machine formats: one line, visible, nothing that XML or JSON readers choke on."""

from __future__ import annotations

import re
import unicodedata


def printable(text: str) -> str:
    """One line: line breaks become spaces; control and direction marks and what XML 1.0 refuses are spelled out."""
    flat = re.sub(r"\s+", " ", text)
    return "".join(f"\\u{ord(c):04x}" if _is_hidden(c) else c for c in flat)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"} or character in "\ufffe\uffff"
