"""The results of trainings, and which of them are the same to every digit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache

from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.logged import split_of
from robust.eval.audit.settings import identity

RICH_DIGITS = 6
"""Significant digits from which one number cannot agree by chance."""
_FAIR_DIGITS, _FAIR_NUMBERS = 5, 3  # so many of so few digits neither: results.csv of older versions
_LARGEST_COUNT = 1000  # a share of at most so many things, such as a recall, may well agree by chance
_EXACT = 1e-12
_NO_RESULT = re.compile(
    r"(^|[/_.\s-])(lr|pg\d|time|runtime|speed|latency|fps|system|seconds|duration|gpu|cpu|mem|memory|g?flops|parameters)"
    r"($|[/_.\s-])|^(epoch|step)s?$",
    re.I,
)
_KNOWN = re.compile(r"map|precision|recall|f1|loss|fitness|accuracy|iou|(^|[^a-z])a[pr]($|[^a-z])", re.I)
_NOTHING_MEASURED = -1.0  # what COCO tools say instead of a number
_SHOWN = ("map50", "map50b", "map50-95", "map50-95b", "map", "fitness")


@lru_cache(maxsize=4096)
def is_result(name: str) -> bool:
    """Whether a metric of that name says how a training turned out: it is no learning rate, time, size or memory."""
    return _NO_RESULT.search(name) is None


def results_of(run: RunFacts) -> dict[str, float]:
    """Return the metrics that say how a training turned out, by name; -1 says that nothing was measured."""
    return {
        name: value for name, value in sorted(run.metrics.items()) if is_result(name) and value != _NOTHING_MEASURED
    }


def has_result(run: RunFacts) -> bool:
    """Whether anything was measured but a loss on the training images, which every training has."""
    return any("loss" not in name.casefold() or split_of(name) in ("val", "test") for name in results_of(run))


def compared(run: RunFacts) -> dict[str, float]:
    """Return the results that two copies must share: those whose meaning is known, and all where none is.

    What else was logged, such as memory in use under a name of its own, may differ between copies.
    """
    found = results_of(run)
    return {name: value for name, value in found.items() if _KNOWN.search(name)} or found


def with_results(facts: ExperimentFacts) -> tuple[RunFacts, ...]:
    """Return the finished runs that have a result or weights that can be compared, by name and id."""
    kept = (run for run in facts.finished if has_result(run) or run.tensors_sha256)
    return tuple(sorted(kept, key=identity))


def headline(run: RunFacts) -> tuple[str, float] | None:
    """Return the metric that stands for the others in a sentence, and its value; None without metrics."""
    found = results_of(run)
    ranked = sorted(found, key=lambda name: (_rank(name), name))
    return (ranked[0], found[ranked[0]]) if ranked else None


def _rank(name: str) -> int:
    last = name.casefold().rpartition("/")[2].replace("(", "").replace(")", "")
    return _SHOWN.index(last) if last in _SHOWN else len(_SHOWN)


def significant_digits(value: float) -> int:
    """Digits of the shortest decimal number that is this value: 3 for 0.270, because it is 0.27, so 2."""
    mantissa = repr(abs(value)).partition("e")[0]
    return len(mantissa.replace(".", "").strip("0"))


def _is_share_of_few(value: float) -> bool:
    return abs(float(Fraction(value).limit_denominator(_LARGEST_COUNT)) - value) < _EXACT


def is_telling(values: Iterable[float]) -> bool:
    """Tell whether two runs that agree in these values must be the same training.

    Round numbers, and shares of a small number of things (24 of 31 boxes found), agree by chance.
    """
    digits = [significant_digits(value) for value in values if not _is_share_of_few(value)]
    return any(n >= RICH_DIGITS for n in digits) or sum(n >= _FAIR_DIGITS for n in digits) >= _FAIR_NUMBERS


def same_results(runs: Iterable[RunFacts]) -> tuple[tuple[RunFacts, ...], ...]:
    """Return the groups of at least two runs with the same result: equal weights, or equal metrics to every digit.

    Runs whose weights are known to differ are no such group, whatever their metrics say.
    """
    groups: list[list[RunFacts]] = []
    by_weights: dict[str, list[RunFacts]] = {}
    by_metrics: dict[tuple[tuple[str, float], ...], list[RunFacts]] = {}
    for run in sorted(runs, key=identity):
        if run.tensors_sha256:
            by_weights.setdefault(run.tensors_sha256, []).append(run)
        elif is_telling(compared(run).values()):
            by_metrics.setdefault(tuple(compared(run).items()), []).append(run)
    for group in by_weights.values():
        groups.append(group)
        key = tuple(compared(group[0]).items())
        if key in by_metrics and all(tuple(compared(run).items()) == key for run in group):
            group.extend(by_metrics.pop(key))  # those do not say which weights they have, but must be these
    groups.extend(by_metrics.values())
    return tuple(sorted((tuple(sorted(g, key=identity)) for g in groups if len(g) > 1), key=lambda g: identity(g[0])))


def group_numbers(groups: Iterable[Iterable[RunFacts]]) -> dict[str, int]:
    """Number the groups: run id -> number; runs in the same group have the same result."""
    return {run.run_id: number for number, group in enumerate(groups) for run in group}
