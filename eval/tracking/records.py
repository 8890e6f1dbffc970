"""Records of the tracking store: runs, their metrics, artifacts and data sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from robust.eval.tracking import tags

Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]

DIGEST_LENGTH = 32
"""MLflow takes at most 36 characters as the digest of a data set, less than a sha256 has."""


@dataclass(frozen=True)
class RunInfo:
    """What a run says of itself.

    Attributes:
        run_id: 32 hexadecimal digits.
        name: For people; not unique.
        experiment_id: Where the run lives.
        status: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
        params: As logged, all text.
        metrics: Last value of each metric; those that are NaN or infinite are left out.
        tags: All of them, MLflow's own included.
        start_time: Milliseconds since 1970; None when unknown.
        end_time: Milliseconds since 1970; None while it runs.
        artifact_uri: Root of its artifacts.
        parent_run_id: The run it belongs to, None at the top.
        model_ids: Logged models (MLflow 3) that it put out.
    """

    run_id: str
    name: str
    experiment_id: str
    status: str
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    start_time: int | None = None
    end_time: int | None = None
    artifact_uri: str = ""
    parent_run_id: str | None = None
    model_ids: tuple[str, ...] = ()

    @property
    def kind(self) -> str | None:
        """train, eval or report; None for runs that others logged."""
        return self.tags.get(tags.KIND)


@dataclass(frozen=True)
class MetricPoint:
    """One logged value.

    Attributes:
        step: Epoch, counted from 0 in training runs.
        value: Finite.
        timestamp: Milliseconds since 1970.
    """

    step: int
    value: float
    timestamp: int


@dataclass(frozen=True)
class Artifact:
    """A file or folder of a run.

    Attributes:
        path: POSIX path under the run's artifact root.
        is_dir: Whether it is a folder.
        size_bytes: None for folders, and where the store does not say.
    """

    path: str
    is_dir: bool
    size_bytes: int | None = None


@dataclass(frozen=True)
class DatasetInput:
    """A data set that a run used, as MLflow lists it.

    Attributes:
        name: At most 500 characters.
        fingerprint: sha256 hex of the content; its first 32 digits become MLflow's digest.
        source: Where it came from: a path or URI.
        context: "training", "validation" or "evaluation".
        profile: Counts for people: {"images": 40, "objects": 131}.
        tags: More text on this use of the data.
    """

    name: str
    fingerprint: str
    source: str
    context: str
    profile: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
