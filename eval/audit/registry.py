"""All checks of the audit, and the audit itself: what is wrong with the training evidence of an experiment?"""

from __future__ import annotations

from collections.abc import Sequence

from robust.eval.audit import axis_checks, data_checks, run_checks, seed_checks, selection_checks, training_checks
from robust.eval.audit.check import Check
from robust.eval.audit.comparable import comparable
from robust.eval.audit.facts import ExperimentFacts
from robust.eval.audit.settings import identity
from robust.eval.evidence.findings import AuditEvidence, AuditFinding, Severity

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *axis_checks.CHECKS,
            *data_checks.CHECKS,
            *run_checks.CHECKS,
            *seed_checks.CHECKS,
            *selection_checks.CHECKS,
            *training_checks.CHECKS,
        ),
        key=lambda check: check.rule,
    )
)
"""Every check, by rule."""

_ORDER = tuple(Severity)  # errors first


def audit(facts: ExperimentFacts, checks: Sequence[Check] = CHECKS) -> AuditEvidence:
    """Make every check that can be made.

    The order of the runs does not matter: the same runs give the same findings.

    Args:
        facts: What is known of the trainings.
        checks: Which ones to make; all of them.
    """
    ordered = facts.model_copy(update={"runs": comparable(sorted(facts.runs, key=identity))})
    looked = {check.rule: check.look(ordered) for check in checks}
    findings = [finding for one in looked.values() for finding in one.findings]
    return AuditEvidence(
        rules=tuple(sorted(rule for rule, one in looked.items() if one.not_checked is None)),
        not_checked={rule: one.not_checked for rule, one in sorted(looked.items()) if one.not_checked is not None},
        n_runs=len(facts.runs),
        findings=tuple(sorted(findings, key=_place)),
    )


def _place(finding: AuditFinding) -> tuple[int, str, tuple[str, ...], str]:
    return _ORDER.index(finding.severity), finding.rule, finding.runs, finding.what
