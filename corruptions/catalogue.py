"""What exists, as plain values for listings and documents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from robust.corruptions.records import Parameter
from robust.corruptions.registry import get, names
from robust.corruptions.suites import Suite, is_file, load_suite, suite_names
from robust.errors import UnknownName

EVERYTHING = "full"
"""The suite that holds all others."""


@dataclass(frozen=True)
class CorruptionEntry:
    """One corruption.

    Attributes:
        name: In suites and variants.
        summary: The risk it stands for.
        cause: The physical cause.
        suites: The built-in suites that hold it, `EVERYTHING` left out.
        source: Where its law comes from.
        limits: What it does not show.
        measure: The quantity that rises with severity, with its unit.
        ground_truth: Default policy for covered objects.
        version: Of its pixels.
        parameters: Names of its physical parameters.
        rows: For each severity: the severity, then the values in that order.
    """

    name: str
    summary: str
    cause: str
    suites: tuple[str, ...]
    source: str
    limits: str
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
class VariantEntry:
    """One variant of a suite file.

    Attributes:
        name: ``night/3``.
        corruption: Its corruption.
        ground_truth: Policy for covered objects.
        parameters: Name -> value, those of the file in place of the table's.
    """

    name: str
    corruption: str
    ground_truth: str
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class SuiteFileEntry:
    """One suite file of the user: where it is, one line about it, its variants, what training has seen."""

    path: str
    summary: str
    variants: tuple[VariantEntry, ...]
    trained_on: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """All corruptions and suites, sorted by name; suite files in the order they were asked for."""

    corruptions: tuple[CorruptionEntry, ...]
    suites: tuple[SuiteEntry, ...]
    suite_files: tuple[SuiteFileEntry, ...] = ()


def catalogue(only: Collection[str] = ()) -> Catalogue:
    """List what is registered.

    Args:
        only: Names of corruptions and suites, and suite files, to list; every name when empty.

    Raises:
        UnknownName: one of them is neither; the known ones are listed.
        UsageError: a suite file is wrong.
    """
    own = tuple(_suite_file(name) for name in only if is_file(name))
    asked, only = bool(only), [name for name in only if not is_file(name)]
    suites = tuple(load_suite(name) for name in suite_names())
    known = {suite.name: {v.corruption for v in suite.variants} for suite in suites}
    chosen: set[str] = set()
    for name in only:
        if name not in known and name not in names():
            raise UnknownName("corruption or suite", name, (*known, *names()))
        chosen |= known.get(name, {name})
    return Catalogue(
        tuple(_entry(name, suites) for name in names() if name in chosen or not asked),
        tuple(
            SuiteEntry(s.name, s.summary, tuple(v.name for v in s.variants))
            for s in suites
            if not asked or s.name in only
        ),
        own,
    )


def _suite_file(path: str) -> SuiteFileEntry:
    suite = load_suite(path)
    variants = (VariantEntry(v.name, v.corruption, v.ground_truth, dict(v.parameters)) for v in suite.variants)
    return SuiteFileEntry(path, suite.summary, tuple(variants), suite.trained_on)


def _entry(name: str, suites: Sequence[Suite]) -> CorruptionEntry:
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
        tuple(s.name for s in suites if s.name != EVERYTHING and any(v.corruption == name for v in s.variants)),
        corruption.source,
        corruption.limits,
        measure,
        corruption.ground_truth,
        corruption.version,
        parameters,
        rows,
    )
