"""``robust verify``."""

from __future__ import annotations

from pathlib import Path

import click

from robust.cli import options
from robust.cli.output import echo_json


@click.command("verify")
@click.argument("folder", metavar="REPORT_DIR", type=click.Path(path_type=Path))
@options.as_json
def verify_command(folder: Path, as_json: bool) -> None:
    """Check a report: every hash of its manifest, and that its sources still give the same files.

    Exit code 5 names the file that does not match.
    """
    from robust.eval.report.files import verify

    checked = verify(folder)
    if as_json:
        echo_json({"folder": folder, "verified": checked})
    else:
        click.echo(f"verified: {', '.join(checked)}")
