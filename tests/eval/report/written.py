"""Reports on disk for tests: one for each verdict, of a small evidence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from robust.eval.decision.policy import Policy
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.card import Card
from robust.eval.report.files import ReportFiles, write_report
from tests.eval.evidence_builder import build_evidence, change_candidates

PROPOSED = "yolov8n_e3_sz416_lr0.005_s42"
VARIANTS = ("clean", "night/1", "night/2", "night/3", "night/4", "night/5")


def _few(candidate: CandidateEvidence) -> CandidateEvidence | None:
    if "sz416_lr0.005" not in candidate.name and candidate.name != "yolov8n@416":
        return None
    return candidate.model_copy(update={"cells": tuple(c for c in candidate.cells if c.variant in VARIANTS)})


@cache
def small_evidence() -> Evidence:
    """Two seeds of one configuration and their baseline, clean and at night."""
    found = change_candidates(build_evidence(), _few)
    suite = found.suite.model_copy(update={"variants": tuple(v for v in found.suite.variants if v.name in VARIANTS)})
    return found.model_copy(update={"suite": suite})


SIZE = {"name": "size", "kind": "size", "tier": "critical"}
GATES = {
    "PROMOTE": {**SIZE, "maximum_mb": 100},  # the weights have 6.5 MB
    "REJECT": {**SIZE, "maximum_mb": 1},
    "HOLD": {"name": "images", "kind": "images", "tier": "critical", "minimum": 300},  # there are ten
}


def policy_for(verdict: str, **more: object) -> Policy:
    """A policy of one gate that gives the verdict."""
    return Policy.model_validate({"version": 1, "name": "p", "gates": [GATES[verdict]], **more})


def written(folder: Path, verdict: str = "PROMOTE", card: Card | None = None) -> ReportFiles:
    made = write_report(small_evidence(), policy_for(verdict), card or Card(owner="Zoë"), folder)
    assert made.decision.verdict == verdict, made.decision.reason
    return made
