"""Changes of the evidence for tests: other severities, shared images, intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from robust.eval.evidence.compared import ComparisonEvidence, PairEvidence
from robust.eval.evidence.records import CandidateEvidence, CellAtThreshold, Evidence, LeakageEvidence
from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.misses import MissKinds
from robust.eval.metrics.records import CocoMetrics, OperatingPoint
from robust.eval.metrics.robustness import robustness as aggregate
from robust.eval.metrics.robustness_records import RobustnessEvidence
from robust.eval.metrics.worst_images import WorstImage, WorstImages

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


def with_intervals(evidence: Evidence, *, half: float = 0.02, shift: float = 0.0, gain: float = 0.05) -> Evidence:
    """Evidence whose numbers carry invented intervals.

    Args:
        evidence: To change.
        half: Half the width of every interval.
        shift: Added to both ends of the intervals of everything that should be high; the values stay.
        gain: Clean and corrupted AP and AP50 of each candidate minus its baseline.
    """

    def around(value: float | None, *, lowest: float = 0.0, highest: float = 1.0, move: float = shift) -> Interval:
        if value is None:
            return Interval.none("not defined", 500)
        low, high = (min(max(value + move + side * half, lowest), highest) for side in (-1, 1))
        return Interval(low=low, high=high, method="logit-t", se=half / 2, n_units=500)

    def measured(c: CandidateEvidence) -> CandidateEvidence:
        cells = tuple(
            one.model_copy(update={"intervals": {m: around(getattr(one.coco, m)) for m in CocoMetrics.model_fields}})
            for one in c.cells
        )
        robust = tuple(_with_robustness_intervals(found, around) for found in c.robustness)
        at = tuple(
            CellAtThreshold(
                split=one.split,
                variant=one.variant,
                intervals={
                    "precision": around(p.precision),
                    "recall": around(p.recall),
                    "f1": around(p.f1),
                    "fppi": around(p.fppi, highest=1e3, move=-shift),
                },
                misses=MissKinds(
                    threshold=p.threshold,
                    n_objects=one.n_objects,
                    n_missed=p.fn,
                    misses=(),
                    n_false_positives=p.fp,
                    false_positives=(),
                ),
                worst=_worst(p),
            )
            for one in c.sweep.curves
            for p in one.points
            if p.threshold == c.sweep.choice.threshold
        )
        sweep = c.sweep.model_copy(update={"at_threshold": at})
        return c.model_copy(update={"cells": cells, "robustness": robust, "sweep": sweep})

    changed = change_candidates(evidence, measured)
    comparisons = ComparisonEvidence(against_baseline=tuple(_gains(changed, gain, half, shift)))
    return changed.model_copy(update={"comparisons": comparisons})


def _with_robustness_intervals(
    found: RobustnessEvidence, around: Callable[[float | None], Interval]
) -> RobustnessEvidence:
    made = {"mPC": around(found.mPC), "rPC": around(found.rPC)}
    for corruption, mean in found.corruption_means.items():
        made[f"{corruption}/retained"] = around(mean / found.clean if mean is not None and found.clean else None)
    return found.model_copy(update={"intervals": made})


def _gains(evidence: Evidence, gain: float, half: float, shift: float) -> Iterator[PairEvidence]:
    baselines = {(c.weights_sha256, c.imgsz): c for c in evidence.candidates if c.role == "baseline"}
    for candidate in evidence.candidates:
        baseline = baselines.get((candidate.baseline_sha256 or "", candidate.imgsz))
        if candidate.role == "baseline" or baseline is None:
            continue
        for cell in (c for c in candidate.cells if c.split == "test"):
            for metric in ("AP", "AP50"):
                other = next(c for c in baseline.cells if (c.split, c.variant) == (cell.split, cell.variant))
                made = Interval(low=gain + shift - half, high=gain + shift + half, method="t", se=half / 2, n_units=500)
                yield PairEvidence(
                    first=candidate.key,
                    second=baseline.key,
                    comparison=Comparison(
                        split=cell.split,
                        variant=cell.variant,
                        metric=metric,
                        first=getattr(cell.coco, metric),
                        second=getattr(other.coco, metric),
                        difference=gain,
                        interval=made,
                        p_value=0.001,
                        share_above=1.0,
                        margin=0.02,
                        verdict="superior" if gain + shift > half else "cannot tell",
                        smallest_detectable=2.8 * half / 2,
                        images_needed=500,
                        n_images_units=500,
                    ),
                )


def _worst(point: OperatingPoint) -> WorstImages:
    """All errors in one image, so that the lists do not say that there are none."""
    one = WorstImage(image_id=1, misses=point.fn, false_positives=point.fp, n_objects=point.tp + point.fn)
    return WorstImages(
        threshold=point.threshold,
        by_misses=(one,) if point.fn else (),
        by_false_positives=(one,) if point.fp else (),
    )
