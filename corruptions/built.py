"""Read a variant from the folder that `build` wrote, in place of corrupting the images again.

Every file is compared with its hash in the manifest, and the manifest with the data and the recipe that are asked for.
What passes gives the pixels and the ground truth that `apply.corrupt` would give here, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from robust.corruptions.records import CorruptedImage, Variant
from robust.corruptions.suites import Suite
from robust.datasets.images import WORKERS, read_image
from robust.datasets.records import Annotations, Dataset
from robust.errors import DataError, IntegrityError, UsageError

SCHEMA = 2
MANIFEST = "manifest.json"
GROUND_TRUTH = "ground_truth.json"
LIBRARIES = ("albumentations", "numpy", "opencv-python", "scipy")
"""What can change the pixels."""
ANNOTATION_FIELDS = ("boxes", "category_ids", "ids", "iscrowd", "area", "visible")

_SHAPES = {
    "variant": str,
    "recipe": dict,
    "recipe_sha256": str,
    "source": dict,
    "fingerprint": str,
    "n_images": int,
    "n_objects": int,
    "n_ignored": int,
    "libraries": dict,
    "images": list,
    "files": dict,
}
_BUILD_AGAIN = "Remove that folder and build it again: robust variants build DATA OUT."


@dataclass(frozen=True, eq=False)
class BuiltSet:
    """A variant on disk whose files are what the manifest says.

    Attributes:
        variant: The recipe it was made by.
        images: A PNG for each image of the clean split, aligned with it.
        annotations: Its ground truth, aligned; without outlines.
    """

    variant: Variant
    images: tuple[Path, ...]
    annotations: tuple[Annotations, ...]

    def read(self, dataset: Dataset, index: int) -> CorruptedImage:
        """Return one image, as `apply.corrupt` would make it.

        Args:
            dataset: The clean split.
            index: Position of the image.

        Raises:
            DataError: the file is gone or cannot be read.
            IntegrityError: its size is not that of the clean image.
        """
        image, pixels = dataset.images[index], read_image(self.images[index])
        if pixels.shape != (image.height, image.width, 3):
            raise IntegrityError(
                f"{self.images[index]} has another size than {image.file_name}.", "It changed while it was in use."
            )
        return CorruptedImage(pixels, self.annotations[index])


def bytes_sha256(path: Path) -> str:
    """Hex digest of a file, which may be empty: the labels of an image without objects are."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def image_folder(folder: Path, split: str) -> Path:
    """Where the images of a built variant lie."""
    return folder / "images" / split


def read_built(sources: Sequence[Path], dataset: Dataset, suite: Suite) -> dict[str, BuiltSet]:
    """Check built variants and return them by the sha256 of their recipe.

    Args:
        sources: Folders of one variant each, or the folder above them, of whose variants those of the suite are taken.
        dataset: The clean split they must be made of.
        suite: The variants they stand in for.

    Raises:
        UsageError: a folder holds no built variant, or one that the suite does not have.
        DataError: it was made of other data, or with other versions of the libraries.
        IntegrityError: a file is missing or is not the one that was built.
    """
    wanted = {variant.name: variant for variant in suite.variants}
    found: dict[str, BuiltSet] = {}
    for source in sources:
        for folder in _folders(Path(source), wanted):
            manifest = _read_manifest(folder)
            variant = _variant_of(folder, manifest, wanted, suite)
            if variant.sha256 in found:
                raise UsageError(f"Variant {variant.name} is given twice, the second time by {folder}.")
            found[variant.sha256] = _checked(folder, manifest, dataset, variant)
    return found


def checked_manifest(folder: Path, dataset: Dataset, variant: Variant) -> dict[str, Any]:
    """Return the manifest of a built variant that `read_built` would take in place of ``variant``.

    Args:
        folder: Of one variant; it holds a manifest.
        dataset: The clean split that it must be made of.
        variant: The recipe that it must be made by.

    Raises:
        UsageError: the manifest is of another version or recipe.
        DataError: it was made of other data, or with other versions of the libraries.
        IntegrityError: the manifest is damaged, or a file is missing or is not the one that was built.
    """
    manifest = _read_manifest(folder)
    _checked(folder, manifest, dataset, variant)
    return manifest


def _checked(folder: Path, manifest: Mapping[str, Any], dataset: Dataset, variant: Variant) -> BuiltSet:
    _check_recipe(folder, manifest, variant)
    _check_source(folder, manifest, dataset)
    _check_files(folder, manifest)
    return _open(folder, manifest, dataset, variant)


def _folders(source: Path, wanted: Mapping[str, Variant]) -> list[Path]:
    """The source itself, or those folders in it that stand for a variant of the suite."""
    if source.name == MANIFEST:
        source = source.parent
    if (source / MANIFEST).is_file():
        return [source]
    inside = sorted(path.parent for path in source.glob(f"*/{MANIFEST}"))
    if not inside:
        raise UsageError(
            f"{source} holds no variant that `robust variants build` made.",
            f"There is no {MANIFEST} in it or in a folder of it.",
            "For images of your own, give them a name: --variant NAME=DATA.",
        )
    named = {folder: _read_manifest(folder)["variant"] for folder in inside}
    taken = [folder for folder, name in named.items() if name in wanted]
    if not taken:
        raise UsageError(
            f"None of the variants in {source} is one of the suite's.",
            f"There are {', '.join(named.values())}; the suite has {', '.join(wanted)}.",
        )
    return taken


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise IntegrityError(f"{path} cannot be read.", f"{error}.", _BUILD_AGAIN) from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise UsageError(
            f"{path} is not a manifest that this version can read.",
            f"Its schema is {schema!r}, not {SCHEMA}.",
            _BUILD_AGAIN,
        )
    for key, shape in _SHAPES.items():
        if not isinstance(manifest.get(key), shape):
            raise IntegrityError(f"{path} is damaged.", f"It has no {key!r}.", _BUILD_AGAIN)
    return dict(manifest)


def _variant_of(folder: Path, manifest: Mapping[str, Any], wanted: Mapping[str, Variant], suite: Suite) -> Variant:
    """The variant of the suite that a folder stands for by its name."""
    name = manifest["variant"]
    if name not in wanted:
        raise UsageError(
            f"{folder} holds {name}, which suite {suite.name} does not have.",
            f"The suite has {', '.join(wanted)}.",
            "Name a suite with it: --suite.",
        )
    return wanted[name]


def _check_recipe(folder: Path, manifest: Mapping[str, Any], variant: Variant) -> None:
    mine, theirs = manifest["recipe"], variant.recipe()
    if (manifest["variant"], manifest["recipe_sha256"], mine) != (variant.name, variant.sha256, theirs):
        differing = [key for key in theirs if mine.get(key) != theirs[key]]
        raise UsageError(
            f"{folder} holds {manifest['variant']} made by another recipe than the {variant.name} that is asked for.",
            f"They differ in {', '.join(differing) or 'their name or hash'}.",
            "Use the suite and --seed that it was built with, or another folder.",
        )


def _check_source(folder: Path, manifest: Mapping[str, Any], dataset: Dataset) -> None:
    source = manifest["source"]
    if source.get("fingerprint") != dataset.fingerprint:
        raise DataError(
            f"{folder} was made of other data than split {dataset.split!r} of {dataset.name}.",
            f"It was made of {source.get('name')}, split {source.get('split')!r}; images or labels differ.",
            _BUILD_AGAIN
            if source.get("split") == dataset.split
            else f"Give --split {source.get('split')}, or build it of split {dataset.split!r} in another folder.",
        )
    if source.get("numbering") != dataset.numbering:
        raise DataError(
            f"{folder} was made of the same images and labels, but they are numbered otherwise.",
            "One was read from a COCO file and the other from YOLO labels, or ids were changed.",
            "Give --data the file that it was built from, or build it again.",
        )
    other = [name for name in LIBRARIES if manifest["libraries"].get(name) != version(name)]
    if other:
        raise DataError(
            f"{folder} was made with {other[0]} {manifest['libraries'].get(other[0])}; here is {version(other[0])}.",
            "Another version may make other pixels, so the results would not be those of this machine.",
            f"{_BUILD_AGAIN[:-1]}, or install that version.",
        )


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Hash every file that the manifest lists.

    Raises:
        IntegrityError: one is missing, another, or not in the folder; it is named.
    """
    listed = sorted(manifest["files"].items())
    outside = [name for name, _ in listed if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise IntegrityError(f"{folder / MANIFEST} names a file outside of its folder: {outside[0]}.", "", _BUILD_AGAIN)
    with ThreadPoolExecutor(WORKERS) as pool:
        faults = list(pool.map(lambda entry: _fault(folder / entry[0], entry[1]), listed))
    wrong = [(name, fault) for (name, _), fault in zip(listed, faults, strict=True) if fault]
    if wrong:
        more = f" ({len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
        raise IntegrityError(
            f"{folder / wrong[0][0]} {wrong[0][1]}{more}.", f"{folder / MANIFEST} says what it must be.", _BUILD_AGAIN
        )


def _fault(path: Path, sha256: str) -> str:
    """What is wrong with a file; empty when it is the one that was built."""
    try:
        return "" if bytes_sha256(path) == sha256 else "is not the file that was built: its hash is another"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _open(folder: Path, manifest: Mapping[str, Any], dataset: Dataset, variant: Variant) -> BuiltSet:
    """Line the files up with the clean images; what is read here has been checked by its hash."""
    broken = IntegrityError(f"{folder / MANIFEST} does not list the images of the data.", "", _BUILD_AGAIN)
    sources = [image.sha256 for image in dataset.images]
    try:
        listed = [(entry["source_sha256"], entry["file_name"], entry["sha256"]) for entry in manifest["images"]]
        root = image_folder(Path(), manifest["source"]["split"])
        paths = [root / name for _, name, _ in listed]
    except (KeyError, TypeError) as error:
        raise broken from error
    hashes = [manifest["files"].get(path.as_posix()) for path in paths]  # those names are inside the folder
    if [source for source, _, _ in listed] != sources or hashes != [sha256 for _, _, sha256 in listed]:
        raise broken
    if GROUND_TRUTH not in manifest["files"]:
        raise broken
    try:  # a hash proves that the file is the manifest's, not that `build` wrote both
        content = json.loads((folder / GROUND_TRUTH).read_text(encoding="utf-8"))["images"]
        fields = [{name: objects[name] for name in ANNOTATION_FIELDS} for objects in content]
        annotations = tuple(Annotations.build(**values) for values in fields)
    except (KeyError, TypeError, ValueError, DataError) as error:
        raise IntegrityError(f"{folder / GROUND_TRUTH} is damaged.", f"{error}.", _BUILD_AGAIN) from error
    if len(annotations) != len(dataset):
        raise broken
    return BuiltSet(variant, tuple(folder / path for path in paths), annotations)
