"""Recorded sets in the evidence: real images of a condition, with labels of their own (pure)."""

from __future__ import annotations

from robust.datasets.records import Dataset
from robust.eval.evidence.records import VariantEvidence
from robust.eval.records import GroundTruth


def recorded_evidence(name: str, dataset: Dataset, truth: GroundTruth) -> VariantEvidence:
    """Describe a recorded set as a column beside the variants.

    Args:
        name: What the condition is called.
        dataset: Its images.
        truth: Its labels.
    """
    return VariantEvidence(
        name=name,
        corruption=name,
        severity=0,
        parameters={},
        ground_truth="labelled",
        recipe_sha256=dataset.fingerprint,
        ground_truth_sha256=truth.sha256,
        n_images=len(truth.image_ids),
        n_objects=truth.n_objects,
        n_ignored=int(truth.iscrowd.sum()),
        recorded=True,
    )
