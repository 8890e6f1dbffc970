"""Gates about the suite of corruptions: what is kept, up to which severity, and whether all of it was measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from robust.eval.decision.claims import listed
from robust.eval.decision.gates import Finding, Gate, Metric, Subject, count, judge, together, unknown
from robust.eval.decision.records import Outcome, Unit
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, cell
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.records import Share

Severity = Annotated[int, Field(ge=1)]


class RetainedGate(Gate):
    """The share of the clean metric that is kept under corruption is at least a number."""

    kind: Literal["retained"] = "retained"
    metric: Literal["AP", "AP50"]
    corruption: str | None = None
    minimum: Share

    @property
    def requirement(self) -> str:
        """What is required."""
        where = f"{self.corruption}, mean over severities" if self.corruption else "mean over all variants"
        return f"keeps at least {self.minimum:.3f} of its clean {self.metric} ({where})"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"retained {self.metric}", self.corruption or ALL_VARIANTS, "share", self.minimum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the retained share against the minimum."""
        if any(variant.name == self.corruption for variant in subject.study.recorded):
            return unknown(f"{self.corruption} was recorded on other images than the clean ones")
        return judge(subject.study.retained(candidate, subject.split, self.corruption, self.metric), self.minimum)


class LadderGate(Gate):
    """A metric holds from clean images up to a severity of one corruption.

    The rungs are asked in their fixed order and all must hold, so nothing is corrected for their number.
    """

    kind: Literal["ladder"] = "ladder"
    metric: Metric
    corruption: str = Field(min_length=1)
    up_to: Severity
    minimum: Share

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"{self.metric} at least {self.minimum:.3f} under {self.corruption} up to severity {self.up_to}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return self.metric, self.corruption, "score", self.minimum

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold clean images and each severity up to the required one against the minimum."""
        severities = subject.study.severities(self.corruption)
        if self.up_to not in severities:
            return unknown(f"{self.corruption} was not evaluated at severity {self.up_to}")
        rungs = (CLEAN, *(f"{self.corruption}/{s}" for s in severities if 0 < s <= self.up_to))
        study, split = subject.study, subject.split
        found = [(rung, judge(study.metric(candidate, split, rung, self.metric), self.minimum)) for rung in rungs]
        answer = together(found)
        if answer.outcome is Outcome.PASS:
            name, last = found[-1]
            return Finding(last.estimate, Outcome.PASS, f"met on all {len(found)} rungs; shown is {name}")
        return answer


class SuiteGate(Gate):
    """Every corruption and severity that the policy names was evaluated for the candidate."""

    kind: Literal["suite"] = "suite"
    corruptions: tuple[str, ...] = Field(min_length=1)
    severities: tuple[Severity, ...] = Field(min_length=1)

    @property
    def requirement(self) -> str:
        """What is required."""
        severities = listed([str(s) for s in self.severities])
        return f"{listed(self.corruptions)} evaluated at severity {severities}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "variants", ALL_VARIANTS, "count", len(self.corruptions) * len(self.severities)

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Count the cells that are there with a defined result."""
        wanted = [f"{corruption}/{severity}" for corruption in self.corruptions for severity in self.severities]
        cells = {name: cell(candidate, subject.split, name) for name in wanted}
        missing = [name for name, found in cells.items() if found is None or found.coco.AP is None]
        if missing:
            some = listed(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            return unknown(f"not measured: {some}")
        return count(len(wanted), True, f"all {len(wanted)} were evaluated")
