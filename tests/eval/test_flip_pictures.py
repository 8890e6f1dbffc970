from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from robust.cli import robust
from robust.errors import IntegrityError
from robust.eval.flip_pictures import MAX_FLIP_BYTES, PICTURED, draw_flips
from robust.eval.gallery_images import NO_CELLS, UNREADABLE, Origin
from robust.eval.metrics.threshold_costs import FlippedImage, Flips, ThresholdCosts
from robust.eval.report.gallery import Mode
from robust.eval.tracking.store import Store
from tests.eval.gallery_case import THRESHOLD, Case, build_case, log


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return build_case(tmp_path_factory.mktemp("case"))


def costs(*found: tuple[float, tuple[FlippedImage, ...]]) -> ThresholdCosts:
    """Of the two images of the case, as matching by hand gives them."""
    flips = tuple(Flips(threshold=threshold, n_changed=len(images), images=images) for threshold, images in found)
    return ThresholdCosts(split="test", chosen=THRESHOLD, n_images=2, n_units=2, costs=(), flips=flips)


BELOW = FlippedImage(image_id=1, tp=1, fp=0, n_objects=3)  # at 0.1, the detection of score 0.2 finds an object
ABOVE = FlippedImage(image_id=2, tp=0, fp=-1, n_objects=0)  # at 0.75, the false alarm of score 0.7 is gone
BOTH = costs((0.1, (BELOW,)), (0.75, (ABOVE,)))


@pytest.mark.parametrize("mode", ["blurred", "full"])
def test_every_image_that_flips_gets_its_name_and_its_picture(case: Case, mode: Mode) -> None:
    made = draw_flips(case.evidence, case.candidate, BOTH, mode, case.origin)
    assert made.trouble == () and made.gallery.note == ""
    assert [(e.variant, e.image_id, e.name) for e in made.gallery.entries] == [
        ("clean", 1, "street.png"),
        ("clean", 2, "empty.png"),
    ]
    assert (made.gallery.candidate, made.gallery.split, made.gallery.threshold) == (
        case.candidate.key, "test", THRESHOLD,
    )  # fmt: skip
    first, second = (entry.picture for entry in made.gallery.entries)
    assert first is not None and second is not None
    assert first.counts(THRESHOLD) == {"miss": 2, "false alarm": 1, "hit": 1, "ignored": 2}
    assert second.counts(THRESHOLD)["false alarm"] == 1 and second.counts(0.75)["false alarm"] == 0
    assert first.page_bytes + second.page_bytes <= MAX_FLIP_BYTES


def test_only_the_first_images_of_each_pair_get_a_picture_and_all_their_names(case: Case) -> None:
    twice = costs((0.1, (BELOW,) * PICTURED + (ABOVE,)))
    with pytest.raises(IntegrityError, match=r"Image 2 has other counts"):
        draw_flips(case.evidence, case.candidate, costs((0.1, (BELOW, ABOVE))), "full", case.origin)
    entries = draw_flips(case.evidence, case.candidate, twice, "full", case.origin).gallery.entries
    assert [(e.name, e.picture is not None) for e in entries] == [("street.png", True), ("empty.png", False)]


def test_without_pictures_names_remain(case: Case) -> None:
    gallery = draw_flips(case.evidence, case.candidate, BOTH, "none", case.origin).gallery
    assert [(e.name, e.picture) for e in gallery.entries] == [("street.png", None), ("empty.png", None)]


def test_without_stored_predictions_a_reason_is_told(case: Case) -> None:
    gallery = draw_flips(case.evidence, case.candidate, BOTH, "full", Origin(case.data)).gallery
    assert gallery.note == f"Pictures are missing: {NO_CELLS}."
    assert [(e.image_id, e.name, e.picture) for e in gallery.entries] == [(1, None, None), (2, None, None)]


def test_other_predictions_than_were_swept_are_refused(case: Case) -> None:
    other = costs((0.1, (BELOW.model_copy(update={"tp": 2}),)))
    with pytest.raises(IntegrityError, match=r"predictions of clean are not those[^\n]*\nImage 1 has other counts"):
        draw_flips(case.evidence, case.candidate, other, "blurred", case.origin)


def test_the_command_shows_the_images_that_flip_and_reads_none_unless_it_writes_a_folder(
    tmp_path: Path, new_store: Callable[[Path], Store]
) -> None:
    case = build_case(tmp_path / "case")
    store = new_store(tmp_path / "store")
    log(case, store)
    moved = case.data.parent.rename(tmp_path / "moved") / case.data.name

    def swept(*more: object) -> tuple[str, str]:
        """The document of the candidate, without what stands before its content, and what was told."""
        named = [
            "sweep",
            "--experiment",
            "measured",
            "--tracking-uri",
            store.tracking_uri,
            "--from",
            "0.5",
            "--to",
            "0.95",
        ]
        done = CliRunner().invoke(robust, [*named, *map(str, more)])
        assert done.exit_code == 0, done.output
        page = tmp_path / "out" / case.candidate.name / "tuning.html"
        return page.read_text(encoding="utf-8").partition("<main>")[2] if page.exists() else "", done.stderr

    page, told = swept()
    assert page == "" and "Pictures" not in told
    page, told = swept("-o", tmp_path / "out")
    assert "Pictures are missing: " in told and "street.png" not in page and "<image href" not in page
    assert UNREADABLE in page
    page, told = swept("-o", tmp_path / "out", "--data", moved, "--thumbnails", "full")
    assert "Pictures are missing" not in told
    assert "street.png (image 1)" in page and page.count("<image href") == 2
    page, told = swept("-o", tmp_path / "out", "--data", moved, "--thumbnails", "none")
    assert "street.png (image 1)" in page and "<image href" not in page
