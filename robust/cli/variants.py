"""``robust variants``: which corruptions exist, what they look like, corrupted sets on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table
from robust.cli.progress import Progress
from robust.cli.repeated import StrictGroup

if TYPE_CHECKING:
    from robust.corruptions.catalogue import SuiteFileEntry

_data = click.argument("source", metavar="DATA", type=click.Path(path_type=Path))
_seed = click.option("--seed", default=0, show_default=True, help="Same seed, same pixels.")


@click.group("variants", cls=StrictGroup)
def variants_command() -> None:
    """List, preview and build corrupted data sets.

    A variant is a corruption at a severity: night/3. DATA is a YOLO data.yaml, its folder, or a COCO JSON.
    """


@variants_command.command("list")
@click.argument("only", metavar="[NAME]...", nargs=-1)
@options.as_json
def list_command(only: tuple[str, ...], as_json: bool) -> None:
    """Show the corruptions with their parameters by severity, and the suites.

    NAME is a corruption, a suite, or a suite file of your own, of which every variant is shown with its parameters;
    without one, everything is shown.
    """
    from robust.corruptions.catalogue import catalogue

    found = catalogue(only)
    if as_json:
        files = {"suite_files": found.suite_files} if found.suite_files else {}
        echo_json({"corruptions": found.corruptions, "suites": found.suites, **files})
        return
    for entry in found.corruptions:
        click.echo(f"{entry.name}: {entry.summary}")
        suites = f"suite {', '.join(entry.suites)}" if entry.suites else "in no suite"
        click.echo(f"  {suites}, cause {entry.cause}, boxes {entry.ground_truth}")
        click.echo(f"  rises with severity: {entry.measure}")
        click.echo(f"  does not show: {entry.limits}\n")
        echo_table(("  severity", *entry.parameters), [(f"  {row[0]}", *row[1:]) for row in entry.rows])
        click.echo()
    if found.suites:
        echo_table(("suite", "variants", "what it is"), [(s.name, len(s.variants), s.summary) for s in found.suites])
    for file in found.suite_files:
        _show_file(file)


def _show_file(file: SuiteFileEntry) -> None:
    """The variants of a suite file: a table for each corruption, because each has parameters of its own."""
    click.echo(": ".join(text for text in (file.path, file.summary) if text))
    if file.trained_on:
        click.echo(f"  seen in training: {', '.join(file.trained_on)}")
    for corruption in dict.fromkeys(variant.corruption for variant in file.variants):
        variants = [variant for variant in file.variants if variant.corruption == corruption]
        click.echo()
        rows = [(f"  {v.name}", v.ground_truth, *v.parameters.values()) for v in variants]
        echo_table(("  variant", "boxes", *variants[0].parameters), rows)


@variants_command.command("preview")
@_data
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="PNG or JPEG.")
@options.suite
@options.severity
@options.split
@click.option("--images", type=click.IntRange(1), default=3, show_default=True, help="How many images.")
@_seed
@options.as_json
def preview_command(
    *,
    source: Path,
    output: Path,
    suite: str,
    severities: tuple[int, ...],
    split: str,
    images: int,
    seed: int,
    as_json: bool,
) -> None:
    """Draw a contact sheet of DATA: clean and every variant, boxes drawn, ignored ones dashed.

    Images are taken evenly from those that show objects.
    """
    from robust.corruptions.preview import chosen_images, write_preview
    from robust.corruptions.suites import load_suite
    from robust.datasets.load import load_dataset

    chosen = load_suite(suite, severities=severities or None, seed=seed)
    dataset = load_dataset(source, split)
    picks = chosen_images(dataset, images)
    with Progress("Drawing", unit="pictures") as progress:
        path = write_preview(dataset, chosen, output, images=picks, report=progress)
    if len(picks) < images:
        click.echo(f"{len(picks)} images drawn, not {images}: split {split!r} has no more to show.", err=True)
    if as_json:
        variants = [v.name for v in chosen.variants]
        echo_json({"path": path, "suite": chosen.name, "variants": variants, "n_images": len(picks)})
    else:
        click.echo(str(path))


@variants_command.command("build")
@_data
@click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@options.suite
@options.severity
@options.split
@_seed
@options.as_json
def build_command(
    *, source: Path, out: Path, suite: str, severities: tuple[int, ...], split: str, seed: int, as_json: bool
) -> None:
    """Write every variant of DATA below OUT: PNG images, COCO and YOLO labels, a manifest with hashes.

    An interrupted build goes on where it was.
    """
    from robust.corruptions.build import build
    from robust.corruptions.suites import load_suite
    from robust.datasets.load import load_dataset

    chosen = load_suite(suite, severities=severities or None, seed=seed)
    dataset = load_dataset(source, split)
    with Progress("Building", unit="images") as progress:
        built = build(dataset, chosen, out, report=progress)
    if as_json:
        echo_json([asdict(b) for b in built])
        return
    rows = [(b.variant, b.n_images, b.n_objects, b.n_ignored, "found" if b.found else "made", b.path) for b in built]
    echo_table(("variant", "images", "objects", "ignored", "", "folder"), rows)
