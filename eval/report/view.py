"""What every section looks at: the study, the policy, the decision, the card, and the few words they share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from robust.eval.decision.claims import interval, plural, score
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.card import Card
from robust.eval.report.context import Cell

NOT_MEASURED = "not measured"
BRACKETS = (
    "In brackets: the 95 % interval; a value without one is as observed. Whether two models differ is told by the "
    "paired difference, not by whether their intervals overlap."
)


@dataclass(frozen=True)
class View:
    """The inputs of a report."""

    study: Study
    policy: Policy
    decision: Decision
    card: Card

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.policy.objective.metric

    @property
    def judged_on(self) -> str:
        """The split that judges."""
        return self.policy.judged_on

    @property
    def selected_on(self) -> str:
        """The split that selects."""
        return self.policy.selection.split

    @cached_property
    def candidate(self) -> CandidateEvidence | None:
        """The proposed candidate."""
        return self.study.candidate(self.decision.candidate)

    @cached_property
    def baseline(self) -> CandidateEvidence | None:
        """The baseline of the proposed candidate."""
        return self.study.baseline_of(self.candidate) if self.candidate else None

    @property
    def name(self) -> str:
        """Name of the proposed candidate, or that there is none."""
        return self.candidate.name if self.candidate else "none"

    @property
    def shown(self) -> tuple[CandidateEvidence, ...]:
        """The candidate and its baseline, those that exist."""
        return tuple(c for c in (self.candidate, self.baseline) if c is not None)

    def threshold_of(self, candidate: CandidateEvidence | None) -> str:
        """The chosen threshold as text."""
        chosen = candidate.sweep.choice.threshold if candidate else None
        return f"{chosen:.2f}" if chosen is not None else "none"

    def counts(self, split: str) -> str:
        """``test: 10 images, 47 objects``."""
        counted = self.study.splits.get(split)
        if counted is None:
            return f"{split}: counts {NOT_MEASURED}"
        return f"{split}: {plural(counted.n_images, 'image')}, {plural(counted.n_objects, 'object')}"


def number(value: Estimate | float | None, missing: str = "not defined") -> Cell:
    """A cell with a value of three digits and its interval, or the reason why there is none."""
    if isinstance(value, Estimate):
        words = f"{score(value)} {interval(value)}" if value.has_interval else score(value)
        return Cell(words, "number" if value.value is not None else "missing")
    return Cell(score(value), "number") if value is not None else Cell(missing, "missing")


def text(value: object) -> Cell:
    """A cell of text; a missing value is named so."""
    return Cell(str(value)) if value is not None else Cell("not known", "missing")


def whole(value: int | None) -> Cell:
    """A cell with a count."""
    return Cell(f"{value:,}", "number") if value is not None else Cell("not known", "missing")
