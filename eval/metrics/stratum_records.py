"""Results for kinds of objects, as they also stand in the evidence; see `robust.eval.metrics.strata`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from robust.eval.metrics.interval import Interval
from robust.eval.metrics.records import Record, Share

Division = Literal["visible", "crowd", "size"]


class StratumMetrics(Record):
    """How well one kind of object is found.

    Attributes:
        division: By what the objects are divided: their visible fraction, how much they overlap, or their area.
        stratum: Name of the part, see `robust.eval.metrics.strata`.
        n_images: Images that hold such objects.
        n_objects: Such objects.
        AP50: Average precision at IoU 0.5 when all other objects are ignored; None with too few objects.
        interval: Of the AP50; None where no images were drawn again.
    """

    division: Division
    stratum: str
    n_images: Annotated[int, Field(ge=0)]
    n_objects: Annotated[int, Field(ge=0)]
    AP50: Share | None
    interval: Interval | None = None


class StratumRecall(Record):
    """How many objects of one kind are found at one threshold and IoU 0.5.

    Attributes:
        division: By what the objects are divided.
        stratum: Name of the part.
        n_objects: Such objects.
        found: Of these, found.
        recall: Their share; None with too few objects.
        interval: Of the recall; None where no images were drawn again.
    """

    division: Division
    stratum: str
    n_objects: Annotated[int, Field(ge=0)]
    found: Annotated[int, Field(ge=0)]
    recall: Share | None
    interval: Interval | None = None
