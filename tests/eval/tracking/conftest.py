"""A fresh SQLite store for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from robust.eval.tracking.store import Store


@pytest.fixture
def store(tmp_path: Path, new_store: Callable[[Path], Store]) -> Store:
    return new_store(tmp_path)
