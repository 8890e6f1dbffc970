"""How long each variant takes to make, on one core, for 640x480 images in memory.

Run as a script; the bars are 15 ms for the corruptions of the core suite and 40 ms for all others, as medians:

    python tests/bench/bench_variants.py [--corruption night ...] [--images 12] [--repeats 3] [--data DATA --split test]

Without --data the scenes are drawn by the generator of synthetic pedestrians. Every image is stretched to 640x480
first, with its objects, and made once before the clock starts, as in a run over many variants.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from robust.corruptions.apply import corrupt, read_from_disk
from robust.corruptions.laws import Pixels
from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import make_variant, names
from robust.corruptions.suites import load_suite
from robust.datasets.load import load_dataset
from robust.datasets.records import Dataset, ImageRecord
from robust.datasets.synthetic.generate import generate

CORE_BAR, BAR = 15.0, 40.0
"""Milliseconds, median over images."""
SIZE = (640, 480)
"""Width and height, pixels."""


def stretched(dataset: Dataset) -> Dataset:
    """Return the data set as if every image had been taken at `SIZE`."""
    images, annotations = [], []
    for image, objects in zip(dataset.images, dataset.annotations, strict=True):
        factor = np.array([SIZE[0] / image.width, SIZE[1] / image.height])
        images.append(replace(image, width=SIZE[0], height=SIZE[1]))
        annotations.append(
            replace(
                objects,
                boxes=objects.boxes * np.tile(factor, 2),
                area=objects.area * factor.prod(),
                outlines=tuple(o and tuple(part * factor for part in o) for o in objects.outlines),
            )
        )
    return replace(dataset, images=tuple(images), annotations=tuple(annotations))


@cache
def source(image: ImageRecord) -> Pixels:
    """Decode and stretch once."""
    whole = read_from_disk(image)
    return np.asarray(cv2.resize(whole, SIZE, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def milliseconds(dataset: Dataset, name: str, severity: int, picks: Sequence[int], repeats: int) -> float:
    """Median over images of the best of ``repeats`` times, in ms; images are decoded beforehand."""
    variant, best = make_variant(name, severity), []
    for index in picks:
        corrupt(dataset, index, variant, source=source)
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            corrupt(dataset, index, variant, source=source)
            times.append(time.perf_counter() - start)
        best.append(min(times))
    return 1000 * statistics.median(best)


def main() -> int:
    """Print a table; return 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corruption", action="append", choices=names())
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    core = {variant.corruption for variant in load_suite("core").variants}
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        data = options.data
        if data is None:
            data = Path(folder) / "people"
            generate(data, splits={"test": options.images})
        dataset = stretched(load_dataset(data, options.split))
        picks = range(min(options.images, len(dataset)))
        sys.stdout.write(f"{'corruption':<20}" + "".join(f"{s:>8}" for s in SEVERITIES) + "     bar\n")
        for name in options.corruption or names():
            times = [milliseconds(dataset, name, severity, picks, options.repeats) for severity in SEVERITIES]
            bar = CORE_BAR if name in core else BAR
            missed = missed or max(times) > bar
            row = "".join(f"{value:8.1f}" for value in times)
            sys.stdout.write(f"{name:<20}{row}{bar:8.0f}{'  missed' if max(times) > bar else ''}\n")
            sys.stdout.flush()
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
