"""Configurations compared: means over seeds, their differences, and the effects of a grid (pure).

Images are paired as for candidates; seeds never are, and their spread is part of every interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from robust.corruptions.records import CLEAN
from robust.eval.evidence.columns import ALL_VARIANTS, Compared, Question, baseline_of, no_interval
from robust.eval.evidence.compared import (
    ContrastEvidence,
    SettingEvidence,
    SettingOverBaselineEvidence,
    SettingPairEvidence,
)
from robust.eval.evidence.configurations import unique_labels, without_duplicates
from robust.eval.evidence.records import CandidateEvidence, ConfigurationEvidence, Evidence
from robust.eval.metrics.linear_contrast import SeedGroup
from robust.eval.metrics.seeds import contrasts, setting_difference, setting_estimate

SETTING_METRICS = ("AP", "AP50", "AR100")
PAIR_METRICS = ("AP", "AP50")


@dataclass(frozen=True, eq=False)
class SettingGroup:
    """The candidates of one configuration that count, and its label, which no other one has."""

    label: str
    members: Sequence[CandidateEvidence]


def setting_groups(evidence: Evidence, candidates: Sequence[CandidateEvidence]) -> list[SettingGroup]:
    """Candidates of one configuration, the same seed and the same weights once; unknown seeds left out."""
    everybody = [c.configuration for c in evidence.candidates if c.role == "candidate"]
    labels = unique_labels(tuple(dict.fromkeys(everybody)))
    by_configuration: dict[ConfigurationEvidence, list[CandidateEvidence]] = {}
    for candidate in candidates:
        by_configuration.setdefault(candidate.configuration, []).append(candidate)
    found = [
        SettingGroup(labels[shared], [c for c in without_duplicates(members) if c.seed is not None])
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


def settings(study: Compared, groups: Sequence[SettingGroup], judged: str) -> Iterator[SettingEvidence]:
    """Each configuration as the mean over its seeds, on clean images of every split and over the suite."""
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


def setting_pairs(study: Compared, groups: Sequence[SettingGroup], judged: str) -> Iterator[SettingPairEvidence]:
    """Every two configurations, on clean images."""
    for metric in PAIR_METRICS:
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


def settings_over_baseline(
    study: Compared, groups: Sequence[SettingGroup], judged: str
) -> Iterator[SettingOverBaselineEvidence]:
    """Each configuration minus the fixed weights that all of its candidates must beat."""
    for metric, group in ((metric, group) for metric in PAIR_METRICS for group in groups):
        baselines = [baseline_of(study.evidence, candidate) for candidate in group.members]
        fixed = baselines[0]
        if fixed is None or fixed.key not in study.replicates or any(one != fixed for one in baselines):
            continue
        question = (judged, CLEAN, metric)
        mine, other = (_seed_group(study, members, question) for members in (group.members, [fixed]))
        if mine is None or other is None:
            continue
        yield SettingOverBaselineEvidence(
            setting=group.label,
            baseline=fixed.key,
            split=judged,
            variant=CLEAN,
            metric=metric,
            comparison=setting_difference(mine[0], replace(other[0], fixed=True), mine[1]),
        )


def grid_contrasts(study: Compared, groups: Sequence[SettingGroup], judged: str) -> Iterator[ContrastEvidence]:
    """Effects of image size and learning rate, or why there are none."""
    for metric in PAIR_METRICS:
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
