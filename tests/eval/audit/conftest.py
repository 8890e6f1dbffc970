"""The two studies, each logged once into a real store."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from robust.eval.audit.facts import ExperimentFacts
from robust.eval.audit_run import read_facts
from robust.eval.tracking.store import Store
from tests.eval.audit import seed_study


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Store:
    folder = tmp_path_factory.mktemp("studies")
    store = Store.open(f"sqlite:///{shutil.copyfile(empty_database, folder / 'mlflow.db').as_posix()}")
    seed_study.write_seed_study(store)
    (folder / "best.pt").write_bytes(b"weights, which nobody reads")
    seed_study.write_sound_study(store, folder / "best.pt")
    return store


@pytest.fixture(scope="session")
def seed_facts(studies: Store) -> ExperimentFacts:
    return read_facts(studies, seed_study.EXPERIMENT)


@pytest.fixture(scope="session")
def sound_facts(studies: Store) -> ExperimentFacts:
    return read_facts(studies, "sound")
