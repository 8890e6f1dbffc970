"""How long one image takes: order statistics of repeated timings, on a named device."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from robust.eval.metrics.records import Record

Milliseconds = Annotated[float, Field(ge=0)]


class Timing(Record):
    """A percentile of the latency with its 95 % interval from order statistics.

    Attributes:
        ms: Milliseconds for one image.
        low: Lower end; None when there are too few timings for an interval.
        high: Upper end.
        note: Why there is no interval; empty when there is one.
    """

    ms: Milliseconds
    low: Milliseconds | None = None
    high: Milliseconds | None = None
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Timing:
        if (self.low is None) != (self.high is None):
            raise ValueError("an interval has two ends")
        if self.low is None and not self.note:
            raise ValueError("where there is no interval, the note says why")
        return self


class LatencyEvidence(Record):
    """Timings of one exported file of a candidate on one device, image by image.

    Attributes:
        format: "torch", "onnx", "openvino".
        device: Name of the processor or accelerator, as the policy names it.
        n_timings: Timed images after the warm-up.
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
    """

    format: str = Field(min_length=1)
    device: str = Field(min_length=1)
    n_timings: Annotated[int, Field(ge=1)]
    p50: Timing
    p95: Timing
    p99: Timing
