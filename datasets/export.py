"""What the writers share: names and copies of images, text files, a folder that appears whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from robust.datasets.images import not_writable
from robust.datasets.records import Dataset
from robust.errors import DataError

try:
    import fcntl
except ImportError:  # Windows: there is no such lock, so nothing is known of who else is at work, and nothing is swept
    fcntl = None  # type: ignore[assignment]

_PART = "robust-part-"


def export_names(dataset: Dataset) -> list[str]:
    """Return a relative POSIX path for each image that stays inside the folder it is joined to.

    It is the image's ``file_name`` where that is such a path, else the name of its file.

    Raises:
        DataError: Two images would have the same name.
    """
    names = []
    for image in dataset.images:
        path = PurePosixPath(image.file_name.replace("\\", "/"))
        inside = not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]
        names.append(str(path) if inside else image.path.name)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"Two images would be written as {twice!r}.", fix="Give the images different names.")
    return names


def copy_images(dataset: Dataset, folder: Path, names: Sequence[str]) -> None:
    """Copy the image files, bytes unchanged; those that lie there already stay.

    Args:
        dataset: Whose images.
        folder: Where to; made when it is missing.
        names: Relative path of each image in the folder.
    """
    for image, name in zip(dataset.images, names, strict=True):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.samefile(image.path)):
            shutil.copyfile(image.path, target)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file with Unix line ends; folders are made, and it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes ``target`` when the block ends well, and vanishes when it does not.

    Temporary folders for the same target whose process was killed are removed first; those of a living one stay.

    Raises:
        DataError: The target exists and is not an empty folder.
        UsageError: No folder can be made there.
    """
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target}: something is there already.", fix="Name a new or an empty folder.")
    with made_folder(target.parent):
        _sweep(target)
        temporary, lock = _locked_folder(target)
        try:
            yield temporary
            temporary.chmod(0o755)
            if target.exists():
                target.rmdir()  # rename does not replace a folder on Windows
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            if lock is not None:
                os.close(lock)


def _locked_folder(target: Path) -> tuple[Path, int | None]:
    """Make a temporary folder beside the target, and lock it: the lock ends with the process, however that ends."""
    while True:
        try:
            temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.{_PART}"))
        except OSError as error:
            raise not_writable(target, error) from error
        if fcntl is None:
            return temporary, None
        lock = _lock(temporary, wait=True)
        if temporary.exists():  # else somebody swept it before it was locked
            return temporary, lock
        if lock is not None:
            os.close(lock)


def _sweep(target: Path) -> None:
    """Remove what killed processes left for this target. Only folders with our mark, and only unlocked ones."""
    ours = re.compile(re.escape(f".{target.name}.{_PART}") + "[a-z0-9_]{8}")
    if fcntl is None or not os.access(target.parent, os.R_OK):
        return
    for left in sorted(target.parent.iterdir()):
        if ours.fullmatch(left.name) and left.is_dir() and not left.is_symlink():
            lock = _lock(left)
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path, *, wait: bool = False) -> int | None:
    """Lock a folder; None when somebody else holds it (unless waiting for them), or when there are no locks here."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # it is gone, or not ours to open
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without locks
        os.close(handle)
        return None
    return handle


@contextmanager
def made_folder(target: Path) -> Iterator[None]:
    """Make a folder with its parents; when the block fails, those made here vanish again as far as they are empty.

    Raises:
        UsageError: It cannot be made.
    """
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]  # the innermost first
    try:
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_writable(target, error) from error
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # somebody else put something there
                folder.rmdir()
        raise
