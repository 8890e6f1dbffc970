"""The comparison: means and spread by configuration, every candidate, for and against."""

from __future__ import annotations

from robust.eval.decision.comparison import cases, mean_retained
from robust.eval.decision.settings import spread
from robust.eval.decision.study import CLEAN, Group
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.context import Case, Cell, Row, Table
from robust.eval.report.view import BRACKETS, View, number, text, whole


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
