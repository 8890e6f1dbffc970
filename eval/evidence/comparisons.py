"""From the stored replicates of several candidates to the comparisons of a study (pure).

Everything is paired: all candidates were weighted by the same draws of the same images. Candidates whose replicates
were drawn otherwise, or are not there, are named and left out, never compared as if they were independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from robust.corruptions.records import CLEAN
from robust.eval.evidence.columns import ALL_VARIANTS, RATES, Compared, Question, baseline_of, no_interval
from robust.eval.evidence.compared import (
    ComparisonEvidence,
    PairEvidence,
    WinnerEvidence,
)
from robust.eval.evidence.configurations import without_duplicates
from robust.eval.evidence.measure import SELECTION_METRICS
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.setting_comparisons import (
    grid_contrasts,
    setting_groups,
    setting_pairs,
    settings,
    settings_over_baseline,
)
from robust.eval.metrics.comparison import Comparison, compare, with_holm
from robust.eval.metrics.optimism import corrected_winner
from robust.eval.metrics.records import CocoMetrics

MARGIN = 0.02
"""Loss of AP50, or of recall at the operating point, up to which a candidate counts as not worse (a convention)."""
VARIANT_METRICS = ("AP", "AP50", "AP75", "AR100", "recall")
PAIR_METRICS = ("AP", "AP50", "recall")
MOST_IN_ALL_PAIRS = 16
"""With more candidates each is compared with the best one on the split that selects, not with every other."""


def compare_study(evidence: Evidence, replicates: Mapping[str, Replicates]) -> ComparisonEvidence:
    """Make all comparisons.

    Args:
        evidence: Of all candidates, put together.
        replicates: Key of a candidate -> its replicates.
    """
    usable, left_out = _alike(evidence, replicates)
    study = Compared(evidence, usable)
    candidates = [c for c in evidence.candidates if c.role == "candidate" and c.key in usable]
    if not candidates:
        return ComparisonEvidence(not_compared=left_out)
    judged = candidates[0].judged_on
    groups = setting_groups(evidence, candidates)
    selects = _selecting_split(candidates[0])
    winners = _winners(study, candidates, selects)
    pairs, not_paired = _pairs(candidates, winners)
    return ComparisonEvidence(
        against_baseline=tuple(_against_baseline(study, candidates, judged)),
        between_candidates=tuple(_between(study, pairs, judged)),
        settings=tuple(settings(study, groups, judged)),
        setting_pairs=tuple(setting_pairs(study, groups, judged)),
        settings_over_baseline=tuple(settings_over_baseline(study, groups, judged)),
        contrasts=tuple(grid_contrasts(study, groups, judged)),
        winners=winners,
        not_compared=(*left_out, *not_paired),
    )


def _alike(evidence: Evidence, replicates: Mapping[str, Replicates]) -> tuple[dict[str, Replicates], tuple[str, ...]]:
    """Keep what can be paired: the draws that most candidates share."""
    drawn = [replicates[c.key].resampling for c in evidence.candidates if c.key in replicates]
    common = max(drawn, key=drawn.count) if drawn else None
    usable, left_out = {}, []
    for candidate in evidence.candidates:
        mine = replicates.get(candidate.key)
        if mine is not None and mine.resampling == common:
            usable[candidate.key] = mine
        else:
            why = "its replicates are not stored" if mine is None else "its replicates were drawn otherwise"
            left_out.append(f"{candidate.name}: {why}")
    return usable, tuple(left_out)


def _questions(candidate: CandidateEvidence, judged: str) -> Iterator[Question]:
    """Split, variant and metric of everything that is compared with the baseline."""
    for cell in candidate.cells:
        if cell.variant != CLEAN:
            names: Sequence[str] = VARIANT_METRICS
        else:
            names = (*CocoMetrics.model_fields, *RATES) if cell.split == judged else ("AP", "AP50")
        for name in names:
            yield cell.split, cell.variant, name
    for base in ("AP", "AP50"):
        yield judged, ALL_VARIANTS, f"mPC {base}"
        yield judged, ALL_VARIANTS, f"rPC {base}"


def _against_baseline(study: Compared, candidates: Sequence[CandidateEvidence], judged: str) -> Iterator[PairEvidence]:
    by_question: dict[Question, list[PairEvidence]] = {}
    for candidate in candidates:
        baseline = baseline_of(study.evidence, candidate)
        if baseline is None:
            continue
        for question in _questions(candidate, judged):
            pair = compare_pair(study, candidate, baseline, question)
            if pair is not None:
                by_question.setdefault(question, []).append(pair)
    for pairs in by_question.values():
        yield from _corrected(pairs)


def compare_pair(
    study: Compared, first: CandidateEvidence, second: CandidateEvidence, question: Question
) -> PairEvidence | None:
    """Compare two candidates in one number; None when it was not measured on both."""
    split, variant, metric = question
    one, other = (study.column(candidate, split, variant, metric) for candidate in (first, second))
    if one is None or other is None:
        return None
    refused = no_interval(first, question) or no_interval(second, question)
    margin = None if metric in {"fppi", "precision"} else MARGIN
    comparison = compare(
        one.value,
        other.value,
        one.replicates,
        other.replicates,
        one.n_units,
        split=split,
        variant=variant,
        metric=metric,
        margin=margin,
        refused=refused,
        same_weights=(first.weights_sha256, first.imgsz) == (second.weights_sha256, second.imgsz),
    )
    return PairEvidence(first=first.key, second=second.key, comparison=comparison)


def _corrected(pairs: Sequence[PairEvidence]) -> list[PairEvidence]:
    corrected: Sequence[Comparison] = with_holm([pair.comparison for pair in pairs])
    return [
        pair.model_copy(update={"comparison": comparison}) for pair, comparison in zip(pairs, corrected, strict=True)
    ]


def corrected_again(pairs: Sequence[PairEvidence], question: Question) -> tuple[PairEvidence, ...]:
    """The pairs with those of one question corrected anew (Holm), after one of them was made again."""

    def asks(pair: PairEvidence) -> bool:
        found = pair.comparison
        return (found.split, found.variant, found.metric) == question

    renewed = iter(_corrected([pair for pair in pairs if asks(pair)]))
    return tuple(next(renewed) if asks(pair) else pair for pair in pairs)


def _pairs(
    candidates: Sequence[CandidateEvidence], winners: Sequence[WinnerEvidence]
) -> tuple[list[tuple[CandidateEvidence, CandidateEvidence]], tuple[str, ...]]:
    """Which candidates are compared with which, and what is left out."""
    if len(candidates) <= MOST_IN_ALL_PAIRS:
        return list(combinations(candidates, 2)), ()
    if not winners:
        why = f"{len(candidates)} candidates are too many for all pairs, and none is known as the best one on val"
        return [], (f"candidates with each other: {why}",)
    best = winners[0].candidates[winners[0].check.winner]
    (winner,) = [c for c in candidates if c.key == best]
    return [(winner, other) for other in candidates if other is not winner], ()


def _between(
    study: Compared, pairs: Sequence[tuple[CandidateEvidence, CandidateEvidence]], judged: str
) -> Iterator[PairEvidence]:
    for metric in PAIR_METRICS:
        found = [compare_pair(study, first, second, (judged, CLEAN, metric)) for first, second in pairs]
        yield from _corrected([pair for pair in found if pair is not None])


def _selecting_split(candidate: CandidateEvidence) -> str:
    """The split that candidates are selected on: the other one than that which judges, or the only one."""
    splits = [cell.split for cell in candidate.cells if cell.variant == CLEAN]
    return next((split for split in splits if split != candidate.judged_on), candidate.judged_on)


def _winners(study: Compared, candidates: Sequence[CandidateEvidence], split: str) -> tuple[WinnerEvidence, ...]:
    settings_of = list(dict.fromkeys(candidate.configuration for candidate in candidates))
    groups = [without_duplicates([c for c in candidates if c.configuration == one]) for one in settings_of]
    counted = {candidate.key for group in groups for candidate in group}
    found = []
    for metric in SELECTION_METRICS:
        rows = []
        for candidate in candidates:
            column = study.column(candidate, split, CLEAN, metric)
            unseen = study.replicates[candidate.key].left_out.get((split, CLEAN, metric))
            carried = not no_interval(candidate, (split, CLEAN, metric))
            if carried and column is not None and column.value is not None and unseen is not None:
                rows.append((candidate.key, column, unseen))
        if len(rows) < 2 or len(rows) < len(candidates):
            continue
        check = corrected_winner(
            np.array([column.value for _, column, _ in rows], dtype=np.float64),
            np.stack([column.replicates for _, column, _ in rows]),
            np.stack([unseen for _, _, unseen in rows]),
            [settings_of.index(candidate.configuration) for candidate in candidates],
            [candidate.key in counted for candidate in candidates],
        )
        keys = tuple(key for key, _, _ in rows)
        found.append(WinnerEvidence(split=split, metric=metric, candidates=keys, check=check))
    return tuple(found)
