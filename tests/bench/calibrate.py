"""What each severity costs a known detector: the numbers behind the tables of docs/variants.md.

Run as a script, once for the built-in pedestrians with the demo's starting weights, once for real people with a
detector that was trained on COCO; then `make docs` writes the page:

    python tests/bench/calibrate.py pedestrians --about "demo base weights, 80 synthetic scenes"
    python tests/bench/calibrate.py coco --about "YOLOv8n, 128 photographs" --weights yolov8n.pt --data DATA --imgsz 640

Where AP50 rises from one severity to the next, the 95 % percentile interval of the rise is given: both severities are
measured again on the same images, drawn with replacement. A rise whose interval lies above 0 is a fault of the table.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN, SEVERITIES, Variant
from robust.corruptions.registry import make_variant, names
from robust.datasets.load import load_dataset
from robust.datasets.synthetic.generate import generate
from robust.eval.engine.cache import CellCache
from robust.eval.engine.cells import Plan
from robust.eval.engine.executors import ProcessExecutor
from robust.eval.engine.fill import fill, read_cell, read_truth
from robust.eval.metrics.coco import coco_metrics
from robust.eval.records import Candidate, GroundTruth, Predictions

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "calibration.json"
REPLICATES = 400

Cell = tuple[GroundTruth, Predictions]


def drawn(cell: Cell, picks: NDArray[np.int64]) -> Cell:
    """Return the cell on the images at ``picks``; an image that is drawn twice counts as two."""
    truth, found = cell
    truth_rows = [np.flatnonzero(truth.image_index == pick) for pick in picks]
    found_rows = [np.flatnonzero(found.image_index == pick) for pick in picks]
    numbers = np.arange(len(picks))
    rows = np.concatenate(truth_rows)
    again = GroundTruth(
        image_ids=numbers,
        image_sizes=truth.image_sizes[picks],
        groups=(None,) * len(picks),
        image_index=np.repeat(numbers, [len(r) for r in truth_rows]),
        boxes=truth.boxes[rows],
        category_ids=truth.category_ids[rows],
        annotation_ids=np.arange(1, len(rows) + 1),
        iscrowd=truth.iscrowd[rows],
        area=truth.area[rows],
        visible=truth.visible[rows],
        categories=truth.categories,
    )
    kept, index = np.concatenate(found_rows), np.repeat(numbers, [len(r) for r in found_rows])
    return again, Predictions(numbers, index, found.boxes[kept], found.scores[kept], found.category_ids[kept], {})


def ap50(cell: Cell) -> float:
    """AP at IoU 0.5; it must be defined."""
    value = coco_metrics(*cell).AP50
    if value is None:
        raise SystemExit("There are no objects: AP50 is not defined.")
    return value


def rise_interval(milder: Cell, harsher: Cell) -> list[float]:
    """95 % percentile interval of AP50(harsher) - AP50(milder) over the same images."""
    rng, n = np.random.default_rng(0), len(milder[0].image_ids)
    draws = [rng.integers(0, n, n) for _ in range(REPLICATES)]
    rises = [ap50(drawn(harsher, picks)) - ap50(drawn(milder, picks)) for picks in draws]
    return [round(float(v), 4) for v in np.percentile(rises, [2.5, 97.5])]


def ladder(cells: Sequence[Cell], variants: Sequence[Variant], clean: float) -> dict[str, Any]:
    """Measure one corruption at all severities."""
    values = [ap50(cell) for cell in cells]
    rises = {
        f"{a.severity}-{b.severity}": rise_interval(cells[i], cells[i + 1])
        for i, (a, b) in enumerate(pairwise(variants))
        if values[i + 1] > values[i]
    }
    return {
        "recipes": [variant.sha256[:16] for variant in variants],
        "AP50": [round(value, 4) for value in values],
        "rPC": round(float(np.mean(values)) / clean, 4),
        "rises": rises,
    }


def calibrate(weights: Path, data: Path, split: str, imgsz: int, cache_dir: Path) -> dict[str, Any]:
    """Measure every registered corruption at every severity."""
    dataset = load_dataset(data, split)
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    candidate = Candidate(weights.stem, weights, sha256, imgsz)
    ladders = {name: [make_variant(name, severity) for severity in SEVERITIES] for name in names()}
    clean = Variant(CLEAN, 0)
    plan = Plan({split: dataset}, {split: (clean, *(v for row in ladders.values() for v in row))}, (candidate,))
    cache, finished = CellCache(cache_dir), 0

    def tell(count: int) -> None:
        nonlocal finished
        finished += count
        if finished % 512 < count:
            sys.stderr.write(f"{finished} of {len(dataset) * len(plan.variants[split])} inferences\n")

    fill(plan, cache, ProcessExecutor(), tell)

    def cell(variant: Variant) -> Cell:
        return read_truth(plan, cache, split, variant), read_cell(plan, cache, split, variant, candidate)

    whole = ap50(cell(clean))
    return {
        "weights_sha256": sha256,
        "dataset_sha256": dataset.fingerprint,
        "imgsz": imgsz,
        "images": len(dataset),
        "objects": GroundTruth.from_dataset(dataset).n_objects,
        "clean": round(whole, 4),
        "corruptions": {name: ladder([cell(v) for v in row], row, whole) for name, row in ladders.items()},
    }


def main() -> int:
    """Put the results beside those of other data in docs/calibration.json; return 1 when a severity is a gift."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--about", required=True)
    parser.add_argument("--weights", type=Path, default=ROOT / "eval" / "demo" / "base.pt")
    parser.add_argument("--data", type=Path, help="default: the synthetic pedestrians")
    parser.add_argument("--split", default="test")
    parser.add_argument("--imgsz", type=int, default=320)
    parser.add_argument("--cache-dir", type=Path, help="keeps finished cells, so that a killed run goes on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data
        if data is None:
            data = Path(scratch) / "people"
            generate(data)
        cache_dir = options.cache_dir or Path(scratch) / "cells"
        found = calibrate(options.weights, data, options.split, options.imgsz, cache_dir)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results[options.name] = {"about": options.about, **found}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    gifts = [
        f"{name} {step}: {low:+.3f} to {high:+.3f}"
        for name, row in found["corruptions"].items()
        for step, (low, high) in row["rises"].items()
        if low > 0
    ]
    sys.stdout.write(
        "\n".join(
            ["AP50 rises beyond its interval:", *gifts]
            if gifts
            else ["No AP50 rises with severity beyond its interval."]
        )
        + "\n"
    )
    return int(bool(gifts))


if __name__ == "__main__":
    sys.exit(main())
