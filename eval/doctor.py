"""Is this machine fit for the job: versions, compiled parts, threads, disk, tracking store.

Versions are read from the installed packages' metadata, so that a broken library cannot break its own diagnosis; what
must be loaded to be known is loaded in a child process (`deep`).
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version

from robust.errors import StoreError
from robust.eval.tracking.connect import connect, redact, resolve_uri, sqlite_path

DISTRIBUTION = "robust-detection"
STOLEN_ULTRALYTICS = ("8.3.41", "8.3.42", "8.3.45", "8.3.46")
"""Releases that carried a coin miner (December 2024, github.com/ultralytics/ultralytics/issues/18027)."""

LOW_DISK, NO_DISK = 5.0, 1.0
"""Free GB below which we warn (a study with predictions takes a few) and below which we fail."""

_PROBE = """
import json, sys
import cv2, torch, torchvision
boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist()
print(json.dumps({"kept": kept, "threads": torch.get_num_threads(), "cuda": torch.cuda.device_count()}))
"""
_PROBE_SECONDS = 120

Status = Literal["ok", "warn", "fail"]
Installed = Mapping[str, str]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        status: "ok", "warn" (works, but know it) or "fail".
        found: What it is.
        fix: What to do about it, empty when all is well.
    """

    name: str
    status: Status
    found: str
    fix: str = ""


def installed_versions() -> dict[str, str]:
    """Return the version of every installed package, by its normalised name."""
    found = ((d.metadata["Name"], d.version) for d in metadata.distributions())
    return {name.lower().replace("_", "-"): version for name, version in found if name}


def check_requirements(requirements: list[str], installed: Installed) -> tuple[Check, ...]:
    """Compare what is installed with what the project asks for.

    Args:
        requirements: PEP 508 lines; those whose marker does not hold here (extras, other systems) are left out.
        installed: Versions by normalised name.
    """
    checks = []
    for line in requirements:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = installed.get(requirement.name.lower().replace("_", "-"))
        fix = f'Install it: pip install "{requirement.name}{requirement.specifier}"'
        if version is None:
            checks.append(Check(requirement.name, "fail", "not installed", fix))
        elif not requirement.specifier.contains(version, prereleases=True):
            checks.append(Check(requirement.name, "fail", f"{version}, but {requirement.specifier} is needed", fix))
        else:
            checks.append(Check(requirement.name, "ok", version))
    return tuple(checks)


def check_ultralytics(installed: Installed) -> Check | None:
    """Refuse the releases that were tampered with; None when the installed one is not among them."""
    version = installed.get("ultralytics")
    if version not in STOLEN_ULTRALYTICS:
        return None
    fix = "Remove it, treat this machine as compromised, and install a current release."
    return Check("ultralytics release", "fail", f"{version} was published by an intruder and runs a coin miner", fix)


def check_albumentations(installed: Installed) -> Check | None:
    """Refuse AlbumentationsX beside albumentations; None when it is absent."""
    version = installed.get("albumentationsx")
    if version is None:
        return None
    fix = "pip uninstall albumentationsx albumentations, then install albumentations==2.0.8"
    return Check("albumentationsx", "fail", f"{version} replaces albumentations' files, under the AGPL", fix)


def check_opencv(installed: Installed) -> Check:
    """All OpenCV packages write the same folder, so their versions must agree."""
    found = {name: version for name, version in sorted(installed.items()) if name.startswith("opencv-")}
    text = ", ".join(f"{name} {version}" for name, version in found.items()) or "not installed"
    if len(set(found.values())) == 1:
        return Check("opencv packages", "ok", text)
    newest = max(found.values(), key=Version, default="")
    fix = "pip install --force-reinstall --no-deps " + " ".join(f"{name}=={newest}" for name in found)
    return Check("opencv packages", "fail", text, fix)


def check_torch_pair(installed: Installed, torchvision_requires: list[str]) -> Check:
    """Torchvision must be built for the installed torch.

    Args:
        installed: Versions by normalised name.
        torchvision_requires: Torchvision's own requirement lines, which name the torch that it was built for.
    """
    torch, torchvision = installed.get("torch"), installed.get("torchvision")
    if torch is None or torchvision is None:
        return Check("torch pair", "fail", f"torch {torch}, torchvision {torchvision}", "Install both, together.")
    text = f"torch {torch} with torchvision {torchvision}"
    fix = "Install both from the same index: pip install --force-reinstall torch torchvision"
    wanted = [Requirement(line) for line in torchvision_requires]
    fits = all(r.specifier.contains(torch, prereleases=True) for r in wanted if r.name == "torch")
    builds = {Version(v).local for v in (torch, torchvision)} - {None}
    if fits and len(builds) < 2:
        return Check("torch pair", "ok", text)
    return Check("torch pair", "fail", f"{text}: not built for each other", fix)


def check_compiled(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Check:
    """Load OpenCV and torch in a child process and call one compiled torchvision operator."""
    try:
        child = run([sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return Check("compiled parts", "fail", f"no answer within {_PROBE_SECONDS} s")
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines()
        found = lines[-1] if lines else f"exit code {child.returncode}"
        fix = "Reinstall torch and torchvision from the same index."
        if "libGL" in found:
            fix = "No display libraries here: pip install --force-reinstall --no-deps opencv-python-headless"
        return Check("compiled parts", "fail", found, fix)
    answer = json.loads(child.stdout)
    if answer["kept"] != [0]:
        return Check(
            "compiled parts", "fail", f"NMS kept boxes {answer['kept']} instead of [0]", "Reinstall torchvision."
        )
    return Check("compiled parts", "ok", f"load; torch uses {answer['threads']} threads, {answer['cuda']} CUDA devices")


def check_threads(environment: Mapping[str, str]) -> Check:
    """Tell how many cores we may use; always fine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = environment.get("OMP_NUM_THREADS")
    return Check("cores", "ok", f"{cores}" + (f", OMP_NUM_THREADS={limit}" if limit else ""))


def check_disk(folder: Path, free_bytes: int | None = None) -> Check:
    """Tell the free space where results will be written.

    Args:
        folder: Where results go.
        free_bytes: What is free; asked of the system if left out.
    """
    free = (shutil.disk_usage(folder).free if free_bytes is None else free_bytes) / 1e9
    text = f"{free:.1f} GB free in {folder}"
    if free >= LOW_DISK:
        return Check("disk", "ok", text)
    return Check("disk", "fail" if free < NO_DISK else "warn", text, "Free some space, or work in another folder.")


def check_store(tracking_uri: str) -> Check:
    """Open the tracking store; a SQLite file that does not exist yet is not created."""
    uri = resolve_uri(tracking_uri)
    path = sqlite_path(uri)
    if path is not None and not path.exists() and path.parent.is_dir() and os.access(path.parent, os.W_OK):
        return Check("tracking store", "ok", f"{uri} (will be created by the first run)")
    try:
        connect(uri)
    except StoreError as error:
        return Check("tracking store", "fail", " ".join(filter(None, (error.what, error.why))), error.fix)
    return Check("tracking store", "ok", redact(uri))


def diagnose(tracking_uri: str, *, deep: bool = False) -> tuple[Check, ...]:
    """Look at everything.

    Args:
        tracking_uri: The MLflow store that will be used.
        deep: Also load the compiled libraries, in a child process (some seconds).
    """
    installed = installed_versions()
    torchvision = metadata.requires("torchvision") or [] if "torchvision" in installed else []
    checks = [
        Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *check_requirements(metadata.requires(DISTRIBUTION) or [], installed),
        check_ultralytics(installed),
        check_albumentations(installed),
        check_torch_pair(installed, torchvision),
        check_opencv(installed),
        check_compiled() if deep else None,
        check_threads(os.environ),
        check_disk(Path.cwd()),
        check_store(tracking_uri),
    ]
    return tuple(check for check in checks if check is not None)
