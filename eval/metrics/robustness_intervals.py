"""Intervals of the robustness aggregates, and up to which severity a requirement is shown to be met.

Clean images and all simulated variants of them share the draws, so every aggregate is computed again in each replicate
(Michaelis et al. 2019, arXiv 1907.07484, define them) and what makes an image hard everywhere cancels in the ratios.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from robust.eval.metrics.comparison import SMALLEST_DIVISOR, is_divisor, noted, quotient_interval
from robust.eval.metrics.interval import Interval, difference_interval, percentile_interval, refusal, share_interval
from robust.eval.metrics.records import Record
from robust.eval.metrics.robustness_records import BreakingPoint, RobustnessEvidence

BIASED_DOWN = "biased down: the lowest of noisy values"
CENTRED = "centred on the mean of the replicates"


class Ladder(Record):
    """Up to which severity a requirement is shown to be met.

    Severities are tested in the fixed order 0 (clean), 1, 2, ..; the first one that is not shown ends it. Tested in
    this order, each at its full level, all the statements up to there hold together: no correction is needed.

    Attributes:
        corruption: Name of the corruption.
        metric: Name of the number.
        requirement: Value that the lower bound must reach.
        met_up_to: Last severity that is shown, 0 for clean; None where not even clean is.
        stopped_at: First severity that is not shown; None when all are.
        reason: Why it ends there.
    """

    corruption: str
    metric: str
    requirement: float
    met_up_to: Annotated[int, Field(ge=0)] | None
    stopped_at: Annotated[int, Field(ge=0)] | None
    reason: str


@dataclass(frozen=True, eq=False)
class _Suite:
    """Point values and replicates that belong together.

    Attributes:
        found: The point values.
        clean: float64 (B,).
        severities: Of all ladders, rising.
        ladders: Corruption -> float64 (severities, B); NaN where a cell is missing.
        n_units: Independent images or groups.
        n_carrying: Of these, those that hold objects.
    """

    found: RobustnessEvidence
    clean: NDArray[np.float64]
    severities: tuple[int, ...]
    ladders: dict[str, NDArray[np.float64]]
    n_units: int
    n_carrying: int

    def ratio(self, value: float | None, above: NDArray[np.float64]) -> Interval:
        """Interval of a share of the clean value, ``above`` / clean."""
        refused = refusal(self.found.clean, self.clean, self.n_units) or refusal(value, above, self.n_units)
        if refused:
            return Interval.none(refused, self.n_units)
        if not is_divisor(self.found.clean, self.clean, self.n_units):
            reason = f"no ratio: the clean value is not above {SMALLEST_DIVISOR} with confidence"
            return Interval.none(reason, self.n_units)
        return quotient_interval(value, above, self.clean, self.n_units)


def robustness_intervals(
    found: RobustnessEvidence,
    clean: NDArray[np.float64],
    cells: Mapping[tuple[str, int], NDArray[np.float64]],
    n_units: int,
    *,
    values: Mapping[tuple[str, int], float | None] | None = None,
    n_carrying: int | None = None,
) -> dict[str, Interval]:
    """Make the intervals of one metric over the suite.

    Args:
        found: The point values, from `robustness`.
        clean: float64 (B,), replicates on the clean images; NaN where undefined.
        cells: The same for each (corruption, severity), on the same draws.
        n_units: Independent images or groups that were drawn.
        values: Point value of each cell. Without them the changes are centred on the mean of their replicates, and
            their notes say so.
        n_carrying: Units that hold objects, see `share_interval`; None: all.

    Returns:
        ``mPC``, ``rPC``, ``worst``, ``worst_mean``, and for each corruption c: ``c/mean``, ``c/retained`` (mean /
        clean), ``c/retained_area``, ``c/breaking_point`` (requirement: the same share of the clean value in each
        replicate) and ``c/s1/change`` (minus clean) for severity 1 and so on.
    """
    corruptions = sorted({*found.corruption_means, *(corruption for corruption, _ in cells)})
    severities = tuple(sorted({severity for _, severity in cells}))
    nothing = np.full_like(clean, np.nan)
    ladders = {c: np.array([cells.get((c, s), nothing) for s in severities]) for c in corruptions}
    carrying = n_units if n_carrying is None else min(n_carrying, n_units)
    suite = _Suite(found, clean, severities, ladders, n_units, carrying)
    intervals = _over_suite(suite) if ladders and severities else {}
    for corruption, ladder in ladders.items():
        if severities:
            intervals |= _of_corruption(suite, corruption, ladder)
    for corruption, severity in sorted(cells):
        apart = cells[corruption, severity] - clean
        point = None if values is None else values.get((corruption, severity))
        change = _change(apart, n_units) if values is None else _known_change(point, found.clean, apart, n_units)
        intervals[f"{corruption}/s{severity}/change"] = change
    return intervals


def retained_areas(
    clean: NDArray[np.float64], ladder: NDArray[np.float64], severities: Sequence[int]
) -> NDArray[np.float64]:
    """Area under each replicate's curve over the severities 0 to n by the trapezoidal rule, divided by n.

    Not divided by the clean value. NaN where the severities are not 1, 2, .. n.

    Args:
        clean: float64 (B,).
        ladder: float64 (n, B), one row for each severity.
        severities: Of the rows.
    """
    n = len(severities)
    if n == 0 or list(severities) != list(range(1, n + 1)):
        return np.full_like(clean, np.nan)
    return np.asarray((clean / 2 + ladder[:-1].sum(axis=0) + ladder[-1] / 2) / n, dtype=np.float64)


def breaking_points(
    clean: NDArray[np.float64], ladder: NDArray[np.float64], severities: Sequence[int], requirement: ArrayLike
) -> NDArray[np.float64]:
    """Severity at which each replicate falls below a requirement, as `robustness.breaking_point` finds it.

    Censored: 0 where clean is below it, and the last severity where nothing is. NaN where a value is undefined, nothing
    is required, or the break lies among severities that were not measured.

    Args:
        clean: float64 (B,).
        ladder: float64 (n, B), one row for each severity, n at least 1.
        severities: Of the rows, rising, at least 1.
        requirement: 0..1, one for all or float64 (B,).
    """
    curve = np.vstack([clean, ladder])
    steps = np.array([0, *severities], dtype=np.int64)
    required = np.broadcast_to(np.asarray(requirement, dtype=np.float64), clean.shape)
    below = curve < required
    first = below.argmax(axis=0)
    columns = np.arange(curve.shape[1])
    before = np.maximum(first - 1, 0)
    lowest = np.minimum.accumulate(curve, axis=0)[before, columns]
    drop = lowest - curve[first, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        place = steps[before] + (lowest - required) / drop
    place = np.where(steps[first] == steps[before] + 1, place, np.nan)
    place = np.where(first == 0, 0.0, place)
    place = np.where(below.any(axis=0), place, float(steps[-1]))
    undefined = ~np.isfinite(curve).all(axis=0) | ~(required > 0)
    return np.asarray(np.where(undefined, np.nan, place), dtype=np.float64)


def ladder(corruption: str, metric: str, bounds: Mapping[int, float | None], requirement: float) -> Ladder:
    """Say up to which severity a requirement is shown to be met.

    Args:
        corruption: Name of the corruption.
        metric: Name of the number.
        bounds: Lower bound at each severity, 0 for clean; None where there is none. A severity that was skipped ends
            the ladder.
        requirement: Value that each must reach.
    """
    severities = range(max(bounds, default=0) + 1)
    stop = next((s for s in severities if (low := bounds.get(s)) is None or low < requirement), None)
    if stop is None:
        met, reason = severities[-1], "met at every severity that was measured"
    else:
        met, reason = stop - 1, _not_shown(stop, bounds.get(stop), requirement)
    return Ladder(
        corruption=corruption,
        metric=metric,
        requirement=requirement,
        met_up_to=None if met < 0 else met,
        stopped_at=stop,
        reason=reason,
    )


def _not_shown(severity: int, bound: float | None, requirement: float) -> str:
    where = "on clean images" if severity == 0 else f"at severity {severity}"
    return (
        f"no lower bound {where}" if bound is None else f"lower bound {bound:.3f} {where}, {requirement:.3f} required"
    )


def _over_suite(suite: _Suite) -> dict[str, Interval]:
    found, n_units = suite.found, suite.n_units
    cells = np.concatenate(list(suite.ladders.values()))
    means = np.stack([rungs.mean(axis=0) for rungs in suite.ladders.values()])
    mpc = cells.mean(axis=0)
    return {
        "mPC": share_interval(found.mPC, mpc, n_units, n_carrying=suite.n_carrying),
        "rPC": suite.ratio(found.rPC, mpc),
        "worst": _lowest(found.worst, cells, n_units),
        "worst_mean": _lowest(found.worst_mean, means, n_units),
    }


def _lowest(value: float | None, rows: NDArray[np.float64], n_units: int) -> Interval:
    made = percentile_interval(value, rows.min(axis=0), n_units)
    return made if made.low is None else noted(made, BIASED_DOWN)


def _of_corruption(suite: _Suite, corruption: str, rungs: NDArray[np.float64]) -> dict[str, Interval]:
    found = suite.found
    point = found.corruption_means.get(corruption)
    mean = rungs.mean(axis=0)
    area = retained_areas(suite.clean, rungs, suite.severities)
    retained = point / found.clean if point is not None and found.clean else None
    return {
        f"{corruption}/mean": share_interval(point, mean, suite.n_units, n_carrying=suite.n_carrying),
        f"{corruption}/retained": suite.ratio(retained, mean),
        f"{corruption}/retained_area": suite.ratio(found.retained_areas.get(corruption), area),
        f"{corruption}/breaking_point": _break(suite, found.breaking_points.get(corruption), rungs),
    }


def _break(suite: _Suite, point: BreakingPoint | None, rungs: NDArray[np.float64]) -> Interval:
    last = suite.severities[-1]
    if point is None or not suite.found.clean:
        return Interval.none("not defined", suite.n_units)
    places = {"clean": 0.0, "between": point.severity, "beyond": float(last)}
    if places[point.kind] is None:
        return Interval.none("it breaks among severities that were not measured", suite.n_units)
    required = point.requirement / suite.found.clean * suite.clean
    found = breaking_points(suite.clean, rungs, suite.severities, required)
    made = percentile_interval(places[point.kind], found, suite.n_units)
    if made.low is None or made.high is None:
        return made
    if made.high >= last:
        made = noted(made, f"censored: beyond severity {last}")
    return noted(made, "censored: below the requirement on clean images") if point.kind == "clean" else made


def _known_change(value: float | None, clean: float | None, apart: NDArray[np.float64], n_units: int) -> Interval:
    return difference_interval(None if value is None or clean is None else value - clean, apart, n_units)


def _change(apart: NDArray[np.float64], n_units: int) -> Interval:
    defined = apart[np.isfinite(apart)]
    made = difference_interval(float(defined.mean()) if len(defined) else None, apart, n_units)
    return made if made.low is None else noted(made, CENTRED)
