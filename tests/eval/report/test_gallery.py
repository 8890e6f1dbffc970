from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from robust.cli import robust
from robust.errors import IntegrityError
from robust.eval.decision.decide import decide
from robust.eval.decision.policy import read_policy
from robust.eval.decision.study import Study
from robust.eval.gallery import draw_gallery
from robust.eval.metrics.worst_images import WorstImage, WorstImages
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.files import ReportFiles, verify, write_report
from robust.eval.report.gallery import (
    BOX_BYTES,
    MAX_PICTURE_BYTES,
    NO_GALLERY,
    Box,
    Entry,
    Gallery,
    Judged,
    Mode,
    Picture,
    shown_images,
)
from robust.eval.report.render import render_html, render_markdown
from robust.eval.report.shots import box_words
from tests.eval.evidence_builder import build_evidence
from tests.eval.gallery_case import NIGHT, Case, build_case
from tests.eval.report.test_render import HOSTILE, Page

DATA_URI = "data:image/webp;base64,UklGRg=="


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return build_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def gallery(case: Case) -> Gallery:
    return draw_gallery(case.evidence, case.policy, "blurred", case.origin).gallery


def rendered(case: Case, gallery: Gallery | None) -> tuple[str, str]:
    context = build_context(case.evidence, case.policy, decide(case.evidence, case.policy), Card(), gallery)
    return render_html(context), render_markdown(context)


def section(html: str) -> str:
    found = re.search(r'<section id="failure-gallery">.*?</section>', html, re.S)
    assert found is not None
    return found.group()


def box(kind: str, **more: Any) -> Box:
    place = {"left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0, "category": "person", "image_height": 34}
    return Box.model_validate({**place, "kind": kind, **more})


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (box("miss", hidden=0.6), "missed person, 34 px high, hidden 60 %, not found at any score that was kept"),
        (box("miss", hidden=0.0, score=0.21), "missed person, 34 px high, found below the threshold only (score 0.21)"),
        (box("false alarm", score=0.83), "false alarm: person, score 0.83, 34 px high"),
        (box("hit", score=0.9), "hit: person, score 0.90, 34 px high"),
        (box("ignored", hidden=0.004), "ignored person, 34 px high"),
        (box("ignored", score=0.5), "ignored: detection of person, score 0.50"),
    ],
)
def test_a_box_says_what_it_is(one: Box, words: str) -> None:
    assert box_words(one) == words


def test_the_page_shows_the_pictures_with_their_boxes_and_counts(case: Case, gallery: Gallery) -> None:
    html = section(rendered(case, gallery)[0])
    page = Page(html)
    images = [attributes for tag, attributes in page.tags if tag == "image"]
    assert [a["href"] for a in images] == [e.picture.data for e in gallery.entries if e.picture]
    assert len(images) == 4
    drawn = [a.get("class") for tag, a in page.tags if tag == "path" and a.get("class") != "halo"]
    legend = ["missed", "alarm", "hit", "ignored"]
    assert drawn == [*legend, *["missed", "missed", "alarm", "hit", "ignored", "ignored", "alarm"] * 2]
    text = " ".join(page.text)
    assert "missed person, 100 px high, hidden 40 %, not found at any score that was kept" in text
    assert "street.png (image 1)" in text and "2 of 3 missed, 1 false alarm" in text
    assert "rank 1 by misses, rank 1 by false alarms" in text
    assert "so that people in them cannot be recognised" in text and "neither annotated nor detected" in text


def test_pictures_can_be_read_without_seeing_them_and_ids_are_unique(case: Case, gallery: Gallery) -> None:
    page = Page(rendered(case, gallery)[0])
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = [a["aria-labelledby"] or "" for tag, a in page.tags if tag == "svg" and a.get("role") == "img"]
    assert len([one for one in named if one.startswith("shot-")]) == 4
    assert {part for one in named for part in one.split()} <= set(ids)
    assert "Boxes by kind: 2 miss, 1 false alarm, 1 hit, 2 ignored." in page.text


def test_the_page_loads_and_runs_nothing_but_its_own_pictures(case: Case, gallery: Gallery) -> None:
    page = Page(rendered(case, gallery)[0])
    for tag, attributes in page.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in {"src", "srcset", "action", "style"}
        ]
        href = attributes.get("href") or "#"
        assert href.startswith("data:image/webp;base64," if tag == "image" else "#")


@pytest.mark.parametrize("given", [None, NO_GALLERY])
def test_without_pictures_the_page_has_names_and_counts_only(case: Case, given: Gallery | None) -> None:
    html, markdown = rendered(case, given)
    assert "data:image/" not in html and "<image" not in html
    for shown in (" ".join(Page(section(html)).text), markdown):
        assert "No pictures were asked for." in shown and "image 1" in shown and "2 of 3" in shown
    assert len(html.encode()) < 2_000_000


def test_markdown_has_names_and_counts_and_no_picture(case: Case, gallery: Gallery) -> None:
    markdown = rendered(case, gallery)[1]
    assert "street.png (image 1)" in markdown and "data:image" not in markdown


def test_the_same_inputs_give_the_same_page(case: Case, gallery: Gallery) -> None:
    again = Gallery.model_validate_json(gallery.to_json())
    assert again == gallery
    assert rendered(case, again) == rendered(case, gallery)


def test_what_the_pictures_take_in_the_page_is_not_underestimated(case: Case, gallery: Gallery) -> None:
    pictures = [entry.picture for entry in gallery.entries if entry.picture is not None]
    html = section(rendered(case, gallery)[0])
    boxes = re.findall(
        r'<path class="(?:missed|alarm|hit|ignored)" data-found="\d+" d="[^"]*"><title>.*?</path>\n', html
    )
    assert len(boxes) == sum(len(picture.boxes) for picture in pictures)
    halos = re.findall(r'<path class="halo" d="[^"]*"/>', html)
    assert sum(map(len, (*boxes, *halos))) <= BOX_BYTES * len(boxes)
    assert len(html) < sum(picture.page_bytes for picture in pictures) + 10_000


def test_hostile_names_of_files_and_classes_are_inert(tmp_path: Path) -> None:
    case = build_case(tmp_path, HOSTILE)
    made = draw_gallery(case.evidence, case.policy, "full", case.origin).gallery
    named = made.model_copy(update={"entries": tuple(e.model_copy(update={"name": HOSTILE}) for e in made.entries)})
    html, markdown = rendered(case, named)
    page = Page(html)
    assert html.count("<script") == 2 and "\u202e" not in html
    assert any("<script>alert(1)</script>" in text for text in page.text)
    assert "<script" not in markdown and not re.search(r"^# h", markdown, re.M)


def worst(*counts: tuple[int, int, int], **lists: tuple[int, ...]) -> WorstImages:
    images = {i: WorstImage(image_id=i, misses=m, false_positives=f, n_objects=9) for i, m, f in counts}
    return WorstImages(
        threshold=0.4,
        by_misses=tuple(images[i] for i in lists["misses"]),
        by_false_positives=tuple(images[i] for i in lists["alarms"]),
    )


def test_misses_and_false_alarms_take_turns_and_no_image_comes_twice(case: Case) -> None:
    clean = worst(
        (1, 9, 0),
        (2, 8, 3),
        (3, 7, 0),
        (4, 6, 0),
        (5, 0, 9),
        (6, 0, 2),
        (7, 5, 0),
        misses=(1, 2, 3, 4, 7),
        alarms=(5, 2, 6),
    )
    night = worst((1, 5, 0), (2, 4, 0), (3, 0, 7), (4, 3, 1), misses=(1, 2, 4), alarms=(3, 4))
    at = tuple(
        one.model_copy(update={"worst": {"clean": clean, NIGHT.name: night}[one.variant]})
        for one in case.candidate.sweep.at_threshold
        if one.split == "test"
    )
    sweep = case.candidate.sweep.model_copy(update={"at_threshold": at})
    shown = shown_images(Study(case.evidence), case.candidate.model_copy(update={"sweep": sweep}), "test")
    assert [(one.variant, one.image.image_id, one.misses_place, one.alarms_place) for one in shown] == [
        ("clean", 1, 1, None),
        ("clean", 5, None, 1),
        ("clean", 2, 2, 2),
        ("clean", 3, 3, None),
        ("clean", 6, None, 3),
        ("clean", 4, 4, None),
        (NIGHT.name, 1, 1, None),
        (NIGHT.name, 3, None, 1),
        (NIGHT.name, 2, 2, None),
    ]


def test_a_corruption_is_shown_at_its_highest_severity_and_nobody_without_candidate(case: Case) -> None:
    evidence = build_evidence()  # three corruptions at five severities
    study, found = Study(evidence), worst((1, 3, 0), misses=(1,), alarms=())
    cells = tuple(
        case.candidate.sweep.at_threshold[0].model_copy(update={"variant": variant, "worst": found})
        for variant in ("clean", *(v.name for v in evidence.suite.variants))
    )
    sweep = case.candidate.sweep.model_copy(update={"at_threshold": cells})
    shown = shown_images(study, case.candidate.model_copy(update={"sweep": sweep}), "test")
    assert [one.variant for one in shown] == ["clean", *(f"{corruption}/5" for corruption in study.corruptions)]
    assert len(shown) == 4
    assert shown_images(study, None, "test") == ()


def write(case: Case, gallery: Gallery, folder: Path) -> ReportFiles:
    return write_report(case.evidence, case.policy, Card(), folder, gallery=gallery)


def test_a_report_with_pictures_verifies_and_they_are_in_its_manifest(
    case: Case, gallery: Gallery, tmp_path: Path
) -> None:
    first, second = write(case, gallery, tmp_path / "a"), write(case, gallery, tmp_path / "b")
    assert "gallery.json" in verify(first.folder)
    listed = json.loads(first.manifest.read_text())["files"]["gallery.json"]["sha256"]
    assert listed == hashlib.sha256((first.folder / "gallery.json").read_bytes()).hexdigest()
    assert first.html.read_bytes() == second.html.read_bytes() and first.sha256 == second.sha256


def relisted(folder: Path, name: str, content: bytes) -> None:
    """Change a file of a report, and its entry in the manifest."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def test_verify_exits_with_5_and_names_a_gallery_that_was_changed(case: Case, gallery: Gallery, tmp_path: Path) -> None:
    folder = write(case, gallery, tmp_path / "report").folder
    text = (folder / "gallery.json").read_text()
    (folder / "gallery.json").write_text(text.replace('"kind": "miss"', '"kind": "hits"', 1))
    done = CliRunner().invoke(robust, ["verify", str(folder)])
    assert done.exit_code == 5 and "gallery.json" in done.stderr


def test_a_forged_manifest_does_not_hide_other_pictures(case: Case, gallery: Gallery, tmp_path: Path) -> None:
    folder = write(case, gallery, tmp_path / "report").folder
    content = (folder / "gallery.json").read_bytes()
    relisted(folder, "gallery.json", content.replace(gallery.entries[0].picture.data.encode(), DATA_URI.encode()))  # type: ignore[union-attr]
    with pytest.raises(IntegrityError, match=r"report\.html is not what"):
        verify(folder)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}x", b"\xff", b"[" * 100_000, b'{"mode": "loud"}', b" " * 9 * 2**20]
)
def test_a_file_that_is_no_gallery_is_named(case: Case, gallery: Gallery, tmp_path: Path, content: bytes) -> None:
    folder = write(case, gallery, tmp_path / "report").folder
    relisted(folder, "gallery.json", content)
    with pytest.raises(IntegrityError, match=r"gallery\.json"):
        verify(folder)


def first_changed(gallery: Gallery, **changes: object) -> Gallery:
    entry = gallery.entries[0].model_copy(update=changes)
    return gallery.model_copy(update={"entries": (entry, *gallery.entries[1:])})


def with_more(gallery: Gallery, kind: str, number: int) -> Gallery:
    """The gallery with more that is counted and not drawn in its first picture."""
    picture = gallery.entries[0].picture
    assert picture is not None
    undrawn = (Judged.model_validate({"kind": kind}),) * number
    return first_changed(gallery, picture=picture.model_copy(update={"undrawn": undrawn}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: with_more(g, "miss", 1), "image 1 on clean has 3 missed and 1 false; the evidence has 2 and 1"),
        (lambda g: first_changed(g, image_id=9), "image 9 on clean is not among the worst"),
        (lambda g: first_changed(g, variant="fog/1"), "image 1 on fog/1 is not among the worst"),
        (lambda g: g.model_copy(update={"entries": (*g.entries, g.entries[0])}), "an image is in it twice"),
        (lambda g: g.model_copy(update={"candidate": "candidate:x:1"}), "of another candidate, split or threshold"),
        (lambda g: g.model_copy(update={"threshold": 0.5}), "of another candidate, split or threshold"),
        (lambda g: g.model_copy(update={"split": "val"}), "of another candidate, split or threshold"),
    ],
)
def test_pictures_that_contradict_the_evidence_make_no_report(
    case: Case, gallery: Gallery, tmp_path: Path, change: Callable[[Gallery], Gallery], words: str
) -> None:
    with pytest.raises(IntegrityError, match=re.escape(words)):
        write(case, change(gallery), tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "data",
    [
        "data:image/svg+xml;base64,PHN2Zy8+",
        "data:text/html;base64,PGI+",
        'data:image/webp;base64,AA"/><script>',
        "https://example.org/a.webp",
        "data:image/webp;base64,",
        "data:image/webp;base64," + "A" * 400_000,
    ],
)
def test_only_pictures_without_code_are_taken(data: str) -> None:
    with pytest.raises(ValidationError):
        Picture(data=data, width=1, height=1, boxes=())


def entry(number: int, letters: int = 4) -> Entry:
    data = "data:image/webp;base64," + "A" * letters
    return Entry(variant="clean", image_id=number, picture=Picture(data=data, width=1, height=1, boxes=()))


def test_a_gallery_of_too_many_bytes_is_refused() -> None:
    about: dict[str, Any] = {"mode": "full", "candidate": "c", "threshold": 0.5}
    Gallery(entries=tuple(entry(i, 300_000) for i in range(4)), **about)
    with pytest.raises(ValidationError, match=f"{MAX_PICTURE_BYTES:,}"):
        Gallery(entries=tuple(entry(i, 300_000) for i in range(5)), **about)


@pytest.mark.parametrize(
    "about",
    [{"mode": "none", "candidate": "c", "threshold": 0.5}, {"mode": "full"}, {"mode": "full", "candidate": "c"}],
)
def test_pictures_of_nobody_or_of_no_mode_are_refused(about: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="there are pictures"):
        Gallery(entries=(entry(1),), **about)


def test_a_picture_with_many_boxes_says_how_many_are_not_drawn(case: Case, gallery: Gallery) -> None:
    html = rendered(case, with_more(gallery, "hit", 99))[0]
    assert "boxes without room: 99" in html
    assert f'data-undrawn="{" ".join(["hit:11"] * 99)}"' in html  # without a score it is there at all 11 thresholds


@pytest.mark.parametrize("mode", ["blurred", "full", "none"])
def test_a_study_without_candidate_renders(mode: Mode) -> None:
    evidence = build_evidence().model_copy(update={"candidates": ()})
    policy = read_policy()
    context = build_context(evidence, policy, decide(evidence, policy), Card(), Gallery(mode=mode))
    assert "No candidate is proposed, so there are no failures to show." in render_html(context)


def test_report_of_an_evidence_file_says_why_there_are_no_pictures(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(case.evidence.to_json(), encoding="utf-8")
    asked = ["report", "--evidence", str(path), "--data", str(case.data), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(robust, asked)
    assert done.exit_code == 0, done.output
    assert "Pictures are missing: stored predictions are not at hand" in done.stderr
    assert "stored predictions are not at hand" in (tmp_path / "out/report.html").read_text(encoding="utf-8")
    quiet = CliRunner().invoke(robust, [*asked, "--thumbnails", "none"])
    assert quiet.exit_code == 0 and "Pictures" not in quiet.stderr
    assert CliRunner().invoke(robust, [*asked, "--thumbnails", "sharp"]).exit_code == 2
