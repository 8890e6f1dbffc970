"""``robust data``: check, draw and convert data sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table
from robust.cli.progress import Progress
from robust.cli.repeated import StrictGroup
from robust.errors import DataError

if TYPE_CHECKING:
    from robust.datasets.check import DataReport

_SHOWN_EACH = 5
"""Warnings and notes of one kind that are written out; errors always are."""

_source = click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
_images = click.option(
    "--images", type=click.Path(file_okay=False, path_type=Path), help="Folder of the images of a COCO file."
)


@click.group("data", cls=StrictGroup)
def data_command() -> None:
    """Check, draw and convert data sets.

    DATA is a YOLO data.yaml, the folder that holds it, or a COCO JSON.
    """


@data_command.command("check")
@_source
@_images
@options.as_json
def check_command(source: Path, images: Path | None, as_json: bool) -> None:
    """Count what is in DATA and find what is wrong with it; exit code 2 if there are errors."""
    from robust.datasets.check import check

    with Progress("Checking", unit="images") as progress:
        report = check(source, images, progress)
    if as_json:
        echo_json(asdict(report))
    else:
        _show(report)
    if report.errors:
        n = len(report.errors)
        raise DataError(
            f"{report.source}: {n} error{'s' if n > 1 else ''}; {'it is' if n == 1 else 'they are'} listed above."
        )


@data_command.command("synth")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Same seed, same images.")
@click.option("--train", type=click.IntRange(0), default=160, show_default=True, help="Images of the train split.")
@click.option("--val", type=click.IntRange(0), default=60, show_default=True, help="Images of the val split.")
@click.option("--test", type=click.IntRange(0), default=80, show_default=True, help="Images of the test split.")
@options.as_json
def synth_command(*, folder: Path, seed: int, train: int, val: int, test: int, as_json: bool) -> None:
    """Draw street scenes with pedestrians into DIR, as YOLO and COCO."""
    from robust.datasets.synthetic.generate import generate

    splits = {name: n for name, n in (("train", train), ("val", val), ("test", test)) if n}
    with Progress("Drawing", unit="images") as progress:
        path = generate(folder, seed=seed, splits=splits, progress=progress)
    if as_json:
        echo_json({"path": path, "seed": seed, "splits": splits})
    else:
        click.echo(f"{path}: {', '.join(f'{name} {n} images' for name, n in splits.items())}")


@data_command.command("convert")
@_source
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--to", type=click.Choice(["coco", "yolo"]), required=True, help="Format to write.")
@_images
@options.as_json
def convert_command(source: Path, out: Path, to: Literal["coco", "yolo"], images: Path | None, as_json: bool) -> None:
    """Write all splits of DATA, images included, to the new folder OUT."""
    from robust.datasets.convert import convert

    done = convert(source, out, to, images)
    if as_json:
        echo_json(asdict(done))
        return
    click.echo(f"{done.path}: {', '.join(done.splits)}; {done.n_images} images, {done.n_objects} objects")
    if done.n_ignored_dropped:
        click.echo(f"{done.n_ignored_dropped} ignored regions left out: YOLO has no place for them.", err=True)


def _show(report: DataReport) -> None:
    click.echo(f"{report.source}: {', '.join(report.categories) or 'no class'}\n")
    header = ("split", "images", "negatives", "objects", "ignored", "small", "medium", "large", "identical", "near")
    rows = []
    for split in report.splits:
        c = split.counts
        row = (c.n_images, c.n_negatives, c.n_objects, c.n_ignored, c.n_small, c.n_medium, c.n_large)
        rows.append((split.split, *row, split.n_identical, split.n_near_duplicates))
    echo_table(header, rows)
    _show_heights(report)
    _show_classes(report)
    if report.overlaps:
        click.echo("\nImages that two splits share")
        overlaps = [(*o.splits, o.n_identical, o.n_near_duplicates) for o in report.overlaps]
        echo_table(("split", "and", "identical", "near"), overlaps)
    _show_findings(report)


def _show_heights(report: DataReport) -> None:
    if report.splits:
        click.echo("\nObjects by height of the box, pixels")
        bins = report.splits[0].counts.heights
        header = [f"{b.low}-{b.high}" if b.high is not None else f"{b.low}+" for b in bins]
        rows = [(split.split, *(b.n_objects for b in split.counts.heights)) for split in report.splits]
        echo_table(("split", *header), rows)


def _show_classes(report: DataReport) -> None:
    click.echo("\nObjects by class")
    rows = [(s.split, c.name, c.n_objects, c.n_images) for s in report.splits for c in s.counts.classes]
    echo_table(("split", "class", "objects", "in images"), rows)


def _show_findings(report: DataReport) -> None:
    click.echo()
    if not report.findings:
        click.echo("Nothing wrong was found.")
    shown: dict[tuple[str, str], int] = {}
    for finding in report.findings:
        key = (finding.severity, finding.code)
        shown[key] = shown.get(key, 0) + 1
        if finding.severity == "error" or shown[key] <= _SHOWN_EACH:
            click.echo(f"{finding.severity}: {finding}")
            if finding.fix and shown[key] == 1:
                click.echo(f"    {finding.fix}")
    for (severity, code), n in shown.items():
        if severity != "error" and n > _SHOWN_EACH:
            click.echo(f"{n - _SHOWN_EACH} more of {severity} {code}; --json lists them.")
