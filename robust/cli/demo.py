"""``robust demo``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table


@click.command("demo")
@click.option(
    "--workdir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("robust-demo"),
    show_default=True,
    metavar="DIR",
    help="Folder for everything the demo makes.",
)
@options.as_json
def demo_command(workdir: Path, as_json: bool) -> None:
    """Do the whole job on built-in pedestrians, without network.

    Draws a small data set, trains twelve candidates, evaluates them with their starting weights on clean images, night,
    occlusion and crowds, sweeps the threshold and writes the decision report. Under five minutes on two cores.
    """
    from robust.cli.progress import Progress
    from robust.eval.demo.demo import demo

    with ExitStack() as bars:

        def step(title: str) -> Callable[[int, int], None]:
            bars.close()  # the bar of the step before
            click.echo(title, err=True)
            return bars.enter_context(Progress(title))

        result = demo(workdir, step)
    if as_json:
        echo_json(result)
        return
    echo_table(("step", "seconds"), list(result.seconds.items()))
    decision = result.report.decision
    click.echo(f"\n{decision.verdict}: {decision.reason}\n\nThe report: {result.report.html}")
    click.echo(f"All runs:   mlflow ui --backend-store-uri {result.tracking_uri}")
    click.echo(
        "Your own:   robust train --data data.yaml --model yolov8n.pt --experiment mine, then eval, sweep, report"
    )
