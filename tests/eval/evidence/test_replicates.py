from __future__ import annotations

import numpy as np
import pytest

from robust.errors import IntegrityError
from robust.eval.engine.tables import write_table
from robust.eval.evidence.replicates import Replicates, read_replicates, replicates_to_bytes
from robust.eval.metrics.resampling import Resampling

DRAWN = Resampling(seed=3, replicates=100)
COLUMN = np.linspace(0.1, 0.9, 100)


def test_replicates_come_back_as_they_were_stored() -> None:
    undefined = np.where(COLUMN > 0.5, np.nan, COLUMN)
    stored = Replicates(
        DRAWN,
        {"test": 48},
        {("test", "night/3", "AP50"): COLUMN, ("test", "clean", "recall"): undefined},
        {("val", "clean", "AP50"): COLUMN / 2},
    )
    read = read_replicates(replicates_to_bytes(stored))
    assert (read.resampling, read.n_units) == (DRAWN, {"test": 48})
    assert read.values.keys() == stored.values.keys() and read.left_out.keys() == stored.left_out.keys()
    for key, column in stored.values.items():
        np.testing.assert_allclose(read.values[key], column, rtol=1e-7)
    np.testing.assert_allclose(read.left_out["val", "clean", "AP50"], COLUMN / 2, rtol=1e-7)
    assert read.get("test", "fog/1", "AP50") is None


def test_the_same_replicates_give_the_same_bytes() -> None:
    stored = Replicates(DRAWN, {"test": 48}, {("test", "clean", "AP"): COLUMN})
    assert replicates_to_bytes(stored) == replicates_to_bytes(read_replicates(replicates_to_bytes(stored)))


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="99"):
        Replicates(DRAWN, {}, {("test", "clean", "AP"): COLUMN[:99]})


@pytest.mark.parametrize(
    ("columns", "meta"),
    [
        ({"no key": COLUMN}, {"kind": "replicates", "resampling": DRAWN.model_dump(), "n_units": {}}),
        ({"a|b|c": COLUMN}, {"kind": "replicates", "n_units": {}}),
        ({"a|b|c": COLUMN}, {"kind": "predictions"}),
        ({"a|b|c": COLUMN[:50]}, {"kind": "replicates", "resampling": DRAWN.model_dump(), "n_units": {}}),
    ],
)
def test_damaged_files_are_refused(columns: dict[str, np.ndarray], meta: dict[str, object]) -> None:
    with pytest.raises(IntegrityError):
        read_replicates(write_table(columns, meta))
