"""Suites: named lists of variants. They are YAML data, so that people write their own; `suite_file` knows the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from robust.corruptions.records import Variant
from robust.corruptions.registry import get, names
from robust.corruptions.suite_file import Content, parse_suite, read_severities
from robust.errors import UnknownName, UsageError

_YAML = {".yaml", ".yml"}


@dataclass(frozen=True)
class Suite:
    """A named list of variants; ``clean`` is not one of them.

    Attributes:
        name: Its name, or the stem of the user's file.
        seed: What all images' seeds derive from.
        variants: In the file's order, those of included suites first, severities rising; names are unique.
        summary: One line.
        trained_on: Corruptions that the training images were augmented with, sorted: no test of the unseen.
    """

    name: str
    seed: int
    variants: tuple[Variant, ...]
    summary: str = ""
    trained_on: tuple[str, ...] = ()


def suite_names() -> tuple[str, ...]:
    """Names of the built-in suites, sorted."""
    folder = files("robust.corruptions.suite_files")
    return tuple(sorted(entry.name[: -len(".yaml")] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_suite(
    name_or_path: str,
    *,
    severities: Sequence[int] | None = None,
    seed: int = 0,
    trained_on: Sequence[str] = (),
) -> Suite:
    """Load a suite.

    Args:
        name_or_path: A built-in suite, or a YAML file of the user (ending in .yaml or .yml).
        severities: Keep these severities only.
        seed: What all images' seeds derive from.
        trained_on: Corruptions or causes that training images were augmented with, besides those the file names.

    Raises:
        UnknownName: the suite, a corruption, a cause, a key or a parameter does not exist; the known ones are listed.
        UsageError: the file cannot be read, its values are wrong, it includes itself, it is called like a built-in
            suite, or a corruption has none of the severities to keep.
    """
    source = _find(name_or_path)
    if source.path is not None and source.name.casefold() in suite_names():
        raise UsageError(
            f"Suite file {name_or_path} is called like the built-in suite {source.name.casefold()!r}.",
            "Results name the suite that they were measured on, and nobody could tell the two apart.",
            f"Rename it, for example: my_{source.path.name}.",
        )
    loaded = _Loader(seed)
    loaded.add(source, ())
    variants = tuple(variant for variant, _ in loaded.variants.values())
    if severities is not None:
        variants = _at(read_severities(name_or_path, list(severities)), variants, source)
    seen = loaded.trained_on | corruptions_of(trained_on, "corruption or cause of --trained-on:")
    return Suite(source.name, seed, variants, loaded.contents[source].summary, tuple(sorted(seen)))


def is_file(name_or_path: str) -> bool:
    """Tell a suite file of the user, by its suffix, from a built-in suite."""
    return Path(name_or_path).suffix.lower() in _YAML


def _at(severities: Sequence[int], variants: Sequence[Variant], source: _Source) -> tuple[Variant, ...]:
    """Keep these severities; a corruption that would disappear without a word is an error."""
    kept = tuple(v for v in variants if v.severity in severities)
    lost = dict.fromkeys(v.corruption for v in variants)
    for variant in kept:
        lost.pop(variant.corruption, None)
    if not lost:
        return kept
    has = [f"{name} at {', '.join(str(v.severity) for v in variants if v.corruption == name)}" for name in lost]
    raise UsageError(
        f"Suite {source} has no {' and no '.join(lost)} at severity {' or '.join(map(str, severities))}.",
        f"It has {'; '.join(has)}.",
        "Leave out --severity, or add the severity to the suite.",
    )


def corruptions_of(named: Sequence[str], kind: str) -> set[str]:
    """Return the corruptions that names of corruptions and of causes stand for; a cause stands for its family.

    Args:
        named: Names.
        kind: What to call an unknown one in the message.

    Raises:
        UnknownName: a name is neither.
    """
    causes: Mapping[str, str] = {name: get(name).cause for name in names()}
    found: set[str] = set()
    for one in named:
        meant = {name for name, cause in causes.items() if one in (name, cause)}
        if not meant:
            raise UnknownName(kind, one, {*causes, *causes.values()})
        found |= meant
    return found


@dataclass(frozen=True)
class _Source:
    """Where a suite comes from: a built-in one (no path), or a file."""

    name: str
    path: Path | None = None

    def __str__(self) -> str:
        return str(self.path) if self.path else self.name

    def read(self, includer: _Source | None = None) -> str:
        if self.path is None:
            return (files("robust.corruptions.suite_files") / f"{self.name}.yaml").read_text(encoding="utf-8")
        try:
            return self.path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"Suite file {self.path} cannot be read.", "It is no UTF-8 text.") from error
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            why = "There is no such file." if missing else f"{error.strerror or error}."
            by = f" Suite file {includer} includes it." if includer else ""
            fix = f"Built-in suites: {', '.join(suite_names())}." if missing else ""
            raise UsageError(f"Suite file {self.path} cannot be read.", why + by, fix) from error


def _find(name_or_path: str, inside: _Source | None = None) -> _Source:
    """Tell a built-in suite from a file; a file that a suite names lies relative to that suite's own file."""
    if name_or_path in suite_names():
        return _Source(name_or_path)
    if name_or_path in names():
        raise UsageError(
            f"{name_or_path!r} is a corruption, not a suite.",
            "A suite is a list of corruptions, with their severities.",
            f"Write a file my_{name_or_path}.yaml with the line `corruptions: [{name_or_path}]`, and name that file."
            if inside is None
            else f"In {inside}, write it under 'corruptions' instead of 'include'.",
        )
    path = Path(name_or_path)
    if not is_file(name_or_path) or (inside is not None and inside.path is None):
        kind = "suite" if inside is None else f"suite included by {inside}:"
        raise UnknownName(kind, name_or_path, suite_names())
    return _Source(path.stem, path if inside is None or inside.path is None else inside.path.parent / path)


class _Loader:
    """Collects the variants of a suite and of all that it includes.

    A variant that two suites list with the same recipe counts once; with two recipes it is an error that names both.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.variants: dict[str, tuple[Variant, _Source]] = {}
        self.trained_on: set[str] = set()
        self.contents: dict[_Source, Content] = {}

    def add(self, source: _Source, above: tuple[_Source, ...]) -> None:
        if any(_same(source, other) for other in above):
            chain = " includes ".join(map(str, (*above, source)))
            raise UsageError(f"Suite {source} includes itself.", f"{chain}.", "Remove one of these entries.")
        content = self.contents[source] = parse_suite(str(source), source.read(above[-1] if above else None), self.seed)
        for name in content.include:
            self.add(_find(name, source), (*above, source))
        self.trained_on |= corruptions_of(content.trained_on, f"corruption or cause in 'trained_on' of suite {source}:")
        for variant in content.variants:
            known, first = self.variants.setdefault(variant.name, (variant, source))
            if known != variant:
                raise UsageError(
                    f"Suite {(*above, source)[0]} has variant {variant.name} twice, made in different ways.",
                    f"One is from {first}, the other from {source}.",
                    "Remove one of them: a column of the results has one recipe.",
                )


def _same(a: _Source, b: _Source) -> bool:
    return a == b or (a.path is not None and b.path is not None and a.path.resolve() == b.path.resolve())
