"""Where fits run: in this process one after the other, or in several processes side by side."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

from robust.eval.detectors.environment import available_cores, prepare
from robust.eval.tracking.store import Store
from robust.eval.training.fit import FitRequest, FitResult, Signal, fit
from robust.eval.training.plan import TrainJob

Start = Callable[[TrainJob], FitRequest]
"""Starts the run of a job, just before it is fitted."""

_PATIENCE = 0.5
"""Seconds before a wait looks up: an endless one is not woken by Ctrl-C on Windows, nor where a library has changed how
signals interrupt."""
_stop: list[Signal] = []  # in a worker process: the event that ends its fit


def fit_here(
    waiting: deque[TrainJob], start: Start, on_epoch: Callable[[], None]
) -> Iterator[tuple[TrainJob, FitResult]]:
    """Fit jobs one after the other, until one is interrupted."""
    while waiting:
        job = waiting.popleft()
        result = fit(start(job), on_epoch=_at_most(job.epochs, on_epoch))
        yield job, result
        if result.status == "KILLED":
            return


def fit_in_processes(
    waiting: deque[TrainJob], start: Start, n_processes: int, store: Store, on_epoch: Callable[[], None]
) -> Iterator[tuple[TrainJob, FitResult]]:
    """Fit jobs in processes, as they finish; Ctrl-C ends those that run after their current step.

    Args:
        waiting: What to fit; emptied.
        start: Called in this process.
        n_processes: How many at the same time; each computes with its share of the cores.
        store: Told of processes that died.
        on_epoch: Called for all epochs of a job when it has ended.
    """
    context = get_context("spawn")
    stop = context.Event()
    running: dict[Future[FitResult], tuple[TrainJob, str]] = {}
    with ExitStack() as pools:
        pool = pools.enter_context(_pool(n_processes, context, stop))
        broken = False
        while waiting or running:
            try:
                if broken and not running:
                    pool, broken = pools.enter_context(_pool(n_processes, context, stop)), False
                while waiting and len(running) < n_processes and not broken:
                    request = start(waiting[0])
                    running[pool.submit(_fit_in_worker, request)] = (waiting.popleft(), request.run_id)
                done = wait(running, _PATIENCE, return_when=FIRST_COMPLETED).done
            except KeyboardInterrupt:
                stop.set()
                waiting.clear()
                continue
            for future in done:
                job, run_id = running.pop(future)
                result, died = _result_of(future, run_id, store)
                broken = broken or died
                for _ in range(job.epochs):
                    on_epoch()
                yield job, result


def _result_of(future: Future[FitResult], run_id: str, store: Store) -> tuple[FitResult, bool]:
    """Return the result, and whether the pool died; then all its running jobs have failed."""
    try:
        return future.result(), False
    except BrokenProcessPool:
        reason = "a training process died, perhaps for lack of memory; use fewer --jobs"
        store.finish(run_id, "FAILED", reason)
        return FitResult(run_id, "FAILED", reason), True


def _pool(n_processes: int, context: Any, stop: Any) -> ProcessPoolExecutor:
    # threads are counted when torch is imported, so the children must find them in the environment
    prepare(max(1, available_cores() // n_processes))
    return ProcessPoolExecutor(n_processes, mp_context=context, initializer=_begin_worker, initargs=(stop,))


def _begin_worker(stop: Signal) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the parent tells us by the event
    _stop.append(stop)


def _fit_in_worker(request: FitRequest) -> FitResult:
    return fit(request, stop=_stop[0])


def _at_most(count: int, call: Callable[[], None]) -> Callable[[], None]:
    """Call at most ``count`` times: the final validation of the best weights is no epoch."""
    left = iter(range(count))

    def limited() -> None:
        if next(left, None) is not None:
            call()

    return limited
