"""From a network's raw output to the boxes that are kept.

The rules are those of Ultralytics' validator (several labels for one anchor, suppression inside each class), without
its wall-clock limit, which silently returns nothing for the rest of a batch on a busy machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CANDIDATE_LIMIT = 30_000
"""Most boxes that enter suppression, highest scores first (Ultralytics' ``max_nms``)."""


def suppress(
    raw: torch.Tensor, classes: torch.Tensor, categories: torch.Tensor, *, score_floor: float, iou: float, limit: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keep the best boxes of one image.

    Args:
        raw: float32 (4 + n_classes, n_anchors): centre x, centre y, width, height, then one score for each class.
        classes: int64 (k,), the network's class indices that count; the others are left out before suppression.
        categories: int64 (k,), the category each of them stands for; two may stand for the same.
        score_floor: Only scores above it count.
        iou: A box that overlaps a higher-scored one of its category by more than this is dropped.
        limit: Most boxes returned.

    Returns:
        Boxes float32 (n, 4) xyxy, scores float32 (n,) falling, categories int64 (n,).
    """
    import torch
    from torchvision.ops import nms  # type: ignore[import-untyped]

    anchor, column = torch.where(raw[4:].T[:, classes] > score_floor)
    label = categories[column]
    score = raw[4 + classes[column], anchor]
    order = score.argsort(descending=True, stable=True)[:CANDIDATE_LIMIT]
    anchor, label, score = anchor[order], label[order], score[order]
    centre, size = raw[:2, anchor].T, raw[2:4, anchor].T
    boxes = torch.cat((centre - size / 2, centre + size / 2), 1)
    # Boxes of different categories must not suppress each other: put each on a plane of its own, far enough away.
    apart = boxes.detach().abs().max() * 2 + 1 if len(boxes) else 0
    kept = nms(boxes + (label * apart)[:, None], score, iou)[:limit]
    return boxes[kept], score[kept], label[kept]


def pick_end_to_end(
    raw: torch.Tensor, classes: torch.Tensor, categories: torch.Tensor, *, score_floor: float, limit: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Keep the boxes of a head that needs no suppression.

    Args:
        raw: float32 (n, 6): x1, y1, x2, y2, score, class index.
        classes: int64 (k,), the class indices that count, rising.
        categories: int64 (k,), the category each of them stands for.
        score_floor: Only scores above it count.
        limit: Most boxes returned.
    """
    import torch

    keep = (raw[:, 4] > score_floor) & torch.isin(raw[:, 5].long(), classes)
    rows = raw[keep]
    rows = rows[rows[:, 4].argsort(descending=True, stable=True)][:limit]
    return rows[:, :4], rows[:, 4], categories[torch.searchsorted(classes, rows[:, 5].long())]
