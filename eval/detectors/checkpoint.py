"""Weights files: what they hold, and whether it is safe to load them.

A ``.pt`` file is a pickle: loading it the ordinary way runs whatever code it names. Files are therefore read with
torch's restricted unpickler and Ultralytics' list of known classes; what asks for anything else is refused.
"""

from __future__ import annotations

import hashlib
import pickletools
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.detectors.environment import load_ultralytics

if TYPE_CHECKING:
    from torch import nn

_SHOWN = 5  # offending names in a message


@dataclass(frozen=True)
class CheckpointInfo:
    """What a weights file says of itself.

    Attributes:
        path: The file.
        sha256: Hex digest of the file's bytes.
        size_bytes: Size of the file.
        task: "detect", "segment", ...; None when the network does not say.
        names: Class index -> class name; empty when the network holds none.
        train_args: The arguments it was trained with; empty when the file holds none.
        parameters: Number of trainable and fixed numbers in the network, before fusing.
        finite: False when a tensor holds NaN or infinity.
        tensors_sha256: Hex digest of the tensors (name, type, shape, bytes). The file's own digest differs between
            equal trainings, because the file holds dates and paths.
        unsafe_globals: Names outside the allow-list that the file asks for; not empty only for trusted files.
    """

    path: Path
    sha256: str
    size_bytes: int
    task: str | None
    names: dict[int, str]
    train_args: dict[str, Any]
    parameters: int
    finite: bool
    tensors_sha256: str
    unsafe_globals: tuple[str, ...]


def file_sha256(path: Path) -> str:
    """Return the sha256 hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_weights(path: Path, trust: bool = False) -> CheckpointInfo:
    """Load a weights file without running its code, and describe it.

    Args:
        path: Ultralytics ``.pt`` file.
        trust: Load it even if it names code outside the allow-list. This runs that code.

    Raises:
        UsageError: there is no such file, or it is not a ``.pt``.
        IntegrityError: the file names code outside the allow-list and ``trust`` is off.
        DataError: the file is damaged or is not an Ultralytics network.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"There is no weights file {path}.", fix="Give the path of an existing .pt file.")
    if path.suffix.lower() != ".pt":
        raise UsageError(f"{path.name} is not a .pt file.", "Only Ultralytics PyTorch weights can be loaded here.")
    load_ultralytics()
    with plain_path(path) as plain:
        checkpoint, unsafe = _load(plain, path.name, trust)
    network = checkpoint.get("ema") or checkpoint.get("model")
    if network is None or not hasattr(network, "state_dict"):
        raise DataError(f"{path.name} holds no network.", fix="Give a file that Ultralytics saved, such as best.pt.")
    digest, finite = _digest(network)
    return CheckpointInfo(
        path=path,
        sha256=file_sha256(path),
        size_bytes=path.stat().st_size,
        task=getattr(network, "task", None),
        names=_names(getattr(network, "names", None)),
        train_args=_plain(checkpoint.get("train_args")),
        parameters=sum(p.numel() for p in network.parameters()),
        finite=finite,
        tensors_sha256=digest,
        unsafe_globals=unsafe,
    )


@contextmanager
def loading(trust: bool = False) -> Iterator[None]:
    """Let Ultralytics' own loaders read trusted files for the length of the block; nothing changes without trust.

    Args:
        trust: Loading inside the block may run the files' code.
    """
    load_ultralytics()
    from ultralytics.nn import tasks

    switch = vars(tasks)  # the module's own copy of the setting, read at every load
    before = switch["SAFE_LOAD"]
    switch["SAFE_LOAD"] = not trust
    try:
        yield
    finally:
        switch["SAFE_LOAD"] = before


def _load(path: Path, name: str, trust: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    from ultralytics.nn.tasks import torch_safe_load

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch remarks on the pickle protocol of what it then refuses
            return torch_safe_load(path, safe_only=True)[0], ()
    except (TypeError, AttributeError, KeyError, ValueError, RuntimeError, ImportError, EOFError, OSError) as error:
        offending = _offending(path)
        if not offending:
            raise DataError(
                f"{name} cannot be read as weights.", _why_unreadable(path, error), "Copy or export it again."
            ) from error
        if not trust:
            shown = ", ".join(offending[:_SHOWN]) + (", ..." if len(offending) > _SHOWN else "")
            raise IntegrityError(
                f"Refused to load {name}: it asks for code that no Ultralytics network needs.",
                f"It names: {shown}.",
                "If you made this file yourself, repeat with --trust-weights: that runs the code in it.",
            ) from error
    try:
        return torch_safe_load(path, safe_only=False)[0], offending
    except Exception as error:  # trusted code may raise anything
        raise DataError(f"{name} cannot be read as weights.", _first_line(error)) from error


def _offending(path: Path) -> tuple[str, ...]:
    """Names that the restricted loader does not know, without running anything; empty for a damaged file."""
    import torch

    try:
        return tuple(sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path)))
    except (ValueError, RuntimeError, OSError):  # not a torch archive: a bare pickle, or not a pickle at all
        return _pickle_globals(path.read_bytes())


def _pickle_globals(data: bytes) -> tuple[str, ...]:
    """Names in a bare pickle; STACK_GLOBAL takes two texts from the stack, nearly always the last two that were put."""
    found: set[str] = set()
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("GLOBAL", "INST"):
                found.add(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                found.add(".".join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except (ValueError, IndexError, UnicodeDecodeError):
        return tuple(sorted(found)) if data[:1] == b"\x80" else ()
    return tuple(sorted(found))


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Yield a path that Ultralytics takes literally: it drops apostrophes and renames ``yolov5*.pt``."""
    if "'" not in str(path) and not path.name.startswith("yolov"):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="robust-weights-") as folder:
        yield Path(shutil.copyfile(path, Path(folder) / "weights.pt"))


def _digest(network: nn.Module) -> tuple[str, bool]:
    """Return the digest of the tensors, and whether all are finite."""
    import torch

    digest, finite = hashlib.sha256(), True
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        if values.is_floating_point():
            finite = finite and bool(values.isfinite().all())
        digest.update(f"{name}\0{values.dtype}\0{tuple(values.shape)}\0".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest(), finite


def _names(names: object) -> dict[int, str]:
    if isinstance(names, Mapping):
        return {int(index): str(name) for index, name in names.items()}
    if isinstance(names, (list, tuple)):
        return {index: str(name) for index, name in enumerate(names)}
    return {}


def _plain(arguments: object) -> dict[str, Any]:
    if isinstance(arguments, Mapping):
        return dict(arguments)
    return dict(vars(arguments)) if hasattr(arguments, "__dict__") else {}


def _why_unreadable(path: Path, error: Exception) -> str:
    """Of a file that is no archive PyTorch tells where its parser stumbled, which helps nobody."""
    with path.open("rb") as stream:
        is_pickle = stream.read(1) == b"\x80"
    if is_pickle or zipfile.is_zipfile(path):
        return _first_line(error)
    return "It is empty, cut off, or not a file that PyTorch saved."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
