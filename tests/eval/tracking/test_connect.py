"""A store that cannot be used is explained within seconds."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from robust.errors import StoreError
from robust.eval.tracking.connect import redact, resolve_uri, sqlite_path
from robust.eval.tracking.store import Store


@contextmanager
def server(status: int, body: str) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    running = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "postgresql://me:secret@127.0.0.1:9/db"])
def test_a_server_that_is_not_there_is_told_within_seconds(uri: str) -> None:
    start = time.monotonic()
    with pytest.raises(StoreError) as told:
        Store.open(uri)
    assert time.monotonic() - start < 10
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (403, "Invalid Host header - possible DNS rebinding attack detected", "--allowed-hosts 127.0.0.1"),
        (401, "You are not authenticated.", "MLFLOW_TRACKING_USERNAME"),
        (404, "Not Found", "not an MLflow server"),
        (500, "", "log"),
    ],
)
def test_a_server_that_refuses_is_explained(status: int, body: str, hint: str) -> None:
    with server(status, body) as uri, pytest.raises(StoreError, match=hint):
        Store.open(uri)


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_a_folder_of_runs_says_how_to_move_it(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(StoreError, match="migrate-filestore") as told:
        Store.open(form.format((tmp_path / "mlruns").as_posix()))
    assert "MLFLOW_ALLOW_FILE_STORE=true" in told.value.fix


def test_a_folder_of_runs_opens_when_mlflow_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = Store.open((tmp_path / "mlruns").as_uri())
    run_id = store.create_run(store.create_experiment("study"), "r")
    assert store.runs("study")[0].run_id == run_id


def test_a_database_path_without_its_scheme_is_recognised() -> None:
    with pytest.raises(StoreError, match=r"sqlite:///runs/mlflow\.db"):
        Store.open("runs/mlflow.db")


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"not a database at all")
    with pytest.raises(StoreError, match="not a SQLite database"):
        Store.open(f"sqlite:///{path.as_posix()}")
    assert path.read_bytes() == b"not a database at all"
    with pytest.raises(StoreError, match="folder"):
        Store.open(f"sqlite:///{tmp_path.as_posix()}")


def test_a_relative_store_is_fixed_to_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_path(resolve_uri("sqlite:///runs/a.db")) == tmp_path / "runs" / "a.db"
    assert resolve_uri("sqlite:///a.db?timeout=30").endswith("a.db?timeout=30")
    assert redact("postgresql://me:p@host/db") == "postgresql://me:***@host/db"


@pytest.mark.slow
def test_processes_that_create_one_store_together_all_succeed(tmp_path: Path) -> None:
    uri = f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    code = f"from robust.eval.tracking.store import Store; print(Store.open({uri!r}).create_experiment('study'))"
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert len({process.communicate(timeout=120)[0] for process in started}) == 1
    assert [process.returncode for process in started] == [0, 0, 0]
