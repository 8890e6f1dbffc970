"""YOLO data sets: a YAML file, folders or lists of images, and a label file beside each image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from robust.datasets.data_yaml import SPLIT_KEYS, DataYaml, read_data_yaml
from robust.datasets.export import copy_images, export_names, write_text
from robust.datasets.images import IMAGE_SUFFIXES, ImageFile, probe_images, probe_problems
from robust.datasets.problems import Problem, Scan, error, from_data_error, warning
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.datasets.yolo_labels import LabelFormat, LabelRows, parse_labels
from robust.errors import DataError

_DULL_STEMS = frozenset({"data", "dataset"})


def read_yolo(data_yaml: Path, split: str) -> Dataset:
    """Read one split of a YOLO data set.

    Images have ids 1..n in the order of their file names, which are relative to the deepest folder that holds all of
    them; categories have the class index + 1; annotations count from 1. A missing or empty label file means that
    nothing is in the image.

    Raises:
        DataError: The split is missing, empty or wrong: the first error with file and line.
    """
    return scan_yolo(read_data_yaml(data_yaml), split).require()


def label_path(image: Path) -> Path:
    """Where Ultralytics looks for the labels: the last folder ``images`` becomes ``labels``, the suffix ``.txt``."""
    parts = list(image.parts)
    for i in range(len(parts) - 2, 0, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def scan_yolo(spec: DataYaml, split: str) -> Scan:
    """Read one split with everything that is wrong with it.

    Raises:
        DataError: The split has no images at all, or a folder or list of it is missing.
    """
    problems: list[Problem] = []
    named = _name_images(_list_images(spec, split, problems))
    if not named:
        raise DataError(
            f"{spec.file}: the split {split!r} is empty.",
            f"No image in {', '.join(map(str, spec.splits[split]))}.",
            f"Correct {split}: in the file, or put images there.",
        )
    images: list[ImageRecord] = []
    annotations: list[Annotations] = []
    next_id = 1
    probes = probe_images(list(named.values()))
    for (name, path), probe in zip(named.items(), probes, strict=True):
        if isinstance(probe, DataError):
            problems.append(from_data_error("image-unreadable", probe))
            continue
        problems.extend(probe_problems(path, probe))
        rows = _read_labels(path, probe, spec)
        problems.extend(rows.problems)
        images.append(ImageRecord(len(images) + 1, name, path, probe.width, probe.height, probe.sha256))
        annotations.append(_to_annotations(rows, next_id))
        next_id += len(rows.boxes)
    problems.extend(_label_file_problems(list(named.values())))
    categories = tuple(Category(i + 1, name) for i, name in enumerate(spec.names))
    return Scan(Dataset(dataset_name(spec), split, tuple(images), tuple(annotations), categories), tuple(problems))


def dataset_name(spec: DataYaml) -> str:
    """The YAML's stem, or the folder's name where the file is just called data.yaml."""
    return spec.root.name if spec.file.stem.lower() in _DULL_STEMS else spec.file.stem


def _list_images(spec: DataYaml, split: str, problems: list[Problem]) -> list[Path]:
    paths: list[Path] = []
    for entry in spec.splits[split]:
        if entry.is_dir():
            paths.extend(_walk(entry))
        elif entry.suffix.lower() == ".txt" and entry.is_file():
            paths.extend(_read_list(entry, spec.root, problems))
        elif entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file():
            paths.append(entry)
        else:
            raise DataError(
                f"{spec.file}: {split}: {entry} does not exist.",
                fix="Correct the path, or fetch the data yourself: `download` is never run.",
            )
    unique = list(dict.fromkeys(paths))
    if len(unique) < len(paths):
        message = f"{len(paths) - len(unique)} images of {split} are listed more than once; they count once."
        problems.append(warning("image-listed-twice", message, spec.file))
    return unique


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(
            Path(place, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
        )
    return found


def _read_list(file: Path, root: Path, problems: list[Problem]) -> list[Path]:
    """Read a list of images; relative ones are looked for beside the list, in the root, in the working directory."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"{file}: the list of images cannot be read.", f"{failure}.") from None
    paths: list[Path] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        candidates = [Path(os.path.abspath(base / text)) for base in (file.parent, root, Path.cwd())]  # noqa: PTH100
        existing = next((path for path in candidates if path.is_file()), None)
        if existing is None:
            problems.append(error("image-missing", f"there is no image {text}.", file, number, "Correct the list."))
        else:
            paths.append(existing)
    return paths


def _name_images(paths: Sequence[Path]) -> dict[str, Path]:
    if not paths:
        return {}
    try:
        base = os.path.commonpath([str(path.parent) for path in paths])
        named = {path.relative_to(base).as_posix(): path for path in paths}
    except ValueError:  # on several Windows drives
        named = {path.as_posix(): path for path in paths}
    return dict(sorted(named.items()))


def _read_labels(image: Path, probe: ImageFile, spec: DataYaml) -> LabelRows:
    file = label_path(image)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return LabelRows()
    except (OSError, UnicodeDecodeError) as failure:
        return LabelRows(problems=[error("label-unreadable", f"the labels cannot be read: {failure}.", file)])
    return parse_labels(text, file, LabelFormat(spec.names, probe.width, probe.height, spec.keypoint_columns))


def _to_annotations(rows: LabelRows, first_id: int) -> Annotations:
    ids = range(first_id, first_id + len(rows.boxes))
    return Annotations.build(rows.boxes, [c + 1 for c in rows.classes], list(ids), outlines=rows.outlines)


def _label_file_problems(images: Sequence[Path]) -> list[Problem]:
    """Find label files that are missing altogether, shared by two images, or left over."""
    problems: list[Problem] = []
    by_label: dict[Path, Path] = {}
    for image in images:
        first = by_label.setdefault(label_path(image), image)
        if first != image:
            message = f"its label file {label_path(image).name} also belongs to {first.name}."
            problems.append(warning("label-shared", message, image, fix="Rename one of the images."))
    expected = label_path(images[0])
    if not any(file.is_file() for file in by_label):
        fix = f"Labels of {images[0]} are expected in {expected}; for images without objects make empty files."
        problems.append(
            error("label-missing", f"no label file for any of {len(images)} images.", expected.parent, fix=fix)
        )
    for labels, folder in sorted({(file.parent, image.parent) for file, image in by_label.items()}):
        stems = {file.stem for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES}
        if labels == folder:
            continue  # other text files may lie there
        left = sorted(f.name for f in labels.glob("*.txt") if f.stem not in stems and f.name != "classes.txt")
        if left:
            message = f"label files without an image: {len(left)}, such as {left[0]}."
            problems.append(warning("label-without-image", message, labels))
    return problems


def write_yolo(datasets: Sequence[Dataset], root: Path) -> Path:
    """Write splits as ``images/<split>``, ``labels/<split>`` and ``data.yaml``.

    Rows are boxes with 12 significant digits. YOLO has no place for outlines, visible fractions and ignored regions:
    these are left out, ignored regions with their rows. Images without objects get an empty label file.

    Args:
        datasets: Splits of one data set, with the same class names.
        root: Folder to write to; made when it is missing.

    Returns:
        The path of data.yaml.

    Raises:
        DataError: There is nothing to write, a split's name or class names do not fit, or two images would
            share a label file.
    """
    _require_writable(datasets)
    for dataset in datasets:
        folder = root / "images" / dataset.split
        names = export_names(dataset)
        labels = [label_path(folder / name) for name in names]
        if len(set(labels)) < len(labels):
            twice = next(file.stem for file in labels if labels.count(file) > 1)
            raise DataError(
                f"Two images are called {twice!r}.", "In YOLO's layout they would share a label file.", "Rename one."
            )
        copy_images(dataset, folder, names)
        index = {category.id: i for i, category in enumerate(dataset.categories)}
        for image, objects, file in zip(dataset.images, dataset.annotations, labels, strict=True):
            write_text(file, _label_text(image, objects, index))
    values = {dataset.split: f"images/{dataset.split}" for dataset in datasets}
    names_by_index = {i: category.name for i, category in enumerate(datasets[0].categories)}
    target = root / "data.yaml"
    write_text(target, yaml.safe_dump({**values, "names": names_by_index}, sort_keys=False, allow_unicode=True))
    return target


def _require_writable(datasets: Sequence[Dataset]) -> None:
    if not datasets:
        raise DataError("There is no split to write.")
    for dataset in datasets:
        if dataset.split not in SPLIT_KEYS:
            raise DataError(f"YOLO has no split {dataset.split!r}.", f"It has: {', '.join(SPLIT_KEYS)}.")
        if [c.name for c in dataset.categories] != [c.name for c in datasets[0].categories]:
            raise DataError(f"The splits {datasets[0].split!r} and {dataset.split!r} have different class names.")


def _label_text(image: ImageRecord, annotations: Annotations, index: dict[int, int]) -> str:
    lines = []
    for i in range(len(annotations)):
        if annotations.iscrowd[i]:
            continue
        x1, y1, x2, y2 = annotations.boxes[i].tolist()
        shares = (
            (x1 + x2) / 2 / image.width,
            (y1 + y2) / 2 / image.height,
            (x2 - x1) / image.width,
            (y2 - y1) / image.height,
        )
        lines.append(" ".join([str(index[int(annotations.category_ids[i])]), *(f"{share:.12g}" for share in shares)]))
    return "".join(f"{line}\n" for line in lines)
