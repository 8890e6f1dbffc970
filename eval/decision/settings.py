"""What the evidence says of settings (image size, learning rate): their spread, their differences and their effects.

P values are corrected (Holm) here, because the evidence stores them as they are: over all pairs of configurations, and
over all effects of a grid, of one metric on one split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import Told
from robust.eval.decision.study import CLEAN, Group, Study, subtract
from robust.eval.evidence.compared import SettingPairEvidence
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.linear_contrast import SEEDS_FOR_INTERVAL, seed_sd
from robust.eval.metrics.multiplicity import holm
from robust.eval.metrics.seeds import Contrast, SettingDifference, same_results

SPREAD_METHOD = "chi-square of normal seeds"


@dataclass(frozen=True)
class Pair:
    """Two configurations compared, first minus second."""

    evidence: SettingPairEvidence
    told: Told

    @property
    def n_seeds(self) -> int:
        """Of the side that has fewer."""
        return min(self.evidence.comparison.n_seeds)


@dataclass(frozen=True)
class Effect:
    """One effect of a grid."""

    contrast: Contrast
    told: Told

    @property
    def n_seeds(self) -> int:
        """Of the configuration that has fewest."""
        return min(self.contrast.n_seeds)


def spread(study: Study, group: Group, split: str, metric: str) -> tuple[Estimate, str]:
    """Standard deviation over the distinct seeds with its interval, and what must be checked first."""
    values = [study.metric(c, split, CLEAN, metric).value for c in group.distinct]
    known = [value for value in values if value is not None]
    if len(known) < 2 or len(known) < len(values):
        return Estimate.of(None, "not measured"), ""
    found = study.setting(group.candidates, split, CLEAN, metric)
    if found is None or found.estimate.seed_sd is None:
        return Estimate(value=seed_sd(known), note="none of this spread was computed"), same_results(known)
    estimate = found.estimate
    if estimate.n_seeds < SEEDS_FOR_INTERVAL:
        note = f"{estimate.n_seeds} seeds: at least {SEEDS_FOR_INTERVAL} are needed"
        return Estimate(value=estimate.seed_sd, note=note), estimate.warning
    if estimate.seed_sd_interval is None:
        return Estimate(value=estimate.seed_sd, note="the seeds do not differ"), estimate.warning
    low, high = estimate.seed_sd_interval
    made = Estimate(value=estimate.seed_sd, low=low, high=high, n_units=estimate.n_images_units, method=SPREAD_METHOD)
    return made, estimate.warning


def pairs(study: Study, split: str, metric: str) -> tuple[Pair, ...]:
    """All pairs of configurations that were compared on clean images of a split."""
    asked = (split, CLEAN, metric)
    found = [p for p in study.comparisons.setting_pairs if (p.split, p.variant, p.metric) == asked]
    corrected = _corrected([p.comparison.p_value for p in found])
    return tuple(Pair(p, _told(p.comparison, *fix)) for p, fix in zip(found, corrected, strict=True))


def between(study: Study, first: Group, second: Group, split: str, metric: str) -> Pair | None:
    """The comparison of two configurations in this direction, turned round where it was made in the other.

    None when it was not made.
    """
    one, other = first.label, second.label
    for pair in pairs(study, split, metric):
        if (pair.evidence.first, pair.evidence.second) == (one, other):
            return pair
        if (pair.evidence.first, pair.evidence.second) == (other, one):
            return Pair(pair.evidence, pair.told.model_copy(update={"estimate": turned(pair.told.estimate)}))
    return None


def turned(estimate: Estimate) -> Estimate:
    """The same difference the other way round."""
    if estimate.value is None:
        return estimate
    low, high = (None if end is None else -end for end in (estimate.high, estimate.low))
    return estimate.model_copy(update={"value": -estimate.value, "low": low, "high": high})


def effects(study: Study, split: str, metric: str) -> tuple[Effect, ...]:
    """Main effects and interactions of the grid on clean images of a split."""
    asked = (split, CLEAN, metric)
    grids = [g for g in study.comparisons.contrasts if (g.split, g.variant, g.metric) == asked]
    found = [contrast for grid in grids for contrast in grid.contrasts]
    corrected = _corrected([c.p_value for c in found])
    return tuple(Effect(c, _told(c, *fix)) for c, fix in zip(found, corrected, strict=True))


def no_effects(study: Study, split: str, metric: str) -> str:
    """Why there are no effects of a grid."""
    asked = (split, CLEAN, metric)
    reasons = [g.reason for g in study.comparisons.contrasts if (g.split, g.variant, g.metric) == asked]
    return next((reason for reason in reasons if reason), "no effects of a complete grid were computed")


def _told(found: SettingDifference | Contrast, p_adjusted: float | None, n_tests: int) -> Told:
    estimate = Estimate.of(found.difference, interval=found.interval)
    return Told(estimate=estimate, p_adjusted=p_adjusted, n_tests=n_tests)


def _corrected(p_values: Sequence[float | None]) -> list[tuple[float | None, int]]:
    n = sum(p is not None for p in p_values)
    return [(p, n) for p in holm(p_values)]


def over_baseline(study: Study, group: Group, baseline: CandidateEvidence, split: str, metric: str) -> Told:
    """A configuration, as the mean over its seeds, minus its starting weights."""
    mine, other = (
        study.mean_metric(group.candidates, split, CLEAN, metric),
        study.metric(baseline, split, CLEAN, metric),
    )
    plain = subtract(mine, other)
    if plain.value is None:
        return Told(estimate=plain)
    asked = (split, CLEAN, metric)
    family = [s for s in study.comparisons.settings_over_baseline if (s.split, s.variant, s.metric) == asked]
    corrected = _corrected([s.comparison.p_value for s in family])
    for found, fix in zip(family, corrected, strict=True):
        if (found.setting, found.baseline) == (group.label, baseline.key):
            return _told(found.comparison, *fix)
    return Told(estimate=plain.model_copy(update={"note": mine.note or "the two were not compared"}))
