"""The CycloneDX bill of materials: the measured numbers, their intervals, and what is missing."""

from __future__ import annotations

import json
import uuid
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from robust.eval.decision.decide import decide
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.metrics.interval import Interval
from robust.eval.report.card import Card
from robust.eval.report.cyclonedx import to_cyclonedx
from tests.eval.evidence_builder import change_candidates
from tests.eval.report.written import PROPOSED, policy_for, small_evidence

BOUNDED = Interval(low=0.51, high=0.83, method="logit-t", n_units=10)
CARD = Card(
    release="1.4", purpose="count people", model_licence="agpl-3.0", weights_licence="agpl-3.0", limitations="fog"
)


def bounded(candidate: CandidateEvidence) -> CandidateEvidence:
    """AP50 on clean test images gets an interval."""
    return candidate.model_copy(
        update={
            "cells": tuple(
                c.model_copy(update={"intervals": {"AP50": BOUNDED}})
                if (c.split, c.variant) == ("test", "clean")
                else c
                for c in candidate.cells
            )
        }
    )


def bom(card: Card = CARD, evidence: Evidence | None = None) -> dict[str, Any]:
    evidence = evidence or change_candidates(small_evidence(), bounded)
    return dict(
        json.loads(to_cyclonedx(evidence, decide(evidence, policy_for("PROMOTE")), card, ("Latency: unknown.",)))
    )


def metrics(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    listed = found["components"][0]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    return {(one["type"], one["slice"]): one for one in listed}


def proposed() -> CandidateEvidence:
    return next(c for c in small_evidence().candidates if c.name == PROPOSED)


def test_every_measured_number_is_there_and_reads_back_exactly() -> None:
    found = metrics(bom())
    for cell in proposed().cells:
        for name, value in cell.coco.model_dump().items():
            one = found.get((name, f"split {cell.split}, variant {cell.variant}"))
            assert one is None if value is None else one is not None and float(one["value"]) == value
    threshold = proposed().sweep.choice.threshold
    point = next(
        p for k in proposed().sweep.curves if (k.split, k.variant) == ("test", "night/3") for p in k.points
        if p.threshold == threshold
    )  # fmt: skip
    told = found["recall", f"split test, variant night/3, threshold {threshold:g}, IoU 0.5"]
    assert float(told["value"]) == point.recall
    assert float(found["rPC of AP50", "split test, variant all variants"]["value"]) == proposed().robustness[1].rPC


def test_an_interval_stands_beside_its_number_and_nowhere_else() -> None:
    with_interval = {place: one for place, one in metrics(bom()).items() if "confidenceInterval" in one}
    assert list(with_interval) == [("AP50", "split test, variant clean")]
    (one,) = with_interval.values()
    assert one["confidenceInterval"] == {"lowerBound": "0.51", "upperBound": "0.83"}


def test_what_is_missing_is_named_and_never_a_number() -> None:
    card = bom()["components"][0]["modelCard"]
    properties = [(p["name"], p["value"]) for p in card["properties"]]
    assert ("robust:not defined", "APs, split test, variant clean") in properties
    assert ("robust:card:owner", "NOT PROVIDED") in properties
    assert ("robust:card:purpose", "NOT PROVIDED") not in properties
    assert "Intended use: NOT PROVIDED" in card["considerations"]["useCases"]
    assert card["considerations"]["technicalLimitations"] == ["Known limitations: fog", "Latency: unknown."]


def test_the_component_is_the_proposed_weights_and_what_they_came_from() -> None:
    (model,) = bom()["components"]
    assert (model["name"], model["version"], model["description"]) == (PROPOSED, "1.4", "count people")
    assert model["hashes"] == [{"alg": "SHA-256", "content": proposed().weights_sha256}]
    (ancestor,) = model["pedigree"]["ancestors"]
    assert ancestor["hashes"][0]["content"] == proposed().baseline_sha256
    datasets = model["modelCard"]["modelParameters"]["datasets"]
    prints = [d["contents"]["properties"][0]["value"] for d in datasets]
    assert prints == [split.fingerprint for split in small_evidence().data.splits]


def test_detections_without_weights_have_no_hash_of_weights() -> None:
    evidence = change_candidates(small_evidence(), lambda c: c.model_copy(update={"weights_bytes": None}))
    (model,) = bom(evidence=evidence)["components"]
    assert "hashes" not in model and "pedigree" not in model


def test_the_same_input_gives_the_same_bytes_and_another_card_another_serial_number() -> None:
    assert bom() == bom()
    serials = {bom()["serialNumber"], bom(Card())["serialNumber"]}
    assert len(serials) == 2
    assert all(uuid.UUID(serial.removeprefix("urn:uuid:")).version == 5 for serial in serials)


def test_without_a_candidate_there_is_no_component() -> None:
    evidence = change_candidates(small_evidence(), lambda c: c if c.role == "baseline" else None)
    found = bom(evidence=evidence)
    assert found["components"] == []
    told = {p["name"]: p["value"] for p in found["metadata"]["properties"]}
    assert (told["robust:verdict"], told["robust:candidate"]) == ("HOLD", "none")


def test_it_is_valid_by_the_schema_of_cyclonedx() -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bom())) is None
    assert validator.validate_str(json.dumps(bom(Card()))) is None
