"""Numbers that people typed into a document, taken down as a file of claims, so that their arithmetic can be checked.

Everything may be left out that the document does not print. ``docs/claims.md`` tells how to write such a file.
"""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust.eval.audit.printed import Number, Percent
from robust.eval.metrics.records import Record

Name = Annotated[str, Field(min_length=1)]
Some = Annotated[int, Field(ge=1, le=10**12)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Aggregate = Literal["best", "mean", "run"]
"""What a number stands for: the best of several runs, their mean, or one run that was not chosen for its result."""

_SHARE = re.compile(r"(m?ap|m?ar|recall|precision|f1)[\d\s@.:\[\]-]*(\([a-z]\))?", re.IGNORECASE)


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1 by its definition: AP, mAP50-95, AR100, recall, precision, F1."""
    return _SHARE.fullmatch(metric.rpartition("/")[2].strip()) is not None


def moves_by_objects(metric: str) -> bool:
    """Whether one object found or missed sets the resolution of a metric; that of precision is one detection."""
    return is_share(metric) and not metric.rpartition("/")[2].strip().lower().startswith("precision")


class ClaimedData(Record):
    """What the numbers were measured on.

    Attributes:
        images: Images.
        objects: Objects on them.
    """

    images: Some | None = None
    objects: Some | None = None


class ClaimedGroup(Record):
    """One configuration and its seeds, by one metric.

    Attributes:
        name: What the document calls it.
        metric: The metric.
        values: Name of each run or seed and its value; empty for a run whose value is not printed.
        mean: The mean that is printed.
        sd: The standard deviation that is printed.
        of: Objects (or boxes) that the metric is a share of, if it counts something.
        counted: Whether each value is one count divided by another; False for values that were read off an interpolated
            curve or averaged over classes; None when nobody knows.
        says: What the document says of the seeds.
    """

    name: Name
    metric: Name
    values: dict[str, Number | None] = Field(default_factory=dict)
    mean: Number | None = None
    sd: Number | None = None
    of: Some | None = None
    counted: bool | None = None
    says: Literal["identical", "reproducible"] | None = None

    @model_validator(mode="after")
    def _points_not_commas(self) -> ClaimedGroup:
        """Refuse ``{s1: 0,274}``, which YAML reads as a value 0 and a run called 274."""
        for (name, value), (after, nothing) in itertools.pairwise(self.values.items()):
            if value is not None and value.text.isdigit() and after.isdigit() and nothing is None:
                raise ValueError(f"write decimals with a point: {name}: {value.text}.{after}")
        return self


class ClaimedComparison(Record):
    """Two numbers that the document compares.

    Attributes:
        what: What is compared, in words.
        metric: By which metric.
        first: The number it is about.
        second: The number it is held against.
        first_is: What the first stands for.
        second_is: What the second stands for.
        percent: Relative change from the second to the first, in percent.
        difference: First minus second.
        seeds: Seeds behind each of them.
        says: "equal" if the document says that they do not differ.
    """

    what: Name
    metric: Name
    first: Number
    second: Number
    first_is: Aggregate | None = None
    second_is: Aggregate | None = None
    percent: Percent | None = None
    difference: Number | None = None
    seeds: Some | None = None
    says: Literal["equal"] | None = None


class ClaimedRate(Record):
    """One rate.

    Attributes:
        metric: Recall, precision, ...
        value: As it is printed.
        of: What it is a share of: objects for recall, detections for precision.
        counted: See `ClaimedGroup`.
    """

    metric: Name
    value: Number
    of: Some | None = None
    counted: bool | None = None


class ClaimedCounts(Record):
    """Counts at one threshold, and the rates that follow from them.

    Attributes:
        what: Where they were counted, in words.
        tp: Objects that were found.
        fp: False alarms.
        fn: Objects that were missed.
        objects: Objects that are there.
        predictions: Detections.
        images: Images.
        precision: TP / (TP + FP).
        recall: TP / (TP + FN).
        f1: 2 P R / (P + R).
        fppi: False alarms per image.
        max_detections: Detections that an image can have at most.
        averaged: Whether the rates are means over classes, which follow from no single count.
    """

    what: Name
    tp: Count | None = None
    fp: Count | None = None
    fn: Count | None = None
    objects: Count | None = None
    predictions: Count | None = None
    images: Some | None = None
    precision: Number | None = None
    recall: Number | None = None
    f1: Number | None = None
    fppi: Number | None = None
    max_detections: Some | None = None
    averaged: bool = False


class Claims(Record):
    """A file of claims.

    Attributes:
        document: Where the numbers were typed; every finding names it, and it is never opened.
        data: What they were measured on.
        groups: Configurations with their seeds.
        comparisons: Pairs of numbers.
        rates: Single rates.
        counts: Counts with their rates.
    """

    document: str = ""
    data: ClaimedData = ClaimedData()
    groups: tuple[ClaimedGroup, ...] = ()
    comparisons: tuple[ClaimedComparison, ...] = ()
    rates: tuple[ClaimedRate, ...] = ()
    counts: tuple[ClaimedCounts, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Claims:
        if not (self.groups or self.comparisons or self.rates or self.counts):
            raise ValueError("it holds no claims: write groups, comparisons, rates or counts")
        return self
