"""The lint of typed numbers: on a real document, by hand, against brute force, and on honest numbers."""

from __future__ import annotations

import itertools
import statistics
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.errors import UnknownName, UsageError
from robust.eval.audit.arithmetic import RULES, check_claims, lint_claims
from robust.eval.audit.group_arithmetic import Group
from robust.eval.audit.printed import read_percent, read_printed
from robust.eval.audit.typed_claims import Claims, is_share, moves_by_objects
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.yaml_file import parse_yaml

# The numbers of a promotion decision that was written by hand: 10 validation images, 31 persons.
DOCUMENT = """
data: {images: 10, objects: 31}
groups:
  - {name: "A", metric: mAP50, values: {s1: , s42: , s422: }, mean: 0.269, sd: 0.003, says: reproducible}
  - {name: "A", metric: recall, values: {s1: , s42: , s422: }, mean: 0.720, of: 31}
  - {name: "B", metric: mAP50, values: {s1: , s42: }, mean: 0.269}
  - {name: "B", metric: recall, values: {s1: , s42: }, mean: 0.726, of: 31}
  - {name: "C", metric: mAP50, values: {s1: , s42: 0.303}, mean: 0.274, says: identical}
  - {name: "C", metric: recall, values: {s1: , s42: 0.774}, mean: 0.774, of: 31, says: identical}
comparisons:
  - {what: C against A, metric: mAP50, first: 0.274, first_is: mean, second: 0.269, second_is: mean, percent: +11.5 %}
  - {what: promoted against A, metric: mAP50, first: 0.303, first_is: best, second: 0.272, second_is: mean,
     percent: +11.5}
  - {what: C against A strictly, metric: mAP50-95, first: 0.231, second: 0.201, percent: +14.9}
  - {what: D against C, metric: mAP50, first: 0.244, second: 0.274, percent: "\u221210.9 %"}
rates:
  - {metric: recall, value: 77.4 %, of: 31}
counts:
  - {what: promoted, precision: 0.00801, recall: 0.774, objects: 31, images: 10, max_detections: 300}
"""


def lint(text: str) -> tuple[AuditFinding, ...]:
    return check_claims(parse_yaml(text, Claims, "claims", "claims.yaml", numbers_as_text=True))


def told(findings: tuple[AuditFinding, ...], rule: str, words: str = "") -> AuditFinding:
    [found] = [f for f in findings if f.rule == rule and words in f.what]
    return found


def rules(findings: tuple[AuditFinding, ...], *severities: Severity) -> set[str]:
    return {f.rule for f in findings if not severities or f.severity in severities}


@pytest.fixture(scope="module")
def document() -> tuple[AuditFinding, ...]:
    return lint(DOCUMENT)


def test_the_run_that_the_document_hides_is_derived(document: tuple[AuditFinding, ...]) -> None:
    found = told(document, "unprinted-value", "C, mAP50")
    assert found.numbers["value"] == pytest.approx(0.245)
    assert found.numbers["sd"] == pytest.approx(0.0410, abs=5e-5)
    assert "s1 must be 0.245 (0.2435 to 0.2465 with rounding)" in found.what


def test_perfect_reproducibility_is_an_error_when_the_mean_denies_it(document: tuple[AuditFinding, ...]) -> None:
    wrong, few = (f for f in document if f.rule == "claimed-reproducibility" and "C, mAP50" in f.what)
    assert wrong.severity is Severity.ERROR and "s1 is 0.245 and s42 is 0.303" in wrong.what
    assert few.severity is Severity.WARNING and "called identical with 2 runs; 5 seeds are needed" in few.what
    sd = few.numbers["sd"]
    assert isinstance(sd, float)
    assert few.numbers["sd_low"] == pytest.approx(0.446 * sd, rel=2e-3)  # published factors for 2 seeds
    assert few.numbers["sd_high"] == pytest.approx(31.9 * sd, rel=2e-3)
    assert told(document, "claimed-reproducibility", "A, mAP50").severity is Severity.WARNING


def test_the_percentage_is_held_against_its_two_means(document: tuple[AuditFinding, ...]) -> None:
    found = told(document, "claimed-percentage")
    assert found.severity is Severity.ERROR and "C against A" in found.what
    assert found.numbers["percent"] == pytest.approx(1.8587, abs=1e-4)
    assert found.numbers["second_needed"] == pytest.approx(0.274 / 1.115)
    assert "0.303 (the best run, s42, of C) against 0.272" in found.what


def test_best_against_mean_is_found_stated_or_not(document: tuple[AuditFinding, ...]) -> None:
    stated = told(document, "best-against-mean", "promoted against A")
    assert stated.severity is Severity.ERROR and "0.303 is the best run and 0.272 is a mean" in stated.what
    suspected = told(document, "best-against-mean", "C against A")
    assert suspected.severity is Severity.WARNING
    assert suspected.numbers["second_needed"] == pytest.approx(0.2717, abs=1e-4)


def test_a_best_run_is_known_by_the_groups_of_the_file() -> None:
    text = DOCUMENT.replace("first_is: best, ", "")
    found = told(lint(text), "best-against-mean", "promoted against A")
    assert found.severity is Severity.WARNING and "as far as the groups tell" in found.what


def test_right_percentages_and_possible_rates_of_the_document_pass(document: tuple[AuditFinding, ...]) -> None:
    errors = [f for f in document if f.severity is Severity.ERROR]
    assert not [f for f in errors if "strictly" in f.what or "D against C" in f.what]
    assert not {"impossible-rate", "claimed-counts", "claimed-spread", "claimed-mean"} & rules(document)


def test_what_the_data_cannot_show_is_said(document: tuple[AuditFinding, ...]) -> None:
    assert told(document, "below-one-object", "C against A:").numbers["one_object"] == pytest.approx(1 / 31)
    few = told(document, "too-few-images", "C against A:")
    assert few.numbers["smallest"] == pytest.approx(0.354, abs=1e-3)  # 2.80 x 0.40 / sqrt(10)
    assert few.numbers["images_needed"] == 50_233 and "about 51,000 images" in few.what
    digits = told(document, "excess-digits")
    assert digits.severity is Severity.NOTE and digits.numbers["digits_enough"] == 2
    assert "s422 may be s42 run again" in told(document, "repeated-seed-name", "A, mAP50").what
    assert "B, mAP50" in told(document, "unchecked-claim").what


def test_errors_come_first_and_every_rule_has_a_name(document: tuple[AuditFinding, ...]) -> None:
    order = [list(Severity).index(f.severity) for f in document]
    assert order == sorted(order)
    assert rules(document) <= set(RULES) and list(RULES) == sorted(RULES)
    assert lint(DOCUMENT) == document


def test_a_file_is_read_and_its_document_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("document: docs/decision.md\nrates:\n- {metric: recall, value: 0.75, of: 31}\n", encoding="utf-8")
    [found] = lint_claims(path)
    assert found.what.startswith("docs/decision.md: recall: no whole number of 31 gives 0.75; the nearest are 23/31 =")
    with pytest.raises(UsageError, match="cannot be read"):
        lint_claims(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "rule", "severity", "words"),
    [
        ("groups: [{name: g, metric: AP, values: {a: 0.30, b: 0.40}, mean: 0.37}]", "claimed-mean", "error", "is 0.35"),
        ("groups: [{name: g, metric: AP, values: {a: 0.1, b: }, mean: 0.8}]", "unprinted-value", "error", "be 1.5"),
        ("groups: [{name: g, metric: ms, values: {a: 0.1, b: }, mean: 0.8}]", "unprinted-value", "note", "be 1.5"),
        (
            "groups: [{name: g, metric: AP, values: {a: 0.303, b: }, mean: 0.274, sd: 0.003}]",
            "claimed-spread",
            "error",
            "standard deviation is 0.041 (0.0394 to 0.0426)",
        ),
        (
            "groups: [{name: g, metric: AP, values: {a: 0.200, b: 0.400}, sd: 0.100}]",
            "claimed-spread",
            "note",
            "by n - 1",
        ),
        ("groups: [{name: g, metric: AP, values: {a: 0.2}, sd: 0.10}]", "claimed-spread", "error", "single run"),
        (
            "groups: [{name: g, metric: AP, values: {a: 0.900, b: , c: }, mean: 0.500, sd: 0.010}]",
            "claimed-spread",
            "error",
            "at least",
        ),
        (
            "groups: [{name: g, metric: AP, values: {a: 0.3, b: 0.3}, sd: 0.002, says: identical}]",
            "claimed-reproducibility",
            "error",
            "a standard deviation of 0.002 is printed",
        ),
        (
            "groups: [{name: g, metric: recall, values: {a: 0.75}, of: 31, counted: true}]",
            "impossible-rate",
            "error",
            "24/31 = 0.774",
        ),
        (
            "groups: [{name: g, metric: recall, values: {a: , b: }, mean: 0.755, of: 31}]",
            "impossible-rate",
            "warning",
            "47/62 = 0.7581",
        ),
        ("groups: [{name: g, metric: AP, values: {a: -1}}]", "out-of-range", "error", "-1 is not between 0 and 1"),
        ("rates: [{metric: recall, value: 77.4}]", "out-of-range", "error", "77.4"),
        (
            "comparisons: [{what: w, metric: AP, first: 0.274, second: 0.244, percent: -10.9}]",
            "claimed-percentage",
            "error",
            "+12.3 %",
        ),
        (
            "comparisons: [{what: w, metric: AP, first: 0.30, second: 0.20, difference: 0.12}]",
            "claimed-difference",
            "error",
            "+0.10",
        ),
        (
            "comparisons: [{what: w, metric: AP, first: 0.30, second: 0.20, first_is: run, second_is: mean}]",
            "best-against-mean",
            "warning",
            "0.30 is one run",
        ),
        (
            "comparisons: [{what: w, metric: AP, first: 0.3, second: 0.3, says: equal, seeds: 3}]",
            "claimed-equality",
            "warning",
            "3 of each",
        ),
        ("counts: [{what: w, tp: 24, fn: 6, objects: 31}]", "claimed-counts", "error", "24 + 6 = 30"),
        ("counts: [{what: w, tp: 32, objects: 31}]", "claimed-counts", "error", "TP = 32 is more than the 31"),
        ("counts: [{what: w, tp: 24, fp: 8, predictions: 31}]", "claimed-counts", "error", "TP + FP = 24 + 8 = 32"),
        (
            "counts: [{what: w, predictions: 3001, images: 10, max_detections: 300}]",
            "claimed-counts",
            "error",
            "3,001 detections",
        ),
        (
            "counts: [{what: w, tp: 24, fp: 8, precision: 0.774}]",
            "claimed-rate",
            "error",
            "precision is 24/32 = 0.750, not 0.774",
        ),
        ("counts: [{what: w, tp: 24, fn: 7, recall: 0.80}]", "claimed-rate", "error", "recall is 24/31 = 0.77"),
        ("counts: [{what: w, fp: 8, images: 10, fppi: 0.9}]", "claimed-rate", "error", "per image is 8/10 = 0.8"),
        (
            "counts: [{what: w, tp: 24, fp: 8, objects: 31, f1: 0.70}]",
            "claimed-rate",
            "error",
            "F1 is 48/63 = 0.76, not 0.70",
        ),
        ("counts: [{what: w, precision: 0.75, recall: 0.50, f1: 0.625}]", "claimed-f1", "warning", "is 0.600"),
        (
            "counts: [{what: w, tp: 3, precision: 0.75, recall: 0.50, f1: 0.625}]",
            "claimed-f1",
            "error",
            "not 0.625",
        ),
        (  # 24 of 31 found, 0.8 % precise: 2,985 to 3,015 detections, and 10 images hold 2,000 at most
            "counts: [{what: w, objects: 31, recall: 0.774, precision: 0.0080, images: 10, max_detections: 200}]",
            "claimed-counts",
            "warning",
            "no whole numbers",
        ),
        (
            "counts: [{what: w, objects: 31, predictions: 40, recall: 0.774, f1: 0.900}]",
            "claimed-counts",
            "error",
            "no whole numbers",
        ),
    ],
)
def test_each_mistake_is_named(text: str, rule: str, severity: str, words: str) -> None:
    found = told(lint(text), rule, words)
    assert found.severity == severity


@pytest.mark.parametrize(
    "text",
    [
        "groups: [{name: g, metric: recall, values: {a: 0.75}, of: 31, counted: false}]",
        "counts: [{what: w, averaged: true, tp: 24, fp: 8, precision: 0.774}]",
        "comparisons: [{what: w, metric: AP, first: 0.3, second: 0.0, percent: 20}]",
        "comparisons: [{what: w, metric: ms, first: 30, second: 20}]",
        "rates: [{metric: recall, value: 0.774}]",
    ],
)
def test_what_cannot_be_checked_is_said_and_is_no_error(text: str) -> None:
    assert "error" not in {f.severity for f in lint(text)}


@pytest.mark.parametrize(
    ("percent", "words"),
    [("-12.3", "sign is wrong"), ("10.9", "percentage of the first"), ("3.0", "difference in points")],
)
def test_usual_slips_with_percentages_are_explained(percent: str, words: str) -> None:
    text = "comparisons: [{what: w, metric: AP, first: 0.274, second: 0.244, percent: %s}]"
    assert words in told(lint(text % percent), "claimed-percentage").why


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("groups: [{nam: g}]", "Did you mean 'name'"),
        ("data: {image: 10}", "Did you mean 'images'"),
        ("comparisons: [{percnt: 1}]", "Did you mean 'percent'"),
        ("data: {images: 10}", "it holds no claims"),
        ("rates: [{metric: recall, value: .nan}]", "a number as it is printed is needed"),
        ("rates: [{metric: recall, value: n/a}]", "a number as it is printed is needed"),
        ("rates: [{metric: recall, value: true}]", "a number as it is printed is needed"),
        ("rates: [{metric: recall, value: 1e999999999}]", "a number as it is printed is needed"),
        ("rates: [{metric: recall, value: '0,774'}]", "a number as it is printed is needed"),
        ("groups: [{name: g, metric: AP, values: {s1: 0,274}}]", "write decimals with a point: s1: 0.274"),
        ("counts: [{what: w, tp: -1}]", "greater than or equal to 0"),
        ("groups: [{name: g, name: h}]", "occurs twice"),
        ("- 1", "must be a mapping"),
        ("rates: [!!python/object/apply:os.getcwd []]", "not valid YAML"),
    ],
)
def test_wrong_files_are_refused_with_the_nearest_key(text: str, message: str) -> None:
    with pytest.raises((UsageError, UnknownName)) as refused:
        lint(text)
    assert message in str(refused.value)


def test_a_typed_number_keeps_its_digits() -> None:
    assert read_printed("0.270").span.high == Fraction(2705, 10_000)
    assert read_printed("0.27").span.high == Fraction(275, 1000)
    assert read_printed("27.4 %").span == read_printed("0.274").span == read_printed("2.74e-1").span
    assert read_percent("+11.5 %").value == Fraction(23, 2)
    assert [read_printed(text).digits for text in ("1", "30", "0.3", "0.270", "27.4 %", "1e-3")] == [0, 0, 1, 3, 3, 3]
    claims = parse_yaml("rates: [{metric: r, value: 0.270}]", Claims, "claims", "c", numbers_as_text=True)
    assert claims.rates[0].value.text == "0.270"


def test_metrics_between_0_and_1_are_known_by_their_names() -> None:
    shares = [
        "AP",
        "AP50",
        "mAP@50",
        "mAP50-95",
        "metrics/mAP50(B)",
        "AR100",
        "recall",
        "Precision",
        "F1",
        "mAP@[.5:.95]",
    ]
    assert all(is_share(name) for name in shares)
    assert not any(is_share(name) for name in ["latency", "area", "apples", "AP50 drop", "images/s", "mark"])
    assert moves_by_objects("metrics/recall(B)") and not moves_by_objects("metrics/precision(B)")


# --- Against brute force ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 20), min_size=1, max_size=3), st.integers(0, 20))
def test_a_mean_is_wrong_exactly_when_no_values_round_to_what_is_printed(values: list[int], mean: int) -> None:
    steps = range(-6, 7)  # in twelfths of a printed step: every mean of three such values is among them
    possible = any(
        abs(Fraction(12 * sum(values) + sum(moved), 12 * len(values)) - mean) <= Fraction(1, 2)
        for moved in itertools.product(steps, repeat=len(values))
    )
    listed = ", ".join(f"s{i}: {v / 100:.2f}" for i, v in enumerate(values))
    found = lint(f"groups: [{{name: g, metric: AP, values: {{{listed}}}, mean: {mean / 100:.2f}}}]")
    assert ("claimed-mean" in rules(found)) != possible


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 6),
    st.tuples(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10)),
    st.integers(0, 12) | st.none(),
    st.integers(1, 2),
)
def test_rates_are_wrong_exactly_when_no_counts_give_them(
    objects: int, rates: tuple[int, int, int], predictions: int | None, digits: int
) -> None:
    p, r, f = (number * 10 ** (digits - 1) for number in rates)

    def printed_as(value: Fraction, number: int) -> bool:
        return bool(abs(value * 10**digits - number) <= Fraction(1, 2))

    def fits(tp: int, fp: int) -> bool:
        precision = {Fraction(tp, tp + fp)} if tp + fp else {Fraction(0), Fraction(1)}
        return (
            predictions in (None, tp + fp)
            and any(printed_as(one, p) for one in precision)
            and printed_as(Fraction(tp, objects), r)
            and printed_as(Fraction(2 * tp, tp + fp + objects), f)
        )

    possible = any(fits(tp, fp) for tp in range(objects + 1) for fp in range(250))
    told_counts = f", predictions: {predictions}" if predictions is not None else ""
    shown = {name: f"{n / 10**digits:.{digits}f}" for name, n in {"precision": p, "recall": r, "f1": f}.items()}
    text = ", ".join(f"{name}: {value}" for name, value in shown.items())
    found = lint(f"counts: [{{what: w, objects: {objects}, {text}{told_counts}}}]")
    wrong = {"claimed-counts", "claimed-f1", "impossible-rate"} & rules(found)
    if possible:
        assert not wrong
    elif predictions or (p and r and f):  # what is printed as 0 alone leaves room for any number of false alarms
        assert wrong


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(1, 4))
def test_the_spread_of_rounded_values_contains_that_of_the_exact_ones(values: list[float], digits: int) -> None:
    shown = {f"s{i}": f"{value:.{digits}f}" for i, value in enumerate(values)}
    group = Claims.model_validate({"groups": [{"name": "g", "metric": "AP", "values": shown}]}).groups[0]
    spread = Group.of(group).sd
    assert spread is not None
    assert spread[1] - 1e-9 <= statistics.stdev(values) <= spread[2] + 1e-9


# --- Honest numbers are never an error -------------------------------------------------------------------------------

ROUNDINGS = st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN, "ROUND_HALF_DOWN"])


@st.composite
def honest(draw: st.DrawFn) -> str:
    """A file of claims whose every number was computed from counts and then rounded."""
    rounding = draw(ROUNDINGS)
    objects = draw(st.integers(1, 60))

    def shown(value: Fraction | float, most: int = 4) -> str:
        digits, percent = draw(st.integers(0, most)), draw(st.booleans())
        exact = Fraction(value) * (100 if percent else 1)
        wide = Decimal(exact.numerator) / Decimal(exact.denominator)
        text = str(wide.quantize(Decimal(1).scaleb(-digits), rounding=rounding))
        return f"{text} %" if percent else text

    def group(name: str) -> tuple[dict[str, object], Fraction, Fraction]:
        counts = draw(st.lists(st.integers(0, objects), min_size=1, max_size=5))
        values = [Fraction(k, objects) for k in counts]
        listed = {f"s{i}": shown(v) if draw(st.booleans()) else None for i, v in enumerate(values)}
        mean = sum(values, Fraction(0)) / len(values)
        made: dict[str, object] = {"name": name, "metric": "recall", "values": listed, "of": objects, "counted": True}
        if draw(st.booleans()):
            made["mean"] = shown(mean)
        if len(values) > 1 and draw(st.booleans()):
            spread = draw(st.sampled_from([statistics.stdev, statistics.pstdev]))
            made["sd"] = shown(spread([float(v) for v in values]))
        return made, mean, max(values)

    (first, mean, _), (second, other, _) = group("a"), group("b")
    comparison: dict[str, object] = {"what": "c", "metric": "recall", "first": shown(mean), "second": shown(other)}
    comparison["difference"] = shown(mean - other)
    if other:
        percent = (mean / other - 1) * 100
        comparison["percent"] = f"{float(percent):.{draw(st.integers(0, 3))}f}"
    tp, fp = draw(st.integers(0, objects)), draw(st.integers(0, 50))
    counts: dict[str, object] = {"tp": tp, "fp": fp, "fn": objects - tp, "objects": objects, "predictions": tp + fp}
    counts |= {"recall": shown(Fraction(tp, objects)), "f1": shown(Fraction(2 * tp, tp + fp + objects))}
    if tp + fp:
        counts["precision"] = shown(Fraction(tp, tp + fp))
    images = draw(st.integers(1, 20))
    counts |= {"images": images, "fppi": shown(Fraction(fp, images)), "max_detections": objects + 50}
    kept: dict[str, object] = {name: value for name, value in counts.items() if draw(st.booleans())}
    return yaml.safe_dump(
        {
            "data": {"images": images, "objects": objects},
            "groups": [first, second],
            "comparisons": [comparison],
            "counts": [{"what": "k", **kept}],
            "rates": [{"metric": "recall", "value": shown(mean, 6), "of": objects * len(first["values"])}],  # type: ignore[arg-type]
        },
        sort_keys=False,
    )


@settings(max_examples=300, deadline=None)
@given(honest())
def test_honest_rounded_numbers_are_never_an_error(text: str) -> None:
    found = lint(text)
    assert [f.what for f in found if f.severity is Severity.ERROR] == []
    assert "impossible-rate" not in rules(found)


def test_cut_digits_are_told_from_rounded_ones() -> None:
    """Not rounding: 0.2699 printed as 0.26. The lint is for rounding only, and says so in its range."""
    cut = Decimal("0.2699").quantize(Decimal("0.01"), rounding=ROUND_DOWN)
    found = told(lint(f"counts: [{{what: w, tp: 2699, objects: 10000, recall: {cut}}}]"), "claimed-rate")
    assert "2,699/10,000 = 0.27, not 0.26" in found.what


def test_the_example_of_the_documentation_gives_the_errors_that_it_tells() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "claims.md").read_text(encoding="utf-8")
    found = lint(page.split("```yaml\n")[1].split("```")[0])
    errors = [f for f in found if f.severity is Severity.ERROR]
    assert [f.rule for f in errors] == ["claimed-percentage", "claimed-reproducibility"]
    assert "+1.9 %" in errors[0].what and "s1 is 0.245" in errors[1].what
    documented = {
        rule for line in page.splitlines() if line.startswith("| `") for rule in line.split("|")[1].split("`")[1::2]
    }
    assert documented == set(RULES)


STRANGE = st.sampled_from(
    ["0", "0.000", "-1", "1", "1e99", "1e-99", "-0.5", "100 %", "0.3", "0.30", "12345678901234567890"]
)
NAMES = st.sampled_from(["AP50", "recall", "precision", "ms", "x\n\x1b[31m"])
LARGE = st.sampled_from([1, 2, 31, 10**12])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_typed_numbers_break_the_lint(data: st.DataObject) -> None:
    def some(*names: str, values: st.SearchStrategy[object] = STRANGE) -> dict[str, object]:
        return {name: data.draw(values) for name in names if data.draw(st.booleans())}

    runs = {f"s{i}": data.draw(STRANGE | st.none()) for i in range(data.draw(st.integers(0, 4)))}
    group: dict[str, object] = {
        "name": "g",
        "metric": data.draw(NAMES),
        "values": runs,
        **some("mean", "sd"),
        **some("of", values=LARGE),
    }
    group |= some("says", values=st.sampled_from(["identical", "reproducible"]))
    pair: dict[str, object] = {
        "what": "w",
        "metric": data.draw(NAMES),
        "first": data.draw(STRANGE),
        "second": data.draw(STRANGE),
    }
    pair |= some("percent", "difference") | some(
        "first_is", "second_is", values=st.sampled_from(["best", "mean", "run"])
    )
    counts = {
        "what": "k",
        **some("precision", "recall", "f1", "fppi"),
        **some("tp", "fp", "fn", "objects", values=LARGE),
    }
    counts |= some("predictions", "images", "max_detections", values=LARGE)
    claims = Claims.model_validate(
        {
            "data": some("images", "objects", values=LARGE),
            "groups": [group],
            "comparisons": [pair],
            "rates": [{"metric": data.draw(NAMES), "value": data.draw(STRANGE), **some("of", values=LARGE)}],
            "counts": [counts],
        }
    )
    assert all(finding.what and finding.why and finding.remedy for finding in check_claims(claims))
