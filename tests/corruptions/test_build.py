from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from robust.cli.variants import variants_command
from robust.corruptions import preview
from robust.corruptions.apply import corrupt
from robust.corruptions.build import build
from robust.corruptions.built import read_built
from robust.corruptions.preview import chosen_images, write_preview
from robust.corruptions.registry import names
from robust.corruptions.suites import load_suite
from robust.datasets.export import whole_folder
from robust.datasets.images import read_image, write_image
from robust.datasets.load import load_dataset
from robust.errors import DataError, IntegrityError, RobustError, UnknownName, UsageError
from tests.corruptions.street import Street


@pytest.fixture
def data_yaml() -> Path:
    """A YOLO data set of three images on disk; the last one shows nobody."""
    street = Street()
    street.add_people(120, 160, [(20, 40, 44, 110)], seed=1)
    street.add_people(120, 160, [(90, 40, 112, 104), (30, 50, 50, 100)], seed=2)
    street.add_people(120, 160, [], seed=3)
    for i, image in enumerate(street.images):
        write_image(Path(f"data/images/test/{i}.png"), street.pixels[image.sha256])
        rows = [
            f"0 {(x1 + x2) / 320} {(y1 + y2) / 240} {(x2 - x1) / 160} {(y2 - y1) / 120}\n"
            for x1, y1, x2, y2 in street.annotations[i].boxes.tolist()
        ]
        label = Path(f"data/labels/test/{i}.txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("".join(rows), encoding="utf-8")
    path = Path("data/data.yaml")
    path.write_text("test: images/test\nnames: {0: person}\n", encoding="utf-8")
    return path


def test_a_built_set_holds_the_variant_s_pixels_and_ground_truth(data_yaml: Path) -> None:
    dataset, suite = load_dataset(data_yaml, "test"), load_suite("core", severities=[3])
    for built, variant in zip(build(dataset, suite, Path("out")), suite.variants, strict=True):
        again = load_dataset(built.path / "annotations" / "test.json", "test")
        manifest = json.loads((built.path / "manifest.json").read_text(encoding="utf-8"))
        assert again.fingerprint == built.fingerprint == manifest["fingerprint"]
        assert manifest["recipe_sha256"] == variant.sha256
        assert manifest["source"]["fingerprint"] == dataset.fingerprint
        for i, image in enumerate(again.images):
            made = corrupt(dataset, i, variant)
            assert np.array_equal(read_image(image.path), made.pixels)
            assert again.annotations[i].boxes == pytest.approx(made.annotations.boxes)
            assert again.annotations[i].visible == pytest.approx(made.annotations.visible)
            assert manifest["images"][i]["sha256"] == image.sha256
            assert manifest["images"][i]["source_sha256"] == dataset.images[i].sha256
        yolo = load_dataset(built.path / "data.yaml", "test")
        assert yolo.n_objects == again.n_objects == built.n_objects


def test_an_interrupted_build_leaves_no_half_variant_and_goes_on_where_it_was(data_yaml: Path) -> None:
    dataset, suite, calls = load_dataset(data_yaml, "test"), load_suite("core", severities=[1]), []

    def stop(done: int, total: int) -> None:
        calls.append((done, total))
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(dataset, suite, Path("out"), report=stop)
    assert [p.name for p in Path("out").iterdir()] == ["night-1"]
    assert calls == [(n, 9) for n in range(1, 6)]
    second = build(dataset, suite, Path("out"))
    assert [b.found for b in second] == [True, False, False]


def test_a_folder_made_of_other_data_or_by_another_recipe_is_not_touched(data_yaml: Path) -> None:
    dataset = load_dataset(data_yaml, "test")
    build(dataset, load_suite("core", severities=[1]), Path("out"))
    before = (Path("out/night-1/manifest.json")).read_bytes()
    with pytest.raises(UsageError, match="out/night-1 holds night/1 made by another recipe") as failure:
        build(dataset, load_suite("core", severities=[1], seed=9), Path("out"))
    assert failure.value.why == "They differ in seed."
    Path("data/labels/test/0.txt").write_text("0 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    with pytest.raises(DataError, match="made of other data"):
        build(load_dataset(data_yaml, "test"), load_suite("core", severities=[1]), Path("out"))
    assert Path("out/night-1/manifest.json").read_bytes() == before


def test_a_folder_that_is_no_built_variant_is_not_touched(data_yaml: Path) -> None:
    dataset = load_dataset(data_yaml, "test")
    Path("out/night-1").mkdir(parents=True)
    Path("out/night-1/notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="something is there already"):
        build(dataset, load_suite("core", severities=[1]), Path("out"))
    assert Path("out/night-1/notes.txt").read_text(encoding="utf-8") == "mine"


def _library(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["libraries"]["opencv-python"] = "1.0"


def _numbering(folder: Path, manifest: dict[str, Any]) -> None:
    manifest["source"]["numbering"] = "0"


def _counts(folder: Path, manifest: dict[str, Any]) -> None:
    del manifest["n_images"]


def _pixels(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "images/test/1.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (_library, DataError, "made with opencv-python 1.0"),
        (_numbering, DataError, "numbered otherwise"),
        (_counts, IntegrityError, "It has no 'n_images'"),
        (_pixels, IntegrityError, "1.png is not the file that was built"),
    ],
)
def test_what_an_evaluation_would_refuse_is_not_called_found(
    data_yaml: Path, change: Any, error: type[RobustError], said: str
) -> None:
    dataset, suite = load_dataset(data_yaml, "test"), load_suite("core", severities=[1])
    made = build(dataset, suite, Path("out"))
    manifest = json.loads((made[1].path / "manifest.json").read_text(encoding="utf-8"))
    change(made[1].path, manifest)
    (made[1].path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(made[0].path)
    with pytest.raises(error) as building:
        build(dataset, suite, Path("out"))
    assert said in str(building.value)
    assert not made[0].path.exists()  # nothing is made before all that is there has been checked
    with pytest.raises(error) as reading:
        read_built([made[1].path], dataset, suite)
    assert str(reading.value) == str(building.value)


def test_a_contact_sheet_has_a_row_for_each_image_and_corruption(data_yaml: Path) -> None:
    dataset, suite = load_dataset(data_yaml, "test"), load_suite("core")
    assert chosen_images(dataset, 5) == [0, 1]  # the third image shows nobody
    sheet = read_image(write_preview(dataset, suite, Path("sheet.png"), images=2, width=80))
    rows, columns = 2 * 3, 6
    assert sheet.shape == (rows * (22 + 60 + 6), columns * (80 + 6), 3)
    clean, dark = sheet[22:82, :80], sheet[22:82, 5 * 86 : 5 * 86 + 80]
    assert dark.mean() < 0.6 * clean.mean()


def test_one_severity_gives_a_grid_with_clean_once(data_yaml: Path) -> None:
    dataset = load_dataset(data_yaml, "test")
    Path("eight.yaml").write_text(
        "corruptions: [night, jpeg, contrast, brightness, pixelate, fog, overexposure, underexposure]\n",
        encoding="utf-8",
    )
    suite = load_suite("eight.yaml", severities=[3])
    sheet = read_image(write_preview(dataset, suite, Path("sheet.png"), images=(0, 2), width=80))
    assert sheet.shape == (2 * 2 * (22 + 60 + 6), 6 * (80 + 6), 3)  # 1 + 8 pictures in rows of 6, for each image
    cells = [sheet[22 + 88 * row : 82 + 88 * row, 86 * column :][:, :80] for row in (0, 1) for column in range(6)]
    clean, *made = (cell.astype(int) for cell in cells[:9])
    assert all(np.abs(cell - clean).mean() > 1 for cell in made)  # clean does not come again
    assert not any(cell.any() for cell in cells[9:])


@pytest.mark.parametrize(("name", "words"), [("huge.jpg", "65500"), ("sheet.gif", "PNG or a JPEG")])
def test_a_sheet_that_cannot_be_written_is_refused_before_it_is_drawn(data_yaml: Path, name: str, words: str) -> None:
    dataset, drawn = load_dataset(data_yaml, "test"), []
    many = [0] * 249  # 3 rows each, 88 pixels high: 65 736
    with pytest.raises(DataError, match=words):
        write_preview(
            dataset,
            load_suite("core"),
            Path(name),
            images=many,
            width=80,
            report=lambda done, _total: drawn.append(done),
        )
    assert not drawn
    assert not Path(name).exists()


def test_the_size_told_before_drawing_is_the_size_drawn(data_yaml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, suite = load_dataset(data_yaml, "test"), load_suite("core")
    side = read_image(write_preview(dataset, suite, Path("sheet.png"), images=2, width=77)).shape
    monkeypatch.setitem(preview._LONGEST_SIDE, ".png", max(side[:2]))
    write_preview(dataset, suite, Path("sheet.png"), images=2, width=77)
    monkeypatch.setitem(preview._LONGEST_SIDE, ".png", max(side[:2]) - 1)
    with pytest.raises(DataError, match=f"{side[1]} x {side[0]} pixels"):
        write_preview(dataset, suite, Path("sheet.png"), images=2, width=77)


def test_fewer_images_than_asked_for_are_told(data_yaml: Path) -> None:
    arguments = ["preview", str(data_yaml), "-o", "sheet.png", "--images", "1000", "--severity", "1", "--json"]
    result = CliRunner().invoke(variants_command, arguments, catch_exceptions=False)
    assert result.stderr == "2 images drawn, not 1000: split 'test' has no more to show.\n"
    assert json.loads(result.stdout)["n_images"] == 2


@pytest.mark.parametrize(
    "arguments", [("build", "{data}", "/dev/null/out"), ("preview", "{data}", "-o", "/dev/null/a.png")]
)
def test_a_place_that_takes_nothing_is_a_known_error(data_yaml: Path, arguments: tuple[str, ...]) -> None:
    given = [argument.format(data=data_yaml) for argument in arguments]
    result = CliRunner().invoke(variants_command, [*given, "--severity", "1"])
    assert isinstance(result.exception, UsageError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such lock, so nothing is swept")
def test_a_killed_build_is_swept_and_a_living_one_is_not(data_yaml: Path) -> None:
    dataset, suite = load_dataset(data_yaml, "test"), load_suite("core", severities=[1])
    code = (
        "import os, signal; from pathlib import Path; from robust.datasets.export import whole_folder\n"
        "with whole_folder(Path('out/night-1')) as folder:\n"
        "    (folder / 'half.png').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = Path("out").iterdir()
    assert left.name.startswith(".night-1.robust-part-")
    Path("out/.night-1.original").mkdir()  # somebody else's
    with pytest.raises(KeyboardInterrupt), whole_folder(Path("out/night-1")) as living:
        assert not left.exists()
        build(dataset, suite, Path("out"))
        assert living.is_dir()
        raise KeyboardInterrupt
    assert sorted(p.name for p in Path("out").iterdir()) == [".night-1.original", "crowd-1", "night-1", "occlusion-1"]


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(variants_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_names_every_corruption_with_its_parameters_and_the_suites() -> None:
    text, values = invoke("list"), json.loads(invoke("list", "--json"))
    assert [entry["name"] for entry in values["corruptions"]] == list(names())
    assert all(len(entry["rows"]) == 5 for entry in values["corruptions"])
    assert "core" in {suite["name"] for suite in values["suites"]}
    for name in names():
        assert name in text


def test_the_list_shows_the_variants_of_a_suite_file_with_its_own_parameters() -> None:
    text = "summary: mine\ncorruptions: [{name: night, severities: [3], parameters: {stops: 1.25}}, {name: crowd}]\n"
    Path("mine.yaml").write_text(text + "severities: [2]\ntrained_on: [coding]\n", encoding="utf-8")
    lines = invoke("list", "mine.yaml").splitlines()
    assert lines[:2] == ["mine.yaml: mine", "  seen in training: jpeg, low_resolution"]
    header, row = (line.split() for line in lines[3:5])
    assert (row[0], row[header.index("stops")]) == ("night/3", "1.250")
    assert lines[-1].split()[0] == "crowd/2"
    values = json.loads(invoke("list", "mine.yaml", "jpeg", "--json"))
    assert [entry["name"] for entry in values["corruptions"]] == ["jpeg"]
    assert values["suite_files"][0]["variants"][0]["parameters"]["stops"] == 1.25


def test_preview_and_build_from_the_command_line(data_yaml: Path) -> None:
    assert invoke("preview", str(data_yaml), "-o", "sheet.jpg", "--images", "1").strip() == "sheet.jpg"
    assert cv2.imread("sheet.jpg") is not None
    built = json.loads(invoke("build", str(data_yaml), "out", "--severity", "2", "--json"))
    assert [b["variant"] for b in built] == ["night/2", "occlusion/2", "crowd/2"]
    assert "found" in invoke("build", str(data_yaml), "out", "--severity", "2")


def test_bad_input_writes_nothing(data_yaml: Path) -> None:
    runner = CliRunner()
    unknown = runner.invoke(variants_command, ["build", str(data_yaml), "out", "--suite", "croe"])
    assert isinstance(unknown.exception, UnknownName)
    split = runner.invoke(variants_command, ["build", str(data_yaml), "out", "--split", "val"])
    assert isinstance(split.exception, DataError)
    suffix = runner.invoke(variants_command, ["preview", str(data_yaml), "-o", "sheet.xyz", "--images", "1"])
    assert isinstance(suffix.exception, DataError)
    assert not Path("out").exists()
    assert not list(Path().glob("sheet*"))
