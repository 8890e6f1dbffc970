"""The proposed model with its measured performance as a CycloneDX 1.6 ML-BOM. Pure: no clock, no random identifier.

Format: https://cyclonedx.org/docs/1.6/json/ (``modelCard.quantitativeAnalysis.performanceMetrics``). A 95 % interval
stands in ``confidenceInterval``; a number without one has no such field. Numbers that were not measured or are not
defined are listed as properties of the model card.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from robust import __version__
from robust.eval.decision.records import Decision
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.card import NOT_PROVIDED, Card, given, missing
from robust.eval.report.measurements import Measurement, measurements

SPEC_VERSION = "1.6"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:robust-detection:ml-bom")


def to_cyclonedx(evidence: Evidence, decision: Decision, card: Card, limits: Sequence[str] = ()) -> str:
    """Write the bill of materials as JSON text.

    Args:
        evidence: Of the study.
        decision: Which candidate is proposed, and what was decided.
        card: What people stated.
        limits: What was not evaluated, in sentences.

    Returns:
        JSON with one component, the proposed model; without any when no candidate is proposed.
    """
    study = Study(evidence)
    candidate = study.candidate(decision.candidate)
    name = f"{decision.evidence_sha256} {decision.policy_sha256} {card.to_yaml()}"
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, name)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "robust", "version": __version__}]},
            "properties": _properties(
                {
                    "robust:verdict": decision.verdict.value,
                    "robust:reason": decision.reason,
                    "robust:evidence_sha256": decision.evidence_sha256,
                    "robust:policy_sha256": decision.policy_sha256,
                    "robust:candidate": candidate.name if candidate else "none",
                }
            ),
        },
        "components": [_model(study, candidate, card, limits)] if candidate else [],
    }
    return json.dumps(bom, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _model(study: Study, candidate: CandidateEvidence, card: Card, limits: Sequence[str]) -> dict[str, Any]:
    stated, configuration = given(card), candidate.configuration
    has_weights = candidate.weights_bytes is not None
    model: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": f"model-{candidate.weights_sha256}",
        "name": candidate.name,
    }
    if "release" in stated:
        model["version"] = dict(card.facts("release"))["Version of the release"]
    if "purpose" in stated:
        model["description"] = dict(card.facts("purpose"))["Purpose"]
    if has_weights:
        model["hashes"] = [{"alg": "SHA-256", "content": candidate.weights_sha256}]
    if "model_licence" in stated:
        model["licenses"] = [{"license": {"name": dict(card.facts("model_licence"))["Licence of the model"]}}]
    if candidate.baseline_sha256 is not None and has_weights:
        ancestor: dict[str, Any] = {
            "type": "machine-learning-model",
            "name": configuration.model or candidate.baseline or "starting weights",
            "hashes": [{"alg": "SHA-256", "content": candidate.baseline_sha256}],
        }
        if "weights_licence" in stated:
            ancestor["licenses"] = [
                {"license": {"name": dict(card.facts("weights_licence"))["Licence of the starting weights"]}}
            ]
        model["pedigree"] = {"ancestors": [ancestor]}
    model["modelCard"] = _model_card(study, candidate, card, limits)
    return model


def _model_card(study: Study, candidate: CandidateEvidence, card: Card, limits: Sequence[str]) -> dict[str, Any]:
    measured = measurements(study, candidate)
    said = dict(card.facts("intended_use", "operating_conditions", "excluded_use", "foreseeable_misuse", "limitations"))
    use = ("Intended use", "Operating conditions", "Excluded use", "Foreseeable misuse")
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "object-detection",
            "datasets": [
                {
                    "type": "dataset",
                    "name": f"{study.evidence.data.name} {split.split}",
                    "contents": {
                        "properties": _properties(
                            {
                                "robust:fingerprint": split.fingerprint,
                                "robust:images": str(split.n_images),
                                "robust:objects": str(split.n_objects),
                            }
                        )
                    },
                }
                for split in study.evidence.data.splits
            ],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [_metric(one) for one in measured if one.estimate.value is not None]
        },
        "considerations": {
            "useCases": [f"{label}: {said[label]}" for label in use],
            "technicalLimitations": [f"Known limitations: {said['Known limitations']}", *limits],
        },
        "properties": [
            *(
                {"name": f"robust:{one.estimate.missing}", "value": f"{one.metric}, {one.slice}"}
                for one in measured
                if one.estimate.value is None
            ),
            *({"name": f"robust:card:{name}", "value": NOT_PROVIDED} for name in missing(card)),
        ],
    }


def _metric(one: Measurement) -> dict[str, Any]:
    """One number; CycloneDX wants text, so the shortest one that reads back as the same number."""
    found: dict[str, Any] = {"type": one.metric, "value": repr(one.estimate.value), "slice": one.slice}
    if one.estimate.has_interval:
        found["confidenceInterval"] = {"lowerBound": repr(one.estimate.low), "upperBound": repr(one.estimate.high)}
    return found


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]
