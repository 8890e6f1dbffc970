"""``robust adopt``."""

from __future__ import annotations

from pathlib import Path

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table


@click.command("adopt")
@click.argument("folders", type=click.Path(file_okay=False, path_type=Path), nargs=-1, required=True, metavar="DIR...")
@click.option(
    "--experiment", default="robust", show_default=True, envvar="ROBUST_EXPERIMENT", help="MLflow experiment."
)
@click.option("--trust-weights", is_flag=True, help="Load weights that hold code. This runs that code.")
@options.tracking_uri
@options.as_json
def adopt_command(
    folders: tuple[Path, ...], experiment: str, trust_weights: bool, tracking_uri: str, as_json: bool
) -> None:
    """Take in Ultralytics training folders that MLflow never saw.

    Each DIR holds args.yaml, results.csv and weights/best.pt, and becomes a finished run with the names of Ultralytics'
    own MLflow callback would have used. Adopting the same folder again changes nothing.
    """
    from robust.eval.adopt import adopt
    from robust.eval.tracking.store import Store

    adopted = adopt(folders, Store.open(tracking_uri), experiment, trust=trust_weights)
    if as_json:
        echo_json(adopted)
    else:
        rows = [(a.name, a.run_id, "known" if a.reused else "adopted", str(a.folder)) for a in adopted]
        echo_table(("run name", "run", "status", "folder"), rows)
