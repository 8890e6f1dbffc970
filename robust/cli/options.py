"""Options that several commands share, so that they are spelled, explained and read from the environment alike.

Each is a decorator, and passes its command an argument named after the option: ``@options.run_id`` passes ``run_ids``.
Besides its own variable (named in the help) every option of every command also has ``ROBUST_<COMMAND>_<OPTION>``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"

_FILE = click.Path(path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


def _shared(*names: str, env: str | list[str], **settings: Any) -> Decorator[Any]:
    return click.option(*names, envvar=env, show_envvar=True, **settings)


tracking_uri = _shared(
    "--tracking-uri",
    env=["ROBUST_TRACKING_URI", "MLFLOW_TRACKING_URI"],
    default=DEFAULT_TRACKING_URI,
    show_default=True,
    metavar="URI",
    help="MLflow store: a database, a folder or a server.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
experiment = _shared("--experiment", env="ROBUST_EXPERIMENT", metavar="NAME", help="MLflow experiment.")
run_id = click.option("--run-id", "run_ids", multiple=True, metavar="ID", help="MLflow run; may be repeated.")
weights = click.option("--weights", type=_FILE, multiple=True, metavar="FILE", help="Weights file; may be repeated.")
data = _shared("--data", env="ROBUST_DATA", type=_FILE, metavar="FILE", help="YOLO data.yaml or COCO JSON.")
required_data = _shared(
    "--data", env="ROBUST_DATA", type=_FILE, required=True, metavar="FILE", help="YOLO data.yaml or COCO JSON."
)
split = click.option("--split", default="test", show_default=True, metavar="NAME", help="Split to measure on.")
suite = _shared(
    "--suite",
    env="ROBUST_SUITE",
    default="core",
    show_default=True,
    metavar="NAME|FILE",
    help="Suite of variants (see `robust variants list`), or a YAML file of your own.",
)
severity = click.option(
    "--severity",
    "severities",
    type=click.IntRange(1, 5),
    multiple=True,
    help="Severity, 1 to 5; may be repeated. Default: all.",
)
baseline = click.option(
    "--baseline",
    metavar="FILE|ID|models:/NAME@ALIAS",
    help="What candidates must beat. Default: the weights each was trained from.",
)
policy = _shared(
    "--policy", env="ROBUST_POLICY", type=_FILE, metavar="FILE", help="Promotion policy. Default: the built-in one."
)
card = _shared(
    "--card", env="ROBUST_CARD", type=_FILE, metavar="FILE", help="What only people know: owner, use, approver."
)
lang = click.option(
    "--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the report."
)
output = click.option("-o", "--output", type=_FOLDER, metavar="DIR", help="Folder to write to.")
device = _shared(
    "--device", env="ROBUST_DEVICE", default="cpu", show_default=True, metavar="NAME", help="cpu or cuda:0."
)
executor = _shared(
    "--executor",
    env="ROBUST_EXECUTOR",
    type=click.Choice(["process", "local"]),
    default="process",
    show_default=True,
    help="Several processes on this machine, or this one only.",
)
workers = _shared(
    "--workers", env="ROBUST_WORKERS", type=click.IntRange(min=1), metavar="N", help="Processes. Default: one per core."
)
cache_dir = _shared(
    "--cache-dir",
    env="ROBUST_CACHE_DIR",
    type=_FOLDER,
    default=Path(".robust"),
    show_default=True,
    metavar="DIR",
    help="Folder of finished cells and downloaded weights.",
)
