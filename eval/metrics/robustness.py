"""Aggregates over a suite of variants: how much of the clean performance is left.

Source: Michaelis et al. 2019, "Benchmarking Robustness in Object Detection", arXiv 1907.07484, section 3:
mPC = (1 / N_c) sum_c (1 / N_s) sum_s P_cs over corruptions c and severities s (clean left out), rPC = mPC / P_clean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from robust.eval.metrics.records import RobustnessEvidence


def robustness(
    metric: Literal["AP", "AP50"], clean: float | None, cells: Mapping[tuple[str, int], float | None]
) -> RobustnessEvidence:
    """Summarise one metric over all variants.

    Every corruption must have every severity that occurs. Where a cell is absent or undefined, its corruption's mean,
    mPC, rPC and the worst variant are None: an average over what happens to be left would compare unequal things.

    Args:
        metric: Name of the metric.
        clean: Its value on the clean images; None when undefined or not measured.
        cells: Value for each (corruption, severity), severity at least 1; None when undefined or not measured.

    Raises:
        ValueError: a severity is below 1 (clean is no variant of itself).
    """
    if any(severity < 1 for _, severity in cells):
        raise ValueError("Severities of corruptions start at 1; give the clean value as `clean`.")
    corruptions = sorted({corruption for corruption, _ in cells})
    severities = sorted({severity for _, severity in cells})
    grid = [(corruption, severity) for corruption in corruptions for severity in severities]
    means = {c: mean_or_none([cells.get((c, severity)) for severity in severities]) for c in corruptions}
    mpc = mean_or_none([cells.get(cell) for cell in grid])
    complete = {cell: value for cell in grid if (value := cells.get(cell)) is not None}
    worst = min(grid, key=lambda cell: complete[cell]) if grid and len(complete) == len(grid) else None
    return RobustnessEvidence(
        metric=metric,
        clean=clean,
        mPC=mpc,
        rPC=mpc / clean if mpc is not None and clean else None,
        corruption_means=means,
        worst_variant=None if worst is None else f"{worst[0]}/{worst[1]}",
        worst=None if worst is None else complete[worst],
    )


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of all the values; None when there are none or one of them is undefined."""
    defined = [value for value in values if value is not None]
    if not defined or len(defined) < len(values):
        return None
    return min(math.fsum(defined) / len(defined), max(defined))  # rounding must not lift a mean above its largest part
