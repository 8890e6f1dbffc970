"""COCO instance annotations (https://cocodataset.org/#format-data): read and written, with outlines and crowds.

Departures, all in what is read: boxes are cut at the image's border; ``ignore`` counts as crowd (pycocotools overwrites
it with ``iscrowd``); run-length masks give no outline; ``visible`` (0..1) on an annotation and ``group`` or
``video_id`` on an image are understood.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, Literal, TypeGuard

from robust.datasets.coco_objects import AnnotationReader
from robust.datasets.export import copy_images, export_names, write_text
from robust.datasets.images import probe_images, probe_problems
from robust.datasets.problems import Problem, Scan, error, from_data_error
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.errors import DataError

_IMAGE_ROOT = "image_root"  # our own entry in "info": where the images are, relative to the JSON


def read_coco(json_path: Path, split: str, images: Path | None = None, *, labels_only: bool = False) -> Dataset:
    """Read a COCO file as one split.

    Args:
        json_path: The annotation file.
        split: What to call the split.
        images: Folder that file names are relative to. Left out: the first that holds the first image, of the one that
            the file names itself (ours do), the JSON's folder, ``../images``, ``..``, ``../images/<stem>`` and
            ``../<stem>``, where the stem is also tried without its first word (``instances_val2017``, ``val2017``).
        labels_only: Open no image and look for none: sizes are the file's, and the images' hashes stay empty. The
            fingerprint is then another than that of the same data read with its images.

    Raises:
        DataError: Something in the file or the images is wrong: the first error, naming the annotation.
    """
    return scan_coco(json_path, split, images, labels_only=labels_only).require()


def scan_coco(json_path: Path, split: str, images: Path | None = None, *, labels_only: bool = False) -> Scan:
    """Read a COCO file with everything that is wrong with it; the arguments are those of `read_coco`.

    Raises:
        DataError: The file cannot be read, is no COCO annotation file, lists no image, or its images are nowhere.
    """
    values = _load(json_path)
    problems: list[Problem] = []
    categories = _categories(json_path, values["categories"], problems)
    items = _image_items(json_path, values, problems)
    if labels_only:
        records = _stated_images(json_path, items, problems)
    else:
        root = _image_root(json_path, values, images, [item["file_name"] for item in items.values()])
        records = _images(json_path, items, root, problems)
    reader = AnnotationReader(json_path, records, items.keys(), {category.id for category in categories})
    for position, item in enumerate(values["annotations"]):
        reader.add(position, item)
    problems.extend(reader.problems)
    ordered = tuple(records[key] for key in sorted(records))
    annotations = tuple(reader.of_image(image.id) for image in ordered)
    return Scan(Dataset(json_path.stem, split, ordered, annotations, categories), tuple(problems))


def _load(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.", fix="Check the path of the data set.") from None
    except (OSError, UnicodeDecodeError) as failure:
        raise DataError(f"{path}: the file cannot be read.", f"{failure}.") from None
    except json.JSONDecodeError as failure:
        raise DataError(f"{path}:{failure.lineno}: this is not valid JSON.", f"{failure.msg}.") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(values, dict) or not isinstance(values.get(key), list):
            raise DataError(f"{path}: no list {key!r}: this is no COCO annotation file.")
    if not values["images"]:
        raise DataError(f"{path}: the file lists no image.", fix="Name another file.")
    return dict(values)


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _categories(file: Path, items: list[Any], problems: list[Problem]) -> tuple[Category, ...]:
    found: dict[int, Category] = {}
    for position, item in enumerate(items):
        if not (isinstance(item, dict) and _is_id(item.get("id")) and isinstance(item.get("name"), str)):
            problems.append(error("category-fields", f"categories[{position}] needs a whole id and a name.", file))
        elif item["id"] in found:
            problems.append(error("category-duplicate", f"the category id {item['id']} occurs twice.", file))
        elif any(category.name == item["name"] for category in found.values()):
            problems.append(error("category-duplicate", f"the category name {item['name']!r} occurs twice.", file))
        else:
            found[item["id"]] = Category(item["id"], item["name"])
    return tuple(found[key] for key in sorted(found))


def _image_items(file: Path, values: dict[str, Any], problems: list[Problem]) -> dict[int, dict[str, Any]]:
    """Pick the sound entries of ``images``, by id."""
    items: dict[int, dict[str, Any]] = {}
    names: set[str] = set()
    for position, item in enumerate(values["images"]):
        name = item.get("file_name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name or not _is_id(item.get("id")) or item["id"] < 0:
            message = f"images[{position}] needs a whole id of at least 0 and a file_name."
            problems.append(error("image-fields", message, file))
        elif item["id"] in items:
            problems.append(error("image-duplicate", f"the image id {item['id']} occurs twice ({name}).", file))
        elif name in names:
            problems.append(error("image-duplicate", f"the image {name} occurs twice.", file))
        else:
            items[item["id"]] = item
            names.add(name)
    return items


def _images(
    file: Path, items: dict[int, dict[str, Any]], root: Path, problems: list[Problem]
) -> dict[int, ImageRecord]:
    """Read the image files, by id; those that are missing, unreadable or of another size are left out."""
    records: dict[int, ImageRecord] = {}
    paths = [root / item["file_name"] for item in items.values()]
    for (key, item), path, probe in zip(items.items(), paths, probe_images(paths), strict=True):
        if isinstance(probe, DataError):
            problems.append(from_data_error("image-unreadable", probe))
            continue
        problems.extend(probe_problems(path, probe))
        size = (probe.width, probe.height)
        stated = (item.get("width") or probe.width, item.get("height") or probe.height)
        if stated != size:
            turned = " (after EXIF orientation)" if stated == size[::-1] else ""
            message = f"image id {key} is {stated[0]} x {stated[1]} here, but {size[0]} x {size[1]} on disk{turned}."
            problems.append(error("image-size", message, file, fix="Its boxes do not fit; mend the file."))
            continue
        records[key] = ImageRecord(key, item["file_name"], path, *size, probe.sha256, _group(item))
    return records


def _stated_images(file: Path, items: dict[int, dict[str, Any]], problems: list[Problem]) -> dict[int, ImageRecord]:
    """Take the images as the file states them, by id; where they are, and whether they exist, is not asked."""
    records: dict[int, ImageRecord] = {}
    for key, item in items.items():
        width, height = item.get("width"), item.get("height")
        if not (_is_id(width) and _is_id(height) and min(width, height) > 0):
            message = f"image id {key} has no width and height in whole pixels."
            problems.append(error("image-size", message, file, fix="State both: the images are not opened."))
            continue
        path = file.parent / item["file_name"]
        records[key] = ImageRecord(key, item["file_name"], path, width, height, "", _group(item))
    return records


def _group(item: dict[str, Any]) -> str | None:
    group = item.get("group", item.get("video_id"))
    return None if group is None else str(group)


def _image_root(file: Path, values: dict[str, Any], folder: Path | None, names: list[str]) -> Path:
    if folder is not None:
        return Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow links
    here = Path(os.path.abspath(file)).parent  # noqa: PTH100
    info = values.get("info")
    hint = info.get(_IMAGE_ROOT) if isinstance(info, dict) else None
    stems = [file.stem, *([file.stem.partition("_")[2]] if "_" in file.stem else [])]
    candidates = [here / hint] if isinstance(hint, str) else []
    candidates += [here, here.parent / "images", here.parent]
    candidates += [here.parent / "images" / stem for stem in stems] + [here.parent / stem for stem in stems]
    for candidate in candidates:
        if not names or (candidate / names[0]).is_file():
            return Path(os.path.abspath(candidate))  # noqa: PTH100
    raise DataError(
        f"{file}: the image {names[0]} is nowhere.",
        f"Looked in {', '.join(dict.fromkeys(map(os.path.abspath, candidates)))}.",
        "Put the images beside the file, or name their folder.",
    )


def write_coco(
    dataset: Dataset,
    json_path: Path,
    images: Literal["relative", "copy"] = "relative",
    image_folder: Path | None = None,
) -> Path:
    """Write a data set as a COCO file; reading it again gives the same fingerprint.

    The file says in ``info.image_root`` where the images are, for `read_coco`; other tools ask for the folder.

    Args:
        dataset: What to write.
        json_path: Where to; the file appears whole or not at all.
        images: "relative" leaves the images where they are; "copy" copies them.
        image_folder: Where to copy to; left out: ``images/<stem>`` beside the JSON.

    Returns:
        ``json_path``.

    Raises:
        DataError: Two images would be copied to the same name.
    """
    if images == "copy":
        root = image_folder or json_path.parent / "images" / json_path.stem
        names = export_names(dataset)
        copy_images(dataset, root, names)
    else:
        root, names = _present_root(dataset, json_path.parent)
    values = {
        "info": {"description": dataset.name, _IMAGE_ROOT: _relative(root, json_path.parent)},
        "categories": [{"id": category.id, "name": category.name} for category in dataset.categories],
        "images": [_image_item(image, name) for image, name in zip(dataset.images, names, strict=True)],
        "annotations": [
            _annotation_item(image, annotations, i)
            for image, annotations in zip(dataset.images, dataset.annotations, strict=True)
            for i in range(len(annotations))
        ],
    }
    write_text(json_path, json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
    return json_path


def _present_root(dataset: Dataset, base: Path) -> tuple[Path, list[str]]:
    """Find the folder that all file names are relative to; else name the images relative to ``base``."""
    roots = set()
    for image in dataset.images:
        text = image.path.as_posix()
        roots.add(text[: -len(image.file_name) - 1] if text.endswith("/" + image.file_name) else None)
    if len(roots) == 1 and None not in roots:
        return Path(str(roots.pop())), [image.file_name for image in dataset.images]
    return base, [_relative(image.path, base) for image in dataset.images]


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # on another Windows drive
        return path.absolute().as_posix()


def _image_item(image: ImageRecord, name: str) -> dict[str, Any]:
    item: dict[str, Any] = {"id": image.id, "file_name": name, "width": image.width, "height": image.height}
    return item if image.group is None else {**item, "group": image.group}


def _annotation_item(image: ImageRecord, annotations: Annotations, i: int) -> dict[str, Any]:
    x1, y1, x2, y2 = annotations.boxes[i].tolist()
    item: dict[str, Any] = {
        "id": int(annotations.ids[i]),
        "image_id": image.id,
        "category_id": int(annotations.category_ids[i]),
        "bbox": [x1, y1, _extent(x1, x2), _extent(y1, y2)],
        "area": float(annotations.area[i]),
        "iscrowd": int(annotations.iscrowd[i]),
    }
    if annotations.visible[i] != 1:
        item["visible"] = float(annotations.visible[i])
    outline = annotations.outlines[i]
    return item if outline is None else {**item, "segmentation": [part.ravel().tolist() for part in outline]}


def _extent(low: float, high: float) -> float:
    """Return the width for which ``low + width`` is ``high`` again, bit for bit.

    Where rounding to even leaves no such width, it is off by the last bit.
    """
    extent = high - low
    near = (extent, math.nextafter(extent, math.inf), math.nextafter(extent, -math.inf))
    return next((width for width in near if low + width == high), extent)
