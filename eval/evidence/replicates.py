"""Replicates: the bootstrap values behind the intervals, kept so that any two models can be compared afterwards.

Candidates are evaluated one at a time, often on different days. Since all of them are weighted by the same draws of the
same images, the difference of two stored columns is the paired difference: no prediction has to be read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.errors import IntegrityError
from robust.eval.engine.tables import read_table, write_table
from robust.eval.metrics.resampling import Resampling

_KIND = "replicates"
_LEFT_OUT = "left out"
_BETWEEN = "|"

Key = tuple[str, str, str]
"""Split, variant, metric."""


@dataclass(frozen=True, eq=False)
class Replicates:
    """All replicates of one candidate.

    Attributes:
        resampling: How they were drawn.
        n_units: Stream (split or recorded set) -> independent units that were drawn.
        values: (split, variant, metric) -> float64 (B,), NaN where undefined in a replicate.
        left_out: The same, measured on the images that each replicate did not draw; only where models are selected.
    """

    resampling: Resampling
    n_units: Mapping[str, int]
    values: Mapping[Key, NDArray[np.float64]]
    left_out: Mapping[Key, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, column in (*self.values.items(), *self.left_out.items()):
            if column.shape != (self.resampling.replicates,):
                raise ValueError(f"{key} has {column.shape} replicates, not {self.resampling.replicates}")

    def get(self, split: str, variant: str, metric: str) -> NDArray[np.float64] | None:
        """One column; None when it was not measured."""
        return self.values.get((split, variant, metric))

    def with_values(self, changed: Mapping[Key, NDArray[np.float64]]) -> Replicates:
        """The same with other columns in the place of those that have the same key."""
        return Replicates(self.resampling, self.n_units, {**self.values, **changed}, self.left_out)


def replicates_to_bytes(replicates: Replicates) -> bytes:
    """Serialise replicates: one float32 column each, which is finer than their Monte Carlo error by far."""
    columns = {_BETWEEN.join(key): column.astype(np.float32) for key, column in replicates.values.items()}
    columns |= {
        _BETWEEN.join((*key, _LEFT_OUT)): column.astype(np.float32) for key, column in replicates.left_out.items()
    }
    meta = {
        "kind": _KIND,
        "resampling": replicates.resampling.model_dump(mode="json"),
        "n_units": dict(replicates.n_units),
    }
    return write_table(columns, meta)


def read_replicates(source: Path | bytes) -> Replicates:
    """Read replicates.

    Raises:
        IntegrityError: the file is damaged or of another kind.
    """
    columns, meta = read_table(source, _KIND)
    values: dict[Key, NDArray[np.float64]] = {}
    left_out: dict[Key, NDArray[np.float64]] = {}
    try:
        for name, column in columns.items():
            split, variant, metric, *rest = name.split(_BETWEEN)
            (left_out if rest == [_LEFT_OUT] else values)[split, variant, metric] = column.astype(np.float64)
        return Replicates(Resampling.model_validate(meta["resampling"]), meta["n_units"], values, left_out)
    except (KeyError, ValueError) as error:
        raise IntegrityError("The replicates are damaged.", str(error), "Run `robust eval` again.") from error
