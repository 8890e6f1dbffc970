from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import ValidationError
from scipy import stats

from robust.eval.decision.claims import Aggregate, Claim, Scope, Side, listed, p_words, plural, score, signed
from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import Told, best_of, difference, level, relative_change, robustness_ladder
from robust.eval.decision.tolerance import over_fitting, reproducibility
from robust.eval.decision.training import gap as train_test_gap
from robust.eval.metrics.optimism import WinnerCheck
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.robustness_intervals import ladder

SCOPE = Scope(split="test", variant="clean", n_images=10, n_objects=47, resampling=Resampling())
FIRST, SECOND = Estimate.of(0.6), Estimate.of(0.5)


def sides(first: Aggregate = "one run", second: Aggregate = "one run") -> tuple[Side, Side]:
    return Side(name="A", value=FIRST, aggregate=first), Side(name="B", value=SECOND, aggregate=second)


def between(low: float, high: float, value: float = 0.1) -> Estimate:
    return Estimate(value=value, low=low, high=high, method="t", se=0.05, n_units=10)


def one_difference(told: Told, scope: Scope = SCOPE, **more: Any) -> Claim:
    return difference(sides(), "AP50", told, scope, **more)


def test_a_difference_without_interval_is_only_observed_and_says_why() -> None:
    claim = one_difference(Told(estimate=Estimate.of(0.1)), SCOPE.model_copy(update={"n_seeds": 2}))
    assert claim.verdict == "observed only"
    assert claim.text == (
        "AP50 0.600 for A, 0.500 for B: observed difference +0.100 (test, clean, 10 images, 47 objects, 2 seeds; "
        "no interval, none was computed: cannot be told from noise)."
    )


@pytest.mark.parametrize(
    ("ends", "p", "margin", "verdict", "words"),
    [
        ((0.02, 0.18), 0.01, None, "better", ": better, difference +0.100 [0.020, 0.180]"),
        ((0.02, 0.18), 0.08, None, "no difference shown", "no difference shown, +0.100"),  # taken back by Holm
        ((0.02, 0.18), None, None, "no difference shown", "no difference shown"),
        ((-0.02, 0.22), 0.08, None, "no difference shown", "differences larger than 0.220 are unlikely"),
        ((-0.02, 0.12), 0.2, 0.15, "equivalent within margin", "equivalent within the margin of 0.150"),
        ((-0.02, 0.22), 0.2, 0.15, "no difference shown", "no difference shown"),
    ],
)
def test_the_words_of_a_difference_follow_from_interval_correction_and_margin(
    ends: tuple[float, float], p: float | None, margin: float | None, verdict: str, words: str
) -> None:
    claim = one_difference(Told(estimate=between(*ends), p_adjusted=p, n_tests=3, margin=margin))
    assert claim.verdict == verdict and words in claim.text
    assert ("better" in claim.text) == (verdict == "better") and "noise" not in claim.text
    assert claim.kind == ("equivalence" if verdict.startswith("equivalent") else "difference")


def test_a_lower_value_is_worse_unless_lower_is_better() -> None:
    pair = (sides()[1], sides()[0])
    told = Told(estimate=between(-0.18, -0.02, -0.1), p_adjusted=0.01)
    assert difference(pair, "AP50", told, SCOPE).verdict == "worse"
    assert difference(pair, "fppi", told, SCOPE).verdict == "better"


@pytest.mark.parametrize(
    ("n_seeds", "ends", "verdict", "words"),
    [
        (2, None, "observed only", "no interval"),
        (
            4,
            (0.02, 0.18),
            "observed only",
            "[0.020, 0.180] (test, clean, 10 images, 47 objects, 4 seeds; too few seeds",
        ),
        (5, (0.02, 0.18), "better", ": better"),
    ],
)
def test_a_setting_needs_three_seeds_for_an_interval_and_five_for_a_claim(
    n_seeds: int, ends: tuple[float, float] | None, verdict: str, words: str
) -> None:
    estimate = between(*ends) if ends else Estimate.of(0.1)
    scope = SCOPE.model_copy(update={"n_seeds": n_seeds})
    claim = one_difference(Told(estimate=estimate, p_adjusted=0.01), scope, estimand="setting")
    assert claim.verdict == verdict and words in claim.text


def test_what_was_selected_on_the_same_images_is_only_observed() -> None:
    claim = one_difference(Told(estimate=between(0.02, 0.18), p_adjusted=0.01), selected_on="test")
    assert claim.verdict == "observed only" and "selected on these images" in claim.text
    elsewhere = one_difference(Told(estimate=between(0.02, 0.18), p_adjusted=0.01), selected_on="val")
    assert elsewhere.verdict == "better"


GOOD: dict[str, Any] = one_difference(Told(estimate=between(0.02, 0.18), p_adjusted=0.01)).model_dump()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"metric": None}, "needs metric"),
        ({"estimand": None}, "needs estimand"),
        ({"scope": None}, "needs scope"),
        ({"sides": None}, "needs sides"),
        ({"estimate": None}, "needs estimate"),
        ({"scope": SCOPE.model_copy(update={"n_images": None})}, "number of images"),
        ({"scope": SCOPE.model_copy(update={"n_objects": None})}, "number of images and of objects"),
        ({"scope": SCOPE.model_copy(update={"resampling": None})}, "how its replicates were drawn"),
        ({"estimate": Estimate(value=0.1, low=0.02, high=0.18)}, "needs its method"),
        ({"estimate": Estimate.of(0.1)}, "needs the reason"),
        ({"estimate": Estimate.of(0.1), "reason": "none"}, "'better' needs an interval"),
        ({"estimate": between(-0.02, 0.18)}, "allows 'no difference shown'"),
        ({"p_adjusted": None}, "allows 'no difference shown'"),
        ({"p_adjusted": 0.06}, "allows 'no difference shown'"),
        ({"estimate": between(0.02, 0.18, 0.115)}, "does not follow from 0.6 and 0.5"),
        ({"sides": sides("highest of several", "mean over seeds")}, "is not compared with"),
        ({"sides": sides("one run", "mean over seeds")}, "is not compared with"),
        ({"estimand": "setting"}, "number of its seeds"),
        ({"estimand": "setting", "scope": SCOPE.model_copy(update={"n_seeds": 4})}, "needs 5 seeds"),
        ({"estimand": "setting", "scope": SCOPE.model_copy(update={"n_seeds": 2})}, "needs 3 seeds"),
        ({"selected_on": "test"}, "only observed on them"),
        ({"verdict": "shown"}, "cannot say 'shown'"),
        ({"verdict": "observed only"}, "the verdict 'observed only'"),
        ({"message": "{a} equals {b}."}, "never called equal"),
        ({"message": "{a.__class__}"}, "nothing to put into"),
        ({"message": "{nobody}"}, "nothing to put into"),
    ],
)
def test_a_claim_cannot_be_made_without_what_it_rests_on(change: dict[str, Any], why: str) -> None:
    assert Claim(**GOOD).verdict == "better"
    with pytest.raises(ValidationError, match=re.escape(why)):
        Claim(**{**GOOD, **change})


def test_best_against_mean_and_percentages_of_unlike_things_cannot_be_written() -> None:
    """The +11.5 % of a handwritten report: the best single run, 0.303, against a mean of 0.272."""
    best = Side(name="416", value=Estimate.of(0.303), aggregate="highest of several")
    mean = Side(name="320", value=Estimate.of(0.272), aggregate="mean over seeds")
    share = Estimate(value=0.031 / 0.272, low=0.01, high=0.2, method="log-t")
    with pytest.raises(ValidationError, match="is not compared with"):
        relative_change((best, mean), "AP50", share, SCOPE)
    runs = (best.model_copy(update={"aggregate": "one run"}), mean.model_copy(update={"aggregate": "one run"}))
    claim = relative_change(runs, "AP50", share, SCOPE)
    assert claim is not None and "+11.4 % [+1.0 %, +20.0 %] of the AP50 of 320" in claim.text
    assert relative_change(runs, "AP50", Estimate.of(0.031 / 0.272), SCOPE) is None


def test_nothing_is_said_of_what_has_no_value_or_no_counts() -> None:
    for claim in (
        level("A", "AP50", Estimate.of(None, "not measured"), SCOPE),
        level("A", "AP50", between(0.4, 0.6, 0.5), SCOPE.model_copy(update={"n_images": None})),
        one_difference(Told(estimate=Estimate.of(None, "not measured"))),
        one_difference(Told(estimate=between(0.02, 0.18)), SCOPE.model_copy(update={"n_objects": None})),
    ):
        assert claim.kind == "not assessed" and ": not assessed (" in claim.text


def test_numbers_that_contradict_each_other_are_not_made_into_a_sentence() -> None:
    claim = one_difference(Told(estimate=between(0.02, 0.18, 0.12), p_adjusted=0.01))
    assert claim.kind == "not assessed"
    assert "the stored difference +0.120 is not that of 0.600 and 0.500" in claim.text
    assert relative_change(sides(), "AP50", between(0.1, 0.4, 0.3), SCOPE) is None


def test_a_level_says_whether_it_has_an_interval() -> None:
    assert "observed (test, clean, 10 images, 47 objects; no interval, none was computed)" in (
        level("A", "AP50", Estimate.of(0.5), SCOPE).text
    )
    assert "[0.400, 0.600]" in level("A", "AP50", between(0.4, 0.6, 0.5), SCOPE).text


@pytest.mark.parametrize(
    ("n_seeds", "high", "tolerance", "verdict", "words"),
    [
        (2, None, 0.02, "observed only", "no statement on reproducibility (3 needed for an interval, 5 for a claim)"),
        (4, 0.01, 0.02, "observed only", "seed sd 0.005 [0.003, 0.010]; 4 distinct seeds: no statement on reprod"),
        (5, 0.01, None, "observed only", "the policy names no tolerance"),
        (5, 0.01, 0.02, "within tolerance", "reproducible within the tolerance of 0.020"),
        (5, 0.03, 0.02, "not shown", "not shown to be reproducible within the tolerance of 0.020"),
    ],
)
def test_reproducible_needs_five_seeds_and_a_spread_below_the_tolerance(
    n_seeds: int, high: float | None, tolerance: float | None, verdict: str, words: str
) -> None:
    spread = Estimate(value=0.005, low=0.003, high=high, method="chi-square") if high else Estimate.of(0.005)
    values = tuple((seed, Estimate.of(0.5 + seed / 1000)) for seed in range(n_seeds))
    where = SCOPE.model_copy(update={"n_seeds": n_seeds})
    claim = reproducibility("c", "AP50", values, where, spread=spread, tolerance=tolerance)
    assert claim.verdict == verdict and words in claim.text
    if verdict == "within tolerance":
        for change in ({"tolerance": 0.009}, {"tolerance": None}, {"scope": SCOPE.model_copy(update={"n_seeds": 4})}):
            with pytest.raises(ValidationError):
                Claim(**{**claim.model_dump(), **change})


@pytest.mark.parametrize(
    ("ends", "verdict", "words"),
    [
        ((0.03, 0.17), "shown", "gap +0.100 [0.030, 0.170]; shown, more than the tolerance of 0.020"),
        ((-0.01, 0.21), "observed only", "does not tell on which side of the tolerance 0.020"),
        (None, "observed only", "cannot be told from noise"),
    ],
)
def test_over_fitting_is_a_gap_with_its_interval(ends: tuple[float, float] | None, verdict: str, words: str) -> None:
    gap = between(*ends) if ends else Estimate.of(0.1)
    claim = over_fitting(sides(), "AP50", gap, SCOPE, 0.02)
    assert claim.verdict == verdict and words in claim.text
    small = (sides()[0], sides()[1].model_copy(update={"value": Estimate.of(0.595)}))
    assert over_fitting(small, "AP50", between(-0.01, 0.02, 0.005), SCOPE, 0.02).verdict == "within tolerance"


def test_the_gap_of_two_independent_sets_adds_their_variances() -> None:
    train = Estimate(value=0.8, low=0.7, high=0.9, se=0.03, n_units=40, method="logit-t")
    test = Estimate(value=0.6, low=0.5, high=0.7, se=0.04, n_units=10, method="logit-t")
    found = train_test_gap(train, test)
    degrees = 0.0025**2 / (0.0009**2 / 39 + 0.0016**2 / 9)  # Welch, by hand
    half = 0.05 * stats.t.ppf(0.975, degrees)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
    assert not train_test_gap(train, Estimate.of(0.6)).has_interval


def test_the_chosen_one_of_several_comes_with_its_corrected_value_and_frequency() -> None:
    check = WinnerCheck(
        n_candidates=6, winner=0, apparent=0.384, corrected=0.287, optimism=0.097, frequency=0.45, is_stable=False
    )
    claim = best_of("A", "AP50", Estimate.of(0.384), SCOPE.model_copy(update={"split": "val"}), check)
    assert (
        "chosen from 6 candidates by AP50, 0.384 as observed; selected on val, corrected value 0.287; chosen again in "
        "45 % of resamples: not a stable choice"
    ) in claim.text
    for change in ({"winner": None}, {"selected_on": None}, {"verdict": "better"}):
        with pytest.raises(ValidationError):
            Claim(**{**claim.model_dump(), **change})


@pytest.mark.parametrize(
    ("bounds", "verdict", "words"),
    [
        ({0: 0.6, 1: 0.55, 2: 0.4}, "shown", "is met up to severity 1 of 2: lower bound 0.400 at severity 2"),
        ({0: 0.6, 1: 0.4, 2: 0.7}, "shown", "is met on clean images and shown at no severity"),
        ({0: 0.4, 1: 0.6, 2: 0.7}, "not shown", "is not shown even on clean images"),
        ({0: None, 1: None, 2: None}, "not shown", "no lower bound on clean images"),
    ],
)
def test_a_ladder_says_up_to_which_severity(bounds: dict[int, float | None], verdict: str, words: str) -> None:
    made = ladder("night", "AP50", bounds, 0.5)
    claim = robustness_ladder("A", made, SCOPE, requirement="required", last=2)
    assert claim.verdict == verdict and words in claim.text
    with pytest.raises(ValidationError):
        Claim(**{**claim.model_dump(), "verdict": {"shown": "not shown", "not shown": "shown"}[verdict]})


def test_a_translation_replaces_the_message_and_keeps_the_numbers() -> None:
    claim = Claim(
        **{**GOOD, "message": "{metric} : {a} pour {first}, {b} pour {second} ; écart {difference} {interval}."}
    )
    assert claim.text == "AP50 : 0.600 pour A, 0.500 pour B ; écart +0.100 [0.020, 0.180]."


def test_hostile_names_in_a_claim_are_not_read_as_places() -> None:
    name = "{values.__class__} {0} better equals"
    pair = (sides()[0].model_copy(update={"name": name}), sides()[1])
    assert name in difference(pair, "AP50", Told(estimate=Estimate.of(0.1)), SCOPE).text


def test_numbers_are_written_alike_everywhere() -> None:
    assert (score(0.1234), score(None), score(Estimate.of(None, "not measured"))) == (
        "0.123",
        "not defined",
        "not measured",
    )
    assert (signed(Estimate.of(0.0004)), signed(Estimate.of(-0.25)), signed(Estimate.of(0.25))) == (
        "0.000",
        "-0.250",
        "+0.250",
    )
    assert (plural(1, "image"), plural(1200, "image")) == ("1 image", "1,200 images")
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("none", "a", "a, b and c")


@pytest.mark.parametrize(("p", "told"), [(0.0499, "0.050"), (0.001, "0.001"), (0.00099, "< 0.001"), (0.0, "< 0.001")])
def test_a_p_value_is_never_told_as_nothing(p: float, told: str) -> None:
    assert p_words(p) == told
