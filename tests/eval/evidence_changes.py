"""Changes of the evidence for tests: other severities, shared images."""

from __future__ import annotations

from robust.eval.evidence.records import CandidateEvidence, Evidence, LeakageEvidence
from robust.eval.metrics.robustness import robustness as aggregate

from .evidence_builder import change_candidates


def sharing(evidence: Evidence, pair: tuple[str, str], n_identical: int, n_near_duplicates: int = 0) -> Evidence:
    """Evidence in which two splits, or a split and a recorded set, share images."""
    others = [leak for leak in evidence.data.leakage if set(leak.splits) != set(pair)]
    leak = LeakageEvidence(splits=pair, n_identical=n_identical, n_near_duplicates=n_near_duplicates)
    return evidence.model_copy(update={"data": evidence.data.model_copy(update={"leakage": (*others, leak)})})


def of_severities(evidence: Evidence, *severities: int) -> Evidence:
    """Evidence of a suite that holds these severities only."""
    wanted = {0, *severities}

    def holds(variant: str) -> bool:
        return int(variant.partition("/")[2] or 0) in wanted

    def drop(c: CandidateEvidence) -> CandidateEvidence:
        cells = tuple(cell for cell in c.cells if holds(cell.variant))
        robust = []
        for found in c.robustness:
            values = {
                (cell.variant.split("/")[0], int(cell.variant.split("/")[1])): getattr(cell.coco, found.metric)
                for cell in cells
                if "/" in cell.variant
            }
            robust.append(aggregate(found.metric, found.clean, values))
        curves = tuple(one for one in c.sweep.curves if holds(one.variant))
        recalled = tuple(one for one in c.sweep.recalls if holds(one.variant))
        sweep = c.sweep.model_copy(update={"curves": curves, "recalls": recalled})
        return c.model_copy(update={"cells": cells, "robustness": tuple(robust), "sweep": sweep})

    variants = tuple(v for v in evidence.suite.variants if v.severity in wanted)
    suite = evidence.suite.model_copy(update={"variants": variants})
    return change_candidates(evidence.model_copy(update={"suite": suite}), drop)
