"""The rules of a stylesheet that paint the insides of an SVG on paper, for a painter that knows no CSS variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PAINT = re.compile(r"(fill|stroke)(-[a-z]+)?|color|dominant-baseline|font-(size|weight)|text-anchor|opacity")
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_BLOCK = re.compile(r"([^{}]+)\{((?:[^{}]|\{[^{}]*\})*)\}")
_VARIABLE = re.compile(r"var\((--[a-z-]+)\)")


def svg_rules(css: str) -> str:
    """Select the rules that paint, with those for paper, and put in the value of each variable.

    Source: CSS Syntax 3; reads the stylesheets of the report, which nest one level and hold no braces in strings.
    Text outlines (``paint-order``) are left out: a painter that does not know them strokes over the letters.
    """
    rules = list(_rules(_COMMENT.sub("", css)))
    variables = {name: value for _, block in rules for name, value in block.items() if name.startswith("--")}
    found = []
    for selector, block in rules:
        outlined = "paint-order" in block
        kept = {
            name: _VARIABLE.sub(lambda use: variables[use[1]], value)
            for name, value in block.items()
            if _PAINT.fullmatch(name) and not (outlined and name.startswith("stroke"))
        }
        if kept and ":" not in selector:
            found.append(f"{selector} {{ {'; '.join(f'{name}: {value}' for name, value in kept.items())} }}")
    return "\n".join(found)


def _rules(css: str) -> Iterator[tuple[str, dict[str, str]]]:
    for match in _BLOCK.finditer(css):
        prelude, body = match[1].strip(), match[2]
        if not prelude.startswith("@"):
            declared = (part.partition(":") for part in body.split(";") if ":" in part)
            yield prelude, {name.strip(): value.strip() for name, _, value in declared}
        elif prelude == "@media print":
            yield from _rules(body)
