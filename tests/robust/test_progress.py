"""Progress says how far and how long, and keeps quiet when nobody needs it."""

from __future__ import annotations

import io

import click
import pytest
from click.testing import CliRunner

from robust.cli.progress import Progress, describe, format_seconds


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(seconds: list[float], stream: io.StringIO, total: int = 4) -> str:
    clock = Clock()
    with Progress("Evaluating", unit="cells", stream=stream, clock=clock) as report:
        for done, second in enumerate(seconds, start=1):
            clock.now = 100.0 + second
            report(done, total)
    return stream.getvalue()


def test_short_work_says_nothing() -> None:
    assert run([0.2, 0.5, 1.0, 1.9], io.StringIO()) == ""
    assert run([0.2, 0.5, 1.0, 1.9], Terminal()) == ""


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    text = run([3, 10, 13, 20], io.StringIO())
    assert text == "Evaluating: 2/4 cells, 7.0 s each, 14 s left\nEvaluating: 4/4 cells, 5.7 s each\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "Evaluating" in run([3, 4], Terminal())


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert run([3, 10], Terminal()).endswith("left\n")


def test_quiet_silences_progress() -> None:
    @click.command()
    @click.option("--quiet", is_flag=True)
    def work(quiet: bool) -> None:
        run([3, 10, 13, 20], stream)

    stream = io.StringIO()
    CliRunner().invoke(work, ["--quiet"], catch_exceptions=False)
    assert stream.getvalue() == ""
    CliRunner().invoke(work, [], catch_exceptions=False)
    assert stream.getvalue() != ""


def test_what_a_resumed_run_found_done_does_not_count_as_speed() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress("Evaluating", unit="cells", stream=stream, clock=clock) as report:
        report(90, 100)  # found in the cache
        clock.now += 10
        report(91, 100)
    assert stream.getvalue() == "Evaluating: 91/100 cells, 10.0 s each, 1 min 30 s left\n"


def test_describe_names_count_rate_and_time_left() -> None:
    assert describe(0, 40, "cells", 0, 3.0) == "0/40 cells"
    assert describe(12, 40, "images", 12, 4.0) == "12/40 images, 3.0 images/s, 9 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")]
)
def test_seconds_read_well(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
