"""A check of the audit: one rule, the question it asks, and the pure function that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from robust.eval.audit.facts import ExperimentFacts
from robust.eval.evidence.findings import AuditFinding


@dataclass(frozen=True)
class Looked:
    """What a check saw.

    Attributes:
        findings: What is wrong; empty when nothing is, or when it could not look.
        not_checked: Why it could not be made; None when it was.
    """

    findings: tuple[AuditFinding, ...] = ()
    not_checked: str | None = None


@dataclass(frozen=True)
class Check:
    """One rule of the audit.

    Attributes:
        rule: Its name, in kebab case; the same as in its findings.
        asks: The question it asks, one sentence.
        look: Answers it from the facts alone: no files, no store, no clock; the order of the runs does not matter.
    """

    rule: str
    asks: str
    look: Callable[[ExperimentFacts], Looked]
