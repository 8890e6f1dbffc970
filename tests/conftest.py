"""What every test runs under: one thread, no display, no network look-ups, nobody's settings, a folder of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from robust.eval.tracking.store import Store

_FIXED = {
    "OMP_NUM_THREADS": "1",  # two pytest workers share two cores
    "MPLBACKEND": "Agg",
    "NO_COLOR": "1",
    "TZ": "UTC",
    "YOLO_OFFLINE": "1",
    "YOLO_AUTOINSTALL": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}
_KEPT = ("ROBUST_SHARED", "ROBUST_RENEW_GOLDEN")  # where the real data lies; whether to rewrite the golden reports

# Here rather than in a fixture: libraries read these once, when a test module first imports them.
for name in [name for name in os.environ if name.startswith(("ROBUST_", "MLFLOW_", "YOLO_"))]:
    if name not in _KEPT:
        del os.environ[name]
os.environ.update(_FIXED)
_SETTINGS = tempfile.TemporaryDirectory(prefix="robust-tests-")
os.environ["MPLCONFIGDIR"] = _SETTINGS.name
os.environ["YOLO_CONFIG_DIR"] = _SETTINGS.name

hypothesis.settings.register_profile("robust", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("robust")  # the same cases everywhere, and no failure because a machine is busy


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder, so that what it writes never lands in the repository."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working"))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without experiments, to be copied: making its tables takes seconds, a copy none."""
    from robust.eval.tracking.store import Store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store.open(f"sqlite:///{path.as_posix()}")
    return path


@pytest.fixture
def new_store(empty_database: Path) -> Callable[[Path], Store]:
    """Open a new store in a folder."""
    from robust.eval.tracking.store import Store

    def make(folder: Path) -> Store:
        folder.mkdir(parents=True, exist_ok=True)
        return Store.open(f"sqlite:///{shutil.copyfile(empty_database, folder / 'mlflow.db').as_posix()}")

    return make


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
