"""From one format to the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from robust.datasets.coco import write_coco
from robust.datasets.export import whole_folder, write_text
from robust.datasets.load import available_splits, load_dataset
from robust.datasets.records import Dataset
from robust.datasets.yolo import write_yolo

Format = Literal["coco", "yolo"]


@dataclass(frozen=True)
class Conversion:
    """What was written.

    Attributes:
        path: The data.yaml, which `load_dataset` reads whatever the format.
        splits: Names of the splits.
        n_images: Images copied.
        n_objects: Objects written.
        n_ignored_dropped: Crowd and ignore regions that the format has no place for.
    """

    path: Path
    splits: tuple[str, ...]
    n_images: int
    n_objects: int
    n_ignored_dropped: int


def convert(source: Path, out: Path, to: Format, images: Path | None = None) -> Conversion:
    """Write all splits of a data set in another format, images included.

    COCO: ``annotations/<split>.json``, ``images/<split>`` and a ``data.yaml`` that lists the JSON files. YOLO: see
    `robust.datasets.yolo.write_yolo`.

    Args:
        source: As for `robust.datasets.load.load_dataset`.
        out: A new or empty folder; it is filled as a whole or not at all.
        to: "coco" or "yolo".
        images: Folder of a COCO file's images.

    Raises:
        DataError: The source has an error, or ``out`` holds something.
    """
    datasets = [load_dataset(source, split, images) for split in available_splits(source)]
    with whole_folder(out) as folder:
        written = write_yolo(datasets, folder) if to == "yolo" else _write_coco_splits(datasets, folder)
    n_ignored = sum(int(a.iscrowd.sum()) for dataset in datasets for a in dataset.annotations)
    return Conversion(
        path=Path(out) / written.name,
        splits=tuple(dataset.split for dataset in datasets),
        n_images=sum(len(dataset) for dataset in datasets),
        n_objects=sum(dataset.n_objects for dataset in datasets),
        n_ignored_dropped=n_ignored if to == "yolo" else 0,
    )


def _write_coco_splits(datasets: list[Dataset], folder: Path) -> Path:
    entries = {}
    for dataset in datasets:
        entries[dataset.split] = f"annotations/{dataset.split}.json"
        write_coco(dataset, folder / entries[dataset.split], "copy", folder / "images" / dataset.split)
    target = folder / "data.yaml"
    write_text(target, yaml.safe_dump(entries, sort_keys=False))
    return target
