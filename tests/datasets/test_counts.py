from __future__ import annotations

from pathlib import Path

import numpy as np

from robust.datasets.counts import count_split
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord


def test_counts_by_size_height_class_and_group() -> None:
    def image(i: int, group: str | None) -> ImageRecord:
        return ImageRecord(i, f"{i}.png", Path(f"{i}.png"), 400, 400, "0" * 64, group)

    boxes = [[0, 0, 10, 29.5], [0, 0, 10, 30], [0, 0, 32, 32], [0, 0, 96, 96], [0, 0, 200, 200], [0, 0, 9, 9]]
    area = np.array([295.0, 300, 1024, 9216, 1000, 81])  # the fifth: a mask much smaller than its box
    crowd = [False, False, False, False, False, True]
    full = Annotations.build(boxes, [1, 1, 1, 1, 2, 1], [1, 2, 3, 4, 5, 6], iscrowd=crowd, area=area)
    only_crowd = Annotations.build([[0, 0, 9, 9]], [1], [7], iscrowd=[True])
    dataset = Dataset(
        "x",
        "test",
        (image(1, "a"), image(2, "a"), image(3, None)),
        (full, only_crowd, Annotations.empty()),
        (Category(1, "person"), Category(2, "dog"), Category(3, "cat")),
    )
    counts = count_split(dataset)
    assert (counts.n_images, counts.n_objects, counts.n_negatives, counts.n_ignored) == (3, 5, 2, 2)
    assert (counts.n_small, counts.n_medium, counts.n_large, counts.n_groups) == (3, 1, 1, 1)
    assert [(b.low, b.high, b.n_objects) for b in counts.heights] == [
        (0, 30, 1), (30, 50, 2), (50, 80, 0), (80, 160, 1), (160, None, 1),
    ]  # fmt: skip
    assert [(c.name, c.n_objects, c.n_images) for c in counts.classes] == [
        ("person", 4, 1),
        ("dog", 1, 1),
        ("cat", 0, 0),
    ]
