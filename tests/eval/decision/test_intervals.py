from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from scipy import stats

from robust.eval.decision.decide import decide
from robust.eval.decision.gates import Gate, Subject
from robust.eval.decision.metric_gates import BaselineGate, MetricGate, ThresholdGate
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Estimate, GateResult, Outcome, Tier, Verdict
from robust.eval.decision.study import ALL_VARIANTS, Study
from robust.eval.decision.suite_gates import RetainedGate
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics.interval import Interval
from tests.eval.evidence.study_builder import Model, build, grid_study

NAME, BASE = "sz256 lr0.005 s1", "base@256"
SETTING = [f"sz256 lr0.005 s{seed}" for seed in (1, 2, 3)]


@pytest.fixture
def study() -> Study:
    return Study(grid_study().evidence)


def one(study: Study, name: str = NAME) -> CandidateEvidence:
    found = study.candidate(name)
    assert found is not None
    return found


def carries(estimate: Estimate, interval: Interval | None) -> bool:
    """Whether an estimate shows exactly this interval, which must have ends."""
    assert interval is not None and interval.low is not None
    shown = (estimate.low, estimate.high, estimate.se, estimate.n_units, estimate.note)
    return shown == (interval.low, interval.high, interval.se, interval.n_units, interval.note)


@pytest.mark.parametrize(
    ("split", "variant", "metric"), [("test", "clean", "AP50"), ("test", "fog/2", "ARm"), ("val", "clean", "AP")]
)
def test_a_metric_comes_with_the_interval_of_its_cell(study: Study, split: str, variant: str, metric: str) -> None:
    cell = next(c for c in one(study).cells if (c.split, c.variant) == (split, variant))
    found = study.metric(one(study), split, variant, metric)
    assert found.value == getattr(cell.coco, metric) and carries(found, cell.intervals[metric])
    assert study.metric(one(study), "elsewhere", variant, metric).missing == "not measured"


def test_a_recorded_set_brings_the_interval_of_its_own_images(study: Study) -> None:
    found = study.metric(one(study), "test", "real_night", "AP50")
    assert found.has_interval and found.n_units == 12 and found.note == "very small sample"


def test_a_difference_is_paired_in_the_direction_in_which_it_was_compared(study: Study) -> None:
    pairs = study.comparisons.against_baseline
    pair = next(
        p.comparison
        for p in pairs
        if (p.first, p.second) == (one(study).key, one(study, BASE).key)
        and (p.comparison.split, p.comparison.variant, p.comparison.metric) == ("test", "night/1", "AP50")
    )
    found = study.difference(one(study), one(study, BASE), "test", "night/1", "AP50")
    assert found.value == pair.difference and carries(found, pair.interval)
    apart = (
        study.metric(one(study), "test", "night/1", "AP50"),
        study.metric(one(study, BASE), "test", "night/1", "AP50"),
    )
    assert found.value == pytest.approx((apart[0].value or 0) - (apart[1].value or 0))
    turned = study.difference(one(study, BASE), one(study), "test", "night/1", "AP50")
    assert turned.value == pytest.approx(-(found.value or 0)) and not turned.has_interval
    never_compared = study.difference(one(study), one(study, BASE), "test", "night/1", "AR1")
    assert never_compared.value is not None and not never_compared.has_interval


def test_a_retained_share_comes_with_the_interval_of_the_suite(study: Study) -> None:
    robustness = next(r for r in one(study).robustness if r.metric == "AP50")
    whole = study.retained(one(study), "test", None, "AP50")
    assert whole.value == robustness.rPC and carries(whole, robustness.intervals["rPC"])
    night = study.retained(one(study), "test", "night", "AP50")
    assert carries(night, robustness.intervals["night/retained"])
    cells = {c.variant: c.coco.AP50 or 0.0 for c in one(study).cells if c.split == "test"}
    assert night.value == pytest.approx((cells["night/1"] + cells["night/2"]) / 2 / cells["clean"])
    assert study.retained(one(study), "test", "real_night", "AP50").missing == "not measured"
    assert study.retained(one(study), "val", "night", "AP50").missing == "not measured"


@pytest.mark.parametrize("measure", ["precision", "recall", "f1", "fppi"])
def test_a_rate_comes_with_the_interval_at_the_chosen_threshold(study: Study, measure: str) -> None:
    at = next(a for a in one(study).sweep.at_threshold if (a.split, a.variant) == ("test", "fog/1"))
    found = study.rate(one(study), "test", "fog/1", measure)
    assert carries(found, at.intervals[measure])
    curve = next(c for c in one(study).sweep.curves if (c.split, c.variant) == ("test", "fog/1"))
    point = next(p for p in curve.points if p.threshold == one(study).sweep.choice.threshold)
    assert found.value == getattr(point, measure)
    assert found.low is not None and found.high is not None and found.low < (found.value or 0) < found.high


def test_a_mean_over_three_seeds_comes_with_the_interval_of_the_setting(study: Study) -> None:
    members = [one(study, name) for name in SETTING]
    found = study.mean_metric(members, "test", "clean", "AP50")
    keys = {c.key for c in members}
    setting = next(
        s
        for s in study.comparisons.settings
        if set(s.members) == keys and (s.split, s.variant, s.metric) == ("test", "clean", "AP50")
    )
    assert found.value == pytest.approx(setting.estimate.value) and carries(found, setting.estimate.interval)
    two = study.mean_metric(members[:2], "test", "clean", "AP50")
    assert two.value is not None and not two.has_interval  # no setting has exactly these two
    mixed = study.mean_metric([*members[:2], one(study, "sz320 lr0.01 s1")], "test", "clean", "AP50")
    assert not mixed.has_interval


def test_gate_and_setting_count_the_same_seeds() -> None:
    models = [
        Model("a", 1, seed=1, weights="A"),
        Model("b", 1, seed=2, weights="A"),
        Model("c", 3, seed=2, weights="B"),
    ]
    study = Study(build(models).evidence)
    (setting, *_) = study.comparisons.settings
    assert len(study.groups[0].distinct_seeds) == setting.estimate.n_seeds


GATES: dict[str, Callable[[float], Gate]] = {
    "metric": lambda b: MetricGate(name="g", tier=Tier.CRITICAL, metric="AP50", variant="night/1", minimum=b),
    "baseline": lambda b: BaselineGate(name="g", tier=Tier.CRITICAL, metric="AP50", variant="fog/1", margin=-b),
    "retained": lambda b: RetainedGate(name="g", tier=Tier.CRITICAL, metric="AP", minimum=b),
    "at_threshold": lambda b: ThresholdGate(name="g", tier=Tier.CRITICAL, measure="recall", minimum=b),
    "fppi": lambda b: ThresholdGate(name="g", tier=Tier.CRITICAL, measure="fppi", maximum=b),
}


def asked(study: Study, gate: Gate) -> GateResult:
    return gate.evaluate(Subject(study, one(study), "test"))


@pytest.mark.parametrize("kind", list(GATES))
def test_a_gate_passes_fails_or_stays_open_by_its_interval(study: Study, kind: str) -> None:
    estimate = asked(study, GATES[kind](0.5)).estimate
    assert estimate.low is not None and estimate.high is not None
    places = (estimate.low - 1e-6, estimate.low + 1e-6, estimate.high - 1e-6, estimate.high + 1e-6)
    below, inside, still_inside, above = (asked(study, GATES[kind](bound)) for bound in places)
    assert still_inside.outcome is Outcome.NOT_ENOUGH_EVIDENCE
    passed, failed = (above, below) if kind == "fppi" else (below, above)
    assert passed.outcome is Outcome.PASS and failed.outcome is Outcome.FAIL
    assert inside.outcome is Outcome.NOT_ENOUGH_EVIDENCE and "both sides" in inside.reason
    assert "independent images" in inside.reason and "independent images" not in passed.reason + failed.reason


@pytest.mark.parametrize("kind", list(GATES))
def test_an_open_gate_says_how_many_images_would_settle_it(study: Study, kind: str) -> None:
    found = asked(study, GATES[kind](0.5)).estimate
    assert found.value is not None and found.low is not None and found.se is not None and found.n_units is not None
    bound = (found.value + 2 * found.low) / 3
    result = asked(study, GATES[kind](bound))
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    expected = math.ceil(found.n_units * (z * found.se / (found.value - bound)) ** 2)
    said = re.search(
        r"if ([\d.-]+) is the true value, about ([\d,]+) independent images show with power 80 % that it is (\w+)",
        result.reason,
    )
    assert said is not None and said[3] == ("missed" if kind == "fppi" else "met")
    assert int(said[2].replace(",", "")) == expected and float(said[1]) == pytest.approx(found.value, abs=5e-4)


def test_an_open_gate_whose_value_lies_on_the_requirement_names_no_number_of_images(study: Study) -> None:
    value = asked(study, GATES["metric"](0.5)).estimate.value
    assert value is not None
    assert "images" not in asked(study, GATES["metric"](value)).reason


def test_a_number_without_interval_leaves_its_gate_open_with_the_reason(study: Study) -> None:
    gate = BaselineGate(name="g", tier=Tier.CRITICAL, metric="AR1", variant="night/1", margin=1.0)
    result = asked(study, gate)
    assert result.outcome is Outcome.NOT_ENOUGH_EVIDENCE and result.reason.startswith("no interval")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (("low", "low"), Verdict.PROMOTE),
        (("low", "high"), Verdict.REJECT),
        (("low", "inside"), Verdict.HOLD),
    ],
)
def test_measured_intervals_decide(study: Study, outcomes: tuple[str, str], verdict: Verdict) -> None:
    """Gates that hold, fail and stay open, asked of the candidate that the rule proposes."""

    def verdict_at(bounds: list[float]) -> Verdict:
        gates = (
            MetricGate(name="a", tier=Tier.CRITICAL, metric="AP50", minimum=bounds[0]),
            MetricGate(name="b", tier=Tier.CRITICAL, metric="AP", minimum=bounds[1]),
        )
        return decide(study.evidence, Policy(version=1, name="two", gates=gates)).verdict

    first = decide(
        study.evidence,
        Policy(version=1, name="one", gates=(MetricGate(name="AP", tier=Tier.CRITICAL, metric="AP", minimum=0.5),)),
    )
    proposed = one(study, first.candidate or "")
    assert proposed.name in SETTING  # the best setting on val by construction
    bounds = []
    for name, where in zip(("AP50", "AP"), outcomes, strict=True):
        found = study.metric(proposed, "test", "clean", name)
        assert found.low is not None and found.high is not None and found.value is not None
        bounds.append({"low": found.low - 0.001, "high": found.high + 0.001, "inside": found.value}[where])
    assert verdict_at(bounds) is verdict


def test_the_whole_suite_is_asked_with_its_own_interval(study: Study) -> None:
    gate = RetainedGate(name="g", tier=Tier.CRITICAL, metric="AP50", minimum=0.5)
    result = asked(study, gate)
    assert result.variant == ALL_VARIANTS
    robustness = next(r for r in one(study).robustness if r.metric == "AP50")
    assert carries(result.estimate, robustness.intervals["rPC"])
