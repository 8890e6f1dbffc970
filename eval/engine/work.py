"""The work of one process: corrupt the images of a task once and show them to every detector that misses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from robust.corruptions.apply import corrupt
from robust.corruptions.built import BuiltSet
from robust.corruptions.records import CorruptedImage, Variant
from robust.datasets.records import Annotations, Category, Dataset
from robust.errors import RobustError
from robust.eval.detectors.protocol import Detector
from robust.eval.engine.cache import CellCache
from robust.eval.engine.cells import Plan, Task
from robust.eval.records import Candidate, Detections, GroundTruth, InferenceSettings, Predictions

Load = Callable[[Candidate, InferenceSettings, tuple[Category, ...]], Detector]
Tick = Callable[[int], None]


def _ignore(_: int) -> None:
    """Nobody wants to know."""


class Worker:
    """Carries out tasks; keeps the detectors it has loaded.

    Args:
        plan: What is evaluated.
        cache: Where finished cells go.
        load: Makes a detector of a candidate; the default loads YOLO weights.
    """

    def __init__(self, plan: Plan, cache: CellCache, load: Load | None = None) -> None:
        self.plan = plan
        self.cache = cache
        self._load = load or self._load_yolo
        self._detectors: dict[tuple[str, int, tuple[Category, ...]], Detector] = {}

    def run(self, task: Task, tick: Tick = _ignore) -> None:
        """Fill the missing cells of one task; each is written when the last image is done.

        Args:
            task: What to do.
            tick: Called with the number of inferences done since the last call.
        """
        dataset, built = self.plan.datasets[task.split], self.plan.built.get(task.variant.sha256)
        candidates = [self.plan.candidates[i] for i in task.candidates]
        detectors = [self._detector(candidate, task.split) for candidate in candidates]
        found: list[list[Detections]] = [[] for _ in candidates]
        truth: list[Annotations] = []
        for start in range(task.shard.start, task.shard.stop, self.plan.settings.batch):
            stop = min(start + self.plan.settings.batch, task.shard.stop)
            images = [_corrupt(dataset, index, task.variant, built) for index in range(start, stop)]
            truth += [image.annotations for image in images]
            pixels = [image.pixels for image in images]
            for detector, so_far in zip(detectors, found, strict=True):
                so_far.extend(detector.detect(pixels))
                tick(len(images))
            if not detectors:
                tick(len(images))
        self._write(task, candidates, detectors, found, truth)

    def _write(
        self,
        task: Task,
        candidates: list[Candidate],
        detectors: list[Detector],
        found: list[list[Detections]],
        truth: list[Annotations],
    ) -> None:
        plan, shard = self.plan, task.shard
        images = plan.datasets[task.split].images[shard.start : shard.stop]
        part = replace(plan.datasets[task.split], images=images, annotations=tuple(truth))
        key = plan.ground_truth_key(task.split, task.variant, shard)
        self.cache.write_ground_truth(key, GroundTruth.from_dataset(part))
        for candidate, detector, detections in zip(candidates, detectors, found, strict=True):
            provenance = {
                **plan.cell(task.split, task.variant, candidate),
                "shard": [shard.start, shard.stop],
                "n_parameters": detector.n_parameters,
            }
            predictions = Predictions.collect([image.id for image in images], detections, provenance)
            self.cache.write_predictions(plan.shard_key(task.split, task.variant, candidate, shard), predictions)

    def _detector(self, candidate: Candidate, split: str) -> Detector:
        categories = self.plan.datasets[split].categories  # splits may number them differently
        identity = (candidate.weights_sha256, candidate.imgsz, categories)
        if identity not in self._detectors:
            self._detectors[identity] = self._load(candidate, self.plan.settings_of(candidate), categories)
        return self._detectors[identity]

    def _load_yolo(
        self, candidate: Candidate, settings: InferenceSettings, categories: tuple[Category, ...]
    ) -> Detector:
        from robust.eval.detectors.yolo import YoloDetector

        plan = self.plan
        return YoloDetector(candidate.weights, settings, categories, renamed=plan.renamed, trust=plan.trust)


def _corrupt(dataset: Dataset, index: int, variant: Variant, built: BuiltSet | None) -> CorruptedImage:
    """Corrupt one image, or read it where that was done before; a failure names the image and the variant."""
    try:
        return built.read(dataset, index) if built is not None else corrupt(dataset, index, variant)
    except RobustError:
        raise
    except Exception as error:
        name = dataset.images[index].file_name
        raise RobustError(
            f"Variant {variant.name} failed on {name}.",
            f"{type(error).__name__}: {error}",
            "Run with --debug and report it.",
        ) from error
