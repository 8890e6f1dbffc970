"""Recorded sets: real images of a condition, with labels of their own, measured beside the variants that are computed.

They are other images than the clean ones, so they have a column of their own and no part in any mean over the suite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.registry import names
from robust.corruptions.suites import suite_names
from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset
from robust.errors import DataError, UsageError
from robust.eval.evaluation_run import AGGREGATES, POINT

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_METRICS = (*AGGREGATES, POINT, "mean")  # what logged metrics begin with, like the name of a column
LONGEST_NAME = 40
"""Letters; the name is a column of tables and a part of file and metric names."""


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
        UsageError: a name means something else already, or cannot be a name; or a set is the judged split itself.
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
        if len(name) > LONGEST_NAME:
            raise UsageError(
                f"{name!r} is too long for the name of a recorded set.",
                f"It has {len(name)} letters; {LONGEST_NAME} are allowed.",
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
        _check_other_images(name, dataset, main)
        found[name] = dataset
    return found


def _check_other_images(name: str, dataset: Dataset, main: Dataset) -> None:
    """A set that is the judged split itself would show its clean numbers again under the name of a condition."""
    if dataset.fingerprint == main.fingerprint:
        raise UsageError(
            f"The recorded set {name!r} is the split {main.split!r} itself: the same images and labels.",
            "A recorded set has images of its own, taken under that condition.",
            f"Name another file, or leave out --variant {name}.",
        )


def shown_as(place: str, variant: Variant, judged_on: str, recorded: Iterable[str]) -> tuple[str, Variant]:
    """Split and variant that a cell goes by in the evidence: a recorded set is a column of the split that judges."""
    return (judged_on, Variant(place, 0)) if place in recorded else (place, variant)


def _taken(splits: Iterable[str]) -> dict[str, Iterable[str]]:
    return {
        "a corruption": names(),
        "a suite": suite_names(),
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
