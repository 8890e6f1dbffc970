"""Questions that gates and claims put to the evidence. Every answer says when it is missing, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from robust.eval.decision.records import Estimate
from robust.eval.evidence.compared import ComparisonEvidence, SettingEvidence
from robust.eval.evidence.configurations import unique_labels, without_duplicates
from robust.eval.evidence.records import (
    CandidateEvidence,
    CellEvidence,
    ConfigurationEvidence,
    Curve,
    Evidence,
    LeakageEvidence,
    SplitEvidence,
    VariantEvidence,
)
from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.linear_contrast import SEEDS_FOR_INTERVAL
from robust.eval.metrics.records import OperatingPoint
from robust.eval.metrics.robustness_records import RobustnessEvidence

CLEAN = "clean"
ALL_VARIANTS = "all variants"
SEEN = "seen in training"
THRESHOLD_TOLERANCE = 1e-9  # thresholds are decimal steps; binary floats miss them by less than this


@dataclass(frozen=True)
class Group:
    """The candidates of one configuration.

    Attributes:
        label: Short name of the configuration, unique in the study.
        configuration: What they share.
        candidates: Sorted by seed, then name.
    """

    label: str
    configuration: ConfigurationEvidence
    candidates: tuple[CandidateEvidence, ...]

    @property
    def counted(self) -> tuple[CandidateEvidence, ...]:
        """The candidates that count in means: a seed and a file of weights once, the first by seed and name.

        Those of unknown seed count as long as their weights differ.
        """
        return without_duplicates(self.candidates)

    @property
    def distinct(self) -> tuple[CandidateEvidence, ...]:
        """Those of ``counted`` whose seed is known."""
        return tuple(c for c in self.counted if c.seed is not None)

    @property
    def distinct_seeds(self) -> tuple[int, ...]:
        """Seeds that count: known, different, and with different weights.

        The same seed trained twice counts once, and so do two seeds whose weight files are the same bytes.
        """
        return tuple(sorted(c.seed for c in self.distinct if c.seed is not None))


@dataclass(frozen=True)
class Study:
    """The evidence, with the look-ups that decisions need."""

    evidence: Evidence

    @cached_property
    def everybody(self) -> tuple[CandidateEvidence, ...]:
        """Candidates and baselines; candidates that share a name carry the start of their run id or weights hash."""
        times = Counter(c.name for c in self.evidence.candidates if c.role == "candidate")
        return tuple(
            c.model_copy(update={"name": f"{c.name} [{_mark(c)}]"})
            if c.role == "candidate" and times[c.name] > 1
            else c
            for c in self.evidence.candidates
        )

    @cached_property
    def candidates(self) -> tuple[CandidateEvidence, ...]:
        """All candidates, baselines left out."""
        return tuple(c for c in self.everybody if c.role == "candidate")

    @cached_property
    def baselines(self) -> tuple[CandidateEvidence, ...]:
        """All baselines."""
        return tuple(c for c in self.everybody if c.role == "baseline")

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Configurations in order of image size, learning rate and label."""
        by_configuration: dict[ConfigurationEvidence, list[CandidateEvidence]] = {}
        for candidate in self.candidates:
            by_configuration.setdefault(candidate.configuration, []).append(candidate)
        labels = unique_labels(tuple(by_configuration))
        groups = [
            Group(labels[shared], shared, tuple(sorted(members, key=lambda c: (c.seed is None, c.seed or 0, c.name))))
            for shared, members in by_configuration.items()
        ]
        return tuple(sorted(groups, key=lambda g: (g.configuration.imgsz or 0, g.configuration.lr0 or 0.0, g.label)))

    @cached_property
    def splits(self) -> dict[str, SplitEvidence]:
        """Counts by split name."""
        return {split.split: split for split in self.evidence.data.splits}

    @cached_property
    def corruptions(self) -> tuple[str, ...]:
        """Corruptions of the suite in their order; clean and recorded sets left out."""
        variants = self.evidence.suite.variants
        return tuple(dict.fromkeys(v.corruption for v in variants if v.corruption != CLEAN and not v.recorded))

    @cached_property
    def recorded(self) -> tuple[VariantEvidence, ...]:
        """Sets recorded under a condition: other images than the clean ones, so nothing is paired with clean."""
        return tuple(v for v in self.evidence.suite.variants if v.recorded)

    @cached_property
    def trained_on(self) -> tuple[str, ...]:
        """Corruptions of the suite that the training images were augmented with."""
        seen = {v.corruption for v in self.evidence.suite.variants if v.trained_on}
        return tuple(corruption for corruption in self.corruptions if corruption in seen)

    @cached_property
    def declared_only(self) -> tuple[str, ...]:
        """Corruptions that were declared as trained on and that the suite does not hold."""
        return tuple(name for name in self.evidence.suite.trained_on if name not in self.corruptions)

    def seen(self, variant: str | None) -> str:
        """What training has seen of a variant, a corruption or ALL_VARIANTS, in words; empty when nothing."""
        if variant == ALL_VARIANTS and self.trained_on:
            return SEEN if self.trained_on == self.corruptions else f"partly {SEEN}"
        return SEEN if (variant or "").partition("/")[0] in self.trained_on else ""

    def shared(self, split: str, recorded: str) -> LeakageEvidence | None:
        """What a recorded set shares with a split; None when they were not compared."""
        return next((p for p in self.evidence.data.leakage if set(p.splits) == {split, recorded}), None)

    def leaks(self, split: str) -> tuple[LeakageEvidence, ...]:
        """Pairs that must share no image; a recorded set may share some with the split that judges, and only that."""
        recorded = {v.name for v in self.recorded}
        return tuple(p for p in self.evidence.data.leakage if not (split in p.splits and recorded & set(p.splits)))

    def counts(self, split: str, variant: str) -> SplitEvidence | VariantEvidence | None:
        """Where images and objects of a cell were counted: a variant may hide objects or add some."""
        of_variant = next((v for v in self.evidence.suite.variants if v.name == variant != CLEAN), None)
        return of_variant or self.splits.get(split)

    def severities(self, corruption: str) -> tuple[int, ...]:
        """Severities of a corruption that the suite holds, rising."""
        return tuple(sorted({v.severity for v in self.evidence.suite.variants if v.corruption == corruption}))

    def candidate(self, name: str | None) -> CandidateEvidence | None:
        """The candidate or baseline of that name."""
        return next((c for c in self.everybody if c.name == name), None)

    def baseline_of(self, candidate: CandidateEvidence) -> CandidateEvidence | None:
        """The baseline that a candidate must beat, if it was evaluated."""
        wanted = (candidate.baseline_sha256, candidate.imgsz)
        return next((c for c in self.baselines if (c.weights_sha256, c.imgsz) == wanted), None)

    def group_of(self, candidate: CandidateEvidence) -> Group | None:
        """The configuration of a candidate."""
        return next((g for g in self.groups if candidate in g.candidates), None)

    def metric(self, candidate: CandidateEvidence, split: str, variant: str, metric: str) -> Estimate:
        """One of the 12 COCO numbers of a cell with its interval."""
        found = cell(candidate, split, variant)
        if found is None:
            return Estimate.of(None, "not measured")
        return Estimate.of(getattr(found.coco, metric), interval=found.intervals.get(metric))

    def mean_metric(self, members: Sequence[CandidateEvidence], split: str, variant: str, metric: str) -> Estimate:
        """Mean over candidates, the same seed and the same weights once; missing as soon as one of them is missing.

        The interval is that of the setting: it holds the spread of the seeds too, and needs at least three of them.
        """
        values = [self.metric(c, split, variant, metric) for c in without_duplicates(members)]
        absent = next((v for v in values if v.value is None), None)
        if absent is not None or not values:
            return Estimate.of(None, absent.missing if absent and absent.missing else "not measured")
        setting = self.setting(members, split, variant, metric)
        interval = setting.estimate.interval if setting else Interval.none(_no_setting(members), 0)
        return Estimate.of(fmean(v.value for v in values if v.value is not None), interval=interval)

    def setting(
        self, members: Sequence[CandidateEvidence], split: str, variant: str, metric: str
    ) -> SettingEvidence | None:
        """The estimate of a configuration over its seeds; None when these are not exactly the members of one.

        What is there twice (a seed, a file of weights) counts once, as in the estimate.
        """
        keys = {c.key for c in without_duplicates(members)}
        asked = (split, variant, metric)
        found = self.comparisons.settings
        return next((s for s in found if (s.split, s.variant, s.metric) == asked and set(s.members) == keys), None)

    def difference(
        self, candidate: CandidateEvidence, other: CandidateEvidence, split: str, variant: str, metric: str
    ) -> Estimate:
        """Candidate minus other on the same images, with the paired interval if they were compared."""
        plain = subtract(self.metric(candidate, split, variant, metric), self.metric(other, split, variant, metric))
        found = self.comparison(candidate, other, split, variant, metric)
        if found is None or plain.value is None:
            return plain
        return Estimate.of(found.difference, interval=found.interval)

    def comparison(
        self, candidate: CandidateEvidence, other: CandidateEvidence, split: str, variant: str, metric: str
    ) -> Comparison | None:
        """The paired comparison of a candidate with another one; None when it was not made in this direction."""
        return self._compared.get((candidate.key, other.key, split, variant, metric))

    @cached_property
    def comparisons(self) -> ComparisonEvidence:
        """All comparisons; empty when none were made."""
        return self.evidence.comparisons or ComparisonEvidence()

    @cached_property
    def _compared(self) -> dict[tuple[str, str, str, str, str], Comparison]:
        pairs = (*self.comparisons.against_baseline, *self.comparisons.between_candidates)
        return {
            (p.first, p.second, p.comparison.split, p.comparison.variant, p.comparison.metric): p.comparison
            for p in pairs
        }

    def retained(self, candidate: CandidateEvidence, split: str, corruption: str | None, metric: str) -> Estimate:
        """Share of the clean value that is kept: mean over severities / clean; over the whole suite when None.

        Source: rPC of Michaelis et al. 2019 (arXiv 1907.07484). The suite's own mPC is used as measured.
        """
        robustness = robustness_of(candidate, metric)
        clean = self.metric(candidate, split, CLEAN, metric)
        if robustness is None or clean.missing == "not measured":
            return Estimate.of(None, "not measured")
        if robustness.clean != clean.value:  # the aggregates belong to another split
            return Estimate.of(None, "not measured")
        simulated = [v for v in self.evidence.suite.variants if not v.recorded]  # only these share the clean images
        wanted = [v.name for v in simulated if corruption in {None, v.corruption}]
        if not wanted or any(cell(candidate, split, variant) is None for variant in wanted):
            return Estimate.of(None, "not measured")
        if corruption is None:
            return Estimate.of(robustness.rPC, interval=robustness.intervals.get("rPC"))
        if corruption not in robustness.corruption_means:
            return Estimate.of(None, "not measured")
        share = ratio(robustness.corruption_means[corruption], robustness.clean)
        return Estimate.of(share.value, interval=robustness.intervals.get(f"{corruption}/retained"))

    def held_out(self, candidate: CandidateEvidence, metric: str) -> Estimate:
        """Mean over the corruptions that training has not seen: mPC over these alone; not defined without any."""
        robustness = robustness_of(candidate, metric)
        unseen = [corruption for corruption in self.corruptions if corruption not in self.trained_on]
        if not unseen:
            return Estimate.of(None)
        means = [robustness.corruption_means.get(corruption) if robustness else None for corruption in unseen]
        known = [mean for mean in means if mean is not None]  # each over the same severities, so this mean is fair
        return Estimate.of(fmean(known) if len(known) == len(means) else None, "not measured")

    def rate(self, candidate: CandidateEvidence, split: str, variant: str, measure: str) -> Estimate:
        """Precision, recall, f1 or fppi of a cell at the candidate's chosen threshold, with its interval."""
        point = self.point(candidate, split, variant)
        if point is None:
            return Estimate.of(None, "not measured")
        at = next((a for a in candidate.sweep.at_threshold if (a.split, a.variant) == (split, variant)), None)
        return Estimate.of(getattr(point, measure), interval=at.intervals.get(measure) if at else None)

    def point(self, candidate: CandidateEvidence, split: str, variant: str) -> OperatingPoint | None:
        """The operating point of a cell at the candidate's chosen threshold."""
        threshold = candidate.sweep.choice.threshold
        found = curve(candidate, split, variant)
        if threshold is None or found is None:
            return None
        return next((p for p in found.points if abs(p.threshold - threshold) < THRESHOLD_TOLERANCE), None)


def _no_setting(members: Sequence[CandidateEvidence]) -> str:
    seeds = len({c.seed for c in without_duplicates(members)} - {None})
    if seeds < SEEDS_FOR_INTERVAL:
        return f"{seeds} distinct seed{'s' * (seeds != 1)}: at least {SEEDS_FOR_INTERVAL} are needed for an interval"
    return "none of this mean over seeds was computed"


def _mark(candidate: CandidateEvidence) -> str:
    return (candidate.training.run_id if candidate.training else candidate.weights_sha256)[:8]


def cell(candidate: CandidateEvidence, split: str, variant: str) -> CellEvidence | None:
    """One candidate on one variant of one split."""
    return next((c for c in candidate.cells if c.split == split and c.variant == variant), None)


def curve(candidate: CandidateEvidence, split: str, variant: str) -> Curve | None:
    """The sweep of one cell."""
    return next((c for c in candidate.sweep.curves if c.split == split and c.variant == variant), None)


def robustness_of(candidate: CandidateEvidence, metric: str) -> RobustnessEvidence | None:
    """The suite's aggregates for one base metric."""
    return next((r for r in candidate.robustness if r.metric == metric), None)


def subtract(a: Estimate, b: Estimate) -> Estimate:
    """A - b, missing when either is; the interval of a difference is not the difference of intervals."""
    if a.value is None or b.value is None:
        return Estimate.of(None, a.missing or b.missing or "not defined")
    return Estimate.of(a.value - b.value)


def ratio(part: float | None, whole: float | None) -> Estimate:
    """Part / whole; not defined when either is missing or the whole is 0."""
    return Estimate.of(part / whole if part is not None and whole else None)
