"""How long `robust --help` takes, beside Python starting and doing nothing, in one run on one machine.

Run as a script; the bar is 0.2 s for the help on an ordinary machine:

    python tests/bench/bench_help.py [--repeats 20]

The guard in the tests is what is loaded (tests/robust/test_cli.py), which does not depend on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time


def seconds(command: list[str], repeats: int) -> float:
    """Median wall time of a command, after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    nothing = seconds([sys.executable, "-c", "pass"], repeats)
    for name in ([], ["doctor"]):
        helped = seconds([sys.executable, "-m", "robust", *name, "--help"], repeats)
        shown = " ".join(["robust", *name, "--help"])
        sys.stdout.write(f"{shown}: {helped:.3f} s, {helped / nothing:.1f} times an empty Python ({nothing:.3f} s)\n")


if __name__ == "__main__":
    main()
