"""What AP50 is lost to each kind of error, by plain loops: the judge of `robust.eval.metrics.error_types`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robust.eval.records import GroundTruth, Predictions

KINDS = ("cls", "loc", "both", "dupe", "bkg", "miss", "false positives", "false negatives")


@dataclass(eq=False)
class Row:
    """One detection that takes part."""

    detection: int
    category: int
    score: float
    weight: float
    state: str
    kind: str = ""
    target: int = -1


class Case:
    """All images of one case, matched and classified one after the other."""

    def __init__(self, truth: GroundTruth, predictions: Predictions, weight: NDArray[np.float64]) -> None:
        self.truth, self.predictions, self.weight = truth, predictions, weight
        self.found = {g: False for g in range(len(truth)) if not truth.iscrowd[g]}
        self.rows: list[Row] = []
        known = {category.id for category in truth.categories}
        for image in range(len(truth.image_ids)):
            mine = [d for d in range(len(predictions)) if predictions.image_index[d] == image]
            mine = [d for d in mine if int(predictions.category_ids[d]) in known]
            self._image(image, sorted(mine, key=lambda d: -float(predictions.scores[d])))

    def iou(self, d: int, g: int) -> float:
        x, y, right, bottom = self.predictions.boxes[d].tolist()
        u, v, end, low = self.truth.boxes[g].tolist()
        width, height = right - x, bottom - y
        across = min(x + width, u + (end - u)) - max(x, u)
        down = min(y + height, v + (low - v)) - max(y, v)
        if across <= 0 or down <= 0:
            return 0.0
        union = width * height + (end - u) * (low - v) - across * down
        return float(across * down / (width * height if self.truth.iscrowd[g] else union))

    def _image(self, image: int, detections: list[int]) -> None:
        objects = [g for g in range(len(self.truth)) if self.truth.image_index[g] == image]
        seen: dict[int, int] = {}
        rows = []
        for d in detections:
            category = int(self.predictions.category_ids[d])
            seen[category] = seen.get(category, 0) + 1
            if seen[category] <= 100:
                state = self._serve(d, [g for g in objects if self.truth.category_ids[g] == category])
                score = float(self.predictions.scores[d])
                rows.append(Row(d, category, score, float(self.weight[image]), state))
        for row in rows:
            if row.state != "hit":
                row.kind, row.target = self._kind(row, [g for g in objects if g in self.found])
        self.rows += rows

    def _serve(self, d: int, own: list[int]) -> str:
        free = [g for g in own if g in self.found and not self.found[g] and self.iou(d, g) >= 0.5]
        if free:
            self.found[max(free, key=lambda g: (self.iou(d, g), g))] = True
            return "hit"
        return "ignored" if any(g not in self.found and self.iou(d, g) >= 0.5 for g in own) else "wrong"

    def _kind(self, row: Row, objects: list[int]) -> tuple[str, int]:
        iou = {g: self.iou(row.detection, g) for g in objects}
        same = [g for g in objects if self.truth.category_ids[g] == row.category]
        other = [g for g in objects if self.truth.category_ids[g] != row.category]
        if same:
            nearest = max(same, key=lambda g: iou[g])
            if 0.1 <= iou[nearest] <= 0.5:
                return "loc", nearest
        if other:
            nearest = max(other, key=lambda g: iou[g])
            if iou[nearest] >= 0.5:
                return "cls", nearest
        if any(self.found[g] and iou[g] >= 0.5 for g in same):
            return "dupe", -1
        return "bkg" if max(iou.values(), default=0.0) <= 0.1 else "both", -1

    def best(self) -> list[Row]:
        """The best of the detections that point to the same unfound object."""
        chosen: dict[int, Row] = {}
        for row in self.rows:
            if row.kind in ("loc", "cls") and not self.found[row.target]:
                before = chosen.get(row.target)
                if before is None or row.score > before.score:
                    chosen[row.target] = row
        return list(chosen.values())

    def gone(self, fixed: str) -> set[int]:
        """Objects that are no longer looked for."""
        unfound = {g for g in self.found if not self.found[g]}
        pointed = {row.target for row in self.rows if row.kind in ("loc", "cls")}
        return {"miss": unfound - pointed, "false negatives": unfound}.get(fixed, set())

    def mean_ap(self, fixed: str) -> float | None:
        values = []
        for category in {int(self.truth.category_ids[g]) for g in self.found}:
            weight = {
                g: float(self.weight[self.truth.image_index[g]])
                for g in self.found
                if self.truth.category_ids[g] == category
            }
            if sum(weight.values()) > 0:
                left = sum(w for g, w in weight.items() if g not in self.gone(fixed))
                values.append(average_precision(self._list(category, fixed), left))
        return float(np.mean(values)) if values else None

    def _list(self, category: int, fixed: str) -> list[tuple[float, bool, float]]:
        """Score, hit and weight of the detections of one class after the fix."""
        best = self.best()
        entries = []
        for row in self.rows:
            hit, counts, its_class = row.state == "hit", row.state != "ignored", row.category
            if fixed and row.kind == fixed:
                counts = hit = any(row is one for one in best)
                if fixed == "cls":
                    its_class = int(self.truth.category_ids[row.target])
            if counts and its_class == category and (hit or fixed != "false positives"):
                entries.append((row.score, hit, row.weight))
        return sorted(entries, key=lambda entry: -entry[0])


def slow_losses(truth: GroundTruth, predictions: Predictions, weight: NDArray[np.float64]) -> dict[str, float | None]:
    """AP50 that is lost to each kind, each image counting ``weight`` times; None without objects."""
    case = Case(truth, predictions, weight)
    base = case.mean_ap("")
    fixed = {kind: case.mean_ap(kind) for kind in KINDS}
    return {kind: None if value is None or base is None else value - base for kind, value in fixed.items()}


def average_precision(entries: list[tuple[float, bool, float]], n_objects: float) -> float:
    """Mean over 101 recalls of the best precision from there on; without objects, 1 or 0 by whether anything counts."""
    if n_objects == 0:
        return 0.0 if any(weight for _, _, weight in entries) else 1.0
    hits = mass = 0.0
    points = []
    for _, hit, weight in entries:
        mass += weight
        hits += weight * hit
        if mass:
            points.append((hits / n_objects, hits / mass))
    recalls = np.linspace(0, 1, 101).tolist()
    return float(np.mean([max((p for r, p in points if r >= recall), default=0.0) for recall in recalls]))
