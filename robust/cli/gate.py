"""``robust gate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import bounded_text, echo_json, echo_table
from robust.cli.study import evidence_file, gather

if TYPE_CHECKING:
    from robust.eval.decision.records import Decision, GateResult

EXIT_CODES = {"PROMOTE": 0, "REJECT": 3, "HOLD": 4}


@click.command("gate")
@options.experiment
@options.run_id
@evidence_file
@options.policy
@options.tracking_uri
@options.as_json
@click.pass_context
def gate_command(
    ctx: click.Context,
    *,
    experiment: str | None,
    run_ids: tuple[str, ...],
    evidence: Path | None,
    policy: Path | None,
    tracking_uri: str,
    as_json: bool,
) -> None:
    """Print the decision and exit with its code, for CI: 0 PROMOTE, 3 REJECT, 4 HOLD."""
    from robust.eval.decision.decide import decide
    from robust.eval.decision.policy import read_policy

    rules = read_policy(policy)
    decision = decide(gather(experiment, run_ids, evidence, tracking_uri, rules), rules)
    if as_json:
        echo_json(decision)
    else:
        _show(decision)
    ctx.exit(EXIT_CODES[decision.verdict])


def _show(decision: Decision) -> None:
    click.echo(f"{decision.verdict}: {decision.reason}")
    click.echo(f"Proposed: {decision.candidate or 'none'}")
    rows = [(str(g.outcome), str(g.tier), g.gate, _observed(g), g.requirement, g.reason) for g in decision.gates]
    echo_table(("outcome", "tier", "gate", "observed", "requirement", "reason"), rows)


def _observed(gate: GateResult) -> str | int | None:
    """The value, with its interval where it has one."""
    value = gate.estimate.value
    return int(value) if value is not None and gate.unit == "count" else bounded_text(value, gate.estimate)
