"""The words of ``robust eval --predictions``: which file holds whose detections on what."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.result_files import ResultFiles, ResultsRequest

GRAMMAR = "[[NAME:]SPLIT=]FILE"
_CLEAN = re.compile(r"(?:(?P<name>[^=/\\]+):)?(?P<place>[^=/\\:.]+)=(?P<file>.*)", re.DOTALL)
_VARIANT = re.compile(r"(?:(?P<name>[^=/\\]+):)?(?P<place>[^=/\\:.]+/\d+)=(?P<file>.*)", re.DOTALL)
_MODEL_OPTIONS = {
    "run_ids": "--run-id",
    "weights": "--weights",
    "imgsz": "--imgsz",
    "class_map": "--map-class",
    "trust_weights": "--trust-weights",
    "val_variants": "--val-variants",
}


@dataclass(frozen=True)
class _Given:
    """One file as it was named; no name: to be found."""

    name: str | None
    place: str
    file: Path


def results_request(given: dict[str, Any]) -> ResultsRequest:
    """Make the request of the options of ``robust eval``.

    Raises:
        UsageError: options do not go together, or it is not clear which files belong to one detector.
    """
    from robust.eval.metrics.resampling import Resampling
    from robust.eval.result_files import ResultsRequest

    for key, option in _MODEL_OPTIONS.items():
        if given[key]:
            raise UsageError(
                f"{option} and --predictions cannot be given together.",
                "Detections from a file are measured as they are; no model is run.",
                "Evaluate in two commands, into one --experiment.",
            )
    variants = [_read(text, _VARIANT, "night/3") for text in given["variants"] if _VARIANT.fullmatch(text)]
    detectors = _detectors(_clean_files(given["predictions"], given["split"]), variants)
    baseline = _baseline(given["baseline"], detectors, given["split"])
    return ResultsRequest(
        data=given["data"],
        candidates=tuple(one for one in detectors if one is not baseline),
        baseline=baseline,
        experiment=given["experiment"],
        split=given["split"],
        suite=given["suite"],
        severities=given["severities"] or None,
        seed=given["seed"],
        trained_on=given["trained_on"],
        built=tuple(_folders(given["variants"])),
        resampling=Resampling(seed=given["resampling_seed"], replicates=given["replicates"]),
    )


def _read(text: str, grammar: re.Pattern[str], example: str) -> _Given:
    found = grammar.fullmatch(text)
    if found is None or not found["file"]:
        raise UsageError(f"{text!r} names no file.", fix=f"For example: {example}=results.json")
    return _Given(found["name"], found["place"], Path(found["file"]))


def _clean_files(texts: tuple[str, ...], split: str) -> list[_Given]:
    """Files on clean images, each with a name: its own, or the stem of a file.

    Files without a name are one detector where there is one for each split; otherwise those with one stem are.
    """
    files = [
        _read(text, _CLEAN, split) if _CLEAN.fullmatch(text) else _Given(None, split, Path(text))
        for text in dict.fromkeys(texts)
    ]
    nameless = Counter(one.place for one in files if one.name is None)
    judged = next((one.file.stem for one in files if one.name is None and one.place == split), None)
    common = judged if max(nameless.values(), default=0) == 1 else None
    return [one if one.name else replace(one, name=common or one.file.stem) for one in files]


def _detectors(clean: list[_Given], variants: list[_Given]) -> list[ResultFiles]:
    from robust.eval.result_files import ResultFiles

    names = list(dict.fromkeys(one.name or "" for one in clean))
    owned = []
    for one in variants:
        if one.name is None and len(names) > 1:
            raise UsageError(
                f"--variant {one.place}={one.file}: it is not told whose detections these are.",
                f"There are {', '.join(names)}.",
                f"Say it: --variant {names[0]}:{one.place}={one.file}",
            )
        if one.name is not None and one.name not in names:
            raise UsageError(
                f"--variant {one.name}:{one.place}={one.file}: there is no detector {one.name!r}.",
                f"There are {', '.join(names)}.",
                f"Give its detections on clean images too: --predictions {one.name}:test=FILE",
            )
        owned.append(one if one.name else replace(one, name=names[0]))
    return [
        ResultFiles(name, _places(name, clean, "--predictions"), _places(name, owned, "--variant")) for name in names
    ]


def _places(name: str, files: list[_Given], option: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for one in files:
        if one.name != name:
            continue
        if one.place in found:
            raise UsageError(
                f"{option}: {name} has two files for {one.place}: {found[one.place]} and {one.file}.",
                fix=f"If they are of two detectors, give them names: {option} NAME:{one.place}={one.file}",
            )
        found[one.place] = one.file
    return found


def _baseline(text: str | None, detectors: list[ResultFiles], split: str) -> ResultFiles | None:
    """One of the detectors by its name, or a file of its own on the split that judges."""
    from robust.eval.result_files import ResultFiles

    if text is None:
        return None
    named = next((one for one in detectors if one.name == text), None)
    if named is not None and len(detectors) > 1:
        return named
    if not Path(text).is_file():
        raise UsageError(
            f"--baseline {text}: there is no such file, and no other detector of that name.",
            f"Detectors are {', '.join(one.name for one in detectors)}.",
            "Give a COCO result file, or NAME of --predictions NAME:SPLIT=FILE.",
        )
    return ResultFiles(Path(text).stem, {split: Path(text)})


def _folders(texts: tuple[str, ...]) -> list[Path]:
    """Built sets among the variants; anything else cannot be measured without a model."""
    folders = [Path(text) for text in texts if not _VARIANT.fullmatch(text)]
    for folder in folders:
        if not folder.exists():
            raise UsageError(
                f"--variant {folder}: with --predictions this must be a folder or VARIANT=FILE.",
                "Detections on a recorded set are measured with its own labels: --data DATA --predictions FILE.",
                "For example: --variant night/3=results_on_night3.json",
            )
    return folders
