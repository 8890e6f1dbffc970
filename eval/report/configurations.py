"""The comparison: means and spread by configuration, every candidate, every seed a point, for and against."""

from __future__ import annotations

from robust.eval.decision.claims import score
from robust.eval.decision.comparison import cases, mean_retained
from robust.eval.decision.settings import spread
from robust.eval.decision.study import CLEAN, Group
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.charts import Axis, Point, Series, fitted_axis, plot
from robust.eval.report.context import Case, Cell, Chart, Row, Table
from robust.eval.report.view import BRACKETS, View, number, text, whole

MAX_LETTERS = 26


def configuration_table(view: View) -> Table:
    """Means over seeds and their range, in the order of the selection rule."""
    groups = {group.label: group for group in view.study.groups}
    rows = [_group_row(view, groups[ranked.label]) for ranked in view.decision.selection.ranking]
    m, val, test = view.metric, view.selected_on, view.judged_on
    columns = (
        "Configuration", "Runs", "Distinct seeds", f"Mean {m} ({val})", f"Range ({val})", f"Mean {m} ({test})",
        f"Range ({test})", f"Seed sd ({test})", f"Mean retained {m} ({test})",
    )  # fmt: skip
    caption = (
        f"Means over seeds on clean images, {view.counts(val)}; {view.counts(test)}. The same seed or the same weights "
        "count once. Range: highest minus lowest run. Seed sd: standard deviation over the seeds; its interval is that "
        f"of normal seeds and needs 3 of them. {view.selection_words} {BRACKETS}"
    )
    return Table("configurations", caption, columns, tuple(rows))


def _group_row(view: View, group: Group) -> Row:
    cells = [whole(len(group.candidates)), whole(len(group.distinct_seeds))]
    for split in (view.selected_on, view.judged_on):
        values = [view.study.metric(c, split, CLEAN, view.metric).value for c in group.candidates]
        known = [value for value in values if value is not None]
        cells.append(number(view.study.mean_metric(group.candidates, split, CLEAN, view.metric)))
        cells.append(_range(known, len(values)))
    cells.append(_spread(view, group))
    cells.append(number(mean_retained(view.study, group, view.judged_on, view.metric)))
    proposed = view.decision.candidate in [c.name for c in group.candidates]
    return Row(group.label + (" (proposed)" if proposed else ""), tuple(cells), "chosen" if proposed else "")


def _range(known: list[float], n_runs: int) -> Cell:
    if len(known) < n_runs:
        return Cell("not known", "missing")
    return number(max(known) - min(known)) if n_runs > 1 else Cell("needs 2 runs", "missing")


def _spread(view: View, group: Group) -> Cell:
    """Standard deviation over the seeds on the split that judges."""
    if len(group.distinct) < 2:
        return Cell("needs 2 seeds", "missing")
    return number(spread(view.study, group, view.judged_on, view.metric)[0])


def candidate_table(view: View) -> Table:
    """Every candidate and baseline with its numbers at its own threshold."""
    m, val, test = view.metric, view.selected_on, view.judged_on
    columns = (
        "Run", "Configuration", "Seed", f"{m} ({val})", f"{m} ({test})", f"{_other(m)} ({test})",
        f"Retained {m} ({test})", "Threshold", f"Precision ({test})", f"Recall ({test})",
    )  # fmt: skip
    rows = [_candidate_row(view, c) for g in view.study.groups for c in g.candidates]
    rows += [_candidate_row(view, c) for c in view.study.baselines]
    caption = (
        f"Clean images; {view.counts(val)}; {view.counts(test)}. {view.selection_words} Precision and "
        f"recall at each one's own chosen threshold, IoU 0.5. {BRACKETS}"
    )
    return Table("candidates", caption, columns, tuple(rows))


def _other(metric: str) -> str:
    return "AP" if metric == "AP50" else "AP50"


def _candidate_row(view: View, candidate: CandidateEvidence) -> Row:
    cells = (
        text(candidate.configuration.label),
        text(candidate.seed if candidate.role == "candidate" else "baseline"),
        number(view.study.metric(candidate, view.selected_on, CLEAN, view.metric)),
        number(view.study.metric(candidate, view.judged_on, CLEAN, view.metric)),
        number(view.study.metric(candidate, view.judged_on, CLEAN, _other(view.metric))),
        number(view.study.retained(candidate, view.judged_on, None, view.metric)),
        Cell(view.threshold_of(candidate), "number"),
        *(number(view.study.rate(candidate, view.judged_on, CLEAN, rate)) for rate in ("precision", "recall")),
    )
    proposed = candidate.name == view.decision.candidate
    return Row(candidate.name + (" (proposed)" if proposed else ""), cells, "chosen" if proposed else candidate.role)


def seed_charts(view: View) -> tuple[Chart, ...]:
    """Every seed a point, one chart for each split."""
    splits = dict.fromkeys((view.selected_on, view.judged_on))
    return tuple(chart for split in splits if (chart := _seed_chart(view, split)) is not None)


def _letter(i: int) -> str:
    return chr(ord("A") + i) if i < MAX_LETTERS else str(i + 1)


def _seed_chart(view: View, split: str) -> Chart | None:
    groups = view.study.groups
    placed = [
        (i, at, candidate, view.study.metric(candidate, split, CLEAN, view.metric))
        for i, group in enumerate(groups)
        for at, candidate in _columns(view, group, i)
    ]
    known = [value.value for *_, value in placed if value.value is not None]
    if not known:
        return None
    points: dict[str, list[Point]] = {"candidate": [], "baseline": []}
    rows = []
    for i, at, candidate, value in placed:
        points[candidate.role].append((at, value.value, f"{candidate.name}: {view.metric} {score(value)}"))
        seed = text(candidate.seed if candidate.role == "candidate" else "baseline")
        rows.append(Row(f"{_letter(i)}: {groups[i].label}", (text(candidate.name), seed, number(value))))
    axis = Axis("configuration", 0.0, float(len(groups)), tuple((i + 0.5, _letter(i)) for i in range(len(groups))))
    series = [
        Series("one training run (seed)", "a", tuple(points["candidate"]), joined=False),
        Series("its untouched starting weights", "c", tuple(points["baseline"]), joined=False),
    ]
    key = "; ".join(f"{_letter(i)} is {group.label}" for i, group in enumerate(groups))
    name = f"chart-seeds-{split}" if split.isalnum() else "chart-seeds-other"
    where = view.counts(split)
    columns = ("Configuration", "Run", "Seed", view.metric)
    return Chart(
        id=name,
        title=f"{view.metric} of every seed, clean {split} images",
        description=(
            f"One point for each training run. {key}. The vertical axis fits the points and need not start at 0. "
            f"{where}; intervals are in the tables." + (f" {view.selection_words}" if split == view.selected_on else "")
        ),
        plot=plot(axis, fitted_axis(view.metric, known), series),
        table=Table(f"{name}-data", f"{view.metric} on clean images, {where}", columns, tuple(rows)),
    )


def _columns(view: View, group: Group, i: int) -> list[tuple[float, CandidateEvidence]]:
    """Where each run of the i-th configuration stands, side by side, and its baseline to the right of them."""
    n = len(group.candidates)
    placed = [(i + 0.2 + 0.4 * (k + 0.5) / n, candidate) for k, candidate in enumerate(group.candidates)]
    baseline = view.study.baseline_of(group.candidates[0])
    return placed if baseline is None else [*placed, (i + 0.75, baseline)]


def case_texts(view: View) -> tuple[Case, ...]:
    """What speaks for and against each configuration, in words."""
    return tuple(
        Case(
            label=case.label,
            standing=_standing(view, case.rank, case.proposed),
            arguments_for=tuple(claim.text for claim in case.arguments_for),
            arguments_against=tuple(claim.text for claim in case.arguments_against),
        )
        for case in cases(view.study, view.policy, view.decision)
    )


def _standing(view: View, rank: int | None, proposed: bool) -> str:
    if rank is None:
        return "cannot be ranked"
    place = f"place {rank} of {len(view.decision.selection.ranking)} on {view.selected_on}"
    return f"{place}, proposed" if proposed else place
