"""Whether weights can be judged on a data set at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from robust.datasets.records import Category
from robust.errors import DataError
from robust.eval.detectors.checkpoint import CheckpointInfo, check_weights
from robust.eval.detectors.classes import map_classes


def check_judgeable(
    weights: Path, categories: Sequence[Category], renamed: Mapping[str, str], *, trust: bool = False
) -> tuple[CheckpointInfo, dict[int, int]]:
    """Look into weights before images are spent on them.

    Returns:
        What the file says of itself, and class index -> ``Category.id``.

    Raises:
        DataError: they hold NaN or infinity, or miss a category of the data.
        IntegrityError: they hold code and ``trust`` is off.
    """
    info = check_weights(weights, trust=trust)
    if not info.finite:
        raise DataError(f"{weights.name} holds NaN or infinity.", "Its training diverged.", "Use another checkpoint.")
    return info, map_classes(info.names, categories, renamed)
