"""From evidence, policy and card to the context of the templates. Pure: same input, same context."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from robust.eval.decision.claims import Side, plural
from robust.eval.decision.comparison import scope, setting_difference_claim, uncompared
from robust.eval.decision.next_steps import next_steps
from robust.eval.decision.observations import observations
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Estimate, GateResult, Outcome, RankedConfiguration, Tier
from robust.eval.decision.risks import risks
from robust.eval.decision.sentences import Told, difference
from robust.eval.decision.study import Study
from robust.eval.evidence.records import Evidence
from robust.eval.report import (
    audit_section,
    background,
    compared,
    conditions,
    configurations,
    degradation,
    error_tables,
    hard_objects,
    operating,
    proposal,
)
from robust.eval.report.card import Card
from robust.eval.report.context import (
    Cell,
    Code,
    Fact,
    ReportContext,
    Risk,
    Row,
    Step,
    Table,
    Topic,
    Verdict,
    map_text,
    printable,
)
from robust.eval.report.error_stack import error_charts
from robust.eval.report.forest import forest_charts
from robust.eval.report.gallery import NO_GALLERY, Gallery
from robust.eval.report.gallery_section import failure_gallery
from robust.eval.report.gate_words import ends, is_counted, reason, standing, value, worst_first
from robust.eval.report.pr_chart import pr_charts
from robust.eval.report.reliability import reliability_charts
from robust.eval.report.seed_charts import seed_charts
from robust.eval.report.severity_charts import degradation_charts
from robust.eval.report.slider import make_slider
from robust.eval.report.threshold_charts import threshold_charts
from robust.eval.report.view import View

SYMBOLS = {"PASS": "✓", "FAIL": "✕", "NOT ENOUGH EVIDENCE": "?", "PROMOTE": "✓", "REJECT": "✕", "HOLD": "‖"}
ANSWERS = {"PROMOTE": "Promote: YES", "REJECT": "Promote: NO", "HOLD": "Promote: ON HOLD"}
STYLES = {"PASS": "pass", "FAIL": "fail", "NOT ENOUGH EVIDENCE": "open"}
UNSIGNED = (
    "This page is unsigned, and a name typed below is not a signature. Signing with robust sign does not change the "
    "page: approvals lie beside it, and robust verify says whether there are any and whether they are of this report."
)


def build_context(
    evidence: Evidence, policy: Policy, decision: Decision, card: Card, gallery: Gallery | None = None
) -> ReportContext:
    """Make everything that the templates show.

    Raises:
        IntegrityError: the gallery does not belong to the evidence.
    """
    view = View(Study(evidence), policy, decision, card)
    study, slider = view.study, make_slider(view)
    context = ReportContext(
        lang="en",
        title="Promotion decision",
        subtitle=_subtitle(view),
        verdict=_verdict(decision),
        summary=_summary(view),
        gates=_gate_table(view),
        gates_note=_gates_note(decision.gates),
        objectives=proposal.objectives(view),
        constraints=proposal.constraints(view),
        candidate=proposal.candidate_facts(view),
        candidate_metrics=proposal.candidate_metrics(view),
        pr_charts=pr_charts(view),
        operating_point=operating.operating_facts(view),
        operating_table=operating.operating_table(view),
        threshold_table=operating.threshold_table(view),
        threshold_charts=threshold_charts(view),
        slider_data=slider.data,
        slider_note=slider.note,
        degradation_note=degradation.degradation_note(view),
        degradation_table=degradation.degradation_table(view),
        degradation_facts=degradation.degradation_facts(view),
        degradation_charts=degradation_charts(view),
        ladder_table=degradation.ladder_table(view),
        condition_notes=conditions.condition_notes(view),
        recorded_table=conditions.recorded_table(view),
        miss_rate_table=hard_objects.miss_rate_table(view),
        strata_note=hard_objects.STRATA_NOTE,
        strata_tables=hard_objects.strata_tables(view),
        error_table=error_tables.error_table(view),
        error_charts=error_charts(view),
        miss_table=error_tables.miss_table(view),
        worst_table=error_tables.worst_table(view),
        calibration=error_tables.calibration_facts(view),
        failure_gallery=failure_gallery(view, gallery or NO_GALLERY),
        reliability_charts=reliability_charts(view),
        comparison_table=compared.comparison_table(view),
        forest_charts=forest_charts(view),
        selection_facts=compared.selection_facts(view),
        setting_table=compared.setting_table(view),
        effect_table=compared.effect_table(view),
        configuration_table=configurations.configuration_table(view),
        candidate_table=configurations.candidate_table(view),
        seed_charts=seed_charts(view),
        cases=configurations.case_texts(view),
        observations=tuple(
            Topic(t.title, tuple(claim.text for claim in t.claims)) for t in observations(study, policy, decision)
        ),
        risks=tuple(Risk(r.title, r.impact, r.cause.text, r.mitigation) for r in risks(study, policy, decision)),
        justification=_justification(view),
        why_not=_why_not(view),
        next_steps=tuple(Step(s.what, s.why, Code(s.command or "")) for s in next_steps(study, policy, decision)),
        split_table=background.split_table(view),
        leakage_table=background.leakage_table(view),
        variant_table=background.variant_table(view),
        audit_note=audit_section.audit_note(view),
        audit_table=audit_section.audit_table(view),
        not_audited=audit_section.not_audited(view),
        method=background.method(),
        limits=background.limits(view),
        provenance=background.provenance(view, card_sha256(card)),
        run_table=background.run_table(view),
        environment=background.environment(view),
        sign_off_note=UNSIGNED,
        sign_off=background.sign_off(view),
    )
    return map_text(context, printable)


def card_sha256(card: Card) -> str:
    """sha256 hex of the card's canonical text."""
    return hashlib.sha256(card.to_yaml().encode("utf-8")).hexdigest()


def _subtitle(view: View) -> str:
    study = view.study
    return (
        f"{study.evidence.experiment}: {plural(len(study.candidates), 'candidate')} in "
        f"{plural(len(study.groups), 'configuration')}, {plural(len(study.baselines), 'baseline')}, data set "
        f"{study.evidence.data.name}, suite {study.evidence.suite.name}"
    )


def _verdict(decision: Decision) -> Verdict:
    word = decision.verdict.value
    return Verdict(word, SYMBOLS[word], ANSWERS[word], decision.reason, word.lower())


def _summary(view: View) -> tuple[Fact, ...]:
    return (
        Fact("Proposed candidate", view.name),
        Fact("Baseline", _baseline(view)),
        Fact("Selected on", view.counts(view.selected_on)),
        Fact("Judged on", view.counts(view.judged_on)),
        Fact("Confidence threshold", view.threshold_of(view.candidate)),
        Fact("Owner", dict(view.card.facts("owner"))["Owner"]),
        Fact("Weights sha256", _weights(view)),
        Fact("Approvals needed", _approvals(view.policy.approvals)),
        Fact("Signature", "unsigned page; robust verify lists approvals"),
    )


def _weights(view: View) -> str | Code:
    if view.candidate is None:
        return "none: no candidate is proposed"
    return Code(view.candidate.weights_sha256)


def _approvals(needed: int) -> str:
    return f"{needed}, by different people" if needed > 1 else str(needed)


def _baseline(view: View) -> str:
    if view.candidate is None:
        return "none: no candidate is proposed"
    return view.baseline.name if view.baseline else "not evaluated"


def _gate_table(view: View) -> Table:
    columns = ("Gate", "Outcome", "Observed", "95 % interval", "Requirement", "Tier", "Read on", "Reason")
    rows = tuple(
        Row(
            gate.gate,
            (
                Cell(f"{SYMBOLS[gate.outcome]} {standing(gate)}", STYLES[gate.outcome]),
                Cell(value(gate), "number" if gate.estimate.value is not None else "missing"),
                Cell(_interval(gate)),
                Cell(gate.requirement),
                Cell(gate.tier),
                Cell(_place(view, gate)),
                Cell(reason(gate)),
            ),
        )
        for gate in worst_first(view.decision.gates)
    )
    return Table("gates", "Requirements of the policy, those that stand in the way first", columns, rows)


def _interval(gate: GateResult) -> str:
    return "counted" if is_counted(gate) else ends(gate)


def _place(view: View, gate: GateResult) -> str:
    if gate.kind == "operating_point":
        chosen_on = view.candidate.sweep.choice.chosen_on if view.candidate else None
        return f"{chosen_on or 'no split'}, {gate.variant}"
    parts = [part for part in (gate.split, gate.variant) if part]
    if gate.kind == "at_threshold":
        parts.append(f"threshold {view.threshold_of(view.candidate)}")
    if gate.unit == "count" and gate.split is None:
        parts.append({"no_leakage": "data", "human_facts": "card", "size": "weights"}.get(gate.kind, "training runs"))
    return ", ".join(parts)


def _gates_note(gates: Sequence[GateResult]) -> str:
    parts = []
    for tier in Tier:
        mine = [gate.outcome for gate in gates if gate.tier is tier]
        if mine:
            counted = ", ".join(
                f"{mine.count(o)} {o.value}"
                for o in (Outcome.FAIL, Outcome.NOT_ENOUGH_EVIDENCE, Outcome.PASS)
                if o in mine
            )
            parts.append(f"{tier.value}: {counted}")
    return (
        f"{'; '.join(parts)}. A metric without an interval decides nothing, however good the observed value looks; "
        "what is counted needs no interval."
    )


def _justification(view: View) -> tuple[str, ...]:
    critical = [gate for gate in worst_first(view.decision.gates) if gate.tier is Tier.CRITICAL]
    return tuple(
        f"{gate.gate}: {standing(gate)}. Required: {gate.requirement}. Observed: {value(gate)} "
        f"({_place(view, gate)}); {reason(gate)}."
        for gate in critical
    )


def _why_not(view: View) -> tuple[str, ...]:
    """One sentence for each configuration, and each sister run, that the rule did not propose."""
    selection = view.decision.selection
    if view.candidate is None or not selection.ranking:
        return (f"No candidate is proposed, so none was preferred: {selection.reason}.",)
    first = selection.ranking[0]
    said = [_other_configuration(view, first, ranked) for ranked in selection.ranking[1:]]
    said += [
        _sister(view, (name, value), (first.candidates[0], first.values[0]))
        for name, value in zip(first.candidates[1:], first.values[1:], strict=True)
    ]
    if not said:
        return ("There is no other: the evidence holds a single run, so nothing was preferred.",)
    said.append(
        f"The rule has to pick one. {view.selection_words} That a run was picked on {selection.split} shows no more "
        "than that; the other runs remain open."
    )
    return tuple(said)


def _other_configuration(view: View, first: RankedConfiguration, ranked: RankedConfiguration) -> str:
    selection = view.decision.selection
    if ranked.mean is None or first.mean is None:
        missing = f"{selection.metric} on {selection.split} is missing for at least one seed"
        return f"{ranked.label}: cannot be ranked, {missing}."
    claim = setting_difference_claim(
        view.study,
        (ranked.label, first.label),
        selection.split,
        selection.metric,
        names=("this one", f"the proposed {first.label}"),
        selected_on=selection.split,
    )
    return f"{ranked.label}: {claim.text}"


def _sister(view: View, run: tuple[str, float | None], proposed: tuple[str, float | None]) -> str:
    """How far another run of the proposed configuration lies from the one that the rule proposes."""
    selection = view.decision.selection
    sides = (
        Side(name="this one", value=Estimate.of(run[1]), aggregate="one run"),
        Side(name=f"the proposed {proposed[0]}", value=Estimate.of(proposed[1]), aggregate="one run"),
    )
    told = Told(estimate=uncompared(sides))
    where = scope(view.study, selection.split)
    claim = difference(sides, selection.metric, told, where, selected_on=selection.split)
    return f"{run[0]}: {claim.text}"
