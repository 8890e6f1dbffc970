"""Degradation: the metric by corruption and severity, as a table with numbers and as curves."""

from __future__ import annotations

from robust.eval.decision.claims import score
from robust.eval.decision.ladders import ladders
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, cell, ratio, robustness_of
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.robustness_records import BreakingPoint, RobustnessEvidence
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.view import BRACKETS, NOT_MEASURED, View, number

HEAT_STEPS = (0.9, 0.75, 0.6, 0.45, 0.3)
"""Retained shares at which a cell of the table gets one step darker."""

SKIPPED = "severity skipped"
CENSORED = "censored: beyond severity "
"""How the interval of a breaking point says that it is open above, see `robustness_intervals`."""
_NOTE = (
    "Each number is measured on the same images, corrupted once for all candidates. The stronger the shade, the less "
    "of the clean value is kept. Mean is over severities; retained is mean divided by clean. "
)
_AREA = (
    "Retained area is the share that is kept on average on the way from clean to the highest severity; "
    f'"{SKIPPED}" stands where one on that way was not evaluated, so the area is not known. '
)
_HALF = (
    "Half lost at is the severity from which less than half of the clean value is left, on straight lines between the "
    'severities; with the sign > that is not reached, and nothing is known beyond; "a to b" (0 is clean) means '
    "somewhere between these two, because the severities between them were not evaluated. In its interval > marks "
    "an end that is not reached within the ladder: censored, nothing is known beyond. "
)


def degradation_note(view: View) -> str:
    """How to read the table, as far as its columns go."""
    return _NOTE + (_AREA if _has_areas(view) else "") + _HALF + BRACKETS


def _has_areas(view: View) -> bool:
    """False when a severity is skipped in every corruption, so that there is no area to show."""
    return not all(_is_skipped(view, corruption) for corruption in view.study.corruptions)


def _is_skipped(view: View, corruption: str) -> bool:
    severities = view.study.severities(corruption)
    return severities != tuple(range(1, len(severities) + 1))


def degradation_table(view: View) -> Table:
    """For each corruption: the proposed candidate, and its baseline under it."""
    severities = sorted({s for c in view.study.corruptions for s in view.study.severities(c)})
    summary = ("mean", "retained", *(("retained area",) if _has_areas(view) else ()), "half lost at")
    columns = ("Corruption, model", "clean", *(f"severity {s}" for s in severities), *summary)
    rows = [
        _row(view, corruption, candidate, severities)
        for corruption in view.study.corruptions
        for candidate in view.shown
    ]
    rows += [_suite_row(view, candidate, len(severities)) for candidate in view.shown if rows]
    caption = (
        f"{view.metric} by corruption and severity, {view.counts(view.judged_on)} when clean (counts of each variant "
        f"are under Data), {view.floor_of(view.judged_on)}."
    )
    return Table("degradation", caption, columns, tuple(rows))


def _row(view: View, corruption: str, candidate: CandidateEvidence, severities: list[int]) -> Row:
    clean = view.study.metric(candidate, view.judged_on, CLEAN, view.metric)
    in_suite = view.study.severities(corruption)
    cells = [
        _heat(view.study.metric(candidate, view.judged_on, f"{corruption}/{s}", view.metric), clean)
        if s in in_suite
        else Cell("not in suite", "missing")
        for s in severities
    ]
    kept = view.study.retained(candidate, view.judged_on, corruption, view.metric)
    found = robustness_of(candidate, view.metric)
    mean = found.corruption_means.get(corruption) if found else None
    bounds = found.intervals.get(f"{corruption}/mean") if found else None
    mean_cell = number(Estimate.of(mean, kept.missing or "not defined", interval=bounds))
    area, half = _ladder_cells(found, corruption, kept)
    summary = (mean_cell, number(kept), *((area,) if _has_areas(view) else ()), half)
    return Row(f"{corruption}, {_named(candidate)}", (number(clean.value), *cells, *summary), candidate.role)


def _ladder_cells(found: RobustnessEvidence | None, corruption: str, kept: Estimate) -> tuple[Cell, Cell]:
    """Retained area and breaking point, or why there are none."""
    if found is None or kept.value is None:
        return Cell(kept.missing, "missing"), Cell(kept.missing, "missing")
    if corruption not in found.retained_areas or corruption not in found.breaking_points:
        return Cell(NOT_MEASURED, "missing"), Cell(NOT_MEASURED, "missing")
    area, point = found.retained_areas[corruption], found.breaking_points[corruption]
    bounded = Estimate.of(area, interval=found.intervals.get(f"{corruption}/retained_area"))
    bounds = found.intervals.get(f"{corruption}/breaking_point")
    half = number(None) if point is None else Cell(breaking_text(point) + breaking_interval(bounds), "number")
    return number(area, SKIPPED) if area is None else number(bounded), half


def breaking_interval(bounds: Interval | None) -> str:
    """Interval of a breaking point: `` [2.1, > 5]`` where resamples do not break within the ladder; empty without."""
    if bounds is None or bounds.low is None or bounds.high is None:
        return ""
    last = next((words.removeprefix(CENSORED) for words in bounds.note.split("; ") if words.startswith(CENSORED)), None)
    if last is not None and bounds.low >= float(last):
        return f" [all > {last}]"
    return f" [{bounds.low:.1f}, {'> ' + last if last else f'{bounds.high:.1f}'}]"


def breaking_text(point: BreakingPoint) -> str:
    """Where a ladder breaks: ``2.6``; ``< 1`` before the first severity; ``> 5`` when not within it."""
    if point.kind == "beyond":
        return f"> {point.holds_at}"
    if point.kind == "clean":
        return "clean"
    if point.fails_at == 1:  # between clean and the first severity lies no scale to read from
        return "< 1"
    return f"{point.holds_at} to {point.fails_at}" if point.severity is None else f"{point.severity:.1f}"


def _named(candidate: CandidateEvidence) -> str:
    return candidate.name + (" (baseline)" if candidate.role == "baseline" else "")


def ladder_table(view: View) -> Table:
    """Up to which severity of each corruption a requirement is shown to be met by the proposed candidate."""
    candidate = view.candidate
    found = ladders(view.study, view.policy, candidate) if candidate else ()
    rows = tuple(
        Row(
            one.ladder.corruption,
            (
                Cell(f"{one.ladder.metric} of at least {one.ladder.requirement:.3f}"),
                Cell(one.requirement),
                _met(one.ladder.met_up_to, one.last),
                Cell(one.ladder.reason),
            ),
        )
        for one in found
    )
    caption = (
        f"{view.name}: requirement met up to which severity, {view.counts(view.judged_on)} when clean. Severities are "
        "asked in their order from clean on, and the first whose 95 % lower bound misses the requirement ends the "
        "ladder; in this order nothing has to be corrected."
    )
    columns = ("Corruption", "Requirement", "From", "Met up to", "Why there")
    return Table("ladders", caption, columns, rows, "Severity ladders: not assessed, there is nothing to require.")


def _met(met: int | None, last: int) -> Cell:
    if met is None:
        return Cell("not shown on clean", "missing")
    return Cell("clean only" if met == 0 else f"severity {met} of {last}", "number")


def degradation_facts(view: View) -> tuple[Fact, ...]:
    """The corruption and the variant that cost most, for the candidate and its baseline."""
    facts = []
    for candidate in view.shown:
        found = robustness_of(candidate, view.metric)
        kept = view.study.retained(candidate, view.judged_on, None, view.metric)
        corruption = variant = kept.missing or NOT_MEASURED
        if found is not None and kept.value is not None:
            mean = _bounds(found.intervals.get(f"{found.worst_corruption}/mean"))
            lowest = _own_bounds(view, candidate, found.worst_variant)
            corruption = _worst(view, found.worst_corruption, found.worst_mean, found.clean, mean="mean ", bounds=mean)
            variant = _worst(view, found.worst_variant, found.worst, found.clean, bounds=lowest)
        facts.append(Fact(f"Worst corruption, {_named(candidate)}", corruption))
        facts.append(Fact(f"Worst variant, {_named(candidate)}", variant))
    return tuple(facts)


def _own_bounds(view: View, candidate: CandidateEvidence, variant: str | None) -> str:
    """Of the variant as everywhere in the report; the interval of "the lowest of all", whichever it is, is another."""
    at = cell(candidate, view.judged_on, variant) if variant else None
    return _bounds(at.intervals.get(view.metric) if at else None)


def _bounds(found: Interval | None) -> str:
    return "" if found is None or found.low is None or found.high is None else f"[{found.low:.3f}, {found.high:.3f}]"


def _worst(
    view: View, name: str | None, value: float | None, clean: float | None, *, mean: str = "", bounds: str = ""
) -> str:
    if name is None or value is None:
        return NOT_MEASURED
    share = score(ratio(value, clean))
    interval = f" {bounds}" if bounds else ""
    return f"{name}: {mean}{view.metric} {score(value)}{interval}, which is {share} of the clean {score(clean)}"


def _suite_row(view: View, candidate: CandidateEvidence, n_severities: int) -> Row:
    clean = view.study.metric(candidate, view.judged_on, CLEAN, view.metric)
    kept = view.study.retained(candidate, view.judged_on, None, view.metric)
    found = robustness_of(candidate, view.metric)
    bounds = found.intervals.get("mPC") if found else None
    mean = number(Estimate.of(found.mPC if found else None, kept.missing or "not defined", interval=bounds))
    blank = Cell("")
    cells = (number(clean.value), *(blank,) * n_severities, mean, number(kept), *(blank,) * (1 + _has_areas(view)))
    return Row(f"whole suite, {_named(candidate)}", cells, f"{candidate.role} total")


def _heat(value: Estimate, clean: Estimate) -> Cell:
    share = ratio(value.value, clean.value).value
    if value.value is None or share is None:
        return number(value)
    step = sum(share < limit for limit in HEAT_STEPS)
    return Cell(score(value), f"number heat{step}")
