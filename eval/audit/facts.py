"""What is known of the trainings of one experiment, whoever logged them: the input of every check of the audit.

No weights are read. What a store does not say is None or absent, and a check that needs it says that it was not made.
"""

from __future__ import annotations

from pydantic import Field

from robust.eval.metrics.records import Record


class RunFacts(Record):
    """One training run.

    Attributes:
        run_id: 32 hexadecimal digits.
        name: For people; not unique, and may hold anything.
        status: FINISHED, FAILED, KILLED, RUNNING or SCHEDULED.
        params: As logged, all text.
        has_own_params: Whether ``params`` were taken from what the training wrote down, and not logged by hand.
        resolved: What the training wrote down itself (``args.yaml`` of Ultralytics among the artifacts), as text; None
            when the run keeps no such file. Ultralytics writes it before ``optimizer=auto`` is resolved, so that it
            can say "auto" where ``params`` say what was picked.
        unreadable: What of the run could not be read, one sentence each.
        metrics: Last value of each metric, under the name it was logged with, 0..1 for rates.
        courses: Value of each metric by epoch, counted from 0 (name -> epoch -> value); empty when only a last value
            was logged.
        tags: All of them.
        has_weights: Whether a weights file lies among its artifacts or logged models; None when the artifact store
            could not be asked, or holds no file of any run.
        weights_sha256: Of that file, as tagged; None when unknown.
        tensors_sha256: Of its tensors alone, as tagged; None when unknown.
        start_time: Milliseconds since 1970; None when unknown.
        data_sha256: Fingerprint of the split that was trained on; None when unknown.
        ultralytics: Version of Ultralytics that trained; None when unknown.
    """

    run_id: str
    name: str
    status: str
    params: dict[str, str] = Field(default_factory=dict)
    has_own_params: bool = False
    resolved: dict[str, str] | None = None
    unreadable: tuple[str, ...] = ()
    metrics: dict[str, float] = Field(default_factory=dict)
    courses: dict[str, dict[int, float]] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    has_weights: bool | None = None
    weights_sha256: str | None = None
    tensors_sha256: str | None = None
    start_time: int | None = None
    data_sha256: str | None = None
    ultralytics: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the run says that it ended well."""
        return self.status == "FINISHED"

    @property
    def seed(self) -> int | None:
        """The seed it was logged with; None when there is none or it is no integer."""
        text = self.params.get("seed", "")
        return int(text) if text.lstrip("-").isdecimal() else None


class SplitFacts(Record):
    """A split of the data, counted.

    Attributes:
        split: "train", "val" or "test".
        n_images: Images in it.
        n_objects: Objects that count.
        fingerprint: sha256 hex of the content.
    """

    split: str
    n_images: int = Field(ge=0)
    n_objects: int = Field(ge=0)
    fingerprint: str


class OverlapFacts(Record):
    """Images that two splits share.

    Attributes:
        splits: The two names.
        identical: Pairs of names of images with the same pixels.
        near: Pairs of names of images that look alike; a person must say whether they are the same scene.
        unnamed_identical: Pairs with the same pixels that were counted only.
        unnamed_near: Pairs that look alike and were counted only.
    """

    splits: tuple[str, str]
    identical: tuple[tuple[str, str], ...] = ()
    near: tuple[tuple[str, str], ...] = ()
    unnamed_identical: int = Field(default=0, ge=0)
    unnamed_near: int = Field(default=0, ge=0)

    @property
    def n_identical(self) -> int:
        """Pairs of images with the same pixels."""
        return len(self.identical) + self.unnamed_identical

    @property
    def n_near(self) -> int:
        """Pairs of images that look alike."""
        return len(self.near) + self.unnamed_near


class DataFacts(Record):
    """The data set, read from disk or as an evaluation found it.

    Attributes:
        name: Of the data set.
        splits: Every split.
        overlaps: Every pair of splits that was compared.
        declared: Number of images that a person declared for a split (``data.yaml``, card); empty when nobody did.
    """

    name: str
    splits: tuple[SplitFacts, ...]
    overlaps: tuple[OverlapFacts, ...] = ()
    declared: dict[str, int] = Field(default_factory=dict)

    def split(self, name: str) -> SplitFacts | None:
        """The split of that name."""
        return next((one for one in self.splits if one.split == name), None)


class ReportedOn(Record):
    """What the evaluations of an experiment say about how its numbers were used.

    Attributes:
        selected_on: Split on which candidates are compared and chosen; None when nobody evaluated.
        judged_on: Split on which the chosen one is judged; None when nobody evaluated.
        n_val: Images that the training's own metrics were computed on; None when unknown.
        variants: Corruptions that the candidates were tested on, without severity.
        trained_on: Corruptions that were declared as used to augment training images.
        n_evaluated: Candidates that were evaluated.
        baselines: Names of the baselines that were evaluated.
        n_trainings: Finished trainings of the experiment, those included that the audit does not look at; 0 when
            unknown.
    """

    selected_on: str | None = None
    judged_on: str | None = None
    n_val: int | None = None
    variants: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    n_evaluated: int = Field(default=0, ge=0)
    baselines: tuple[str, ...] = ()
    n_trainings: int = Field(default=0, ge=0)

    @property
    def is_unreadable(self) -> bool:
        """Whether candidates were evaluated, but how the splits were used cannot be read."""
        return self.n_evaluated > 0 and self.judged_on is None


class ExperimentFacts(Record):
    """Everything that an audit looks at.

    Attributes:
        experiment: Its name.
        runs: Its training runs, oldest first.
        data: The data set; None when nobody named it or it is not here.
        reported: How the numbers were used.
    """

    experiment: str
    runs: tuple[RunFacts, ...]
    data: DataFacts | None = None
    reported: ReportedOn = ReportedOn()

    @property
    def finished(self) -> tuple[RunFacts, ...]:
        """The runs that say that they ended well."""
        return tuple(run for run in self.runs if run.is_finished)
