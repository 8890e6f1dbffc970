"""The weights that the demo starts from: small, safe to load, and silent about where they were made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from robust.eval import demo

WEIGHTS = Path(demo.__file__).with_name("base.pt")
LOAD = """
import sys, torch
from ultralytics.models import YOLO
model = YOLO(sys.argv[1])
assert model.names == {0: "person"}, model.names
assert model.task == "detect"
assert sum(p.numel() for p in model.model.parameters()) < 1_500_000
out = model.model.float().eval()(torch.zeros(1, 3, 320, 320))
assert (out[0] if isinstance(out, (tuple, list)) else out).shape[:2] == (1, 5)
"""


def test_the_file_is_at_most_three_megabytes() -> None:
    assert WEIGHTS.stat().st_size <= 3_000_000


def test_it_loads_without_running_foreign_code_and_knows_one_class(tmp_path: Path) -> None:
    safe = {
        "ULTRALYTICS_SAFE_LOAD": "1",
        "YOLO_OFFLINE": "1",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(WEIGHTS)],
        env={**os.environ, **safe},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pattern", [rb"/(tmp|home|root|work|Users|opt)\b", rb"[A-Za-z]:\\", rb"git", rb"save_dir"])
def test_nothing_of_the_machine_that_made_it_is_inside(pattern: bytes) -> None:
    with zipfile.ZipFile(WEIGHTS) as archive:
        pickles = [archive.read(name) for name in archive.namelist() if "/data/" not in name]
    assert pickles
    assert not any(re.search(pattern, content) for content in pickles)


def test_its_origin_and_licence_are_written_down() -> None:
    text = WEIGHTS.with_name("BASE_WEIGHTS.md").read_text(encoding="utf-8")
    for word in ("AGPL-3.0", "base_weights.py", "seed", "epochs", "AP50"):
        assert word in text
