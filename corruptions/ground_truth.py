"""What happens to the ground truth of objects that got covered or left the picture: boxes, ignore, identities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.laws import Scene
from robust.corruptions.records import GroundTruthPolicy
from robust.datasets.records import Annotations, Dataset

IGNORE_BELOW = 0.2
"""An object less visible than this becomes ignore: finding it is neither hit nor miss."""

IDS_PER_IMAGE = 1000


def settle(before: Annotations, after: Scene, policy: GroundTruthPolicy) -> Annotations:
    """Apply the ground-truth policy to what the steps left.

    Objects are known by their ids: some may have been added, others may have left the picture. Only objects that this
    variant covered or moved out can become ignore: a source that says "10 % visible" of an untouched object is not
    overruled. What left the picture is already missing from boxes, areas and outlines; only what was covered shrinks
    them further.

    Args:
        before: The clean annotations.
        after: The corrupted scene.
        policy: ``amodal`` keeps whole boxes; ``visible`` shrinks boxes, areas and drops outlines of covered objects.
    """
    annotations = after.annotations
    shown = dict(zip(before.ids.tolist(), before.visible.tolist(), strict=True))
    start = np.array([shown.get(i, 1.0) for i in annotations.ids.tolist()], dtype=np.float64)
    lost = annotations.visible < start
    ignored = annotations.iscrowd | (lost & (annotations.visible < IGNORE_BELOW))
    inside = start if after.inside is None else start * after.inside
    covered = annotations.visible < inside * (1 - 1e-12)  # two moves multiply their shares in another order
    if policy == "amodal" or not covered.any():
        return annotations.with_(iscrowd=ignored)
    boxes = np.where(covered[:, None], after.seen, annotations.boxes)
    share = np.where(covered, annotations.visible / np.maximum(inside, 1e-9), 1.0)
    outlines = tuple(None if covered[i] else outline for i, outline in enumerate(annotations.outlines))
    return annotations.with_(boxes=boxes, area=annotations.area * share, iscrowd=ignored, outlines=outlines)


def new_ids(dataset: Dataset, index: int, count: int) -> NDArray[np.int64]:
    """Return ids for objects that a variant adds to one image, unique over the whole data set.

    The k-th object added to image ``index`` gets ``largest id + 1 + index * 1000 + k``: no bookkeeping between
    images, so shards and processes agree.

    Raises:
        ValueError: more than 1000 objects are added to one image.
    """
    if count > IDS_PER_IMAGE:
        raise ValueError(f"At most {IDS_PER_IMAGE} objects can be added to an image, not {count}.")
    return dataset.largest_id + 1 + index * IDS_PER_IMAGE + np.arange(count, dtype=np.int64)
