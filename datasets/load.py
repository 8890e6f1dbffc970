"""The way in: a data set from whatever describes it."""

from __future__ import annotations

from pathlib import Path

from robust.datasets.coco import scan_coco
from robust.datasets.data_yaml import DataYaml, is_coco, read_data_yaml
from robust.datasets.problems import Scan
from robust.datasets.records import Dataset
from robust.datasets.yolo import scan_yolo
from robust.errors import DataError

LONE_SPLIT = "test"
"""What the one split of a COCO file is called when nobody says otherwise."""


def load_dataset(source: Path, split: str, images: Path | None = None, *, labels_only: bool = False) -> Dataset:
    """Read one split.

    Args:
        source: A data.yaml (whose splits may be COCO files), a folder that holds exactly one YAML file, or a COCO JSON.
        split: "train", "val", "test" or what the YAML offers; for a JSON it is only what the split will be called.
        images: Folder of a COCO file's images; see `robust.datasets.coco.read_coco`.
        labels_only: Open no image of a COCO file, which need not have any; YOLO labels cannot be read without.

    Raises:
        DataError: The split is missing (those that exist are listed) or empty, or its first error with file and line.
        UnknownName: A key of the YAML is unknown.
    """
    return scan_split(source, split, images, labels_only=labels_only).require()


def available_splits(source: Path) -> tuple[str, ...]:
    """List the splits of a source: of a YAML those it names, of a COCO file `LONE_SPLIT`.

    Raises:
        DataError: The source is missing or is neither.
        UnknownName: A key of the YAML is unknown.
    """
    source = find_source(source)
    return (LONE_SPLIT,) if is_coco(source) else tuple(read_data_yaml(source).splits)


def find_source(source: Path) -> Path:
    """Return the describing file: the source itself, or the one YAML file in a folder.

    Raises:
        DataError: There is none, there are several, or it is neither YAML nor JSON.
    """
    source = Path(source)
    if source.is_dir():
        found = sorted(file for file in source.iterdir() if file.suffix.lower() in {".yaml", ".yml"})
        if len(found) != 1:
            listing = f"It holds {', '.join(file.name for file in found)}." if found else "It holds no YAML file."
            raise DataError(
                f"{source}: a folder is no data set description.", listing, "Name a data.yaml or a COCO JSON."
            )
        return found[0]
    if not source.exists():
        raise DataError(f"{source}: there is no such file.", fix="Name a data.yaml or a COCO JSON.")
    if source.suffix.lower() not in {".yaml", ".yml", ".json"}:
        raise DataError(f"{source}: this is no data set description.", fix="Name a data.yaml or a COCO JSON.")
    return source


def numbers_images(source: Path, split: str) -> bool:
    """Tell whether the ids of a split's images are the data's own (COCO), or counted by the reader (YOLO).

    Raises:
        DataError: The source is missing or is neither.
        UnknownName: A key of the YAML is unknown.
    """
    source = find_source(source)
    return is_coco(source) or any(is_coco(entry) for entry in read_data_yaml(source).splits.get(split, ()))


def scan_split(source: Path, split: str, images: Path | None = None, *, labels_only: bool = False) -> Scan:
    """Read one split with everything that is wrong with it.

    Raises:
        DataError: As `load_dataset`, but only where nothing can be read at all.
        UnknownName: A key of the YAML is unknown.
    """
    source = find_source(source)
    if is_coco(source):
        return scan_coco(source, split, images, labels_only=labels_only)
    spec = read_data_yaml(source)
    if split not in spec.splits:
        raise DataError(f"{source}: there is no split {split!r}.", f"There are: {', '.join(spec.splits)}.")
    entries = spec.splits[split]
    if not any(is_coco(entry) for entry in entries):
        return scan_yolo(spec, split)
    if len(entries) != 1:
        raise DataError(f"{source}: {split} must be one COCO file, or folders and lists only.")
    return _with_names_of(spec, scan_coco(entries[0], split, images, labels_only=labels_only))


def _with_names_of(spec: DataYaml, scan: Scan) -> Scan:
    found = tuple(category.name for category in scan.dataset.categories)
    if spec.names and set(found) != set(spec.names):
        raise DataError(
            f"{spec.file}: the classes are {', '.join(spec.names)}, but {scan.dataset.name} has {', '.join(found)}.",
            fix="Correct names, or remove them: the COCO file has its own.",
        )
    return scan
