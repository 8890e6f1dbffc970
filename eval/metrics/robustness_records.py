"""Results of the robustness aggregates, as they also stand in the evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.metrics.interval import Interval
from robust.eval.metrics.records import Record, Share


class BreakingPoint(Record):
    """Where a metric, falling with the severity, no longer meets a requirement.

    A ladder of severities 1 to n sees the break only between its first and last rung, so the answer is one of three:
    ``between`` two rungs; ``beyond`` the last one, where nothing was measured; or ``clean``, below the requirement
    before anything was corrupted.

    Attributes:
        requirement: Value of the metric that must be met.
        kind: Which of the three.
        holds_at: Last severity up to which it is met, 0 for clean; None where not even clean meets it.
        fails_at: First severity that misses it, 0 for clean; None when all meet it.
        severity: Place of the break between neighbouring severities, on a straight line between their values; None
            without a break in the ladder, or when severities between the two were not measured.
    """

    requirement: Share
    kind: Literal["between", "beyond", "clean"]
    holds_at: Annotated[int, Field(ge=0)] | None
    fails_at: Annotated[int, Field(ge=0)] | None
    severity: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BreakingPoint:
        holds, fails = self.holds_at, self.fails_at
        right = {
            "between": holds is not None and fails is not None and holds < fails,
            "beyond": holds is not None and fails is None and self.severity is None,
            "clean": holds is None and fails == 0 and self.severity is None,
        }
        if not right[self.kind]:
            raise ValueError(f"a break {self.kind!r} does not go with holds_at={holds}, fails_at={fails}")
        if self.severity is not None and not (holds or 0) <= self.severity <= (fails or 0):
            raise ValueError(f"the break at {self.severity} is outside {holds} to {fails}")
        return self


class RobustnessEvidence(Record):
    """Aggregates over the suite for one base metric (Michaelis et al. 2019, arXiv 1907.07484).

    ``mPC`` is the mean over corruptions and severities, ``rPC`` is ``mPC`` / clean. None when a cell is undefined or
    missing. ``worst_corruption`` has the lowest mean over severities (``worst_mean``), ``worst_variant`` the lowest
    single value (``worst``). ``retained_areas`` and ``breaking_points`` have one entry for each corruption, see
    `robustness`. ``intervals`` has those of `robustness_intervals`.
    """

    metric: Literal["AP", "AP50"]
    clean: Share | None
    mPC: Share | None
    rPC: float | None
    corruption_means: dict[str, Share | None]
    worst_variant: str | None
    worst: Share | None
    worst_corruption: str | None = None
    worst_mean: Share | None = None
    retained_areas: dict[str, float | None] = Field(default_factory=dict)
    breaking_points: dict[str, BreakingPoint | None] = Field(default_factory=dict)
    intervals: dict[str, Interval] = Field(default_factory=dict)
