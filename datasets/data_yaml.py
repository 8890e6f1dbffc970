"""The YAML file that describes a YOLO data set: where its splits are and what its classes are called.

The keys are those of Ultralytics. ``download`` is read and never run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from robust.errors import DataError, UnknownName

SPLIT_KEYS = ("train", "val", "test", "minival")
_ALIASES = {"validation": "val"}  # Ultralytics renames it, too
KNOWN_KEYS = frozenset(
    {
        *SPLIT_KEYS,
        *_ALIASES,
        *("path", "names", "nc", "download", "channels", "yaml_file"),
        *("kpt_shape", "flip_idx", "kpt_names", "kpt_oks_sigmas"),  # poses
        *("masks_dir", "label_mapping", "depth_scale", "max_depth"),  # masks and depth
        "roboflow",  # where a Roboflow export came from
    }
)


@dataclass(frozen=True)
class DataYaml:
    """A data set description with its paths resolved.

    Attributes:
        file: The YAML file.
        root: The folder that the splits are relative to.
        names: Class names by class index; empty when the file gives none (allowed when all splits are COCO files).
        splits: For each split the folders, lists and COCO files it is made of. They need not exist.
        keypoint_columns: Numbers that follow the box in a row of a pose data set; None for other data sets.
    """

    file: Path
    root: Path
    names: tuple[str, ...]
    splits: Mapping[str, tuple[Path, ...]]
    keypoint_columns: int | None = None


def read_data_yaml(file: Path) -> DataYaml:
    """Read and check a data set description.

    A relative ``path`` is taken from the YAML's folder or, where there is no such folder, from the working directory.
    (Ultralytics looks in the working directory first and then in a folder of its settings.)

    Raises:
        DataError: The file is missing, is no YAML mapping, or says something that cannot be meant.
        UnknownName: A key is not one of Ultralytics'; the nearest one is suggested.
    """
    values = _load(file)
    for key in values:
        if key not in KNOWN_KEYS:
            raise UnknownName(f"key of {file}:", str(key), KNOWN_KEYS)
    root = _resolve_root(file, values.get("path"))
    splits = {
        _ALIASES.get(key, key): _entries(file, root, key, values[key])
        for key in (*SPLIT_KEYS, *_ALIASES)
        if values.get(key)
    }
    if not splits:
        raise DataError(f"{file}: the file names no split.", fix="Add at least one of train:, val: and test:.")
    names = _names(file, values.get("names"), values.get("nc"))
    if not names and not all(is_coco(entry) for entries in splits.values() for entry in entries):
        raise DataError(f"{file}: the file names no classes.", fix="Add names:, for example `names: [person]`.")
    return DataYaml(file, root, names, splits, _keypoint_columns(file, values.get("kpt_shape")))


def is_coco(path: Path) -> bool:
    """Whether a file is meant to be a COCO annotation file."""
    return path.suffix.lower() == ".json"


def tell_yaml_error(file: str, error: yaml.YAMLError) -> tuple[str, str]:
    """Say where a file stops being YAML, as ``file:line``, and why."""
    mark = getattr(error, "problem_mark", None)
    where = f"{file}:{mark.line + 1}" if mark else file
    why = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"{where}: this is not valid YAML.", f"{why}."


def _load(file: Path) -> dict[Any, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file.", fix="Check the path of the data set.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: the file cannot be read.", f"{error}.") from None
    except yaml.YAMLError as error:
        raise DataError(*tell_yaml_error(str(file), error)) from None
    if not isinstance(values, dict):
        raise DataError(f"{file}: a data set description is a list of `key: value` lines.", fix="See `robust init`.")
    return values


def _resolve_root(file: Path, value: Any) -> Path:
    folder = file.resolve().parent
    if value is None or value == "":
        return folder
    if not isinstance(value, str):
        raise DataError(f"{file}: path must be a text, not {value!r}.")
    given = Path(value)
    candidates = [folder / given, Path.cwd() / given]  # an absolute path replaces what it is joined to
    for candidate in candidates:
        if candidate.is_dir():
            return candidate.resolve()
    looked = " and ".join(dict.fromkeys(str(c) for c in candidates))
    raise DataError(
        f"{file}: path {value!r} is no folder.",
        f"Looked for {looked}.",
        "Correct path:, or fetch the data yourself: `download` is never run.",
    )


def _entries(file: Path, root: Path, key: str, value: Any) -> tuple[Path, ...]:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item for item in items):
        raise DataError(f"{file}: {key} must be a path or a list of paths, not {value!r}.")
    return tuple(_resolve_entry(root, item) for item in items)


def _resolve_entry(root: Path, item: str) -> Path:
    path = root / item
    if not path.exists() and item.startswith("../"):  # Roboflow exports; Ultralytics does the same
        inside = root / item[3:]
        path = inside if inside.exists() else path
    return path.resolve()


def _names(file: Path, value: Any, count: Any) -> tuple[str, ...]:
    number = _class_count(file, count)
    if value is None:
        return tuple(f"class_{i}" for i in range(number or 0))  # as Ultralytics calls them
    if isinstance(value, dict):
        value = _names_in_order(file, value)
    if not isinstance(value, list) or not value:
        raise DataError(f"{file}: names must be a list, or a mapping from class index to name.")
    for name in value:
        if isinstance(name, bool) or not isinstance(name, str | int | float):
            raise DataError(f"{file}: {name!r} is no class name.", fix="Put the name in quotes.")
    names = tuple(str(name) for name in value)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{file}: the class name {twice!r} occurs twice.", fix="Give every class its own name.")
    if number is not None and number != len(names):
        raise DataError(f"{file}: nc is {number}, but there are {len(names)} names.", fix="Remove nc, or correct it.")
    return names


def _names_in_order(file: Path, value: dict[Any, Any]) -> list[Any]:
    try:
        by_index = {int(key): name for key, name in value.items()}
    except (TypeError, ValueError):
        raise DataError(f"{file}: the keys of names must be class indices 0, 1, 2...") from None
    if sorted(by_index) != list(range(len(value))):
        raise DataError(f"{file}: names must count its classes from 0 without a gap, not {sorted(by_index)}.")
    return [by_index[i] for i in range(len(value))]


def _class_count(file: Path, value: Any) -> int | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not number >= 1 or number != int(number):
        raise DataError(f"{file}: nc must be a whole number of at least 1, not {value!r}.")
    return int(number)


def _keypoint_columns(file: Path, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(n, int) and n > 0 for n in value):
        raise DataError(f"{file}: kpt_shape must be [points, 2 or 3], not {value!r}.")
    return int(value[0] * value[1])
