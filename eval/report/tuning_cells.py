"""What the tuning report says of one candidate's sweep: its curves, and rates with their bands as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from robust.eval.decision.claims import bounded, plural
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN, THRESHOLD_TOLERANCE, Study
from robust.eval.evidence.records import CandidateEvidence, Curve, Evidence
from robust.eval.metrics.records import OperatingPoint
from robust.eval.metrics.threshold_costs import COARSE, ThresholdCosts, shown_thresholds
from robust.eval.metrics.thresholds import operating_point
from robust.eval.report.context import Cell
from robust.eval.report.gallery import Gallery
from robust.eval.report.view import NOT_MEASURED

RATES = {"precision": "Precision", "recall": "Recall", "f1": "F1", "fppi": "False positives per image"}
"""Field of an operating point -> its heading."""
NO_INTERVALS = "no intervals were computed"
ELSEWHERE = "Pictures are in the document of each candidate, in a folder of its name."


@dataclass(frozen=True)
class TuningSubject:
    """One candidate whose sweep is reported.

    Attributes:
        name: Unique among those of one document.
        run_id: Of its evaluation; empty when there is none.
        evidence: That it belongs to.
        candidate: With its sweep.
        costs: What other thresholds would cost, a record for each split that was compared.
        pictures: Split -> names and pictures of the images that flip in it.
    """

    name: str
    run_id: str
    evidence: Evidence
    candidate: CandidateEvidence
    costs: tuple[ThresholdCosts, ...] = ()
    pictures: Mapping[str, Gallery] = field(default_factory=dict)

    def without_pictures(self) -> TuningSubject:
        """The same with the names of images alone."""
        named = {
            split: Gallery(
                note=ELSEWHERE if gallery.mode != "none" else "",
                entries=tuple(entry.model_copy(update={"picture": None}) for entry in gallery.entries),
            )
            for split, gallery in self.pictures.items()
        }
        return replace(self, pictures=named)

    @property
    def title(self) -> str:
        """The name, with the word that it is a baseline."""
        return f"{self.name} (baseline)" if self.candidate.role == "baseline" else self.name

    @property
    def judged_on(self) -> str:
        """The split that judges."""
        return self.candidate.judged_on

    @property
    def chosen_on(self) -> str | None:
        """The split that the threshold was chosen on."""
        return self.candidate.sweep.choice.chosen_on

    @property
    def chosen(self) -> float | None:
        """The chosen threshold."""
        return self.candidate.sweep.choice.threshold

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """Of the sweep, rising."""
        curves = self.candidate.sweep.curves
        return curves[0].thresholds if curves else ()

    @cached_property
    def at(self) -> int | None:
        """Place of the chosen threshold in the sweep."""
        return None if self.chosen is None else nearest(self.thresholds, self.chosen, THRESHOLD_TOLERANCE)

    @cached_property
    def shown(self) -> tuple[int, ...]:
        """Places of the thresholds that get a row of their own."""
        if self.at is None:
            return self.coarse
        wanted = set(shown_thresholds(self.thresholds, self.thresholds[self.at]))
        return tuple(i for i, threshold in enumerate(self.thresholds) if threshold in wanted)

    @cached_property
    def coarse(self) -> tuple[int, ...]:
        """Places of every multiple of 0.05, of both ends and of the chosen threshold."""
        places = {0, len(self.thresholds) - 1, self.at}
        steps = [threshold / COARSE for threshold in self.thresholds]
        return tuple(i for i, s in enumerate(steps) if i in places or abs(s - round(s)) < THRESHOLD_TOLERANCE)

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Clean on the choosing split, clean on the judging one, then its variants in the order of the suite."""
        order = {v.name: i for i, v in enumerate(self.evidence.suite.variants)}
        places = {(self.chosen_on, CLEAN): -2, (self.judged_on, CLEAN): -1}

        def rank(curve: Curve) -> tuple[int, int]:
            other = len(order) * (curve.split != self.judged_on)
            return places.get((curve.split, curve.variant), other), order.get(curve.variant, len(order))

        return tuple(sorted(self.candidate.sweep.curves, key=rank))

    def curve(self, split: str | None, variant: str = CLEAN) -> Curve | None:
        """One of the curves."""
        return next((c for c in self.curves if (c.split, c.variant) == (split, variant)), None)

    def label(self, curve: Curve) -> str:
        """``night/3 (test)``, with what must be known of the variant."""
        study = Study(self.evidence)
        recorded = next((v for v in study.recorded if v.name == curve.variant), None)
        words = f"recorded, {plural(curve.n_images, 'image')}" if recorded else curve.split
        seen = study.seen(curve.variant)
        return f"{curve.variant} ({words}{', ' + seen if seen else ''})"

    def is_among_highest(self, curve: Curve) -> bool:
        """Whether it is clean, recorded, or the highest severity of its corruption."""
        corruption, _, severity = curve.variant.partition("/")
        others = [c.variant.partition("/") for c in self.curves if c.split == curve.split]
        return not severity or int(severity) == max(int(s) for c, _, s in others if c == corruption and s)


def signed_count(change: int) -> str:
    """``+3``, ``-1,200`` or ``0``."""
    return f"{change:+,}" if change else "0"


def nearest(thresholds: Sequence[float], wanted: float, within: float) -> int | None:
    """Place of the threshold nearest to the wanted one; None when none is within that distance."""
    if not thresholds:
        return None
    at = min(range(len(thresholds)), key=lambda i: abs(thresholds[i] - wanted))
    return at if abs(thresholds[at] - wanted) <= within else None


def point_at(curve: Curve, place: int) -> OperatingPoint:
    """One point of a curve; ``curve.points[place]`` would make all of them each time."""
    tp = curve.tp[place]
    return operating_point(curve.thresholds[place], tp, curve.fp[place], curve.n_objects - tp, curve.n_images)


def rate_at(curve: Curve, rate: str, place: int) -> Estimate:
    """One rate of a curve at one threshold with its band."""
    value = getattr(point_at(curve, place), rate)
    ends = curve.bands.at(rate, place) if curve.bands else None
    if value is None or ends is None:
        return Estimate.of(value)
    return Estimate(value=value, low=ends[0], high=ends[1])


def bounded_cell(value: Estimate) -> Cell:
    """A cell that carries its interval, or says that it has none, or why there is no value."""
    return Cell(bounded(value), "number" if value.value is not None else "missing")


def rate_cells(curve: Curve | None, place: int | None) -> tuple[Cell, ...]:
    """The four rates of a curve at one threshold."""
    if curve is None or place is None:
        return (Cell(NOT_MEASURED, "missing"),) * len(RATES)
    return tuple(bounded_cell(rate_at(curve, rate, place)) for rate in RATES)


def interval_note(curve: Curve) -> str:
    """How the intervals of a curve must be read, or why there is none at any threshold; empty when neither."""
    if curve.bands is None:
        return NO_INTERVALS
    parts = curve.bands.note.split("; ")
    return "; ".join(part for part in parts if not part.startswith("no interval of"))  # each number says that itself


def size_words(curve: Curve | None, split: str | None) -> str:
    """``test: 10 images, 47 objects``."""
    if curve is None:
        return f"{split or 'no split'}: {NOT_MEASURED}"
    return f"{curve.split}: {plural(curve.n_images, 'image')}, {plural(curve.n_objects, 'object')}"
