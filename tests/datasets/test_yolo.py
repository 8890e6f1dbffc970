from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.datasets.data_yaml import read_data_yaml
from robust.datasets.images import write_image
from robust.datasets.records import Annotations, Category, Dataset
from robust.datasets.yolo import label_path, read_yolo, scan_yolo, write_yolo
from robust.errors import DataError
from tests.datasets.builders import HEIGHT, WIDTH, make_yolo, picture

BOX = "0 0.5 0.5 0.25 0.5\n"


def _tree(root: Path) -> set[str]:
    return {file.relative_to(root).as_posix() for file in root.rglob("*")}


def test_images_are_numbered_by_name_and_objects_through_the_split(tmp_path: Path) -> None:
    source = make_yolo(
        tmp_path / "set", {"test": {"b.png": BOX * 1, "a.JPG": BOX + "0 0.2 0.2 0.1 0.1\n", "c.png": None}}
    )
    before = _tree(tmp_path)
    dataset = read_yolo(source, "test")
    assert [(i.id, i.file_name, i.width, i.height) for i in dataset.images] == [
        (1, "a.JPG", WIDTH, HEIGHT),
        (2, "b.png", WIDTH, HEIGHT),
        (3, "c.png", WIDTH, HEIGHT),
    ]
    assert [a.ids.tolist() for a in dataset.annotations] == [[1, 2], [3], []]
    np.testing.assert_allclose(dataset.annotations[1].boxes, [[24, 12, 40, 36]])
    assert dataset.categories == (Category(1, "person"),)
    assert (dataset.name, dataset.split) == ("set", "test")
    assert _tree(tmp_path) == before, "the user's folder is never written to"


def test_a_missing_and_an_empty_label_file_mean_that_nothing_is_there(tmp_path: Path) -> None:
    dataset = read_yolo(
        make_yolo(tmp_path, {"test": {"a.png": None, "b.png": "", "c.png": BOX, "d.png": "\n"}}), "test"
    )
    assert [len(a) for a in dataset.annotations] == [0, 0, 1, 0]


def test_no_label_file_at_all_is_an_error_because_the_folder_is_misplaced(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no label file for any of 2 images"):
        read_yolo(make_yolo(tmp_path, {"test": {"a.png": None, "b.png": None}}), "test")


def test_labels_lie_where_ultralytics_looks() -> None:
    assert label_path(Path("/x/images/images/train/a.b.jpg")) == Path("/x/images/labels/train/a.b.txt")
    assert label_path(Path("/x/frames/a.jpg")) == Path("/x/frames/a.txt")
    assert label_path(Path("/x/images.jpg")) == Path("/x/images.txt")


def test_a_wrong_label_is_told_with_file_line_and_the_number_of_others(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX + "0 0.5 0.5 1.5 0.5\n", "b.png": "3 0.5 0.5 0.1 0.1\n"}})
    with pytest.raises(DataError, match=r"a\.txt:2: 1\.5 is outside 0\.\.1") as caught:
        read_yolo(source, "test")
    assert "1 more" in caught.value.why
    assert caught.value.exit_code == 2


def test_an_unreadable_image_or_label_file_is_an_error_naming_it(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX, "b.png": BOX}})
    (tmp_path / "images" / "test" / "a.png").write_bytes(b"broken")
    (tmp_path / "labels" / "test" / "b.txt").write_bytes(b"\xff\xfe\xfa")
    problems = scan_yolo(read_data_yaml(source), "test").problems
    assert [p.code for p in problems if p.severity == "error"] == ["image-unreadable", "label-unreadable"]
    with pytest.raises(DataError, match=r"a\.png"):
        read_yolo(source, "test")


def test_an_empty_split_and_a_missing_folder_are_errors(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"train": {"a.png": BOX}}, test="images/none", val="images/empty", download="exit(1)")
    (tmp_path / "images" / "empty").mkdir()
    with pytest.raises(DataError, match="'val' is empty"):
        read_yolo(source, "val")
    with pytest.raises(DataError, match="does not exist") as caught:
        read_yolo(source, "test")
    assert "never run" in caught.value.fix


def test_a_list_finds_images_beside_itself_in_the_root_and_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_yolo(tmp_path / "set", {"train": {"a.png": BOX, "b.png": BOX, "c.png": BOX}}, test="lists/test.txt")
    lists = tmp_path / "set" / "lists"
    lists.mkdir()
    absolute = tmp_path / "set" / "images" / "train" / "c.png"
    monkeypatch.chdir(tmp_path)
    beside, in_root, in_cwd = (
        "../images/train/a.png\n./../images/train/b.png",
        "images/train/a.png",
        "set/images/train/a.png",
    )
    text = f"\ufeff{beside}\n\n{absolute}\n{in_root}\n{in_cwd}\n"
    (lists / "test.txt").write_text(text, encoding="utf-8")
    scan = scan_yolo(read_data_yaml(source), "test")
    assert [image.file_name for image in scan.dataset.images] == ["a.png", "b.png", "c.png"]
    assert [p.code for p in scan.problems] == ["image-listed-twice"]
    (lists / "test.txt").write_text("images/train/a.png\nimages/train/gone.png\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.txt:2: there is no image images/train/gone\.png"):
        read_yolo(source, "test")


def test_a_split_of_several_folders_names_images_from_their_common_folder(tmp_path: Path) -> None:
    source = make_yolo(
        tmp_path, {"a": {"1.png": BOX}, "b": {"1.png": BOX}}, a=None, b=None, test=["images/a", "images/b"]
    )
    assert [image.file_name for image in read_yolo(source, "test").images] == ["a/1.png", "b/1.png"]


def test_hidden_files_are_no_images(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX}})
    (tmp_path / "images" / "test" / "._a.png").write_bytes(b"resource fork")
    assert len(read_yolo(source, "test")) == 1


def test_shared_and_left_over_label_files_are_warned_of(tmp_path: Path) -> None:
    source = make_yolo(tmp_path, {"test": {"a.png": BOX, "a.jpg": BOX, "gone.png": BOX}})
    (tmp_path / "images" / "test" / "gone.png").unlink()
    (tmp_path / "labels" / "test" / "classes.txt").write_text("person\n", encoding="utf-8")
    problems = scan_yolo(read_data_yaml(source), "test").problems
    assert [(p.severity, p.code) for p in problems] == [("warning", "label-shared"), ("warning", "label-without-image")]
    assert "1, such as gone.txt" in problems[1].message


def test_what_is_written_reads_the_same_and_in_the_same_words(tmp_path: Path) -> None:
    labels = {"a.png": "0 0.671279 0.617945 0.645759 0.726859\n1 0.1 0.2 0.05 0.1\n", "night/b.png": None}
    source = make_yolo(tmp_path / "one", {"train": labels, "test": {"c.png": BOX}}, names=["person", 'dog: "é"'])
    first = [read_yolo(source, split) for split in ("train", "test")]
    target = write_yolo(first, tmp_path / "two")
    assert [read_yolo(target, d.split).fingerprint for d in first] == [d.fingerprint for d in first]
    assert (tmp_path / "two/labels/train/a.txt").read_text(encoding="utf-8") == labels["a.png"]
    assert (tmp_path / "two/labels/train/night/b.txt").read_text(encoding="utf-8") == ""


def test_ignored_regions_are_left_out_of_yolo(tmp_path: Path) -> None:
    dataset = read_yolo(make_yolo(tmp_path, {"test": {"a.png": BOX + "0 0.2 0.2 0.1 0.1\n"}}), "test")
    ignored = dataset.annotations[0].with_(iscrowd=np.array([False, True]))
    changed = Dataset("x", "test", dataset.images, (ignored,), dataset.categories)
    assert read_yolo(write_yolo([changed], tmp_path / "out"), "test").n_objects == 1


def test_what_yolo_cannot_say_is_an_error(tmp_path: Path) -> None:
    dataset = read_yolo(make_yolo(tmp_path, {"test": {"a.png": BOX, "a.jpg": BOX}}), "test")
    with pytest.raises(DataError, match="'a'"):
        write_yolo([dataset], tmp_path / "out")
    odd = Dataset("x", "night", dataset.images[:1], (Annotations.empty(),), dataset.categories)
    with pytest.raises(DataError, match="'night'"):
        write_yolo([odd], tmp_path / "out")
    other = Dataset("x", "val", dataset.images[:1], (Annotations.empty(),), (Category(1, "dog"),))
    with pytest.raises(DataError, match="class names"):
        write_yolo([dataset, other], tmp_path / "out")
    with pytest.raises(DataError, match="no split"):
        write_yolo([], tmp_path / "out")


def test_sizes_and_boxes_follow_exif_orientation(tmp_path: Path) -> None:
    from PIL import Image

    source = make_yolo(tmp_path, {"test": {"a.png": BOX}})
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(picture(1)).save(tmp_path / "images/test/a.jpg", exif=exif)
    (tmp_path / "images/test/a.png").unlink()
    dataset = read_yolo(source, "test")
    assert (dataset.images[0].width, dataset.images[0].height) == (HEIGHT, WIDTH)
    np.testing.assert_allclose(dataset.annotations[0].boxes, [[18, 16, 30, 48]])


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    splits = {"test": {"a.png": BOX, "b.png": None}}
    one = read_yolo(make_yolo(tmp_path / "one", splits), "test")
    two = read_yolo(make_yolo(tmp_path / "two" / "deep", splits), "test")
    assert one.fingerprint == two.fingerprint
    write_image(tmp_path / "one/images/test/a.png", picture(99))
    assert read_yolo(tmp_path / "one/data.yaml", "test").fingerprint != two.fingerprint
