"""``robust verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import echo_json
from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.report.approval import SignedApproval
    from robust.eval.verify import Verified

_PATH = click.Path(path_type=Path)
NOT_APPROVED = 4
SHOWN = 6
"""Lines of what was checked or not; the JSON has all of them."""


@click.command("verify")
@click.argument("folder", metavar="REPORT_DIR", type=_PATH)
@click.option("--weights", type=_PATH, multiple=True, metavar="FILE", help="Weights to check; may be repeated.")
@click.option("--data", type=_PATH, metavar="DATA", help="Data set to check: YOLO data.yaml or COCO JSON.")
@click.option("--variant", "recorded", multiple=True, metavar="NAME=DATA", help="A recorded set to check.")
@click.option(
    "--predictions", type=_PATH, metavar="DIR", help="Stored predictions to measure again: the cell cache (.robust)."
)
@click.option(
    "--public-key", "keys", type=_PATH, multiple=True, metavar="FILE|DIR", help="Trusted keys; may be repeated."
)
@click.option(
    "--require-approvals", "required", type=click.IntRange(min=0), metavar="N", help="Exit 4 with fewer approvers."
)
@options.as_json
@click.pass_context
def verify_command(
    ctx: click.Context,
    *,
    folder: Path,
    weights: tuple[Path, ...],
    data: Path | None,
    recorded: tuple[str, ...],
    predictions: Path | None,
    keys: tuple[Path, ...],
    required: int | None,
    as_json: bool,
) -> None:
    """Check a report: every hash of its manifest, that its sources still give the same files, and its approvals.

    Exit code 5 names the file that does not match. Weights, data and predictions are checked where they are given.
    """
    from robust.eval.verify import Given, verify

    given = Given(weights, data, dict(_named(text) for text in recorded), predictions, keys)
    found = verify(folder, given, required=required)
    if as_json:
        echo_json(
            {
                "folder": folder,
                "verified": found.files,
                "checked": found.checked,
                "not_checked": found.not_checked,
                "verdict": found.decision.verdict,
                "approvals": [one.model_dump(mode="json") for one in found.approvals.signed],
                "standing": found.approvals.standing,
            }
        )
    else:
        _show(found)
    if required is not None and found.approvals.standing.state != "approved":
        ctx.exit(NOT_APPROVED)


def _named(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition("=")
    if not (name and sign and path):
        raise UsageError(f"{text!r} names no recorded set.", fix="For example: --variant real_night=night.yaml")
    return name, Path(path)


def _show(found: Verified) -> None:
    click.echo(f"verified: {', '.join(found.files)}")
    _list("checked", found.checked)
    _list("not checked (not given)", found.not_checked)
    click.echo(f"report says: {found.decision.verdict}")
    if not found.approvals.signed:
        click.echo("approvals: none")
        return
    click.echo(f"approvals: {found.approvals.standing.text}")
    for one in found.approvals.signed:
        click.echo(f"  {_approval(one)}")
    if not found.keys_given and any(one.key_id for one in found.approvals.signed):
        click.echo("Signatures were not checked against a trusted key: give --public-key.")


def _list(title: str, lines: tuple[str, ...]) -> None:
    for line in lines[:SHOWN]:
        click.echo(f"{title}: {line}")
    if len(lines) > SHOWN:
        click.echo(f"{title}: and {len(lines) - SHOWN} more (see --json)")


def _approval(one: SignedApproval) -> str:
    from robust.eval.report.context import printable

    said = one.approval
    how = {
        "unsigned": "UNSIGNED",
        "not checked": f"signed with key {(one.key_id or '')[:16]}, not checked against a trusted key",
        "trusted": f"signed with trusted key {one.key_name}",
    }.get(one.trust, one.trust)
    parts = (said.decision, printable(said.name), printable(said.role), said.date.isoformat(), how)
    comment = f": {printable(said.comment)}" if said.comment else ""
    return ", ".join(parts) + comment
