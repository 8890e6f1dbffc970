"""What every section looks at: the study, the policy, the decision, the card, and the few words they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from robust.eval.decision.claims import interval, listed, plural, score
from robust.eval.decision.comparison import winner_of
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate
from robust.eval.decision.study import THRESHOLD_TOLERANCE, Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.card import Card
from robust.eval.report.context import Cell

NOT_MEASURED = "not measured"
LOW_SCORE = 0.05
"""Detections whose lowest score is above it were cut off before they were written (as `robust eval` warns)."""
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
        return threshold_text(candidate.sweep.choice.threshold if candidate else None)

    @property
    def selection_words(self) -> str:
        """What the highest value on the selection split is worth; said wherever such values are printed."""
        split, metric = self.selected_on, self.policy.selection.metric
        found = winner_of(self.study, split, metric)
        if found is None:
            return f"Selected on {split}: the values there flatter; a corrected value was not computed."
        check = found.check
        corrected = "not defined" if check.corrected is None else f"{check.corrected:.3f}"
        often = "not known" if check.frequency is None else f"{100 * check.frequency:.0f} % of resamples"
        return (
            f"Selected on {split}: the highest {metric} of {plural(check.n_candidates, 'candidate')} there, "
            f"{check.apparent:.3f}, flatters; corrected value {corrected}, chosen again in {often}."
        )

    def floor_of(self, *splits: str) -> str:
        """From which score on detections entered on these splits, as their source says.

        ``all thresholds from 0.001 up`` for our own inference; for files of detections, the lowest score they hold.
        """
        said = {one.name: _floor(one.inference, splits) for one in self.shown}
        if len(set(said.values())) == 1:
            return next(iter(said.values()))
        return listed([f"{words} ({name})" for name, words in said.items()]) if said else "all thresholds"

    def counts(self, split: str) -> str:
        """``test: 10 images, 47 objects``."""
        counted = self.study.splits.get(split)
        if counted is None:
            return f"{split}: counts {NOT_MEASURED}"
        return f"{split}: {plural(counted.n_images, 'image')}, {plural(counted.n_objects, 'object')}"


def _floor(inference: Mapping[str, float | int | str | bool | None], splits: Sequence[str]) -> str:
    """Of one model: its own score floor, or the lowest score that its files hold."""
    floor = inference.get("score_floor")
    if isinstance(floor, float | int):
        return f"all thresholds from {floor:g} up"
    places = tuple(f"lowest score of {split} " for split in splits)
    lowest = [v for name, v in inference.items() if name.startswith(places) and isinstance(v, float | int)]
    if not lowest:
        return "all thresholds (the lowest score that was kept is not known)"
    ends = listed([f"{value:.3g}" for value in sorted({min(lowest), max(lowest)})]).replace(" and ", " to ")
    words = f"all scores of the result files, which start at {ends}"
    return words + (" (cut off: the tail of the precision-recall curve is missing)" if max(lowest) > LOW_SCORE else "")


def threshold_text(threshold: float | None) -> str:
    """Two decimals, or as many as it takes; ``none``."""
    if threshold is None:
        return "none"
    return f"{threshold:.2f}" if abs(threshold - round(threshold, 2)) < THRESHOLD_TOLERANCE else f"{threshold:.6g}"


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
