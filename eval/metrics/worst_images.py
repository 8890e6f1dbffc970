"""The images to look at first: where a model misses most, and where it raises most false alarms."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.matching import Matches
from robust.eval.metrics.records import Record, Share

MOST_IMAGES = 10


class WorstImage(Record):
    """What happens in one image at one threshold and IoU 0.5, over all classes."""

    image_id: int
    misses: Annotated[int, Field(ge=0)]
    false_positives: Annotated[int, Field(ge=0)]
    n_objects: Annotated[int, Field(ge=0)]


class WorstImages(Record):
    """The worst images of one cell, the worst first; images without an error are not among them.

    Attributes:
        threshold: Detections count from this score on.
        by_misses: Most missed objects, and so the most recall lost.
        by_false_positives: Most false alarms.
    """

    threshold: Share
    by_misses: tuple[WorstImage, ...]
    by_false_positives: tuple[WorstImage, ...]


def worst_images(matches: Matches, threshold: float, *, most: int = MOST_IMAGES) -> WorstImages:
    """Find the images with most misses and with most false alarms. Equals come in the order of their ids.

    Args:
        matches: At IoU 0.5, without a limit on detections.
        threshold: In 0..1; a detection counts where score >= threshold.
        most: Longest list.
    """
    reached = matches.score >= threshold
    n_images = len(matches.image_ids)
    objects = np.bincount(matches.object_image_index[~matches.object_ignored], minlength=n_images)
    hits = np.bincount(matches.image_index[matches.true_positive[0] & reached], minlength=n_images)
    alarms = np.bincount(matches.image_index[matches.false_positive[0] & reached], minlength=n_images)
    misses = objects - hits

    def listed(count: NDArray[np.int64]) -> tuple[WorstImage, ...]:
        order = np.lexsort((matches.image_ids, -count))[:most]
        return tuple(
            WorstImage(
                image_id=int(matches.image_ids[i]),
                misses=int(misses[i]),
                false_positives=int(alarms[i]),
                n_objects=int(objects[i]),
            )
            for i in order[count[order] > 0].tolist()
        )

    return WorstImages(threshold=threshold, by_misses=listed(misses), by_false_positives=listed(alarms))
