"""What a detector is: it takes images and gives detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robust.eval.records import Detections


class Detector(Protocol):
    """Anything that finds objects in images.

    The contract, tested in ``tests/contracts``: one `Detections` for each image, in order; scores fall and are at least
    the score floor; at most ``max_detections``; boxes inside the image; the images are left as they were.
    """

    @property
    def n_parameters(self) -> int:
        """Number of learned values in the network."""
        ...

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Find objects.

        Args:
            images: uint8 (height, width, 3), RGB; sizes may differ.
        """
        ...
