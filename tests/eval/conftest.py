from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from robust.eval.tracking.store import Store


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without experiments; making its tables takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store.open(f"sqlite:///{path.as_posix()}")
    return path


@pytest.fixture
def new_store(empty_database: Path) -> Callable[[Path], Store]:
    """Open a new store in a folder."""

    def make(folder: Path) -> Store:
        folder.mkdir(parents=True, exist_ok=True)
        return Store.open(f"sqlite:///{shutil.copyfile(empty_database, folder / 'mlflow.db').as_posix()}")

    return make
