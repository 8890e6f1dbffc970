"""The model card in Hugging Face's format: metadata for machines, sections for people. Pure.

Format of the metadata: https://github.com/huggingface/hub-docs/blob/main/modelcard.md (``model-index``). A fact that
nobody stated is printed as NOT PROVIDED; a number that was not measured says so and is left out of the metadata.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml

from robust.eval.decision.claims import bounded
from robust.eval.decision.records import Decision
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.card import Card, given
from robust.eval.report.context import Cell, Code, Fact, Row, Table, escape_markdown, map_text, printable
from robust.eval.report.measurements import Measurement, measurements
from robust.eval.report.render import environment

TASK = {"type": "object-detection", "name": "Object Detection"}
HEADLINE = ("AP50", "AP", "AP75", "AR100", "precision", "recall", "fppi")
"""Numbers that go into the metadata; the evidence has all of them."""
SHOWN = ("AP50", "AP", "precision", "recall", "fppi")
NOTE = (
    "Made by robust from the evidence of a study; the decision report beside this card has everything it rests on. "
    "In brackets: the 95 % interval."
)
_HUB_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class ModelCardText:
    """What the template shows."""

    title: str
    verdict: str
    reason: str
    note: str
    details: tuple[Fact, ...]
    uses: tuple[Fact, ...]
    known_limits: tuple[Fact, ...]
    limits: tuple[str, ...]
    training: tuple[Fact, ...]
    evaluation: tuple[Fact, ...]
    splits: Table
    results: Table
    gates: Table
    after_release: tuple[Fact, ...]
    integrity: tuple[Fact, ...]


def to_model_card(evidence: Evidence, decision: Decision, card: Card, limits: Sequence[str] = ()) -> str:
    """Write the model card of the proposed candidate as Markdown with a YAML head.

    Args:
        evidence: Of the study.
        decision: Which candidate is proposed, and what was decided.
        card: What people stated.
        limits: What was not evaluated, in sentences.
    """
    study = Study(evidence)
    candidate = study.candidate(decision.candidate)
    measured = measurements(study, candidate) if candidate else ()
    head = _plain(_metadata(study, candidate, card, measured))
    shown = _text(study, candidate, decision, card, measured=measured, limits=tuple(limits))
    escaped = map_text(map_text(shown, printable), escape_markdown)
    fields = {field.name: getattr(escaped, field.name) for field in dataclasses.fields(escaped)}
    body = environment(html=False).get_template("model_card.md.j2").render(fields)
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)}---\n{body}"


def _metadata(
    study: Study, candidate: CandidateEvidence | None, card: Card, measured: Sequence[Measurement]
) -> dict[str, Any]:
    head: dict[str, Any] = {}
    if "model_licence" in given(card):
        licence = dict(card.facts("model_licence"))["Licence of the model"]
        known = _HUB_LICENCE.fullmatch(licence.lower())
        head = {"license": licence.lower()} if known else {"license": "other", "license_name": licence}
    head |= {"library_name": "ultralytics", "pipeline_tag": TASK["type"], "tags": ["robustness", "model-evaluation"]}
    defined = [one for one in measured if one.metric in HEADLINE and one.estimate.value is not None]
    if candidate is not None and defined:
        ordered = sorted(defined, key=lambda one: (one.split, one.variant))  # stable: metrics keep their order
        groups = groupby(ordered, key=lambda one: (one.split, one.variant))
        results = [_result(study, split, variant, list(group)) for (split, variant), group in groups]
        head["model-index"] = [{"name": candidate.name, "results": results}]
    return head


def _result(study: Study, split: str, variant: str, measured: Sequence[Measurement]) -> dict[str, Any]:
    data = study.evidence.data
    recorded = next((v for v in study.recorded if v.name == variant), None)
    dataset = {"type": data.name, "name": f"{data.name}, {variant}", "config": variant, "split": split}
    fingerprint = (
        recorded.recipe_sha256 if recorded else study.splits[split].fingerprint if split in study.splits else None
    )
    if fingerprint is not None:
        dataset["revision"] = fingerprint
    return {"task": dict(TASK), "dataset": dataset, "metrics": [_metric(one) for one in measured]}


def _metric(one: Measurement) -> dict[str, Any]:
    args: dict[str, Any] = {}
    if one.threshold is not None:
        args |= {"confidence_threshold": one.threshold, "iou": 0.5}
    if one.estimate.has_interval:
        args |= {"interval_95": [one.estimate.low, one.estimate.high]}
    found = {"type": one.metric, "value": one.estimate.value, "name": one.metric}
    return {**found, "args": args} if args else found


def _text(
    study: Study,
    candidate: CandidateEvidence | None,
    decision: Decision,
    card: Card,
    *,
    measured: Sequence[Measurement],
    limits: tuple[str, ...],
) -> ModelCardText:
    title = f"Model card: {candidate.name}" if candidate else "Model card: no candidate is proposed"
    return ModelCardText(
        title=title,
        verdict=decision.verdict.value,
        reason=decision.reason,
        note=NOTE,
        details=(*_facts(card, "purpose", "owner", "release", "model_licence", "target_hardware"), *_size(candidate)),
        uses=_facts(card, "intended_use", "operating_conditions", "excluded_use", "foreseeable_misuse"),
        known_limits=_facts(card, "limitations"),
        limits=limits,
        training=(*_training(candidate), *_facts(card, "weights_licence", "data_origin", "training_budget")),
        evaluation=_evaluation(study, candidate),
        splits=_splits(study),
        results=_results(measured),
        gates=_gates(decision),
        after_release=_facts(card, "monitoring", "fallback", "reevaluation", "approver", "reviewers"),
        integrity=_integrity(candidate, decision),
    )


def _facts(card: Card, *names: str) -> tuple[Fact, ...]:
    return tuple(Fact(label, value) for label, value in card.facts(*names))


def _size(candidate: CandidateEvidence | None) -> tuple[Fact, ...]:
    if candidate is None:
        return ()
    parameters = f"{candidate.parameters:,}" if candidate.parameters is not None else "not known"
    size = f"{candidate.weights_bytes / 1e6:.1f} MB" if candidate.weights_bytes is not None else "not known"
    return (
        Fact("Parameters", parameters),
        Fact("File", size),
        Fact("Input size", f"{candidate.imgsz} px" if candidate.imgsz is not None else "not known"),
    )


def _training(candidate: CandidateEvidence | None) -> tuple[Fact, ...]:
    if candidate is None:
        return ()
    configuration = candidate.configuration
    known = {
        "Started from": configuration.model,
        "Data": configuration.data,
        "Epochs": configuration.epochs,
        "Batch": configuration.batch,
        "Optimizer": configuration.optimizer,
        "Learning rate": configuration.lr0,
        "Seed": candidate.seed,
    }
    run = Fact("Run", Code(candidate.training.run_id) if candidate.training else "none: not from a training run")
    return (run, *(Fact(name, str(value) if value is not None else "not known") for name, value in known.items()))


def _evaluation(study: Study, candidate: CandidateEvidence | None) -> tuple[Fact, ...]:
    suite = study.evidence.suite
    choice = candidate.sweep.choice if candidate else None
    threshold = f"{choice.threshold:g}, {choice.rule}" if choice and choice.threshold is not None else "none chosen"
    return (
        Fact("Factors", f"suite {suite.name}: {', '.join(variant.name for variant in suite.variants)}"),
        Fact("Metrics", "COCO AP and AR; precision, recall and false positives per image at the threshold and IoU 0.5"),
        Fact("Confidence threshold", threshold),
    )


def _splits(study: Study) -> Table:
    rows = tuple(
        Row(s.split, (Cell(f"{s.n_images:,}"), Cell(f"{s.n_objects:,}"), Cell(s.fingerprint)))
        for s in study.evidence.data.splits
    )
    return Table("data", f"Data set {study.evidence.data.name}", ("Split", "Images", "Objects", "Fingerprint"), rows)


def _results(measured: Sequence[Measurement]) -> Table:
    """One row for each split and variant; a cell that was not measured says so."""
    at = {(one.split, one.variant, one.metric): bounded(one.estimate) for one in measured}
    places = dict.fromkeys((one.split, one.variant) for one in measured if one.metric in SHOWN)
    rows = tuple(
        Row(f"{split}, {variant}", tuple(Cell(at.get((split, variant, name), "not measured")) for name in SHOWN))
        for split, variant in places
    )
    means = tuple(
        Row(
            f"{one.split}, {one.variant}",
            (Cell(f"{one.metric}: {bounded(one.estimate)}"), *(Cell("") for _ in SHOWN[1:])),
        )
        for one in measured
        if one.metric not in SHOWN and " of " in one.metric
    )
    return Table("results", "Results", ("Images", *SHOWN), (*rows, *means))


def _gates(decision: Decision) -> Table:
    rows = tuple(
        Row(
            gate.gate,
            (Cell(gate.requirement), Cell(_outcome(gate.outcome.value, waived=gate.waived)), Cell(gate.reason)),
        )
        for gate in decision.gates
    )
    return Table("gates", "Requirements of the policy", ("Gate", "Requirement", "Outcome", "Reason"), rows)


def _outcome(outcome: str, *, waived: bool) -> str:
    return f"{outcome}, waived" if waived else outcome


def _integrity(candidate: CandidateEvidence | None, decision: Decision) -> tuple[Fact, ...]:
    weights = "Weights sha256" if candidate and candidate.weights_bytes is not None else "Detections sha256"
    own = (Fact(weights, Code(candidate.weights_sha256)),) if candidate else ()
    return (
        *own,
        Fact("Evidence sha256", Code(decision.evidence_sha256)),
        Fact("Policy sha256, of its content", Code(decision.policy_sha256)),
        Fact("Signature", "this file is not signed; see approvals.json beside the report, if it is there"),
    )


def _plain(value: Any) -> Any:
    """The same values with every text on one visible line, so that none can end the YAML head."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
