"""Pictures of images that change between neighbouring thresholds, in the tuning report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from robust.errors import IntegrityError
from robust.eval.metrics.threshold_costs import ThresholdCosts
from robust.eval.report.gallery import Box, Entry, Gallery, Picture
from robust.eval.report.tuning import TuningSection, build_tuning
from robust.eval.report.tuning_cells import ELSEWHERE, TuningSubject
from robust.eval.report.tuning_render import render_tuning_html, tuning_documents

from .test_tuning import HOSTILE
from .tuning_subjects import Page, measured_subject, page_data, renamed

DATA_URI = "data:image/webp;base64,UklGRg=="
PLACE = {"left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0, "category": "person", "image_height": 34}


def pictured(costs: ThresholdCosts, subject: TuningSubject, *, name: str = "a.png", bulk: int = 0) -> Gallery:
    """Every image that flips: one miss, one hit of score 0.9, and a false alarm that is there below 0.55."""
    boxes = (
        Box(kind="miss", **PLACE),
        Box(kind="hit", score=0.9, **PLACE),
        Box(kind="false alarm", score=0.55, **PLACE),
    )
    picture = Picture(data=DATA_URI[:-8] + "A" * bulk + DATA_URI[-8:], width=9, height=9, boxes=boxes)
    ids = dict.fromkeys(one.image_id for flips in costs.flips for one in flips.images)
    entries = [Entry(variant="clean", image_id=one, name=name) for one in ids]
    first = entries[0].model_copy(update={"picture": picture})
    return Gallery(
        mode="blurred",
        candidate=subject.candidate.key,
        split=costs.split,
        threshold=costs.chosen,
        entries=(first, *entries[1:]),
    )


def subject_with_pictures(**given: object) -> TuningSubject:
    subject = measured_subject()
    galleries = {costs.split: pictured(costs, subject, **given) for costs in subject.costs}  # type: ignore[arg-type]
    return replace(subject, pictures=galleries)


def section(subject: TuningSubject) -> TuningSection:
    (only,) = build_tuning([subject]).sections
    return only


def test_images_that_flip_are_told_by_file_and_shown_with_what_changes() -> None:
    subject = subject_with_pictures()
    one = section(subject)
    costs = subject.costs[0]
    assert {row.header.partition(" ")[0] for table in one.flips for row in table.rows} == {"a.png"}
    assert [group.title for group in one.flip_gallery.groups] == [
        f"clean images of {split}: 1 picture" for split in ("val", "test")
    ]
    shot = one.flip_gallery.groups[0].shots[0]
    flips, image = costs.flips[0], costs.flips[0].images[0]
    assert shot.counts == f"1 of {image.n_objects} missed, {1 if costs.chosen <= 0.55 else 0} false alarms".replace(
        "1 false alarms", "1 false alarm"
    )
    sign = f"{image.tp:+d}" if image.tp else "0"
    assert shot.places.startswith(f"from {costs.chosen:.2f} to {flips.threshold:.2f}: hits {sign}, false alarms ")
    assert "cannot be recognised" in one.flip_gallery.note


def test_boxes_of_the_page_say_at_how_many_thresholds_they_are_found() -> None:
    subject = subject_with_pictures()
    page = Page(render_tuning_html(build_tuning([subject])))
    found = [(a["class"], a["data-found"]) for tag, a in page.tags if tag == "path" and "data-found" in a]
    swept = subject.thresholds
    expected = [("missed", "0"), ("hit", str(len(swept))), ("alarm", str(sum(t <= 0.55 for t in swept)))]
    assert found == expected * 2


def test_a_document_of_several_has_names_and_says_where_the_pictures_are() -> None:
    subject = subject_with_pictures()
    documents = tuning_documents([subject, renamed(measured_subject(), "other")]).contents
    html, markdown = (documents[name].decode() for name in ("tuning.html", "tuning.md"))
    assert "data:image" not in html.partition("<main>")[2] and ELSEWHERE in html
    assert "a.png (image" in html and "a.png (image" in markdown and "data:image" not in markdown
    assert DATA_URI in tuning_documents([subject]).contents["tuning.html"].decode()


def test_pictures_push_nothing_out_of_the_document() -> None:
    plain = tuning_documents([measured_subject()]).contents["tuning.html"]
    limit = len(plain) + 8_000
    heavy = tuning_documents([subject_with_pictures(bulk=300_000)], limit=limit).contents["tuning.html"]
    assert len(heavy) > limit + 500_000
    assert page_data(heavy.decode()) == page_data(plain.decode()) and b"Curves on every variant" in heavy


@pytest.mark.parametrize("change", [{"threshold": 0.31}, {"candidate": "other"}, {"split": "train"}])
def test_pictures_of_another_sweep_are_refused(change: dict[str, object]) -> None:
    subject = subject_with_pictures()
    other = {split: gallery.model_copy(update=change) for split, gallery in subject.pictures.items()}
    with pytest.raises(IntegrityError, match=r"another candidate, split or threshold"):
        build_tuning([replace(subject, pictures=other)])


def test_hostile_file_names_are_inert() -> None:
    html = render_tuning_html(build_tuning([subject_with_pictures(name=HOSTILE)]))
    assert len(Page(html).scripts) == 2 and "\u202e" not in html
