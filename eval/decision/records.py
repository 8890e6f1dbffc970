"""Records of a decision: estimates, gate results, the ranking of configurations, the decision itself."""

from __future__ import annotations

import hashlib
import math
from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import model_validator

from robust.eval.evidence.records import Evidence
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.records import Record

Missing = Literal["", "not measured", "not defined"]
"""Why a value is absent: nobody evaluated it, or the formula has nothing to divide by. Empty when it is there."""

NO_INTERVAL = "no interval"

Unit = Literal["score", "share", "difference", "per image", "count", "ms", "MB"]
"""How an observed value is to be read."""


class Outcome(StrEnum):
    """What a gate says."""

    PASS = "PASS"
    FAIL = "FAIL"
    NOT_ENOUGH_EVIDENCE = "NOT ENOUGH EVIDENCE"


class Verdict(StrEnum):
    """What the decision says."""

    PROMOTE = "PROMOTE"
    REJECT = "REJECT"
    HOLD = "HOLD"


class Tier(StrEnum):
    """What a gate's result may do: decide, warn, or only be shown."""

    CRITICAL = "critical"
    SUPPORTING = "supporting"
    INFORMATIONAL = "informational"


class Estimate(Record):
    """One measured value with its interval.

    Attributes:
        value: The observed value; None when it is missing.
        low: Lower end of the two-sided 95 % interval; None when there is none.
        high: Upper end of the same interval.
        missing: Why ``value`` is None.
        note: Why there is no interval, or how it must be read ("very small sample").
        se: Standard error behind the interval; None when it is not made from one.
        n_units: Independent images or groups behind the interval.
        method: How the interval was made; None when there is none or nobody said.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    missing: Missing = ""
    note: str = ""
    se: float | None = None
    n_units: int | None = None
    method: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Estimate:
        if (self.value is None) != bool(self.missing):
            raise ValueError("an estimate has either a value or the reason why it is missing")
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] is upside down")
        return self

    @classmethod
    def of(cls, value: float | None, missing: Missing = "not defined", *, interval: Interval | None = None) -> Estimate:
        """Wrap a value that may be None or NaN, with its interval if there is one."""
        if value is None or not math.isfinite(value):
            return cls(value=None, missing=missing)
        if interval is None:
            return cls(value=value)
        return cls(
            value=value,
            low=interval.low,
            high=interval.high,
            note=interval.note,
            se=interval.se,
            n_units=interval.n_units,
            method=interval.method,
        )

    @property
    def has_interval(self) -> bool:
        """True when both ends of the interval are known."""
        return self.value is not None and self.low is not None


class Circumstances(Record):
    """What a decision depends on beside evidence and policy.

    Attributes:
        today: The day of the decision, for waivers that expire; None when it is not known, and then no waiver is valid.
        facts: Names of the human facts that were given (see `robust.eval.decision.human_facts`); None when no card was
            read.
    """

    today: date | None = None
    facts: tuple[str, ...] | None = None


UNSTATED = Circumstances()
"""Nothing is known: no day, no facts."""


class WaiverResult(Record):
    """A waiver of the policy, held against the day of the decision.

    Attributes:
        author: Who takes the responsibility.
        reason: Why the gate may stay open.
        expires: Last day on which it counts.
        valid: Whether it counts.
        note: Why it does not; empty when it does.
    """

    author: str
    reason: str
    expires: date
    valid: bool
    note: str = ""


class GateResult(Record):
    """What one gate said of one candidate.

    Attributes:
        gate: The gate's name in the policy.
        kind: The gate's kind.
        tier: Critical, supporting or informational.
        requirement: What is required, in words with its number.
        metric: What was looked at: "AP50", "recall", "distinct seeds".
        variant: "clean", "night/3", "all variants"; None where the gate is not about a variant.
        split: The split it was read on; None where the gate is not about a split.
        unit: How ``estimate`` is to be read.
        estimate: The observed value with its interval.
        bound: The number it is held against.
        outcome: PASS, FAIL or NOT ENOUGH EVIDENCE.
        reason: Why, in words.
        images_needed: Independent images that would settle it if the observed value were the true one; None when images
            would not settle it or nothing says how many.
        seeds_needed: Distinct seeds that would settle it; None likewise.
        waiver: A waiver that names this gate, valid or not. The outcome stays what the evidence says.
    """

    gate: str
    kind: str
    tier: Tier
    requirement: str
    metric: str
    variant: str | None
    split: str | None
    unit: Unit
    estimate: Estimate
    bound: float | None
    outcome: Outcome
    reason: str
    images_needed: int | None = None
    seeds_needed: int | None = None
    waiver: WaiverResult | None = None

    @property
    def waived(self) -> bool:
        """True when the gate did not pass and a valid waiver lets the decision go on without it."""
        return self.outcome is not Outcome.PASS and self.waiver is not None and self.waiver.valid


class RankedConfiguration(Record):
    """One configuration in the order of the selection rule.

    Attributes:
        label: The configuration's label.
        candidates: Names of its candidates, in the order of the rule.
        seeds: Their training seeds.
        values: The selection metric of each candidate on the selection split; None when missing.
        mean: Mean over candidates, the same seed and the same weights once; None when one of the values is missing.
    """

    label: str
    candidates: tuple[str, ...]
    seeds: tuple[int | None, ...]
    values: tuple[float | None, ...]
    mean: float | None


class Selection(Record):
    """Which candidate is proposed, and by which rule.

    Attributes:
        split: Where the candidates were compared.
        metric: What they were compared by.
        rule: The rule in words.
        ranking: All configurations, best first; those that cannot be ranked last.
        candidate: Name of the proposed candidate; None when the rule cannot be applied.
        reason: What the rule said, in one sentence.
    """

    split: str
    metric: str
    rule: str
    ranking: tuple[RankedConfiguration, ...]
    candidate: str | None
    reason: str


class Decision(Record):
    """PROMOTE, REJECT or HOLD, with everything it rests on.

    ``decided_on`` is the day that waivers were held against; None for a policy without any, whose decision does not
    depend on the day. ``facts`` are the human facts that were given; None when no card was read.
    """

    schema_version: Literal[1] = 1
    verdict: Verdict
    reason: str
    selection: Selection
    gates: tuple[GateResult, ...]
    evidence_sha256: str
    policy_sha256: str
    decided_on: date | None = None
    facts: tuple[str, ...] | None = None

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"

    @property
    def candidate(self) -> str | None:
        """Name of the proposed candidate."""
        return self.selection.candidate

    def gates_in(self, tier: Tier, *outcomes: Outcome) -> tuple[GateResult, ...]:
        """Gate results of a tier, of the given outcomes (all when none is given)."""
        return tuple(g for g in self.gates if g.tier is tier and (not outcomes or g.outcome in outcomes))


def evidence_sha256(evidence: Evidence) -> str:
    """sha256 hex of the evidence's canonical JSON."""
    return hashlib.sha256(evidence.to_json().encode("utf-8")).hexdigest()
