from __future__ import annotations

import pytest

from robust.errors import UsageError
from robust.eval.tracking.connect import connect
from robust.eval.tracking.registry import run_of_model
from robust.eval.tracking.store import Store


@pytest.fixture
def registered(store: Store) -> str:
    """Register one run as version 1 of "people", with the alias champion, and one version without a run."""
    run_id = store.create_run(store.create_experiment("e"), "r")
    client = connect(store.tracking_uri)
    client.create_registered_model("people")
    client.create_model_version("people", source=f"runs:/{run_id}/weights", run_id=run_id)
    client.create_model_version("people", source="file:///somewhere/weights")
    client.set_registered_model_alias("people", "champion", "1")
    return run_id


@pytest.mark.parametrize("uri", ["models:/people@champion", "models:/people/1"])
def test_alias_and_version_lead_to_the_run(store: Store, registered: str, uri: str) -> None:
    assert run_of_model(uri, store.tracking_uri) == registered


@pytest.mark.parametrize("uri", ["models:/peple@champion", "models:/people@challenger", "models:/people/9"])
def test_what_is_not_registered_is_told_with_what_is(store: Store, registered: str, uri: str) -> None:
    with pytest.raises(UsageError, match="people"):
        run_of_model(uri, store.tracking_uri)


def test_version_without_a_run_asks_for_the_file(store: Store, registered: str) -> None:
    with pytest.raises(UsageError, match="names no run"):
        run_of_model("models:/people/2", store.tracking_uri)
