"""How many threads a process computes with."""

from __future__ import annotations

from robust.eval.detectors.environment import prepare


def single_thread() -> None:
    """Let this process compute with one thread, so that its numbers do not depend on the machine's load or cores."""
    prepare(threads=1)
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
