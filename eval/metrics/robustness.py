"""Aggregates over a suite of variants: how much of the clean performance is left, and where it breaks.

Source: Michaelis et al. 2019, "Benchmarking Robustness in Object Detection", arXiv 1907.07484, section 3:
mPC = (1 / N_c) sum_c (1 / N_s) sum_s P_cs over corruptions c and severities s (clean left out), rPC = mPC / P_clean.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from robust.eval.metrics.robustness_records import BreakingPoint, RobustnessEvidence

REQUIRED_SHARE = 0.5
"""Share of the clean value below which a ladder counts as broken."""

Key = TypeVar("Key", str, tuple[str, int])


def robustness(
    metric: Literal["AP", "AP50"], clean: float | None, cells: Mapping[tuple[str, int], float | None]
) -> RobustnessEvidence:
    """Summarise one metric over all variants.

    Every corruption must have every severity that occurs. Where a cell is absent or undefined, its corruption's
    numbers, mPC, rPC and the worst ones are None: a summary of what happens to be left would compare unequal things.

    Args:
        metric: Name of the metric.
        clean: Its value on the clean images, 0..1; anything else (None, NaN, COCO's -1) is undefined.
        cells: Value for each (corruption, severity), severity at least 1; undefined likewise.

    Raises:
        ValueError: a severity is below 1 (clean is no variant of itself).
    """
    if any(severity < 1 for _, severity in cells):
        raise ValueError("Severities of corruptions start at 1; give the clean value as `clean`.")
    clean = _defined(clean)
    corruptions = sorted({corruption for corruption, _ in cells})
    severities = sorted({severity for _, severity in cells})
    grid = {(c, severity): _defined(cells.get((c, severity))) for c in corruptions for severity in severities}
    ladders = {c: {severity: grid[c, severity] for severity in severities} for c in corruptions}
    means = {c: mean_or_none(list(ladder.values())) for c, ladder in ladders.items()}
    mpc = mean_or_none(list(grid.values()))
    worst, worst_mean = _lowest(grid), _lowest(means)
    requirement = None if clean is None else REQUIRED_SHARE * clean
    return RobustnessEvidence(
        metric=metric,
        clean=clean,
        mPC=mpc,
        rPC=mpc / clean if mpc is not None and clean else None,
        corruption_means=means,
        worst_variant=None if worst is None else f"{worst[0]}/{worst[1]}",
        worst=None if worst is None else grid[worst],
        worst_corruption=worst_mean,
        worst_mean=None if worst_mean is None else means[worst_mean],
        retained_areas={c: retained_area(clean, ladder) for c, ladder in ladders.items()},
        breaking_points={c: breaking_point(clean, ladder, requirement) for c, ladder in ladders.items()},
    )


def retained_area(clean: float | None, ladder: Mapping[int, float | None]) -> float | None:
    """Area under the curve of the retained share P_s / P_clean over the severities 0 (clean) to n, divided by n.

    By the trapezoidal rule. 1 when nothing is lost; above 1 when the metric rises. A severity that was skipped could
    hide any loss, so a ladder with gaps has no area.

    Args:
        clean: Value on the clean images.
        ladder: Value at each severity.

    Returns:
        The area; None when a value is undefined, the clean one is 0, or the severities are not 1, 2, .. n.
    """
    values = _rungs(clean, ladder)
    if values is None or not values[0][1] or [severity for severity, _ in values] != list(range(len(values))):
        return None
    areas = [(a + b) / 2 for (_, a), (_, b) in itertools.pairwise(values)]
    return math.fsum(areas) / (len(areas) * values[0][1])


def breaking_point(
    clean: float | None, ladder: Mapping[int, float | None], requirement: float | None
) -> BreakingPoint | None:
    """Find where the metric, read as a curve that never recovers, falls below a requirement.

    Between the last severity s that meets it and the next one, the curve is a straight line from the lowest value so
    far to the next value: s + (P_s - r) / (P_s - P_s+1). Nothing is read off across a severity that was skipped.

    Args:
        clean: Value on the clean images.
        ladder: Value at each severity, at least 1.
        requirement: Lowest value that is good enough, 0..1.

    Returns:
        The break; None when a value is undefined, there are no severities, or nothing is required (0 is always met).
    """
    values = _rungs(clean, ladder)
    if values is None or not requirement:
        return None
    if values[0][1] < requirement:
        return BreakingPoint(requirement=requirement, kind="clean", holds_at=None, fails_at=0)
    lowest = values[0][1]
    for (before, _), (severity, value) in itertools.pairwise(values):
        if value < requirement:
            place = before + (lowest - requirement) / (lowest - value) if severity == before + 1 else None
            return BreakingPoint(
                requirement=requirement, kind="between", holds_at=before, fails_at=severity, severity=place
            )
        lowest = min(lowest, value)
    return BreakingPoint(requirement=requirement, kind="beyond", holds_at=values[-1][0], fails_at=None)


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """Mean of all the values; None when there are none or one of them is undefined."""
    defined = [value for value in map(_defined, values) if value is not None]
    if not defined or len(defined) < len(values):
        return None
    return min(math.fsum(defined) / len(defined), max(defined))  # rounding must not lift a mean above its largest part


def _defined(value: float | None) -> float | None:
    """The value if it is one of 0..1; NaN and COCO's -1 mean that there was nothing to measure."""
    return value if value is not None and 0 <= value <= 1 else None


def _rungs(clean: float | None, ladder: Mapping[int, float | None]) -> list[tuple[int, float]] | None:
    """Severity and value from clean (0) upwards; None when one is undefined or there is nothing but clean."""
    values = [(severity, _defined(value)) for severity, value in [(0, clean), *sorted(ladder.items())]]
    rungs = [(severity, value) for severity, value in values if value is not None]
    return rungs if len(rungs) == len(values) > 1 else None


def _lowest(values: Mapping[Key, float | None]) -> Key | None:
    """Where the lowest value is, the first among equals; None when there are none or one of them is undefined."""
    defined = {key: value for key, value in values.items() if value is not None}
    return min(defined, key=lambda key: defined[key]) if values and len(defined) == len(values) else None
