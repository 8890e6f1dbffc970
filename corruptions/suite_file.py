"""What a suite file may say. Names of suites and of causes are resolved by `suites`.

summary: one line
include: [core, mine.yaml]      # built-in suites, or files relative to this one; they keep their own severities
corruptions:
  - night
  - name: occlusion
    severities: [4]             # instead of the suite's
    ground_truth: visible       # instead of the corruption's
    parameters: {hidden: 0.5}   # instead of the table's; no two listed severities may become the same
severities: [1, 2, 3, 4, 5]
trained_on: [night, coding]     # corruptions or causes that the training images were augmented with
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import yaml

from robust.corruptions.records import CLEAN, SEVERITIES, GroundTruthPolicy, Variant
from robust.corruptions.registry import make_variant, names
from robust.datasets.data_yaml import tell_yaml_error
from robust.errors import UnknownName, UsageError

_SUITE_KEYS = ("summary", "include", "corruptions", "severities", "trained_on")
_ENTRY_KEYS = ("name", "severities", "ground_truth", "parameters")


@dataclass(frozen=True)
class Content:
    """One suite file, without what it includes.

    Attributes:
        summary: One line.
        include: Suites or files, as written.
        variants: Its own; names are unique.
        trained_on: Corruptions or causes, as written.
    """

    summary: str
    include: tuple[str, ...]
    variants: tuple[Variant, ...]
    trained_on: tuple[str, ...]


def parse_suite(where: str, text: str, seed: int) -> Content:
    """Read the text of a suite file.

    Args:
        where: What to call it in messages.
        text: YAML.
        seed: Of the suite.

    Raises:
        UnknownName: a corruption, a key or a parameter does not exist; the known ones are listed.
        UsageError: it is no YAML, or its values are wrong.
    """
    content = _parse(where, text)
    variants = tuple(_variants(where, content, seed))
    _check_unique(where, variants)
    include, trained_on = (_names(where, key, content.get(key)) for key in ("include", "trained_on"))
    return Content(str(content.get("summary", "")), include, variants, trained_on)


def _parse(where: str, text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(*tell_yaml_error(where, error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("corruptions", []), list):
        raise UsageError(f"Suite file {where} must hold a mapping with a list named 'corruptions'.")
    _check_keys(f"key of suite {where}:", content, _SUITE_KEYS)
    if not content.get("corruptions") and not content.get("include"):
        raise UsageError(
            f"Suite file {where} lists no corruptions.", fix="Add a list named 'corruptions', or 'include' a suite."
        )
    return content


def _names(where: str, key: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or any(not isinstance(name, str) for name in value):
        raise UsageError(f"Suite file {where}: {key!r} must be a list of names, not {value!r}.")
    twice = next((name for name in value if value.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"Suite file {where}: {key!r} names {twice!r} twice.", fix="Name it once.")
    return tuple(value)


def _variants(where: str, content: Mapping[str, Any], seed: int) -> Iterator[Variant]:
    common = read_severities(where, content.get("severities", list(SEVERITIES)))
    for item in content.get("corruptions", ()):
        entry = {"name": item} if isinstance(item, str) else item
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise UsageError(f"Suite file {where}: {item!r} must be a name or a mapping with a 'name'.")
        _check_keys(f"key of {entry['name']} in suite {where}:", entry, _ENTRY_KEYS)
        if entry["name"] == CLEAN:
            raise UsageError(
                f"Suite file {where}: {CLEAN} is no corruption.", fix="Leave it out: it is always measured."
            )
        if entry["name"] not in names():
            raise UnknownName(f"corruption in suite {where}:", entry["name"], names())
        policy, overrides = entry.get("ground_truth"), entry.get("parameters") or {}
        if policy is not None and policy not in get_args(GroundTruthPolicy):
            raise UnknownName("ground truth policy", str(policy), get_args(GroundTruthPolicy))
        if not isinstance(overrides, dict):
            raise UsageError(f"Suite file {where}: 'parameters' of {entry['name']} must be a mapping.")
        severities = read_severities(where, entry["severities"]) if "severities" in entry else common
        made = [make_variant(entry["name"], s, seed=seed, overrides=overrides, ground_truth=policy) for s in severities]
        _check_differ(where, made, list(overrides))
        yield from made


def read_severities(where: str, value: object) -> tuple[int, ...]:
    """Check a list of severities.

    Raises:
        UsageError: it is no list of whole numbers from 1 to 5.
    """
    if not isinstance(value, list) or not value or any(type(v) is not int or v not in SEVERITIES for v in value):
        raise UsageError(f"{where}: severities must be whole numbers from 1 to 5, not {value!r}.")
    return tuple(sorted(set(value)))


def _check_keys(kind: str, content: Mapping[Any, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise UnknownName(kind, str(key), known)


def _check_differ(where: str, variants: Sequence[Variant], replaced: Sequence[str]) -> None:
    """Refuse severities that are copies of each other: plotted as a curve they would be flat, and say nothing."""
    first: dict[object, Variant] = {}
    for variant in variants:
        same = first.setdefault(variant.parameters, variant)
        if same is not variant:
            raise UsageError(
                f"Suite file {where}: severities {same.severity} and {variant.severity} of {variant.corruption} "
                "are the same.",
                f"'parameters' replaces {', '.join(replaced)} at every severity, and nothing else tells them apart.",
                f"Give it one severity, for example: severities: [{same.severity}].",
            )


def _check_unique(where: str, variants: Sequence[Variant]) -> None:
    seen: set[str] = set()
    for variant in variants:
        if variant.name in seen:
            raise UsageError(f"Suite file {where} has variant {variant.name} twice.", fix="Give each severity once.")
        seen.add(variant.name)
