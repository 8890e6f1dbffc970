"""A fresh SQLite store for each test, copied from one that is made once: making one takes two seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from robust.eval.tracking.store import Store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store.open(f"sqlite:///{path.as_posix()}")
    return path


@pytest.fixture
def store(tmp_path: Path, empty_database: Path) -> Store:
    path = shutil.copyfile(empty_database, tmp_path / "mlflow.db")
    return Store.open(f"sqlite:///{path.as_posix()}")
