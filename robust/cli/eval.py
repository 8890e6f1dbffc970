"""``robust eval``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_table
from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.evaluate import Evaluation


@click.command("eval")
@options.run_id
@options.experiment
@options.weights
@options.required_data
@options.split
@options.suite
@options.severity
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the suite.")
@options.baseline
@click.option("--imgsz", type=click.IntRange(min=32), help="Inference size, pixels. Default: the one trained with.")
@options.device
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Images in one forward pass.")
@click.option(
    "--map-class", "class_map", multiple=True, metavar="NAME=NAME", help="Class of the weights = class of the data."
)
@click.option("--trust-weights", is_flag=True, help="Load weights that hold code. This runs that code.")
@options.executor
@options.workers
@options.cache_dir
@options.tracking_uri
@options.as_json
def eval_command(as_json: bool, tracking_uri: str, executor: str, workers: int | None, **given: Any) -> None:
    """Measure candidates on clean and corrupted images.

    Name training runs (--run-id, --experiment) or weights files (--weights). Every image is corrupted once and shown
    once to each model; what is already stored is not computed again, so an interrupted run goes on where it stopped.
    """
    from robust.cli.progress import Progress
    from robust.eval.engine.executors import make_executor
    from robust.eval.evaluate import evaluate
    from robust.eval.tracking.store import Store

    if workers is None and given["device"] != "cpu":
        workers = 1  # every process would load all networks on the one device
    with Progress("Evaluating", "images") as progress:
        evaluation = evaluate(
            _request(given), Store.open(tracking_uri), executor=make_executor(executor, workers), on_progress=progress
        )
    if as_json:
        echo_json({"run_ids": evaluation.run_ids, "evidence": evaluation.evidence})
    else:
        _show(evaluation)


def _request(given: dict[str, Any]) -> Any:
    from robust.eval.candidates import Selection
    from robust.eval.evaluate import Request
    from robust.eval.records import InferenceSettings

    return Request(
        data=given["data"],
        selection=Selection(
            run_ids=given["run_ids"],
            experiment=given["experiment"],
            weights=given["weights"],
            baseline=given["baseline"],
            imgsz=given["imgsz"],
            trust=given["trust_weights"],
        ),
        split=given["split"],
        suite=given["suite"],
        severities=given["severities"] or None,
        seed=given["seed"],
        settings=InferenceSettings(device=given["device"], batch=given["batch"]),
        renamed=_pairs(given["class_map"]),
        cache_dir=Path(given["cache_dir"]),
    )


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise UsageError(
                f"--map-class {text!r} is not NAME=NAME.", fix="For example: --map-class pedestrian=person"
            )
        pairs[ours] = theirs
    return pairs


def _show(evaluation: Evaluation) -> None:
    """One line a candidate: clean val, clean test, the mean of each corruption, mPC and rPC, all AP50."""
    evidence = evaluation.evidence
    corruptions = list(dict.fromkeys(variant.corruption for variant in evidence.suite.variants))
    rows = []
    for candidate in evidence.candidates:
        clean = {cell.split: cell.coco.AP50 for cell in candidate.cells if cell.variant == "clean"}
        aggregate = next((a for a in candidate.robustness if a.metric == "AP50"), None)
        means = [aggregate.corruption_means.get(name) if aggregate else None for name in corruptions]
        total = (aggregate.mPC, aggregate.rPC) if aggregate else (None, None)
        rows.append((candidate.name, candidate.role, *clean.values(), *means, *total))
    splits = [f"{cell.split} AP50" for cell in evidence.candidates[0].cells if cell.variant == "clean"]
    echo_table(("name", "role", *splits, *corruptions, "mPC", "rPC"), rows)
    for leak in evidence.data.leakage:
        if leak.n_identical:
            shared = f"{' and '.join(leak.splits)} share {leak.n_identical} image(s)"
            click.echo(f"Warning: {shared}; the no_leakage gate will say so. See `robust data check`.", err=True)
    for missing in evidence.not_evaluated:
        click.echo(f"Not evaluated: {missing.name}: {missing.reason}", err=True)
    filled = evaluation.filled
    click.echo(
        f"{filled.n_cells} cells, {filled.n_computed} computed now ({filled.n_inferences} inferences). "
        "Next: robust report, with the same --experiment or --run-id.",
        err=True,
    )
