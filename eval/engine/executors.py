"""Who carries the tasks out: this process, or several on this machine.

An executor takes tasks in any order and from any number of workers; results are files under content addresses, so the
outcome is the same. Each worker computes with one thread: more would change the low bits of the network's output.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Protocol

from robust.errors import RobustError, UnknownName
from robust.eval.detectors.environment import available_cores
from robust.eval.detectors.threads import single_thread
from robust.eval.engine.cache import CellCache
from robust.eval.engine.cells import Plan, Task
from robust.eval.engine.work import Load, Worker

Done = Callable[[int], None]
"""Called with a number of inferences that were done since the last call."""


class Executor(Protocol):
    """Carries out tasks. Contract tests: ``tests/contracts``.

    Attributes:
        n_workers: Processes that work at the same time.
    """

    n_workers: int

    def run(self, plan: Plan, cache: CellCache, tasks: Sequence[Task], done: Done) -> None:
        """Fill every cell of the tasks; raise the first error, leaving finished cells in place."""
        ...


class LocalExecutor:
    """One task after the other, in this process.

    Args:
        load: Makes a detector of a candidate; for tests and other detectors.
    """

    n_workers = 1

    def __init__(self, load: Load | None = None) -> None:
        self._load = load

    def run(self, plan: Plan, cache: CellCache, tasks: Sequence[Task], done: Done) -> None:
        """Carry out the tasks in order."""
        single_thread()
        worker = Worker(plan, cache, self._load)
        for task in tasks:
            worker.run(task, done)


class ProcessExecutor:
    """Several worker processes on this machine (spawned: safe with CUDA, and the same on Windows).

    Args:
        n_workers: Number of processes; None for one per core.
    """

    def __init__(self, n_workers: int | None = None) -> None:
        self.n_workers = n_workers or available_cores()

    def run(self, plan: Plan, cache: CellCache, tasks: Sequence[Task], done: Done) -> None:
        """Carry out the tasks, as many at a time as there are workers."""
        n_workers = min(self.n_workers, len(tasks))
        if n_workers < 2:
            LocalExecutor().run(plan, cache, tasks, done)
            return
        context = multiprocessing.get_context("spawn")
        ticks: multiprocessing.Queue[int] = context.Queue()
        pool = ProcessPoolExecutor(n_workers, context, _start_worker, (plan, cache.root, ticks))
        try:
            futures = {pool.submit(_run_task, task) for task in tasks}
            for finished in _as_they_finish(futures, lambda: _drain(ticks, done)):
                finished.result()
        except BrokenProcessPool as error:
            raise RobustError(
                "A worker process died.",
                "The usual cause is too little memory for all candidates in every worker.",
                "Use fewer --workers; finished cells are kept.",
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


EXECUTORS = ("local", "process")


def make_executor(name: str, n_workers: int | None = None) -> Executor:
    """Return an executor by name.

    Raises:
        UnknownName: there is none of that name.
    """
    if name == "local":
        return LocalExecutor()
    if name == "process":
        return ProcessExecutor(n_workers)
    raise UnknownName("executor", name, EXECUTORS)


_worker: Worker | None = None
_ticks: multiprocessing.Queue[int] | None = None


def _start_worker(plan: Plan, root: Path, ticks: multiprocessing.Queue[int]) -> None:
    global _worker, _ticks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    threading.Thread(target=_die_with_parent, daemon=True).start()
    single_thread()
    _worker, _ticks = Worker(plan, CellCache(root)), ticks


def _die_with_parent() -> None:
    """End this worker when its parent was killed; otherwise it would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run_task(task: Task) -> None:
    assert _worker is not None and _ticks is not None, "the pool starts workers with _start_worker"
    _worker.run(task, _ticks.put)


def _drain(ticks: multiprocessing.Queue[int], done: Done) -> None:
    while not ticks.empty():
        done(ticks.get())


def _as_they_finish(futures: set[Future[None]], meanwhile: Callable[[], None]) -> Iterator[Future[None]]:
    waiting = set(futures)
    while waiting:
        finished, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
        meanwhile()
        yield from finished
