"""Gates about facts that are counted: they pass or fail without an interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from robust.eval.decision.claims import plural
from robust.eval.decision.gates import Finding, Gate, Subject, Unit, count, unknown
from robust.eval.decision.records import Estimate, Outcome
from robust.eval.decision.study import CLEAN, Group, Study
from robust.eval.evidence.records import CandidateEvidence, LeakageEvidence
from robust.eval.metrics.records import Share


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
        return count(len(seeds), len(seeds) >= self.minimum, f"seeds {listed} in {len(group.candidates)} runs")


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
        objects = f"{counted.n_images} images, {counted.n_objects} objects"
        return count(counted.n_images, counted.n_images >= self.minimum, objects)
