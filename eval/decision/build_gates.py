"""Gates about what is deployed: the size of the weights and how long they take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.decision.gates import Finding, Gate, Subject, count, judge, unknown
from robust.eval.decision.records import Estimate, Unit
from robust.eval.evidence.records import CandidateEvidence

MEGABYTE = 10**6


class SizeGate(Gate):
    """The weights are small enough: bytes of the file, or number of parameters."""

    kind: Literal["size"] = "size"
    maximum_mb: Annotated[float, Field(gt=0)] | None = None
    maximum_parameters: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> SizeGate:
        if (self.maximum_mb is None) == (self.maximum_parameters is None):
            raise ValueError("give either maximum_mb or maximum_parameters")
        return self

    @property
    def requirement(self) -> str:
        """What is required."""
        if self.maximum_mb is not None:
            return f"weights of at most {self.maximum_mb:g} MB"
        return f"at most {self.maximum_parameters:,} parameters"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        if self.maximum_mb is not None:
            return "size of the weights", None, "MB", self.maximum_mb
        return "parameters", None, "count", self.maximum_parameters

    @property
    def judges_split(self) -> bool:
        """Size does not depend on images."""
        return False

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the recorded size against the maximum."""
        if self.maximum_mb is not None:
            if candidate.weights_bytes is None:
                return unknown("the size of the weights is not known")
            size = candidate.weights_bytes / MEGABYTE
            return count(size, size <= self.maximum_mb, "size of the weights file as evaluated")
        if candidate.parameters is None:
            return unknown("the number of parameters is not known")
        return count(candidate.parameters, candidate.parameters <= (self.maximum_parameters or 0), "parameters counted")


class LatencyGate(Gate):
    """One image is processed fast enough on a named device."""

    kind: Literal["latency"] = "latency"
    percentile: Literal["p50", "p95", "p99"] = "p95"
    maximum_ms: Annotated[float, Field(gt=0)]
    device: str = Field(min_length=1)
    format: str = "torch"

    @property
    def requirement(self) -> str:
        """What is required."""
        return f"{self.percentile} latency of {self.format} on {self.device} at most {self.maximum_ms:g} ms"

    @property
    def about(self) -> tuple[str, str | None, Unit, float | None]:
        """Metric, variant, unit and bound."""
        return f"{self.percentile} latency", None, "ms", self.maximum_ms

    @property
    def judges_split(self) -> bool:
        """Latency is measured on its own."""
        return False

    def examine(self, subject: Subject, candidate: CandidateEvidence) -> Finding:
        """Hold the upper end of the percentile's interval against the maximum."""
        measured = [t for t in candidate.latency if (t.format, t.device) == (self.format, self.device)]
        timing = next((getattr(t, self.percentile) for t in measured), None)
        if timing is None:
            known = ", ".join(f"{t.format} on {t.device}" for t in candidate.latency) or "nothing"
            return unknown(f"latency of {self.format} on {self.device} was not measured (measured: {known})")
        estimate = Estimate(value=timing.ms, low=timing.low, high=timing.high, note=timing.note)
        return judge(estimate, self.maximum_ms, at_least=False)
