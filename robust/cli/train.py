"""``robust train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robust.cli import options
from robust.cli.failures import INTERRUPTED
from robust.cli.output import echo_json, echo_table

if TYPE_CHECKING:
    from robust.eval.train import GridResult


@click.command("train")
@options.required_data
@click.option("--model", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Weights to start from.")
@click.option("--imgsz", type=int, multiple=True, default=(640,), show_default=True, help="Training size; repeatable.")
@click.option("--lr0", type=float, multiple=True, default=(0.01,), show_default=True, help="Learning rate; repeatable.")
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), show_default=True, help="Seed; repeatable.")
@click.option("--epochs", type=int, default=3, show_default=True, help="Passes over the training images.")
@click.option("--batch", type=int, default=8, show_default=True, help="Images in one step.")
@click.option("--optimizer", default="AdamW", show_default=True, metavar="NAME", help="Explicit, so that --lr0 counts.")
@click.option("--patience", type=int, default=100, show_default=True, help="Epochs without gain before stopping early.")
@click.option(
    "--experiment", default="robust", show_default=True, envvar="ROBUST_EXPERIMENT", help="MLflow experiment."
)
@options.device
@click.option("--workers", type=int, default=0, show_default=True, help="Processes that load images, on a GPU.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Trainings at the same time.")
@click.option("--trust-weights", is_flag=True, help="Load weights that hold code. This runs that code.")
@options.tracking_uri
@options.as_json
@click.pass_context
def train_command(
    ctx: click.Context,
    /,
    *,
    as_json: bool,
    tracking_uri: str,
    experiment: str,
    jobs: int,
    trust_weights: bool,
    **grid: Any,
) -> None:
    """Train a grid of candidates, one MLflow run each.

    Every combination of --imgsz, --lr0 and --seed is a candidate. One that is finished already is not trained again, so
    an interrupted grid goes on where it stopped. Exit code 1 when a candidate failed.
    """
    from robust.cli.progress import Progress
    from robust.eval.tracking.store import Store
    from robust.eval.train import train_grid
    from robust.eval.training.plan import Grid

    with Progress("Training", "epochs") as progress:
        store = Store.open(tracking_uri)
        result = train_grid(Grid(**grid), store, experiment, jobs=jobs, trust=trust_weights, on_progress=progress)
    echo_json(result) if as_json else _show(result)
    if result.interrupted:
        click.echo(INTERRUPTED.message, err=True)
    ctx.exit(INTERRUPTED.exit_code if result.interrupted else 1 if result.failed else 0)


def _show(result: GridResult) -> None:
    rows = [
        (c.name, c.run_id, "reused" if c.reused else c.status.lower(), c.metrics.get("metrics/mAP50B"), c.seconds)
        for c in result.candidates
    ]
    echo_table(("candidate", "run", "status", "Ultralytics mAP50 on val", "seconds"), rows)
    for candidate in result.failed:
        click.echo(f"{candidate.name} failed: {candidate.reason}", err=True)
    for warning in result.warnings:
        click.echo(f"Warning: {warning}", err=True)
