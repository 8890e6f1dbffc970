from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from robust.corruptions.albumentations_adapter import distributions, run
from robust.corruptions.laws import Context, Scene, Stock
from robust.errors import RobustError, UnknownName
from tests.corruptions.street import hard_street


def scene_and_context(seed: int = 0) -> tuple[Scene, Context]:
    street = hard_street()
    dataset = street.dataset
    scene = Scene.start(street.source(dataset.images[0]), dataset.annotations[0])
    return scene, Context(np.random.default_rng(seed), dataset, 0, street.source)


def test_the_installed_library_is_the_last_mit_release_and_not_its_agpl_fork() -> None:
    assert distributions() == ("albumentations",)
    assert version("albumentations") == "2.0.8"


def test_laws_and_stock_transforms_are_composed_in_order() -> None:
    scene, context = scene_and_context()

    def black(before: Scene, context: Context) -> Scene:
        return before.with_pixels(np.zeros_like(before.pixels))

    assert run([black, Stock("InvertImg")], scene, context).pixels.min() == 255
    assert run([Stock("InvertImg"), black], scene, context).pixels.max() == 0


def test_stock_transforms_never_touch_the_objects() -> None:
    scene, context = scene_and_context()
    after = run([Stock("MotionBlur", {"blur_limit": (7, 7)})], scene, context)
    assert not np.array_equal(after.pixels, scene.pixels)
    assert after.annotations is scene.annotations


def test_stock_transforms_draw_from_the_image_s_own_seed() -> None:
    step = [Stock("GaussNoise", {"std_range": (0.1, 0.1)})]
    first, again, other = (run(step, *scene_and_context(seed)).pixels for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ["MotionBlurr", "Rotate", "CoarseDropout", "Compose", "np"])
def test_what_is_unknown_or_changes_more_than_pixels_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="pixel transform"):
        run([Stock(name)], *scene_and_context())


def test_a_step_that_changes_the_shape_is_refused() -> None:
    scene, context = scene_and_context()
    with pytest.raises(RobustError, match="turned"):
        run([lambda before, _: before.with_pixels(before.pixels[:10])], scene, context)


def test_importing_it_asks_no_server_and_leaves_opencv_s_threads_alone() -> None:
    code = (
        "import cv2, os; cv2.setNumThreads(3); import robust.corruptions.albumentations_adapter;"
        "print(cv2.getNumThreads(), os.environ['NO_ALBUMENTATIONS_UPDATE'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "1"]
