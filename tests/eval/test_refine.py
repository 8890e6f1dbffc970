from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from robust.errors import IntegrityError
from robust.eval.decision.any_gate import AllOfGate
from robust.eval.decision.decide import decide
from robust.eval.decision.gates import EVERY_VARIANT, Gate
from robust.eval.decision.metric_gates import BaselineGate, MetricGate, ThresholdGate
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Estimate, GateResult, Outcome, Tier
from robust.eval.decision.study import Study
from robust.eval.decision.suite_gates import LadderGate, RetainedGate
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.study import assemble_study
from robust.eval.metrics.bands import rate_intervals
from robust.eval.metrics.coco import coco_metrics
from robust.eval.metrics.comparison import compare
from robust.eval.metrics.counts import counts_of
from robust.eval.metrics.interval import Interval, ratio_interval, share_interval
from robust.eval.metrics.resampling import ImageWeights, Resampling
from robust.eval.refine import is_close, refine
from robust.eval.stored_cells import StoredCells
from tests.eval.evidence.study_builder import (
    DRAWN,
    FOG,
    N_IMAGES,
    N_RECORDED,
    NIGHT,
    REAL_NIGHT,
    BuiltStudy,
    Model,
    baseline,
    build,
    numbers_by_hand,
    stored,
    weights_by_hand,
)

FINE = Resampling(seed=DRAWN.seed, replicates=10_000)
Reader = Callable[[CandidateEvidence], AbstractContextManager[StoredCells]]


@cache
def study() -> BuiltStudy:
    """Two candidates, of which "best" is proposed, and their baseline."""
    models = [Model("best", draw=1, loss=0.15), Model("other", draw=2, loss=0.4, seed=2), baseline()]
    return build(models, (*NIGHT, *FOG, REAL_NIGHT))


class Shelf:
    """Opens stored cells, and remembers whose were opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[str] = []

    def __call__(self, candidate: CandidateEvidence) -> AbstractContextManager[StoredCells]:
        self.opened.append(candidate.name)
        return stored(self.folder, study(), candidate)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def policy(*gates: Gate) -> Policy:
    return Policy(version=1, name="close calls", gates=gates)  # type: ignore[arg-type]


def estimate(gate: Gate, evidence: Evidence | None = None) -> Estimate:
    (result,) = decide(evidence or study().evidence, policy(gate)).gates
    return result.estimate


CLOSE_GATES: dict[str, Callable[[float], Gate]] = {
    "metric": lambda bound: MetricGate(name="g", tier=Tier.CRITICAL, metric="AP50", variant="night/1", minimum=bound),
    "recorded": lambda bound: MetricGate(
        name="g", tier=Tier.CRITICAL, metric="AP", variant="real_night", minimum=bound
    ),
    "baseline": lambda bound: BaselineGate(name="g", tier=Tier.CRITICAL, metric="AP", variant="fog/2", margin=-bound),
    "retained": lambda bound: RetainedGate(
        name="g", tier=Tier.CRITICAL, metric="AP50", corruption="night", minimum=bound
    ),
    "at_threshold": lambda bound: ThresholdGate(
        name="g", tier=Tier.CRITICAL, measure="recall", variant="night/2", minimum=bound
    ),
    "fppi": lambda bound: ThresholdGate(name="g", tier=Tier.CRITICAL, measure="fppi", maximum=bound),
}


def bounded(kind: str, end: str, se: float) -> Gate:
    """A gate whose bound lies ``se`` standard errors below an end of its interval."""
    found = estimate(CLOSE_GATES[kind](0.5))
    assert found.low is not None and found.high is not None and found.se
    return CLOSE_GATES[kind]((found.low if end == "low" else found.high) - se * found.se)


def differences(one: object, other: object, place: str = "") -> Iterator[str]:
    """Where two dumps differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differences(a, b, f"{place}.{i}")
    elif one != other:
        yield place


def changed_places(after: Evidence) -> set[str]:
    """Fields of the evidence that refining changed, the list of what was refined left out."""
    found = differences(study().evidence.model_dump(), after.model_dump())
    return {place.removeprefix(".") for place in found if not place.startswith(".refined")}


def parents(places: set[str], depth: int) -> set[str]:
    return {".".join(place.split(".")[:depth]) for place in places}


def refined(after: Evidence) -> list[tuple[str, str, str, str, int]]:
    names = {c.key: c.name for c in after.candidates}
    return [(names[r.key], r.split, r.variant, r.metric, r.replicates) for r in after.refined]


def test_an_end_next_to_the_requirement_is_close_and_one_further_off_is_not() -> None:
    def result(**changes: object) -> GateResult:
        (found,) = decide(study().evidence, policy(CLOSE_GATES["metric"](0.5))).gates
        wide = Estimate(value=0.5, low=0.4, high=0.6, se=0.05)
        return found.model_copy(update={"estimate": wide, "bound": 0.4, **changes})

    assert is_close(result()) and is_close(result(bound=0.4049)) and is_close(result(bound=0.5951))
    assert not is_close(result(bound=0.4051)) and not is_close(result(bound=0.5949)) and not is_close(result(bound=0.5))
    assert not is_close(result(bound=None))
    assert not is_close(result(estimate=Estimate(value=0.4)))
    exact = Estimate(value=1.0, low=0.4, high=1.0, se=0.0)  # of a count: more draws change nothing
    assert not is_close(result(estimate=exact))


@pytest.mark.parametrize("kind", list(CLOSE_GATES))
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_close_call_is_made_again_and_a_clear_one_is_not(kind: str, end: str, shelf: Shelf) -> None:
    near, far = (policy(bounded(kind, end, se)) for se in (0.05, 0.3))
    assert refine(study().evidence, far, shelf) is study().evidence and shelf.opened == []
    after = refine(study().evidence, near, shelf)
    assert len(after.refined) == 1 and after.refined[0].replicates == 10_000
    assert set(shelf.opened) == ({"best", "base@320"} if kind == "baseline" else {"best"})
    assert estimate(near.gates[0], after) != estimate(near.gates[0])


def fine_share(variant: str, metric: str, n_units: int) -> Interval:
    shown = study().cell("best", "test", variant)
    counts = ~shown.truth.iscrowd
    return share_interval(
        coco_metrics(shown.truth, shown.predictions).model_dump()[metric],
        numbers_by_hand(shown, metric, FINE),
        n_units,
        n_objects=int(counts.sum()),
        n_carrying=len(set(shown.truth.image_index[counts].tolist())),
    )


@pytest.mark.parametrize(
    ("kind", "variant", "metric", "n_units"),
    [("metric", "night/1", "AP50", N_IMAGES), ("recorded", "real_night", "AP", N_RECORDED)],
)
def test_a_metric_is_refined_to_what_ten_thousand_replicates_say(
    kind: str, variant: str, metric: str, n_units: int, shelf: Shelf
) -> None:
    after = refine(study().evidence, policy(bounded(kind, "low", 0.05)), shelf)
    position = next(i for i, c in enumerate(after.candidates) if c.name == "best")
    cells = after.candidates[position].cells
    at = next(i for i, c in enumerate(cells) if (c.split, c.variant) == ("test", variant))
    assert cells[at].intervals[metric] == fine_share(variant, metric, n_units)
    assert parents(changed_places(after), 6) == {f"candidates.{position}.cells.{at}.intervals.{metric}"}
    assert refined(after) == [("best", "test", variant, metric, 10_000)]


def test_a_difference_is_refined_and_the_other_pairs_stay(shelf: Shelf) -> None:
    after = refine(study().evidence, policy(bounded("baseline", "low", 0.05)), shelf)
    assert after.comparisons is not None
    best, base = (study().named(name).key for name in ("best", "base@320"))
    ((at, pair),) = [
        (i, p)
        for i, p in enumerate(after.comparisons.against_baseline)
        if (p.first, p.second, p.comparison.variant, p.comparison.metric) == (best, base, "fog/2", "AP")
        and p.comparison.split == "test"
    ]
    mine, theirs = (study().cell(name, "test", "fog/2") for name in ("best", "base@320"))
    expected = compare(
        coco_metrics(mine.truth, mine.predictions).AP,
        coco_metrics(theirs.truth, theirs.predictions).AP,
        numbers_by_hand(mine, "AP", FINE),
        numbers_by_hand(theirs, "AP", FINE),
        N_IMAGES,
        split="test",
        variant="fog/2",
        metric="AP",
        margin=0.02,
    )
    assert pair.comparison.model_dump(exclude={"p_holm"}) == expected.model_dump(exclude={"p_holm"})
    assert parents(changed_places(after), 3) == {f"comparisons.against_baseline.{at}"}
    assert refined(after) == [("best", "test", "fog/2", "AP minus baseline", 10_000)]


def test_a_refined_difference_has_a_corrected_p_value_of_the_same_replicates(shelf: Shelf) -> None:
    """With a single candidate Holm corrects for nothing, so both are the same."""
    keep = [p for p in study().parts if p.evidence.candidates[0].name != "other"]
    alone = assemble_study(keep)
    after = refine(alone, policy(bounded("baseline", "low", 0.05)), shelf)
    assert after.comparisons is not None and len(after.refined) == 1
    for pair in after.comparisons.against_baseline:
        assert pair.comparison.p_holm == pair.comparison.p_value


def test_a_retained_share_is_refined_with_the_other_aggregates_of_its_metric(shelf: Shelf) -> None:
    after = refine(study().evidence, policy(bounded("retained", "low", 0.05)), shelf)
    position = next(i for i, c in enumerate(after.candidates) if c.name == "best")
    clean, *nights = (study().cell("best", "test", v) for v in ("clean", "night/1", "night/2"))
    value = [coco_metrics(c.truth, c.predictions).AP50 or 0.0 for c in (clean, *nights)]
    of_clean, *of_night = (numbers_by_hand(c, "AP50", FINE) for c in (clean, *nights))
    expected = ratio_interval((value[1] + value[2]) / 2 / value[0], np.mean(of_night, axis=0) / of_clean, N_IMAGES)
    found = next(r for r in after.candidates[position].robustness if r.metric == "AP50").intervals
    assert found["night/retained"].low == pytest.approx(expected.low, abs=2e-6)
    assert found["night/retained"].high == pytest.approx(expected.high, abs=2e-6)
    before = next(r for r in study().named("best").robustness if r.metric == "AP50").intervals
    assert found.keys() == before.keys() and found["mPC"] != before["mPC"]
    index = [r.metric for r in after.candidates[position].robustness].index("AP50")
    assert parents(changed_places(after), 5) == {f"candidates.{position}.robustness.{index}.intervals"}
    assert refined(after) == [("best", "test", "all variants", "retained AP50", 10_000)]


@pytest.mark.parametrize(("kind", "variant"), [("at_threshold", "night/2"), ("fppi", "clean")])
def test_rates_at_the_threshold_are_refined_in_their_cell(kind: str, variant: str, shelf: Shelf) -> None:
    after = refine(study().evidence, policy(bounded(kind, "low", 0.05)), shelf)
    position = next(i for i, c in enumerate(after.candidates) if c.name == "best")
    sweep = after.candidates[position].sweep
    threshold = sweep.choice.threshold
    assert threshold is not None
    shown = study().cell("best", "test", variant)
    weights = ImageWeights(weights_by_hand(shown, FINE), N_IMAGES)
    expected = rate_intervals(counts_of(shown.truth, shown.predictions, (threshold,)), weights, threshold)
    at = next(i for i, a in enumerate(sweep.at_threshold) if (a.split, a.variant) == ("test", variant))
    assert sweep.at_threshold[at].intervals == expected
    assert parents(changed_places(after), 6) == {f"candidates.{position}.sweep.at_threshold.{at}.intervals"}
    assert refined(after) == [("best", "test", variant, "rates at the threshold", 10_000)]


def test_only_the_close_gates_of_a_policy_are_made_again(shelf: Shelf) -> None:
    gates = [
        bounded("metric", "low", 0.05).model_copy(update={"name": "a"}),
        bounded("at_threshold", "low", 0.5).model_copy(update={"name": "b"}),
        bounded("retained", "high", -0.05).model_copy(update={"name": "c"}),
    ]
    after = refine(study().evidence, policy(*gates), shelf)
    assert [r.metric for r in after.refined] == ["AP50", "retained AP50"]
    assert after.model_copy(update={"refined": ()}).candidates[1:] == study().evidence.candidates[1:]


def test_a_refined_decision_is_the_same_whichever_way_it_is_asked_again(shelf: Shelf) -> None:
    """The proposed candidate and the values stay; refining once more says the same."""
    close = policy(bounded("metric", "low", 0.05))
    after = refine(study().evidence, close, shelf)
    before, then = decide(study().evidence, close), decide(after, close)
    assert then.selection == before.selection
    assert then.gates[0].estimate.value == before.gates[0].estimate.value
    assert then.gates[0].outcome in {Outcome.PASS, Outcome.NOT_ENOUGH_EVIDENCE}
    again = refine(after, close, shelf)
    assert again == after or again is after


def test_evidence_of_many_replicates_is_not_made_again(shelf: Shelf) -> None:
    many = study().evidence.model_copy(update={"resampling": FINE})
    assert refine(many, policy(bounded("metric", "low", 0.05)), shelf) is many
    assert shelf.opened == []


def test_without_a_proposed_candidate_nothing_is_made_again(shelf: Shelf) -> None:
    only = tuple(c for c in study().evidence.candidates if c.role == "baseline")
    evidence = study().evidence.model_copy(update={"candidates": only})
    assert refine(evidence, policy(bounded("metric", "low", 0.05)), shelf) is evidence
    assert Study(evidence).candidates == () and shelf.opened == []


def test_one_number_that_two_gates_read_is_listed_once(shelf: Shelf) -> None:
    gates = [bounded("metric", end, 0.05).model_copy(update={"name": end}) for end in ("low", "high")]
    after = refine(study().evidence, policy(*gates), shelf)
    assert len(after.refined) == 1


def test_stored_cells_are_those_that_were_measured(tmp_path: Path) -> None:
    with stored(tmp_path, study(), study().named("best")) as kept:
        read = [*kept.all()]
        clean = kept.clean("val")
        assert kept.clean("elsewhere") is None
    shown = study().cells["best"]
    assert [(c.split, c.variant.name, c.stream, c.key) for c in read] == [
        (c.split, c.variant.name, c.stream, c.key) for c in shown
    ]
    for one, other in zip(read, shown, strict=True):
        assert one.truth.sha256 == other.truth.sha256
        np.testing.assert_array_equal(one.predictions.scores, other.predictions.scores)
        np.testing.assert_array_equal(one.predictions.boxes, other.predictions.boxes)
    assert clean is not None and clean.key == shown[-1].key


@pytest.mark.parametrize("part", ["predictions", "ground_truth"])
def test_a_cell_that_was_lost_or_damaged_is_refused(part: str, tmp_path: Path) -> None:
    with stored(tmp_path, study(), study().named("best")) as kept:
        with pytest.raises(IntegrityError, match="no cell night/5 of test"):
            kept.cell("test", "night/5")
        file = kept.folder / part / "night-1.parquet"
        file.write_bytes(file.read_bytes()[:50])
        with pytest.raises(IntegrityError):
            kept.cell("test", "night/1")
        file.unlink()
        with pytest.raises(IntegrityError):
            kept.cell("test", "night/1")


def test_gates_about_many_variants_are_refined_where_one_of_them_is_close(shelf: Shelf) -> None:
    close = bounded("metric", "low", 0.05)  # of night/1
    assert isinstance(close, MetricGate) and close.minimum is not None
    ladder = LadderGate(name="l", tier=Tier.CRITICAL, metric="AP50", corruption="night", up_to=2, minimum=close.minimum)
    every = close.model_copy(update={"name": "e", "variant": EVERY_VARIANT})
    both = AllOfGate.model_validate(
        {"name": "a", "tier": Tier.CRITICAL, "parts": (close, close.model_copy(update={"name": "again"}))}
    )
    alone = refine(study().evidence, policy(close), shelf)
    assert ("best", "test", "night/1", "AP50", 10_000) in refined(alone)
    for gate in (ladder, every, both):
        after = refine(study().evidence, policy(gate), shelf)
        assert refined(alone)[0] in refined(after)
