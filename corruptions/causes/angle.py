"""A camera that hangs at another angle: rolled about its axis, or looking down steeply.

Laws: a pinhole camera that turns about its own centre moves its picture by the homography K R K^-1, exactly and at
whatever distance things are (Hartley and Zisserman 2004, section 8.4). `robust.corruptions.warp` moves the boxes.

* ``roll``: R turns about the optical axis, to one side in half of the images and to the other in the rest, by content.
* ``steep_view``: R turns downwards; the window of the new picture is moved so that the scene stays in the middle, as
  when the picture of a wide camera is cropped. Upright lines converge downwards; heads grow and feet shrink.

Limits: the camera turns and does not climb: nobody is seen from above, and nothing appears that was hidden before.
"""

from __future__ import annotations

from functools import partial

from robust.corruptions.laws import Context, Corruption, Parameters, Scene, Step
from robust.corruptions.measures import RMS_CHANGE
from robust.corruptions.warp import move, pitched, rolled
from robust.errors import UsageError


def roll(scene: Scene, context: Context, *, degrees: float) -> Scene:
    """Roll the camera; which way follows from the image's content, so that a data set holds both."""
    clockwise = int(context.dataset.images[context.index].sha256[-1], 16) % 2 == 0
    return move(scene, rolled(degrees if clockwise else -degrees, _size(scene)))


def look_down(scene: Scene, context: Context, *, degrees: float, field_of_view: float) -> Scene:
    """Pitch the camera down, see `pitched`."""
    del context
    return move(scene, pitched(degrees, field_of_view, _size(scene)))


def _size(scene: Scene) -> tuple[int, int]:
    return scene.pixels.shape[0], scene.pixels.shape[1]


def _roll(parameters: Parameters, _image: tuple[int, int]) -> tuple[Step, ...]:
    return (partial(roll, degrees=float(parameters["degrees"])),)


def _steep(parameters: Parameters, _image: tuple[int, int]) -> tuple[Step, ...]:
    degrees, view = float(parameters["degrees"]), float(parameters["field_of_view"])
    if not (degrees >= 0 and 0 < view < 180 and degrees + view / 2 < 90):
        raise UsageError(
            f"steep_view cannot look down by {degrees:g} degrees with a field of view of {view:g}.",
            "The upper edge of the picture would pass the vertical.",
            "Keep degrees + field_of_view / 2 below 90.",
        )
    return (partial(look_down, degrees=degrees, field_of_view=view),)


CORRUPTIONS = (
    Corruption(
        name="roll",
        summary="The camera hangs crooked: the horizon and all people lean to one side.",
        cause="angle",
        severities={s: {"degrees": d} for s, d in zip((1, 2, 3, 4, 5), (10.0, 20.0, 30.0, 40.0, 50.0), strict=True)},
        ranges={"degrees": (0.0, 180.0)},
        steps=_roll,
        measure=RMS_CHANGE,
        source="Hartley and Zisserman 2004 (rotating camera); Kalra et al. 2021 (boxes without outlines)",
        limits=(
            "The new corners of the picture are flat grey, and nobody asks for people who left the picture. Boxes of "
            "people without an outline are estimated: on drawn pedestrians at severity 3 they have 0.86 times the area "
            "of the exact box (IoU 0.83; the box around the old corners: 1.36 times), so read AP50 and not AP75."
        ),
        moves_objects=True,
        random=False,
    ),
    Corruption(
        name="steep_view",
        summary="The camera looks down steeply: upright lines converge and heads look larger than feet.",
        cause="angle",
        severities={
            s: {"degrees": d, "field_of_view": 60.0}
            for s, d in zip((1, 2, 3, 4, 5), (20.0, 32.0, 42.0, 50.0, 56.0), strict=True)
        },
        ranges={"degrees": (0.0, 59.0), "field_of_view": (1.0, 90.0)},
        steps=_steep,
        measure=RMS_CHANGE,
        source="Hartley and Zisserman 2004 (rotating camera); Kalra et al. 2021 (boxes without outlines)",
        limits=(
            "The camera turns and does not climb: nobody is foreshortened or seen from above; the new corners of the "
            "picture are flat grey, and nobody asks for people who left the picture. Boxes of people without an "
            "outline are estimated: on drawn pedestrians at severity 3 they have 0.94 times the area of the exact box "
            "(IoU 0.90; the box around the old corners: 1.24 times)."
        ),
        version=2,
        moves_objects=True,
        random=False,
    ),
)
