"""The one script of the pages, and the words by which a page allows it and nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

SCRIPT = "interactive.js"


@cache
def script() -> str:
    """The script of the page, without a surrounding line break, as it stands between its tags."""
    return resources.files("robust.templates").joinpath(SCRIPT).read_text(encoding="utf-8").strip()


def script_source() -> str:
    """What the page's content security policy allows: this script and nothing else.

    Source: W3C Content Security Policy Level 3, section 6.7.3.3 (hash of the element's text).
    """
    digest = hashlib.sha256(script().encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
