"""``robust gate``."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table
from robust.cli.study import evidence_file, gather
from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.decision.records import Decision

EXIT_CODES = {"PROMOTE": 0, "REJECT": 3, "HOLD": 4}
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Where GitHub's runner names the file whose Markdown it shows on the page of a run."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("gate")
@options.experiment
@options.run_id
@evidence_file
@options.policy
@options.card
@click.option("--junit", type=_FILE, metavar="FILE", help="Write a JUnit file: one test for each gate.")
@click.option(
    "--summary",
    type=_FILE,
    metavar="FILE",
    help=f"Write the decision as Markdown. Default: added to ${STEP_SUMMARY} where that is set, else not written.",
)
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
    card: Path | None,
    junit: Path | None,
    summary: Path | None,
    tracking_uri: str,
    as_json: bool,
) -> None:
    """Print the decision and exit with its code, for CI: 0 PROMOTE, 3 REJECT, 4 HOLD.

    In the JUnit file a critical gate without enough evidence is a failure, as one that failed; other gates that did not
    pass are skipped. The first test is the decision itself and fails unless it is PROMOTE.
    """
    from robust.eval.decision.decide import decide
    from robust.eval.decision.policy import read_policy
    from robust.eval.decision.records import Circumstances
    from robust.eval.report.card import given, read_card

    _refuse_overwriting({"--junit": junit, "--summary": summary}, {"the evidence": evidence, "the policy": policy})
    _refuse_overwriting({"--junit": junit}, {"the card": card, "the summary": summary})
    _refuse_overwriting({"--summary": summary}, {"the card": card})
    rules, facts = read_policy(policy), given(read_card(card))
    today = datetime.now(UTC).date()  # as `robust report` does, so that the two never disagree
    found = gather(experiment, run_ids, evidence, tracking_uri, rules)
    decision = decide(found, rules, Circumstances(today=today, facts=facts))
    _write_files(decision, junit, summary)
    if as_json:
        echo_json(decision)
    else:
        _show(decision)
    ctx.exit(EXIT_CODES[decision.verdict])


def _refuse_overwriting(outputs: dict[str, Path | None], inputs: dict[str, Path | None]) -> None:
    for option, output in outputs.items():
        for name, path in inputs.items():
            if output is not None and path is not None and output.resolve() == path.resolve():
                raise UsageError(f"{option} {output} is also {name}.", "It would be overwritten.", "Name another file.")


def _write_files(decision: Decision, junit: Path | None, summary: Path | None) -> None:
    from robust.eval.report.gate_summary import gate_summary
    from robust.eval.report.junit import junit as as_junit

    if junit is not None:
        _write(junit, as_junit(decision))
    step = os.environ.get(STEP_SUMMARY)
    if summary is not None:
        _write(summary, gate_summary(decision).encode("utf-8"))
    elif step:
        try:
            with Path(step).open("a", encoding="utf-8", newline="\n") as stream:
                stream.write(gate_summary(decision))
        except OSError as error:  # nobody asked for this file, and the decision must not be lost for it
            click.echo(f"Warning: no summary was added to {step}: {error.strerror or error}.", err=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file with everybody's usual permissions: another user often collects it.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UsageError(f"{path} cannot be written.", error.strerror or str(error), "Name another file.") from error


def _show(decision: Decision) -> None:
    from robust.eval.report.gate_words import observed, standing

    click.echo(f"{decision.verdict}: {decision.reason}")
    click.echo(f"Proposed: {decision.candidate or 'none'}")
    rows = [(standing(g), str(g.tier), g.gate, observed(g), g.requirement, g.reason) for g in decision.gates]
    echo_table(("outcome", "tier", "gate", "observed", "requirement", "reason"), rows)
