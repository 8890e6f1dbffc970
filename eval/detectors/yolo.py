"""Ultralytics YOLO detection weights behind the `Detector` protocol.

The forward path is our own, over Ultralytics' network: its ``val`` raises ``max_det`` to the largest count of labels in
the data, its suppression stops by the clock, and its ``rect`` batches depend on their neighbours. Here an image is seen
the same way whatever else is evaluated with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.errors import DataError, UsageError
from robust.eval.detectors.checkpoint import loading, plain_path
from robust.eval.detectors.judgeable import check_judgeable
from robust.eval.detectors.preprocess import Letterbox
from robust.eval.detectors.suppression import pick_end_to_end, suppress
from robust.eval.records import Detections, InferenceSettings

if TYPE_CHECKING:
    import torch


class YoloDetector:
    """A fused network on one device.

    Args:
        weights: Ultralytics ``.pt`` file of a detection network.
        settings: How it sees images.
        categories: Of the data set; only the classes they name are kept.
        renamed: The network's class name -> the data set's, where the two differ.
        trust: Load weights that hold more than tensors and known classes. Loading such a file runs its code.

    Raises:
        IntegrityError: the weights hold code and ``trust`` is off.
        DataError: the weights are not a detection network, or miss a category.
        UsageError: the device is not there.
    """

    def __init__(
        self,
        weights: Path,
        settings: InferenceSettings,
        categories: Sequence[Category],
        *,
        renamed: Mapping[str, str] | None = None,
        trust: bool = False,
    ) -> None:
        info, mapping = check_judgeable(weights, categories, renamed or {}, trust=trust)
        self._settings = settings
        self.n_parameters = info.parameters
        self._network = _load(weights, settings.device, trust)
        import torch

        self._classes = torch.tensor(sorted(mapping), dtype=torch.int64, device=settings.device)
        self._categories = torch.tensor(
            [mapping[i] for i in sorted(mapping)], dtype=torch.int64, device=settings.device
        )

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find objects in images (uint8, RGB), ``settings.batch`` at a time."""
        found: list[Detections] = []
        for start in range(0, len(images), self._settings.batch):
            found += self._detect_batch(images[start : start + self._settings.batch])
        return found

    def _detect_batch(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        import torch

        boxes_in = [Letterbox(i.shape[1], i.shape[0], self._settings.imgsz) for i in images]
        squares = np.stack([box.apply(image) for box, image in zip(boxes_in, images, strict=True)])
        tensor = torch.from_numpy(squares).to(self._settings.device).permute(0, 3, 1, 2).contiguous().float() / 255
        with torch.inference_mode():
            output = self._network(tensor)
            raw = output[0] if isinstance(output, (tuple, list)) else output
            if not bool(raw.isfinite().all()):
                raise DataError("The network's output is not finite.", fix="Check the weights.")
            return [self._detections(one, box) for one, box in zip(raw, boxes_in, strict=True)]

    def _detections(self, raw: torch.Tensor, letterbox: Letterbox) -> Detections:
        floor, limit = self._settings.score_floor, self._settings.max_detections
        if raw.shape[-1] == 6 and raw.shape[0] != 6:
            boxes, scores, ids = pick_end_to_end(raw, self._classes, self._categories, score_floor=floor, limit=limit)
        else:
            iou = self._settings.nms_iou
            boxes, scores, ids = suppress(raw, self._classes, self._categories, score_floor=floor, iou=iou, limit=limit)
        return Detections(
            letterbox.to_original(boxes.cpu().numpy().astype(np.float64)),
            scores.cpu().numpy().astype(np.float64),
            ids.cpu().numpy(),
        )


def _load(weights: Path, device: str, trust: bool) -> Any:
    """Return the fused network in evaluation mode."""
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"Device {device!r} is not available.", "torch sees no CUDA device.", "Use --device cpu.")
    with loading(trust), plain_path(weights) as plain:
        from ultralytics.nn.tasks import load_checkpoint

        network, _ = load_checkpoint(str(plain), device=torch.device("cpu"))
    if network.task != "detect":  # Ultralytics guesses the task of files that do not say
        raise DataError(f"{weights.name} is a network for {network.task!r}, not for detection.")
    network.fuse(verbose=False)
    return network.eval().to(device)
