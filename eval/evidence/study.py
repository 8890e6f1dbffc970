"""The evidence of a whole study: that of its candidates put together, and compared (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.evidence.assemble import merge
from robust.eval.evidence.comparisons import compare_study
from robust.eval.evidence.records import Evidence, NotEvaluated
from robust.eval.evidence.replicates import Replicates


@dataclass(frozen=True, eq=False)
class EvidencePart:
    """What one evaluation holds.

    Attributes:
        evidence: Of one candidate.
        replicates: Behind its intervals; None when they are lost, and then it cannot be compared.
    """

    evidence: Evidence
    replicates: Replicates | None


def assemble_study(parts: Sequence[EvidencePart], not_evaluated: Sequence[NotEvaluated] = ()) -> Evidence:
    """Put the evidence of several evaluations together, and compare their candidates.

    Raises:
        UsageError: they were measured on other data or another suite, so they cannot be compared.
    """
    merged = merge([part.evidence for part in parts], not_evaluated)
    replicates = {
        candidate.key: part.replicates
        for part in parts
        for candidate in part.evidence.candidates
        if part.replicates is not None
    }
    return merged.model_copy(update={"comparisons": compare_study(merged, replicates)})
