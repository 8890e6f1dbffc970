"""Write variants to disk as data sets of their own: COCO, YOLO, and a manifest that says how they were made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from robust.corruptions.apply import corrupt, read_from_disk
from robust.corruptions.built import (
    ANNOTATION_FIELDS,
    GROUND_TRUTH,
    LIBRARIES,
    MANIFEST,
    SCHEMA,
    bytes_sha256,
    checked_manifest,
    image_folder,
)
from robust.corruptions.laws import ImageSource
from robust.corruptions.records import Variant
from robust.corruptions.suites import Suite
from robust.datasets.coco import read_coco, write_coco
from robust.datasets.export import export_names, whole_folder, write_text
from robust.datasets.images import file_sha256, write_image
from robust.datasets.records import Annotations, Dataset, ImageRecord
from robust.datasets.yolo import write_yolo

Report = Callable[[int, int], None]


@dataclass(frozen=True)
class BuiltVariant:
    """One variant on disk.

    Attributes:
        variant: Its name, ``night/3``.
        path: Its folder.
        fingerprint: Of the built data set, read from its COCO file.
        n_images: Images in it.
        n_objects: Objects that count.
        n_ignored: Regions that are neither hit nor miss; the YOLO labels have no place for them.
        found: True when it was there already.
    """

    variant: str
    path: Path
    fingerprint: str
    n_images: int
    n_objects: int
    n_ignored: int
    found: bool


def build(
    dataset: Dataset,
    suite: Suite,
    out: Path,
    *,
    source: ImageSource = read_from_disk,
    report: Report | None = None,
) -> tuple[BuiltVariant, ...]:
    """Write every variant of a suite below ``out``, one folder each (``night-3``).

    A folder appears whole or not at all. Variants that are there already are left alone, so an interrupted build goes
    on where it was; all of their files are checked first, as `robust.corruptions.built` does, which reads a folder back
    in place of the variant. Images are PNG: the pixels are the variant's, bit for bit.

    Args:
        dataset: The clean split.
        suite: What to make.
        out: Where to.
        source: How images are read.
        report: Told (done, total) images.

    Raises:
        DataError: an image cannot be read, or what is there in a variant's folder is none, is of other data, or was
            made with other versions of the libraries.
        UsageError: the variant there was made by another recipe or an older version.
        IntegrityError: a file of the variant there is damaged.
    """
    total, built = len(suite.variants) * len(dataset), []
    folders = [Path(out) / variant.name.replace("/", "-") for variant in suite.variants]
    there = [_found(folder, dataset, variant) for folder, variant in zip(folders, suite.variants, strict=True)]
    for position, (variant, folder, found) in enumerate(zip(suite.variants, folders, there, strict=True)):
        done, one = position * len(dataset), found
        if one is None:
            with whole_folder(folder) as temporary:
                corrupted = _write_images(dataset, variant, temporary, source, _shifted(report, done, total))
                manifest = _write_labels(dataset, corrupted, variant, temporary)
            one = _record(folder, variant, manifest, found=False)
        elif report is not None:
            report(done + len(dataset), total)
        built.append(one)
    return tuple(built)


def _shifted(report: Report | None, done: int, total: int) -> Callable[[int], None]:
    return (lambda n: report(done + n, total)) if report is not None else (lambda _n: None)


def _write_images(
    dataset: Dataset, variant: Variant, folder: Path, source: ImageSource, report: Callable[[int], None]
) -> Dataset:
    images: list[ImageRecord] = []
    annotations: list[Annotations] = []
    for index, name in enumerate(export_names(dataset)):
        made = corrupt(dataset, index, variant, source=source)
        file_name = str(PurePosixPath(name).with_suffix(".png"))
        path = image_folder(folder, dataset.split) / file_name
        write_image(path, made.pixels)
        images.append(replace(dataset.images[index], file_name=file_name, path=path, sha256=file_sha256(path)))
        annotations.append(made.annotations)
        report(index + 1)
    name = f"{dataset.name}-{variant.name.replace('/', '-')}"
    return replace(dataset, name=name, images=tuple(images), annotations=tuple(annotations))


def _write_labels(dataset: Dataset, corrupted: Dataset, variant: Variant, folder: Path) -> dict[str, Any]:
    coco = write_coco(corrupted, folder / "annotations" / f"{dataset.split}.json")
    write_yolo([corrupted], folder)
    write_text(folder / GROUND_TRUTH, _exact(corrupted))
    manifest = {
        "schema": SCHEMA,
        "variant": variant.name,
        "recipe": variant.recipe(),
        "recipe_sha256": variant.sha256,
        "source": {
            "name": dataset.name,
            "split": dataset.split,
            "fingerprint": dataset.fingerprint,
            "numbering": dataset.numbering,
        },
        "fingerprint": read_coco(coco, dataset.split).fingerprint,  # as users will load it
        "n_images": len(corrupted),
        "n_objects": corrupted.n_objects,
        "n_ignored": sum(int(a.iscrowd.sum()) for a in corrupted.annotations),
        "libraries": {library: version(library) for library in LIBRARIES},
        "images": [
            {"file_name": made.file_name, "sha256": made.sha256, "source_sha256": clean.sha256}
            for made, clean in zip(corrupted.images, dataset.images, strict=True)
        ],
        "files": _hashes(folder, corrupted),
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return manifest


def _exact(corrupted: Dataset) -> str:
    """The annotations bit for bit: left and width, as COCO has them, do not always give the right edge again."""
    images = [
        {name: getattr(annotations, name).tolist() for name in ANNOTATION_FIELDS}
        for annotations in corrupted.annotations
    ]
    return json.dumps({"images": images}, allow_nan=False) + "\n"


def _hashes(folder: Path, corrupted: Dataset) -> dict[str, str]:
    """sha256 of every file below the folder, by its relative path; those of the images are known."""
    known = {image.path: image.sha256 for image in corrupted.images}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): known.get(path) or bytes_sha256(path) for path in files}


def _found(folder: Path, dataset: Dataset, variant: Variant) -> BuiltVariant | None:
    """Return what was built here before; None where there is no manifest."""
    if not (folder / MANIFEST).is_file():
        return None
    return _record(folder, variant, checked_manifest(folder, dataset, variant), found=True)


def _record(folder: Path, variant: Variant, manifest: dict[str, Any], *, found: bool) -> BuiltVariant:
    counts = (manifest["n_images"], manifest["n_objects"], manifest["n_ignored"])
    return BuiltVariant(variant.name, folder, manifest["fingerprint"], *counts, found)
