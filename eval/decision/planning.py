"""How many images a question needs, and what the present ones can show: from this study's own paired comparisons.

What one image adds to the uncertainty of a difference is measured: sqrt(n) times the standard error of each paired
comparison. Only a study without any falls back on planning values, and says so: standard deviations per image of AP50
from simulated person data, 0.40 for a level, 0.25 to 0.47 for a paired difference of two related models. The formulas
are those of `robust.eval.metrics.power`: two-sided 5 %, power 80 %.
"""

from __future__ import annotations

import math

from robust.eval.decision.claims import plural
from robust.eval.decision.study import CLEAN, Study
from robust.eval.metrics import power
from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.power import DIFFERENCE_SD
from robust.eval.metrics.records import Record
from robust.eval.metrics.seeds import SettingDifference

LEVEL_SD = 0.40
USEFUL_DIFFERENCE = 0.02


class Plan(Record):
    """What one image adds to the uncertainty of a difference, and where that is known from.

    Attributes:
        metric: The metric.
        low: Standard deviation per image of the comparison that is known best.
        high: Of the one that is known worst.
        n_comparisons: Paired comparisons that it was measured on; 0 for planning values.
    """

    metric: str
    low: float
    high: float
    n_comparisons: int

    @property
    def source(self) -> str:
        """Where the numbers come from, in words."""
        if not self.n_comparisons:
            return "planning values for AP50, not measured on these data"
        return f"measured on {plural(self.n_comparisons, 'paired comparison')} of this study"

    def smallest_difference(self, n_images: int) -> tuple[float, float]:
        """Smallest difference that n images show with power 80 %."""
        return power.smallest_difference(n_images, self.low), power.smallest_difference(n_images, self.high)

    def images_needed(self, difference: float = USEFUL_DIFFERENCE) -> tuple[int, int]:
        """Images that show a difference with power 80 %, rounded up to hundreds."""
        low, high = (
            math.ceil(power.images_needed_for_difference(sd, difference) / 100) * 100 for sd in (self.low, self.high)
        )
        return low, high


def plan_of(study: Study, split: str, metric: str) -> Plan:
    """From the paired comparisons on clean images of a split; planning values when there are none with an interval."""
    found = [sd for one in comparisons(study, split, metric) if (sd := sd_per_image(one)) is not None]
    if not found:
        return Plan(metric="AP50", low=DIFFERENCE_SD[0], high=DIFFERENCE_SD[1], n_comparisons=0)
    return Plan(metric=metric, low=min(found), high=max(found), n_comparisons=len(found))


def comparisons(study: Study, split: str, metric: str) -> list[Comparison]:
    """All paired comparisons of one metric on clean images of a split."""
    pairs = (*study.comparisons.against_baseline, *study.comparisons.between_candidates)
    asked = (split, CLEAN, metric)
    return [p.comparison for p in pairs if (p.comparison.split, p.comparison.variant, p.comparison.metric) == asked]


def sd_per_image(one: Comparison) -> float | None:
    """Sqrt(n) times the standard error; None without an interval, or when the two do not differ."""
    if one.interval.low is None or not one.interval.se:
        return None
    return math.sqrt(one.n_images_units) * one.interval.se


def half_width(n_images: int) -> float:
    """Expected half-width of a 95 % interval of AP50, by planning values."""
    return power.half_width(n_images, LEVEL_SD)


def images_for_setting(found: SettingDifference) -> int | None:
    """Images that show a difference of two settings as large as the observed one, with the seeds that there are.

    The variance must fall to (difference / 2.80)^2; images lower their part of it only. None when the seeds alone are
    above that, when nothing is known of the parts, or when the difference is 0.
    """
    room = _room(found, found.var_seeds)
    if room is None or found.var_images is None:
        return None
    return math.ceil(found.n_images_units * found.var_images / room)


def seeds_for_setting(found: SettingDifference) -> int | None:
    """Seeds of each setting that show it, with the images that there are; None likewise."""
    room = _room(found, found.var_images)
    if room is None or found.var_seeds is None:
        return None
    return max(math.ceil(min(found.n_seeds) * found.var_seeds / room), 2)


def _room(found: SettingDifference, fixed: float | None) -> float | None:
    """Variance that is left for the other part."""
    if fixed is None or not found.difference:
        return None
    room = (found.difference / power.smallest_difference(1, 1.0)) ** 2 - fixed
    return room if room > 0 else None
