"""Train the demo's base weights from scratch on synthetic pedestrians.

Run as ``python -m robust.eval.demo.base_weights --out base.pt --work DIR``. The scenes come from the generator's
"base" domain, so no image is shared with the demo's own splits. ``BASE_WEIGHTS.md`` tells how the file in this folder
was made.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robust.datasets.synthetic.generate import generate
from robust.datasets.synthetic.scene import BASE
from robust.errors import RobustError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights.

    Attributes:
        seed: Seed of the data and of the training.
        train: Training images.
        val: Validation images.
        epochs: Passes over the training images.
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
    _prepare_environment(work)
    data = generate(
        work / "base",
        seed=recipe.seed,
        splits={"train": recipe.train, "val": recipe.val},
        progress=_progress,
        domain=BASE,
        workers=recipe.threads,
    )
    import torch
    from ultralytics.models import YOLO

    torch.set_num_threads(recipe.threads)
    model = YOLO(str(_architecture(work, recipe)))
    _silence_trackers(model)
    model.train(
        data=str(data.resolve()),
        epochs=recipe.epochs,
        imgsz=recipe.imgsz,
        batch=recipe.batch,
        nbs=recipe.batch,  # a step for every batch, no gradient accumulation
        optimizer=recipe.optimizer,
        lr0=recipe.lr0,
        lrf=recipe.lrf,
        seed=recipe.seed,
        cos_lr=True,
        warmup_epochs=0.5,
        weight_decay=0.0005,
        deterministic=True,
        device="cpu",
        workers=0,
        cache="ram",
        mosaic=0.0,
        hsv_v=0.3,
        scale=0.4,
        amp=False,
        plots=False,
        val=True,
        project=str(work.resolve()),
        name="run",
        exist_ok=True,
    )
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
            "epochs": recipe.epochs,
            "lr0": recipe.lr0,
            "optimizer": recipe.optimizer,
            "seed": recipe.seed,
        },
        "train_metrics": metrics,
        "recipe": asdict(recipe),
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 (network definition: Ultralytics, https://ultralytics.com/license)",
    }
    partial = out.with_name(out.name + ".part")
    torch.save(clean, partial)
    partial.replace(out)
    return metrics


def _prepare_environment(work: Path) -> None:
    """Keep Ultralytics off the network and out of the user's settings; must run before it is imported."""
    config = work / "ultralytics-config"
    config.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        YOLO_OFFLINE="1", YOLO_AUTOINSTALL="false", NO_ALBUMENTATIONS_UPDATE="1", YOLO_CONFIG_DIR=str(config.resolve())
    )


def _silence_trackers(model: Any) -> None:
    """Take the callbacks of experiment trackers away: this training is nobody's experiment."""
    from ultralytics.utils import SETTINGS, callbacks

    trackers = ("sync", "mlflow", "tensorboard", "wandb", "comet", "clearml", "dvc", "neptune", "raytune")
    SETTINGS.update({name: False for name in trackers if name in SETTINGS})
    callbacks.add_integration_callbacks = lambda _instance: None
    model.callbacks = callbacks.get_default_callbacks()


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


def _progress(done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        _log.info("%d of %d images drawn", done, total)


def main() -> None:
    """Parse the command line and train."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--work", type=Path, required=True, help="folder for data and training output")
    for name in ("seed", "train", "val", "epochs"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Recipe, name))
    options = parser.parse_args()
    recipe = Recipe(seed=options.seed, train=options.train, val=options.val, epochs=options.epochs)
    metrics = train_base(options.out, options.work, recipe)
    sys.stdout.write(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    main()
