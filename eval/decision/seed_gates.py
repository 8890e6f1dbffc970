"""Gates about training seeds: how many there are, and how far apart they bring the result."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field
from scipy import stats

from robust.eval.decision.claims import plural
from robust.eval.decision.gates import Finding, Gate, Metric, Subject, count, judge, too_few, unknown
from robust.eval.decision.records import Estimate, Outcome, Unit
from robust.eval.decision.study import CLEAN, Group
from robust.eval.evidence.records import CandidateEvidence

MOST_SEEDS = 1000


class SeedsGate(Gate):
    """The proposed configuration was trained with enough different seeds that gave different weights."""

    kind: Literal["seeds"] = "seeds"
    minimum: Annotated[int, Field(ge=1)]

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"at least {self.minimum} distinct seeds with distinct weights for the configuration"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "distinct seeds", None, "count", self.minimum

    @property
    def judges_split(self) -> bool:
        """Seeds belong to training."""
        return False

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Count seeds, the same seed or the same weights once."""
        group = subject.study.group_of(candidate) or Group(
            candidate.configuration.label, candidate.configuration, (candidate,)
        )
        seeds = group.distinct_seeds
        if not seeds:
            return unknown("no training seed is known")
        listed = ", ".join(str(seed) for seed in seeds)
        reason = f"{'seed' if len(seeds) == 1 else 'seeds'} {listed} in {plural(len(group.candidates), 'run')}"
        if len(seeds) >= self.minimum:
            return count(len(seeds), True, reason)
        return too_few(len(seeds), f"{reason}; {self.minimum - len(seeds)} more needed", seeds=self.minimum)


class SeedSpreadGate(Gate):
    """Training again gives about the same: the standard deviation over seeds is at most a number.

    Its interval (chi-square, for normal seeds) must lie below the bound, so two or three seeds rarely pass.
    """

    kind: Literal["seed_spread"] = "seed_spread"
    metric: Metric
    maximum: Annotated[float, Field(gt=0, le=1)]

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"standard deviation of clean {self.metric} over seeds at most {self.maximum:.3f}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"seed sd of {self.metric}", CLEAN, "difference", self.maximum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the upper end of the interval of the spread against the maximum."""
        group = subject.study.group_of(candidate)
        found = subject.study.setting(group.candidates, subject.split, CLEAN, self.metric) if group else None
        if found is None or found.estimate.seed_sd is None:
            return unknown("the spread needs at least two seeds of one configuration")
        sd, ends = found.estimate.seed_sd, found.estimate.seed_sd_interval
        if ends is None:
            return Finding(
                Estimate.of(sd),
                Outcome.NOT_ENOUGH_EVIDENCE,
                f"no interval of the spread: {found.estimate.warning or 'it is 0'}",
            )
        answer = judge(Estimate(value=sd, low=ends[0], high=ends[1]), self.maximum, at_least=False)
        if answer.outcome is not Outcome.NOT_ENOUGH_EVIDENCE:
            return answer
        needed = seeds_for_spread(sd, self.maximum)
        words = f"; about {needed} seeds would settle it if {sd:.3f} is the true value" if needed else ""
        return Finding(answer.estimate, answer.outcome, answer.reason + words, seeds_needed=needed)


def seeds_for_spread(sd: float, maximum: float) -> int | None:
    """Seeds from which the interval of a standard deviation lies on one side of a bound, if ``sd`` is the true one.

    The interval is s sqrt((S - 1) / chi2), with the 97.5 and 2.5 % points of chi-square at S - 1 degrees of freedom
    (normal seeds). None when a thousand would not do.
    """
    for n in range(3, MOST_SEEDS):
        low, high = (sd * math.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
        if high <= maximum or low > maximum:
            return n
    return None
