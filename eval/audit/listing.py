"""How a sentence of the audit names runs and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from robust.eval.audit.facts import RunFacts
from robust.eval.audit.settings import identity

_SHOWN = 6
_LONGEST = 60  # letters of a name in a sentence; `AuditFinding.runs` has all of them
_ID = 8


def names_of(runs: Iterable[RunFacts]) -> tuple[str, ...]:
    """Names of runs, sorted, for `AuditFinding.runs`."""
    return tuple(sorted(run.name for run in runs))


def called(run: RunFacts, among: Iterable[RunFacts] = ()) -> str:
    """Name of a run in a sentence; with the start of its id when another of ``among`` has the same name."""
    name = run.name if len(run.name) <= _LONGEST else run.name[:_LONGEST] + "..."
    twice = any(other.name == run.name and other.run_id != run.run_id for other in among)
    return f"{name} ({run.run_id[:_ID]})" if twice or not name else name


def run_list(runs: Sequence[RunFacts]) -> str:
    """Names of runs in a sentence, by name; only the first of many."""
    return listed([called(run, runs) for run in sorted(runs, key=identity)])


def listed(parts: Sequence[str], most: int = _SHOWN) -> str:
    """``a, b and c``; ``a, b, c and 4 more`` when there are more than ``most``."""
    if len(parts) > most:
        return f"{', '.join(parts[:most])} and {len(parts) - most} more"
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def counted(n: int, noun: str, plural: str = "") -> str:
    """``1 run``, ``2 runs``."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def tally(words: Iterable[str]) -> str:
    """``2 FAILED and 1 KILLED``, the most frequent first."""
    found = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    return listed([f"{n} {word}" for word, n in found])


def setting_text(names: Iterable[str], values: dict[str, str]) -> str:
    """``imgsz 320, lr0 0.01``: the named settings of a configuration, as far as they are known."""
    return ", ".join(f"{name} {values[name]}" for name in names if name in values)
