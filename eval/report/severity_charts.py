"""The metric by severity, one chart for each corruption, with intervals and what the policy requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from robust.eval.decision.any_gate import AllOfGate
from robust.eval.decision.claims import score
from robust.eval.decision.gates import EVERY_VARIANT
from robust.eval.decision.metric_gates import MetricGate
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Estimate
from robust.eval.decision.study import CLEAN
from robust.eval.decision.suite_gates import LadderGate, RetainedGate
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.charts import NARROW, Axis, Bound, Series, absent, plot, unit_axis
from robust.eval.report.context import Chart, Row, Table
from robust.eval.report.view import View, number

MIN_SEVERITIES = 2
"""A curve through clean and one severity shows no course, only two numbers that the table has."""

Curve = tuple[CandidateEvidence, tuple[Estimate, ...]]


def degradation_charts(view: View) -> tuple[Chart, ...]:
    """One chart for each corruption with a course to show: the candidate's curve and its baseline's."""
    told = [c for c in view.study.corruptions if len(view.study.severities(c)) >= MIN_SEVERITIES]
    if not view.shown or not told:
        why = "No candidate is proposed." if not view.shown else "No corruption was shown at two severities or more."
        return (absent("chart-degradation", f"{view.metric} by severity", why),)
    return tuple(_chart(view, corruption) for corruption in told)


def _chart(view: View, corruption: str) -> Chart:
    severities = (0, *view.study.severities(corruption))
    name, title = f"chart-degradation-{view.study.corruptions.index(corruption)}", f"{view.metric} under {corruption}"
    every = [(one, _values(view, one, corruption, severities)) for one in view.shown]
    curves = [(one, values) for one, values in every if any(value.value is not None for value in values)]
    if not curves:
        return absent(name, title, f"Not measured: no model has {view.metric} on these images.")
    series = [_series(view, one, corruption) for one in curves]
    ticks = tuple((float(s), str(s) if s else CLEAN) for s in severities)
    axis = Axis("severity", 0.0, float(max(severities)), ticks)
    required = list(_required(view, corruption, severities))
    rows = tuple(
        Row(_variant(corruption, s), tuple(number(values[i]) for _, values in curves)) for i, s in enumerate(severities)
    )
    where = view.counts(view.judged_on)
    said = "".join(f" {words}." for _, words in required)
    return Chart(
        id=name,
        title=title,
        description=(
            f"{view.metric} from clean to severity {severities[-1]} of {corruption}; {where}. {_areas(curves)}.{said}"
        ),
        plot=plot(axis, unit_axis(view.metric), series, bounds=[one for one, _ in required], width=NARROW),
        table=Table(
            f"{name}-data",
            f"{view.metric} under {corruption}, {where}; in brackets: the 95 % interval",
            ("Variant", *(one.name for one in series)),
            rows,
        ),
    )


def _values(
    view: View, candidate: CandidateEvidence, corruption: str, severities: Sequence[int]
) -> tuple[Estimate, ...]:
    return tuple(view.study.metric(candidate, view.judged_on, _variant(corruption, s), view.metric) for s in severities)


def _series(view: View, one: Curve, corruption: str) -> Series:
    candidate, values = one
    severities = (0, *view.study.severities(corruption))
    placed = list(zip(severities, values, strict=True))
    return Series(
        candidate.name + (" (baseline)" if candidate.role == "baseline" else ""),
        "b" if candidate.role == "baseline" else "a",
        tuple(
            (float(s), v.value, f"{candidate.name}, {_variant(corruption, s)}: {view.metric} {score(v)}")
            for s, v in placed
        ),
        band=tuple((float(s), v.low, v.high) for s, v in placed),
    )


def _areas(curves: Sequence[Curve]) -> str:
    """What the areas say; which severities have none is seen where they break."""
    values = [value for _, of_one in curves for value in of_one if value.value is not None]
    if not any(value.has_interval for value in values):
        return "Areas: none, no intervals were measured"
    some = "" if all(value.has_interval for value in values) else "; where there is no area, there is none"
    return f"Areas: the 95 % interval at each severity on its own{some}"


def _variant(corruption: str, severity: int) -> str:
    return f"{corruption}/{severity}" if severity else CLEAN


def _required(view: View, corruption: str, severities: Sequence[int]) -> Iterator[tuple[Bound, str]]:
    """What gates require of the metric that is drawn, and the same in words."""
    for gate in _gates(view.policy):
        if gate.metric != view.metric:
            continue
        if isinstance(gate, MetricGate):
            yield from _of_metric(gate, corruption, severities)
        elif gate.corruption == corruption:
            yield from (
                _of_ladder(gate, severities) if isinstance(gate, LadderGate) else _of_retained(view, gate, severities)
            )


def _gates(policy: Policy) -> Iterator[MetricGate | LadderGate | RetainedGate]:
    for gate in policy.gates:
        for part in gate.parts if isinstance(gate, AllOfGate) else (gate,):
            if isinstance(part, MetricGate | LadderGate | RetainedGate):
                yield part


def _of_metric(gate: MetricGate, corruption: str, severities: Sequence[int]) -> Iterator[tuple[Bound, str]]:
    """At one severity, or everywhere."""
    if gate.minimum is None:
        return
    label = f"≥ {gate.minimum:.3f}"
    if gate.variant == EVERY_VARIANT:
        words = f"Required everywhere: at least {gate.minimum:.3f} ({gate.name})"
        yield Bound(gate.minimum, label, float(severities[0]), float(severities[-1])), words
    for s in severities:
        if gate.variant == _variant(corruption, s):
            words = f"Required on {gate.variant}: at least {gate.minimum:.3f} ({gate.name})"
            yield Bound(gate.minimum, label, float(s), float(s)), words


def _of_ladder(gate: LadderGate, severities: Sequence[int]) -> Iterator[tuple[Bound, str]]:
    words = f"Required up to severity {gate.up_to}: at least {gate.minimum:.3f} ({gate.name})"
    yield Bound(gate.minimum, f"≥ {gate.minimum:.3f}", 0.0, float(min(gate.up_to, severities[-1]))), words


def _of_retained(view: View, gate: RetainedGate, severities: Sequence[int]) -> Iterator[tuple[Bound, str]]:
    """A share of the candidate's own clean value, required of the mean over the severities."""
    clean = view.study.metric(view.shown[0], view.judged_on, CLEAN, gate.metric).value
    if clean is None or view.candidate is None:
        return
    least = gate.minimum * clean
    words = f"Required of the mean over severities: {gate.minimum:.3f} of clean, {least:.3f} ({gate.name})"
    yield Bound(least, f"mean ≥ {least:.3f}", float(severities[1]), float(severities[-1])), words
