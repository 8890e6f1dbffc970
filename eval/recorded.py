"""Recorded sets: real images of a condition, with labels of their own, measured beside the variants that are computed.

They are other images than the clean ones, so they have a column of their own and no part in any mean over the suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.registry import names
from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, UsageError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_METRICS = ("mPC", "rPC", "worst", "operating_point")  # what logged metrics begin with, like the name of a column


def load_recorded(sets: Mapping[str, Path], split: str, main: Dataset, splits: Iterable[str]) -> dict[str, Dataset]:
    """Read recorded sets, with the checks that the main data gets.

    Args:
        sets: Name of the condition -> YOLO data.yaml or COCO JSON.
        split: To read of each.
        main: The data that the candidates are judged on; every set must have its classes.
        splits: Names of all splits of the main data.

    Returns:
        Name -> data set, in the given order.

    Raises:
        UsageError: a name means something else already, or cannot be a name.
        DataError: a set is wrong, lacks the split, or has other classes.
    """
    taken = {name.casefold(): what for what, group in _taken(splits).items() for name in group}
    found: dict[str, Dataset] = {}
    for name, path in sets.items():
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a recorded set.",
                "A name has letters, digits and underscores, and begins with a letter.",
                "For example: --variant real_night=night.yaml",
            )
        if name.casefold() in taken:
            raise UsageError(
                f"A recorded set cannot be called {name!r}: that is {taken[name.casefold()]}.",
                fix=f"Choose another name, for example: --variant real_{name}={path}",
            )
        taken[name.casefold()] = "another recorded set"
        dataset = load_dataset(path, split)
        _check_classes(name, dataset, main)
        found[name] = dataset
    return found


def shown_as(place: str, variant: Variant, judged_on: str, recorded: Iterable[str]) -> tuple[str, Variant]:
    """Split and variant that a cell goes by in the evidence: a recorded set is a column of the split that judges."""
    return (judged_on, Variant(place, 0)) if place in recorded else (place, variant)


def _taken(splits: Iterable[str]) -> dict[str, Iterable[str]]:
    return {
        "a corruption": names(),
        "the untouched images": (CLEAN,),
        "a split of the data": {*splits, "train", "val", "test"},
        "the name of a metric": _METRICS,
    }


def _check_classes(name: str, dataset: Dataset, main: Dataset) -> None:
    """Only the same classes give numbers that can stand beside each other; their ids and order may differ."""
    theirs, ours = (sorted(category.name for category in one.categories) for one in (dataset, main))
    if theirs != ours:
        raise DataError(
            f"{name} ({dataset.name}) has other classes than {main.name}.",
            f"It has {', '.join(theirs)}; the main data has {', '.join(ours)}.",
            "Leave those classes in its labels that the main data has, under the same names.",
        )
