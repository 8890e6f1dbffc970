"""How long the evidence of a study takes from stored predictions: the size of the demo, on one core.

Twelve candidates and two baselines on clean val and clean test images and on three corruptions at five severities, 48
images a split: every number with its interval, the sweeps, and all comparisons. Run as a script; exits with 1 when it
takes longer than it may:

    OMP_NUM_THREADS=1 python tests/bench/bench_evidence.py [--images 48] [--limit 20] [--profile]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy loads its BLAS
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

import argparse
import cProfile
import hashlib
import pstats
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from robust.corruptions.records import Variant
from robust.datasets.records import Category
from robust.eval.engine.tables import (
    ground_truth_to_bytes,
    predictions_to_bytes,
    read_ground_truth,
    read_predictions,
)
from robust.eval.evidence.candidate import candidate_evidence, measure_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import DataEvidence, Evidence, SuiteEvidence
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.resampling import Resampling
from robust.eval.records import Candidate, Configuration, GroundTruth, Predictions

CORRUPTIONS = ("night", "occlusion", "crowd")
SIZES, RATES, SEEDS = (256, 320), (0.005, 0.01), (1, 2, 3)

Stored = tuple[str, Variant, bytes, bytes]


def say(line: str) -> None:
    """One line of the result."""
    sys.stdout.write(line + "\n")


def street(n_images: int, seed: int) -> GroundTruth:
    """One class, three people an image on average."""
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, n_images, 3 * n_images))
    corner = rng.uniform(0, 400, (len(index), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 140, (len(index), 2))], axis=1)
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
        visible=rng.choice([1.0, 0.8, 0.4], len(index)),
        categories=(Category(1, "person"),),
    )


def detections(truth: GroundTruth, seed: int, loss: float) -> Predictions:
    """Two boxes near each object that is not lost, and a hundred low-scoring ones an image in the background."""
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(rng.random(len(truth)) > loss)
    near = np.repeat(kept, 2)
    n_images = len(truth.image_ids)
    far = rng.integers(0, n_images, 100 * n_images)
    corner = rng.uniform(0, 500, (len(far), 2))
    jitter = np.sort((truth.boxes[near] + rng.normal(0, 5, (len(near), 4))).reshape(-1, 2, 2), axis=1)
    boxes = np.concatenate([jitter.reshape(-1, 4), np.hstack([corner, corner + rng.uniform(20, 140, (len(far), 2))])])
    scores = np.concatenate([rng.beta(4, 2, len(near)), rng.beta(0.4, 12, len(far))])
    image = np.concatenate([truth.image_index[near], far])
    order = np.lexsort((-scores, image))
    order = order[scores[order] > 0.001]
    provenance = {"n_parameters": 1, "inference": {"imgsz": 320}}
    ones = np.ones(len(order), dtype=np.int64)
    return Predictions(np.arange(n_images), image[order], boxes[order], scores[order], ones, provenance)


def candidates() -> list[Candidate]:
    """The grid of the demo with its starting weights."""
    found = []
    for imgsz in SIZES:
        base = hashlib.sha256(b"base").hexdigest()
        for lr0 in RATES:
            for seed in SEEDS:
                name = f"sz{imgsz} lr{lr0} s{seed}"
                sha = hashlib.sha256(name.encode()).hexdigest()
                configuration = Configuration(model="base.pt", imgsz=imgsz, lr0=lr0, epochs=3)
                found.append(
                    Candidate(
                        name,
                        Path("w.pt"),
                        sha,
                        imgsz,
                        configuration=configuration,
                        seed=seed,
                        baseline=f"base@{imgsz}",
                        baseline_sha256=base,
                    )
                )
        found.append(Candidate(f"base@{imgsz}", Path("w.pt"), base, imgsz, role="baseline"))
    return found


def stored(n_images: int, position: int) -> list[Stored]:
    """The cells of one candidate as files hold them."""
    columns = [("test", Variant("clean", 0), 0.2), ("val", Variant("clean", 0), 0.2)]
    columns += [("test", Variant(name, s), 0.2 + 0.1 * s) for name in CORRUPTIONS for s in range(1, 6)]
    cells = []
    for i, (split, variant, loss) in enumerate(columns):
        truth = street(n_images, seed=split == "val")
        found = detections(truth, 1000 * position + i, loss)
        cells.append((split, variant, ground_truth_to_bytes(truth), predictions_to_bytes(found)))
    return cells


def read(cells: list[Stored]) -> Iterator[CellResult]:
    """Read them back, one at a time."""
    for split, variant, truth, found in cells:
        yield CellResult(split, variant, "0" * 64, read_ground_truth(truth), read_predictions(found))


def measure(candidate: Candidate, cells: list[Stored], resampling: Resampling) -> EvidencePart:
    """The evidence of one candidate."""
    selecting = next(cell for cell in read(cells) if cell.split == "val")
    measured = measure_cells(read(cells), selecting, SweepPlan(), resampling)
    evidence = Evidence(
        experiment="bench",
        resampling=resampling,
        data=DataEvidence(name="bench", categories=("person",), splits=(), leakage=()),
        suite=SuiteEvidence(name="core", seed=0, variants=()),
        candidates=(candidate_evidence(candidate, measured, judged_on="test", training=None, weights_bytes=1),),
        environment={},
    )
    return EvidencePart(evidence, measured.replicates)


def run(n_images: int) -> float:
    """Seconds for the whole study."""
    everybody = candidates()
    files = [stored(n_images, i) for i in range(len(everybody))]
    resampling = Resampling()
    start = time.perf_counter()
    parts = [measure(candidate, cells, resampling) for candidate, cells in zip(everybody, files, strict=True)]
    measured = time.perf_counter()
    study = assemble_study(parts)
    compared = time.perf_counter()
    text = study.to_json()
    end = time.perf_counter()
    n_cells = sum(map(len, files))
    say(f"{len(everybody)} models, {n_cells} cells of {n_images} images, {resampling.replicates} replicates")
    say(f"measured {measured - start:6.2f} s  ({1000 * (measured - start) / n_cells:.0f} ms a cell)")
    say(f"compared {compared - measured:6.2f} s")
    say(f"written  {end - compared:6.2f} s  ({len(text) / 1e6:.1f} MB)")
    return end - start


def main() -> int:
    """Print what each part takes; 1 when the whole takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    seconds = run(given.images)
    if given.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
    say(f"in all   {seconds:6.2f} s  (at most {given.limit:g} s)")
    return int(seconds > given.limit)


if __name__ == "__main__":
    sys.exit(main())
