"""Candidates whose sweeps are reported (measured with intervals, or from formulas without any), and their pages."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

from robust.corruptions.records import Variant
from robust.eval.evidence.measure import CellResult
from robust.eval.evidence.records import Evidence
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.sweep import clean_costs
from tests.eval.evidence.study_builder import DRAWN, FOG, NIGHT, PLAN, REAL_NIGHT, Model, cells_of, part
from tests.eval.evidence_builder import build_evidence


@cache
def measured_subject(
    name: str = "one",
    constraints: ThresholdConstraints | None = None,
    *,
    val: bool = True,
    risk: float = PLAN.risk,
    group: int = 1,
    step: float = 0.01,
    variants: tuple[Variant, ...] = (*NIGHT, *FOG, REAL_NIGHT),
) -> TuningSubject:
    """A model on 30 clean images of test and val, four variants and a recorded set; so many images share a source."""
    plan = replace(PLAN, constraints=constraints or ThresholdConstraints(), risk=risk, step=step)
    model = Model(name, draw=len(name))
    cells = [_grouped(one, group) for one in cells_of(model, variants, val=val)]
    evidence = part(model, cells, plan).evidence
    (candidate,) = evidence.candidates
    clean: list[CellResult] = [
        c for split in ("val", "test") for c in cells if c.split == split and not c.variant.severity
    ]
    clean = [c for c in clean if c.variant.corruption == "clean"]
    costs = clean_costs(clean, plan, DRAWN, candidate.sweep.choice.threshold)
    return TuningSubject(name, "0" * 32, evidence, candidate, costs)


def _grouped(cell: CellResult, size: int) -> CellResult:
    if size == 1:
        return cell
    groups = tuple(f"source {i // size}" for i in range(len(cell.truth.image_ids)))
    return replace(cell, truth=replace(cell.truth, groups=groups))


@cache
def formula_subjects() -> tuple[TuningSubject, ...]:
    """Eight candidates and two baselines of the core suite, without intervals."""
    return subjects_of(build_evidence())


def subjects_of(evidence: Evidence) -> tuple[TuningSubject, ...]:
    """Everybody of a study, without what other thresholds would cost."""
    return tuple(TuningSubject(c.name, "", evidence, c) for c in evidence.candidates)


class Page(HTMLParser):
    """Tags with their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.visible: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.visible.append(data)


def page_data(html: str) -> Any:
    return json.loads(Page(html).scripts[0])


def renamed(subject: TuningSubject, name: str) -> TuningSubject:
    return dataclasses.replace(subject, name=name, candidate=subject.candidate.model_copy(update={"name": name}))
