"""The whole job in one call: draw pedestrians, train a grid, evaluate, sweep, decide and report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path

from robust.datasets.synthetic.generate import generate
from robust.errors import RobustError
from robust.eval.candidates import Selection
from robust.eval.decision.policy import read_policy
from robust.eval.detectors.environment import available_cores
from robust.eval.engine.executors import ProcessExecutor
from robust.eval.evaluate import evaluate
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.measuring import Request
from robust.eval.records import InferenceSettings
from robust.eval.report.card import read_card
from robust.eval.report.files import ReportFiles, write_report
from robust.eval.report_run import Named, collect_evidence, collect_gallery, log_report
from robust.eval.sweep import sweep_evaluations
from robust.eval.tracking.store import Store
from robust.eval.train import train_grid
from robust.eval.training.plan import Grid

EXPERIMENT = "pedestrians"
BATCH = 8

StepProgress = Callable[[str], Callable[[int, int], None]]
"""Given the title of a step, returns what to call with (done, total) while it runs."""


@dataclass(frozen=True)
class Recipe:
    """How large the demo is; the default takes about three minutes on two cores.

    Attributes:
        splits: Split -> number of images.
        imgsz: Training and inference sizes, pixels.
        lr0: Initial learning rates of AdamW.
        seeds: Training seeds; three are the least that a statement about seeds needs.
        epochs: Passes over the training images.
    """

    splits: Mapping[str, int] = field(default_factory=lambda: {"train": 96, "val": 32, "test": 48})
    imgsz: tuple[int, ...] = (256, 320)
    lr0: tuple[float, ...] = (0.002, 0.01)
    seeds: tuple[int, ...] = (1, 2, 3)
    epochs: int = 3


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        report: The report on disk.
        tracking_uri: The store that everything was logged to.
        data: The data.yaml of the pedestrians.
        seconds: Title of each step -> how long it took.
    """

    report: ReportFiles
    tracking_uri: str
    data: Path
    seconds: dict[str, float]


@dataclass
class _Clock:
    """Times the steps."""

    step: StepProgress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def run(self, title: str) -> Iterator[Callable[[int, int], None]]:
        started = time.monotonic()
        yield self.step(title)
        self.seconds[title] = round(time.monotonic() - started, 1)


def demo(workdir: Path, step: StepProgress, recipe: Recipe | None = None) -> DemoResult:
    """Do the whole job on synthetic pedestrians, without network; run again, it goes on where it stopped.

    By default the grid is 2 sizes x 2 learning rates x 3 seeds from the weights that come with the project, three
    epochs each.

    Args:
        workdir: Folder for data, store, cells and report; made if need be.
        step: Told the title of each step, returns its progress callback.
        recipe: How large it is.

    Raises:
        RobustError: a training failed.
    """
    recipe = recipe or Recipe()
    workdir = workdir.resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    tracking_uri = f"sqlite:///{(workdir / 'mlflow.db').as_posix()}"
    clock, cores = _Clock(step), available_cores()
    with clock.run("Drawing pedestrians") as progress:
        data = draw(workdir, recipe.splits, progress, cores)
    store = Store.open(tracking_uri)
    with clock.run("Training candidates") as progress, as_file(files("robust.eval.demo") / "base.pt") as base:
        grid = Grid(data, base, recipe.imgsz, recipe.lr0, recipe.seeds, epochs=recipe.epochs, batch=BATCH)
        trained = train_grid(grid, store, EXPERIMENT, jobs=cores, on_progress=progress)
    if trained.interrupted:
        raise KeyboardInterrupt
    if trained.failed:
        raise RobustError(
            f"{len(trained.failed)} trainings failed.", trained.failed[0].reason, "Run it again to resume."
        )
    request = Request(
        data, Selection(experiment=EXPERIMENT), settings=InferenceSettings(batch=BATCH), cache_dir=workdir / ".robust"
    )
    with clock.run("Evaluating") as progress:
        evaluate(request, store, executor=ProcessExecutor(cores), on_progress=progress)
    with clock.run("Sweeping thresholds"):
        sweep_evaluations(store, SweepPlan(), experiment=EXPERIMENT, run_ids=())
    with clock.run("Writing the report"):
        evidence = collect_evidence(experiment=EXPERIMENT, run_ids=(), tracking_uri=tracking_uri)
        named = Named(EXPERIMENT, (), tracking_uri)
        drawn = collect_gallery(evidence, read_policy(), "full", named=named)  # nobody lives in these pictures
        report = write_report(evidence, read_policy(), read_card(), workdir / "report", gallery=drawn.gallery)
        verdict = str(report.decision.verdict)
        log_report(
            report.folder, evidence=evidence, decision=verdict, summary=report.summary, tracking_uri=tracking_uri
        )
    return DemoResult(report, tracking_uri, data, clock.seconds)


def draw(workdir: Path, splits: Mapping[str, int], progress: Callable[[int, int], None], n_workers: int = 1) -> Path:
    """Draw the pedestrians once, and return a data.yaml that reads them from the COCO files.

    The COCO files know outlines, visible shares and ignored people, which YOLO labels cannot say.
    """
    folder = workdir / "pedestrians"
    if not (folder / "data.yaml").is_file():
        generate(folder, splits=splits, progress=progress, workers=n_workers)
    lines = ["path: pedestrians", *(f"{split}: annotations/{split}.json" for split in splits), "names: [person]"]
    path = workdir / "pedestrians.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
