"""The evaluated images of a candidate: where its data set lies, its stored cells, and how its variants were made.

What cannot be had comes with the reason, in words for the report; details, which may name paths of this machine, are
for the person at the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robust.corruptions.records import CLEAN, CorruptedImage, Variant
from robust.corruptions.registry import get
from robust.datasets.load import available_splits, load_dataset
from robust.datasets.records import Dataset
from robust.errors import RobustError
from robust.eval.decision.study import Study
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.records import GroundTruth
from robust.eval.stored_cells import StoredCells

Reader = Callable[[CandidateEvidence], AbstractContextManager[StoredCells]]

NO_PLACE = "it is not known where the data set lies; name it with --data"
UNREADABLE = "the data set cannot be read from where it was evaluated, or from where --data says"
OTHER_DATA = "the data set that lies there now is not the one that was evaluated"
OTHER_NUMBERS = "the images of the data set are numbered otherwise than they were evaluated"
LABELS_ONLY = "detections were judged by labels alone, so nothing tells whether the images are the evaluated ones"
NO_CELLS = "stored predictions are not at hand; they come with --experiment or --run-id"


Loader = Callable[[Path, str, bool], Dataset]
"""Reads a split of a data set, by its labels alone or not."""


def read_split(place: Path, split: str, labels_only: bool) -> Dataset:
    """Read a split; as `robust.datasets.load.load_dataset`."""
    return load_dataset(place, split, labels_only=labels_only)


@dataclass(frozen=True)
class Origin:
    """Where pictures and boxes come from.

    Attributes:
        data: What the user named for the split that judges; None for nothing.
        places: Fingerprint of a data set -> where it was evaluated from.
        read: Opens the stored cells of a candidate; None when there are none.
        load: Reads a split; who looks at many candidates gives one that reads each split once.
    """

    data: Path | None = None
    places: Mapping[str, Path] = field(default_factory=dict)
    read: Reader | None = None
    load: Loader = read_split


@dataclass(frozen=True)
class FoundData:
    """A data set that was looked for: its images' names where it is known, and why there are no pictures of it."""

    names: Mapping[int, str] = field(default_factory=dict)
    dataset: Dataset | None = None
    reason: str = ""


@dataclass
class ImageSource:
    """Images and cells of one candidate on one split.

    Attributes:
        study: That the candidate is of.
        candidate: Whose cells are read.
        split: Of the images.
        origin: Of data sets and stored cells.
        trouble: What went wrong so far, in full.
    """

    study: Study
    candidate: CandidateEvidence
    split: str
    origin: Origin
    trouble: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stored: StoredCells | None = None
        self._found: dict[str, FoundData] = {}

    def open(self, stack: ExitStack) -> None:
        """Open the stored cells of the candidate for as long as the stack is."""
        if self.origin.read is None:
            return
        try:
            self._stored = stack.enter_context(self.origin.read(self.candidate))
        except RobustError as error:
            self.trouble.append(str(error))

    def cell(self, variant: str) -> CellResult | None:
        """The stored cell of a variant; None where it is not at hand."""
        if self._stored is None:
            return None
        try:
            return self._stored.cell(self.split, variant)
        except RobustError as error:
            self.trouble.append(str(error))
            return None

    def data(self, variant: str) -> FoundData:
        """The data set that a variant is made of, which a recorded set is itself; with the images' numbers as stored.

        The same images and labels may be numbered otherwise in another format, and the evidence names numbers.
        """
        recorded = next((v for v in self.study.recorded if v.name == variant), None)
        base = recorded.name if recorded else CLEAN
        if base not in self._found:
            split = self.study.splits.get(self.split)
            fingerprint = recorded.recipe_sha256 if recorded else split.fingerprint if split else ""
            named = [] if recorded or self.origin.data is None else [self.origin.data]
            places = [*named, *([self.origin.places[fingerprint]] if fingerprint in self.origin.places else [])]
            cell = self.cell(base)
            data = self._looked_up(fingerprint, list(dict.fromkeys(places))) if cell else FoundData(reason=NO_CELLS)
            if cell is not None and data.names and list(data.names) != cell.truth.image_ids.tolist():
                data = FoundData(reason=OTHER_NUMBERS)
            self._found[base] = data
        return self._found[base]

    def _looked_up(self, fingerprint: str, places: Sequence[Path]) -> FoundData:
        reason = NO_PLACE
        for place in places:
            for labels_only in (False, True):
                try:
                    offered = available_splits(place)
                    name = offered[0] if len(offered) == 1 else self.split
                    dataset = self.origin.load(place, name, labels_only)
                except RobustError as error:
                    if not labels_only:
                        self.trouble.append(str(error))
                        reason = UNREADABLE
                    continue
                if dataset.fingerprint == fingerprint:
                    names = {image.id: image.file_name for image in dataset.images}
                    judged_blind = not all(image.sha256 for image in dataset.images)
                    return FoundData(names, reason=LABELS_ONLY) if judged_blind else FoundData(names, dataset)
                reason = reason if labels_only else OTHER_DATA
        return FoundData(reason=reason)

    def recipe(self, variant: str) -> Variant | None:
        """The recipe as evaluated; None when it would be another one here."""
        told = next((v for v in self.study.evidence.suite.variants if v.name == variant), None)
        if variant == CLEAN or (told is not None and told.recorded):
            return Variant(CLEAN, 0)
        if told is None:
            return None
        try:
            made = Variant(
                told.corruption,
                told.severity,
                seed=self.study.evidence.suite.seed,
                parameters=tuple(sorted(told.parameters.items())),
                ground_truth="visible" if told.ground_truth == "visible" else "amodal",
                version=get(told.corruption).version,
            )
        except RobustError as error:
            self.trouble.append(str(error))
            return None
        return made if made.sha256 == told.recipe_sha256 else None


def same_labels(truth: GroundTruth, k: int, made: CorruptedImage) -> bool:
    """Whether an image that was made again has the labels of the evaluated one at position ``k``."""
    mine = truth.image_index == k
    return np.array_equal(truth.annotation_ids[mine], made.annotations.ids) and np.allclose(
        truth.boxes[mine], made.annotations.boxes, rtol=0, atol=1e-6
    )
