"""A process that has loaded what the commands need, and starts commands as copies of itself.

Loading torch, Ultralytics and MLflow takes ten seconds; a copy starts at once. POSIX only, as signals are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

READY = "ready\n"


class Preloaded:
    """The process; leave it to end it."""

    def __init__(self, folder: Path) -> None:
        """Start it, and wait until it has loaded everything.

        Args:
            folder: Where it and its commands run.
        """
        command = [sys.executable, "-P", __file__]
        self._process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == READY, "it ended while it loaded"

    def __enter__(self) -> Preloaded:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, arguments: list[str], output: Path, killed_after: float | None = None) -> int:
        """Run a command of robust.

        Args:
            arguments: Its arguments.
            output: File for its standard output.
            killed_after: Seconds after which it gets SIGKILL; processes that it started must end by themselves.

        Returns:
            Its exit code, or the negative number of the signal that ended it.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([arguments, str(output), killed_after]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _serve() -> None:
    import signal
    import time

    import torchvision  # noqa: F401  # the slow ones, by name: the commands load them when they need them

    from robust.cli import robust
    from robust.eval import evaluate  # noqa: F401
    from robust.eval.detectors.environment import load_ultralytics
    from robust.eval.tracking.connect import connect  # noqa: F401

    load_ultralytics()
    sys.stdout.write(READY)
    sys.stdout.flush()
    for line in sys.stdin:
        arguments, output, killed_after = json.loads(line)
        child = os.fork()
        if child == 0:
            with open(output, "w") as file:  # noqa: PTH123
                os.dup2(file.fileno(), 1)
            code = 0
            try:
                robust.main(arguments)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            sys.stdout.flush()
            os._exit(code)
        if killed_after is not None:
            time.sleep(killed_after)
            os.kill(child, signal.SIGKILL)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
