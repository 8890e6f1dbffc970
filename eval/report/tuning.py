"""The threshold tuning report: from swept candidates to the context of its templates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from robust.corruptions.records import CLEAN
from robust.errors import UsageError
from robust.eval.decision.claims import listed, plural
from robust.eval.evidence.records import Curve
from robust.eval.report import tuning_provenance as provenance
from robust.eval.report import tuning_tables as tables
from robust.eval.report.context import Code, Fact, Table, map_text, printable
from robust.eval.report.flips import FlipGallery, flip_gallery, flip_tables
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_charts import ChartGroup, clean_groups, variant_groups
from robust.eval.report.tuning_data import script_data

Reach = Literal["all", "highest", "clean"]
"""Every variant; the highest severity of each corruption (recorded sets stay); clean images alone."""

HOW_TO_READ = (
    "Every rate is at IoU 0.5: a detection counts from the threshold on, and hits an object where the boxes overlap by "
    "at least half. F1 = 2 TP / (2 TP + FP + FN). Images without objects count for false positives per image.",
    "A threshold is chosen on one split and judged on another. Numbers of the choosing split flatter the choice; "
    "numbers of the judging split are not for choosing again.",
    "Intervals are of 95 %, made by resampling images or source groups, and each is meant for its own threshold: they "
    "are no band that holds everywhere at once. A value without one says so.",
)
_LEFT_OUT = {
    "all": "",
    "highest": "the highest severity of each corruption alone",
    "clean": "clean images alone",
}


@dataclass(frozen=True)
class Extent:
    """How much a document holds, so that large studies stay readable.

    Attributes:
        curves: Variants whose curves are drawn.
        slider: Variants that the slider and the table at the chosen threshold show.
        sections: Whether each candidate has a section.
    """

    curves: Reach = "all"
    slider: Reach = "all"
    sections: bool = True


EXTENTS = (
    Extent(),
    Extent(curves="highest"),
    Extent(curves="clean"),
    Extent(curves="clean", slider="highest"),
    Extent(curves="clean", slider="clean"),
    Extent(curves="clean", slider="clean", sections=False),
)
"""From everything to the least, in the order in which a document that is too large gives things up."""


@dataclass(frozen=True)
class TuningSection:
    """One candidate."""

    id: str
    place: str
    name: str
    facts: tuple[Fact, ...]
    operating: Table
    clean: tuple[ChartGroup, ...]
    thresholds: Table
    costs: tuple[Table, ...]
    flips: tuple[Table, ...]
    flip_gallery: FlipGallery
    guarantees: Table
    opinions: Table
    opinion_facts: tuple[Fact, ...]
    variants: tuple[ChartGroup, ...]


@dataclass(frozen=True)
class TuningContext:
    """What the tuning report shows, in reading order."""

    lang: Annotated[str, "language code of the text"]
    title: Annotated[str, "title of the document"]
    subtitle: Annotated[str, "what was swept: experiment, candidates, data, suite"]
    left_out: Annotated[str, "what this document leaves out to stay small, and where it stands; empty when nothing"]
    summary: Annotated[Table, "every candidate with its threshold and its value on the judging split"]
    how_to_read: Annotated[tuple[str, ...], "what the numbers mean and what they are not for"]
    weights: Annotated[Table, "weights that were swept, by hash"]
    images: Annotated[Table, "images that were swept, by fingerprint"]
    settings: Annotated[tuple[Fact, ...], "what wrote the report, and the settings of inference"]
    data: Annotated[Code, "JSON for the slider"]
    sections: Annotated[tuple[TuningSection, ...], "one for each candidate"]


def build_tuning(subjects: Sequence[TuningSubject], extent: Extent | None = None) -> TuningContext:
    """Make everything that the templates show.

    Args:
        subjects: Candidates, each with a name of its own.
        extent: How much of it; everything by default.

    Raises:
        UsageError: there is no candidate.
    """
    if not subjects:
        raise UsageError("There is no sweep to report.", "No evaluation was found.", "Run `robust eval` first.")
    extent = extent or Extent()

    def shown(reach: Reach, subject: TuningSubject, curve: Curve) -> bool:
        return reach == "all" or curve.variant == CLEAN or (reach == "highest" and subject.is_among_highest(curve))

    detailed = tuple(subjects) if extent.sections else ()
    context = TuningContext(
        lang="en",
        title="Threshold tuning",
        subtitle=_subtitle(subjects),
        left_out=_left_out(extent, several=len(subjects) > 1),
        summary=tables.summary_table(subjects),
        how_to_read=HOW_TO_READ,
        weights=provenance.weights_table(subjects),
        images=provenance.images_table(subjects),
        settings=provenance.settings(subjects),
        data=Code(script_data(detailed, lambda s, c: shown(extent.slider, s, c))),
        sections=tuple(
            _section(
                subject,
                i,
                operating=tuple(c for c in subject.curves if shown(extent.slider, subject, c)),
                drawn=tuple(c for c in subject.curves if shown(extent.curves, subject, c)),
            )
            for i, subject in enumerate(detailed)
        ),
    )
    return map_text(context, printable)


def _section(
    subject: TuningSubject, place: int, *, operating: tuple[Curve, ...], drawn: tuple[Curve, ...]
) -> TuningSection:
    mark = f"c{place}"
    splits = dict.fromkeys([*([subject.chosen_on] if subject.chosen_on else []), subject.judged_on])
    return TuningSection(
        id=mark,
        place=str(place),
        name=subject.title,
        facts=tables.choice_facts(subject),
        operating=tables.operating_table(subject, mark, operating),
        clean=clean_groups(subject, mark),
        thresholds=tables.threshold_table(subject, mark),
        costs=tuple(tables.cost_table(subject, split, mark) for split in splits),
        flips=flip_tables(subject, mark),
        flip_gallery=flip_gallery(subject, mark),
        guarantees=tables.guarantee_table(subject, mark),
        opinions=tables.opinion_table(subject, mark),
        opinion_facts=tables.opinion_facts(subject),
        variants=variant_groups(subject, mark, drawn),
    )


def _subtitle(subjects: Sequence[TuningSubject]) -> str:
    evidence = subjects[0].evidence
    swept = subjects[0].candidate.sweep
    experiments = listed(list(dict.fromkeys(s.evidence.experiment for s in subjects)))
    return (
        f"{experiments}: {plural(len(subjects), 'model')}, data set {evidence.data.name}, suite {evidence.suite.name}, "
        f"thresholds {swept.start:g} to {swept.stop:g} by {swept.step:g}"
    )


def _left_out(extent: Extent, *, several: bool) -> str:
    said = []
    if not extent.sections:
        said.append("only the table of all candidates is shown")
    else:
        if extent.curves != "all":
            said.append(f"curves are drawn for {_LEFT_OUT[extent.curves]}")
        if extent.slider != "all":
            said.append(f"tables and slider show {_LEFT_OUT[extent.slider]}")
    if not said:
        return ""
    where = "every threshold of every variant is in tuning.csv"
    more = ", and each candidate has a document of its own, in a folder of its name" if several else ""
    return f"To keep this document small, {listed(said)}; {where}{more}."
