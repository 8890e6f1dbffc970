"""Do the 95 % intervals cover 95 %, and how often does chance promote a model? Measures docs/coverage.json.

Simulated test sets (`simulated_detector`) of which the truth is known go through the product's own functions. Run in
the root of the repository; about ten minutes on one core. Results depend on the seed and on nothing else:

    OMP_NUM_THREADS=1 python -m tests.bench.coverage_study      writes docs/coverage.json
    python docs/statistics_page.py                              writes its tables into docs/statistics.md

With ``--quick`` a twentieth of the work; the results are printed and not written.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from robust.eval.metrics.comparison import Comparison, compare, with_holm
from robust.eval.metrics.counts import ImageCounts, rates
from robust.eval.metrics.interval import Interval, share_interval
from robust.eval.metrics.optimism import WinnerCheck, corrected_winner
from robust.eval.metrics.ranking import ranked_average_precision
from robust.eval.metrics.resampling import Resampling, image_weights
from tests.bench.simulated_detector import DETECTED, POPULATION, Found, Scenes, detect, scenes, skill, truths

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "coverage.json"
SIMULATIONS, REPLICATES = 2000, 1000
SEED = 20261125
IMAGES = (10, 50, 200)
METRICS = ("AP50", "recall")
THRESHOLD = 0.5
CANDIDATES = 6
SELECTIONS = ((100, 200), (50, 50))
"""Images of val and test."""
SELECTION_LEVEL = 0.57
RULES = ("chosen_on_val", "any_holm", "any_uncorrected")
"""Who is promoted: the best on val if it is better than the champion on test (the product's rule), or any that is."""
MOST_FALSE_PROMOTIONS = 0.05

Values = dict[str, NDArray[np.float64]]
"""Metric -> its value with each column of weights."""


def with_whole(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put a column in front that counts every image once."""
    return np.concatenate([np.ones((len(weights), 1)), weights], axis=1)


def measure(seen: Scenes, found: Found, weights: NDArray[np.float64], metrics: Sequence[str] = METRICS) -> Values:
    """AP50 and recall at `THRESHOLD` of one detector with each column of image weights."""
    values: Values = {}
    persons = seen.persons_per_image
    if "AP50" in metrics:
        values["AP50"] = ranked_average_precision(
            score=found.score,
            hit=found.hit,
            counted=np.ones(len(found.hit), dtype=np.bool_),
            image_index=found.image,
            objects_per_image=persons,
            weights=weights,
        )
    if "recall" in metrics:
        tp, fp = (
            np.bincount(found.image[(found.score >= THRESHOLD) & kind], minlength=seen.n_images).astype(float)[:, None]
            for kind in (found.hit, ~found.hit)
        )
        values["recall"] = rates(ImageCounts(np.array([THRESHOLD]), tp, fp, persons), weights)["recall"][0]
    return values


class Tally:
    """What happened to the intervals of one cell of the table."""

    def __init__(self, truth: float) -> None:
        self.truth = truth
        self.notes: dict[str, float] = defaultdict(float)
        self.simulations = 0

    def add(self, interval: Interval, **others: tuple[float, float]) -> None:
        """Count one interval, and those that other methods make of the same replicates."""
        self.simulations += 1
        if interval.low is None or interval.high is None:
            self.notes["refused"] += 1
            return
        self.notes["exact"] += interval.method == "exact"
        self.notes["too_low"] += interval.high < self.truth
        self.notes["too_high"] += interval.low > self.truth
        self.notes["identical"] += interval.low == interval.high
        self.notes["shown"] += interval.low > 0 or interval.high < 0
        self.notes["width"] += interval.high - interval.low
        for name, (low, high) in others.items():
            self.notes[name] += low <= self.truth <= high

    def result(self) -> dict[str, Any]:
        """Shares of the intervals that were given, and the Monte Carlo error of the coverage."""
        refused, exact, identical = (int(self.notes.pop(name, 0)) for name in ("refused", "exact", "identical"))
        given = self.simulations - refused
        if not given:  # every interval was refused: nothing was claimed that could be wrong
            return {"truth": round(self.truth, 4), "refused": refused, "coverage": None}
        shares = {name: round(value / given, 4) for name, value in sorted(self.notes.items())}
        coverage = 1 - (self.notes["too_low"] + self.notes["too_high"]) / given
        return {
            "truth": round(self.truth, 4),
            "refused": refused,
            "exact": exact,
            "identical": identical,
            "coverage": round(coverage, 4),
            "se": round(math.sqrt(coverage * (1 - coverage) / given), 4),
            **shares,
        }


def bca(value: float, replicates: NDArray[np.float64], left_out: NDArray[np.float64]) -> tuple[float, float]:
    """The bias-corrected accelerated interval (Efron 1987) with the jackknife's acceleration, for contrast only."""
    replicates, away = replicates[np.isfinite(replicates)], np.nanmean(left_out) - left_out
    away = away[np.isfinite(away)]
    if replicates.min() == replicates.max():
        return float(replicates[0]), float(replicates[0])
    below = (np.count_nonzero(replicates < value) + 0.5 * np.count_nonzero(replicates == value)) / len(replicates)
    centre = stats.norm.ppf(np.clip(below, 0.5 / len(replicates), 1 - 0.5 / len(replicates)))
    spread = np.sum(away**2) ** 1.5
    acceleration = np.sum(away**3) / (6 * spread) if spread > 0 else 0.0
    tails = centre + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(replicates, stats.norm.cdf(centre + tails / (1 - acceleration * tails)))
    return float(low), float(high)


def level_interval(tally: Tally, seen: Scenes, values: NDArray[np.float64], n_replicates: int) -> None:
    """Count the interval of one number. Columns: whole, replicates, then each image left out once."""
    value, replicates, left_out = float(values[0]), values[1 : n_replicates + 1], values[n_replicates + 1 :]
    persons = seen.persons_per_image
    interval = share_interval(
        value if math.isfinite(value) else None,
        replicates,
        seen.n_images,
        n_objects=int(persons.sum()),
        n_carrying=int(np.count_nonzero(persons)),
    )
    if interval.low is None:
        tally.add(interval)
        return
    low, high = np.quantile(replicates[np.isfinite(replicates)], [0.025, 0.975])
    tally.add(interval, percentile=(float(low), float(high)), bca=bca(value, replicates, left_out))


def difference(first: NDArray[np.float64], second: NDArray[np.float64], n_images: int, metric: str) -> Comparison:
    """Compare two detectors. Columns: whole, then the replicates."""
    a, b = (float(values[0]) if math.isfinite(values[0]) else None for values in (first, second))
    return compare(a, b, first[1:], second[1:], n_images, split="test", variant="clean", metric=metric)


def coverage(levels: Sequence[float], images: Sequence[int], size: tuple[int, int]) -> dict[str, Any]:
    """Coverage of each kind of interval; ``size`` is the numbers of simulations and of replicates."""
    simulations, n_replicates = size
    known = {level: truths(tuple(map(skill, DETECTED[level])), SEED) for level in levels}
    tallies: dict[tuple[float, int, str], Tally] = {}
    for level, n, metric in ((level, n, metric) for level in levels for n in images for metric in METRICS):
        detector, rival = (one[metric] for one in known[level])
        tallies[level, n, metric] = Tally(detector)
        tallies[level, n, f"{metric} difference"] = Tally(rival - detector)
    claims = 0
    for n in images:
        for simulation in progress(range(simulations), f"coverage, {n} images"):
            drawn = image_weights((None,) * n, Resampling(seed=simulation, replicates=n_replicates), f"coverage {n}")
            weights = with_whole(np.concatenate([drawn.values, 1 - np.eye(n)], axis=1))
            for level in levels:
                rng = np.random.default_rng([SEED, 1, n, round(100 * level), simulation])
                seen = scenes(n, rng)
                pair = [measure(seen, detect(seen, skill(share), rng), weights) for share in DETECTED[level]]
                for metric in METRICS:
                    level_interval(tallies[level, n, metric], seen, pair[0][metric], n_replicates)
                    one, other = (values[metric][: n_replicates + 1] for values in pair)
                    tallies[level, n, f"{metric} difference"].add(difference(other, one, n, metric).interval)
                    claims += claims_something(difference(one, one, n, metric))
    rows = [{"AP50": key[0], "images": key[1], "number": key[2], **tally.result()} for key, tally in tallies.items()]
    return {"cells": rows, "self_comparisons": 2 * simulations * len(levels) * len(images), "self_claims": claims}


def claims_something(comparison: Comparison) -> bool:
    """Whether a comparison of a model with itself says anything but "exactly the same" or "cannot tell"."""
    ends = (comparison.interval.low, comparison.interval.high)
    quiet = comparison.verdict in {"identical", "cannot tell"} and not comparison.is_shown
    return not (quiet and comparison.difference in {0, None} and ends in {(0, 0), (None, None)})


def selection(sizes: tuple[int, int], size: tuple[int, int]) -> dict[str, Any]:
    """Choose the best of equal candidates on val and compare it with an equal champion on test."""
    (n_val, n_test), (simulations, n_replicates) = sizes, size
    ability = skill(DETECTED[SELECTION_LEVEL][0])
    truth = truths((ability,), SEED)[0]["AP50"]
    sums: dict[str, float] = defaultdict(float)
    for simulation in progress(range(simulations), f"selection, val {n_val} and test {n_test} images"):
        rng = np.random.default_rng([SEED, 2, n_val, n_test, simulation])
        resampling = Resampling(seed=simulation, replicates=n_replicates)
        check = _chosen(n_val, ability, resampling, rng)
        against = _against_champion(n_test, ability, resampling, rng)
        corrected = with_holm(against)
        sums["apparent"] += check.apparent
        sums["corrected"] += math.nan if check.corrected is None else check.corrected
        sums["on_test"] += against[check.winner].first or 0.0
        sums["called_stable"] += check.is_stable
        sums["chosen_on_val"] += against[check.winner].verdict == "superior"
        sums["any_uncorrected"] += any(one.verdict == "superior" for one in against)
        sums["any_holm"] += any(one.verdict == "superior" and one.is_shown for one in corrected)
    means = {name: value / simulations for name, value in sums.items()}
    errors = {f"{name}_se": math.sqrt(means[name] * (1 - means[name]) / simulations) for name in RULES}
    rounded = {name: round(value, 4) for name, value in sorted({**means, **errors}.items())}
    return {"val": n_val, "test": n_test, "truth": round(truth, 4), **rounded}


def _chosen(n: int, ability: float, resampling: Resampling, rng: np.random.Generator) -> WinnerCheck:
    weights = image_weights((None,) * n, resampling, f"val {n}")
    seen = scenes(n, rng)
    both = with_whole(np.concatenate([weights.values, weights.left_out], axis=1))
    values = np.stack([measure(seen, detect(seen, ability, rng), both, ("AP50",))["AP50"] for _ in range(CANDIDATES)])
    cut = 1 + weights.n_replicates
    return corrected_winner(values[:, 0], values[:, 1:cut], values[:, cut:])


def _against_champion(n: int, ability: float, resampling: Resampling, rng: np.random.Generator) -> list[Comparison]:
    weights = with_whole(image_weights((None,) * n, resampling, f"test {n}").values)
    seen = scenes(n, rng)
    champion, *others = (
        measure(seen, detect(seen, ability, rng), weights, ("AP50",))["AP50"] for _ in range(CANDIDATES + 1)
    )
    return [difference(values, champion, n, "AP50") for values in others]


def progress(steps: Iterable[int], what: str) -> Iterator[int]:
    """Pass the steps on, and say on stderr how far they are."""
    steps, started = list(steps), time.monotonic()
    for done, step in enumerate(steps, 1):
        yield step
        if done % max(1, len(steps) // 10) == 0:
            left = (time.monotonic() - started) / done * (len(steps) - done)
            sys.stderr.write(f"{what}: {done} of {len(steps)}, {left:.0f} s left\n")


def study(size: tuple[int, int]) -> dict[str, Any]:
    """Everything, at this number of simulations and replicates."""
    return {
        "settings": {
            "simulations": size[0],
            "replicates": size[1],
            "seed": SEED,
            "population": POPULATION,
            "threshold": THRESHOLD,
            "candidates": CANDIDATES,
            "selection_AP50": SELECTION_LEVEL,
        },
        "coverage": coverage(tuple(DETECTED), IMAGES, size),
        "selection": [selection(sizes, size) for sizes in SELECTIONS],
    }


def main() -> int:
    """Run the study; return 1 when chance promotes too often or a model differs from itself."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    results = study((SIMULATIONS // 20 if quick else SIMULATIONS, REPLICATES))
    text = json.dumps(results, indent=1) + "\n"
    if quick:
        sys.stdout.write(text)
    else:
        RESULTS.write_text(text, encoding="utf-8")
    too_often = any(row["chosen_on_val"] > MOST_FALSE_PROMOTIONS for row in results["selection"])
    return int(too_often or results["coverage"]["self_claims"] > 0)


if __name__ == "__main__":
    sys.exit(main())
