from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from robust.eval.evidence.parse import parse_evidence
from tests.eval.evidence.study_builder import grid_study
from tests.eval.evidence_builder import build_evidence, with_recorded

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("evidence_schema", repository / "docs" / "evidence_schema.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def schema(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repository / "docs" / "evidence.schema.json").read_text(encoding="utf-8"))
    return found


def faults(value: Any, rule: dict[str, Any], root: dict[str, Any], place: str = "$") -> Iterator[str]:
    """What is wrong with a value, by the part of JSON Schema that the file uses."""
    if "$ref" in rule:
        yield from faults(value, root["$defs"][rule["$ref"].removeprefix("#/$defs/")], root, place)
        return
    if "anyOf" in rule:
        if all(any(faults(value, option, root, place)) for option in rule["anyOf"]):
            yield f"{place} is none of the allowed"
        return
    if "type" in rule and not _is(value, rule["type"]):
        yield f"{place} is no {rule['type']}"
        return
    if ("const" in rule and value != rule["const"]) or value not in rule.get("enum", [value]):
        yield f"{place} is {value!r}"
    if _is(value, "number") and not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        yield f"{place} is out of range"
    if isinstance(value, dict):
        yield from _object_faults(value, rule, root, place)
    if isinstance(value, list):
        yield from _list_faults(value, rule, root, place)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _list_faults(value: list[Any], rule: dict[str, Any], root: dict[str, Any], place: str) -> Iterator[str]:
    fixed = rule.get("prefixItems", [])
    if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value)):
        yield f"{place} has {len(value)} items"
    for i, item in enumerate(value):
        yield from faults(item, fixed[i] if i < len(fixed) else rule.get("items", {}), root, f"{place}[{i}]")


def _object_faults(value: dict[str, Any], rule: dict[str, Any], root: dict[str, Any], place: str) -> Iterator[str]:
    known = rule.get("properties", {})
    yield from (f"{place} lacks {name}" for name in rule.get("required", ()) if name not in value)
    others = rule.get("additionalProperties", True)
    for name, inner in value.items():
        if name in known:
            yield from faults(inner, known[name], root, f"{place}.{name}")
        elif others is False:
            yield f"{place}.{name} is not known"
        elif isinstance(others, dict):
            yield from faults(inner, others, root, f"{place}.{name}")


def test_the_file_is_what_the_script_makes(script: ModuleType, repository: Path) -> None:
    """After a change of the records: python docs/evidence_schema.py."""
    assert repository / "docs" / "evidence.schema.json" == script.TARGET
    assert script.TARGET.read_text(encoding="utf-8") == script.schema()


@pytest.mark.parametrize("kind", ["measured", "one evaluation", "invented", "recorded set"])
def test_evidence_is_what_the_schema_says(schema: dict[str, Any], kind: str) -> None:
    evidence = {
        "measured": grid_study().evidence,
        "one evaluation": grid_study().parts[0].evidence,
        "invented": build_evidence(),
        "recorded set": with_recorded(build_evidence()),
    }[kind]
    content = json.loads(evidence.to_json())
    assert list(faults(content, schema, schema)) == []
    assert parse_evidence(evidence.to_json().encode(), kind) == evidence


def test_the_schema_refuses_what_is_no_evidence(schema: dict[str, Any]) -> None:
    """A guard for the checker above: it sees what is missing, unknown, out of range or of another type."""
    content = json.loads(build_evidence().to_json())
    assert "$ lacks suite" in faults({k: v for k, v in content.items() if k != "suite"}, schema, schema)
    assert "$.extra is not known" in faults({**content, "extra": 1}, schema, schema)
    assert "$.schema_version is 1" in faults({**content, "schema_version": 1}, schema, schema)
    assert "$.experiment is no string" in faults({**content, "experiment": 3}, schema, schema)
    assert "$.resampling.seed is out of range" in faults(
        {**content, "resampling": {**content["resampling"], "seed": -1}}, schema, schema
    )
    wrong = json.loads(json.dumps(content))
    wrong["candidates"][0]["cells"][0]["coco"]["AP50"] = 1.5
    assert "$.candidates[0].cells[0].coco.AP50 is none of the allowed" in faults(wrong, schema, schema)


def test_the_schema_names_its_version_and_everything_that_is_written(schema: dict[str, Any]) -> None:
    assert schema["title"].endswith("schema 2") and schema["properties"]["schema_version"]["const"] == 2
    written = set(json.loads(build_evidence().to_json()))
    assert written == set(schema["properties"])
    assert set(schema["required"]) == {"experiment", "data", "suite", "candidates", "environment"}
    assert schema["additionalProperties"] is False
