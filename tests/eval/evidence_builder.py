"""A realistic evidence for tests: 8 candidates and 2 baselines, every number from a formula.

Nothing is random and nothing is measured; the shape is that of a small grid study (2 image sizes x 2 learning rates x
2 seeds, clean val and test, and three corruptions at five severities on test).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

from robust.eval.evidence.records import (
    CandidateEvidence,
    CellEvidence,
    CellRecalls,
    ConfigurationEvidence,
    Curve,
    DataEvidence,
    Evidence,
    LeakageEvidence,
    SplitEvidence,
    SuiteEvidence,
    SweepEvidence,
    TrainingEvidence,
    VariantEvidence,
)
from robust.eval.metrics.records import CocoMetrics, MissRate, OperatingPoint, ThresholdChoice, ThresholdConstraints
from robust.eval.metrics.robustness import robustness as aggregate
from robust.eval.metrics.robustness_records import RobustnessEvidence
from robust.eval.metrics.stratum_records import Division, StratumMetrics, StratumRecall

CORRUPTIONS = {"night": 0.11, "occlusion": 0.07, "crowd": 0.05}  # AP50 lost for each step of severity
N_IMAGES = {"train": 40, "val": 10, "test": 10}
N_OBJECTS = {"train": 131, "val": 31, "test": 47}
THRESHOLDS = tuple(round(0.30 + 0.01 * step, 2) for step in range(51))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """One model to invent numbers for; ``level`` is its AP50 on clean test images."""

    name: str
    imgsz: int
    lr0: float | None
    seed: int | None
    level: float

    @property
    def is_baseline(self) -> bool:
        return self.seed is None


def plans() -> list[Plan]:
    found = [
        Plan(
            f"yolov8n_e3_sz{imgsz}_lr{lr0:g}_s{seed}",
            imgsz,
            lr0,
            seed,
            0.60
            + 0.0013 * (imgsz - 320)
            - 2.0 * (lr0 - 0.005)
            + 0.006 * (seed == 42)
            - 0.004 * (imgsz == 416) * (seed == 1),
        )
        for imgsz in (320, 416)
        for lr0 in (0.005, 0.01)
        for seed in (1, 42)
    ]
    return found + [
        Plan(f"yolov8n@{imgsz}", imgsz, None, None, 0.613 + 0.00135 * (imgsz - 320)) for imgsz in (320, 416)
    ]


def coco(level: float) -> CocoMetrics:
    level = min(max(level, 0.0), 1.0)
    return CocoMetrics(
        AP=0.62 * level, AP50=level, AP75=0.66 * level, APs=None, APm=0.5 * level, APl=0.8 * level,
        AR1=0.3 * level, AR10=0.7 * level, AR100=0.75 * level, ARs=None, ARm=0.6 * level, ARl=0.9 * level,
    )  # fmt: skip


def level_at(plan: Plan, variant: str) -> float:
    if variant == "clean":
        return plan.level
    corruption, severity = variant.split("/")
    return max(plan.level - CORRUPTIONS[corruption] * int(severity) * (0.95 if plan.is_baseline else 1.0), 0.02)


def variant_names() -> list[str]:
    return ["clean", *(f"{c}/{s}" for c in CORRUPTIONS for s in range(1, 6))]


def operating_point(threshold: float, level: float, split: str) -> OperatingPoint:
    n_objects, n_images = N_OBJECTS[split], N_IMAGES[split]
    tp = math.floor(n_objects * min(level * 1.1, 1.0) * (1.0 - 0.75 * (threshold - 0.3) / 0.5) ** 0.5)
    fp = math.floor(n_objects * 0.35 * (1.0 - threshold) ** 2)
    fn = n_objects - tp
    return OperatingPoint(
        threshold=threshold,
        tp=tp,
        fp=fp,
        fn=fn,
        precision=tp / (tp + fp) if tp + fp else None,
        recall=tp / (tp + fn),
        f1=2 * tp / (2 * tp + fp + fn),
        fppi=fp / n_images,
    )


def curve(plan: Plan, split: str, variant: str) -> Curve:
    level = level_at(plan, variant) + (0.03 if split == "val" else 0.0)
    points = tuple(operating_point(t, level, split) for t in THRESHOLDS)
    return Curve.of(split, variant, points, n_images=N_IMAGES[split], n_objects=N_OBJECTS[split])


STRATA: dict[tuple[Division, str], float] = {
    ("visible", "bare"): 1.0,
    ("visible", "partial"): 0.8,
    ("visible", "heavy"): 0.5,
    ("visible", "hidden"): 0.0,
    ("crowd", "apart"): 1.0,
    ("crowd", "near"): 0.9,
    ("crowd", "close"): 0.6,
    ("crowd", "dense"): 0.4,
}
"""Share of a cell's AP50 that each kind of object reaches."""


def n_of_kind(key: tuple[Division, str], split: str, variant: str) -> int:
    """Most objects are bare and apart; occlusion makes ten more of them heavy, a crowd twelve more dense."""
    n = N_OBJECTS[split]
    few = {("visible", "partial"): 6, ("visible", "heavy"): 3, ("crowd", "near"): 5, ("crowd", "dense"): 2}
    few[("visible", "heavy")] += 10 * variant.startswith("occlusion")
    few[("crowd", "dense")] += 12 * variant.startswith("crowd")
    rest = n - sum(count for (division, _), count in few.items() if division == key[0])
    return rest if key[1] in {"bare", "apart"} else few.get(key, 0)


def strata(level: float, split: str, variant: str) -> tuple[StratumMetrics, ...]:
    counts = {key: n_of_kind(key, split, variant) for key in STRATA}
    return tuple(
        StratumMetrics(
            division=key[0],
            stratum=key[1],
            n_images=min(counts[key], N_IMAGES[split]),
            n_objects=counts[key],
            AP50=min(level, 1.0) * share if counts[key] >= 5 else None,
        )
        for key, share in STRATA.items()
    )


def recalls(level: float, split: str, variant: str) -> CellRecalls:
    def one(key: tuple[Division, str], share: float) -> StratumRecall:
        n = n_of_kind(key, split, variant)
        found = math.floor(n * min(level, 1.0) * share)
        return StratumRecall(
            division=key[0], stratum=key[1], n_objects=n, found=found, recall=found / n if n >= 5 else None
        )

    return CellRecalls(split=split, variant=variant, strata=tuple(one(*item) for item in STRATA.items()))


def miss_rate(level: float, split: str) -> MissRate:
    level = min(level, 1.0)
    return MissRate(
        n_images=N_IMAGES[split],
        n_objects=N_OBJECTS[split],
        mr2=1.0 - 0.6 * level,
        recall_fppi_01=0.5 * level,
        recall_fppi_1=0.8 * level,
    )


def robustness(plan: Plan, metric: Literal["AP", "AP50"]) -> RobustnessEvidence:
    def value(variant: str) -> float | None:
        return getattr(coco(level_at(plan, variant)), metric)  # type: ignore[no-any-return]

    return aggregate(metric, value("clean"), {(c, s): value(f"{c}/{s}") for c in CORRUPTIONS for s in range(1, 6)})


def training(plan: Plan) -> TrainingEvidence | None:
    if plan.is_baseline:
        return None
    assert plan.lr0 is not None
    val_losses = (1.42, 1.38, 1.39) if plan.seed == 1 else (1.44, 1.39, 1.35)
    return TrainingEvidence(
        run_id=sha("run" + plan.name)[:32],
        run_name=plan.name,
        status="FINISHED",
        parameters={"imgsz": str(plan.imgsz), "lr0": str(plan.lr0), "optimizer": "AdamW", "seed": str(plan.seed)},
        logged_metrics={"metrics/mAP50B": plan.level + 0.07},
        train_box_loss=(1.30, 1.21, 1.15),
        val_box_loss=val_losses,
        val_map=(0.42, 0.43, 0.45) if plan.seed == 42 else (0.43, 0.45, 0.44),
    )


def cell(split: str, variant: str, level: float, key: str, *, n_detections: int) -> CellEvidence:
    return CellEvidence(
        split=split,
        variant=variant,
        key=key,
        n_detections=n_detections,
        coco=coco(level),
        miss_rate=miss_rate(level, split),
        strata=strata(level, split, variant),
    )


def candidate(plan: Plan) -> CandidateEvidence:
    cells = [cell("val", "clean", plan.level + 0.07, sha("val" + plan.name), n_detections=900)]
    cells += [cell("test", v, level_at(plan, v), sha(v + plan.name), n_detections=1000) for v in variant_names()]
    curves = [curve(plan, "val", "clean"), *(curve(plan, "test", v) for v in variant_names())]
    best = max(curves[0].points, key=lambda p: (p.f1 or 0.0, p.threshold))
    return CandidateEvidence(
        name=plan.name,
        role="baseline" if plan.is_baseline else "candidate",
        weights_sha256=sha("weights" + (plan.name if not plan.is_baseline else "yolov8n.pt")),
        weights_bytes=6_534_387,
        parameters=3_157_200,
        imgsz=plan.imgsz,
        seed=plan.seed,
        configuration=ConfigurationEvidence(
            label=f"yolov8n {plan.imgsz}" + (f" lr0={plan.lr0:g} e3" if plan.lr0 else " untouched"),
            model="yolov8n.pt",
            imgsz=plan.imgsz,
            lr0=plan.lr0,
            epochs=3 if plan.lr0 else None,
            batch=8 if plan.lr0 else None,
            optimizer="AdamW" if plan.lr0 else None,
            data="tiny_coco.yaml" if plan.lr0 else None,
        ),
        baseline=None if plan.is_baseline else f"yolov8n@{plan.imgsz}",
        baseline_sha256=None if plan.is_baseline else sha("weightsyolov8n.pt"),
        training=training(plan),
        inference={"imgsz": plan.imgsz, "score_floor": 0.001, "nms_iou": 0.7, "max_detections": 300, "device": "cpu"},
        cells=tuple(cells),
        robustness=(robustness(plan, "AP"), robustness(plan, "AP50")),
        sweep=SweepEvidence(
            start=0.30,
            stop=0.80,
            step=0.01,
            choice=ThresholdChoice(
                chosen_on="val",
                rule="highest F1 on clean val images",
                constraints=ThresholdConstraints(),
                threshold=best.threshold,
                reason=f"F1 {best.f1:.3f} on val",
            ),
            curves=tuple(curves),
            recalls=tuple(recalls(level_at(plan, one.variant), one.split, one.variant) for one in curves),
        ),
    )


def split_evidence(name: str) -> SplitEvidence:
    n = N_OBJECTS[name]
    return SplitEvidence(
        split=name,
        fingerprint=sha("split" + name),
        n_images=N_IMAGES[name],
        n_objects=n,
        n_negatives=0,
        n_ignored=2,
        n_small=n // 3,
        n_medium=n // 3,
        n_large=n - 2 * (n // 3),
        n_groups=None,
    )


def variant_evidence(name: str) -> VariantEvidence:
    corruption, _, severity = name.partition("/")
    step = int(severity or 0)
    return VariantEvidence(
        name=name,
        corruption=corruption,
        severity=step,
        parameters={} if corruption == "clean" else {"strength": round(0.2 * step, 2)},
        ground_truth="visible" if corruption == "occlusion" else "amodal",
        recipe_sha256=sha("recipe" + name),
        ground_truth_sha256=sha("truth" + name),
        n_images=N_IMAGES["test"],
        n_objects=N_OBJECTS["test"],
        n_ignored=2,
    )


@cache
def build_evidence() -> Evidence:
    return Evidence(
        experiment="tiny-persons",
        data=DataEvidence(
            name="tiny_coco",
            categories=("person",),
            splits=tuple(split_evidence(name) for name in N_IMAGES),
            leakage=tuple(
                LeakageEvidence(splits=pair, n_identical=0, n_near_duplicates=0)
                for pair in (("train", "val"), ("train", "test"), ("val", "test"))
            ),
        ),
        suite=SuiteEvidence(name="core", seed=0, variants=tuple(variant_evidence(name) for name in variant_names())),
        candidates=tuple(candidate(plan) for plan in plans()),
        environment={"python": "3.11.15", "robust": "0.1.0", "torch": "2.15.0", "ultralytics": "8.4.190"},
    )


def change_candidates(evidence: Evidence, change: object) -> Evidence:
    """Evidence with each candidate replaced by ``change(candidate)``; None removes it."""
    assert callable(change)
    changed = (change(c) for c in evidence.candidates)
    return evidence.model_copy(update={"candidates": tuple(c for c in changed if c is not None)})


def without_cells(evidence: Evidence, split: str, variant: str | None = None) -> Evidence:
    """Evidence in which a split (or one variant of it) was never evaluated."""

    def drop(c: CandidateEvidence) -> CandidateEvidence:
        keep = tuple(cell for cell in c.cells if cell.split != split or variant not in (None, cell.variant))
        curves = tuple(k for k in c.sweep.curves if k.split != split or variant not in (None, k.variant))
        return c.model_copy(update={"cells": keep, "sweep": c.sweep.model_copy(update={"curves": curves})})

    return change_candidates(evidence, drop)


def undefined(evidence: Evidence) -> Evidence:
    """Evidence in which every cell was evaluated and nothing was defined."""
    nothing = CocoMetrics(**dict.fromkeys(CocoMetrics.model_fields))
    no_rate = MissRate(n_images=10, n_objects=0, mr2=None, recall_fppi_01=None, recall_fppi_1=None)

    def blank(c: CandidateEvidence) -> CandidateEvidence:
        none = (0,) * len(THRESHOLDS)
        curves = tuple(k.model_copy(update={"n_objects": 0, "tp": none, "fp": none}) for k in c.sweep.curves)
        why = "The images hold no objects, so no threshold can be judged."
        choice = c.sweep.choice.model_copy(update={"threshold": None, "reason": why})
        corrupted = dict.fromkeys((corruption, s) for corruption in CORRUPTIONS for s in range(1, 6))
        robust = tuple(aggregate(r.metric, None, corrupted) for r in c.robustness)
        cells = tuple(
            cell.model_copy(
                update={
                    "coco": nothing,
                    "miss_rate": no_rate,
                    "strata": tuple(s.model_copy(update={"n_objects": 0, "AP50": None}) for s in cell.strata),
                }
            )
            for cell in c.cells
        )
        swept = {"curves": curves, "choice": choice, "recalls": ()}
        return c.model_copy(
            update={
                "cells": cells,
                "robustness": robust,
                "sweep": c.sweep.model_copy(update=swept),
            }
        )

    return change_candidates(evidence, blank)


def with_recorded(evidence: Evidence, name: str = "real_night", level: float = 0.9) -> Evidence:
    """Evidence with a set of 6 recorded images beside the suite, on which everybody has that AP50."""
    column = VariantEvidence(
        name=name,
        corruption=name,
        severity=0,
        parameters={},
        ground_truth="labelled",
        recipe_sha256=sha("data" + name),
        ground_truth_sha256=sha("truth" + name),
        n_images=6,
        n_objects=N_OBJECTS["test"],
        n_ignored=0,
        recorded=True,
    )

    def measure(c: CandidateEvidence) -> CandidateEvidence:
        cell = CellEvidence(split="test", variant=name, key=sha(name + c.name), n_detections=60, coco=coco(level))
        points = [operating_point(t, level, "test") for t in THRESHOLDS]
        shown = Curve.of("test", name, points, n_images=6, n_objects=N_OBJECTS["test"])
        curves = (*c.sweep.curves, shown)
        return c.model_copy(update={"cells": (*c.cells, cell), "sweep": c.sweep.model_copy(update={"curves": curves})})

    suite = evidence.suite.model_copy(update={"variants": (*evidence.suite.variants, column)})
    return change_candidates(evidence.model_copy(update={"suite": suite}), measure)


def seen_in_training(evidence: Evidence, *corruptions: str) -> Evidence:
    """Evidence whose training images were augmented with some corruptions."""
    variants = (v.model_copy(update={"trained_on": v.corruption in corruptions}) for v in evidence.suite.variants)
    return evidence.model_copy(update={"suite": evidence.suite.model_copy(update={"variants": tuple(variants)})})
