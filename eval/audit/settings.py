"""The parameters that decide a training, in one spelling, whoever logged them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from robust.eval.audit.facts import RunFacts
from robust.eval.tracking import tags

Settings = dict[str, str]
Reader = Callable[[RunFacts], Settings]

AXES = ("imgsz", "lr0", "seed")
"""What a grid is expected to vary."""

DATA_CONTENT = "content of the training data"
VAL_CONTENT = "content of the validation data"
BASE_CONTENT = "content of the starting weights"
VERSION = "Ultralytics version"
"""Names of settings that are no parameter."""

PLACES = frozenset({"device", "workers"})
"""Where it was trained: no part of a configuration, though sums in another order round otherwise."""

BOOKKEEPING = PLACES | {
    "name", "project", "save_dir", "exist_ok", "verbose", "plots", "mode", "task", "cache", "resume", "cfg", "tracker",
    "save", "save_period", "save_json", "save_txt", "save_conf", "save_crop", "save_frames", "save_hybrid",
    "show", "show_labels", "show_conf", "show_boxes", "line_width", "visualize", "source", "vid_stride",
    "stream_buffer", "embed", "retina_masks", "agnostic_nms", "profile", "format", "keras", "optimize", "int8",
    "quantize", "dynamic", "simplify", "opset", "workspace", "run_name", "experiment", "experiment_name", "run_id",
}  # fmt: skip
"""Parameters of Ultralytics (and of hand-written scripts) that name, place, show or export, but do not train."""

INERT = frozenset({"patience", "close_mosaic", "time", "max_det", "conf"})
"""Settings that rightly change nothing in a short training."""

PATHS = ("data", "model")
"""Settings that name a file; folders count only where its own name says nothing."""
_PLAIN = {"data", "dataset", "best", "last", "model", "weights", "config"}  # names that many files share
_PASSED_OVER = "weights"  # Ultralytics keeps every network in a folder of that name
_SQUARE = re.compile(r"[\[(]\s*(\d+)\s*(?:,\s*\1\s*)?,?\s*[\])]")  # [640], (640,), [640, 640]
_NOTHING = {"", "none", "null", "~"}


@lru_cache(maxsize=4096)
def spelled(value: str) -> str:
    """One spelling of a value: 1e-2 is 0.01, True is true, null is none; surrounding blanks do not count."""
    text = value.strip()
    folded = text.casefold()
    if folded in _NOTHING:
        return "none"
    if folded in {"true", "false"}:
        return folded
    try:
        number = float(text)
    except ValueError:
        return text
    return repr(number).removesuffix(".0") if math.isfinite(number) else folded


@lru_cache(maxsize=4096)
def stem(path: str) -> str:
    """File name without folders and suffix, of a path of any system."""
    return PurePosixPath(path.strip().replace("\\", "/")).stem


def spelled_as(name: str, value: str) -> str:
    """One spelling of a parameter's value; a square image size may be written as a list: "[640]" is 640."""
    square = _SQUARE.fullmatch(value.strip()) if name == "imgsz" else None
    return spelled(square[1] if square else value)


@lru_cache(maxsize=4096)
def file_label(path: str) -> str:
    """File name without suffix; with its folder where many files have that name.

    >>> file_label("/d/people-7/data.yaml"), file_label("runs/train9/weights/best.pt"), file_label("/x/yolov8n.pt")
    ('people-7/data', 'train9/best', 'yolov8n')
    """
    parts = PurePosixPath(path.strip().replace("\\", "/")).parts
    own = stem(path)
    folders = [part for part in parts[:-1] if part.casefold() != _PASSED_OVER and part.strip("/.")]
    return f"{folders[-1]}/{own}" if own.casefold() in _PLAIN and folders else own


def agree(name: str, a: str, b: str) -> bool:
    """Whether two values of a setting say the same; a file that is named without its folder may be the other one."""
    return a == b or (name in PATHS and (a.endswith(f"/{b}") or b.endswith(f"/{a}")))


def settings_of(run: RunFacts) -> Settings:
    """Return what decided a training, as far as it is known: what it wrote down itself goes before what was logged."""
    return _decisive(run, {**run.params, **(run.resolved or {})})


def declared(run: RunFacts) -> Settings:
    """Return what the experimenter says that decided it: what was logged goes before what the training wrote down.

    Where the training was asked for ``optimizer=auto`` and then logged what it picked, what was asked for counts.
    """
    resolved = run.resolved or {}
    merged = {**resolved, **run.params}
    if spelled(resolved.get("optimizer", "")) == "auto":
        merged.update({key: resolved[key] for key in ("optimizer", "lr0") if key in resolved})
    return _decisive(run, merged)


def _decisive(run: RunFacts, parameters: Mapping[str, str]) -> Settings:
    kept = {key: spelled_as(key, value) for key, value in parameters.items() if key not in BOOKKEEPING}
    base = run.tags.get(tags.BASE_WEIGHTS_SHA256)
    for key, content in zip(PATHS, (run.data_sha256, base), strict=True):
        if key in kept:  # where the content is known, it tells files apart, and their folders may differ
            kept[key] = stem(kept[key]) if content else file_label(kept[key])
    known = {
        DATA_CONTENT: run.data_sha256,
        VAL_CONTENT: run.tags.get(tags.VAL_DATA_SHA256),
        BASE_CONTENT: base,
        VERSION: run.ultralytics,
    }
    return {**kept, **{key: value for key, value in known.items() if value}}


def places_of(run: RunFacts) -> Settings:
    """Return where a training ran: device and workers, as far as they were logged."""
    merged = {**run.params, **(run.resolved or {})}
    return {key: spelled(merged[key]) for key in sorted(PLACES & merged.keys())}


def varying(each: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the settings that take several values, with these; one that is missing somewhere is unknown there."""
    values: dict[str, set[str]] = {}
    for one in each:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    return {key: tuple(sorted(found, key=in_order)) for key, found in sorted(values.items()) if len(found) > 1}


def grouped(
    runs: Iterable[RunFacts], read: Reader, without: Iterable[str] = ()
) -> dict[frozenset[tuple[str, str]], tuple[RunFacts, ...]]:
    """Group runs by their settings.

    Args:
        runs: In any order; within a group, and the groups by their first one, they are by name and id.
        read: `settings_of`, `declared` or what `read_once` made of them.
        without: Settings that do not count.
    """
    left_out = set(without)
    groups: dict[frozenset[tuple[str, str]], list[RunFacts]] = {}
    for run in sorted(runs, key=identity):
        key = frozenset(item for item in read(run).items() if item[0] not in left_out)
        groups.setdefault(key, []).append(run)
    return {key: tuple(group) for key, group in groups.items()}


def read_once(runs: Iterable[RunFacts], read: Reader) -> Reader:
    """Return a reader that gives the settings of these runs without reading them again."""
    known = {run.run_id: read(run) for run in runs}
    return lambda run: known[run.run_id]


def identity(run: RunFacts) -> tuple[str, str]:
    """What runs are sorted by: name, then id."""
    return run.name, run.run_id


def in_order(value: str) -> tuple[int, float, str]:
    """Sort key of a value: numbers by size, then texts."""
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


def as_integer(text: str | None) -> int | None:
    """The integer that a value stands for; None when it is none."""
    found = spelled(text) if text is not None else ""
    return int(found) if re.fullmatch(r"-?\d+", found) else None


def seed_of(run: RunFacts) -> int | None:
    """The seed that a training used, as it wrote down itself or else as logged; None when unknown."""
    return as_integer(settings_of(run).get("seed"))
