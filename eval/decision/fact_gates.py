"""Gates about facts that are counted: they pass or fail without an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from robust.eval.decision.claims import plural
from robust.eval.decision.gates import Finding, Gate, Subject, count, too_few, unknown
from robust.eval.decision.records import Estimate, GateResult, Outcome, Unit
from robust.eval.decision.study import CLEAN, Study
from robust.eval.evidence.findings import Severity
from robust.eval.evidence.records import CandidateEvidence, LeakageEvidence
from robust.eval.metrics.records import Share

HumanFact = Literal[
    "purpose",
    "owner",
    "release",
    "intended_use",
    "excluded_use",
    "foreseeable_misuse",
    "operating_conditions",
    "limitations",
    "training_budget",
    "latency_budget",
    "target_hardware",
    "data_origin",
    "weights_licence",
    "model_licence",
    "fallback",
    "monitoring",
    "reevaluation",
    "approver",
    "reviewers",
]
"""Facts that only people know; the fields of the card."""


class OperatingPointGate(Gate):
    """A confidence threshold in a range meets the constraints on the split that chooses it."""

    kind: Literal["operating_point"] = "operating_point"
    lowest: Share = 0.3
    highest: Share = 0.8

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"a confidence threshold between {self.lowest:.2f} and {self.highest:.2f} is chosen on val"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "threshold", CLEAN, "score", None

    @property
    def judges_split(self) -> bool:
        """Thresholds are chosen on val."""
        return False

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Look at the choice that the sweep made."""
        choice = candidate.sweep.choice
        if choice.chosen_on is None:
            return unknown(f"no split to choose on: {choice.reason}")
        if choice.chosen_on == subject.split:
            return unknown(f"the threshold was chosen on {subject.split}, the split that judges")
        if choice.threshold is None:
            # that none qualifies on these images is an observed value like any other: it takes an interval to reject
            return unknown(f"no threshold qualifies on {choice.chosen_on}: {choice.reason}")
        inside = self.lowest <= choice.threshold <= self.highest
        return count(choice.threshold, inside, f"chosen on {choice.chosen_on}: {choice.rule}")


class LeakageGate(Gate):
    """No image is in two splits. Near-duplicates are for a person to look at, so they hold instead of failing."""

    kind: Literal["no_leakage"] = "no_leakage"

    @property
    def requirement(self) -> str:
        """What is required."""
        return "no image, and no near-duplicate, is in two splits"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "shared images", None, "count", 0

    @property
    def judges_split(self) -> bool:
        """Leakage is between splits."""
        return False

    @property
    def about_data(self) -> bool:
        """It needs no candidate."""
        return True

    def examine_data(self, study: Study, split: str) -> Finding:
        """Count identical and near-duplicate images over all pairs of splits."""
        data = study.evidence.data
        checked = {frozenset(pair.splits) for pair in data.leakage}
        names = [split.split for split in data.splits]
        pairs = {frozenset((a, b)) for i, a in enumerate(names) for b in names[i + 1 :]}
        leaks = study.leaks(split)
        identical = sum(pair.n_identical for pair in leaks)
        near = sum(pair.n_near_duplicates for pair in leaks)
        if identical:
            return count(identical, False, _identical(study, leaks))
        if "train" not in names or split not in names:
            return unknown(f"the training images were not compared with {split}")
        if not pairs <= checked:
            return unknown(f"{len(pairs - checked)} of {len(pairs)} pairs of splits were not compared")
        if near:
            named = _named([(pair, pair.n_near_duplicates) for pair in leaks], "near-duplicate")
            reason = f"{named}: a person must look at them"
            return Finding(Estimate.of(float(near)), Outcome.NOT_ENOUGH_EVIDENCE, reason)
        return count(0, True, f"{len(pairs)} pairs of splits compared")


def _identical(study: Study, leaks: Sequence[LeakageEvidence]) -> str:
    """Which pairs share images, and how to judge without a recorded set that does."""
    said = _named([(pair, pair.n_identical) for pair in leaks], "identical image")
    guilty = {name for pair in leaks if pair.n_identical for name in pair.splits}
    recorded = [v.name for v in study.recorded if v.name in guilty]
    if recorded:
        without = " and ".join(f"--variant {name}" for name in recorded)
        said += f"; leaving out {without} judges without {'it' if len(recorded) == 1 else 'them'}"
    return said


def _named(found: Sequence[tuple[LeakageEvidence, int]], noun: str) -> str:
    return ", ".join(f"{' and '.join(pair.splits)}: {plural(n, noun)}" for pair, n in found if n)


class ImagesGate(Gate):
    """The split that judges is large enough to be worth judging on."""

    kind: Literal["images"] = "images"
    minimum: Annotated[int, Field(ge=1)]

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"at least {self.minimum} images in the split that judges"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "images", None, "count", self.minimum

    @property
    def about_data(self) -> bool:
        """It needs no candidate."""
        return True

    def examine_data(self, study: Study, split: str) -> Finding:
        """Count the images of the split."""
        counted = study.splits.get(split)
        if counted is None:
            return unknown(f"no split {split!r} in the evidence")
        have = f"{plural(counted.n_images, 'image')}, {plural(counted.n_objects, 'object')}"
        if counted.n_images >= self.minimum:
            return count(counted.n_images, True, have)
        return too_few(
            counted.n_images, f"{have}; {self.minimum - counted.n_images:,} more images needed", images=self.minimum
        )


class AuditGate(Gate):
    """The audit of the training runs found nothing worse than what is tolerated.

    ``must_check``: checks that must have been made; one that could not be made is not a clean one.
    """

    kind: Literal["audit"] = "audit"
    tolerated: Literal["warning", "note", "nothing"] = "warning"
    must_check: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What is required."""
        worse = {"warning": "no error", "note": "no error and no warning", "nothing": "nothing at all"}[self.tolerated]
        return f"the audit of the training runs finds {worse}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "audit findings", None, "count", 0

    @property
    def judges_split(self) -> bool:
        """The audit is about training."""
        return False

    @property
    def about_data(self) -> bool:
        """It is about the study, whichever candidate is proposed."""
        return True

    def examine_data(self, study: Study, split: str) -> Finding:
        """Count what is worse than tolerated."""
        audit = study.evidence.audit
        if audit is None:
            return unknown("the training runs were not audited")
        if not audit.n_runs:
            return unknown("there is no training run to audit")
        order = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
        refused = order[: {"warning": 1, "note": 2, "nothing": 3}[self.tolerated]]
        worse = [finding for finding in audit.findings if finding.severity in refused]
        if worse:
            rules = ", ".join(dict.fromkeys(finding.rule for finding in worse))
            return count(len(worse), False, f"{plural(len(worse), 'finding')}: {rules}")
        skipped = [rule for rule in self.must_check if rule not in audit.rules]
        if skipped:
            return unknown(f"not checked: {', '.join(skipped)}")
        made = f"{plural(len(audit.rules), 'check')} of {plural(audit.n_runs, 'run')}"
        left = f"; {plural(len(audit.not_checked), 'check')} could not be made" if audit.not_checked else ""
        return count(0, True, made + left)


class HumanFactsGate(Gate):
    """People have stated what no measurement shows: purpose, owner, conditions of use."""

    kind: Literal["human_facts"] = "human_facts"
    required: tuple[HumanFact, ...] = Field(min_length=1)

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"the card states: {', '.join(self.required)}"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return "facts not provided", None, "count", 0

    @property
    def judges_split(self) -> bool:
        """Facts do not depend on images."""
        return False

    def evaluate(self, subject: Subject) -> GateResult:
        """Answer; a fact that nobody gave is missing evidence."""
        return self.result(subject, self._answer(subject.circumstances.facts))

    def _answer(self, given: Sequence[str] | None) -> Finding:
        if given is None:
            return unknown("no card was given")
        absent = [fact for fact in self.required if fact not in given]
        if absent:
            return too_few(len(absent), f"NOT PROVIDED: {', '.join(absent)}")
        return count(0, True, f"{plural(len(self.required), 'fact')} stated")
