"""Finding and opening the tracking store, with an answer in seconds when it cannot be used."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from robust.errors import StoreError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from requests import Response

DEFAULT_URI = "sqlite:///mlflow.db"
_CONTACT_TIMEOUT = 5.0  # seconds for the first answer of a server
_LOCK_TIMEOUT = 60.0  # seconds; creating an empty SQLite store takes about two
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SQLITE_HEADER = b"SQLite format 3\0"


def resolve_uri(tracking_uri: str | None = None) -> str:
    """Return the store to use: the argument, else ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.

    Paths of SQLite stores come back absolute, so that a change of the working directory does not change the store.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI
    path = sqlite_path(uri)
    if path is None:
        return uri
    _, mark, options = uri.partition("?")
    return f"sqlite:///{path.as_posix()}{mark}{options}"


def sqlite_path(uri: str) -> Path | None:
    """Return the absolute path of a SQLite store's file, or None for another kind of store."""
    prefix = "sqlite:///"
    if not uri.startswith(prefix) or uri.startswith(f"{prefix}:memory:"):
        return None
    return Path(uri[len(prefix) :].partition("?")[0]).absolute()


def redact(uri: str) -> str:
    """Return the URI without a password, for messages."""
    parts = urlsplit(uri)
    if not parts.password:
        return uri
    return uri.replace(f":{parts.password}@", ":***@")


def connect(uri: str) -> MlflowClient:
    """Open a store.

    Args:
        uri: From `resolve_uri`.

    Raises:
        StoreError: it is a file store that MLflow refuses, cannot be reached, refuses us or is no store.
    """
    _quiet()
    path = sqlite_path(uri)
    scheme = urlsplit(uri).scheme.split("+", maxsplit=1)[0]
    if path is not None:
        _check_sqlite(path)
    elif scheme in ("http", "https"):
        _contact(uri)
    elif scheme in _PORTS:
        _check_port(uri, scheme)
    elif scheme in ("", "file") or len(scheme) == 1:  # one letter: a Windows drive
        _check_file_store(uri)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    fix = f"Check --tracking-uri; a store on this machine is {DEFAULT_URI}"
    with told(f"The tracking store {redact(uri)} cannot be opened.", fix):
        if path is not None and _is_empty(path):
            _create(path)
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def told(what: str, fix: str = "") -> Iterator[None]:
    """Turn the errors of MLflow, its database, network and drivers into a `StoreError` that says what was done."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        if "out-of-date database schema" in str(error).lower():
            fix = "Back the database up, then run: mlflow db upgrade URI"
        raise StoreError(what, why, fix) from error
    except ImportError as error:  # MLflow loads the driver of a database or an artifact store when it is first used
        missing = error.name or str(error)
        raise StoreError(
            what,
            f"The Python package {missing} is needed for it and cannot be imported.",
            f"Install it into this environment, for example: pip install {missing}",
        ) from error


def _quiet() -> None:
    """Switch telemetry, hints, progress bars and chatter off; must come before mlflow is imported."""
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_DISABLE_AGENT_HINT"):
        os.environ.setdefault(name, "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings("ignore", module=r"mlflow(\.|$)")


def _check_file_store(uri: str) -> None:
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1"):
        return
    if uri.endswith((".db", ".sqlite", ".sqlite3")):
        raise StoreError(f"{uri!r} is no tracking URI.", "A SQLite store is named by a URI.", f"Use sqlite:///{uri}")
    folder = unquote(uri.removeprefix("file://").removeprefix("file:")) or "mlruns"
    raise StoreError(
        f"{redact(uri)} is a folder of runs, which MLflow 3.13 and later refuse to open.",
        f"Move it once: mlflow migrate-filestore --source {folder} --target {DEFAULT_URI}",
        "Or, to keep the folder, set the environment variable MLFLOW_ALLOW_FILE_STORE=true.",
    )


def _check_sqlite(path: Path) -> None:
    """MLflow retries for two minutes what these checks see at once."""
    what = f"The tracking store {path} cannot be opened."
    if path.is_dir():
        raise StoreError(what, "It is a folder.", f"Name a file in it: sqlite:///{(path / 'mlflow.db').as_posix()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("rb") as stream:
                header = stream.read(len(_SQLITE_HEADER))
            if header and header != _SQLITE_HEADER:
                raise StoreError(what, "The file is not a SQLite database.", "Give --tracking-uri another file.")
        elif not os.access(path.parent, os.W_OK):
            raise StoreError(what, f"The folder {path.parent} cannot be written.", "Give --tracking-uri another place.")
    except OSError as error:
        raise StoreError(what, str(error), "Give --tracking-uri another place.") from error


def _check_port(uri: str, scheme: str) -> None:
    parts = urlsplit(uri)
    if not parts.hostname:
        return
    address = (parts.hostname, parts.port or _PORTS[scheme])
    try:
        socket.create_connection(address, timeout=_CONTACT_TIMEOUT).close()
    except OSError as error:
        raise StoreError(
            f"The tracking store {redact(uri)} cannot be reached.",
            str(error),
            "Check the host, the port and the network.",
        ) from error


def _contact(uri: str) -> None:
    """Ask a server one short question, without the minutes of retries that MLflow allows itself later."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from requests.exceptions import RequestException

    try:
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(uri),  # type: ignore[no-untyped-call]
            "/api/2.0/mlflow/experiments/search",
            "GET",
            params={"max_results": 1},
            timeout=_CONTACT_TIMEOUT,
            max_retries=0,
            raise_on_status=False,
        )
    except (MlflowException, RequestException) as error:
        raise StoreError(
            f"The tracking server {redact(uri)} does not answer.",
            (str(error).strip().splitlines() or [type(error).__name__])[0][:300],
            "Check that it runs and that the address and port are right, or use a local store: --tracking-uri "
            + DEFAULT_URI,
        ) from error
    _judge(redact(uri), answer)


def _judge(uri: str, answer: Response) -> None:
    status = answer.status_code
    if status < 400:
        return
    why = answer.text.strip().splitlines()[0][:200] if answer.text.strip() else ""
    if status == 403 and "host" in why.lower():
        host = urlsplit(uri).netloc
        fix = f"Start the server with: mlflow server --allowed-hosts {host}"
    elif status in (401, 403):
        fix = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
    elif status == 404:
        fix = "Check the address: this is not an MLflow server."
    else:
        fix = "Look at the server's log."
    raise StoreError(f"The tracking server {uri} refuses requests ({status}).", why, fix)


def _create(path: Path) -> None:
    """Create a SQLite store: by one process at a time, and whole or not at all.

    MLflow's migrations fail when two processes run them at once, and what a killed process leaves of them cannot be
    opened. So the tables are made in a file of another name, under a lock that the system releases with its holder.
    """
    from filelock import FileLock, Timeout
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    lock = path.with_name(path.name + ".lock")
    part = path.with_name(path.name + ".part")
    try:
        with FileLock(lock, timeout=_LOCK_TIMEOUT):
            if not _is_empty(path):
                return
            for leftover in (part, part.with_name(part.name + "-journal")):
                leftover.unlink(missing_ok=True)
            folder = str(path.parent / "mlruns")
            made = SqlAlchemyStore(f"sqlite:///{part.as_posix()}", folder)  # type: ignore[no-untyped-call]
            made.engine.dispose()  # Windows moves no open file
            part.replace(path)
    except Timeout as error:
        raise StoreError(
            f"The tracking store {path} is being created by another process.", fix="Wait for it, or end it."
        ) from error
    finally:
        if not _is_empty(path):
            with suppress(OSError):  # Windows: another process still waits for it
                lock.unlink(missing_ok=True)


def _is_empty(path: Path) -> bool:
    return not path.exists() or not path.stat().st_size
