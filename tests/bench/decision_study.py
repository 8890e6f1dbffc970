"""How often is a good model promoted, and a merely lucky one? Measures docs/decision_study.json.

Simulated studies (`simulated_detector`) go through the product's own functions from counts and average precision to
`decide` with the policy that ships, all gates in place: choice on val, threshold from val, judgement on test and on the
whole core suite. Run in the root of the repository; about fifteen minutes on one core:

    OMP_NUM_THREADS=1 python -m tests.bench.decision_study      writes docs/decision_study.json
    python docs/statistics_page.py                              writes its table into docs/statistics.md

With ``--quick`` a twentieth of the studies; the results are printed and not written.

What is simpler than in a real study: boxes are not drawn, so AP is AP50; images are independent; a corruption takes
away skill, the same at a severity for all corruptions, for candidate and baseline alike; trainings of one configuration
are equally good but for the scenario in which they scatter; no true value lies near a bar other than the baseline's;
and only the proposed candidate and its baseline are shown the test images, because no gate looks at anybody else there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.corruptions.records import CLEAN, Variant
from robust.eval.decision.decide import decide, select
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.decision.records import Outcome, Tier
from robust.eval.decision.study import Study
from robust.eval.evidence.candidate import Measured, candidate_evidence
from robust.eval.evidence.measure import MeasuredCell
from robust.eval.evidence.records import (
    CandidateEvidence,
    CellAtThreshold,
    CellEvidence,
    Curve,
    DataEvidence,
    Evidence,
    LeakageEvidence,
    SplitEvidence,
    SuiteEvidence,
    SweepEvidence,
    VariantEvidence,
)
from robust.eval.evidence.replicates import Replicates
from robust.eval.evidence.study import EvidencePart, assemble_study
from robust.eval.metrics.bands import bands, rate_intervals
from robust.eval.metrics.counts import ImageCounts
from robust.eval.metrics.error_types import ErrorReplicates
from robust.eval.metrics.interval import clopper_pearson, share_interval
from robust.eval.metrics.misses import MissKinds
from robust.eval.metrics.ranking import ranked_average_precision
from robust.eval.metrics.records import CocoMetrics, ThresholdChoice, ThresholdConstraints
from robust.eval.metrics.resampling import ImageWeights, Resampling, image_weights
from robust.eval.metrics.thresholds import choose_threshold, threshold_grid
from robust.eval.metrics.worst_images import WorstImages
from robust.eval.records import Candidate, Configuration
from tests.bench.coverage_study import progress, with_whole
from tests.bench.simulated_detector import Found, Scenes, detect, scenes, skill, truths

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "decision_study.json"
SEED, REPLICATES = 20261126, 1000
CORRUPTIONS, SEVERITIES = ("night", "occlusion", "crowd"), (1, 2, 3, 4, 5)
LOST_SKILL = 0.12
"""Skill that each step of severity takes away; about 15 % of AP50 on average over the suite."""
MOST_FALSE, FEWEST_RIGHT = 0.05, 0.95
"""Share of studies that may promote what is no better at most, and that must promote what is; fixed beforehand.

Held against the end of the exact 95 % interval."""
THRESHOLDS = threshold_grid(0.30, 0.80, 0.01)
VARIANTS = (Variant(CLEAN, 0), *(Variant(c, s) for c in CORRUPTIONS for s in SEVERITIES))
AP_NAMES = ("AP", "AP50")


@dataclass(frozen=True)
class Scenario:
    """One kind of study that is simulated many times.

    Attributes:
        name: For the table.
        studies: How many.
        n_val: Images that choose.
        n_test: Images that judge.
        seeds: Trainings of each configuration.
        detected: For each configuration the share of all persons that its trainings give any evidence.
        baseline: The same for the starting weights.
        scatter: Standard deviation of the skill over trainings of one configuration.
    """

    name: str
    studies: int
    n_val: int
    n_test: int
    seeds: int
    detected: tuple[float, ...]
    baseline: float
    scatter: float = 0.0


SCENARIOS = (
    Scenario("6 equal candidates, one seed each", 1000, 100, 200, 1, (0.875,) * 6, 0.875),
    Scenario("equal, 2 configurations of 5 seeds", 600, 300, 1000, 5, (0.875, 0.875), 0.875),
    Scenario("one configuration better by 0.1", 200, 300, 1000, 5, (0.905, 0.825), 0.825),
    Scenario("better by 0.1, few images", 200, 100, 100, 5, (0.905, 0.825), 0.825),
    Scenario("seeds scatter around the baseline", 200, 300, 1000, 5, (0.875, 0.875), 0.875, scatter=0.08),
)


@dataclass(frozen=True, eq=False)
class Drawn:
    """The images of one split in one study, and how they are weighted."""

    split: str
    seen: Scenes
    weights: ImageWeights

    @property
    def persons(self) -> NDArray[np.float64]:
        """float64 (n,), of each image."""
        return self.seen.persons_per_image


def draw(split: str, n: int, study: int) -> Drawn:
    """Draw the images of a split."""
    rng = np.random.default_rng([SEED, n, study, split == "val"])
    return Drawn(
        split, scenes(n, rng), image_weights((None,) * n, Resampling(seed=study, replicates=REPLICATES), split)
    )


def look(drawn: Drawn, ability: float, severity: int, seed: tuple[int, ...]) -> Found:
    """Show one detector the images at a severity; the same one sees the same images alike at every severity."""
    return detect(drawn.seen, ability - LOST_SKILL * severity, np.random.default_rng([SEED, 7, *seed]))


def average_precisions(drawn: Drawn, found: Found, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """AP50 with each column of image weights."""
    return ranked_average_precision(
        score=found.score,
        hit=found.hit,
        counted=np.ones(len(found.hit), dtype=np.bool_),
        image_index=found.image,
        objects_per_image=drawn.persons,
        weights=weights,
    )


def counts(drawn: Drawn, found: Found) -> ImageCounts:
    """Hits and false alarms of each image at each threshold."""
    limits = np.array(THRESHOLDS)

    def reaching(kind: NDArray[np.bool_]) -> NDArray[np.float64]:
        n = drawn.seen.n_images
        columns = [np.bincount(found.image[kind & (found.score >= limit)], minlength=n) for limit in limits]
        return np.stack(columns, axis=1).astype(np.float64)

    return ImageCounts(limits, reaching(found.hit), reaching(~found.hit), drawn.persons)


def measured_cell(drawn: Drawn, variant: Variant, found: Found, key: str) -> MeasuredCell:
    """AP50 and its interval in one cell, without what no critical gate reads."""
    values = average_precisions(drawn, found, with_whole(drawn.weights.values))
    value, replicates = float(values[0]), values[1:]
    carrying = int(np.count_nonzero(drawn.persons))
    n_objects = int(drawn.persons.sum())
    interval = share_interval(value, replicates, drawn.weights.n_units, n_objects=n_objects, n_carrying=carrying)
    empty = dict.fromkeys(CocoMetrics.model_fields)
    evidence = CellEvidence(
        split=drawn.split,
        variant=variant.name,
        key=sha(key + drawn.split + variant.name),
        n_detections=len(found.score),
        n_units=drawn.weights.n_units,
        coco=CocoMetrics(**{**empty, **dict.fromkeys(AP_NAMES, value)}),
        intervals=dict.fromkeys(AP_NAMES, interval),
    )
    nothing = ErrorReplicates(drawn.weights.n_units, 0, {}, np.zeros(0), {})
    return MeasuredCell(variant, evidence, {"inference": {}}, dict.fromkeys(AP_NAMES, replicates), nothing)


def sweep(drawn: Drawn, seen: ImageCounts, choice: ThresholdChoice) -> tuple[Curve, CellAtThreshold | None]:
    """The curve of one clean cell, and its rates at the chosen threshold."""
    curve = Curve.of(
        drawn.split,
        CLEAN,
        seen.operating_points(),
        n_images=drawn.seen.n_images,
        n_objects=seen.n_objects,
        bands=bands(seen, drawn.weights),
    )
    if choice.threshold is None:
        return curve, None
    intervals = rate_intervals(seen, drawn.weights, choice.threshold)
    none = {"threshold": choice.threshold}
    misses = MissKinds(**none, n_objects=0, n_missed=0, misses=(), n_false_positives=0, false_positives=())
    worst = WorstImages(**none, by_misses=(), by_false_positives=())
    return curve, CellAtThreshold(split=drawn.split, variant=CLEAN, intervals=intervals, misses=misses, worst=worst)


@dataclass(frozen=True)
class Model:
    """One training, or the starting weights."""

    candidate: Candidate
    ability: float
    number: int


def models(scenario: Scenario, study: int) -> list[Model]:
    """All candidates of one study, and their baseline last."""
    luck = np.random.default_rng([SEED, 3, study]).normal(0.0, scenario.scatter, 100)
    base = Candidate("base@640", Path("base.pt"), sha("base"), 640, role="baseline")
    found = []
    for number, (place, seed) in enumerate(
        (p, s) for p in range(len(scenario.detected)) for s in range(scenario.seeds)
    ):
        candidate = Candidate(
            f"lr {place} seed {seed}",
            Path("w.pt"),
            sha(f"{place} {seed}"),
            640,
            configuration=Configuration(model="base.pt", imgsz=640, lr0=0.001 * (place + 1), epochs=30),
            seed=seed,
            baseline=base.name,
            baseline_sha256=base.weights_sha256,
        )
        found.append(Model(candidate, skill(scenario.detected[place]) + float(luck[number]), number))
    return [*found, Model(base, skill(scenario.baseline), len(found))]


def part(model: Model, val: Drawn, test: Drawn | None, study: int) -> EvidencePart:
    """What one evaluation holds: clean val, and if it is shown test, that in all variants."""
    seeds = (study, model.number)
    on_val = look(val, model.ability, 0, (*seeds, 1))
    selecting = counts(val, on_val)
    choice = choose_threshold(selecting.operating_points(), ThresholdConstraints())
    cells = [measured_cell(val, VARIANTS[0], on_val, model.candidate.name)]
    swept = [sweep(val, selecting, choice)]
    columns = {("val", CLEAN, name): cells[0].replicates[name] for name in AP_NAMES}
    if test is not None:
        for variant in VARIANTS:
            found = look(test, model.ability, variant.severity, (*seeds, 2))
            cells.append(measured_cell(test, variant, found, model.candidate.name))
            columns |= {("test", variant.name, name): cells[-1].replicates[name] for name in AP_NAMES}
            if variant.severity == 0:
                swept.append(sweep(test, counts(test, found), choice))
    evidence = SweepEvidence(
        start=THRESHOLDS[0],
        stop=THRESHOLDS[-1],
        step=0.01,
        choice=choice,
        curves=tuple(curve for curve, _ in swept),
        at_threshold=tuple(at for _, at in swept if at is not None),
    )
    drawn = {one.split: one.weights.n_units for one in (val, test) if one is not None}
    resampling = Resampling(seed=study, replicates=REPLICATES)
    replicates = Replicates(resampling, drawn, columns)
    measured = Measured(tuple(cells), evidence, replicates)
    made = candidate_evidence(model.candidate, measured, judged_on="test", training=None, weights_bytes=None)
    return EvidencePart(around((made,), resampling, val, test), replicates)


def around(
    candidates: tuple[CandidateEvidence, ...], resampling: Resampling, val: Drawn, test: Drawn | None
) -> Evidence:
    """Evidence of these candidates; its data and suite are the same for all."""
    n_test = 0 if test is None else test.seen.n_images
    sizes = {"train": 1000, "val": val.seen.n_images, "test": n_test}
    return Evidence(
        experiment="simulated",
        resampling=resampling,
        data=DataEvidence(
            name="simulated",
            categories=("person",),
            splits=tuple(_split(name, n) for name, n in sizes.items()),
            leakage=tuple(
                LeakageEvidence(splits=pair, n_identical=0, n_near_duplicates=0)
                for pair in (("train", "val"), ("train", "test"), ("val", "test"))
            ),
        ),
        suite=SuiteEvidence(name="core", seed=0, variants=tuple(_variant(v, n_test) for v in VARIANTS)),
        candidates=candidates,
        environment={},
    )


def _split(name: str, n: int) -> SplitEvidence:
    none = dict.fromkeys(("n_negatives", "n_ignored", "n_small", "n_medium", "n_large"), 0)
    return SplitEvidence(split=name, fingerprint=sha(name), n_images=n, n_objects=3 * n, n_groups=None, **none)


def _variant(variant: Variant, n: int) -> VariantEvidence:
    return VariantEvidence(
        name=variant.name,
        corruption=variant.corruption,
        severity=variant.severity,
        parameters={},
        ground_truth="amodal",
        recipe_sha256=sha(variant.name),
        ground_truth_sha256=sha("truth"),
        n_images=n,
        n_objects=3 * n,
        n_ignored=0,
    )


def sha(text: str) -> str:
    """A hash that stands for a file."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Outcomes:
    """What became of one study.

    Attributes:
        verdict: The decision.
        name: Of the proposed candidate.
        is_better: Whether its true skill is above that of its starting weights.
        answers: Critical gate -> its answer.
    """

    verdict: str
    name: str
    is_better: bool
    answers: dict[str, str]


def run_study(scenario: Scenario, study: int, policy: Policy) -> Outcomes:
    """Simulate one whole study."""
    val, test = draw("val", scenario.n_val, study), draw("test", scenario.n_test, study)
    *trained, base = models(scenario, study)
    on_val = assemble_study([part(model, val, None, study) for model in (*trained, base)])
    proposed = select(Study(on_val), policy.selection).candidate
    (winner,) = [model for model in trained if model.candidate.name == proposed]
    shown = [part(model, val, test, study) for model in (winner, base)]
    judged = assemble_study(shown)
    others = tuple(c for c in on_val.candidates if c.name not in {winner.candidate.name, base.candidate.name})
    evidence = judged.model_copy(update={"candidates": (*judged.candidates, *others)})
    decision = decide(evidence, policy)
    if decision.selection.candidate != proposed:
        raise AssertionError("test images changed who is proposed")
    answers = {gate.gate: str(gate.outcome) for gate in decision.gates if gate.tier is Tier.CRITICAL}
    return Outcomes(str(decision.verdict), winner.candidate.name, winner.ability > base.ability, answers)


def run_scenario(scenario: Scenario, studies: int, policy: Policy) -> dict[str, Any]:
    """Many studies of one kind."""
    verdicts: Counter[str] = Counter()
    chosen: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    wrongly = 0
    for study in progress(range(studies), scenario.name):
        found = run_study(scenario, study, policy)
        verdicts[found.verdict] += 1
        chosen[found.name.partition(" seed ")[0]] += 1
        passed.update(gate for gate, outcome in found.answers.items() if outcome == Outcome.PASS)
        wrongly += found.verdict == "PROMOTE" and not found.is_better
    (*best, base) = truths((*map(skill, scenario.detected), skill(scenario.baseline)), SEED)
    share = verdicts["PROMOTE"] / studies
    return {
        "name": scenario.name,
        "studies": studies,
        "val": scenario.n_val,
        "test": scenario.n_test,
        "seeds": scenario.seeds,
        "AP50": [round(one["AP50"], 4) for one in best],
        "baseline_AP50": round(base["AP50"], 4),
        "scatter": scenario.scatter,
        "promoted": share,
        "promoted_interval": [round(end, 4) for end in clopper_pearson(verdicts["PROMOTE"], studies)],
        "promoted_no_better": wrongly / studies,
        "promoted_no_better_interval": [round(end, 4) for end in clopper_pearson(wrongly, studies)],
        "verdicts": {name: verdicts[name] for name in ("PROMOTE", "HOLD", "REJECT")},
        "proposed": dict(sorted(chosen.items())),
        "passed": dict(sorted(passed.items())),
    }


def main() -> int:
    """Run the studies; return 1 when chance promotes too often or a better model is not promoted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    policy = read_policy()
    rows = [run_scenario(one, one.studies // (20 if quick else 1), policy) for one in SCENARIOS]
    results = {
        "settings": {"seed": SEED, "replicates": REPLICATES, "policy_sha256": policy.sha256, "lost_skill": LOST_SKILL},
        "scenarios": rows,
    }
    text = json.dumps(results, indent=1) + "\n"
    if quick:
        sys.stdout.write(text)
    else:
        RESULTS.write_text(text, encoding="utf-8")
    too_often = any(row["promoted_no_better_interval"][1] > MOST_FALSE for row in rows)
    return int(too_often or rows[2]["promoted_interval"][0] < FEWEST_RIGHT)


if __name__ == "__main__":
    sys.exit(main())
