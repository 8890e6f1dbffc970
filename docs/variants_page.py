"""Write docs/variants.md and its pictures from what is registered: ``make docs``.

The text is a function of the registry and of docs/calibration.json, and a test compares it with the file. The pictures
are one synthetic scene, made anew on every run.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from robust.corruptions.catalogue import EVERYTHING, Catalogue, CorruptionEntry, catalogue
from robust.corruptions.preview import write_preview
from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import make_variant
from robust.corruptions.suites import Suite, load_suite
from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset
from robust.datasets.synthetic.generate import generate

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "variants.md"
PICTURES = DOCS / "variants"
CALIBRATION = DOCS / "calibration.json"
SHOWN = (1, 3, 5)
"""Severities in the pictures."""
FIRST = ("core", "weather", "camera", "angle", "common")
"""Suites in the order of the page; others follow."""

INTRODUCTION = """# The variants

<!-- Made by `make docs` from the registered corruptions and docs/calibration.json; do not edit. -->

A variant is a corruption at a severity, such as `night/3`. Each section says which risk the corruption stands for,
which law it follows, what it costs two known detectors, and what it does **not** show. A synthetic variant is an
indication: a detector that fails on it will hardly do better outside, but one that passes has not been proven on real
pictures. Put your own recordings beside it: `robust eval --variant NAME=DATA`.

Lengths in pixels hold for pictures whose longer side is 640 and grow with the picture. The pixels depend on the seed of
the suite, the bytes of the image, the corruption and its severity, on nothing else.

`robust variants list` prints the parameters, `robust variants preview DATA` draws your own images, and
`robust variants build DATA OUT` writes them to disk.
"""


def text(found: Catalogue, calibration: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    order = [*FIRST, *(s.name for s in found.suites if s.name not in (*FIRST, EVERYTHING))]
    parts = [INTRODUCTION, *_costs(found, calibration)]
    done: set[str] = set()
    for suite in order:
        entries = [e for e in found.corruptions if suite in e.suites and e.name not in done]
        summary = next((s.summary for s in found.suites if s.name == suite), "")
        if entries:
            parts += [f"## {suite}\n\n{summary}\n", *(_section(entry, calibration) for entry in entries)]
            done |= {entry.name for entry in entries}
    parts += [_section(entry, calibration) for entry in found.corruptions if entry.name not in done]
    return "\n".join(parts)


def _costs(found: Catalogue, calibration: Mapping[str, Any]) -> Iterator[str]:
    """What every severity costs, all corruptions in one table for each detector."""
    yield "## What each severity costs\n"
    yield (
        "Share of the clean AP50 that is left, in percent, at severities 1 to 5, and rPC, the mean of the five. "
        "Measured by `tests/bench/calibrate.py`. A few hundred people and one detector each: these are orders of "
        "magnitude, not promises about yours.\n"
    )
    for result in calibration.values():
        yield (
            f"**{result['about']}**: {result['images']} images, {result['objects']} people, inference size "
            f"{result['imgsz']}, clean AP50 {result['clean']:.3f}.\n"
        )
        rows = [
            (entry.name, ", ".join(entry.suites), *_kept(result, entry.name), _rpc(result, entry.name))
            for entry in found.corruptions
        ]
        yield _table(("corruption", "suite", *map(str, SEVERITIES), "rPC"), rows)
        yield from _remarks(found, result)


def _remarks(found: Catalogue, result: Mapping[str, Any]) -> Iterator[str]:
    """Name the rises, and the core variants outside 20 to 50 % at severity 3."""
    rises = [
        f"{name} {step} ({100 * low:+.1f} to {100 * high:+.1f} points)"
        for name, row in result["corruptions"].items()
        for step, (low, high) in row["rises"].items()
    ]
    if rises:
        yield f"AP50 is higher at the harsher severity, with its 95 % interval, for: {'; '.join(rises)}.\n"
    else:
        yield "AP50 falls at every step of every corruption.\n"
    for entry in found.corruptions:
        row = result["corruptions"].get(entry.name)
        if "core" in entry.suites and row:
            lost = 100 * (1 - row["AP50"][2] / result["clean"])
            place = "inside" if 20 <= lost <= 50 else "outside"
            yield f"Severity 3 of {entry.name} costs {lost:.0f} %: {place} the 20 to 50 % that core aims at.\n"


def _kept(result: Mapping[str, Any], name: str) -> list[str]:
    row = result["corruptions"].get(name)
    if row is None:
        return ["not measured"] * len(SEVERITIES)
    return [f"{100 * value / result['clean']:.0f}" for value in row["AP50"]]


def _rpc(result: Mapping[str, Any], name: str) -> str:
    row = result["corruptions"].get(name)
    return "not measured" if row is None else f"{100 * row['rPC']:.0f}"


def _section(entry: CorruptionEntry, calibration: Mapping[str, Any]) -> str:
    measured = [(f"AP50 kept, {result['about']} [%]", *_kept(result, entry.name)) for result in calibration.values()]
    parameters = [(name, *(_shown(row[i + 1]) for row in entry.rows)) for i, name in enumerate(entry.parameters)]
    lines = [
        f"### {entry.name}\n",
        f"{entry.summary}\n",
        f"![{entry.name}: clean and severities 1, 3, 5](variants/{entry.name}.jpg)\n",
        _table(("severity", *map(str, SEVERITIES)), [*parameters, *measured]),
        f"- Cause: {entry.cause}. Boxes: {entry.ground_truth}. Version {entry.version}.",
        f"- Rises with severity: {entry.measure}.",
        f"- Law: {entry.source}.",
        f"- Does not show: {entry.limits}\n",
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = chain([header, ["---"] * len(header)], rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def draw(names: Sequence[str]) -> None:
    """Draw one picture for each corruption, clean and at the severities `SHOWN`, and the core suite for the README."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch) / "people", splits={"test": 12})
        dataset = load_dataset(Path(scratch) / "people", "test")
        shown = max(range(len(dataset)), key=lambda i: _share_of_people(dataset, i))
        for name in names:
            suite = Suite(name, 0, tuple(make_variant(name, severity) for severity in SHOWN))
            write_preview(dataset, suite, PICTURES / f"{name}.jpg", images=(shown,), width=240)
        write_preview(dataset, load_suite("core", severities=SHOWN), DOCS / "variants.jpg", images=(shown,), width=320)
    for left in PICTURES.glob("*.jpg"):
        if left.stem not in names:
            left.unlink()


def _share_of_people(dataset: Dataset, index: int) -> float:
    """Share of the picture that people cover; 0 when there are too few or too many to look at."""
    image, objects = dataset.images[index], dataset.annotations[index]
    counted = ~objects.iscrowd
    return float(objects.area[counted].sum()) / (image.width * image.height) if 2 <= counted.sum() <= 6 else 0.0


def current() -> str:
    """Return what the page should say now."""
    return text(catalogue(), json.loads(CALIBRATION.read_text(encoding="utf-8")))


def main() -> int:
    """Write the page and the pictures."""
    PAGE.write_text(current(), encoding="utf-8")
    draw([entry.name for entry in catalogue().corruptions])
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
