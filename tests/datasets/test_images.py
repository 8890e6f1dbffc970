from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from robust.datasets.images import (
    EXIF_ORIENTATION,
    file_sha256,
    image_size,
    probe_image,
    probe_problems,
    read_image,
    write_image,
)
from robust.errors import DataError
from tests.datasets.builders import picture


def _save(path: Path, mode: str, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(picture(1, 40, 24)).convert(mode).save(path, exif=exif)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "LA", "RGBA"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_pixels_are_those_of_opencv_in_rgb_order(tmp_path: Path, mode: str, orientation: int) -> None:
    path = _save(tmp_path / "a.png", mode, orientation)
    pixels = read_image(path)
    np.testing.assert_array_equal(pixels, cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1])
    assert pixels.dtype == np.uint8
    assert image_size(path) == pixels.shape[1::-1] == ((40, 24) if orientation < 5 else (24, 40))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_size_is_that_of_the_pixels_in_every_format(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = _save(tmp_path / f"a.{suffix}", "RGB", orientation)
    assert image_size(path) == read_image(path).shape[1::-1]


def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7), dtype=np.uint16)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), deep)
    np.testing.assert_array_equal(read_image(path), np.repeat((deep >> 8).astype(np.uint8)[:, :, None], 3, axis=2))
    assert image_size(path) == (7, 5)


@pytest.mark.parametrize("chunk", ["eXIf", "Raw profile type exif"])
def test_exif_in_a_png_turns_it_only_as_opencv_does(tmp_path: Path, chunk: str) -> None:
    path = _save(tmp_path / "a.png", "RGB", 6)
    if chunk != "eXIf":
        info = PngInfo()
        exif = Image.open(path).info["exif"]
        info.add_text(chunk, f"\nexif\n{len(exif)}\n{exif.hex()}\n")
        Image.fromarray(picture(1, 40, 24)).save(path, pnginfo=info)
    assert image_size(path) == read_image(path).shape[1::-1]


def test_a_path_outside_ascii_works(tmp_path: Path) -> None:
    path = tmp_path / "Zürich Straße" / "日本.png"
    write_image(path, picture(2))
    np.testing.assert_array_equal(read_image(path), picture(2))
    assert [file.name for file in path.parent.iterdir()] == ["日本.png"]


@pytest.mark.parametrize("content", [None, b"", b"no image at all"])
def test_a_missing_empty_or_broken_file_is_a_data_error_naming_it(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    for read in (read_image, image_size, probe_image):
        with pytest.raises(DataError, match=r"a\.jpg"):
            read(path)


def test_writing_to_an_unknown_format_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        write_image(tmp_path / "a.nothing", picture(1))
    assert not list(tmp_path.glob("*.nothing"))
    with pytest.raises(DataError, match="uint8"):
        write_image(tmp_path / "a.png", picture(1).astype(np.float32))


def test_the_hash_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert file_sha256(path) == hashlib.sha256(b"abc").hexdigest()


def test_a_jpeg_that_is_cut_off_and_a_tiny_image_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_image(path, picture(1))
    assert probe_problems(path, probe_image(path)) == []
    path.write_bytes(path.read_bytes()[:-20])
    assert [p.code for p in probe_problems(path, probe_image(path))] == ["image-truncated"]
    write_image(tmp_path / "b.png", picture(1, 12, 9))
    assert [p.code for p in probe_problems(path, probe_image(tmp_path / "b.png"))] == ["image-tiny"]
