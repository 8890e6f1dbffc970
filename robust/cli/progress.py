"""Progress of long work, on stderr.

    with Progress("Evaluating", unit="cells") as report:
        evaluate(..., on_progress=report)  # called as report(done, total)

On a terminal: one moving bar. Elsewhere (CI, a file): a line every ten seconds. Nothing at all for work under two
seconds or with ``robust --quiet``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:  # rich is loaded when a bar is drawn, not when a command is looked up
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

SILENT_SECONDS = 2.0
LINE_SECONDS = 10.0


def is_quiet() -> bool:
    """Whether the running command was asked to say nothing but its result."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("quiet"))


def is_animated(stream: TextIO) -> bool:
    """Whether a moving bar makes sense there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def format_seconds(seconds: float) -> str:
    """``42 s``, ``3 min 05 s``, ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def describe(done: int, total: int, unit: str, fresh: int, elapsed: float) -> str:
    """Count, rate and time left.

    Args:
        done: Units finished, those found finished at the start included.
        total: Units in all.
        unit: What is counted, plural.
        fresh: Units finished since the start: only these tell the speed.
        elapsed: Seconds since the start.

    Returns:
        ``12/40 cells, 3.1 cells/s, 9 s left``; count only while nothing tells the speed.
    """
    text = f"{done}/{total} {unit}"
    if fresh <= 0 or elapsed <= 0:
        return text
    rate = fresh / elapsed
    speed = f"{rate:.1f} {unit}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
    left = f", {format_seconds((total - done) / rate)} left" if done < total else ""
    return f"{text}, {speed}{left}"


class Progress:
    """Shows ``(done, total)`` as it is told; a context manager that cleans up its bar.

    Args:
        title: What is going on, such as "Evaluating".
        unit: What is counted, plural.
        stream: Where to show it; stderr if left out.
        clock: Seconds from any start; tests give their own.
    """

    def __init__(
        self,
        title: str,
        unit: str = "steps",
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.unit = unit
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._quiet = is_quiet()
        self._started = self._said = clock()
        self._first: tuple[int, float] | None = None  # what the first report said, and when
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def __call__(self, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` units are finished."""
        now = self._clock()
        if self._first is None:
            # before it lie what a resumed run found done, and the start of processes: neither tells the speed
            self._first = (done, now)
        if self._quiet or now - self._started < SILENT_SECONDS:
            return
        pace = describe(done, total, self.unit, done - self._first[0], now - self._first[1])
        if is_animated(self._stream):
            self._draw(done, total, pace)
        elif now - self._said >= LINE_SECONDS or done == total:
            self._said = now
            click.echo(f"{self.title}: {pace}", file=self._stream)

    def _draw(self, done: int, total: int, pace: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
            bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._bar = (bar, bar.add_task(self.title, total=total, pace=pace))
            bar.start()
        bar, task = self._bar
        bar.update(task, completed=done, total=total, pace=pace)
