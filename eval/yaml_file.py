"""YAML files that people write, read into records: a typing error is named, with the nearest known key."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from robust.datasets.data_yaml import tell_yaml_error
from robust.errors import UnknownName, UsageError

Model = TypeVar("Model", bound=BaseModel)

LONGEST_SHOWN = 200
"""Characters of a wrong value that a message shows."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (YAML keeps the last one silently) and aliases.

    A few lines of aliases can stand for more than the memory holds.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node."""
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed; write it out", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping with unique keys."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} occurs twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _TextLoader(_Loader):
    """A loader that leaves numbers as they were typed: 0.270 says more than 0.27."""


def _as_typed(loader: _TextLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


for _kind in ("int", "float"):
    _TextLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _as_typed)


def read_yaml(path: Path, model: type[Model], kind: str, *, numbers_as_text: bool = False) -> Model:
    """Read a YAML file into a record.

    Args:
        path: The file.
        model: The record's class.
        kind: What the file is, for messages: "policy", "card".
        numbers_as_text: Whether the record gets numbers as the text that was typed, with all its digits.

    Raises:
        UnknownName: a key is not known; the nearest known one is named.
        UsageError: the file cannot be read, is not YAML, or a value is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The {kind} {path} cannot be read.", str(error)) from error
    return parse_yaml(text, model, kind, str(path), numbers_as_text=numbers_as_text)


def parse_yaml(text: str, model: type[Model], kind: str, name: str, *, numbers_as_text: bool = False) -> Model:
    """Read YAML text into a record; ``name`` is what messages call the text."""
    try:
        values = yaml.load(text, Loader=_TextLoader if numbers_as_text else _Loader)
    except yaml.YAMLError as error:
        raise UsageError(*tell_yaml_error(name, error)) from error
    if not isinstance(values, dict):
        raise UsageError(
            f"The {kind} {name} must be a mapping of keys to values.", f"It holds {type(values).__name__}."
        )
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _explain(error, model, kind, name) from error


def _explain(error: ValidationError, model: type[BaseModel], kind: str, name: str) -> UsageError:
    for problem in error.errors():
        location = problem["loc"]
        if problem["type"] == "extra_forbidden":
            return UnknownName(f"key of {kind} {name}:", str(location[-1]), _known_keys(model, location[:-1]))
        if problem["type"] == "union_tag_invalid":
            known = [str(tag).strip().strip("'") for tag in str(problem["ctx"]["expected_tags"]).split(",")]
            return UnknownName(f"kind of gate in {kind} {name}:", str(problem["ctx"]["tag"]), known)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    given = textwrap.shorten(repr(first.get("input")), LONGEST_SHOWN, placeholder=" ...")
    return UsageError(f"The {kind} {name} is wrong at {where}.", f"{first['msg']} (given: {given}).")


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that are allowed at a place inside a record."""
    candidates = [model]
    for part in location:
        if isinstance(part, int):
            continue
        deeper = [m for c in candidates if part in c.model_fields for m in _models(c.model_fields[part].annotation)]
        tagged = [c for c in candidates if part in get_args(_annotation(c, "kind"))]
        candidates = deeper or tagged or candidates
    return sorted({field for candidate in candidates for field in candidate.model_fields})


def _annotation(model: type[BaseModel], field: str) -> object:
    return model.model_fields[field].annotation if field in model.model_fields else None


def _models(annotation: object) -> list[type[BaseModel]]:
    """All record classes inside an annotation such as ``tuple[Annotated[A | B, ...], ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]
