"""Gates: one requirement each, asked of one candidate, answered in three values.

A gate about a *metric* passes only when the interval clears the bound and fails only when the interval excludes it;
without an interval the answer is NOT ENOUGH EVIDENCE, however good the point estimate looks. A gate about a *countable
fact* (seeds, shared images, an operating point that exists) can pass or fail at once.

To add a kind: write a class with a new ``kind`` beside its like (`metric_gates`, `fact_gates`), and add it to
`policy.AnyGate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from robust.eval.decision.records import Estimate, GateResult, Outcome, Tier
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.interval import t_quantile
from robust.eval.metrics.power import images_to_close
from robust.eval.metrics.records import Record

Metric = Literal["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]
Unit = Literal["score", "share", "difference", "per image", "count"]


@dataclass(frozen=True)
class Subject:
    """What a gate is asked about.

    Attributes:
        study: The evidence.
        candidate: The proposed candidate; None when the selection rule found none.
        split: The split that judges.
    """

    study: Study
    candidate: CandidateEvidence | None
    split: str


@dataclass(frozen=True)
class Finding:
    """A gate's answer before it is put into words."""

    estimate: Estimate
    outcome: Outcome
    reason: str


def judge(estimate: Estimate, bound: float, *, at_least: bool = True) -> Finding:
    """Hold an estimate against a bound.

    PASS when the whole interval clears the bound, FAIL when the whole interval misses it, else NOT ENOUGH EVIDENCE.
    The interval is the printed two-sided 95 % interval, so each side errs in at most 2.5 % of cases.
    """
    if estimate.value is None:
        return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, f"{estimate.missing}: a missing value is never a pass")
    if estimate.low is None or estimate.high is None:
        return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, f"no interval: {estimate.note or 'none was computed'}")
    clears = estimate.low >= bound if at_least else estimate.high <= bound
    misses = estimate.high < bound if at_least else estimate.low > bound
    if clears:
        return Finding(estimate, Outcome.PASS, "the whole interval meets it")
    if misses:
        return Finding(estimate, Outcome.FAIL, "the whole interval misses it")
    reason = "the interval lies on both sides of the requirement"
    return Finding(estimate, Outcome.NOT_ENOUGH_EVIDENCE, f"{reason}{_needed(estimate, estimate.value, bound)}")


def _needed(estimate: Estimate, value: float, bound: float) -> str:
    """How many images would close the gate, if the observed value were the true one."""
    if not estimate.n_units or estimate.se is None or value == bound:
        return ""
    n = images_to_close(estimate.n_units, t_quantile(estimate.n_units - 1) * estimate.se, abs(value - bound))
    return f"; about {n:,} independent images would settle it if {value:.3f} is the true value" if n < 10**7 else ""


def count(value: float, ok: bool, reason: str) -> Finding:
    """Answer a gate about a countable fact."""
    return Finding(Estimate.of(float(value)), Outcome.PASS if ok else Outcome.FAIL, reason)


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
        metric, variant, unit, bound = self.about
        seen = subject.study.seen(variant)
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
        )
