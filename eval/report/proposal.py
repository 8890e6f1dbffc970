"""What the study is for, within which constraints, and the candidate that the rule proposes."""

from __future__ import annotations

from robust.eval.decision.claims import interval, listed, plural, signed
from robust.eval.decision.study import CLEAN
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.context import Cell, Code, Fact, Row, Table
from robust.eval.report.view import BRACKETS, NOT_MEASURED, View, number


def objectives(view: View) -> tuple[Fact, ...]:
    """Objective of the policy, purpose of the card."""
    objective = view.policy.objective
    facts = view.card.facts(
        "purpose",
        "release",
        "intended_use",
        "excluded_use",
        "foreseeable_misuse",
        "operating_conditions",
        "limitations",
        "reevaluation",
    )
    return (
        Fact("Objective", objective.statement or "NOT PROVIDED"),
        Fact("Primary metric", f"{objective.metric} on clean images, judged on {view.judged_on}"),
        Fact("Secondary metrics", ", ".join(objective.secondary) or "none"),
        *(Fact(label, value) for label, value in facts),
    )


def constraints(view: View) -> tuple[Fact, ...]:
    """Budgets that people gave, and what was counted."""
    trained = {c.configuration.epochs for c in view.study.candidates} - {None}
    epochs = " or ".join(str(n) for n in sorted(e for e in trained if e is not None))
    facts = view.card.facts("training_budget", "latency_budget", "target_hardware")
    return (
        *(Fact(label, value) for label, value in facts),
        Fact(
            "Training as logged", f"{plural(len(view.study.candidates), 'run')}, {epochs or 'unknown number of'} epochs"
        ),
        Fact("Training data as counted", view.counts("train")),
        Fact("Latency", _latency(view)),
    )


def _latency(view: View) -> str:
    """Median and 95th percentile of the proposed candidate, by format and device."""
    timed = view.candidate.latency if view.candidate else ()
    return (
        listed(
            [
                f"{one.format} on {one.device}: median {one.p50.ms:.1f} ms, 95th percentile {one.p95.ms:.1f} ms"
                + (f" [{one.p95.low:.1f}, {one.p95.high:.1f}]" if one.p95.low is not None else f" ({one.p95.note})")
                for one in timed
            ]
        )
        if timed
        else NOT_MEASURED
    )


def candidate_facts(view: View) -> tuple[Fact, ...]:
    """Run and key parameters of the proposed candidate."""
    candidate = view.candidate
    selection = view.decision.selection
    if candidate is None:
        return (Fact("Proposed candidate", f"none: {selection.reason}"), Fact("Selection rule", selection.rule))
    c = candidate.configuration
    parameters = {
        "model": c.model,
        "epochs": c.epochs,
        "imgsz": c.imgsz,
        "lr0": c.lr0,
        "batch": c.batch,
        "optimizer": c.optimizer,
        "data": c.data,
        "seed": candidate.seed,
    }
    return (
        Fact("Run name", candidate.name),
        Fact("Run id", Code(candidate.training.run_id) if candidate.training else "none: not from a training run"),
        Fact("Run status", candidate.training.status if candidate.training else "not known"),
        *(Fact(name, f"{v:g}" if isinstance(v, float) else str(v)) for name, v in parameters.items() if v is not None),
        Fact("Parameters not known", ", ".join(name for name, v in parameters.items() if v is None) or "none"),
        Fact("Network size", _network_size(candidate)),
        Fact("Selection rule", selection.rule),
        Fact("What the rule said", selection.reason),
    )


def _network_size(candidate: CandidateEvidence) -> str:
    if candidate.parameters is None or candidate.weights_bytes is None:
        return "not known: detections came as a file, without weights"
    return f"{candidate.parameters:,} parameters, {candidate.weights_bytes / 1e6:.1f} MB file"


def candidate_metrics(view: View) -> Table:
    """The candidate's COCO numbers on the split that selected it and the one that judges, beside its baseline."""
    val, test = view.selected_on, view.judged_on
    columns = (
        "Metric",
        f"Candidate ({val})",
        f"Candidate ({test})",
        f"Baseline ({test})",
        f"Observed difference ({test})",
    )
    metrics = dict.fromkeys((view.metric, "AP", "AP75", *view.policy.objective.secondary, "AR100", "APs", "APm", "APl"))
    rows = tuple(_metric_row(view, view.candidate, metric) for metric in metrics) if view.candidate else ()
    against = view.baseline.name if view.baseline else "not evaluated"
    caption = (
        f"{view.name} on clean images, {view.floor_of(val, test)}; {view.counts(val)}; {view.counts(test)}. "
        f"{view.selection_words} Baseline: {against}. {BRACKETS} "
        f"Claims rest on the difference in {view.metric} alone; the other differences are not corrected for their "
        "number."
    )
    return Table("candidate-metrics", caption, columns, rows)


def _metric_row(view: View, candidate: CandidateEvidence, metric: str) -> Row:
    study, test = view.study, view.judged_on
    cells = [number(study.metric(candidate, split, CLEAN, metric)) for split in (view.selected_on, test)]
    if view.baseline is None:
        return Row(metric, (*cells, number(None, NOT_MEASURED), number(None, NOT_MEASURED)))
    gap = study.difference(candidate, view.baseline, test, CLEAN, metric)
    difference = Cell(
        f"{signed(gap)} {interval(gap)}" if gap.has_interval else signed(gap),
        "number" if gap.value is not None else "missing",
    )
    return Row(metric, (*cells, number(study.metric(view.baseline, test, CLEAN, metric)), difference))
