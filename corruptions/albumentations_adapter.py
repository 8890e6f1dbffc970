"""The only module that touches albumentations (2.0.8, the last MIT release).

Laws of ours become `DualTransform` subclasses and stock transforms stay what they are; both are composed with
``A.Compose``. Two habits of the library are kept away from our data:

* Its box code (the dropout family shrinks, drops and truncates boxes, even of untouched objects) never sees a box:
  annotations travel as an opaque target that only our laws change, and stock transforms may change pixels only.
* Its random state (stateful from call to call) is seeded for every image from content and recipe.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.metadata import packages_distributions
from typing import Any

import numpy as np

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks PyPI for news on import otherwise

import albumentations as A  # type: ignore[import-untyped]  # noqa: N812  # its own documented name

from robust.corruptions.laws import Context, Law, Pixels, Scene, Step, Stock
from robust.errors import RobustError, UnknownName


class LawTransform(A.DualTransform):  # type: ignore[misc]  # the library has no types
    """A law as a transform with two targets: ``image`` (pixels) and ``scene`` (our annotations, never as A's boxes)."""

    _targets = ()

    def __init__(self, law: Law) -> None:
        super().__init__(p=1.0)
        self.law = law

    @property
    def targets(self) -> dict[str, Callable[..., Any]]:
        """What is changed: pixels and scene, nothing else."""
        return {"image": self.apply, "scene": self.apply_to_scene}

    @property
    def targets_as_params(self) -> list[str]:
        """What the law reads."""
        return ["image", "scene", "context"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Run the law once; both targets are taken from its result."""
        return {"result": self.law(data["scene"].with_pixels(data["image"]), data["context"])}

    def apply(self, img: Pixels, result: Scene, **params: Any) -> Pixels:
        """Return the new pixels."""
        return result.pixels

    def apply_to_scene(self, scene: Scene, result: Scene, **params: Any) -> Scene:
        """Return the new objects."""
        return result


def run(steps: Sequence[Step], scene: Scene, context: Context) -> Scene:
    """Apply the steps in order.

    Args:
        steps: Laws and stock transforms.
        scene: What they start from; untouched.
        context: Its generator also seeds the stock transforms.

    Raises:
        UnknownName: a stock transform does not exist.
        RobustError: a step changed the shape or type of the image.
    """
    transforms = [stock(step) if isinstance(step, Stock) else LawTransform(step) for step in steps]
    compose = A.Compose(transforms, p=1.0, is_check_shapes=False)
    compose.set_random_seed(int(context.rng.integers(2**32)))
    done = compose(image=scene.pixels.copy(), scene=scene, context=context)  # some stock transforms write in place
    pixels = done["image"]
    if pixels.shape != scene.pixels.shape or pixels.dtype != np.uint8:
        raise RobustError(f"A corruption step turned {scene.pixels.shape} uint8 into {pixels.shape} {pixels.dtype}.")
    result: Scene = done["scene"]
    return result.with_pixels(pixels)


def stock(step: Stock) -> A.ImageOnlyTransform:
    """Return a stock transform that always applies.

    Raises:
        UnknownName: the class does not exist or changes more than pixels.
    """
    if not _is_pixel_only(step.name):
        raise UnknownName("pixel transform of albumentations", step.name, filter(_is_pixel_only, dir(A)))
    return getattr(A, step.name)(**{"p": 1.0, **step.arguments})


def _is_pixel_only(name: str) -> bool:
    kind = getattr(A, name, None)
    return isinstance(kind, type) and issubclass(kind, A.ImageOnlyTransform) and kind is not A.ImageOnlyTransform


def distributions() -> tuple[str, ...]:
    """Names of the installed distributions behind the module: must be ``albumentations`` alone, not its AGPL fork."""
    return tuple(sorted(set(packages_distributions().get("albumentations", ()))))
