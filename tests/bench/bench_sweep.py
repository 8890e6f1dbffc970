"""How long the sweep of an evaluation takes from stored predictions: reading, counting, and the bands of every rate.

Writes the predictions of a few candidates on a few variants as an evaluation would store them, then reads each file,
counts at 51 thresholds and makes the bands with 2000 replicates. The limit is on the processor's seconds, all threads
added up: what one core that does nothing else needs, whatever else the machine is doing. Run as a script; exits with 1
when it takes longer than it may:

    python tests/bench/bench_sweep.py [--variants 16] [--candidates 9] [--images 500] [--limit 5]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its BLAS
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.eval.engine.tables import (
    ground_truth_to_bytes,
    predictions_to_bytes,
    read_ground_truth,
    read_predictions,
)
from robust.eval.metrics.bands import bands
from robust.eval.metrics.counts import counts_of
from robust.eval.metrics.resampling import Resampling, image_weights
from robust.eval.metrics.thresholds import threshold_grid
from robust.eval.records import GroundTruth, Predictions

OBJECTS = 3


class Profile:
    """Processor's seconds spent in each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add what happens inside to a step."""
        start = time.process_time()
        yield
        self.seconds[name] += time.process_time() - start


def pedestrians(n_images: int) -> GroundTruth:
    """One class, three people an image on average."""
    rng = np.random.default_rng(0)
    index = np.sort(rng.integers(0, n_images, OBJECTS * n_images))
    corner = rng.uniform(0, 500, (len(index), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 140, (len(index), 2))], axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    return GroundTruth(
        image_ids=np.arange(n_images),
        image_sizes=np.full((n_images, 2), 640),
        groups=(None,) * n_images,
        image_index=index,
        boxes=boxes,
        category_ids=np.ones(len(index), dtype=np.int64),
        annotation_ids=np.arange(1, len(index) + 1),
        iscrowd=np.zeros(len(index), dtype=np.bool_),
        area=sides[:, 0] * sides[:, 1],
        visible=np.ones(len(index)),
        categories=(Category(1, "person"),),
    )


def detections(truth: GroundTruth, seed: int) -> Predictions:
    """100 to 300 detections an image: a good one for each object, some duplicates, and low-scored background."""
    rng = np.random.default_rng(seed)
    n_images = len(truth.image_ids)
    near = np.repeat(np.arange(len(truth)), rng.integers(1, 4, len(truth)))
    first = np.append(True, near[1:] != near[:-1])
    far = np.repeat(np.arange(n_images), rng.integers(94, 294, n_images))
    corner = rng.uniform(0, 500, (len(far), 2))
    boxes = np.concatenate(
        [
            np.sort((truth.boxes[near] + rng.normal(0, 5, (len(near), 4))).reshape(-1, 2, 2), axis=1).reshape(-1, 4),
            np.concatenate([corner, corner + rng.uniform(10, 140, (len(far), 2))], axis=1),
        ]
    )
    image = np.concatenate([truth.image_index[near], far])
    scores = np.concatenate([np.where(first, rng.beta(3, 2, len(near)), _low(rng, len(near))), _low(rng, len(far))])
    order = np.lexsort((-scores, image))
    return Predictions(
        truth.image_ids,
        image[order],
        boxes[order].astype(np.float32).astype(np.float64),  # as a detector gives them
        scores[order].astype(np.float32).astype(np.float64),
        np.ones(len(order), dtype=np.int64),
        {},
    )


def _low(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.maximum(0.001, rng.beta(0.3, 9, n))


def sweep_all(folder: Path, profile: Profile) -> int:
    """Read, count and band every stored cell; return how many there were."""
    thresholds = threshold_grid()
    files = sorted(folder.glob("*-predictions.parquet"))
    with profile.step("read ground truth"):
        truth = read_ground_truth(folder / "truth.parquet")
    with profile.step("draw weights"):
        weights = image_weights(truth.groups, Resampling(replicates=2000), "val")
    for file in files:
        with profile.step("read predictions"):
            predictions = read_predictions(file)
        with profile.step("count"):
            counts = counts_of(truth, predictions, thresholds)
        with profile.step("bands"):
            bands(counts, weights)
    return len(files)


def main() -> None:
    """Write, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--variants", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=9)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds of one core it may take in all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = pedestrians(options.images)
        (folder / "truth.parquet").write_bytes(ground_truth_to_bytes(truth))
        n_detections = 0
        for seed in range(options.variants * options.candidates):
            predictions = detections(truth, seed)
            n_detections += len(predictions)
            (folder / f"{seed:04d}-predictions.parquet").write_bytes(predictions_to_bytes(predictions))
        read_predictions(folder / "0000-predictions.parquet")  # imports are not what is measured
        profile = Profile()
        start = time.perf_counter()
        n_cells = sweep_all(folder, profile)
        elapsed = time.perf_counter() - start
    total = sum(profile.seconds.values())
    lines = [f"{n_cells} cells of {options.images} images, {n_detections} detections, 51 thresholds, 2000 replicates:"]
    lines += [f"  {step:<18} {seconds:6.2f} s" for step, seconds in profile.seconds.items()]
    lines += [f"  {'total':<18} {total:6.2f} s of one core, allowed {options.limit:g} s; {elapsed:.2f} s by the clock"]
    sys.stdout.write("\n".join(lines) + "\n")
    if total > options.limit:
        sys.exit(1)


if __name__ == "__main__":
    main()
