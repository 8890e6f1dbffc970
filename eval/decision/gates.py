"""Gates: one requirement each, asked of one candidate, answered in three values.

A gate about a *metric* passes only when the interval clears the bound and fails only when the interval excludes it;
without an interval the answer is NOT ENOUGH EVIDENCE, however good the point estimate looks. A gate about a *countable
fact* (shared images, size of the weights, an operating point that exists) can pass or fail at once. Where more images
or seeds would settle it, the answer says how many.

To add a kind: write a class with a new ``kind`` beside its like (`metric_gates`, `suite_gates`, `fact_gates`,
`build_gates`), and add it to `any_gate.AnyGate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from robust.eval.decision.records import UNSTATED, Circumstances, Estimate, GateResult, Outcome, Tier, Unit
from robust.eval.decision.study import ALL_VARIANTS, CLEAN, Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.power import images_needed_for_difference
from robust.eval.metrics.records import Record

Metric = Literal["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
EVERY_VARIANT = "every variant"
"""In place of a variant: clean images and each variant of the suite, all of which must meet the requirement."""
MOST_IMAGES = 10**7
"""A larger number of images than this says only that images will not settle it."""


@dataclass(frozen=True)
class Subject:
    """What a gate is asked about.

    Attributes:
        study: The evidence.
        candidate: The proposed candidate; None when the selection rule found none.
        split: The split that judges.
        circumstances: The day, and what people have stated.
    """

    study: Study
    candidate: CandidateEvidence | None
    split: str
    circumstances: Circumstances = UNSTATED


@dataclass(frozen=True)
class Finding:
    """A gate's answer before it becomes a record.

    Attributes:
        estimate: The observed value with its interval.
        outcome: PASS, FAIL or NOT ENOUGH EVIDENCE.
        reason: Why, in words.
        images_needed: Independent images that would settle it if the observed value were the true one.
        seeds_needed: Distinct seeds that would settle it.
    """

    estimate: Estimate
    outcome: Outcome
    reason: str
    images_needed: int | None = None
    seeds_needed: int | None = None


def judge(estimate: Estimate, bound: float, *, at_least: bool = True, strictly: bool = False) -> Finding:
    """Hold an estimate against a bound.

    PASS when the whole interval clears the bound, FAIL when the whole interval misses it, else NOT ENOUGH EVIDENCE.
    The interval is the printed two-sided 95 % interval, so each side errs in at most 2.5 % of cases.

    Args:
        estimate: What was measured.
        bound: What it is held against.
        at_least: Whether high values are wanted.
        strictly: Whether an interval that only touches the bound does not clear it ("better than", not "at least").
    """
    if estimate.value is None:
        return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, f"{estimate.missing}: a missing value is never a pass")
    if estimate.low is None or estimate.high is None:
        return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, f"no interval: {estimate.note or 'none was computed'}")
    near, far = (estimate.low, estimate.high) if at_least else (-estimate.high, -estimate.low)
    wanted = bound if at_least else -bound
    if near > wanted or (near == wanted and not strictly):
        return Finding(estimate, Outcome.PASS, "the whole interval meets it")
    if far < wanted:
        return Finding(estimate, Outcome.FAIL, "the whole interval misses it")
    reason = "the interval lies on both sides of the requirement"
    needed = images_needed(estimate, bound)
    if needed is not None:
        value = estimate.value
        if (value >= bound) is at_least:
            reason += (
                f"; if {value:.3f} is the true value, about {needed:,} independent images show with power 80 % that it "
                "is met"
            )
        else:
            reason += (
                f"; if {value:.3f} is the true value, about {needed:,} independent images show with power 80 % that it "
                "is missed"
            )
    return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, reason, images_needed=needed)


def images_needed(estimate: Estimate, bound: float) -> int | None:
    """Independent images that would close a gate with power 80 % if the observed value were the true one.

    By the formula of comparisons: ((1.96 + 0.84) sd / |value - bound|)^2 with sd = SE sqrt(n). None when there is no
    standard error, the value lies on the bound, or the number is beyond reach.
    """
    if estimate.value is None or not estimate.n_units or not estimate.se or estimate.value == bound:
        return None
    n = images_needed_for_difference(estimate.se * math.sqrt(estimate.n_units), estimate.value - bound)
    return n if n < MOST_IMAGES else None


def together(findings: Sequence[tuple[str, Finding]]) -> Finding:
    """One answer for several that must all hold: the worst outcome, in the words of the first that has it.

    Each part is held at its own level, and all must pass, so nothing has to be corrected for their number
    (intersection-union test, Berger 1982, Technometrics 24).
    """
    worst = next(
        (o for o in (Outcome.FAIL, Outcome.NOT_ENOUGH_EVIDENCE) if any(f.outcome is o for _, f in findings)), None
    )
    if worst is None:
        name, tightest = findings[0]
        return Finding(tightest.estimate, Outcome.PASS, f"all {len(findings)} meet it; shown is {name}")
    guilty = [(name, finding) for name, finding in findings if finding.outcome is worst]
    name, shown = guilty[0]
    images = [f.images_needed for _, f in guilty if f.images_needed is not None]
    seeds = [f.seeds_needed for _, f in guilty if f.seeds_needed is not None]
    others = f"; {len(guilty)} of {len(findings)} answer so" if len(findings) > 1 else ""
    if images and max(images) != shown.images_needed:
        others += f", one of them needs about {max(images):,} images"
    return Finding(
        shown.estimate,
        worst,
        f"{name}: {shown.reason}{others}",
        images_needed=max(images, default=None),
        seeds_needed=max(seeds, default=None),
    )


def on_each_variant(subject: Subject, answer: Callable[[str], Finding]) -> Finding:
    """Ask clean images and every variant of the suite, and put the answers together."""
    variants = [v.name for v in subject.study.evidence.suite.variants if v.name != CLEAN]
    if not variants:
        return unknown("the suite holds no variant")
    return together([(variant, answer(variant)) for variant in (CLEAN, *variants)])


def count(value: float, ok: bool, reason: str) -> Finding:
    """Answer a gate about a countable fact."""
    return Finding(Estimate.of(float(value)), Outcome.PASS if ok else Outcome.FAIL, reason)


def too_few(value: float, reason: str, *, images: int | None = None, seeds: int | None = None) -> Finding:
    """Answer a gate about a number of images or seeds that is too small: more of them would settle it."""
    return Finding(
        Estimate.of(float(value)), Outcome.NOT_ENOUGH_EVIDENCE, reason, images_needed=images, seeds_needed=seeds
    )


def unknown(reason: str) -> Finding:
    """Answer a gate whose subject was not measured."""
    return Finding(Estimate.of(None, "not measured"), Outcome.NOT_ENOUGH_EVIDENCE, reason)


class Gate(Record):
    """One requirement of the policy.

    Attributes:
        name: Unique in the policy.
        tier: Whether the result may decide, warn, or only be shown.
    """

    name: str = Field(min_length=1)
    tier: Tier

    @property
    def requirement(self) -> str:
        """What is required, in words with its number."""
        raise NotImplementedError

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Answer for a candidate that exists."""
        raise NotImplementedError

    def examine_data(self, study: Study, split: str) -> Finding:
        """Answer for the data; only gates with ``about_data`` are asked."""
        raise NotImplementedError

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound of the result."""
        raise NotImplementedError

    @property
    def judges_split(self) -> bool:
        """True when the answer is read on the split that judges."""
        return True

    @property
    def about_data(self) -> bool:
        """True when the answer is about the data, whichever candidate is proposed."""
        return False

    def evaluate(self, subject: Subject) -> GateResult:
        """Answer, as a record. Without a candidate every answer is NOT ENOUGH EVIDENCE."""
        if self.about_data:
            finding = self.examine_data(subject.study, subject.split)
        elif subject.candidate is None:
            finding = unknown("no candidate could be selected")
        else:
            finding = self.examine(subject, subject.candidate)
        return self.result(subject, finding)

    def result(self, subject: Subject, finding: Finding) -> GateResult:
        """The answer as a record."""
        metric, variant, unit, bound = self.about
        seen = subject.study.seen(ALL_VARIANTS if variant == EVERY_VARIANT else variant)
        return GateResult(
            gate=self.name,
            kind=str(getattr(self, "kind", "")),
            tier=self.tier,
            requirement=self.requirement,
            metric=metric,
            variant=variant,
            split=subject.split if self.judges_split else None,
            unit=unit,
            estimate=finding.estimate,
            bound=bound,
            outcome=finding.outcome,
            reason=f"{finding.reason} ({seen})" if seen else finding.reason,
            images_needed=finding.images_needed,
            seeds_needed=finding.seeds_needed,
        )

    def __repr__(self) -> str:
        return f"<{getattr(self, 'kind', type(self).__name__)} gate {self.name!r} ({self.tier}): {self.requirement}>"
