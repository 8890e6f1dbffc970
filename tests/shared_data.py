"""Real images for the tests that want them; nothing in the project needs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_data(name: str) -> Path:
    """The file or folder of that name among the real data, or the test is skipped.

    It is looked for in ``data/`` of the folder that ROBUST_SHARED names, else of ``../shared`` beside the repository.
    """
    root = Path(os.environ.get("ROBUST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    path = root / "data" / name
    if not path.exists():
        pytest.skip(f"real data {name} is not here: set ROBUST_SHARED to the folder that holds data/{name}")
    return path
