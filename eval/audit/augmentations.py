"""Which corruptions the training of a detector imitated, as far as its logged augmentation tells.

Ultralytics' parameters are those of its training of detectors (``v8_transforms`` of 8.4): ``degrees`` turns the
picture to either side, ``perspective`` tilts it, ``hsv_v`` multiplies the brightness by 1 -/+ its value, ``cutmix``
lays a piece of another picture over it, ``copy_paste`` adds objects that have an outline. ``erasing`` and
``auto_augment`` are logged too but act on classifiers only. Mosaic, mixup, flips, scale, shear, hue and saturation
imitate no corruption.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from robust.eval.audit.facts import RunFacts
from robust.eval.audit.logged import number, setting


@dataclass(frozen=True)
class Augmented:
    """One augmentation of a training.

    Attributes:
        parameter: Its name.
        text: It and its strength, for people.
        value: The strength; None when it has no single number.
        corruptions: What it imitates.
        is_deliberate: Whether somebody asked for it: it is above Ultralytics' default.
    """

    parameter: str
    text: str
    value: float | None
    corruptions: tuple[str, ...]
    is_deliberate: bool


_EXPOSURE = ("brightness", "overexposure", "underexposure")
_BLUR = ("defocus_blur", "out_of_focus")
_COVER = ("occlusion",)
_LIKE_NOISE = ("gaussian_noise", "sensor_noise", "shot_noise")

_PARAMETERS = {
    "degrees": (0.0, ("roll",), ""),
    "perspective": (0.0, ("steep_view",), ""),
    "hsv_v": (0.4, _EXPOSURE, ""),
    "cutmix": (0.0, _COVER, ""),
    "copy_paste": (0.0, ("crowd", "occlusion"), " (where labels have outlines)"),
}
"""Parameter of Ultralytics -> default of 8.4, what it imitates, and when."""

_TRANSFORMS = {
    "Blur": _BLUR,
    "MedianBlur": _BLUR,
    "GaussianBlur": _BLUR,
    "AdvancedBlur": _BLUR,
    "Defocus": _BLUR,
    "MotionBlur": ("camera_motion", "motion_blur"),
    "GlassBlur": ("glass_blur",),
    "ZoomBlur": ("zoom_blur",),
    "GaussNoise": _LIKE_NOISE,
    "AdditiveNoise": _LIKE_NOISE,
    "MultiplicativeNoise": _LIKE_NOISE,
    "ISONoise": _LIKE_NOISE,
    "ShotNoise": _LIKE_NOISE,
    "SaltAndPepper": ("impulse_noise",),
    "PixelDropout": ("impulse_noise",),
    "ImageCompression": ("jpeg", "jpeg_compression"),
    "JpegCompression": ("jpeg", "jpeg_compression"),
    "Downscale": ("low_resolution", "pixelate"),
    "RandomFog": ("depth_fog", "fog"),
    "RandomRain": ("rainfall",),
    "RandomSnow": ("snow", "snowfall"),
    "RandomSunFlare": ("low_sun",),
    "RandomBrightness": _EXPOSURE,
    "RandomContrast": ("contrast",),
    "RandomBrightnessContrast": (*_EXPOSURE, "contrast"),
    "ColorJitter": (*_EXPOSURE, "contrast"),
    "RandomGamma": _EXPOSURE,
    "CoarseDropout": _COVER,
    "ConstrainedCoarseDropout": _COVER,
    "GridDropout": _COVER,
    "Cutout": _COVER,
    "Erasing": _COVER,
    "XYMasking": _COVER,
    "Affine": ("roll",),
    "Rotate": ("roll",),
    "SafeRotate": ("roll",),
    "ShiftScaleRotate": ("roll",),
    "Perspective": ("steep_view",),
    "ElasticTransform": ("elastic_transform",),
    "GridDistortion": ("elastic_transform",),
}
"""Transform of Albumentations -> what it imitates."""

_LISTS = ("augmentations", "albumentations", "transforms")
_NAME = re.compile(r"(?<![A-Za-z0-9_])[A-Z][A-Za-z]+[A-Za-z0-9]*(?=['\"(])")
_PROBABILITY = re.compile(r"(?<![A-Za-z0-9_])p['\"]?\s*[:=]\s*(\d*\.?\d+)")


def records_augmentation(run: RunFacts) -> bool:
    """Whether a run says anything of how it augmented its training images."""
    return any(setting(run, key) is not None for key in (*_PARAMETERS, *_LISTS))


def augmentations(run: RunFacts) -> Iterator[Augmented]:
    """Every augmentation that a run logged and that imitates a corruption."""
    for name, (default, corruptions, when) in _PARAMETERS.items():
        value = number(run, name)
        if value is not None and value > 0:
            text = f"{name} {value:g} (Ultralytics' default)" if value == default else f"{name} {value:g}{when}"
            yield Augmented(name, text, value, corruptions, value > default)
    for key in _LISTS:
        yield from _transforms(setting(run, key) or "")


def _transforms(text: str) -> Iterator[Augmented]:
    """Transforms of Albumentations in a list as text: ``Blur(p=0.01, ...)``, or dictionaries with their class names.

    What stands between a name and the next one belongs to it; probability 0 is switched off.
    """
    found = list(_NAME.finditer(text))
    starts = [*(match.start() for match in found), len(text)]
    for match, end in zip(found, starts[1:], strict=True):
        name = match.group()
        probability = _PROBABILITY.search(text, match.end(), end)
        if name in _TRANSFORMS and not (probability and float(probability[1]) == 0):
            told = f"{name} with probability {probability[1]}" if probability else name
            value = float(probability[1]) if probability else None
            yield Augmented(name, told, value, _TRANSFORMS[name], is_deliberate=True)
