"""Facts of a study without a fault: two image sizes, five seeds each, 500 images in val and test, everything evaluated.

The tests of the audit break one thing of it at a time.
"""

from __future__ import annotations

from typing import Any

from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import (
    DataFacts,
    ExperimentFacts,
    OverlapFacts,
    ReportedOn,
    RunFacts,
    SplitFacts,
)
from robust.eval.evidence.findings import AuditFinding

SEEDS = (1, 7, 42, 99, 1234)
BEST_SECOND_LAST = (0.40, 0.55, 0.61, 0.62, 0.615)
FALLING = (1.5, 1.3, 1.2, 1.1, 1.0)
FALLS_THEN_FLAT = (1.6, 1.4, 1.3, 1.25, 1.25)


def by_epoch(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def run(imgsz: int = 416, seed: int = 1, ap50: float = 0.80, **changes: Any) -> RunFacts:
    """A finished training, logged like Ultralytics' callback does."""
    name = f"yolov8n_e5_sz{imgsz}_lr0.001_s{seed}"
    params = {
        "model": "yolov8n.pt", "imgsz": str(imgsz), "lr0": "0.001", "seed": str(seed), "epochs": "5", "batch": "8",
        "optimizer": "AdamW", "data": "people.yaml", "degrees": "0.0", "perspective": "0.0", "hsv_v": "0.4",
        "cutmix": "0.0", "copy_paste": "0.0", "erasing": "0.4", "mosaic": "1.0",
    }  # fmt: skip
    facts = RunFacts(
        run_id=f"{imgsz * 10_000 + seed:032x}",
        name=name,
        status="FINISHED",
        params=params,
        metrics={
            "metrics/mAP50B": ap50,
            "metrics/mAP50-95B": 0.62,
            "metrics/precisionB": 0.85,
            "metrics/recallB": 0.74,
            "train/box_loss": 1.0,
            "val/box_loss": 1.25,
        },
        courses={
            "metrics/mAP50-95B": by_epoch(*BEST_SECOND_LAST, 0.62),  # the last one is that of best.pt
            "train/box_loss": by_epoch(*FALLING),
            "val/box_loss": by_epoch(*FALLS_THEN_FLAT, 1.25),
        },
        has_weights=True,
        ultralytics="8.4.190",
    )
    return changed(facts, **changes)


def changed(facts: RunFacts, **changes: Any) -> RunFacts:
    """Another run; dictionaries are merged, and None takes a key out."""
    merged = {}
    for field, value in changes.items():
        old = getattr(facts, field)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[field] = {key: one for key, one in {**old, **value}.items() if one is not None}
        else:
            merged[field] = value
    return RunFacts.model_validate({**facts.model_dump(), **merged})


def data(**changes: Any) -> DataFacts:
    splits = (("train", 2000, 6200), ("val", 500, 1500), ("test", 500, 1550))
    facts = DataFacts(
        name="people",
        splits=tuple(
            SplitFacts(split=split, n_images=n, n_objects=objects, fingerprint=split * 8)
            for split, n, objects in splits
        ),
        overlaps=tuple(OverlapFacts(splits=pair) for pair in (("train", "val"), ("train", "test"), ("val", "test"))),
        declared={"train": 2000, "test": 500},
    )
    return facts.model_copy(update=changes)


def runs() -> tuple[RunFacts, ...]:
    """416 is 0.06 better than 320, which 500 images can show."""
    return tuple(run(imgsz, seed, ap50) for imgsz, ap50 in ((320, 0.74), (416, 0.80)) for seed in SEEDS)


def study(**changes: Any) -> ExperimentFacts:
    facts = ExperimentFacts(
        experiment="people",
        runs=runs(),
        data=data(),
        reported=ReportedOn(
            selected_on="val",
            judged_on="test",
            n_val=500,
            variants=("night", "occlusion", "roll"),
            n_evaluated=10,
            baselines=("yolov8n",),
        ),
    )
    return facts.model_copy(update=changes)


def reported(**changes: Any) -> ReportedOn:
    return study().reported.model_copy(update=changes)


def look(checks: tuple[Check, ...], rule: str, facts: ExperimentFacts) -> Looked:
    [check] = [check for check in checks if check.rule == rule]
    return check.look(facts)


def finding(checks: tuple[Check, ...], rule: str, facts: ExperimentFacts) -> AuditFinding:
    """The only finding of a rule that could be checked."""
    looked = look(checks, rule, facts)
    [found] = looked.findings
    assert found.rule == rule
    assert looked.not_checked is None
    return found


def not_checked(checks: tuple[Check, ...], rule: str, facts: ExperimentFacts) -> str:
    """Why a rule without findings could not be checked."""
    looked = look(checks, rule, facts)
    assert looked.findings == ()
    assert looked.not_checked is not None
    return looked.not_checked
