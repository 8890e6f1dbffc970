"""What every registered corruption promises, at every severity. Nobody names them one by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.laws import Scene
from robust.corruptions.records import SEVERITIES, CorruptedImage
from robust.corruptions.registry import get, make_variant, names
from tests.corruptions.street import Street, digest, hard_street

CASES = [pytest.param(name, severity, id=f"{name}-{severity}") for name in names() for severity in SEVERITIES]
every_variant = pytest.mark.parametrize(("name", "severity"), CASES)
every_corruption = pytest.mark.parametrize("name", names())

_ELSEWHERE = """
import json, sys, cv2
sys.path.append(sys.argv[1])
cv2.setNumThreads(3)
from tests.contracts.corruption_contract import all_digests
json.dump(all_digests(backwards=True), sys.stdout)
"""


@cache
def _street() -> Street:
    return hard_street()


@cache
def _made(name: str, severity: int, seed: int = 0) -> tuple[CorruptedImage, ...]:
    street = _street()
    dataset, variant = street.dataset, make_variant(name, severity, seed=seed)
    return tuple(corrupt(dataset, i, variant, source=street.source) for i in range(len(dataset)))


def all_digests(*, backwards: bool) -> dict[str, str]:
    """Digest of every image at severities 1 and 4 of every corruption, made forwards or backwards."""
    street = _street()
    dataset = street.dataset
    jobs = [(name, severity, i) for name in names() for severity in (1, 4) for i in range(len(dataset))]
    return {
        f"{name}/{severity}/{i}": digest(corrupt(dataset, i, make_variant(name, severity), source=street.source))
        for name, severity, i in (jobs[::-1] if backwards else jobs)
    }


class CorruptionContract:
    @every_variant
    def test_shape_and_type_stay_and_the_input_is_untouched(self, name: str, severity: int) -> None:
        before = {sha: pixels.copy() for sha, pixels in _street().pixels.items()}
        boxes = [clean.boxes.copy() for clean in _street().annotations]
        for image, made in zip(_street().images, _made(name, severity), strict=True):
            assert made.pixels.shape == (image.height, image.width, 3)
            assert made.pixels.dtype == np.uint8
        for sha, pixels in before.items():
            assert np.array_equal(pixels, _street().pixels[sha])
        for kept, clean in zip(boxes, _street().annotations, strict=True):
            assert np.array_equal(kept, clean.boxes)

    @every_variant
    def test_ground_truth_lines_up_and_lies_inside_the_image(self, name: str, severity: int) -> None:
        ids: list[int] = []
        for image, clean, made in zip(_street().images, _street().annotations, _made(name, severity), strict=True):
            a = made.annotations  # lengths and ranges are checked by the record itself
            assert (a.boxes[:, :2] >= 0).all()
            assert (a.boxes[:, 2] <= image.width).all()
            assert (a.boxes[:, 3] <= image.height).all()
            assert a.ids[: len(clean)].tolist() == clean.ids.tolist()
            assert a.category_ids[: len(clean)].tolist() == clean.category_ids.tolist()
            assert (a.visible[: len(clean)] <= clean.visible + 1e-12).all()
            assert a.iscrowd[: len(clean)][clean.iscrowd].all()
            ids += a.ids.tolist()
        assert len(ids) == len(set(ids))

    @every_variant
    def test_whole_boxes_stay_to_the_last_bit_where_the_policy_is_amodal(self, name: str, severity: int) -> None:
        if get(name).ground_truth != "amodal":
            pytest.skip("boxes move by design")
        for clean, made in zip(_street().annotations, _made(name, severity), strict=True):
            assert np.array_equal(made.annotations.boxes[: len(clean)], clean.boxes)

    @every_variant
    def test_the_image_really_changes(self, name: str, severity: int) -> None:
        for i, (image, clean, made) in enumerate(
            zip(_street().images, _street().annotations, _made(name, severity), strict=True)
        ):
            if min(image.width, image.height) < 2 or (not len(clean) and not get(name).alters_negatives):
                continue
            assert not np.array_equal(made.pixels, _street().pixels[image.sha256]), f"image {i} is the same"

    @every_corruption
    def test_the_physical_measure_rises_with_severity(self, name: str) -> None:
        measure = get(name).measure.of
        means = []
        for severity in SEVERITIES:
            values = [
                measure(Scene.start(_street().pixels[image.sha256], clean), Scene.start(made.pixels, made.annotations))
                for image, clean, made in zip(
                    _street().images, _street().annotations, _made(name, severity), strict=True
                )
            ]
            means.append(float(np.mean(values)))
        assert all(a < b for a, b in pairwise(means)), means

    @every_corruption
    def test_same_seed_same_bytes_other_seed_other_bytes(self, name: str) -> None:
        again = corrupt(_street().dataset, 0, make_variant(name, 3), source=_street().source)
        assert digest(again) == digest(_made(name, 3)[0])
        assert digest(_made(name, 3, seed=1)[0]) != digest(again)

    @every_corruption
    def test_the_number_of_opencv_threads_does_not_matter(self, name: str) -> None:
        threads = cv2.getNumThreads()
        try:
            for count in (1, 4):
                cv2.setNumThreads(count)
                made = corrupt(_street().dataset, 5, make_variant(name, 3), source=_street().source)
                assert digest(made) == digest(_made(name, 3)[5])
        finally:
            cv2.setNumThreads(threads)

    @every_corruption
    def test_the_visible_policy_only_ever_shrinks_boxes(self, name: str) -> None:
        for severity in (2, 5):
            variant = make_variant(name, severity, ground_truth="visible")
            for i, whole in enumerate(_made(name, severity)):
                made = corrupt(_street().dataset, i, variant, source=_street().source)
                assert np.array_equal(made.pixels, whole.pixels)
                a, b = made.annotations, whole.annotations
                assert (a.boxes[:, :2] >= b.boxes[:, :2]).all()
                assert (a.boxes[:, 2:] <= b.boxes[:, 2:]).all()
                assert np.array_equal(a.visible, b.visible)

    def test_another_process_in_another_order_makes_the_same_bytes(self) -> None:
        root, environment = str(Path(__file__).resolve().parents[2]), {**os.environ, "PYTHONHASHSEED": "7"}
        command = [sys.executable, "-c", _ELSEWHERE, root]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == all_digests(backwards=False)
