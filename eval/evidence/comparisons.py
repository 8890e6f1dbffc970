"""From the stored replicates of several candidates to the comparisons of a study (pure).

Everything is paired: all candidates were weighted by the same draws of the same images. Candidates whose replicates
were drawn otherwise, or are not there, are named and left out, never compared as if they were independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN
from robust.eval.evidence.compared import (
    ComparisonEvidence,
    ContrastEvidence,
    PairEvidence,
    SettingEvidence,
    SettingPairEvidence,
    WinnerEvidence,
)
from robust.eval.evidence.configurations import unique_labels, without_duplicates
from robust.eval.evidence.measure import SELECTION_METRICS
from robust.eval.evidence.records import CandidateEvidence, CellEvidence, ConfigurationEvidence, Curve, Evidence
from robust.eval.evidence.replicates import Replicates
from robust.eval.metrics.comparison import Comparison, compare, with_holm
from robust.eval.metrics.linear_contrast import SeedGroup
from robust.eval.metrics.optimism import corrected_winner
from robust.eval.metrics.records import CocoMetrics
from robust.eval.metrics.seeds import contrasts, setting_difference, setting_estimate

Question = tuple[str, str, str]
"""Split, variant, metric."""

MARGIN = 0.02
"""Loss of AP50, or of recall at the operating point, up to which a candidate counts as not worse (a convention)."""
ALL_VARIANTS = "all variants"
RATES = ("precision", "recall", "f1", "fppi")
VARIANT_METRICS = ("AP", "AP50", "AP75", "AR100", "recall")
PAIR_METRICS = ("AP", "AP50", "recall")
SETTING_METRICS = ("AP", "AP50", "AR100")
MOST_IN_ALL_PAIRS = 16
"""With more candidates each is compared with the best one on the split that selects, not with every other."""


@dataclass(frozen=True, eq=False)
class Column:
    """One number of one candidate with its replicates."""

    value: float | None
    replicates: NDArray[np.float64]
    n_units: int


@dataclass(frozen=True, eq=False)
class Compared:
    """What comparisons are made of.

    Attributes:
        evidence: Of all candidates.
        replicates: Key of a candidate -> its replicates.
    """

    evidence: Evidence
    replicates: Mapping[str, Replicates]

    def column(self, candidate: CandidateEvidence, split: str, variant: str, metric: str) -> Column | None:
        """One number with its replicates; None when one of the two is missing."""
        stored = self.replicates.get(candidate.key)
        found = stored.get(split, variant, metric) if stored else None
        if stored is None or found is None:
            return None
        n_units = stored.n_units.get(variant if variant in stored.n_units else split, 0)
        return Column(_value(candidate, split, variant, metric), found, n_units)


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
    groups = _groups(evidence, candidates)
    selects = _selecting_split(candidates[0])
    winners = _winners(study, candidates, selects)
    pairs, not_paired = _pairs(candidates, winners)
    return ComparisonEvidence(
        against_baseline=tuple(_against_baseline(study, candidates, judged)),
        between_candidates=tuple(_between(study, pairs, judged)),
        settings=tuple(_settings(study, groups, judged)),
        setting_pairs=tuple(_setting_pairs(study, groups, judged)),
        contrasts=tuple(_contrasts(study, groups, judged)),
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


def _value(candidate: CandidateEvidence, split: str, variant: str, metric: str) -> float | None:
    if variant == ALL_VARIANTS:
        name, _, base = metric.partition(" ")
        found = next((r for r in candidate.robustness if r.metric == base), None)
        aggregate: float | None = getattr(found, name) if found else None
        return aggregate
    if metric in RATES:
        return _rate(candidate, split, variant, metric)
    found_cell = _cell(candidate.cells, split, variant)
    return None if found_cell is None else found_cell.coco.model_dump()[metric]


def _cell(cells: Sequence[CellEvidence], split: str, variant: str) -> CellEvidence | None:
    return next((cell for cell in cells if (cell.split, cell.variant) == (split, variant)), None)


def _rate(candidate: CandidateEvidence, split: str, variant: str, rate: str) -> float | None:
    """The rate at the candidate's own threshold."""
    curves: Sequence[Curve] = candidate.sweep.curves
    found = next((curve for curve in curves if (curve.split, curve.variant) == (split, variant)), None)
    threshold = candidate.sweep.choice.threshold
    if found is None or threshold not in found.thresholds:
        return None
    point = found.points[found.thresholds.index(threshold)]
    value: float | None = getattr(point, rate)
    return value


def baseline_of(evidence: Evidence, candidate: CandidateEvidence) -> CandidateEvidence | None:
    """The baseline that a candidate must beat, if it was evaluated."""
    wanted = (candidate.baseline_sha256, candidate.imgsz)
    return next(
        (c for c in evidence.candidates if c.role == "baseline" and (c.weights_sha256, c.imgsz) == wanted), None
    )


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


def no_interval(candidate: CandidateEvidence, question: Question) -> str:
    """Why a number has no interval of its own; empty when it has one. What carries no level carries no difference."""
    split, variant, metric = question
    if variant == ALL_VARIANTS:
        name, _, base = metric.partition(" ")
        found = next((r.intervals.get(name) for r in candidate.robustness if r.metric == base), None)
    elif metric in RATES:
        places = (a for a in candidate.sweep.at_threshold if (a.split, a.variant) == (split, variant))
        found = next((a.intervals.get(metric) for a in places), None)
    else:
        cell = _cell(candidate.cells, split, variant)
        found = cell.intervals.get(metric) if cell else None
    if found is None:
        return "too little carries one of the two"
    return "" if found.low is not None else found.note


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


@dataclass(frozen=True, eq=False)
class _Group:
    """The candidates of one configuration that count, and its label, which no other one has."""

    label: str
    members: Sequence[CandidateEvidence]


def _groups(evidence: Evidence, candidates: Sequence[CandidateEvidence]) -> list[_Group]:
    """Candidates of one configuration, the same seed and the same weights once; unknown seeds left out."""
    everybody = [c.configuration for c in evidence.candidates if c.role == "candidate"]
    labels = unique_labels(tuple(dict.fromkeys(everybody)))
    by_configuration: dict[ConfigurationEvidence, list[CandidateEvidence]] = {}
    for candidate in candidates:
        by_configuration.setdefault(candidate.configuration, []).append(candidate)
    found = [
        _Group(labels[shared], [c for c in without_duplicates(members) if c.seed is not None])
        for shared, members in by_configuration.items()
    ]
    return [group for group in found if group.members]


def _seed_group(
    study: Compared, members: Sequence[CandidateEvidence], question: Question
) -> tuple[SeedGroup, int] | None:
    if any(no_interval(candidate, question) for candidate in members):
        return None
    columns = [study.column(candidate, *question) for candidate in members]
    known = [column for column in columns if column is not None and column.value is not None]
    if not known or len(known) < len(columns):
        return None
    values = tuple(column.value for column in known if column.value is not None)
    return SeedGroup(values, np.stack([column.replicates for column in known])), known[0].n_units


def _settings(study: Compared, groups: Sequence[_Group], judged: str) -> Iterator[SettingEvidence]:
    for group in groups:
        members = group.members
        splits = dict.fromkeys(cell.split for cell in members[0].cells if cell.variant == CLEAN)
        asked = [(split, CLEAN, metric) for split in splits for metric in SETTING_METRICS]
        for question in [*asked, (judged, ALL_VARIANTS, "mPC AP50"), (judged, ALL_VARIANTS, "rPC AP50")]:
            found = _seed_group(study, members, question)
            if found is None:
                continue
            split, variant, metric = question
            yield SettingEvidence(
                label=group.label,
                split=split,
                variant=variant,
                metric=metric,
                members=tuple(candidate.key for candidate in members),
                estimate=setting_estimate(found[0], found[1]),
            )


def _setting_pairs(study: Compared, groups: Sequence[_Group], judged: str) -> Iterator[SettingPairEvidence]:
    for metric in ("AP", "AP50"):
        for one, other in combinations(groups, 2):
            first, second = (_seed_group(study, group.members, (judged, CLEAN, metric)) for group in (one, other))
            if first is None or second is None:
                continue
            yield SettingPairEvidence(
                first=one.label,
                second=other.label,
                split=judged,
                variant=CLEAN,
                metric=metric,
                comparison=setting_difference(first[0], second[0], first[1]),
            )


def _contrasts(study: Compared, groups: Sequence[_Group], judged: str) -> Iterator[ContrastEvidence]:
    for metric in ("AP", "AP50"):
        reason = _no_grid([group.members[0] for group in groups])
        cells: dict[tuple[int, float], SeedGroup] = {}
        n_units = 0
        for group in () if reason else groups:
            found = _seed_group(study, group.members, (judged, CLEAN, metric))
            if found is None:
                reason = f"{metric} is missing for {group.label}"
                break
            configuration = group.members[0].configuration
            cells[configuration.imgsz or 0, configuration.lr0 or 0.0] = found[0]
            n_units = found[1]
        made, why = ((), reason) if reason else contrasts(cells, n_units)
        yield ContrastEvidence(split=judged, variant=CLEAN, metric=metric, contrasts=tuple(made), reason=why)


def _no_grid(first_of_each: Sequence[CandidateEvidence]) -> str:
    """Why the configurations are no grid of image size and learning rate; empty when they are one."""
    shared = {c.configuration.model_copy(update={"imgsz": None, "lr0": None, "label": ""}) for c in first_of_each}
    if len(shared) > 1:
        return "the configurations differ in more than image size and learning rate"
    if any(c.configuration.imgsz is None or c.configuration.lr0 is None for c in first_of_each):
        return "image size or learning rate is not known"
    return "" if len(first_of_each) > 1 else "there is one configuration only"


def _selecting_split(candidate: CandidateEvidence) -> str:
    """The split that candidates are selected on: the other one than that which judges, or the only one."""
    splits = [cell.split for cell in candidate.cells if cell.variant == CLEAN]
    return next((split for split in splits if split != candidate.judged_on), candidate.judged_on)


def _winners(study: Compared, candidates: Sequence[CandidateEvidence], split: str) -> tuple[WinnerEvidence, ...]:
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
        )
        keys = tuple(key for key, _, _ in rows)
        found.append(WinnerEvidence(split=split, metric=metric, candidates=keys, check=check))
    return tuple(found)
