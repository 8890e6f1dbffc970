"""Reading COCO result files, which come from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust.datasets.records import Annotations, Category, Dataset, ImageRecord
from robust.errors import DataError
from robust.eval import coco_results
from robust.eval.coco_results import Results, read_results


def dataset(names: tuple[str, ...] = ("a/one.jpg", "b/two.png", "b/three.png"), ids: Any = (4, 42, 7000)) -> Dataset:
    images = tuple(ImageRecord(i, name, Path(name), 640, 480, "") for i, name in zip(ids, names, strict=True))
    return Dataset("d", "test", images, (Annotations.empty(),) * len(ids), (Category(1, "person"), Category(3, "dog")))


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"image_id": 42, "category_id": 1, "bbox": [10.0, 20.0, 30.0, 40.0], "score": 0.5, **changes}
    return {key: value for key, value in whole.items() if value is not ...}


def read(*entries: Any, of: Dataset | None = None, **options: Any) -> Results:
    Path("r.json").write_text(json.dumps(list(entries)), encoding="utf-8")
    return read_results(Path("r.json"), of or dataset(), **options)


def test_detections_of_an_image_are_sorted_by_falling_score_and_ties_keep_the_order_of_the_file() -> None:
    found = read(
        entry(score=0.2, bbox=[1, 1, 1, 1]),
        entry(image_id=7000, score=0.1),
        entry(score=0.9, bbox=[2, 2, 2, 2]),
        entry(score=0.2, bbox=[3, 3, 3, 3]),
        entry(image_id=4, score=0.0),
    ).predictions
    assert found.image_ids.tolist() == [4, 42, 7000]
    assert found.image_index.tolist() == [0, 1, 1, 1, 2]
    assert found.scores.tolist() == [0.0, 0.9, 0.2, 0.2, 0.1]
    assert found.boxes[1:4, 0].tolist() == [2, 1, 3]


def test_boxes_stay_as_they_are_and_nothing_is_cut_off() -> None:
    many = [entry(score=i / 1e6, bbox=[-5.5, -3.25, 10.1, 1000.7]) for i in range(400)]
    found = read(*many).predictions
    assert len(found) == 400
    np.testing.assert_array_equal(found.boxes[0], [-5.5, -3.25, -5.5 + 10.1, -3.25 + 1000.7])
    assert found.scores.min() == 0.0


def test_unknown_categories_are_left_out_and_told() -> None:
    found = read(entry(), entry(category_id=77), entry(category_id=2), entry(category_id=77), entry(category_id=-1))
    assert len(found.predictions) == 1
    assert found.left_out == {-1: 1, 2: 1, 77: 2}
    assert "4 detections left out: the data has no category -1, 2, 77." in found.notes[-1]
    many = read(*(entry(category_id=i) for i in range(100, 120)))
    assert many.notes[-1].endswith("106, 107 and 12 more.")


def test_repeated_detections_are_kept_and_told() -> None:
    found = read(entry(score=0.01), entry(score=0.01), entry(score=0.02))
    assert (len(found.predictions), found.n_repeated) == (3, 1)
    assert found.notes == ("1 detections are there twice; kept, and counted as false alarms.",)


def test_a_file_that_was_cut_off_is_told() -> None:
    assert "No score is below 0.3. AP is understated" in read(entry(score=0.3), entry(score=0.7)).notes[0]
    assert read(entry(score=0.05)).notes == ()
    assert read(entry(score=0.05)).lowest_score == 0.05


def test_an_empty_list_is_a_detector_that_finds_nothing() -> None:
    found = read()
    assert (len(found.predictions), found.lowest_score, found.predictions.boxes.shape) == (0, None, (0, 4))
    assert found.notes == ("The file holds no detection, so nothing is found.",)


def test_boxes_that_cannot_be_in_pixels_or_have_corners_for_sides_are_told() -> None:
    found = read(entry(score=0.01, bbox=[0.1, 0.2, 0.3, 0.4]), entry(score=0.01, bbox=[600, 10, 640, 50]), entry())
    assert found.n_astray == 2
    assert "2 of 3 boxes lie far outside" in found.notes[0]


def test_images_may_be_named_by_their_file() -> None:
    found = read(entry(image_id="a/one.jpg"), entry(image_id="two.png"), entry(image_id="three"))
    assert found.predictions.image_index.tolist() == [0, 1, 2]


def test_a_name_that_two_images_share_names_neither() -> None:
    twins = dataset(("a/1.jpg", "b/1.jpg"), (1, 2))
    assert read(entry(image_id="b/1.jpg"), of=twins).predictions.image_index.tolist() == [1]
    with pytest.raises(DataError, match=r"no image that is called '1.jpg'"):
        read(entry(image_id="1.jpg"), of=twins)


def test_numbers_that_could_be_ids_or_file_names_are_refused() -> None:
    """YOLO images 1, 10, 2 are counted 1, 2, 3: image_id 2 of another tool would silently be another image."""
    counted = dataset(("1.jpg", "10.jpg", "2.jpg"), (1, 2, 3))
    with pytest.raises(DataError, match="image_id 2 can mean two images") as caught:
        read(entry(image_id=2), of=counted, ids_are_own=False)
    assert "robust data convert" in caught.value.fix
    assert read(entry(image_id=2), of=counted).predictions.image_index.tolist() == [1]
    assert read(entry(image_id="2"), of=counted, ids_are_own=False).predictions.image_index.tolist() == [2]
    same = dataset(("1.jpg", "2.jpg", "x.jpg"), (1, 2, 3))
    assert read(entry(image_id=2), of=same, ids_are_own=False).predictions.image_index.tolist() == [1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry(bbox=...), "no bbox"),
        (entry(bbox=..., segmentation={"size": [4, 4], "counts": "x"}), "segmentation but no bbox"),
        (entry(bbox=None, keypoints=[1, 2, 2]), "keypoints but no bbox"),
        (entry(bbox=[1, 2, 3]), r"\[x, y, width, height\]"),
        (entry(bbox="1 2 3 4"), r"\[x, y, width, height\]"),
        (entry(bbox=[1, 2, float("nan"), 4]), "not finite"),
        (entry(bbox=[1, 2, 10**400, 4]), "not finite"),
        (entry(bbox=[1, 2, 1e308, 4]), "no box in pixels"),
        (entry(bbox=[1, 2, -3, 4]), "no area"),
        (entry(bbox=[1, 2, 3, 0]), "no area"),
        (entry(bbox=[1e8, 2, 1e-9, 4]), "no area"),
        (entry(bbox=["1", 2, 3, 4]), "bbox holds text"),
        (entry(score="0.5"), "score holds text"),
        (entry(score=None), "score holds null"),
        (entry(score=True), "score holds true"),
        (entry(score=...), "no score"),
        (entry(score=float("inf")), "score is not finite"),
        (entry(score=93.0), r"score 93 is outside of 0\.\.1"),
        (entry(score=-0.01), "outside of 0"),
        (entry(image_id=...), "no image_id"),
        (entry(image_id=43), "no image 43"),
        (entry(image_id="42"), "no image that is called '42'"),
        (entry(image_id=[42]), "image_id holds a list"),
        (entry(image_id=42.5), "no whole number"),
        (entry(category_id=...), "no category_id"),
        (entry(category_id="1"), "category_id holds text"),
        (entry(category_id=1.5), "no whole number"),
        (entry(category_id=2**60), "too large"),
        ([1, 2], "no detection but a list"),
        (None, "no detection but null"),
        ("x" * 5000, "no detection but text"),
    ],
)
def test_a_wrong_entry_is_named_with_what_to_do(wrong: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(entry(), wrong, wrong)
    assert "r.json: entry [1]: " in caught.value.what
    assert "2 of 3 entries are wrong" in caught.value.why
    assert caught.value.fix
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not valid JSON"),
        (b"[{]", "not valid JSON"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"{}", "no list but an object"),
        (b"3", "no list but a number"),
        (b'{"images": [], "annotations": [], "categories": []}', "an annotation file"),
        (b"[" * 200_000, "cannot be read"),
        (b"[" + b"9" * 10_000 + b"]", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_results_is_refused(content: bytes, words: str) -> None:
    Path("r.json").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_results(Path("r.json"), dataset())
    assert words in str(caught.value)
    assert "r.json" in caught.value.what


def test_a_missing_or_huge_file_and_a_folder_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_results(Path("none.json"), dataset())
    with pytest.raises(DataError, match="cannot be read"):
        read_results(Path(), dataset())
    monkeypatch.setattr(coco_results, "LARGEST", 10)
    with pytest.raises(DataError, match="too large") as caught:
        read(entry())
    assert "100 detections" in caught.value.fix


def test_a_byte_order_mark_and_whole_numbers_written_as_floats_are_no_fault() -> None:
    Path("r.json").write_text(json.dumps([entry(image_id=42.0, category_id=1.0, score=1)]), encoding="utf-8-sig")
    assert read_results(Path("r.json"), dataset()).predictions.image_index.tolist() == [1]
