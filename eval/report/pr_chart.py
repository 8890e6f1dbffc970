"""The precision-recall curve of the proposed candidate and its baseline, at IoU 0.5 on clean images."""

from __future__ import annotations

from robust.eval.decision.claims import bounded, score
from robust.eval.decision.study import CLEAN, cell
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.charts import Series, absent, plot, unit_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.view import View, number

ID = "chart-precision-recall"
TITLE = "Precision by recall at IoU 0.5"
LAST = 100
"""The curve holds the recalls 0/100, 1/100, ..., 100/100."""


def pr_charts(view: View) -> tuple[Chart, ...]:
    """One chart, or why there is none."""
    curves = [(c, found) for c in view.shown if (found := _curve(view, c))]
    if not curves:
        return (absent(ID, TITLE, _why_not(view)),)
    series = [_series(candidate, found) for candidate, found in curves]
    mark = _operating_point(view)
    where = view.counts(view.judged_on)
    areas = "; ".join(f"{_named(c)} {bounded(view.study.metric(c, view.judged_on, CLEAN, 'AP50'))}" for c, _ in curves)
    missing = [_named(c) for c in view.shown if c not in [one for one, _ in curves]]
    return (
        Chart(
            id=ID,
            title=f"{TITLE}, clean {view.judged_on} images",
            description=(
                "The highest precision that is reached at each recall or beyond it, 0 where no threshold finds so "
                f"many; a mean over the classes. The mean height of a line is AP50: {areas}. {where}; 100 detections "
                "an image and class at most."
                + (" The diamond is read from the threshold sweep." if mark else "")
                + (f" Not drawn, not measured: {', '.join(missing)}." if missing else "")
            ),
            plot=plot(unit_axis("recall"), unit_axis("precision"), [*series, *mark]),
            table=Table(
                f"{ID}-data",
                f"Precision at each recall, {where}",
                ("Recall", *(one.name for one in series)),
                tuple(Row(f"{i / LAST:.2f}", tuple(number(found[i]) for _, found in curves)) for i in range(LAST + 1)),
            ),
        ),
    )


def _curve(view: View, candidate: CandidateEvidence) -> tuple[float, ...]:
    found = cell(candidate, view.judged_on, CLEAN)
    return found.precision_at_recall if found else ()


def _why_not(view: View) -> str:
    if view.candidate is None:
        return "No candidate is proposed."
    found = cell(view.candidate, view.judged_on, CLEAN)
    if found is None:
        return f"Not measured: the candidate was not shown clean {view.judged_on} images."
    if found.coco.AP50 is None:
        return f"Not defined: clean {view.judged_on} images hold no object."
    return "Not measured: the evidence is from before curves were kept; robust eval with the same options adds it."


def _named(candidate: CandidateEvidence) -> str:
    return candidate.name + (" (baseline)" if candidate.role == "baseline" else "")


def _series(candidate: CandidateEvidence, found: tuple[float, ...]) -> Series:
    points = tuple(
        (i / LAST, value, f"{candidate.name}: precision {score(value)} at recall {i / LAST:.2f}")
        for i, value in enumerate(found)
    )
    return Series(_named(candidate), "b" if candidate.role == "baseline" else "a", points, marked=False)


def _operating_point(view: View) -> tuple[Series, ...]:
    """Where the candidate stands at its chosen threshold."""
    point = view.study.point(view.candidate, view.judged_on, CLEAN) if view.candidate else None
    if point is None or point.precision is None or point.recall is None:
        return ()
    name = f"candidate at its threshold {view.threshold_of(view.candidate)}"
    said = f"{name}: precision {score(point.precision)}, recall {score(point.recall)}"
    return (Series(name, "c", ((point.recall, point.precision, said),), joined=False),)
