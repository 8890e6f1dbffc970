from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from robust.datasets.duplicates import NEAR_DISTANCE, NO_MATCH, nearest, perceptual_hash
from tests.datasets.builders import picture


def _bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_unrelated_pictures_are_far_apart() -> None:
    hashes = [perceptual_hash(picture(seed, 320, 240)) for seed in range(40)]
    assert min(_bits(a, b) for i, a in enumerate(hashes) for b in hashes[:i]) > NEAR_DISTANCE


@pytest.mark.parametrize("seed", range(5))
def test_the_same_picture_saved_scaled_or_brightened_is_near(seed: int) -> None:
    image = picture(seed, 320, 240)
    original = perceptual_hash(image)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    noise = np.random.default_rng(0).normal(0, 10, image.shape)
    for changed in (
        jpeg,
        cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA),
        cv2.convertScaleAbs(image, alpha=1.1, beta=5),
        np.clip(image + noise, 0, 255).astype(np.uint8),
    ):
        assert _bits(original, perceptual_hash(np.asarray(changed, dtype=np.uint8))) <= NEAR_DISTANCE


def test_flat_images_of_any_colour_are_the_same() -> None:
    hashes = {perceptual_hash(np.full((30, 40, 3), value, dtype=np.uint8)) for value in (0, 7, 128, 255)}
    assert len(hashes) == 1


def test_the_nearest_is_that_of_a_plain_double_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robust.datasets.duplicates._BLOCK_PAIRS", 100)  # several blocks
    rng = np.random.default_rng(1)
    query = rng.integers(0, 2**63, 37, dtype=np.uint64)
    base = rng.integers(0, 2**63, 23, dtype=np.uint64)
    index, distance = nearest(query, base)
    for i, value in enumerate(query.tolist()):
        every = [_bits(value, other) for other in base.tolist()]
        assert (int(index[i]), int(distance[i])) == (every.index(min(every)), min(every))
    index, distance = nearest(query, query, earlier_only=True)
    assert distance[0] == NO_MATCH
    for i in range(1, len(query)):
        every = [_bits(int(query[i]), other) for other in query.tolist()[:i]]
        assert (int(index[i]), int(distance[i])) == (every.index(min(every)), min(every))
    assert nearest(query, base[:0])[1].tolist() == [NO_MATCH] * 37
    assert len(nearest(base[:0], query)[0]) == 0


def test_real_photographs_are_told_apart() -> None:
    from robust.datasets.images import read_image
    from tests.shared_data import shared_data

    files: list[Path] = sorted((shared_data("tiny_coco") / "images").rglob("*.jpg"))
    hashes = np.array([perceptual_hash(read_image(file)) for file in files], dtype=np.uint64)
    assert nearest(hashes, hashes, earlier_only=True)[1].min() > 2 * NEAR_DISTANCE
