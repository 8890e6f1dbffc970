"""What exists, as plain values for listings and documents."""

from __future__ import annotations

from dataclasses import dataclass

from robust.corruptions.records import Parameter
from robust.corruptions.registry import get, names
from robust.corruptions.suites import load_suite, suite_names


@dataclass(frozen=True)
class CorruptionEntry:
    """One corruption.

    Attributes:
        name: In suites and variants.
        summary: The risk it stands for.
        cause: The physical cause.
        measure: The quantity that rises with severity, with its unit.
        ground_truth: Default policy for covered objects.
        version: Of its pixels.
        parameters: Names of its physical parameters.
        rows: For each severity: the severity, then the values in that order.
    """

    name: str
    summary: str
    cause: str
    measure: str
    ground_truth: str
    version: int
    parameters: tuple[str, ...]
    rows: tuple[tuple[Parameter, ...], ...]


@dataclass(frozen=True)
class SuiteEntry:
    """One built-in suite: its name, one line about it, the names of its variants."""

    name: str
    summary: str
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """All corruptions and suites, sorted by name."""

    corruptions: tuple[CorruptionEntry, ...]
    suites: tuple[SuiteEntry, ...]


def catalogue() -> Catalogue:
    """List what is registered."""
    suites = (load_suite(name) for name in suite_names())
    return Catalogue(
        tuple(_entry(name) for name in names()),
        tuple(SuiteEntry(s.name, s.summary, tuple(v.name for v in s.variants)) for s in suites),
    )


def _entry(name: str) -> CorruptionEntry:
    corruption = get(name)
    parameters = tuple(corruption.severities[1])
    rows = tuple((s, *(values[p] for p in parameters)) for s, values in sorted(corruption.severities.items()))
    measure = (
        f"{corruption.measure.name} [{corruption.measure.unit}]" if corruption.measure.unit else corruption.measure.name
    )
    return CorruptionEntry(
        corruption.name,
        corruption.summary,
        corruption.cause,
        measure,
        corruption.ground_truth,
        corruption.version,
        parameters,
        rows,
    )
