"""What commands print on stdout: JSON for programs, aligned tables for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import click

UNDEFINED = "-"
"""How tables show a value that could not be measured."""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):  # a pydantic record, without importing pydantic
        return value.model_dump(mode="json")
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # a NumPy scalar or array, without importing NumPy
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def echo_json(value: Any) -> None:
    """Print records, paths, NumPy values and plain values as indented JSON.

    Raises:
        ValueError: a number is NaN or infinite; undefined is None.
        TypeError: a value has no JSON form.
    """
    click.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=_plain))


def _cell(value: Any) -> str:
    if value is None:
        return UNDEFINED
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def echo_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns: None as "-", floats with three decimals, numbers to the right."""
    rows = [tuple(row) for row in rows]
    texts = [tuple(header), *(tuple(_cell(value) for value in row) for row in rows)]
    widths = [max(len(text[i]) for text in texts) for i in range(len(header))]
    right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(header))]
    for text in texts:
        cells = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(text, widths, right, strict=True))
        click.echo("  ".join(cells).rstrip())


def echo_untranslated(texts: Iterable[str]) -> None:
    """Say on stderr how many texts of a report stayed English, if any."""
    found = tuple(dict.fromkeys(texts))
    if found:
        click.echo(f"{len(found)} texts stayed English, such as: {found[0][:100]}", err=True)


def bounded_text(value: float | None, interval: Any) -> str | None:
    """``0.643 [0.512, 0.758]``; the value alone where there is no interval; None where there is no value."""
    if value is None or interval is None or interval.low is None:
        return None if value is None else f"{value:.3f}"
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
