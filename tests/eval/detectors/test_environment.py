"""Ultralytics finds a private, offline environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys
from robust.eval.detectors.environment import load_ultralytics, prepare
folder = prepare({threads})
loaded_too_early = sorted({{"ultralytics", "torch", "albumentations"}} & set(sys.modules))
load_ultralytics()
import torch
from ultralytics.utils import AUTOINSTALL, ONLINE, SAFE_LOAD, SETTINGS
from ultralytics.utils.events import events
print(json.dumps([str(folder), loaded_too_early, AUTOINSTALL, ONLINE, SAFE_LOAD, events.enabled,
    [name for name in ("mlflow", "sync", "comet", "clearml", "dvc", "raytune", "wandb") if SETTINGS[name]],
    torch.get_num_threads()]))
"""


def test_import_is_offline_private_and_without_trackers(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    env = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "ULTRALYTICS_"))} | home
    run = [sys.executable, "-c", SCRIPT.format(threads=1)]
    done = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    folder, early, autoinstall, online, safe, events, trackers, threads = json.loads(done.stdout)
    assert early == []
    assert (autoinstall, online, safe, events) == (False, False, True, False)
    assert trackers == []
    assert threads == 1
    assert not Path(folder).exists(), "the private settings folder goes with the process"
    assert list(tmp_path.iterdir()) == []
