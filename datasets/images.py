"""Image files: pixels, size, content hash and perceptual hash.

The one place that decides what a file's pixels are: EXIF orientation applied, three colour channels, eight bits.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from robust.datasets.problems import Problem, warning
from robust.errors import DataError, UsageError

RGBImage = NDArray[np.uint8]
"""uint8 (height, width, 3), red first."""

IMAGE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")
)
"""What Ultralytics takes for an image, in lower case: a file that only it would count must not go unnoticed."""

JPEG_QUALITY = 95
MIN_SIDE_PX = 10
EXIF_ORIENTATION = 274
_TRANSPOSED = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
_HEADER_TELLS_SIZE = frozenset({"JPEG", "MPO"})  # OpenCV applies EXIF to these; with others it depends
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_PNG_EXIF_MARKS = (b"eXIf", b"Raw profile type exif")
WORKERS = min(8, os.cpu_count() or 1)  # hashing and decoding leave the interpreter lock


@dataclass(frozen=True)
class ImageFile:
    """What a file's bytes say without decoding its pixels.

    Attributes:
        width: Pixels, after EXIF orientation.
        height: Pixels, after EXIF orientation.
        sha256: Hex digest of the bytes.
        complete: False for a JPEG whose end is cut off.
    """

    width: int
    height: int
    sha256: str
    complete: bool


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(f"{path}: the image cannot be read.", why, "Replace the file, or remove it from the data set.")


def _read_bytes(path: Path) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such image.", fix="Restore the file, or remove it from the data set."
        ) from None
    except OSError as error:
        raise _unreadable(path, f"{error.strerror or error}.") from None
    if not data:
        raise _unreadable(path, "The file is empty.")
    return data


def read_image(path: Path) -> RGBImage:
    """Read an image as OpenCV does with ``IMREAD_COLOR``, as RGB.

    EXIF orientation is applied, grey becomes three equal channels, alpha is dropped, of 16 bits the upper 8 are kept.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        DataError: The file is missing or is not an image that OpenCV can decode.
    """
    return _decode(_read_bytes(path), path)


def _decode(data: bytes, path: Path) -> RGBImage:
    try:  # from memory, not imread: paths outside ASCII work on Windows, and rotated TIFF files too
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise _unreadable(path, f"OpenCV: {error.err}.") from None
    if pixels is None:
        raise _unreadable(path, "It is damaged, or of a format that OpenCV does not know.")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def write_image(path: Path, pixels: RGBImage) -> None:
    """Write an image in the format of the path's suffix; the file appears whole or not at all.

    Args:
        path: Where to write; folders are made. JPEG is written with quality 95.
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        DataError: The suffix names no format that OpenCV can write, or the array is no RGB image.
        UsageError: Nothing can be written there.
    """
    path = Path(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise DataError(f"{path}: pixels must be uint8 (height, width, 3), not {pixels.dtype} {pixels.shape}.")
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix.lower() in {".jpg", ".jpeg"} else []
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    except cv2.error:
        done, data = False, np.zeros(0, dtype=np.uint8)
    if not done:
        raise DataError(
            f"{path}: OpenCV cannot write {path.suffix or 'a file without a suffix'}.", fix="Use .png or .jpg."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise not_writable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.tobytes())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def not_writable(path: Path, error: OSError) -> UsageError:
    """Return what to raise when a file or a folder cannot be made.

    Raises:
        OSError: The disk is full: the name is not wrong, and that is told elsewhere.
    """
    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        raise error
    why = f"{error.strerror or error}."
    return UsageError(f"{path} cannot be written.", why, "Name a place that you may write to.")


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) as `read_image` would give them, from the header where the header tells.

    Raises:
        DataError: The file is missing or is no image.
    """
    return _size(_read_bytes(path), path)


def _size(data: bytes, path: Path) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            # Looking for EXIF in a PNG that has none, Pillow would decode all of it.
            may_turn = image.format != "PNG" or any(mark in data for mark in _PNG_EXIF_MARKS)
            transposed = may_turn and image.getexif().get(EXIF_ORIENTATION) in _TRANSPOSED
            if transposed and image.format not in _HEADER_TELLS_SIZE:
                height, width = _decode(data, path).shape[:2]
                return width, height
    except (OSError, SyntaxError, ValueError, ImportError, Image.DecompressionBombError):
        # ImportError: once Ultralytics is loaded, Pillow looks for a HEIF plugin before it gives up
        raise _unreadable(path, "It is damaged, too large, or of an unknown format.") from None
    return (height, width) if transposed else (width, height)


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file's bytes.

    Raises:
        DataError: The file is missing or cannot be read.
    """
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def probe_image(path: Path) -> ImageFile:
    """Read a file once and tell its size, hash and completeness.

    Raises:
        DataError: The file is missing, empty, no image, or a PNG whose end is cut off (no decoder takes it).
    """
    data = _read_bytes(path)
    if data.startswith(_PNG_START) and data.rfind(_PNG_END) < 0:
        raise _unreadable(path, "The PNG is cut off.")
    width, height = _size(data, path)
    is_jpeg = data[:2] == b"\xff\xd8"
    return ImageFile(width, height, hashlib.sha256(data).hexdigest(), not is_jpeg or data.endswith(b"\xff\xd9"))


def probe_problems(path: Path, file: ImageFile) -> list[Problem]:
    """Tell what Ultralytics will do to a file when it trains on it (``check_image`` in its ``data/utils.py``)."""
    problems = []
    if not file.complete:
        message = (
            "the JPEG does not end as it should, so it may be cut off; Ultralytics overwrites such files in training."
        )
        problems.append(warning("image-truncated", message, path, fix="Save it again."))
    if min(file.width, file.height) < MIN_SIDE_PX:
        size = f"{file.width} x {file.height} pixels"
        message = f"{size}; Ultralytics leaves out images under {MIN_SIDE_PX} pixels in training."
        problems.append(warning("image-tiny", message, path))
    return problems


def probe_images(paths: list[Path]) -> list[ImageFile | DataError]:
    """Probe many files with threads; what cannot be read comes back as its error, in place."""

    def probe(path: Path) -> ImageFile | DataError:
        try:
            return probe_image(path)
        except DataError as error:
            return error

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(probe, paths))
