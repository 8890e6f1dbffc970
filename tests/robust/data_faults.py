"""Faults of data sets, each with the words that a message about it must hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

SPLITS = ("train", "val", "test")

Fault = Callable[[Path, str], None]
"""Spoils the second image of a split, or its labels; told the data.yaml and the split."""


def label(row: str) -> Fault:
    return lambda data, split: write(data.parent / "labels" / split / f"{split}1.txt", row)


def image(content: Callable[[bytes], bytes]) -> Fault:
    def spoil(data: Path, split: str) -> None:
        path = data.parent / "images" / split / f"{split}1.png"
        path.write_bytes(content(path.read_bytes()))

    return spoil


def in_yaml(old: str, new: str) -> Fault:
    return lambda data, split: write(data, data.read_text(encoding="utf-8").replace(old.replace("{split}", split), new))


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def listed_but_missing(data: Path, split: str) -> None:
    write(data.parent / "list.txt", f"images/{split}/{split}0.png\nimages/{split}/gone.png\n")
    in_yaml(f"images/{split}\n", "list.txt\n")(data, split)


def no_image(data: Path, split: str) -> None:
    shutil.rmtree(data.parent / "images" / split)
    (data.parent / "images" / split).mkdir()


YOLO_FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "missing image": (listed_but_missing, ("list.txt:2", "gone.png")),
    "text for an image": (image(lambda _: b"no image at all"), ("{split}1.png", "cannot be read")),
    "empty image": (image(lambda _: b""), ("{split}1.png", "empty")),
    "image cut off": (image(lambda content: content[:-20]), ("{split}1.png", "cut off")),
    "coordinate out of range": (label("0 .5 .5 1.8 .4\n"), ("{split}1.txt:1", "1.8 is outside 0..1")),
    "unknown class": (label("0 .5 .5 .2 .4\n7 .5 .5 .2 .4\n"), ("{split}1.txt:2", "class 7", "only class 0")),
    "NaN": (label("0 nan .5 .2 .4\n"), ("{split}1.txt:1", "nan")),
    "no area": (label("0 .5 .5 0 .4\n"), ("{split}1.txt:1", "no area")),
    "too few columns": (label("0 .5 .5\n"), ("{split}1.txt:1", "3 columns")),
    "empty split": (no_image, ("data.yaml", "'{split}' is empty")),
    "unknown key": (in_yaml("names", "nmaes"), ("data.yaml", "'nmaes'", "Did you mean 'names'?")),
    "unknown split key": (in_yaml("val:", "vall:"), ("data.yaml", "'vall'", "Did you mean 'val'?")),
    "no YAML": (in_yaml("[person]", "[person"), ("data.yaml:5", "not valid YAML")),
    "no such folder": (in_yaml("images/{split}", "image/{split}"), ("data.yaml", "does not exist")),
}


def to_coco(data: Path) -> None:
    """Describe the same images by COCO files."""
    for split in SPLITS:
        content = {
            "categories": [{"id": 1, "name": "person"}],
            "images": [{"id": i, "file_name": f"{split}{i}.png", "width": 64, "height": 64} for i in range(2)],
            "annotations": [
                {"id": i + 1, "image_id": i, "category_id": 1, "bbox": [9, 9, 16, 24], "area": 384} for i in range(2)
            ],
        }
        (data.parent / "annotations").mkdir(exist_ok=True)
        write(data.parent / "annotations" / f"{split}.json", json.dumps(content))
    write(data, "".join(f"{split}: annotations/{split}.json\n" for split in SPLITS))


def coco(part: str, **fields: object) -> Fault:
    def spoil(data: Path, split: str) -> None:
        path = data.parent / "annotations" / f"{split}.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content[part][1].update(fields)
        write(path, json.dumps(content))

    return spoil


def coco_text(text: str) -> Fault:
    return lambda data, split: write(data.parent / "annotations" / f"{split}.json", text)


COCO_FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "missing image": (coco("images", file_name="gone.png"), ("gone.png", "no such image")),
    "duplicate image id": (coco("images", id=0), ("{split}.json", "image id 0 occurs twice")),
    "another size": (coco("images", width=65), ("{split}.json", "image id 1", "65 x 64")),
    "annotation id 0": (coco("annotations", id=0), ("{split}.json", "annotation id 0", "no match")),
    "duplicate annotation id": (coco("annotations", id=1), ("{split}.json", "annotation id 1", "occurs twice")),
    "unknown category": (coco("annotations", category_id=9), ("{split}.json", "annotation id 2", "category id 9")),
    "unknown image": (coco("annotations", image_id=9), ("{split}.json", "annotation id 2", "image id 9")),
    "NaN": (coco("annotations", bbox=[float("nan"), 9, 9, 9]), ("annotation id 2", "not finite")),
    "no area": (coco("annotations", bbox=[9, 9, 0, 9]), ("annotation id 2", "no area")),
    "outside": (coco("annotations", bbox=[99, 9, 9, 9]), ("annotation id 2", "outside")),
    "no JSON": (coco_text('{"images": [\n'), ("{split}.json:2", "not valid JSON")),
    "no image": (coco_text('{"images": [], "annotations": [], "categories": []}'), ("{split}.json", "no image")),
}
