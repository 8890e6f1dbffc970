"""``robust eval``."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from robust.cli import options
from robust.cli.output import bounded_text, echo_json, echo_table
from robust.cli.predictions import GRAMMAR
from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.evaluate import Evaluation

_NAMED = re.compile(r"[^=/\\.]+=")  # NAME=DATA; a path in which an equals sign comes first is written ./path
_MOST_COLUMNS = 8  # corruptions side by side; more do not fit a terminal


@click.command("eval")
@options.run_id
@options.experiment
@options.weights
@click.option(
    "--predictions",
    multiple=True,
    metavar=GRAMMAR,
    help="Detections of any tool in place of a model, as a COCO result file; may be repeated.",
)
@options.required_data
@options.split
@options.suite
@options.severity
@click.option(
    "--variant",
    "variants",
    multiple=True,
    metavar="DIR|NAME=DATA|[NAME:]VARIANT=FILE",
    help="A set built by `robust variants build`, or real images of a condition under a name; with --predictions, "
    "detections on a variant of the suite. May be repeated.",
)
@click.option(
    "--trained-on",
    multiple=True,
    metavar="NAME",
    help="Corruption or cause that training images were augmented with; may be repeated.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the suite.")
@click.option(
    "--replicates",
    type=click.IntRange(100, 100_000),
    default=2000,
    show_default=True,
    help="Bootstrap replicates behind the intervals.",
)
@click.option("--resampling-seed", type=click.IntRange(min=0), default=0, show_default=True, help="Their seed.")
@click.option(
    "--val-variants",
    is_flag=True,
    help="Show val in all variants too: then a threshold for the worst of them can be told from val.",
)
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

    --variant DIR takes corrupted images from disk instead of making them: the results are the same. --variant
    real_night=night.yaml measures real images, with labels of their own, as a column beside the suite and outside of
    its means.

    --predictions results.json measures detections that another tool made; no model is run, and no image is needed.
    Several files are named by split and, where there are several detectors, by name: --predictions a:val=a_val.json
    --predictions a:test=a_test.json. Files without a name belong together where there is one for each split, otherwise
    those with the same stem do. --variant night/3=night3.json (a:night/3=...) adds detections on a variant; where the
    variant changes the labels (crowd, occlusion, angles), --variant DIR must give the built set. --baseline is then a
    result file, or the name of one of the detectors.
    """
    from robust.cli.progress import Progress

    if given["predictions"]:
        _eval_predictions(as_json, tracking_uri, given)
        return
    from robust.eval.engine.executors import make_executor
    from robust.eval.evaluate import evaluate
    from robust.eval.tracking.store import Store

    if workers is None and given["device"] != "cpu":
        workers = 1  # every process would load all networks on the one device
    with Progress("Evaluating", "images") as progress, Progress("Measuring", "models") as measuring:
        evaluation = evaluate(
            _request(given),
            Store.open(tracking_uri),
            executor=make_executor(executor, workers),
            on_progress=progress,
            on_measured=measuring,
        )
    _tell_built(evaluation, _folders(given["variants"]))
    if as_json:
        echo_json({"run_ids": evaluation.run_ids, "evidence": evaluation.evidence})
    else:
        _show(evaluation)
        filled = evaluation.filled
        click.echo(
            f"{filled.n_cells} cells, {filled.n_computed} computed now ({filled.n_inferences} inferences). "
            f"Next: {_report_command(evaluation, given, tracking_uri)}",
            err=True,
        )


def _eval_predictions(as_json: bool, tracking_uri: str, given: dict[str, Any]) -> None:
    from robust.cli.predictions import results_request
    from robust.cli.progress import Progress
    from robust.eval.evaluate_results import evaluate_results
    from robust.eval.tracking.store import Store

    request = results_request(given)
    with Progress("Measuring", "cells") as progress:
        found = evaluate_results(request, Store.open(tracking_uri), on_progress=progress)
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)
    evaluation = found.evaluation
    if as_json:
        echo_json({"run_ids": evaluation.run_ids, "evidence": evaluation.evidence})
        return
    _show(evaluation)
    n_cells, command = evaluation.filled.n_cells, _report_command(evaluation, given, tracking_uri)
    click.echo(f"{n_cells} cells from files; no model was run. Next: {command}", err=True)


def _request(given: dict[str, Any]) -> Any:
    from robust.eval.candidates import Selection
    from robust.eval.measuring import Request
    from robust.eval.metrics.resampling import Resampling
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
        trained_on=given["trained_on"],
        built=tuple(_folders(given["variants"])),
        recorded=_recorded(given["variants"]),
        settings=InferenceSettings(device=given["device"], batch=given["batch"]),
        renamed=_pairs(given["class_map"]),
        cache_dir=Path(given["cache_dir"]),
        resampling=Resampling(seed=given["resampling_seed"], replicates=given["replicates"]),
        select_on_variants=given["val_variants"],
    )


def _folders(texts: tuple[str, ...]) -> list[Path]:
    """What is not NAME=DATA.

    Raises:
        UsageError: there is no such folder; with an equals sign in it, a name that is none was meant.
    """
    folders = [text for text in texts if not _NAMED.match(text)]
    for text in folders:
        if Path(text).exists():
            continue
        name, equals, _ = text.partition("=")
        if equals:
            raise UsageError(
                f"--variant {text}: {name!r} cannot be the name of a recorded set.",
                "A name has letters, digits and underscores, and begins with a letter.",
                "For example: --variant real_night=night.yaml",
            )
        raise UsageError(
            f"--variant {text}: there is no such folder.",
            "It must be one that `robust variants build` made.",
            "For images of your own, give them a name: --variant NAME=DATA.",
        )
    return [Path(text) for text in folders]


def _recorded(texts: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, _, path in (text.partition("=") for text in texts if _NAMED.match(text)):
        if not path or name in found:
            why = "It names no data." if not path else f"{name} is given twice."
            raise UsageError(f"--variant {name}={path} cannot be used.", why, "For example: real_night=night.yaml")
        found[name] = Path(path)
    return found


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
    """One line a candidate: clean val, clean test, the mean of each corruption, mPC, rPC, recorded sets; all AP50.

    In brackets: the 95 % interval of clean images of the split that judges, and of mPC; --json has all of them.
    With many corruptions the table is turned: one line each, and one column a candidate.
    """
    from robust.eval.decision.study import Study

    evidence = evaluation.evidence
    study = Study(evidence)
    simulated = [v for v in evidence.suite.variants if not v.recorded and v.corruption != "clean"]
    recorded = [variant.name for variant in evidence.suite.variants if variant.recorded]
    corruptions = list(dict.fromkeys(variant.corruption for variant in simulated))
    seen = {variant.corruption for variant in simulated if variant.trained_on}
    splits = [cell.split for cell in evidence.candidates[0].cells if cell.variant == "clean"]
    rows = []
    for candidate in evidence.candidates:
        clean = {
            cell.split: bounded_text(cell.coco.AP50, cell.intervals.get("AP50"))
            if cell.split == candidate.judged_on
            else cell.coco.AP50
            for cell in candidate.cells
            if cell.variant == "clean"
        }
        aggregate = next((a for a in candidate.robustness if a.metric == "AP50"), None)
        means = [aggregate.corruption_means.get(name) if aggregate else None for name in corruptions]
        total: list[str | float | None] = [None, None]
        if aggregate:
            total = [bounded_text(aggregate.mPC, aggregate.intervals.get("mPC")), aggregate.rPC]
        total += [study.held_out(candidate, "AP50").value] if seen else []
        real = {cell.variant: cell.coco.AP50 for cell in candidate.cells if cell.variant in recorded}
        rows.append((candidate.name, candidate.role, *map(clean.get, splits), *means, *total, *map(real.get, recorded)))
    marked = [f"{name} (seen in training)" if name in seen else name for name in corruptions]
    unseen = ["mPC, unseen only"] if seen else []
    real_names = [f"{name} (recorded)" for name in recorded]
    columns = (*(f"{split} AP50" for split in splits), *marked, "mPC", "rPC", *unseen, *real_names)
    if len(corruptions) > _MOST_COLUMNS:
        names = [c.name if c.role == "candidate" else f"{c.name} ({c.role})" for c in evidence.candidates]
        echo_table(("AP50", *names), [(column, *(row[2 + i] for row in rows)) for i, column in enumerate(columns)])
    else:
        echo_table(("name", "role", *columns), rows)
    for leak in study.leaks(evidence.candidates[0].judged_on):
        if leak.n_identical:
            shared = f"{' and '.join(leak.splits)} share {leak.n_identical} image(s)"
            click.echo(f"Warning: {shared}; the no_leakage gate will say so. See `robust data check`.", err=True)
    for missing in evidence.not_evaluated:
        click.echo(f"Not evaluated: {missing.name}: {missing.reason}", err=True)


def _tell_built(evaluation: Evaluation, folders: list[Path]) -> None:
    """Say what `--variant DIR` was good for: a folder that was hardly used may be the wrong one."""
    if not folders:
        return
    filled = evaluation.filled
    total = sum(not v.recorded and v.corruption != "clean" for v in evaluation.evidence.suite.variants)
    stored = total - filled.n_read - filled.n_made
    rest = f", {stored} measured before" if stored else ""
    where = ", ".join(map(str, folders))
    click.echo(f"{filled.n_read} of {total} variants read from {where}, {filled.n_made} made now{rest}.", err=True)


def _report_command(evaluation: Evaluation, given: dict[str, Any], tracking_uri: str) -> str:
    """The command that reports what was just measured, ready to be copied."""
    from robust.eval.evaluate import DEFAULT_EXPERIMENT

    if given["run_ids"]:
        run_ids = evaluation.run_ids.values() if given["weights"] else given["run_ids"]
        source = [word for run_id in run_ids for word in ("--run-id", run_id)]
    else:
        source = ["--experiment", given["experiment"] or DEFAULT_EXPERIMENT]
    typed = click.get_current_context().get_parameter_source("tracking_uri") is ParameterSource.COMMANDLINE
    secret = "@" in tracking_uri  # a user and a password may stand there
    store = ["--tracking-uri", "URI" if secret else tracking_uri] if typed else []
    return shlex.join(["robust", "report", *source, *store, "-o", "report"])
