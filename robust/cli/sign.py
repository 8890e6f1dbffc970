"""``robust sign``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from robust.cli import options
from robust.cli.output import echo_json
from robust.errors import UsageError

_FILE = click.Path(path_type=Path)


@click.command("sign")
@click.argument("folder", metavar="[REPORT_DIR]", required=False, type=_FILE)
@click.option("--as", "name", metavar="NAME", help="Who signs.")
@click.option("--role", metavar="ROLE", help="As what: approver, independent reviewer.")
@click.option("--decision", type=click.Choice(["approve", "reject"]), help="What is signed.")
@click.option("--key", type=_FILE, metavar="KEY.pem", help="Private ed25519 key; without one the approval is unsigned.")
@click.option("--comment", default="", metavar="TEXT", help="Why; needed to approve a report that says HOLD.")
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Day of the signature. Default: today (UTC).",
)
@click.option("--new-key", type=_FILE, metavar="KEY.pem", help="Make a key pair instead: KEY.pem and KEY.pub.")
@options.as_json
def sign_command(
    *,
    folder: Path | None,
    name: str | None,
    role: str | None,
    decision: str | None,
    key: Path | None,
    comment: str,
    day: datetime | None,
    new_key: Path | None,
    as_json: bool,
) -> None:
    """Approve or reject a report: verify it, then append to its approvals.json.

    The signature covers the manifest and with it every file. No file of the report changes.
    """
    if new_key is not None:
        _make_key(new_key, as_json, alone=folder is None and key is None)
        return
    if folder is None or name is None or role is None or decision is None:
        raise UsageError(
            "Say which report is signed, by whom, as what, and how.",
            fix='robust sign REPORT_DIR --as "NAME" --role ROLE --decision approve [--key KEY.pem]',
        )
    from robust.eval.signing import Signer, sign

    signed = sign(
        folder,
        Signer(name, role, decision, comment),
        day=(day or datetime.now(UTC)).date(),
        key_file=key,
        password=_password(key),
    )
    said = signed.approval
    if as_json:
        echo_json({"folder": folder, "approval": said, "signed": signed.key_id is not None, "key_id": signed.key_id})
        return
    how = f"signed with key {signed.key_id[:16]}" if signed.key_id else "UNSIGNED: a name without a key proves nothing"
    click.echo(f"{said.decision}: {_line(said.name)}, {_line(said.role)}, {said.date.isoformat()}, {how}")
    click.echo(folder / "approvals.json")


def _make_key(path: Path, as_json: bool, *, alone: bool) -> None:
    if not alone:
        raise UsageError("--new-key makes a key and signs nothing.", fix="Make the key first, then sign with --key.")
    from robust.eval.signing import new_key

    public = new_key(path)
    if as_json:
        echo_json({"private_key": path, "public_key": public})
        return
    click.echo(path)
    click.echo(public)
    click.echo("Keep the first to yourself; give the second to whoever verifies.", err=True)


def _password(key: Path | None) -> bytes | None:
    """Ask for the password of an encrypted key, on the terminal only."""
    if key is None:
        return None
    from robust.eval.signing import is_encrypted

    if not is_encrypted(key):
        return None
    return str(click.prompt(f"Password of {key}", hide_input=True, err=True)).encode("utf-8")


def _line(text: str) -> str:
    from robust.eval.report.context import printable

    return printable(text)
