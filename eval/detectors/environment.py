"""The process environment that Ultralytics must find before it is imported.

Ultralytics reads these variables once, at import: whether it may reach the network, install packages, unpickle
anything, and where its settings lie. Call `prepare` first, in every process; `load_ultralytics` does both steps.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

_CONFIG_PREFIX = "robust-ultralytics-"
_FIXED = {
    "YOLO_OFFLINE": "1",  # no analytics, no look-ups
    "YOLO_AUTOINSTALL": "false",  # no pip or apt at run time
    "ULTRALYTICS_SAFE_LOAD": "1",  # weights_only unpickling with an allow-list of known classes
    "NO_ALBUMENTATIONS_UPDATE": "1",  # no version look-up when albumentations is imported
}
_TRACKERS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")


def available_cores() -> int:
    """Return how many processor cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: containers and task sets give a process fewer than the machine has
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def prepare(threads: int | None = None) -> Path:
    """Set the environment for Ultralytics, torch and albumentations; cheap, imports none of them.

    The settings folder is private to this process and those it starts, and goes when the process ends, so the user's
    own Ultralytics settings (trackers, hub keys, analytics) neither apply nor change.

    Args:
        threads: Threads for torch. None keeps ``OMP_NUM_THREADS``, or takes every available core when it is not set
            (Ultralytics would otherwise set it to 1).

    Returns:
        The private settings folder.
    """
    os.environ.update(_FIXED)
    os.environ.setdefault("YOLO_VERBOSE", "false")
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    elif not os.environ.get("OMP_NUM_THREADS"):
        os.environ["OMP_NUM_THREADS"] = str(available_cores())
    folder = _settings_folder()
    if "ultralytics" in sys.modules:
        _harden()
    return folder


def chosen_threads() -> int:
    """Return how many threads one process may compute with: ``OMP_NUM_THREADS``, or every available core."""
    prepare()
    text = os.environ["OMP_NUM_THREADS"]
    return int(text) if text.isdigit() and int(text) > 0 else available_cores()


def load_ultralytics(threads: int | None = None) -> ModuleType:
    """Prepare the environment, import Ultralytics and switch its trackers, hub and analytics off.

    Args:
        threads: As for `prepare`.

    Returns:
        The ``ultralytics`` module.
    """
    _store_fonts(prepare(threads) / "Ultralytics")
    import ultralytics

    _harden()
    return ultralytics


def _settings_folder() -> Path:
    current = os.environ.get("YOLO_CONFIG_DIR", "")
    if Path(current).name.startswith(_CONFIG_PREFIX) and Path(current).is_dir():
        return Path(current)  # ours already, or our parent process's
    folder = Path(tempfile.mkdtemp(prefix=_CONFIG_PREFIX))
    os.environ["YOLO_CONFIG_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _store_fonts(folder: Path) -> None:
    """Put fonts where Ultralytics looks for its own before it downloads them: its check of any data set does so."""
    names = [name for name in ("Arial.ttf", "Arial.Unicode.ttf") if not (folder / name).exists()]
    matplotlib = importlib.util.find_spec("matplotlib")
    if not names or matplotlib is None or matplotlib.origin is None:
        return
    font = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names if font.is_file() else ():
        shutil.copyfile(font, folder / name)


def _harden() -> None:
    """Switch off what an import before `prepare` left on, in memory only."""
    from ultralytics import utils
    from ultralytics.nn import tasks
    from ultralytics.utils import checks, events

    # SETTINGS.update() would write the user's settings file when Ultralytics was imported before us
    dict.update(utils.SETTINGS, {name: False for name in (*_TRACKERS, "sync")})
    for module, name, value in (
        (utils, "ONLINE", False),
        (checks, "ONLINE", False),
        (utils, "AUTOINSTALL", False),
        (checks, "AUTOINSTALL", False),
        (events.events, "enabled", False),
        (utils, "SAFE_LOAD", True),
        (tasks, "SAFE_LOAD", True),
    ):
        if hasattr(module, name):
            setattr(module, name, value)
