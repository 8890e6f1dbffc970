"""Comparisons: candidates with their baseline, effects of the settings, and what selection did to the winner."""

from __future__ import annotations

from robust.eval.decision.claims import interval, p_words, plural, signed, verdict_of_difference
from robust.eval.decision.comparison import paired, winner_of
from robust.eval.decision.effects import effect_name
from robust.eval.decision.planning import images_for_setting, seeds_for_setting
from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import Told
from robust.eval.decision.settings import Effect, effects, no_effects, pairs
from robust.eval.decision.study import CLEAN
from robust.eval.evidence.compared import PairEvidence, WinnerEvidence
from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.interval import Interval
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.view import View, number, text, whole

MANY = 10**7
"""Numbers of images from which on only the order of magnitude means anything."""

NO_PAIR = "No candidate was compared with its starting weights: one of the two was not evaluated."


def comparison_table(view: View) -> Table:
    """Each candidate minus its baseline on clean images of the split that judges."""
    rows = tuple(_pair_row(view, pair) for pair in baseline_pairs(view))
    columns = (
        "Candidate minus starting weights", "Difference", "p (Holm)", "Verdict", "Smallest difference seen",
        "Images needed",
    )  # fmt: skip
    caption = (
        f"{view.metric} on clean images, paired on the same images, {view.counts(view.judged_on)}. In brackets: the "
        "95 % interval of the difference. Smallest difference seen: what this many images show with power 80 %. Images "
        "needed: to show a difference as large as the observed one with power 80 %, if it is the true one. Verdicts "
        "are corrected for all rows; a gate asks about the proposed candidate alone, chosen on another split, and "
        "needs no correction, so it can pass where this table shows no difference."
    )
    return Table("comparisons", caption, columns, rows, NO_PAIR)


def baseline_pairs(view: View) -> tuple[PairEvidence, ...]:
    """The comparisons that table and chart show."""
    asked = (view.judged_on, CLEAN, view.metric)
    pairs = view.study.comparisons.against_baseline
    return tuple(p for p in pairs if (p.comparison.split, p.comparison.variant, p.comparison.metric) == asked)


def _pair_row(view: View, pair: PairEvidence) -> Row:
    found = pair.comparison
    models = {c.key: c for c in view.study.everybody}
    first, second = models.get(pair.first), models.get(pair.second)
    told = Told(estimate=Estimate.of(found.difference, interval=found.interval))
    if first is not None and second is not None:
        told = paired(view.study, first, second, (found.split, found.variant, found.metric))
    return Row(
        first.name if first else pair.first,
        (
            difference_cell(found.difference, found.interval),
            _p_cell(told.p_adjusted, "no p value"),
            text(verdict_words(told, found)),
            number(found.smallest_detectable, "not known"),
            _images(found.images_needed),
        ),
    )


def verdict_words(told: Told, found: Comparison) -> str:
    """The verdict after the correction for the other candidates, and whether a loss beyond the margin is excluded."""
    verdict = verdict_of_difference(told.estimate, found.metric, p_adjusted=told.p_adjusted, margin=found.margin)
    words: str = "observed only, no interval" if verdict == "observed only" else verdict
    if verdict == "no difference shown" and found.verdict == "not worse" and found.margin is not None:
        words += f"; not worse by more than {found.margin:.3f}"
    return words


def _images(n: int | None) -> Cell:
    return Cell("more than 10 million", "number") if n is not None and n > MANY else whole(n)


def difference_cell(value: float | None, bounds: Interval) -> Cell:
    """A difference with its sign and interval, or why it has none."""
    estimate = Estimate.of(value, interval=bounds)
    if estimate.value is None:
        return Cell(estimate.missing, "missing")
    words = (
        f"{signed(estimate)} {interval(estimate)}" if estimate.has_interval else f"{signed(estimate)}: {bounds.note}"
    )
    return Cell(words, "number")


def setting_table(view: View) -> Table:
    """Every pair of configurations on the split that judges, and what would show their difference."""
    found = pairs(view.study, view.judged_on, view.metric)
    rows = tuple(
        Row(
            f"{p.evidence.first} minus {p.evidence.second}",
            (
                difference_cell(p.evidence.comparison.difference, p.evidence.comparison.interval),
                Cell(" and ".join(str(n) for n in p.evidence.comparison.n_seeds), "number"),
                _p_cell(p.told.p_adjusted, "no interval"),
                Cell(_told(p.told, can_claim=p.evidence.comparison.can_claim, metric=view.metric)),
                _needed(images_for_setting(p.evidence.comparison), "no number of images alone"),
                _needed(seeds_for_setting(p.evidence.comparison), "no number of seeds alone"),
            ),
        )
        for p in found
    )
    columns = ("Configurations", "Difference", "Seeds", "p (Holm)", "Verdict", "Images needed", "Seeds needed")
    caption = (
        f"Mean {view.metric} over the seeds, one configuration minus another, clean images, "
        f"{view.counts(view.judged_on)}. The interval holds the spread of the seeds and of the images; it needs 3 "
        "seeds of each, a claim needs 5. Needed: images (with these seeds), or seeds of each (with these images), that "
        "show a difference as large as the observed one with power 80 %, if it is the true one."
    )
    return Table("setting-pairs", caption, columns, rows, "Pairs of configurations: not assessed, none were compared.")


def _needed(n: int | None, none: str) -> Cell:
    return Cell(none, "missing") if n is None else _images(n)


def effect_table(view: View) -> Table:
    """Effects of image size and learning rate, in a complete grid."""
    rows = tuple(_effect_row(effect, view.metric) for effect in effects(view.study, view.judged_on, view.metric))
    caption = (
        f"Effects on {view.metric} in this grid, clean images, {view.counts(view.judged_on)}: differences of means, "
        "each averaged over the levels of the other setting. The interval holds the spread of the seeds and of the "
        "images; it needs 3 seeds a configuration, a claim needs 5. p is corrected over these effects (Holm)."
    )
    columns = ("Effect", "Difference", "Fewest seeds", "Degrees of freedom left by the seeds", "p (Holm)", "Verdict")
    why = no_effects(view.study, view.judged_on, view.metric)
    return Table("effects", caption, columns, rows, f"Effects of image size and learning rate: not assessed ({why}).")


def _effect_row(effect: Effect, metric: str) -> Row:
    contrast = effect.contrast
    cells = (
        difference_cell(contrast.difference, contrast.interval),
        whole(effect.n_seeds),
        whole(contrast.residual_degrees),
        _p_cell(effect.told.p_adjusted, "no interval"),
        Cell(_told(effect.told, can_claim=contrast.can_claim, metric=metric)),
    )
    return Row(effect_name(contrast), cells)


def _told(told: Told, *, can_claim: bool, metric: str) -> str:
    """The verdict about settings, which needs the seeds."""
    if not told.estimate.has_interval:
        return "observed only, no interval"
    if not can_claim:
        return "observed only, too few seeds for a claim"
    return verdict_of_difference(told.estimate, metric, p_adjusted=told.p_adjusted)


def selection_facts(view: View) -> tuple[Fact, ...]:
    """What the best candidate on the selection split is worth when selection is corrected for."""
    metric = view.policy.selection.metric
    found = winner_of(view.study, view.selected_on, metric)
    if found is None:
        return (
            Fact(
                "Selection among candidates",
                "not assessed: fewer than two candidates, or too little carries their numbers",
            ),
        )
    return _winner_facts(view, found)


def _p_cell(p: float | None, missing: str) -> Cell:
    return number(None, missing) if p is None else Cell(p_words(p), "number")


def _winner_facts(view: View, found: WinnerEvidence) -> tuple[Fact, ...]:
    names = {c.key: c.name for c in view.study.everybody}
    check = found.check
    often = f"{100 * check.frequency:.0f} % of resamples" if check.frequency is not None else "not known"
    stable = "a stable choice" if check.is_stable else "not a stable choice (90 % would be)"
    corrected = f"{check.corrected:.3f}" if check.corrected is not None else "not defined"
    return (
        Fact(f"Chosen on {found.split} by {found.metric}", names.get(found.candidates[check.winner], "unknown")),
        Fact(
            f"{found.metric} there",
            f"{check.apparent:.3f} as observed, {corrected} when corrected for choosing from "
            f"{plural(check.n_candidates, 'candidate')} on the same images",
        ),
        Fact("It would be chosen again in", f"{often}: {stable}"),
    )
