from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from robust.cli import robust
from robust.corruptions.apply import corrupt
from robust.datasets.images import write_image
from robust.datasets.load import load_dataset
from robust.errors import IntegrityError, RobustError
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.gallery import OTHER_LABELS, OTHER_RECIPE, TOO_MANY, Drawn, draw_gallery
from robust.eval.gallery_boxes import OneImage, Span, only_images
from robust.eval.gallery_images import (
    LABELS_ONLY,
    NO_CELLS,
    NO_PLACE,
    OTHER_DATA,
    OTHER_NUMBERS,
    UNREADABLE,
    Origin,
)
from robust.eval.metrics.matching import match
from robust.eval.metrics.worst_images import worst_images
from robust.eval.report.card import Card
from robust.eval.report.files import verify, write_report
from robust.eval.report.gallery import HIGHEST, MAX_PICTURE_BYTES, WIDEST, Judged, Kind, Mode, Picture, parse_gallery
from robust.eval.stored_cells import StoredCells
from robust.eval.thumbnails import blur, encode_all, shrink
from robust.eval.tracking.store import Store
from tests.eval.evidence.study_builder import Model, cell
from tests.eval.gallery_case import (
    ALARM,
    BELOW,
    CLEAN_PLACE,
    FAINT,
    FAINTER,
    HIDDEN,
    HIT,
    IGNORED,
    LONELY,
    NIGHT,
    NIGHT_PLACE,
    THRESHOLD,
    Case,
    build_case,
    log,
    write_data,
)

Corners = tuple[int, int, int, int]
DATA_URI = "data:image/webp;base64,UklGRg=="


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return build_case(tmp_path_factory.mktemp("case"))


def drawn(case: Case, mode: Mode = "blurred", origin: Origin | None = None, evidence: Evidence | None = None) -> Drawn:
    return draw_gallery(evidence or case.evidence, case.policy, mode, origin or case.origin)


def pictures(made: Drawn) -> dict[tuple[str, int], Picture]:
    return {(e.variant, e.image_id): e.picture for e in made.gallery.entries if e.picture is not None}


def pixels(picture: Picture) -> NDArray[np.uint8]:
    content = base64.b64decode(picture.data.partition(",")[2])
    found = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    assert found.shape == (picture.height, picture.width, 3)
    return found


def region(image: NDArray[np.uint8], box: Corners) -> NDArray[np.uint8]:
    """What lies in a box of the evaluated image; pictures are half its size."""
    x1, y1, x2, y2 = (v // 2 for v in box)
    return image[y1:y2, x1:x2]


def edges(image: NDArray[np.uint8]) -> float:
    """Mean absolute Laplacian: how much fine detail there is."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_64F)).mean())


def likeness(image: NDArray[np.uint8], crop: NDArray[np.uint8]) -> float:
    """Largest correlation of a crop with any place of an image, in what is finer than light and shadow."""
    fine = [one.astype(np.float32) - cv2.GaussianBlur(one, (0, 0), 3).astype(np.float32) for one in (image, crop)]
    return float(cv2.matchTemplate(fine[0], fine[1], cv2.TM_CCOEFF_NORMED).max())


def test_every_box_has_the_state_that_matching_by_hand_gives(case: Case) -> None:
    picture = pictures(drawn(case))[CLEAN_PLACE]
    told = [(b.kind, b.left, b.top, b.width, b.height, b.image_height, b.hidden, b.score) for b in picture.boxes]
    assert told == [
        ("miss", 100, 50, 30, 90, 180, 0.0, 0.2),  # a detection below the threshold fits it
        ("miss", 150, 50, 20, 50, 100, 0.4, None),
        ("false alarm", 240, 20, 40, 90, 180, None, 0.83),
        ("hit", 20, 20, 60, 180, 360, None, 0.9),
        ("ignored", 210, 150, 100, 80, 160, 0.0, None),
        ("ignored", 215, 155, 35, 70, 140, None, 0.5),  # a detection inside a region that does not count
    ]
    assert picture.counts(THRESHOLD) == {"miss": 2, "false alarm": 1, "hit": 1, "ignored": 2}
    assert {box.category for box in picture.boxes} == {"person"}
    other = pictures(drawn(case))["clean", 2]
    assert [(b.kind, b.score) for b in other.boxes] == [("false alarm", 0.7)]


def test_the_gallery_says_whose_boxes_it_shows_and_names_the_files(case: Case) -> None:
    gallery = drawn(case).gallery
    assert (gallery.candidate, gallery.split, gallery.threshold) == (case.candidate.key, "test", THRESHOLD)
    assert [(e.variant, e.image_id, e.name) for e in gallery.entries] == [
        ("clean", 1, "street.png"),
        ("clean", 2, "empty.png"),
        (NIGHT.name, 1, "street.png"),
        (NIGHT.name, 2, "empty.png"),
    ]
    assert gallery.note == ""


@pytest.mark.parametrize("place", [CLEAN_PLACE, NIGHT_PLACE])
@pytest.mark.parametrize("box", [HIT, BELOW, HIDDEN, IGNORED, ALARM])
def test_blurring_destroys_people_and_false_alarms_and_full_keeps_them(
    case: Case, place: tuple[str, int], box: Corners
) -> None:
    dataset = load_dataset(case.data, "test")
    made = (
        corrupt(dataset, 0, NIGHT) if place == NIGHT_PLACE else corrupt(dataset, 0, replace(NIGHT, corruption="clean"))
    )
    crop = region(shrink(made.pixels, WIDEST, HIGHEST)[0], box)
    full, blurred = (pixels(pictures(drawn(case, mode))[place]) for mode in ("full", "blurred"))
    assert edges(region(blurred, box)) < 0.3 * edges(region(full, box))
    assert likeness(full, crop) > 0.7
    assert likeness(blurred, crop) < 0.35


def test_what_is_outside_of_the_blurred_regions_stays_sharp(case: Case) -> None:
    full, blurred = (pixels(pictures(drawn(case, mode))["clean", 2]) for mode in ("full", "blurred"))
    kept = region(blurred, FAINTER)  # a detection of a score that hides nothing
    assert edges(kept) > 0.8 * edges(region(full, FAINTER))
    for hidden in (LONELY, FAINT):  # one at the threshold, one far below it
        assert edges(region(blurred, hidden)) < 0.25 * edges(region(full, hidden))


def test_a_blurred_region_reaches_a_tenth_beyond_the_box_and_has_few_blocks() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    after = before.copy()
    blur(after, np.array([[50.0, 40.0, 90.0, 140.0]]))
    changed = np.flatnonzero((after != before).any(axis=(0, 2))), np.flatnonzero((after != before).any(axis=(1, 2)))
    assert (changed[0].min(), changed[0].max()) == (46, 93)
    assert (changed[1].min(), changed[1].max()) == (30, 149)
    assert len(np.unique(after[30:150, 46:94].reshape(-1, 3), axis=0)) <= 4 * 10
    np.testing.assert_allclose(after[30:150, 46:94].mean(), before[30:150, 46:94].mean(), atol=1)


@pytest.mark.parametrize("box", [(-50.0, -50.0, -10.0, -10.0), (190.0, 190.0, 400.0, 400.0), (10.0, 10.0, 10.2, 10.2)])
def test_boxes_outside_or_smaller_than_a_pixel_are_no_trouble(box: tuple[float, ...]) -> None:
    image = np.full((200, 200, 3), 7, dtype=np.uint8)
    blur(image, np.array([box]))
    assert (image == 7).all()


def test_without_pictures_names_and_counts_remain(case: Case) -> None:
    made = drawn(case, "none")
    assert pictures(made) == {} and "data:image" not in made.gallery.to_json()
    assert made.gallery.note == "No pictures were asked for."
    assert [entry.name for entry in made.gallery.entries] == ["street.png", "empty.png"] * 2


def test_pictures_have_no_metadata_and_fit_their_frame(case: Case) -> None:
    for picture in pictures(drawn(case)).values():
        content = base64.b64decode(picture.data.partition(",")[2])
        assert not {b"EXIF", b"XMP ", b"ICCP"} & {content[i : i + 4] for i in range(len(content))}
        assert picture.width <= 320


@pytest.mark.parametrize(
    ("shape", "size"), [((480, 640), (320, 240)), ((4000, 1000), (100, 400)), ((50, 60), (60, 50))]
)
def test_a_picture_is_scaled_to_fit_and_never_enlarged(shape: tuple[int, int], size: tuple[int, int]) -> None:
    small, scale = shrink(np.zeros((*shape, 3), dtype=np.uint8), WIDEST, HIGHEST)
    assert (small.shape[1], small.shape[0]) == size
    assert scale == size[0] / shape[1]


def test_many_noisy_pictures_get_coarser_and_then_fewer_until_they_fit() -> None:
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(6)]
    whole = [text for text in encode_all(noisy, [0] * 6, 10**7) if text]
    budget = int(0.8 * sum(map(len, whole)))
    coarser = encode_all(noisy, [0] * 6, budget)
    assert None not in coarser and sum(len(text or "") for text in coarser) <= budget < sum(map(len, whole))
    fewer = encode_all(noisy, [0] * 6, 60_000)
    assert fewer[0] is not None and fewer[-1] is None
    assert sum(len(text or "") for text in fewer) <= 60_000
    assert encode_all(noisy[:1], [MAX_PICTURE_BYTES], MAX_PICTURE_BYTES) == [None]


def test_pictures_that_do_not_fit_are_left_out_and_it_is_said(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robust.eval.gallery.MAX_PICTURE_BYTES", 12_000)
    made = drawn(case, "full")
    assert 0 < len(pictures(made)) < 4
    assert TOO_MANY in made.gallery.note
    assert sum(picture.page_bytes for picture in pictures(made).values()) <= 12_000


def test_the_same_inputs_give_the_same_gallery(case: Case) -> None:
    assert drawn(case).gallery.to_json() == drawn(case).gallery.to_json()


def test_boxes_of_a_few_images_are_those_of_the_whole_cell() -> None:
    """Matched alone or with all the others, an image has the same misses and false alarms."""
    whole = cell("test", NIGHT, Model("m", draw=3))
    everything = worst_images(match(whole.truth, whole.predictions, (0.5,)), 0.4, most=1000)
    expected = {one.image_id: one for one in (*everything.by_misses, *everything.by_false_positives)}
    chosen = list(expected)[::3]
    truth, predictions = only_images(whole, chosen[::-1])
    matches = match(truth, predictions, (0.5,))
    assert truth.image_ids.tolist() == sorted(chosen)
    for k, image_id in enumerate(truth.image_ids.tolist()):
        boxes = OneImage(truth, predictions, matches, k).boxes(Span(0.4, 0.4, 0.4), 0.5, (320, 320))
        kinds = [box.kind for box in boxes]
        assert kinds.count("miss") == expected[image_id].misses
        assert kinds.count("false alarm") == expected[image_id].false_positives
        assert kinds.count("hit") == expected[image_id].n_objects - expected[image_id].misses


def test_boxes_of_a_sweep_are_at_each_threshold_those_of_that_threshold() -> None:
    """The judge is the same matching, asked for each threshold alone."""
    whole = cell("test", NIGHT, Model("m", draw=3))
    truth, predictions = only_images(whole, whole.truth.image_ids.tolist())
    matches = match(truth, predictions, (0.5,))
    swept = [0.3, 0.45, 0.6, 0.8]
    moved = 0
    for k, image_id in enumerate(truth.image_ids.tolist()):
        image = OneImage(truth, predictions, matches, k)
        everything = image.boxes(Span.of(0.45, swept), 0.5, (320, 320))
        picture = Picture(data=DATA_URI, width=320, height=320, boxes=everything[:3], undrawn=everything[3:])
        there = [box.shown_at(0.45) for box in everything]
        assert there == sorted(there, reverse=True)  # what is there at the chosen threshold comes first
        for threshold in swept:
            alone = image.boxes(Span(threshold, threshold, threshold), 0.5, (320, 320))
            assert {b for b in everything if b.shown_at(threshold)} == set(alone)
            found = worst_images(matches, threshold, most=1000)
            counted = {one.image_id: one for one in (*found.by_misses, *found.by_false_positives)}.get(image_id)
            counts = picture.counts(threshold)
            expected = (counted.misses, counted.false_positives) if counted else (0, 0)
            assert (counts["miss"], counts["false alarm"]) == expected
            moved += len(alone) != sum(there)
    assert moved > 10  # the thresholds do differ


@pytest.mark.parametrize(
    ("kind", "score", "there"),
    [
        ("hit", 0.5, [True, True, False]),  # a score at the threshold counts
        ("false alarm", 0.5, [True, True, False]),
        ("ignored", 0.5, [True, True, False]),
        ("ignored", None, [True, True, True]),
        ("miss", 0.5, [False, False, True]),
        ("miss", None, [True, True, True]),
    ],
)
def test_detections_end_and_misses_begin_above_their_score(kind: Kind, score: float | None, there: list[bool]) -> None:
    assert [Judged(kind=kind, score=score).shown_at(threshold) for threshold in (0.4, 0.5, 0.6)] == there


def test_a_span_holds_the_chosen_threshold_also_outside_of_the_sweep() -> None:
    assert Span.of(0.2, (0.3, 0.8)) == Span(0.2, 0.2, 0.8)
    assert Span.of(0.5, (0.3, 0.8)) == Span(0.5, 0.3, 0.8)
    assert Span.of(0.5, ()) == Span(0.5, 0.5, 0.5)


def test_images_are_found_where_they_were_evaluated(case: Case) -> None:
    (fingerprint,) = {split.fingerprint for split in case.evidence.data.splits}
    assert drawn(case, origin=Origin(None, {fingerprint: case.data}, case.read)).gallery == drawn(case).gallery
    assert NO_PLACE in drawn(case, origin=Origin(None, {"0" * 64: case.data}, case.read)).gallery.note


def check_missing(case: Case, made: Drawn, reason: str, folder: Path) -> None:
    """No picture, the reason is said, and the report is still whole."""
    assert pictures(made) == {}
    assert made.gallery.note == f"Pictures are missing: {reason}."
    write_report(case.evidence, case.policy, Card(), folder, gallery=made.gallery)
    verify(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert reason in text and "data:image" not in text


def test_lost_images_give_a_reason_and_a_whole_report(case: Case, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    (tmp_path / "data/images/street.png").unlink()
    made = drawn(case, origin=Origin(data, read=case.read))
    check_missing(case, made, UNREADABLE, tmp_path / "report")
    assert any("street.png" in trouble for trouble in made.trouble)
    assert str(tmp_path) not in made.gallery.to_json()


def test_images_that_were_changed_are_not_shown(case: Case, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    write_image(tmp_path / "data/images/empty.png", np.zeros((480, 640, 3), dtype=np.uint8))
    check_missing(case, drawn(case, origin=Origin(data, read=case.read)), OTHER_DATA, tmp_path / "report")


def test_images_under_other_numbers_are_not_shown(case: Case, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    text = data.read_text(encoding="utf-8")
    for old, new in ((2, 3), (1, 2)):  # the fingerprint does not know numbers
        text = text.replace(f'"image_id": {old},', f'"image_id": {new},').replace(
            f'"id": {old}, "file_name"', f'"id": {new}, "file_name"'
        )
    data.write_text(text, encoding="utf-8")
    moved = load_dataset(data, "test")
    assert [image.id for image in moved.images] == [2, 3]
    assert moved.fingerprint == load_dataset(case.data, "test").fingerprint
    made = drawn(case, origin=Origin(data, read=case.read))
    check_missing(case, made, OTHER_NUMBERS, tmp_path / "report")
    assert {entry.name for entry in made.gallery.entries} == {None}


def test_detections_that_were_judged_by_labels_alone_get_names_and_no_pictures(case: Case, tmp_path: Path) -> None:
    blind = load_dataset(case.data, "test", labels_only=True).fingerprint
    splits = tuple(split.model_copy(update={"fingerprint": blind}) for split in case.evidence.data.splits)
    data = case.evidence.data.model_copy(update={"splits": splits})
    made = drawn(case, evidence=case.evidence.model_copy(update={"data": data}))
    check_missing(case, made, LABELS_ONLY, tmp_path / "report")
    assert [entry.name for entry in made.gallery.entries] == ["street.png", "empty.png"] * 2


def test_without_stored_predictions_there_are_numbers_only(case: Case, tmp_path: Path) -> None:
    @contextmanager
    def lost(candidate: CandidateEvidence) -> Iterator[StoredCells]:
        raise RobustError("The run holds no predictions.")
        yield StoredCells(tmp_path, candidate, "lost")

    for number, origin in enumerate((Origin(case.data), Origin(case.data, read=lost))):
        made = drawn(case, origin=origin)
        check_missing(case, made, NO_CELLS, tmp_path / str(number))
        assert {entry.name for entry in made.gallery.entries} == {None}
    assert made.trouble == ("The run holds no predictions.",)


def test_other_predictions_than_the_evidence_was_measured_from_are_refused(case: Case) -> None:
    at = case.candidate.sweep.at_threshold
    worst = at[0].worst.by_misses[0].model_copy(update={"misses": 1})
    lists = at[0].worst.model_copy(update={"by_misses": (worst,), "by_false_positives": ()})
    changed = (at[0].model_copy(update={"worst": lists}), *at[1:])
    sweep = case.candidate.sweep.model_copy(update={"at_threshold": changed})
    candidate = case.candidate.model_copy(update={"sweep": sweep})
    with pytest.raises(IntegrityError, match="not those that the evidence was measured from"):
        drawn(case, evidence=case.evidence.model_copy(update={"candidates": (candidate,)}))


def with_night(case: Case, **changes: object) -> Evidence:
    (night,) = case.evidence.suite.variants
    suite = case.evidence.suite.model_copy(update={"variants": (night.model_copy(update=changes),)})
    return case.evidence.model_copy(update={"suite": suite})


def test_a_variant_that_would_be_made_otherwise_is_not_shown(case: Case) -> None:
    made = drawn(case, evidence=with_night(case, recipe_sha256="0" * 64))
    assert made.gallery.note == f"Pictures of {NIGHT.name} are missing: {OTHER_RECIPE}."
    assert set(pictures(made)) == {("clean", 1), ("clean", 2)}


def test_a_variant_with_other_labels_than_evaluated_is_not_shown(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(dataset: object, index: int, variant: object) -> object:
        made = corrupt(dataset, index, variant)  # type: ignore[arg-type]
        return replace(made, annotations=made.annotations.with_(boxes=made.annotations.boxes + 1))

    monkeypatch.setattr("robust.eval.gallery.corrupt", shifted)
    made = drawn(case)
    assert f"Pictures of clean, {NIGHT.name} are missing: {OTHER_LABELS}." == made.gallery.note
    assert set(pictures(made)) == {("clean", 2), (NIGHT.name, 2)}  # without labels there are none to differ


def test_other_libraries_than_the_evaluation_had_are_named(case: Case) -> None:
    made = drawn(case, evidence=case.evidence.model_copy(update={"environment": {"numpy": "0.1"}}))
    assert "numpy" in made.gallery.note and "not 0.1" in made.gallery.note
    assert len(pictures(made)) == 4


def test_a_study_without_candidate_or_threshold_has_an_empty_gallery(case: Case) -> None:
    nobody = case.evidence.model_copy(update={"candidates": ()})
    assert drawn(case, evidence=nobody).gallery.entries == ()


def test_the_command_finds_predictions_and_images_by_itself(tmp_path: Path, new_store: Callable[[Path], Store]) -> None:
    case = build_case(tmp_path / "case")
    store = new_store(tmp_path / "store")
    log(case, store)
    asked = ["report", "--experiment", "measured", "--tracking-uri", store.tracking_uri, "-o", str(tmp_path / "report")]
    done = CliRunner().invoke(robust, asked)
    assert done.exit_code == 0, done.output
    written = parse_gallery((tmp_path / "report/gallery.json").read_bytes(), "gallery.json")
    assert written.entries == drawn(case).gallery.entries and done.stderr == ""
    assert CliRunner().invoke(robust, ["verify", str(tmp_path / "report")]).exit_code == 0
    moved = case.data.parent.rename(tmp_path / "moved") / case.data.name
    lost = CliRunner().invoke(robust, asked)
    assert lost.exit_code == 0 and UNREADABLE in lost.stderr
    found = CliRunner().invoke(robust, [*asked, "--data", str(moved), "--thumbnails", "full"])
    assert found.exit_code == 0 and found.stderr == ""
    again = parse_gallery((tmp_path / "report/gallery.json").read_bytes(), "gallery.json")
    assert again.mode == "full" and {entry.picture is None for entry in again.entries} == {False}
