"""How fast the COCO numbers come: hotcoco and our matcher against pycocotools, in one run on one machine.

Run as a script; prints ratios (times depend on the machine, ratios hardly do):

    python tests/bench/bench_coco.py [--images 500] [--detections 40] [--matcher-images 5000]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from robust.datasets.records import Category
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.coco_reference import reference_metrics
from robust.eval.metrics.matching import match
from robust.eval.metrics.thresholds import sweep, threshold_grid
from robust.eval.records import GroundTruth, Predictions


def pedestrians(n_images: int, per_image: int, seed: int = 0) -> tuple[GroundTruth, Predictions]:
    """One class, two people an image on average, ``per_image`` detections an image: near misses and background."""
    rng = np.random.default_rng(seed)
    index = np.sort(rng.integers(0, n_images, 2 * n_images))
    corner = rng.uniform(0, 500, (len(index), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 140, (len(index), 2))], axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    truth = GroundTruth(
        image_ids=np.arange(n_images),
        image_sizes=np.full((n_images, 2), 640),
        groups=(None,) * n_images,
        image_index=index,
        boxes=boxes,
        category_ids=np.ones(len(index), dtype=np.int64),
        annotation_ids=np.arange(1, len(index) + 1),
        iscrowd=rng.random(len(index)) < 0.02,
        area=sides[:, 0] * sides[:, 1],
        visible=np.ones(len(index)),
        categories=(Category(1, "person"),),
    )
    near = np.repeat(np.arange(len(index)), per_image // 8)
    far = rng.integers(0, n_images, n_images * per_image - len(near))
    far_corner = rng.uniform(0, 500, (len(far), 2))
    found = np.concatenate(
        [
            np.sort((boxes[near] + rng.normal(0, 6, (len(near), 4))).reshape(-1, 2, 2), axis=1).reshape(-1, 4),
            np.concatenate([far_corner, far_corner + rng.uniform(10, 140, (len(far), 2))], axis=1),
        ]
    )
    image = np.concatenate([index[near], far])
    scores = np.concatenate([rng.beta(2, 2, len(near)), rng.beta(0.5, 6, len(far))]).astype(np.float32).astype(float)
    order = np.lexsort((-scores, image))
    ones = np.ones(len(order), dtype=np.int64)
    return truth, Predictions(np.arange(n_images), image[order], found[order], scores[order], ones, {})


def seconds(work: Callable[[], object], repeat: int = 3) -> float:
    """Best of a few runs."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--detections", type=int, default=40, help="for each image")
    parser.add_argument("--matcher-images", type=int, default=5000)
    options = parser.parse_args()
    case = pedestrians(options.images, options.detections)
    if coco_metrics(*case) != reference_metrics(*case):
        sys.exit("hotcoco and pycocotools differ")
    judge = seconds(lambda: reference_metrics(*case))
    fast = seconds(lambda: coco_metrics(*case))
    ours = seconds(lambda: match(*case, max_detections=100))
    large = pedestrians(options.matcher_images, options.detections)
    lines = [
        f"{options.images} images, {len(case[1])} detections, same numbers to the last bit",
        f"pycocotools {judge:.3f} s; coco_metrics {fast:.4f} s: {judge / fast:.0f} times faster",
        f"match, 10 IoU thresholds, all areas: {ours:.4f} s: {judge / ours:.0f} times faster (a quarter of the work)",
        f"{options.matcher_images} images, {len(large[1])} detections:",
        f"coco_metrics {seconds(lambda: coco_metrics(*large)):.2f} s",
        f"match, 10 IoU thresholds {seconds(lambda: match(*large)):.2f} s",
        f"sweep of 51 thresholds {seconds(lambda: sweep(*large, threshold_grid())):.2f} s",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
