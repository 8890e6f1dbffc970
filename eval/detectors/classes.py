"""Which class of a network is which category of the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robust.datasets.records import Category
from robust.errors import DataError


def map_classes(
    names: Mapping[int, str], categories: Sequence[Category], renamed: Mapping[str, str] | None = None
) -> dict[int, int]:
    """Match a network's class names with the data set's categories, ignoring case.

    80-class weights on a data set of persons keep their class "person" and lose the other 79.

    Args:
        names: Class index -> name, as stored with the weights.
        categories: Of the data set.
        renamed: The network's name -> the data set's name, where the two differ; names of other networks do no harm.

    Returns:
        Class index -> ``Category.id``; every category of the data set occurs.

    Raises:
        DataError: a category has no class, so the weights cannot be judged on this data.
    """
    wanted = {category.name.casefold(): category.id for category in categories}
    aliases = {ours.casefold(): theirs.casefold() for ours, theirs in (renamed or {}).items()}
    mapping: dict[int, int] = {}
    for index, name in names.items():
        target = aliases.get(name.casefold(), name.casefold())
        if target in wanted:
            mapping[index] = wanted[target]
    missing = [category.name for category in categories if category.id not in mapping.values()]
    if missing:
        shown = ", ".join(list(names.values())[:10]) + (", ..." if len(names) > 10 else "")
        raise DataError(
            f"The weights know no class {missing[0]!r}, which the data set has.",
            f"Classes of the weights: {shown}.",
            f"If one of them means the same, say so: --map-class NAME={missing[0]}",
        )
    return mapping
