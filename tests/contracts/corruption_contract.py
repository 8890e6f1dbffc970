"""What every registered corruption promises, at every severity. Nobody names them one by one."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
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
from robust.errors import UsageError
from tests.corruptions.street import Street, digest, hard_street, picture_of

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


_OLDER_PROCESSOR = {
    "PYTHONHASHSEED": "7",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX2 FMA3",
    "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX512-COMMON,AVX512-SKX,AVX512-CNL,AVX512-CLX,AVX512-ICL",
}


@cache
def _streets_of_two_sizes() -> tuple[Street, Street]:
    """Return three drawn scenes and their half-size copies, as a camera of half the resolution would see them."""
    big, small = Street(), Street()
    for seed in range(3):
        boxes = [(60 + 20 * seed, 150, 130 + 20 * seed, 350), (300, 140, 360, 320), (400, 170, 480, 400)]
        whole = [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes]
        pixels, outlines = picture_of(480, 640, whole, seed)
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 2.0), dtype=np.uint8)  # both sizes resolve all detail
        big.add(pixels, whole, outlines)
        halved = cv2.resize(pixels, (320, 240), interpolation=cv2.INTER_AREA)
        half_boxes = [(a / 2, b / 2, c / 2, d / 2) for a, b, c, d in whole]
        small.add(
            np.asarray(halved, dtype=np.uint8), half_boxes, tuple(tuple(p / 2 for p in outline) for outline in outlines)
        )
    return big, small


def _mean_measure(street: Street, name: str, severity: int, measure: Callable[[Scene, Scene], float]) -> float:
    dataset, values = street.dataset, []
    for index, (image, clean) in enumerate(zip(dataset.images, dataset.annotations, strict=True)):
        made = corrupt(dataset, index, make_variant(name, severity), source=street.source)
        after = Scene.start(made.pixels, made.annotations)
        values.append(measure(Scene.start(street.pixels[image.sha256], clean), after))
    return float(np.mean(values))


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
            if not get(name).moves_objects:  # otherwise objects may leave the picture
                assert a.ids[: len(clean)].tolist() == clean.ids.tolist()
            position = {int(i): k for k, i in enumerate(a.ids)}
            kept = [(k, position[int(i)]) for k, i in enumerate(clean.ids) if int(i) in position]
            assert [new for _, new in kept] == sorted(new for _, new in kept)
            for old, new in kept:
                assert a.category_ids[new] == clean.category_ids[old]
                assert a.visible[new] <= clean.visible[old] + 1e-12
                assert a.iscrowd[new] or not clean.iscrowd[old]
            ids += a.ids.tolist()
        assert len(ids) == len(set(ids))

    @every_variant
    def test_whole_boxes_stay_to_the_last_bit_where_the_policy_is_amodal(self, name: str, severity: int) -> None:
        if get(name).ground_truth != "amodal" or get(name).moves_objects:
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
    def test_same_seed_same_bytes_and_another_seed_others_where_chance_has_a_part(self, name: str) -> None:
        again = corrupt(_street().dataset, 0, make_variant(name, 3), source=_street().source)
        assert digest(again) == digest(_made(name, 3)[0])
        assert (digest(_made(name, 3, seed=1)[0]) != digest(again)) == get(name).random

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

    @every_corruption
    def test_a_half_size_copy_is_as_severe(self, name: str) -> None:
        """The measure at half size lies between those of the neighbouring severities at full size.

        Faults of the pixel grid are only held to the lower bound: they harm a smaller picture more.
        """
        big, small = _streets_of_two_sizes()
        measure = get(name).measure.of
        full, half = (
            [_mean_measure(street, name, severity, measure) for severity in SEVERITIES] for street in (big, small)
        )
        step = (full[-1] - full[0]) / (len(full) - 1)
        rungs = [full[0] - step, *full, full[-1] + step]
        for severity, value in zip(SEVERITIES, half, strict=True):
            assert rungs[severity - 1] <= value, (severity, full, half)
            assert value <= rungs[severity + 1] or get(name).pixel_grid, (severity, full, half)

    @every_corruption
    def test_a_parameter_works_at_both_ends_of_its_range_and_not_beyond(self, name: str) -> None:
        street, corruption = _street(), get(name)
        for key, value in corruption.severities[3].items():
            if isinstance(value, (bool, str)):
                continue
            low, high = corruption.ranges.get(key, (0.0, math.inf))
            for end in {low, high} - {math.inf}:
                edge = make_variant(name, 3, overrides={key: type(value)(end)})
                assert corrupt(street.dataset, 0, edge, source=street.source).pixels.dtype == np.uint8
            for beyond in (low - 1, high + 1, math.nan):
                if isinstance(value, int) and not math.isfinite(beyond):
                    continue  # no whole number
                with pytest.raises(UsageError, match=f"{name}.{key}"):
                    make_variant(name, 3, overrides={key: type(value)(beyond)})

    def test_another_process_in_another_order_makes_the_same_bytes(self) -> None:
        """The other process also leaves out the newest instructions of the processor, as an older machine would."""
        root, environment = str(Path(__file__).resolve().parents[2]), {**os.environ, **_OLDER_PROCESSOR}
        command = [sys.executable, "-c", _ELSEWHERE, root]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == all_digests(backwards=False)
