"""Train the demo's base weights from scratch on synthetic pedestrians.

Run as ``python -m robust.eval.demo.base_weights --out base.pt --work DIR``. The scenes come from the generator's
"base" domain, so no image is shared with the demo's own splits. ``BASE_WEIGHTS.md`` tells how the file in this folder
was made.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from robust.datasets.synthetic.generate import generate
from robust.datasets.synthetic.scene import BASE
from robust.errors import RobustError
from robust.eval.detectors.environment import load_ultralytics

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        seed: Seed of the data and of the training.
        train: Training images.
        val: Validation images.
        epochs: Length of the learning rate's schedule, in passes over the training images.
        stop: Passes after which training ends. Short of the schedule's end on purpose: the averaged weights are good
            enough by then, and the demo's candidates shall have something to gain.
        imgsz: Side of the square input, pixels.
        batch: Images in one step.
        optimizer: Explicit, so that ``lr0`` counts.
        lr0: Learning rate after the warm-up.
        lrf: Last learning rate as a share of ``lr0``.
        width: YOLOv8's channel multiple (YOLOv8n: 0.25).
        depth: YOLOv8's depth multiple.
        threads: CPU threads.
    """

    seed: int = 0
    train: int = 3000
    val: int = 150
    epochs: int = 14
    stop: int = 6
    imgsz: int = 320
    batch: int = 8
    optimizer: str = "AdamW"
    lr0: float = 0.002
    lrf: float = 0.02
    width: float = 0.125
    depth: float = 0.33
    threads: int = 2


def train_base(out: Path, work: Path, recipe: Recipe) -> dict[str, float]:
    """Draw the data, train, and write a clean checkpoint.

    Args:
        out: The checkpoint to write (FP16, no optimizer state, no paths of this machine).
        work: Folder for data and training output; an existing data set of the same recipe is drawn again.
        recipe: What to do.

    Returns:
        Ultralytics' validation metrics of the last epoch's averaged weights.

    Raises:
        RobustError: training ended without weights.
    """
    work.mkdir(parents=True, exist_ok=True)
    data = generate(
        work / "base",
        seed=recipe.seed,
        splits={"train": recipe.train, "val": recipe.val},
        progress=_progress,
        domain=BASE,
        workers=recipe.threads,
    )
    ultralytics = load_ultralytics(recipe.threads)
    import torch

    torch.set_num_threads(recipe.threads)
    model = ultralytics.YOLO(str(_architecture(work, recipe)))
    model.add_callback("on_fit_epoch_end", partial(_stop_after, recipe.stop))
    place = {"data": str(data.resolve()), "project": str(work.resolve()), "name": "run", "exist_ok": True}
    model.train(**_settings(recipe), **place)
    last = work / "run" / "weights" / "last.pt"
    if not last.is_file():
        raise RobustError("Training ended without weights.", fix=f"Read the output in {work / 'run'}.")
    return export_clean(last, out, recipe)


def export_clean(checkpoint: Path, out: Path, recipe: Recipe) -> dict[str, float]:
    """Write a checkpoint that holds the network and nothing about the machine it was trained on.

    Args:
        checkpoint: What Ultralytics wrote, finished or not.
        out: The file to write, replaced at once.
        recipe: What made it; stored under ``recipe``.

    Returns:
        The validation metrics in the checkpoint.
    """
    import torch
    import ultralytics

    stored: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=False)
    network = stored.get("ema") or stored["model"]
    network.criterion = None
    network.yaml = {**network.yaml, "yaml_file": out.stem + ".yaml"}
    network.args = {
        "model": out.name,
        "task": "detect",
        "imgsz": recipe.imgsz,
        "data": "synthetic base",
        "single_cls": False,
    }
    network.pt_path = None
    network.half()
    for parameter in network.parameters():
        parameter.requires_grad = False
    metrics = {name: float(value) for name, value in (stored.get("train_metrics") or {}).items()}
    clean = {
        "epoch": -1,
        "best_fitness": None,
        "model": network,
        "ema": None,
        "updates": None,
        "optimizer": None,
        "train_args": {
            **network.args,
            "epochs": recipe.stop,
            "lr0": recipe.lr0,
            "optimizer": recipe.optimizer,
            "seed": recipe.seed,
        },
        "train_metrics": metrics,
        "recipe": asdict(recipe),
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 (network definition: Ultralytics, https://ultralytics.com/license)",
    }
    unfinished = out.with_name(out.name + ".part")
    torch.save(clean, unfinished)
    unfinished.replace(out)
    return metrics


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Return what Ultralytics is told; whatever is not here keeps the default of the version in use."""
    return {
        "epochs": recipe.epochs,
        "imgsz": recipe.imgsz,
        "batch": recipe.batch,
        "nbs": recipe.batch,  # a step for every batch, no gradient accumulation
        "optimizer": recipe.optimizer,
        "lr0": recipe.lr0,
        "lrf": recipe.lrf,
        "cos_lr": True,
        "warmup_epochs": 0.5,
        "weight_decay": 0.0005,
        "mosaic": 0.0,  # new images are as cheap as mixed ones, and these keep their perspective
        "hsv_v": 0.3,
        "scale": 0.4,
        "seed": recipe.seed,
        "deterministic": True,
        "device": "cpu",
        "workers": 0,
        "cache": "ram",
        "amp": False,
        "plots": False,
    }


def _architecture(work: Path, recipe: Recipe) -> Path:
    """Write YOLOv8's own definition, as installed, with one narrow scale and one class."""
    import yaml
    from ultralytics.nn.tasks import yaml_model_load

    definition = yaml_model_load("yolov8n.yaml")
    kept: dict[str, Any] = {"nc": 1, "scales": {"p": [recipe.depth, recipe.width, 1024]}}
    kept |= {part: definition[part] for part in ("backbone", "head")}
    path = work / "narrow.yaml"
    path.write_text(yaml.safe_dump(kept, sort_keys=False), encoding="utf-8")
    return path


def _stop_after(epochs: int, trainer: Any) -> None:
    if trainer.epoch + 1 >= epochs:
        trainer.stop = True


def _progress(done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        _log.info("%d of %d images drawn", done, total)


def main() -> None:
    """Parse the command line and train."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--work", type=Path, required=True, help="folder for data and training output")
    for name in ("seed", "train", "val", "epochs", "stop"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Recipe, name))
    options = parser.parse_args()
    recipe = Recipe(options.seed, options.train, options.val, options.epochs, options.stop)
    metrics = train_base(options.out, options.work, recipe)
    sys.stdout.write(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
