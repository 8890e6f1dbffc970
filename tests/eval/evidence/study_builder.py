"""A measured study for tests: invented images and detections, everything else as `robust eval` makes it.

Unlike `evidence_builder`, whose numbers come from formulas, here every number is measured, so tests can measure it
again from the same detections.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN, Variant
from robust.datasets.records import Category
from robust.eval.engine.tables import ground_truth_to_bytes, predictions_to_bytes
from robust.eval.evaluation_run import artifact_name
from robust.eval.evidence.candidate import Measured, candidate_evidence, measure_cells
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import (
    CandidateEvidence,
    DataEvidence,
    Evidence,
    SplitEvidence,
    SuiteEvidence,
    TrainingEvidence,
    VariantEvidence,
)
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.counts import counts_of
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.weighted import coco_replicates
from robust.eval.records import Candidate, Configuration, GroundTruth, Predictions
from robust.eval.stored_cells import StoredCells

CLEAN_IMAGES = Variant(CLEAN, 0)
NIGHT = (Variant("night", 1), Variant("night", 2))
FOG = (Variant("fog", 1), Variant("fog", 2))
REAL_NIGHT = Variant("real_night", 0)
SIMULATED = tuple(v.name for v in (*NIGHT, *FOG))
DRAWN = Resampling(seed=5, replicates=200)
PLAN = SweepPlan(step=0.05)
N_IMAGES = 30
N_RECORDED = 12
TRUTH_SEEDS = {"test": 0, "val": 1, "real_night": 2}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def street(
    n_images: int = N_IMAGES, seed: int = 0, *, n_objects: int | None = None, groups: Sequence[str | None] = ()
) -> GroundTruth:
    """People of all three size classes, some images without any, one ignore region."""
    rng = np.random.default_rng(seed)
    n = 4 * n_images if n_objects is None else n_objects
    index = np.sort(rng.integers(0, n_images, n))
    corner = rng.uniform(0, 400, (n, 2))
    side = rng.choice([24.0, 60.0, 130.0], (n, 1)) * rng.uniform(0.8, 1.2, (n, 2))
    iscrowd = np.zeros(n, dtype=np.bool_)
    iscrowd[: n > 10] = True
    return GroundTruth(
        image_ids=np.arange(n_images) + 1,
        image_sizes=np.full((n_images, 2), 640),
        groups=tuple(groups) or (None,) * n_images,
        image_index=index,
        boxes=np.concatenate([corner, corner + side], axis=1),
        category_ids=np.ones(n, dtype=np.int64),
        annotation_ids=np.arange(1, n + 1),
        iscrowd=iscrowd,
        area=side[:, 0] * side[:, 1],
        visible=rng.choice([1.0, 0.8, 0.4], n),
        categories=(Category(1, "person"),),
    )


def detections(truth: GroundTruth, seed: int, loss: float, *, n_far: int = 4) -> Predictions:
    """A shaken box, sometimes two, for each object that is not lost, and ``n_far`` boxes an image in the background."""
    rng = np.random.default_rng(seed)
    n_images = len(truth.image_ids)
    kept = np.flatnonzero(rng.random(len(truth)) > loss)
    near = np.repeat(kept, rng.integers(1, 3, len(kept)))
    far = rng.integers(0, n_images, n_far * n_images)
    corner = rng.uniform(0, 450, (len(far), 2))
    sides = truth.boxes[near, 2:] - truth.boxes[near, :2]
    shaken = truth.boxes[near] + rng.normal(0, 0.05, (len(near), 4)) * np.hstack([sides, sides])
    boxes = np.concatenate([shaken, np.hstack([corner, corner + rng.uniform(20, 140, (len(far), 2))])])
    scores = np.concatenate([rng.beta(4, 2, len(near)), rng.beta(1, 5, len(far))])
    image = np.concatenate([truth.image_index[near], far])
    order = np.lexsort((-scores, image))
    return Predictions(
        truth.image_ids,
        image[order],
        boxes[order],
        scores[order],
        np.concatenate([truth.category_ids[near], np.full(len(far), truth.categories[0].id)])[order],
        {"n_parameters": 7, "inference": {"imgsz": 320}},
    )


@dataclass(frozen=True)
class Model:
    """One model to invent detections for.

    ``loss`` is the share of objects that it misses on clean images; each step of severity adds a tenth, and a recorded
    set two. Models of the same ``draw`` and loss find the same.
    """

    name: str
    draw: int
    loss: float = 0.2
    imgsz: int = 320
    lr0: float = 0.01
    seed: int | None = 1
    role: str = "candidate"
    weights: str = ""

    @property
    def candidate(self) -> Candidate:
        is_baseline = self.role == "baseline"
        return Candidate(
            self.name,
            Path("weights.pt"),
            sha(self.weights or self.name),
            self.imgsz,
            role="baseline" if is_baseline else "candidate",
            configuration=Configuration(model="base.pt", imgsz=self.imgsz, lr0=None if is_baseline else self.lr0),
            seed=None if is_baseline else self.seed,
            baseline=None if is_baseline else f"base@{self.imgsz}",
            baseline_sha256=None if is_baseline else sha("base"),
        )


def baseline(imgsz: int = 320, *, draw: int = 90, loss: float = 0.3) -> Model:
    return Model(f"base@{imgsz}", draw, loss, imgsz, role="baseline", weights="base")


def cell(split: str, variant: Variant, model: Model, truth: GroundTruth | None = None) -> CellResult:
    """What a model finds in one variant; all variants of a split show the same objects."""
    stream = split if variant.severity or variant.corruption == CLEAN else variant.name
    if truth is None:
        n_images = N_RECORDED if stream == "real_night" else N_IMAGES
        truth = street(n_images, TRUTH_SEEDS[stream])
    loss = min(model.loss + 0.1 * variant.severity + 0.2 * (stream != split), 1.0)
    seed = int(sha(f"{model.draw} {split} {variant.name}")[:8], 16)
    return CellResult(split, variant, sha(f"{model.name} {split} {variant.name}"), truth, detections(truth, seed, loss))


def cells_of(model: Model, variants: Iterable[Variant] = (*NIGHT, *FOG), *, val: bool = True) -> list[CellResult]:
    """Clean test images, their variants, clean val images: the order of `robust eval`."""
    found = [cell("test", variant, model) for variant in (CLEAN_IMAGES, *variants)]
    return [*found, cell("val", CLEAN_IMAGES, model)] if val else found


def measured(cells: Sequence[CellResult], plan: SweepPlan = PLAN, resampling: Resampling = DRAWN) -> Measured:
    selecting = next((c for c in cells if (c.split, c.variant.corruption) == (plan.chosen_on, CLEAN)), None)
    return measure_cells(iter(cells), selecting, plan, resampling)


def part(
    model: Model, cells: Sequence[CellResult], plan: SweepPlan = PLAN, resampling: Resampling = DRAWN
) -> EvidencePart:
    """The evidence of one model alone."""
    made = measured(cells, plan, resampling)
    training = None if model.role == "baseline" else training_run(model.name)
    one = candidate_evidence(model.candidate, made, judged_on="test", training=training, weights_bytes=1)
    shown = [c for c in cells if c.split == "test"]
    evidence = Evidence(
        experiment="measured",
        resampling=resampling,
        data=DataEvidence(
            name="street",
            categories=("person",),
            splits=tuple(split_evidence(c) for c in cells if c.variant.corruption == CLEAN),
            leakage=(),
        ),
        suite=SuiteEvidence(name="core", seed=0, variants=tuple(variant_evidence(c) for c in shown)),
        candidates=(one,),
        environment={},
    )
    return EvidencePart(evidence, made.replicates)


def training_run(name: str) -> TrainingEvidence:
    return TrainingEvidence(
        run_id=sha("run" + name)[:32],
        run_name=name,
        status="FINISHED",
        parameters={},
        logged_metrics={},
        train_box_loss=(),
        val_box_loss=(),
        val_map=(),
    )


def split_evidence(clean: CellResult) -> SplitEvidence:
    truth = clean.truth
    return SplitEvidence(
        split=clean.split,
        fingerprint=truth.sha256,
        n_images=len(truth.image_ids),
        n_objects=truth.n_objects,
        n_negatives=0,
        n_ignored=int(truth.iscrowd.sum()),
        n_small=0,
        n_medium=0,
        n_large=0,
        n_groups=None,
    )


def variant_evidence(shown: CellResult) -> VariantEvidence:
    variant, recorded = shown.variant, shown.stream != shown.split
    return VariantEvidence(
        name=variant.name,
        corruption=variant.corruption,
        severity=variant.severity,
        parameters={},
        ground_truth="labelled" if recorded else "amodal",
        recipe_sha256=variant.sha256,
        ground_truth_sha256=shown.truth.sha256,
        n_images=len(shown.truth.image_ids),
        n_objects=shown.truth.n_objects,
        n_ignored=0,
        recorded=recorded,
    )


def drawn_by_hand(
    stream: str, unit_of_image: Sequence[int], resampling: Resampling = DRAWN, *, smooth: bool = False
) -> NDArray[np.float64]:
    """The weights (n_images, B) that a set of images must get, made without the code under test."""
    n_units = max(unit_of_image) + 1
    rng = np.random.Generator(np.random.PCG64([resampling.seed, zlib.crc32(stream.encode())]))
    if smooth:
        raw = rng.standard_gamma(1 - 1 / n_units, (resampling.replicates, n_units))
        rows = [row * n_units / row.sum() for row in raw]
    else:
        rows = list(rng.multinomial(n_units, [1 / n_units] * n_units, resampling.replicates).astype(np.float64))
    return np.array([[row[unit] for row in rows] for unit in unit_of_image])


def weights_by_hand(shown: CellResult, resampling: Resampling = DRAWN) -> NDArray[np.float64]:
    """Those of a cell without groups."""
    return drawn_by_hand(shown.stream, range(len(shown.truth.image_ids)), resampling)


def numbers_by_hand(shown: CellResult, metric: str, resampling: Resampling = DRAWN) -> NDArray[np.float64]:
    """Replicates of one COCO number, from the detections."""
    return coco_replicates(shown.truth, shown.predictions, weights_by_hand(shown, resampling), (metric,))[metric]


@dataclass(frozen=True, eq=False)
class BuiltStudy:
    """A study with the detections that it was measured from."""

    evidence: Evidence
    parts: tuple[EvidencePart, ...]
    cells: Mapping[str, Sequence[CellResult]] = field(default_factory=dict)

    def named(self, name: str) -> CandidateEvidence:
        return next(c for c in self.evidence.candidates if c.name == name)

    def cell(self, name: str, split: str, variant: str) -> CellResult:
        return next(c for c in self.cells[name] if (c.split, c.variant.name) == (split, variant))


def build(models: Sequence[Model], variants: Iterable[Variant] = (), *, val: bool = True) -> BuiltStudy:
    """Measure some models, and compare them."""
    shown = tuple(variants)
    cells = {model.name: cells_of(model, shown, val=val) for model in models}
    parts = tuple(part(model, cells[model.name]) for model in models)
    return BuiltStudy(assemble_study(parts), parts, cells)


GRID = tuple(
    Model(f"sz{imgsz} lr{lr0:g} s{seed}", 10 * i + seed, 0.15 + 0.06 * i, imgsz, lr0, seed)
    for i, (imgsz, lr0) in enumerate([(256, 0.005), (256, 0.01), (320, 0.005), (320, 0.01)])
    for seed in (1, 2, 3)
)


@cache
def grid_study() -> BuiltStudy:
    """Two image sizes, two learning rates, three seeds; a baseline of each size; variants and a recorded set."""
    return build([*GRID, baseline(256), baseline(320, draw=91)], (*NIGHT, *FOG, REAL_NIGHT))


def number(study: BuiltStudy, name: str, asked: tuple[str, str, str]) -> tuple[float, NDArray[np.float64]]:
    """A number of one model and its replicates, from the detections; aggregates are over `SIMULATED`."""
    split, variant, metric = asked
    if variant == "all variants":
        kind, _, base = metric.partition(" ")
        columns = [number(study, name, (split, v, base)) for v in SIMULATED]
        value, column = np.mean([v for v, _ in columns]), np.mean([c for _, c in columns], axis=0)
        clean = number(study, name, (split, "clean", base)) if kind == "rPC" else (1.0, np.ones(len(column)))
        return float(value / clean[0]), column / clean[1]
    shown = study.cell(name, split, variant)
    if metric in {"precision", "recall", "f1", "fppi"}:
        threshold = study.named(name).sweep.choice.threshold
        assert threshold is not None
        counts = counts_of(shown.truth, shown.predictions, (threshold,))
        weights = np.hstack([np.ones((len(counts.objects), 1)), weights_by_hand(shown)])
        tp, fp, objects = counts.tp[:, 0] @ weights, counts.fp[:, 0] @ weights, counts.objects @ weights
        column = {
            "precision": tp / (tp + fp),
            "recall": tp / objects,
            "f1": 2 * tp / (tp + fp + objects),
            "fppi": fp / weights.sum(axis=0),
        }[metric]
        return float(column[0]), column[1:]
    value = coco_metrics(shown.truth, shown.predictions).model_dump()[metric]
    return value, numbers_by_hand(shown, metric)


@contextmanager
def stored(folder: Path, study: BuiltStudy, candidate: CandidateEvidence) -> Iterator[StoredCells]:
    """The cells of one candidate, as files that an evaluation run keeps."""
    root = folder / candidate.key.replace(":", "-")
    for name in ("predictions", "ground_truth"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for c in study.cells[candidate.name]:
        name = f"{artifact_name(c.split, c.variant.name, judged=c.split == 'test')}.parquet"
        (root / "predictions" / name).write_bytes(predictions_to_bytes(c.predictions))
        (root / "ground_truth" / name).write_bytes(ground_truth_to_bytes(c.truth))
    yield StoredCells(root, candidate, candidate.name)


def with_predictions(c: CellResult, kept: int) -> CellResult:
    """The cell with the first ``kept`` detections only."""
    found = c.predictions
    cut = Predictions(
        found.image_ids,
        found.image_index[:kept],
        found.boxes[:kept],
        found.scores[:kept],
        found.category_ids[:kept],
        found.provenance,
    )
    return replace(c, predictions=cut)
