"""A study small enough to train in a second: six pictures of rectangles and a network of three layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from robust.datasets.images import write_image
from robust.eval.detectors.environment import load_ultralytics

NETWORK = {
    "nc": 1,
    "depth_multiple": 0.33,
    "width_multiple": 0.0625,
    "backbone": [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]], [-1, 1, "C2f", [128, True]]],
    "head": [[[2], 1, "Detect", ["nc"]]],
}


def write_weights(path: Path, seed: int = 0) -> Path:
    """Save an untrained network that knows the class "person"."""
    load_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(seed)
    network = DetectionModel(NETWORK, nc=1, verbose=False)
    network.names = {0: "person"}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network, "train_args": {"imgsz": 64}}, path)
    return path


def write_data(folder: Path, n_train: int = 4, n_val: int = 2, n_test: int = 0) -> Path:
    """Write a YOLO data set of bright rectangles on noise; one of the training images has no object."""
    rng = np.random.default_rng(7)
    for split, count in (("train", n_train), ("val", n_val), ("test", n_test)):
        for i in range(count):
            pixels = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            x, y = (int(v) for v in rng.integers(2, 30, 2))
            empty = split == "train" and i == 0
            if not empty:
                pixels[y : y + 24, x : x + 16] = 220
            image = folder / "images" / split / f"{split}{i}.png"
            label = folder / "labels" / split / f"{split}{i}.txt"
            for file in (image, label):
                file.parent.mkdir(parents=True, exist_ok=True)
            write_image(image, pixels)
            row = f"0 {(x + 8) / 64} {(y + 12) / 64} {16 / 64} {24 / 64}\n"
            label.write_text("" if empty else row, encoding="utf-8")
    path = folder / "data.yaml"
    test = "test: images/test\n" if n_test else ""
    path.write_text(f"train: images/train\nval: images/val\n{test}names: [person]\n", encoding="utf-8")
    return path
