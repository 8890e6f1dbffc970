"""Findings of an audit: what is wrong with the training evidence, in numbers, why it matters and what to do."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from robust.eval.metrics.records import Record


class Severity(StrEnum):
    """How bad a finding is: an error makes a comparison invalid, a warning weakens it, a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class AuditFinding(Record):
    """One thing that an audit found.

    Attributes:
        rule: Which check found it, in kebab case: "ineffective-axis".
        severity: How bad it is.
        runs: Names of the runs it is about, sorted; empty when it is about the data or the experiment.
        what: What was found, one sentence with its numbers.
        numbers: The numbers of the sentence by name, for machines.
        why: Why it matters, one sentence.
        remedy: What to do, one sentence.
    """

    rule: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    severity: Severity
    runs: tuple[str, ...]
    what: str = Field(min_length=1)
    numbers: dict[str, float | int | str] = Field(default_factory=dict)
    why: str = Field(min_length=1)
    remedy: str = Field(min_length=1)


class AuditEvidence(Record):
    """What an audit looked at and what it found.

    Attributes:
        rules: Names of the checks that could be made, sorted.
        not_checked: For each check that could not be made, why.
        n_runs: Runs that were looked at.
        findings: Errors first, then by rule and runs.
    """

    rules: tuple[str, ...]
    not_checked: dict[str, str] = Field(default_factory=dict)
    n_runs: int = Field(ge=0)
    findings: tuple[AuditFinding, ...] = ()

    def count(self, severity: Severity) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)
