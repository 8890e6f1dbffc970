"""``robust audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import echo_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robust.eval.evidence.findings import AuditFinding

ERRORS_FOUND = 3


@click.command("audit")
@click.option(
    "--claims",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Numbers that people typed, as YAML; see docs/claims.md.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 when there is an error.")
@options.as_json
@click.pass_context
def audit_command(ctx: click.Context, *, claims: Path, strict: bool, as_json: bool) -> None:
    """Check numbers that people typed: means, percentages, rates and counts that cannot be right.

    No run, no data and no model is needed. An error is a contradiction that rounding cannot explain; a warning or a
    note is something to look at.
    """
    from robust.eval.audit.arithmetic import RULES, lint_claims
    from robust.eval.evidence.findings import Severity

    found = lint_claims(claims)
    counts = {str(severity): sum(f.severity is severity for f in found) for severity in Severity}
    if as_json:
        echo_json({"claims": claims, "rules": RULES, "counts": counts, "findings": list(found)})
    else:
        _show(found, counts, len(RULES))
    if strict and counts["error"]:
        ctx.exit(ERRORS_FOUND)


def _show(found: Sequence[AuditFinding], counts: dict[str, int], n_rules: int) -> None:
    from robust.eval.report.context import printable  # names in the file may hold anything

    for finding in found:
        click.echo(f"{finding.severity}: {finding.rule}")
        for line in (finding.what, f"Why: {finding.why}", f"Do: {finding.remedy}"):
            click.echo(f"  {printable(line)}")
    told = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())
    click.echo(f"{told} ({n_rules} checks)")
