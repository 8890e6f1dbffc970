"""The context: everything a template may show, as frozen records of ready-made text.

Templates do no arithmetic and format no number. Every field of `ReportContext` says what it holds; a test compares
them with what the templates really use.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Code:
    """Text that is shown as code, without escapes of its own: a command, a hash. Always one printable line."""

    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text))


@dataclass(frozen=True)
class Fact:
    """A label with its value."""

    label: str
    value: str | Code


@dataclass(frozen=True)
class Cell:
    """One cell of a table; ``style`` names how it looks, and never carries meaning alone."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Row:
    """One row: its header and its cells."""

    header: str
    cells: tuple[Cell, ...]
    style: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption; ``columns`` starts with the column of row headers; ``empty`` is said without rows."""

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str = "Not measured: there is nothing to put into this table."


@dataclass(frozen=True)
class Tick:
    """A tick of an axis: where, and its label."""

    at: str
    label: str


@dataclass(frozen=True)
class Mark:
    """One measured point: the path of its marker and what it says."""

    path: str
    title: str


@dataclass(frozen=True)
class Band:
    """An area of intervals without a gap: the corners of its polygon (``x,y x,y``)."""

    corners: str


@dataclass(frozen=True)
class Line:
    """One series: its name, look, line segments (``x,y x,y``), points, and its intervals as areas or whiskers (paths).

    ``sample`` is the path of its marker or bar in the legend; ``kind`` is "bars" for bars.
    """

    name: str
    style: str
    segments: tuple[str, ...]
    marks: tuple[Mark, ...]
    sample: str
    band: tuple[Band, ...] = ()
    whiskers: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Rule:
    """A vertical line with a label."""

    at: str
    label: str
    label_at: str
    anchor: str


@dataclass(frozen=True)
class Label:
    """Text inside a chart."""

    x: str
    y: str
    text: str
    anchor: str
    style: str = ""


@dataclass(frozen=True)
class Level:
    """A horizontal line from one place to another, with a label."""

    at: str
    start: str
    stop: str
    label: Label


@dataclass(frozen=True)
class Plot:
    """The geometry of a chart, in units of its view box, as text."""

    width: str
    height: str
    left: str
    right: str
    top: str
    bottom: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_label: str
    y_label: str
    x_label_at: str
    tick_label_y: str
    tick_label_x: str
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...] = ()
    levels: tuple[Level, ...] = ()
    labels: tuple[Label, ...] = ()
    x_grid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A chart with its title, description and the numbers it shows; without a plot the description says why."""

    id: str
    title: str
    description: str
    plot: Plot | None
    table: Table


@dataclass(frozen=True)
class Verdict:
    """The decision: its word, a symbol, the answer to "promote?", and one sentence why."""

    word: str
    symbol: str
    answer: str
    reason: str
    style: str


@dataclass(frozen=True)
class Case:
    """A configuration with what speaks for and against it."""

    label: str
    standing: str
    arguments_for: tuple[str, ...]
    arguments_against: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """Sentences about one question."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Risk:
    """A risk with its impact, measured cause and mitigation."""

    title: str
    impact: str
    cause: str
    mitigation: str


@dataclass(frozen=True)
class Step:
    """A next step, why, and the command that does it (empty when there is none)."""

    what: str
    why: str
    command: Code


@dataclass(frozen=True)
class Overlay:
    """A box over a picture: its look, its path in pixels of the picture, and what it says.

    ``found``: at how many thresholds of the sweep, from the lowest up, there is a detection for it: a detection is
    there at these, a miss at the others. ``shown``: whether it is there at the chosen threshold.
    """

    style: str
    path: str
    title: str
    found: str = ""
    shown: bool = True


@dataclass(frozen=True)
class Shot:
    """A picture (a data URI) of so many pixels with boxes over it.

    ``halo`` is the path of all shown boxes together; ``undrawn`` has the look and ``found`` of each box that is only
    counted, ``objects`` the number of annotated objects that count.
    """

    id: str
    picture: str
    width: str
    height: str
    title: str
    description: str
    halo: str
    boxes: tuple[Overlay, ...]
    undrawn: str
    name: str
    counts: str
    objects: str
    places: str


@dataclass(frozen=True)
class Shots:
    """Pictures of one variant."""

    title: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class FailureGallery:
    """The worst images: what was done to the pictures or why there are none, and names with counts."""

    note: str
    legend: tuple[Overlay, ...]
    groups: tuple[Shots, ...]
    table: Table


@dataclass(frozen=True)
class ReportContext:
    """What the report shows, in reading order."""

    lang: Annotated[str, "language code of the text"]
    title: Annotated[str, "title of the document"]
    subtitle: Annotated[str, "what was studied: experiment, candidates, data"]
    verdict: Annotated[Verdict, "the decision"]
    summary: Annotated[
        tuple[Fact, ...], "the decision box: proposed candidate, baseline, what it was judged on, signature"
    ]
    gates: Annotated[Table, "every gate, failures first"]
    gates_note: Annotated[str, "how many gates of each tier and outcome there are"]
    objectives: Annotated[tuple[Fact, ...], "objective and metrics of the policy, purpose of the card"]
    constraints: Annotated[tuple[Fact, ...], "budgets from the card, counted data, latency"]
    candidate: Annotated[tuple[Fact, ...], "the proposed candidate: run, key parameters"]
    candidate_metrics: Annotated[Table, "its metrics on val and test beside its baseline"]
    pr_charts: Annotated[tuple[Chart, ...], "precision by recall at IoU 0.5, candidate and baseline"]
    operating_point: Annotated[tuple[Fact, ...], "the threshold: value, rule, split that chose it"]
    operating_table: Annotated[Table, "precision, recall, F1, false positives per image at that threshold, by variant"]
    threshold_table: Annotated[Table, "what neighbouring thresholds give on clean images of the judging split"]
    threshold_charts: Annotated[tuple[Chart, ...], "precision, recall, F1, and false positives per image by threshold"]
    slider_data: Annotated[Code, "JSON for the slider, the proposed candidate first; empty when nothing was swept"]
    slider_note: Annotated[str, "what the slider moves, what stays, and what it leaves out; empty without one"]
    degradation_note: Annotated[str, "how to read the degradation table"]
    degradation_table: Annotated[Table, "metric by corruption and severity, candidate and baseline"]
    degradation_facts: Annotated[tuple[Fact, ...], "worst corruption and worst variant, candidate and baseline"]
    degradation_charts: Annotated[tuple[Chart, ...], "metric by severity, one chart for each corruption"]
    ladder_table: Annotated[Table, "up to which severity of each corruption a requirement is shown to be met"]
    condition_notes: Annotated[tuple[str, ...], "which conditions training has seen, and which are recorded"]
    recorded_table: Annotated[Table, "candidate and baseline on recorded sets; no rows when there are none"]
    miss_rate_table: Annotated[Table, "MR^-2 and recall at few false alarms, by variant"]
    strata_note: Annotated[str, "how to read the tables by kind of object"]
    strata_tables: Annotated[tuple[Table, ...], "AP50 and recall of hidden and of crowded objects, a table a variant"]
    error_table: Annotated[Table, "AP50 lost to each kind of error, and what variants add to it"]
    error_charts: Annotated[tuple[Chart, ...], "AP50 lost to each kind of error, clean and on variants"]
    miss_table: Annotated[Table, "kinds of misses and false alarms at the threshold, by variant"]
    worst_table: Annotated[Table, "images with most misses and most false alarms"]
    calibration: Annotated[tuple[Fact, ...], "whether scores mean what they say"]
    failure_gallery: Annotated[FailureGallery, "the images with most misses and false alarms, with pictures or without"]
    reliability_charts: Annotated[tuple[Chart, ...], "share of hits by score, and the number of detections"]
    comparison_table: Annotated[Table, "each candidate minus its baseline, paired, with what could be seen at all"]
    forest_charts: Annotated[tuple[Chart, ...], "the comparison table as points with whiskers"]
    selection_facts: Annotated[tuple[Fact, ...], "the best candidate on the selection split, corrected for selection"]
    effect_table: Annotated[Table, "effects of image size and learning rate; no rows without a complete grid"]
    setting_table: Annotated[Table, "every pair of configurations, with the images and seeds that would show it"]
    configuration_table: Annotated[Table, "means and spread by configuration"]
    candidate_table: Annotated[Table, "every candidate and baseline"]
    seed_charts: Annotated[tuple[Chart, ...], "every seed a point, on the selection and on the judging split"]
    cases: Annotated[tuple[Case, ...], "for and against each configuration"]
    observations: Annotated[tuple[Topic, ...], "key observations by question"]
    risks: Annotated[tuple[Risk, ...], "risks with impact, cause, mitigation"]
    justification: Annotated[tuple[str, ...], "one sentence for each critical gate, failures first"]
    why_not: Annotated[tuple[str, ...], "why the other configurations are not proposed"]
    next_steps: Annotated[tuple[Step, ...], "what to do next"]
    split_table: Annotated[Table, "counts of each split"]
    leakage_table: Annotated[Table, "images shared between splits"]
    variant_table: Annotated[Table, "recipes of the variants"]
    audit_note: Annotated[str, "how many training runs were audited, and what was found"]
    audit_table: Annotated[Table, "findings of the audit, errors first"]
    not_audited: Annotated[tuple[str, ...], "checks that could not be made, each with the reason"]
    method: Annotated[tuple[Fact, ...], "definitions of everything that is printed"]
    limits: Annotated[tuple[str, ...], "what was not evaluated, and what the numbers cannot say"]
    provenance: Annotated[tuple[Fact, ...], "hashes and settings"]
    run_table: Annotated[Table, "run, weights hash and size of every candidate"]
    environment: Annotated[tuple[Fact, ...], "versions of the libraries"]
    sign_off_note: Annotated[str, "whether the report is signed"]
    sign_off: Annotated[Table, "lines to sign"]


def map_text(value: Value, change: Callable[[str], str]) -> Value:
    """The same records with every text changed; `Code` stays as it is."""
    if isinstance(value, str):
        return change(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(map_text(item, change) for item in value)  # type: ignore[return-value]
    if isinstance(value, Code) or not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changed = {f.name: map_text(getattr(value, f.name), change) for f in dataclasses.fields(value)}
    return dataclasses.replace(value, **changed)


_MARKUP = re.compile(r"[&<>\\`*\[\]|~$_]|^(#+|[-+]|\d+[.)])\s")
_UNSEEN = {"Cc", "Cf", "Co", "Cs"}


def printable(text: str) -> str:
    """One line of visible text: line breaks become spaces; control, direction and private use signs are spelled out."""
    if text.isprintable() and "  " not in text:
        return text  # nearly every text; no space but the plain one is printable in this sense
    flat = re.sub(r"\s+", " ", text)
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c) in _UNSEEN else c for c in flat)


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no table cell, no list."""
    if not _MARKUP.search(text):
        return text
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*\[\]|~$])", r"\\\1", escaped)
    escaped = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped)  # inside a word an underscore is only an underscore
    escaped = re.sub(r"^(#+|[-+])(?=\s)", r"\\\1", escaped)
    return re.sub(r"^(\d+)([.)])(?=\s)", r"\1\\\2", escaped)
