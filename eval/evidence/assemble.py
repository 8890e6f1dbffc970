"""The evidence of data and suite, and that of several candidates put together (pure: no clock, no files, no model)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from robust.corruptions.records import Variant
from robust.corruptions.suites import Suite
from robust.datasets.counts import count_split
from robust.datasets.records import Dataset
from robust.errors import UsageError
from robust.eval.evidence.records import (
    DataEvidence,
    Evidence,
    LeakageEvidence,
    NotEvaluated,
    SplitEvidence,
    SuiteEvidence,
    VariantEvidence,
)
from robust.eval.records import GroundTruth


def split_evidence(dataset: Dataset) -> SplitEvidence:
    """Count one split from the data itself."""
    counts = count_split(dataset)
    shared = {name: getattr(counts, name) for name in SplitEvidence.model_fields if hasattr(counts, name)}
    return SplitEvidence(split=dataset.split, fingerprint=dataset.fingerprint, **shared)


def data_evidence(
    datasets: Mapping[str, Dataset], leaks: Mapping[tuple[str, str], tuple[int, int]], name: str
) -> DataEvidence:
    """Describe the data set.

    Args:
        datasets: Split -> data set.
        leaks: Pair of splits -> (identical images, near-duplicates).
        name: Of the whole data set.
    """
    first = next(iter(datasets.values()))
    return DataEvidence(
        name=name,
        categories=tuple(category.name for category in first.categories),
        splits=tuple(split_evidence(dataset) for dataset in datasets.values()),
        leakage=tuple(
            LeakageEvidence(splits=pair, n_identical=identical, n_near_duplicates=near)
            for pair, (identical, near) in leaks.items()
        ),
    )


def suite_evidence(
    suite: Suite, truths: Sequence[tuple[Variant, GroundTruth]], recorded: Sequence[VariantEvidence] = ()
) -> SuiteEvidence:
    """Describe the variants of a suite with their ground truth, and the recorded sets beside them."""
    return SuiteEvidence(
        name=suite.name,
        seed=suite.seed,
        variants=tuple(
            VariantEvidence(
                name=variant.name,
                corruption=variant.corruption,
                severity=variant.severity,
                parameters=dict(variant.parameters),
                ground_truth=variant.ground_truth,
                recipe_sha256=variant.sha256,
                ground_truth_sha256=truth.sha256,
                n_images=len(truth.image_ids),
                n_objects=truth.n_objects,
                n_ignored=int(truth.iscrowd.sum()),
                trained_on=variant.corruption in suite.trained_on,
            )
            for variant, truth in truths
        )
        + tuple(recorded),
        trained_on=suite.trained_on,
    )


def merge(parts: Sequence[Evidence], not_evaluated: Sequence[NotEvaluated] = ()) -> Evidence:
    """Put the evidence of several candidates together.

    Candidates and baselines come once each, sorted by role and name. Versions that differ between the parts are all
    named.

    Raises:
        UsageError: the parts were measured on other data or another suite, so they cannot be compared.
    """
    first = parts[0]
    for part in parts[1:]:
        if comparable(part) != comparable(first):
            raise UsageError(
                "These evaluations cannot be compared.",
                "They were made on different data, with different suites, or with other replicates.",
                "Evaluate all of them with the same --data, --suite and --replicates.",
            )
    candidates = {c.identity: c for part in parts for c in part.candidates}
    missing = {(n.name, n.run_id): n for n in (*(n for part in parts for n in part.not_evaluated), *not_evaluated)}
    names = sorted({name for part in parts for name in part.environment})
    return Evidence(
        experiment=first.experiment,
        resampling=first.resampling,
        data=first.data,
        suite=first.suite,
        candidates=tuple(sorted(candidates.values(), key=lambda c: (c.role != "candidate", c.name, *c.identity))),
        not_evaluated=tuple(missing[key] for key in sorted(missing, key=lambda k: (k[0], k[1] or ""))),
        environment={
            name: " | ".join(sorted({part.environment[name] for part in parts if name in part.environment}))
            for name in names
        },
    )


def comparable(evidence: Evidence) -> tuple[object, ...]:
    """What two evaluations must share to be compared: the data whatever its name, the suite, and the replicates."""
    data = evidence.data
    return data.categories, data.splits, data.leakage, evidence.suite, evidence.resampling


def require_one_rule(evidence: Evidence) -> None:
    """Check that all thresholds were chosen alike, before they are put side by side in a decision.

    Raises:
        UsageError: some candidates were swept with other thresholds or limits than the rest.
    """
    sweeps = [candidate.sweep for candidate in evidence.candidates]
    if len({(s.start, s.stop, s.step, s.choice.constraints) for s in sweeps}) > 1:
        raise UsageError(
            "The thresholds of these candidates were chosen by different rules.",
            "Some were swept with other limits than the rest.",
            "Run `robust sweep` once over all of them, with one set of limits.",
        )
