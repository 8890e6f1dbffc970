"""Suites: named lists of variants. They are YAML data, so that people write their own.

summary: one line
corruptions:
  - night
  - name: occlusion
    severities: [2, 4]          # instead of the suite's
    ground_truth: visible       # instead of the corruption's
    parameters: {hidden: 0.5}   # instead of the table's, at every listed severity
severities: [1, 2, 3, 4, 5]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import yaml

from robust.corruptions.records import CLEAN, SEVERITIES, GroundTruthPolicy, Variant
from robust.corruptions.registry import make_variant, names
from robust.datasets.data_yaml import tell_yaml_error
from robust.errors import UnknownName, UsageError

_SUITE_KEYS = ("summary", "corruptions", "severities")
_ENTRY_KEYS = ("name", "severities", "ground_truth", "parameters")


@dataclass(frozen=True)
class Suite:
    """A named list of variants; ``clean`` is not one of them.

    Attributes:
        name: Its name, or the stem of the user's file.
        seed: What all images' seeds derive from.
        variants: In the file's order, severities rising; names are unique.
        summary: One line.
    """

    name: str
    seed: int
    variants: tuple[Variant, ...]
    summary: str = ""


def suite_names() -> tuple[str, ...]:
    """Names of the built-in suites, sorted."""
    folder = files("robust.corruptions.suite_files")
    return tuple(sorted(entry.name[: -len(".yaml")] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_suite(name_or_path: str, *, severities: Sequence[int] | None = None, seed: int = 0) -> Suite:
    """Load a suite.

    Args:
        name_or_path: A built-in suite, or a YAML file of the user (ending in .yaml or .yml).
        severities: Keep these severities only.
        seed: What all images' seeds derive from.

    Raises:
        UnknownName: the suite, a corruption, a key or a parameter does not exist; the known ones are listed.
        UsageError: the file cannot be read or its values are wrong.
    """
    name, text = _text(name_or_path)
    content = _parse(name_or_path, text)
    variants = tuple(_variants(name_or_path, content, seed))
    _check_unique(name_or_path, variants)
    if severities is not None:
        variants = tuple(v for v in variants if v.severity in set(_severities(name_or_path, list(severities))))
        if not variants:
            raise UsageError(f"Suite {name!r} has no variant at severity {', '.join(map(str, severities))}.")
    return Suite(name, seed, variants, str(content.get("summary", "")))


def _text(name_or_path: str) -> tuple[str, str]:
    if name_or_path in suite_names():
        return name_or_path, (files("robust.corruptions.suite_files") / f"{name_or_path}.yaml").read_text(
            encoding="utf-8"
        )
    path = Path(name_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise UnknownName("suite", name_or_path, suite_names())
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Suite file {name_or_path} cannot be read.", str(error)) from error


def _parse(where: str, text: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(*tell_yaml_error(where, error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("corruptions", []), list):
        raise UsageError(f"Suite file {where} must hold a mapping with a list named 'corruptions'.")
    _check_keys(f"key of suite {where}:", content, _SUITE_KEYS)
    if not content.get("corruptions"):
        raise UsageError(f"Suite file {where} lists no corruptions.", fix="Add a list named 'corruptions'.")
    return content


def _variants(where: str, content: Mapping[str, Any], seed: int) -> Iterator[Variant]:
    common = _severities(where, content.get("severities", list(SEVERITIES)))
    for item in content["corruptions"]:
        entry = {"name": item} if isinstance(item, str) else item
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise UsageError(f"Suite file {where}: {item!r} must be a name or a mapping with a 'name'.")
        _check_keys(f"key of {entry['name']} in suite {where}:", entry, _ENTRY_KEYS)
        if entry["name"] not in (CLEAN, *names()):
            raise UnknownName(f"corruption in suite {where}:", entry["name"], names())
        policy, overrides = entry.get("ground_truth"), entry.get("parameters") or {}
        if policy is not None and policy not in get_args(GroundTruthPolicy):
            raise UnknownName("ground truth policy", str(policy), get_args(GroundTruthPolicy))
        if not isinstance(overrides, dict):
            raise UsageError(f"Suite file {where}: 'parameters' of {entry['name']} must be a mapping.")
        for severity in _severities(where, entry["severities"]) if "severities" in entry else common:
            yield make_variant(entry["name"], severity, seed=seed, overrides=overrides, ground_truth=policy)


def _severities(where: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or any(type(v) is not int or v not in SEVERITIES for v in value):
        raise UsageError(f"{where}: severities must be whole numbers from 1 to 5, not {value!r}.")
    return tuple(sorted(set(value)))


def _check_keys(kind: str, content: Mapping[Any, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise UnknownName(kind, str(key), known)


def _check_unique(where: str, variants: Sequence[Variant]) -> None:
    seen: set[str] = set()
    for variant in variants:
        if variant.name in seen:
            raise UsageError(f"Suite file {where} has variant {variant.name} twice.", fix="Give each severity once.")
        seen.add(variant.name)
