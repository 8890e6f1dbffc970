"""Bands of rows, for work that goes over a picture several times: a band at a time stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

_ROWS = 32


def bands(height: int) -> Iterator[slice]:
    """Cut ``height`` rows into slices of 32 from the top; the last may be shorter."""
    for top in range(0, height, _ROWS):
        yield slice(top, min(top + _ROWS, height))
