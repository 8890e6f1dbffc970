"""How fast bootstrap replicates of the 12 COCO numbers come, against accumulating again with hotcoco and pycocotools.

Run as a script; everything on one core, ratios of one run on one machine:

    python tests/bench/bench_intervals.py [--images 5000] [--detections 40] [--replicates 1000]
"""

# ruff: noqa: E402 (libraries read the number of threads when they are imported)
from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import contextlib
import io
import resource
import sys
import time
from typing import Any

import hotcoco
import numpy as np
from bench_coco import pedestrians, seconds
from numpy.typing import NDArray

from robust.eval.metrics.alignment import xywh
from robust.eval.metrics.coco_reference import reference_evaluation, reference_metrics
from robust.eval.metrics.matching import ALL_AREAS, match_areas
from robust.eval.metrics.weighted import SIZES, coco_replicates
from robust.eval.records import GroundTruth, Predictions

TINY_IMAGES, TINY_REPLICATES = 48, 2000
TINY_DETECTIONS = 104


def bootstrap(n_images: int, replicates: int) -> NDArray[np.float64]:
    """Counts of images, (n_images, replicates)."""
    drawn = np.random.default_rng(0).multinomial(n_images, np.full(n_images, 1 / n_images), replicates)
    return np.ascontiguousarray(drawn.T.astype(np.float64))


def once(work: Any) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hotcoco_evaluation(ground_truth: GroundTruth, predictions: Predictions) -> hotcoco.COCOeval:
    """Match with hotcoco, so that only its accumulation is left to do."""
    truth = hotcoco.COCO.from_arrays(
        [{"id": i + 1, "width": 640, "height": 640} for i in range(len(ground_truth.image_ids))],
        [{"id": 1, "name": "person"}],
        ground_truth.image_index + 1,
        ground_truth.category_ids,
        xywh(ground_truth.boxes),
        ids=ground_truth.annotation_ids,
        area=ground_truth.area,
        iscrowd=ground_truth.iscrowd,
    )
    rows = np.column_stack(
        [predictions.image_index + 1.0, xywh(predictions.boxes), predictions.scores, predictions.category_ids * 1.0]
    )
    evaluation = hotcoco.COCOeval(truth, truth.load_res(rows), "bbox")
    evaluation.evaluate()
    return evaluation


def accumulate_quietly(evaluation: Any) -> None:
    """Accumulate without what pycocotools prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()


def tiny_case() -> list[str]:
    """One cell of a small data set, in parts."""
    case = pedestrians(TINY_IMAGES, TINY_DETECTIONS)
    weights = bootstrap(TINY_IMAGES, TINY_REPLICATES)
    ranges = (ALL_AREAS, *SIZES.values())
    whole = seconds(lambda: coco_replicates(*case, weights), 20)
    matching = seconds(lambda: list(match_areas(*case, ranges, max_detections=100)), 20)
    return [
        f"{TINY_IMAGES} images, {len(case[0])} objects, {len(case[1])} detections, {TINY_REPLICATES} replicates: "
        f"{whole * 1e3:.1f} ms, {matching * 1e3:.1f} ms of them matching (bar: well under 60 ms)",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=40, help="for each image")
    parser.add_argument("--replicates", type=int, default=1000)
    options = parser.parse_args()
    lines = tiny_case()
    case = pedestrians(options.images, options.detections)
    weights = bootstrap(options.images, options.replicates)
    ours = once(lambda: coco_replicates(*case, weights))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    found = coco_replicates(*case, np.ones((options.images, 1)))
    expected = reference_metrics(*case).model_dump()
    worst = max(abs(found[name][0] - value) for name, value in expected.items())
    evaluation = hotcoco_evaluation(*case)
    theirs = seconds(evaluation.accumulate, 5) * options.replicates
    judge = reference_evaluation(*case)
    judges = seconds(lambda: accumulate_quietly(judge), 2) * options.replicates
    lines += [
        f"{options.images} images, {len(case[0])} objects, {len(case[1])} detections, "
        f"{options.replicates} replicates of 12 numbers, one core; weights of 1 differ from pycocotools by {worst:.0e}",
        f"ours, matching included: {ours:.2f} s, peak {peak:.2f} GB (bar: 10 s, 2 GB)",
        f"hotcoco accumulate() again for each: {theirs:.0f} s, {theirs / ours:.1f} times as long (bar: 5)",
        f"pycocotools accumulate() again for each: {judges:.0f} s, {judges / ours:.0f} times as long (bar: 200)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
