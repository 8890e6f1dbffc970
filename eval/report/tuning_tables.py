"""Facts and tables of the tuning report: the choice, how sure it is, its value, its price, and second opinions."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.decision.claims import bounded, interval, listed, plural, signed
from robust.eval.decision.records import Estimate
from robust.eval.evidence.records import Curve
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.metrics.threshold_certainty import ERROR
from robust.eval.metrics.threshold_costs import Flips, ThresholdCost, ThresholdCosts
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.tuning_cells import (
    RATES,
    TuningSubject,
    interval_note,
    nearest,
    point_at,
    rate_at,
    rate_cells,
    size_words,
)
from robust.eval.report.view import NOT_MEASURED, threshold_text, whole

COUNTS = ("Found (TP)", "False (FP)", "Missed (FN)")
NOT_AGAIN = "It may be read, and not be used to choose again: then nothing would be left to judge on."


def summary_table(subjects: Sequence[TuningSubject]) -> Table:
    """One row for each candidate: its threshold, how sure it is, and what it gives where it is judged."""
    splits = " or ".join(dict.fromkeys(s.judged_on for s in subjects))
    caption = (
        f"The chosen threshold of every candidate, and what it gives on clean images of {splits}. In brackets: the "
        f"95 % interval. Chosen again: share of resamples of the choosing split that choose the same threshold."
    )
    columns = ("Candidate", "Threshold", "Chosen on", "Chosen again", *RATES.values())
    return Table("summary", caption, columns, tuple(_summary_row(s) for s in subjects))


def _summary_row(subject: TuningSubject) -> Row:
    found = subject.candidate.sweep.certainty
    again = Cell(NOT_MEASURED, "missing")
    if found is not None and found.threshold is not None:
        again = Cell(f"{100 * found.same_share:.0f} %", "number")
    return Row(
        subject.title,
        (
            Cell(threshold_text(subject.chosen), "number" if subject.chosen is not None else "missing"),
            Cell(subject.chosen_on or "no split"),
            again,
            *rate_cells(subject.curve(subject.judged_on), subject.at),
        ),
    )


def choice_facts(subject: TuningSubject) -> tuple[Fact, ...]:
    """The choice, the rule, its constraints, how sure it is, and its value on the judging split."""
    choice = subject.candidate.sweep.choice
    chooser, judge = subject.curve(choice.chosen_on), subject.curve(subject.judged_on)
    where = f"clean images, {size_words(chooser, choice.chosen_on)}" if choice.chosen_on else "no split was there"
    return (
        Fact("Confidence threshold", threshold_text(subject.chosen)),
        Fact("Chosen on", where),
        Fact("Rule", choice.rule),
        Fact("Constraints", _constraint_words(choice.constraints)),
        Fact("Result of the rule", choice.reason),
        *_certainty_facts(subject),
        Fact(f"Value on {subject.judged_on}", f"{_value_words(subject, judge)} {NOT_AGAIN}"),
    )


def _constraint_words(limits: ThresholdConstraints) -> str:
    required = {
        "precision at least": limits.min_precision,
        "recall at least": limits.min_recall,
        "false positives per image at most": limits.max_fppi,
    }
    return "; ".join(f"{words} {value:g}" for words, value in required.items() if value is not None) or "none given"


def _value_words(subject: TuningSubject, judge: Curve | None) -> str:
    if judge is None or subject.at is None:
        return f"{NOT_MEASURED}: no threshold was chosen." if judge else f"{NOT_MEASURED}."
    at = subject.at
    told = ", ".join(f"{name.lower()} {bounded(rate_at(judge, rate, at))}" for rate, name in RATES.items())
    return f"clean images, {size_words(judge, judge.split)}: {told}.".replace(" f1 ", " F1 ")


def _certainty_facts(subject: TuningSubject) -> tuple[Fact, ...]:
    found = subject.candidate.sweep.certainty
    if found is None:
        return (Fact("Certainty", NOT_MEASURED),)
    facts = [Fact("Certainty", found.wording)]
    if found.modal_threshold is not None:
        ends = f"{threshold_text(found.q05)} to {threshold_text(found.q95)}"
        spread = (
            f"{threshold_text(found.modal_threshold)} is chosen most often, in {100 * found.modal_share:.0f} % of "
            f"{found.replicates:,} resamples of {plural(found.n_units, 'independent image')} or groups; 90 % of the "
            f"choices lie in {ends}; none can be made in {100 * found.none_share:.0f} %"
        )
        facts.append(Fact("Spread of the choice", spread))
    if subject.candidate.sweep.choice.constraints == ThresholdConstraints():
        facts.append(Fact("Shown to meet the constraints", "nothing to show: there are no constraints"))
        return tuple(facts)
    facts.append(Fact("Shown to meet the constraints", _certified_words(subject, found.certified)))
    facts.append(Fact("Test of the constraints", found.certified_reason))
    return tuple(facts)


def _certified_words(subject: TuningSubject, certified: Sequence[float]) -> str:
    if not certified:
        return "no threshold"
    at = [i for i, threshold in enumerate(subject.thresholds) if threshold in certified]
    runs: list[list[int]] = []
    for i in at:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    names = [threshold_text(t) for t in subject.thresholds]
    ranges = [names[run[0]] if len(run) == 1 else f"{names[run[0]]} to {names[run[-1]]}" for run in runs]
    inside = "the chosen one is among them" if subject.chosen in certified else "the chosen one is not among them"
    return f"{', '.join(ranges)} ({len(at)} of {len(names)} thresholds); {inside}"


def guarantee_table(subject: TuningSubject, mark: str) -> Table:
    """The certificates: what they bound, up to which threshold, and whether the chosen one is covered."""
    chosen = subject.chosen
    rows = []
    for one in subject.candidate.sweep.certificates:
        covers = "no" if one.threshold is None or chosen is None or chosen > one.threshold else "yes"
        risk = f"{one.empirical_risk:.3f} on {plural(one.n_units, one.unit)}" if one.empirical_risk is not None else ""
        rows.append(
            Row(
                f"{one.risk} ({one.method})",
                (
                    Cell(f"{one.alpha:g}", "number"),
                    Cell("on average" if one.delta is None else f"{one.delta:g}", "number"),
                    Cell(threshold_text(one.threshold), "number" if one.threshold is not None else "missing"),
                    Cell(covers if chosen is not None else "none was chosen"),
                    Cell(risk or NOT_MEASURED, "number" if risk else "missing"),
                    Cell(one.sentence),
                ),
            )
        )
    caption = (
        f"Guarantees from clean images of {subject.chosen_on or 'no split'}: how many objects are missed, at most, up "
        "to a threshold. The observed risk has no interval; the guarantee is its bound."
    )
    columns = ("Bounded", "At most", "May be wrong", "Up to threshold", "Holds at the chosen", "Observed", "In words")
    return Table(f"{mark}-guarantees", caption, columns, tuple(rows), "No guarantees were computed.")


def operating_table(subject: TuningSubject, mark: str, curves: Sequence[Curve]) -> Table:
    """The rates and counts of every cell at the chosen threshold."""
    caption = (
        f"{subject.title} at confidence threshold {threshold_text(subject.chosen)} and IoU 0.5, the same everywhere. "
        "In brackets: the 95 % interval. Images are those of the split; TP + FN are the objects of each variant."
    )
    noted = any(_note_at(subject, curve) for curve in curves)
    columns = ("Variant (split)", *RATES.values(), *COUNTS, *(("Intervals",) if noted else ()))
    rows = tuple(_cell_row(subject, curve, noted=noted) for curve in curves) if subject.at is not None else ()
    return Table(f"{mark}-operating", caption, columns, rows, "No threshold was chosen, so there is nothing to read.")


def _cell_row(subject: TuningSubject, curve: Curve, *, noted: bool) -> Row:
    point = point_at(curve, subject.at or 0)
    counts = (whole(point.tp), whole(point.fp), whole(point.fn))
    note = (Cell(_note_at(subject, curve)),) if noted else ()
    return Row(subject.label(curve), (*rate_cells(curve, subject.at), *counts, *note))


def _note_at(subject: TuningSubject, curve: Curve) -> str:
    """Why rates have no interval at the chosen threshold, or how it must be read; empty when neither."""
    place = (curve.split, curve.variant)
    found = next((a for a in subject.candidate.sweep.at_threshold if (a.split, a.variant) == place), None)
    if found is None:
        return interval_note(curve)
    notes: dict[str, list[str]] = {}
    for rate, one in found.intervals.items():
        if one.note:
            notes.setdefault(one.note, []).append(RATES[rate].lower() if rate != "f1" else "F1")
    return "; ".join(n if len(rates) == len(RATES) else f"{listed(rates)}: {n}" for n, rates in notes.items())


def threshold_table(subject: TuningSubject, mark: str) -> Table:
    """The thresholds as they stood for choice: rates, counts and whether the constraints are shown to be met."""
    curve = subject.curve(subject.chosen_on)
    certainty = subject.candidate.sweep.certainty
    p_values = certainty.p_values if certainty else ()
    columns = ("Threshold", *RATES.values(), *COUNTS, *(("Constraints shown",) if p_values else ()))
    rows = []
    for i in subject.shown if curve else ():
        assert curve is not None
        point, chosen = point_at(curve, i), i == subject.at
        shown = (_shown_cell(p_values[i]),) if p_values else ()
        counts = (whole(point.tp), whole(point.fp), whole(point.fn))
        rows.append(Row(_mark(subject, i), (*rate_cells(curve, i), *counts, *shown), style="chosen" if chosen else ""))
    caption = (
        f"What there was to choose from: clean images, {size_words(curve, subject.chosen_on)}. In brackets: the 95 % "
        "interval at that threshold alone. The chosen one was picked here, so its numbers flatter here. Every other "
        "threshold is in tuning.csv."
    )
    empty = "There was no split to choose on."
    return Table(f"{mark}-thresholds", caption, columns, tuple(rows), empty)


def _shown_cell(p: float | None) -> Cell:
    if p is None:
        return Cell("too little to test", "missing")
    return Cell(f"{'yes' if p <= ERROR else 'no'} (p = {p:.3f})", "number")


def _mark(subject: TuningSubject, place: int) -> str:
    return f"{threshold_text(subject.thresholds[place])}{' (chosen)' if place == subject.at else ''}"


def cost_table(subject: TuningSubject, split: str | None, mark: str) -> Table:
    """What each neighbouring threshold would change against the chosen one, on one split."""
    measured = next((one for one in subject.costs if one.split == split), None)
    by_threshold = {one.threshold: one for one in measured.costs} if measured else {}
    curve = subject.curve(split)
    rows = []
    if curve is not None and subject.at is not None:
        for i in subject.shown:
            if i != subject.at:
                cost = by_threshold.get(subject.thresholds[i])
                rows.append(Row(_mark(subject, i), _cost_cells(curve, subject.at, i, cost)))
    bias = (
        f"The chosen one was picked on {split}, so what it gains over others here flatters."
        if split == subject.chosen_on
        else NOT_AGAIN
    )
    caption = (
        f"Each threshold minus the chosen {threshold_text(subject.chosen)}, clean images, {size_words(curve, split)}. "
        "In brackets: the paired 95 % interval of the difference, not corrected for the number of rows; counts are of "
        f"these images. {bias}"
    )
    columns = ("Threshold", "TP", "FP", "FN", "Recall", "Precision", "F1", "False positives per image")
    empty = "There is nothing to compare: no threshold was chosen, or the split was not measured."
    return Table(f"{mark}-costs-{split}", caption, columns, tuple(rows), empty)


def _cost_cells(curve: Curve, chosen: int, other: int, cost: ThresholdCost | None) -> tuple[Cell, ...]:
    here, there = point_at(curve, chosen), point_at(curve, other)
    cells = [Cell(_count(getattr(there, n) - getattr(here, n)), "number") for n in ("tp", "fp", "fn")]
    for rate in ("recall", "precision", "f1", "fppi"):
        a, b = getattr(there, rate), getattr(here, rate)
        plain = Estimate.of(None if a is None or b is None else a - b)
        value = Estimate.of(plain.value, interval=cost.intervals.get(rate)) if cost else plain
        ends = interval(value) if value.has_interval else "(no interval)"
        words = f"{signed(value)} {ends}" if value.value is not None else value.missing
        cells.append(Cell(words, "number" if value.value is not None else "missing"))
    return tuple(cells)


def _count(change: int) -> str:
    return f"{change:+,}" if change else "0"


def opinion_table(subject: TuningSubject, mark: str) -> Table:
    """Other thresholds that could be argued for, and what they give on the judging split."""
    sweep, judged = subject.candidate.sweep, subject.judged_on
    found = sweep.certainty
    chosen_on = subject.chosen_on or "no split"
    opinions: list[tuple[str, float | None, str]] = [("chosen by the rule", subject.chosen, chosen_on)]
    if found is not None:
        opinions.append(("chosen most often in resamples", found.modal_threshold, chosen_on))
        if sweep.choice.constraints != ThresholdConstraints():
            opinions.append(("shown to meet the constraints", found.certified_threshold, chosen_on))
    if sweep.lrp is not None:
        opinions.append(("smallest localisation recall precision error", sweep.lrp.threshold, chosen_on))
    opinions += [("highest floor over all variants", one.threshold, one.split) for one in sweep.max_min]
    caption = (
        f"Second opinions, and what they give on clean images of {judged} (no choice is made there). An opinion made "
        f"on {judged} describes and must not be followed: it would be chosen where it is judged. Between two swept "
        "thresholds the nearer one is read."
    )
    columns = ("Opinion", "Threshold", "Made on", "Read at", *RATES.values())
    rows = tuple(_opinion_row(subject, *opinion) for opinion in opinions)
    return Table(f"{mark}-opinions", caption, columns, rows)


def _opinion_row(subject: TuningSubject, name: str, threshold: float | None, made_on: str) -> Row:
    steps = [b - a for a, b in zip(subject.thresholds, subject.thresholds[1:], strict=False)]
    at = None if threshold is None else nearest(subject.thresholds, threshold, max([*steps, 0.0]) / 2 + 1e-9)
    judge = subject.curve(subject.judged_on)
    if threshold is not None and at is None:
        rates: tuple[Cell, ...] = (Cell("outside the sweep", "missing"),) * len(RATES)
    elif threshold is None:
        rates = (Cell("no such threshold", "missing"),) * len(RATES)
    else:
        rates = rate_cells(judge, at)
    return Row(
        name,
        (
            Cell(
                "none" if threshold is None else f"{threshold:.3f}".removesuffix("0"),
                "number" if at is not None else "missing",
            ),
            Cell(made_on),
            Cell(
                threshold_text(None if at is None else subject.thresholds[at]),
                "number" if at is not None else "missing",
            ),
            *rates,
        ),
        style="chosen" if name == "chosen by the rule" else "",
    )


def opinion_facts(subject: TuningSubject) -> tuple[Fact, ...]:
    """The sentences behind the second opinions."""
    sweep = subject.candidate.sweep
    facts = []
    if sweep.lrp is not None and sweep.lrp.lrp is not None:
        parts = (
            ("class by class", sweep.lrp.olrp),
            ("boxes that are off (1 - IoU)", sweep.lrp.localisation),
            ("share of false alarms", sweep.lrp.false_positive),
            ("share of misses", sweep.lrp.false_negative),
        )
        told = ", ".join(f"{name} {value:.3f}" for name, value in parts if value is not None)
        where = "no detection at all" if sweep.lrp.threshold is None else f"{sweep.lrp.threshold:.3f}"
        facts.append(
            Fact(
                "Localisation recall precision error",
                f"{sweep.lrp.lrp:.3f} at {where} on {subject.chosen_on}, the smallest of one threshold for all classes "
                f"({told}); no interval",
            )
        )
    facts += [Fact(f"Highest floor over the variants of {one.split}", one.reason) for one in sweep.max_min]
    return tuple(facts)


def flip_tables(subject: TuningSubject, mark: str) -> tuple[Table, ...]:
    """Images that change from the chosen threshold to one below and one above it."""
    return tuple(_flip_table(costs, flips, mark) for costs in subject.costs for flips in costs.flips)


def _flip_table(costs: ThresholdCosts, flips: Flips, mark: str) -> Table:
    there = threshold_text(flips.threshold)
    lower, n = flips.threshold < costs.chosen, len(flips.images)
    listing = f"the {n} with most of them" if flips.n_changed > n else f"all {n} with most of them"
    caption = (
        f"From {threshold_text(costs.chosen)} to {there}, clean images of {costs.split}: boxes "
        f"{'appear' if lower else 'disappear'} in {flips.n_changed:,} of {plural(costs.n_images, 'image')}; {listing}. "
        "Counted, so there is no interval."
    )
    rows = tuple(
        Row(
            f"image {one.image_id}",
            (whole(one.n_objects), Cell(_count(one.tp), "number"), Cell(_count(one.fp), "number")),
        )
        for one in flips.images
    )
    empty = f"No image of {costs.split} changes from {threshold_text(costs.chosen)} to {there}."
    return Table(
        f"{mark}-flips-{costs.split}-{there}", caption, ("Image", "Objects", "Hits", "False alarms"), rows, empty
    )
