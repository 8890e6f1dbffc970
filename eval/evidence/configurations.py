"""Configurations: their labels, and which of their candidates count."""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.evidence.records import CandidateEvidence, ConfigurationEvidence


def without_duplicates(members: Sequence[CandidateEvidence]) -> tuple[CandidateEvidence, ...]:
    """The first of each seed and of each file of weights, by seed and name; unknown seeds last, by their weights."""
    kept: list[CandidateEvidence] = []
    for one in sorted(members, key=lambda c: (c.seed is None, c.seed or 0, c.name)):
        if not any(_is_twice(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _is_twice(one: CandidateEvidence, other: CandidateEvidence) -> bool:
    same = one.weights_sha256 == other.weights_sha256 or (one.seed is not None and one.seed == other.seed)
    return same and one.configuration == other.configuration


def unique_labels(configurations: Sequence[ConfigurationEvidence]) -> dict[ConfigurationEvidence, str]:
    """A label for each configuration; those that share one also show the settings in which they differ."""
    labels = {}
    for one in configurations:
        alike = [c for c in configurations if c.label == one.label]
        differing = [
            field for field in ConfigurationEvidence.model_fields if len({getattr(c, field) for c in alike}) > 1
        ]
        labels[one] = " ".join([one.label, *(f"{field}={str(getattr(one, field))[:12]}" for field in differing)])
    return labels
