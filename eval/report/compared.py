"""Comparisons: candidates with their baseline, effects of the settings, and what selection did to the winner."""

from __future__ import annotations

from robust.eval.decision.claims import interval, listed, plural, signed
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN
from robust.eval.evidence.compared import ContrastEvidence, PairEvidence, WinnerEvidence
from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.seeds import Contrast
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.view import View, number, text, whole

MANY = 10**7
"""Numbers of images from which on only the order of magnitude means anything."""

NO_PAIR = "No candidate was compared with its starting weights: one of the two was not evaluated."


def comparison_table(view: View) -> Table:
    """Each candidate minus its baseline on clean images of the split that judges."""
    names = {c.key: c.name for c in view.study.everybody}
    rows = tuple(_pair_row(pair, names) for pair in view.study.comparisons.against_baseline if _shown(view, pair))
    columns = (
        "Candidate minus starting weights", "Difference", "p (Holm)", "Verdict", "Smallest difference seen",
        "Images needed",
    )  # fmt: skip
    caption = (
        f"{view.metric} on clean images, paired on the same images, {view.counts(view.judged_on)}. In brackets: the "
        "95 % interval of the difference. Smallest difference seen: what this many images show with power 80 %. Images "
        "needed: to show a difference as large as the observed one with power 80 %, if it is the true one."
    )
    return Table("comparisons", caption, columns, rows, NO_PAIR)


def _shown(view: View, pair: PairEvidence) -> bool:
    found = pair.comparison
    return (found.split, found.variant, found.metric) == (view.judged_on, CLEAN, view.metric)


def _pair_row(pair: PairEvidence, names: dict[str, str]) -> Row:
    found = pair.comparison
    return Row(
        names.get(pair.first, pair.first),
        (
            difference_cell(found.difference, found.interval),
            number(found.p_holm, "not corrected"),
            text(verdict_words(found)),
            number(found.smallest_detectable, "not known"),
            _images(found.images_needed),
        ),
    )


def verdict_words(found: Comparison) -> str:
    """The verdict, taken back where it does not survive the correction for the other candidates."""
    told = found.verdict in {"superior", "worse", "worse beyond margin"}
    return "cannot tell, corrected for all candidates" if told and not found.is_shown else found.verdict


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


def effect_table(view: View) -> Table:
    """Effects of image size and learning rate, in a complete grid."""
    found = [c for c in view.study.comparisons.contrasts if c.metric == view.metric]
    rows = tuple(_effect_row(contrast) for one in found for contrast in one.contrasts)
    caption = (
        f"Effects on {view.metric} in this grid, clean images, {view.counts(view.judged_on)}: differences of means, "
        "each averaged over the levels of the other setting. The interval holds the spread of the seeds and of the "
        "images; it needs 3 seeds a configuration, a claim needs 5."
    )
    return Table("effects", caption, ("Effect", "Difference", "Fewest seeds", "p", "Claim"), rows, _no_effects(found))


def _effect_row(contrast: Contrast) -> Row:
    cells = (
        difference_cell(contrast.difference, contrast.interval),
        whole(min(contrast.n_seeds)),
        number(contrast.p_value, "no interval"),
        Cell(_claim(contrast)),
    )
    return Row(effect_name(contrast), cells)


def _claim(contrast: Contrast) -> str:
    found = contrast.interval
    if not contrast.can_claim:
        return "too few seeds for a claim"
    if found.low is None or found.high is None or found.low <= 0 <= found.high:
        return "no effect shown"
    return "shown, uncorrected for the other effects"


def effect_name(contrast: Contrast) -> str:
    """The effect in words: the higher level minus the lower one."""
    sizes, rates = ([f"{level:g}" for level in levels] for levels in (contrast.imgsz, contrast.lr0))
    if contrast.kind == "imgsz":
        return f"image size: {' minus '.join(reversed(sizes))}, averaged over lr0 {listed(rates)}"
    if contrast.kind == "lr0":
        return f"lr0: {' minus '.join(reversed(rates))}, averaged over image size {listed(sizes)}"
    return f"interaction: image size {' minus '.join(reversed(sizes))}, at lr0 {' minus '.join(reversed(rates))}"


def _no_effects(found: list[ContrastEvidence]) -> str:
    why = next((one.reason for one in found if one.reason), "there is no complete grid")
    return f"Effects of image size and learning rate: not assessed ({why})."


def selection_facts(view: View) -> tuple[Fact, ...]:
    """What the best candidate on the selection split is worth when selection is corrected for."""
    metric = view.policy.selection.metric
    found = next((w for w in view.study.comparisons.winners if w.metric == metric), None)
    if found is None:
        return (
            Fact(
                "Selection among candidates",
                "not assessed: fewer than two candidates, or too little carries their numbers",
            ),
        )
    return _winner_facts(view, found)


def _winner_facts(view: View, found: WinnerEvidence) -> tuple[Fact, ...]:
    names = {c.key: c.name for c in view.study.everybody}
    check = found.check
    often = f"{check.frequency:.0%} of resamples" if check.frequency is not None else "not known"
    stable = "a stable choice" if check.is_stable else "not a stable choice (90 % would be)"
    corrected = f"{check.corrected:.3f}" if check.corrected is not None else "not defined"
    return (
        Fact(f"Highest on {found.split}", names.get(found.candidates[check.winner], "unknown")),
        Fact(
            f"{found.metric} there",
            f"{check.apparent:.3f} as observed, {corrected} when corrected for choosing the highest of "
            f"{plural(check.n_candidates, 'candidate')} on the same images",
        ),
        Fact("It would be chosen again in", f"{often}: {stable}"),
    )
