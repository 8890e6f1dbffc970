"""Runs that we began do not stay RUNNING when we break off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from robust.errors import StoreError
from robust.eval.tracking.store import Store


@contextmanager
def ending(store: Store, run_id: str) -> Iterator[None]:
    """End a run as KILLED when the block is interrupted and as FAILED when it fails; the exception goes on.

    Args:
        store: Where the run is.
        run_id: A run of ours; a block that ends well leaves it as it is, and so does any block once it is finished.
    """
    try:
        yield
    except BaseException as error:
        with suppress(StoreError):  # the store may be what failed
            if store.run(run_id).status != "FINISHED":
                store.finish(run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
