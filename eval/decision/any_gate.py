"""Every kind of gate, and the one that is made of others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.decision.build_gates import LatencyGate, SizeGate
from robust.eval.decision.fact_gates import AuditGate, HumanFactsGate, ImagesGate, LeakageGate, OperatingPointGate
from robust.eval.decision.gates import Finding, Gate, Subject, together
from robust.eval.decision.metric_gates import BaselineGate, CalibrationGate, MetricGate, ThresholdGate
from robust.eval.decision.records import GateResult, Unit
from robust.eval.decision.seed_gates import SeedsGate, SeedSpreadGate
from robust.eval.decision.suite_gates import LadderGate, RetainedGate, SuiteGate

SingleGate = Annotated[
    MetricGate
    | RetainedGate
    | BaselineGate
    | LadderGate
    | SuiteGate
    | OperatingPointGate
    | ThresholdGate
    | CalibrationGate
    | SeedsGate
    | SeedSpreadGate
    | LeakageGate
    | ImagesGate
    | AuditGate
    | HumanFactsGate
    | SizeGate
    | LatencyGate,
    Field(discriminator="kind"),
]
"""Every kind of gate that asks one thing."""


class AllOfGate(Gate):
    """Several gates that must all pass, shown as one. The names and tiers of its parts do not count by themselves."""

    kind: Literal["all_of"] = "all_of"
    parts: tuple[SingleGate, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _unique(self) -> AllOfGate:
        names = [part.name for part in self.parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two parts are named {twice[0]!r}")
        return self

    @property
    def requirement(self) -> str:
        """What is required."""
        return "; and ".join(part.requirement for part in self.parts)

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound; the observed value and its bound are those of the part that decides."""
        return "several", None, "score", None

    def evaluate(self, subject: Subject) -> GateResult:
        """Ask every part; the result shows the one that decides."""
        answers = [part.evaluate(subject) for part in self.parts]
        found = together([(a.gate, _as_finding(a)) for a in answers])
        shown = next((a for a in answers if a.outcome is found.outcome), answers[0])
        return shown.model_copy(
            update={
                "gate": self.name,
                "kind": self.kind,
                "tier": self.tier,
                "requirement": self.requirement,
                "outcome": found.outcome,
                "reason": found.reason,
                "images_needed": found.images_needed,
                "seeds_needed": found.seeds_needed,
            }
        )


def _as_finding(result: GateResult) -> Finding:
    return Finding(result.estimate, result.outcome, result.reason, result.images_needed, result.seeds_needed)


AnyGate = Annotated[SingleGate | AllOfGate, Field(discriminator="kind")]
"""Every kind of gate a policy may hold."""
