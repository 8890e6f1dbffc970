"""Ultralytics' trainer with our data and our ears. Import it after `load_ultralytics` has run.

The data come from our own records: no label files are looked for; no ``.cache`` or ``.npy`` file beside the user's
images is read (the former is a pickle, and either may be planted or stale) or written; no dataset YAML is executed; and
COCO data train like YOLO data.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ultralytics.data.dataset import YOLODataset
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import torch_utils

from robust.datasets.records import Annotations, Dataset, ImageRecord

_NO_FILE = Path("there-is-no-stored-array")


class Observer(Protocol):
    """Hears what a training does; every method is optional and is named after Ultralytics' event."""

    def on_pretrain_routine_end(self, trainer: Any) -> None:
        """Model, optimizer and data are ready."""

    def on_train_epoch_end(self, trainer: Any) -> None:
        """An epoch's steps are done; losses are known."""

    def on_fit_epoch_end(self, trainer: Any) -> None:
        """An epoch was validated; also after the final validation of the best weights, at the next epoch number."""

    def on_train_batch_end(self, trainer: Any) -> None:
        """A step was made."""


class RecordDataset(YOLODataset):  # type: ignore[misc, unused-ignore]
    """Images and labels of our records, in their order."""

    def __init__(self, records: Dataset, **settings: Any) -> None:
        self._records = records
        super().__init__(task="detect", **settings)

    def get_img_files(self, img_path: object) -> list[str]:
        """Return the image paths."""
        return [str(image.path) for image in self._records.images]

    def get_labels(self) -> list[dict[str, Any]]:
        """Return one label record for each image, as Ultralytics builds them from label files."""
        index = {category.id: i for i, category in enumerate(self._records.categories)}
        pairs = zip(self._records.images, self._records.annotations, strict=True)
        return [_label(image, annotations, index) for image, annotations in pairs]

    def cache_images(self) -> None:
        """Keep the images in memory, without the progress bar that Ultralytics prints on stdout."""
        with redirect_stdout(io.StringIO()):
            super().cache_images()

    def load_image(self, i: int, *args: Any, **settings: Any) -> Any:
        """Read an image from its file, never from an array that lies beside it."""
        self.npy_files[i] = _NO_FILE
        return super().load_image(i, *args, **settings)


class RecordTrainer(DetectionTrainer):  # type: ignore[misc, unused-ignore]
    """Trains on records and tells one observer; no tracker, hub or analytics callback is ever called.

    Args:
        splits: "train" and "val".
        observer: Who is told.
        threads: Threads for torch on the CPU; Ultralytics would take all cores but one.
        overrides: Ultralytics' arguments.
    """

    def __init__(
        self, splits: Mapping[str, Dataset], observer: Observer, threads: int, overrides: dict[str, Any]
    ) -> None:
        self._splits = splits
        self._observer = observer
        vars(torch_utils)["NUM_THREADS"] = threads
        super().__init__(overrides=overrides)

    def run_callbacks(self, event: str) -> None:
        """Tell the observer, and nobody else."""
        heard = getattr(self._observer, event, None)
        if heard is not None:
            heard(self)

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> RecordDataset:
        """Return the records of a split, with the settings of Ultralytics' own ``build_yolo_dataset``."""
        network: Any = torch_utils.unwrap_model(self.model)  # type: ignore[arg-type]
        training = mode == "train"
        return RecordDataset(
            self._splits[mode],
            img_path=img_path,
            imgsz=self.args.imgsz,
            batch_size=batch,
            augment=training,
            hyp=self.args,
            rect=self.args.rect or not training,
            cache=self.args.cache or None,
            single_cls=False,
            stride=max(int(network.stride.max()), 32),
            pad=0.0 if training else 0.5,
            data=self.data,
        )


def _label(image: ImageRecord, annotations: Annotations, index: Mapping[int, int]) -> dict[str, Any]:
    """One image's objects, ignored regions left out; boxes as centre and size in shares of the image."""
    kept = annotations.select(~annotations.iscrowd)
    scale = np.array([image.width, image.height, image.width, image.height], dtype=np.float64)
    boxes = kept.boxes / scale
    centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
    classes = np.array([index[int(c)] for c in kept.category_ids], dtype=np.float32).reshape(-1, 1)
    return {
        "im_file": str(image.path),
        "shape": (image.height, image.width),
        "cls": classes,
        "bboxes": centred.astype(np.float32),
        "segments": [],
        "keypoints": None,
        "normalized": True,
        "bbox_format": "xywh",
    }
