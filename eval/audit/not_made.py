"""Which checks of an audit must not be read as passed, and why."""

from __future__ import annotations

from robust.eval.audit.registry import CHECKS
from robust.eval.evidence.findings import AuditEvidence

NO_RUNS = "there is no training run to look at"


def reasons_of(audit: AuditEvidence) -> dict[str, str]:
    """Rule -> why it was not checked; without a run, every check of runs, which then saw nothing."""
    about_runs = {check.rule for check in CHECKS}
    empty = {} if audit.n_runs else {rule: NO_RUNS for rule in audit.rules if rule in about_runs}
    return {**empty, **audit.not_checked}
