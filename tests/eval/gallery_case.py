"""Two images with every kind of box, for tests of the failure gallery: pixels, labels, stored cells and evidence.

Image 1 (640 x 480; pictures are half of it): a hit, a miss that a detection below the threshold finds, a miss of which
two fifths are hidden, a false alarm, and an ignored region with a detection on it. Image 2: a false alarm, and two
fainter detections of which nobody knows what they show.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.apply import corrupt
from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.registry import make_variant
from robust.datasets.coco import write_coco
from robust.datasets.images import file_sha256, write_image
from robust.datasets.load import load_dataset
from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.evaluation_run import find_or_start, log_evaluation, write_cell
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.gallery_images import Origin, Reader
from robust.eval.records import Detections, GroundTruth, Predictions
from robust.eval.stored_cells import StoredCells
from robust.eval.tracking import tags
from robust.eval.tracking.records import DatasetInput
from robust.eval.tracking.store import Store
from tests.eval.evidence.study_builder import BuiltStudy, Model, part, sha, stored

SIZE = (640, 480)
HIT, BELOW, HIDDEN, IGNORED = (40, 40, 160, 400), (200, 100, 260, 280), (300, 100, 340, 200), (420, 300, 620, 460)
ALARM, LONELY = (480, 40, 560, 220), (100, 100, 220, 420)
FAINT, FAINTER = (300, 100, 420, 420), (480, 100, 600, 420)
NIGHT = make_variant("night", 4)
THRESHOLD = 0.4
CLEAN_PLACE, NIGHT_PLACE = (CLEAN, 1), (NIGHT.name, 1)
PLAN = SweepPlan(stop=THRESHOLD)
MODEL = Model("case", draw=0)


def people(boxes: list[tuple[int, int, int, int]], seed: int) -> NDArray[np.uint8]:
    """A flat grey street on which every box is filled with noise, as fine as faces would be."""
    rng = np.random.default_rng(seed)
    pixels = np.full((SIZE[1], SIZE[0], 3), 120, dtype=np.uint8)
    for x1, y1, x2, y2 in boxes:
        blocks = rng.integers(0, 256, (-(-(y2 - y1) // 4), -(-(x2 - x1) // 4), 3), dtype=np.uint8)
        pixels[y1:y2, x1:x2] = np.kron(blocks, np.ones((4, 4, 1), dtype=np.uint8))[: y2 - y1, : x2 - x1]
    return pixels


def write_data(folder: Path, category: str = "person") -> Path:
    """A COCO file of the two images."""
    boxes = [HIT, BELOW, HIDDEN, IGNORED]
    names = ["street.png", "empty.png"]
    for number, (name, shown) in enumerate(zip(names, ([*boxes, ALARM], [LONELY, FAINT, FAINTER]), strict=True)):
        write_image(folder / "images" / name, people(shown, number))
    paths = [folder / "images" / name for name in names]
    dataset = Dataset(
        name="case",
        split="test",
        images=tuple(
            ImageRecord(i + 1, path.name, path, *SIZE, sha256=file_sha256(path)) for i, path in enumerate(paths)
        ),
        annotations=(
            Annotations.build(
                boxes, [1] * 4, [1, 2, 3, 4], iscrowd=[False, False, False, True], visible=[1.0, 1.0, 0.6, 1.0]
            ),
            Annotations.empty(),
        ),
        categories=(Category(1, category),),
    )
    return write_coco(dataset, folder / "case.json")


def found() -> Predictions:
    """The same on every variant."""
    first = Detections(
        np.array([HIT, ALARM, (430, 310, 500, 450), BELOW], dtype=np.float64),
        np.array([0.9, 0.83, 0.5, 0.2]),
        np.ones(4, dtype=np.int64),
    )
    second = Detections(
        np.array([LONELY, FAINT, FAINTER], dtype=np.float64), np.array([0.7, 0.06, 0.04]), np.ones(3, dtype=np.int64)
    )
    return Predictions.collect([1, 2], [first, second], {"n_parameters": 7, "inference": {"imgsz": 320}})


def truth_of(dataset: Dataset, variant: Variant) -> GroundTruth:
    made = tuple(corrupt(dataset, i, variant).annotations for i in range(len(dataset)))
    return GroundTruth.from_dataset(replace(dataset, annotations=made))


@dataclass(frozen=True)
class Case:
    """The study on disk."""

    folder: Path
    data: Path
    study: BuiltStudy

    @property
    def evidence(self) -> Evidence:
        return self.study.evidence

    @property
    def candidate(self) -> CandidateEvidence:
        (only,) = self.evidence.candidates
        return only

    @property
    def policy(self) -> Policy:
        return read_policy()

    @property
    def read(self) -> Reader:
        @contextmanager
        def opened(candidate: CandidateEvidence) -> Iterator[StoredCells]:
            with stored(self.folder / "stored", self.study, candidate) as cells:
                yield cells

        return opened

    @property
    def origin(self) -> Origin:
        return Origin(self.data, read=self.read)


def build_case(folder: Path, category: str = "person") -> Case:
    data = write_data(folder, category)
    dataset = load_dataset(data, "test")
    cells = [
        CellResult(split, variant, sha(f"{split} {variant.name}"), truth_of(dataset, variant), found())
        for split, variant in (("test", Variant(CLEAN, 0)), ("test", NIGHT), ("val", Variant(CLEAN, 0)))
    ]
    made = part(MODEL, cells, PLAN)
    evidence = assemble_study([made])
    night = next(v for v in evidence.suite.variants if v.name == NIGHT.name)
    told = night.model_copy(update={"parameters": dict(NIGHT.parameters), "ground_truth": NIGHT.ground_truth})
    splits = tuple(s.model_copy(update={"fingerprint": dataset.fingerprint}) for s in evidence.data.splits)
    evidence = evidence.model_copy(
        update={
            "suite": evidence.suite.model_copy(update={"variants": (told,)}),
            "data": evidence.data.model_copy(update={"splits": splits}),
        }
    )
    assert evidence.candidates[0].sweep.choice.threshold == THRESHOLD
    own = EvidencePart(evidence.model_copy(update={"comparisons": None}), made.replicates)
    return Case(folder, data, BuiltStudy(evidence, (own,), {MODEL.name: cells}))


def log(case: Case, store: Store) -> None:
    """Put the case into a store, as `robust eval` does."""
    experiment_id = store.create_experiment(case.evidence.experiment)
    run = find_or_start(store, experiment_id, MODEL.candidate, key="case", marks={tags.SETTING_SHA256: "one"})
    for one in case.study.cells[MODEL.name]:
        write_cell(case.folder / "artifacts", one, judged=one.split == "test")
    (split,) = {split.fingerprint for split in case.evidence.data.splits}
    inputs = [DatasetInput("case-test", split, str(case.data), "evaluation")]
    log_evaluation(store, run.run_id, case.study.parts[0], case.folder / "artifacts", inputs)
