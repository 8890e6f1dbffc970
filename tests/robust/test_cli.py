"""The command line shell: what it loads, how it fails, what it exits with."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from robust import __version__
from robust.cli import COMMANDS, robust
from robust.errors import DataError, IntegrityError, RobustError, StoreError, UnknownName, UsageError

HEAVY = (
    "torch",
    "torchvision",
    "mlflow",
    "ultralytics",
    "cv2",
    "albumentations",
    "numpy",
    "pydantic",
    "rich",
    "pandas",
)
SHELL_MODULES = {"failures", "options", "output", "predictions", "progress", "repeated", "study"}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Makes `robust boom` raise the exception that the test puts into the list."""
    wanted: list[BaseException] = []

    @click.command()
    def boom() -> None:
        raise wanted[0]

    monkeypatch.setitem(COMMANDS, "boom", "Fail.")
    get_command = type(robust).get_command

    def patched(group: click.Group, ctx: click.Context, name: str) -> click.Command | None:
        return boom if name == "boom" else get_command(group, ctx, name)

    monkeypatch.setattr(type(robust), "get_command", patched)
    yield wanted


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-command"]])
def test_looking_around_loads_no_command_and_no_heavy_library(arguments: list[str]) -> None:
    script = (
        "import sys, json\n"
        "from robust.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    loaded = set(json.loads(child.stdout.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY)
    assert loaded.isdisjoint(f"robust.cli.{name}" for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_loads_no_heavy_library(name: str) -> None:
    script = (
        "import sys, json\n"
        "from robust.cli import main\n"
        "try:\n    main([sys.argv[1], '--help'])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", script, name], capture_output=True, text=True, check=True)
    assert set(json.loads(child.stdout.splitlines()[-1])).isdisjoint(HEAVY)


def test_the_listed_commands_are_the_modules_that_exist(repository: Path) -> None:
    modules = {path.stem for path in (repository / "robust/cli").glob("*.py")} - {"__init__"} - SHELL_MODULES
    assert set(COMMANDS) == modules


def test_help_tells_every_command_and_the_exit_codes() -> None:
    text = CliRunner().invoke(robust, ["--help"]).output
    for name, line in COMMANDS.items():
        assert f"  {name} " in text and line in text
    assert "3 REJECT" in text


def test_version() -> None:
    assert CliRunner().invoke(robust, ["--version"]).output == f"robust, version {__version__}\n"


def test_an_unknown_command_suggests_the_nearest() -> None:
    result = CliRunner().invoke(robust, ["docter"])
    assert result.exit_code == 2
    assert "Did you mean 'doctor'?" in result.stderr
    assert result.stdout == ""


def test_an_unknown_option_is_a_usage_error() -> None:
    assert CliRunner().invoke(robust, ["doctor", "--dep"]).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RobustError("What.", "Why.", "Fix."), 1),
        (StoreError("What.", "Why.", "Fix."), 1),
        (UsageError("What.", "Why.", "Fix."), 2),
        (DataError("What.", "Why.", "Fix."), 2),
        (IntegrityError("What.", "Why.", "Fix."), 5),
    ],
)
def test_a_known_error_is_three_lines_on_stderr_and_its_exit_code(
    failing: list[BaseException], error: RobustError, code: int
) -> None:
    failing.append(error)
    result = CliRunner().invoke(robust, ["boom"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "What.\nWhy.\nFix.\n")


def test_an_unknown_name_lists_the_known_ones(failing: list[BaseException]) -> None:
    failing.append(UnknownName("suite", "cor", ["core", "full"]))
    result = CliRunner().invoke(robust, ["boom"])
    assert result.exit_code == 2
    assert result.stderr == "Unknown suite 'cor'.\nKnown: core, full.\nDid you mean 'core'?\n"


def test_an_unknown_failure_hides_its_traceback_unless_debugging(
    failing: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.append(ZeroDivisionError("first line\nsecond line"))
    plain = CliRunner().invoke(robust, ["boom"])
    assert plain.exit_code == 1
    assert plain.stderr.splitlines()[0] == "Unexpected failure: ZeroDivisionError: first line"
    assert len(plain.stderr.splitlines()) == 3
    assert "Traceback" in CliRunner().invoke(robust, ["--debug", "boom"]).stderr
    monkeypatch.setenv("ROBUST_DEBUG", "1")
    assert "Traceback" in CliRunner().invoke(robust, ["boom"]).stderr


def test_a_full_disk_says_so(failing: list[BaseException]) -> None:
    failing.append(OSError(errno.ENOSPC, "No space left on device", "cells/ab.parquet"))
    result = CliRunner().invoke(robust, ["boom"])
    assert result.exit_code == 1
    assert result.stderr.startswith("The disk is full while writing cells/ab.parquet.")


def test_an_interruption_exits_130_and_tells_how_to_resume(failing: list[BaseException]) -> None:
    failing.append(KeyboardInterrupt())
    result = CliRunner().invoke(robust, ["boom"])
    assert result.exit_code == 130
    assert "run the same command again to resume" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a child")
def test_control_c_exits_130_in_a_real_process() -> None:
    script = (
        "import signal, time, robust.cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts without\n"
        "def wait(*_, **__): print('ready', flush=True); time.sleep(60)\n"
        "robust.cli.robust.callback = wait\n"
        "robust.cli.main(['doctor'])"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "resume" in told and "Traceback" not in told


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_pipe_ends_quietly() -> None:
    child = subprocess.run(
        f"{sys.executable} -m robust --help | true", shell=True, capture_output=True, text=True, check=False
    )
    assert child.stderr == ""


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("robust.eval.doctor.diagnose", lambda uri, deep: seen.append(uri) or ())
    runner = CliRunner()
    runner.invoke(robust, ["doctor"], catch_exceptions=False)
    runner.invoke(robust, ["doctor"], env={"MLFLOW_TRACKING_URI": "sqlite:///theirs.db"})
    runner.invoke(robust, ["doctor"], env={"MLFLOW_TRACKING_URI": "sqlite:///theirs.db", "ROBUST_TRACKING_URI": "x"})
    runner.invoke(robust, ["doctor", "--tracking-uri", "flag"], env={"ROBUST_TRACKING_URI": "x"})
    assert seen == ["sqlite:///mlflow.db", "sqlite:///theirs.db", "x", "flag"]


@pytest.mark.parametrize(
    "given",
    [
        ["eval", "--data", "d.yaml", "--suite", "core", "--suite=weather"],
        ["variants", "preview", "d.yaml", "--suite", "core", "--suite", "weather", "-o", "sheet.png"],
    ],
)
def test_an_option_for_one_value_is_refused_when_it_is_given_two(given: list[str]) -> None:
    done = CliRunner().invoke(robust, given)
    assert done.exit_code == 2
    assert "--suite was given 2 times." in done.stderr and "include: [core, weather]" in done.stderr


def test_options_for_several_values_and_flags_may_be_repeated() -> None:
    done = CliRunner().invoke(
        robust, ["eval", "--data", "d.yaml", "--severity", "1", "--severity", "2", "--json", "--json"]
    )
    assert "times" not in done.stderr
    assert CliRunner().invoke(robust, ["sweep", "--help", "--help"]).exit_code == 0


def test_python_m_robust_is_the_same_program() -> None:
    child = subprocess.run([sys.executable, "-m", "robust", "--version"], capture_output=True, text=True, check=True)
    assert child.stdout == f"robust, version {__version__}\n"
