"""The spread of the seeds: every training run a point, under its configuration, with its starting weights."""

from __future__ import annotations

from robust.eval.decision.claims import score
from robust.eval.decision.study import CLEAN, Group
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.charts import absent, fitted_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.row_charts import Block, Entry, row_plot
from robust.eval.report.view import View, number, text

LEGEND = {"a": "one training run (seed)", "c": "its untouched starting weights"}


def seed_charts(view: View) -> tuple[Chart, ...]:
    """One chart for each split."""
    return tuple(_chart(view, split) for split in dict.fromkeys((view.selected_on, view.judged_on)))


def _chart(view: View, split: str) -> Chart:
    name = (
        f"chart-seeds-{split}" if split.isalnum() and split.isascii() else f"chart-seeds-{int(split == view.judged_on)}"
    )
    title = f"{view.metric} of every seed, clean {split} images"
    blocks = [
        Block(group.label, tuple(_entry(view, c, split) for c in _runs(view, group))) for group in view.study.groups
    ]
    entries = [entry for block in blocks for entry in block.entries]
    known = [entry.value for entry in entries if entry.value is not None]
    if not known:
        return absent(name, title, f"Not measured: no run has {view.metric} on clean {split} images.")
    where, used = view.counts(split), {entry.style for entry in entries if entry.value is not None}
    flattered = f" {view.selection_words}" if split == view.selected_on else ""
    return Chart(
        id=name,
        title=title,
        description=(
            "One point for each training run, under its configuration. The axis fits the points and need not start at "
            f"0. {where}; intervals are in the tables.{flattered}"
        ),
        plot=row_plot(
            fitted_axis(view.metric, known), blocks, {style: words for style, words in LEGEND.items() if style in used}
        ),
        table=Table(
            f"{name}-data",
            f"{view.metric} on clean images, {where}",
            ("Configuration", "Run", "Seed", view.metric),
            tuple(_row(view, group, c, split) for group in view.study.groups for c in _runs(view, group)),
        ),
    )


def _runs(view: View, group: Group) -> tuple[CandidateEvidence, ...]:
    baseline = view.study.baseline_of(group.candidates[0])
    return (*group.candidates, *((baseline,) if baseline else ()))


def _entry(view: View, candidate: CandidateEvidence, split: str) -> Entry:
    value = view.study.metric(candidate, split, CLEAN, view.metric)
    if candidate.role == "baseline":
        name, style = "starting weights", "c"
    else:
        name, style = f"seed {'not known' if candidate.seed is None else candidate.seed}", "a"
    return Entry(name, style, value.value, None, f"{candidate.name}: {view.metric} {score(value)}", value.missing)


def _row(view: View, group: Group, candidate: CandidateEvidence, split: str) -> Row:
    seed = text(candidate.seed if candidate.role == "candidate" else "baseline")
    value = view.study.metric(candidate, split, CLEAN, view.metric)
    return Row(group.label, (text(candidate.name), seed, number(value)))
