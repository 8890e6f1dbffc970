"""``robust init``."""

from __future__ import annotations

from pathlib import Path

import click

from robust.cli import options
from robust.cli.output import echo_json


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("-f", "--force", is_flag=True, help="Replace files that are there already.")
@options.as_json
def init_command(folder: Path, force: bool, as_json: bool) -> None:
    """Write a commented policy.yaml and card.yaml into DIR (default: here).

    Edit the policy before looking at results; the card holds what only people know.
    """
    from robust.eval.starter_files import write_starter_files

    written = write_starter_files(folder, force=force)
    if as_json:
        echo_json({"written": written})
    else:
        for path in written:
            click.echo(path)
