"""Runs as facts, with as little written down as a test needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.registry import audit
from robust.eval.evidence.findings import AuditEvidence, AuditFinding

_numbers = count(1)


def a_run(name: str | None = None, *, map50: float | None = None, **more: Any) -> RunFacts:
    """A finished run with weights and, unless it gets a mAP50, one like no other's."""
    number = next(_numbers)
    params = {"imgsz": "320", "lr0": "0.01", "seed": "1", "epochs": "3", "optimizer": "SGD", "model": "yolov8n.pt"}
    given: dict[str, Any] = {
        "run_id": f"{number:032x}",
        "name": f"run {number}" if name is None else name,
        "status": "FINISHED",
        "has_weights": True,
        "ultralytics": "8.4.190",
        "metrics": {"mAP50": 0.61234567 + number * 1.2345e-4 if map50 is None else map50},
        **more,
    }
    logged: Mapping[str, Any] = given.pop("params", {})
    merged = {key: str(value) for key, value in {**params, **logged}.items() if value is not None}
    return RunFacts(params=merged, **given)


def experiment(runs: Iterable[RunFacts]) -> ExperimentFacts:
    return ExperimentFacts(experiment="e", runs=tuple(runs))


def audited(*runs: RunFacts) -> AuditEvidence:
    return audit(experiment(runs))


def told(rule: str, *runs: RunFacts) -> list[AuditFinding]:
    """Findings of one rule about these runs, whether or not all of it could be checked."""
    return [finding for finding in audited(*runs).findings if finding.rule == rule]


def found(rule: str, *runs: RunFacts) -> list[AuditFinding]:
    """Findings of one rule about these runs; fails when the check was not made."""
    evidence = audited(*runs)
    assert rule in evidence.rules, evidence.not_checked
    return [finding for finding in evidence.findings if finding.rule == rule]
