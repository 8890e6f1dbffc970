"""Two studies in a real MLflow store: the hand-written one that a decision was once made from, and a sound one.

The first has the means, the spread and the copies that its document tells: 9 runs of 4 configurations, of which
``..._s422`` is seed 42 again and lr0 did nothing, because ``optimizer=auto`` ignores it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from robust.eval.tracking import tags
from robust.eval.tracking.store import Store

EXPERIMENT = "tp-mlflow"
SMALL = {1: 0.2663827411057184, 42: 0.2707719304918255}
"""mAP50 at 320, by seed: means 0.269 (s1, s42, s42 again; sd 0.003) and 0.269 (s1, s42), for either lr0."""
LARGE = {1: 0.2451194860523911, 42: 0.3028834207751926}
"""mAP50 at 416 with lr0 0.005, by seed: mean 0.274 of 0.245 and 0.303."""
LARGE_FAST = {1: 0.2451194860523911, 42: 0.2428905113927044}
"""The same with lr0 0.01: mean 0.244, and seed 1 a copy."""
COURSE = (0.41, 0.77, 1.0)
"""mAP50 of each epoch, in shares of the last one: it still rises."""


def run_name(imgsz: int, lr0: float, seed: int | str, epochs: int = 3) -> str:
    return f"yolov8n_e{epochs}_sz{imgsz}_lr{lr0:g}_s{seed}"


def metrics_of(map50: float) -> dict[str, float]:
    """Numbers of one training that all follow from its mAP50, as little round as it is."""
    return {
        "metrics/mAP50B": map50,
        "metrics/mAP50-95B": map50 * 0.8437291,
        "metrics/precisionB": 0.00801,
        "metrics/recallB": 24 / 31,
        "train/box_loss": 2.1 - map50,
        "val/box_loss": 2.2 - map50,
    }


def log_run(
    store: Store,
    experiment: str,
    name: str,
    params: Mapping[str, object],
    *,
    map50: float | None,
    marks: Mapping[str, str] | None = None,
    weights: Path | None = None,
    status: str = "FINISHED",
    keeps_args: bool = False,
) -> str:
    """Log a training: its parameters, three epochs of metrics, its weights and its ``args.yaml`` if asked for."""
    run_id = store.create_run(store.create_experiment(experiment), name, tags=dict(marks or {}))
    store.log_params(run_id, params)
    if map50 is not None:
        final = metrics_of(map50)
        history = {
            key: {
                epoch: value * share if "loss" not in key else value + 1 - share for epoch, share in enumerate(COURSE)
            }
            for key, value in final.items()
        }
        store.log_history(run_id, history)
    if weights is not None:
        store.log_file(run_id, weights, "weights")
    if keeps_args:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "args.yaml"
            path.write_text("".join(f"{key}: {value}\n" for key, value in params.items()), encoding="utf-8")
            store.log_file(run_id, path)
    store.finish(run_id, status)  # type: ignore[arg-type]
    return run_id


def parameters(imgsz: int, lr0: float, seed: int, **more: object) -> dict[str, object]:
    return {
        "model": "yolov8n.pt",
        "data": "tiny_coco.yaml",
        "epochs": 3,
        "imgsz": imgsz,
        "lr0": lr0,
        "batch": 8,
        "seed": seed,
        **more,
    }


def write_seed_study(store: Store, experiment: str = EXPERIMENT) -> None:
    """Log the nine runs of the document, and one that the script leaves today: FINISHED and empty."""
    configurations = (
        (320, 0.005, {1: SMALL[1], 42: SMALL[42], 422: SMALL[42]}),
        (320, 0.01, SMALL),
        (416, 0.005, LARGE),
        (416, 0.01, LARGE_FAST),
    )
    for imgsz, lr0, results in configurations:
        for seed, map50 in results.items():
            used = parameters(imgsz, lr0, 42 if seed == 422 else seed, optimizer="auto", deterministic=True)
            log_run(store, experiment, run_name(imgsz, lr0, seed), used, map50=map50)
    log_run(store, experiment, run_name(416, 0.005, 7), parameters(416, 0.005, 7), map50=None)


def write_sound_study(store: Store, weights: Path, experiment: str = "sound") -> None:
    """Log a 2 x 2 grid with five honest seeds, a named optimizer, distinct results, and weights."""
    for i, imgsz in enumerate((320, 416)):
        for j, lr0 in enumerate((0.005, 0.01)):
            for k, seed in enumerate((1, 2, 3, 4, 5)):
                map50 = 0.61 + 0.031 * i + 0.017 * j + 0.00413729 * ((7 * k + 3 * i + j) % 5) + 0.000123457 * seed
                log_run(
                    store,
                    experiment,
                    run_name(imgsz, lr0, seed),
                    parameters(imgsz, lr0, seed, optimizer="SGD", deterministic=True),
                    map50=map50,
                    marks={tags.DATASET_SHA256: "a" * 64, tags.ULTRALYTICS: "8.4.190"},
                    weights=weights,
                    keeps_args=True,
                )
