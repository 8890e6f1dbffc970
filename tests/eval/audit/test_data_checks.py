"""Checks of the data: by hand, at their edges, and where they cannot look."""

from __future__ import annotations

from typing import Any

import pytest

from robust.corruptions.registry import names
from robust.eval.audit import augmentations as module
from robust.eval.audit.augmentations import augmentations
from robust.eval.audit.data_checks import CHECKS
from robust.eval.audit.facts import OverlapFacts, ReportedOn, SplitFacts
from robust.eval.evidence.findings import Severity
from robust.eval.tracking import tags
from tests.eval.audit.honest_study import changed, data, finding, look, not_checked, reported, run, study


def test_an_honest_study_raises_nothing() -> None:
    for check in CHECKS:
        looked = check.look(study())
        assert (looked.findings, looked.not_checked) == ((), None)


@pytest.mark.parametrize("rule", ["leakage", "split-counts"])
def test_without_the_data_they_are_not_checked(rule: str) -> None:
    assert "name it with robust audit --data" in not_checked(CHECKS, rule, study(data=None))


# --- leakage

PAIRS = (OverlapFacts(splits=("train", "val")), OverlapFacts(splits=("val", "test")))


def test_the_same_pixels_in_two_splits_are_an_error() -> None:
    copies = tuple((f"a{i}.jpg", f"b{i}.jpg") for i in range(5))
    overlaps = (*PAIRS, OverlapFacts(splits=("train", "test"), identical=copies))
    one = finding(CHECKS, "leakage", study(data=data(overlaps=overlaps)))
    assert one.severity is Severity.ERROR
    assert "5 pairs of images with the same pixels in train and test: a0.jpg = b0.jpg" in one.what
    assert "and 2 more, train has 2000 images, test has 500 images" in one.what
    assert one.numbers == {"pairs": 5, "images_train": 2000, "images_test": 500}


def test_images_that_look_alike_are_a_warning() -> None:
    overlaps = (*PAIRS, OverlapFacts(splits=("train", "test"), near=(("a.jpg", "b.jpg"),)))
    one = finding(CHECKS, "leakage", study(data=data(overlaps=overlaps)))
    assert one.severity is Severity.WARNING
    assert "1 pair of images that look alike in train and test" in one.what


def test_pairs_that_were_only_counted_are_told_without_names() -> None:
    overlaps = (*PAIRS, OverlapFacts(splits=("train", "test"), unnamed_identical=1, unnamed_near=2))
    same, alike = look(CHECKS, "leakage", study(data=data(overlaps=overlaps))).findings
    sizes = "train has 2000 images, test has 500 images."
    assert same.what == f"1 pair of images with the same pixels in train and test, {sizes}"
    assert alike.what == f"2 pairs of images that look alike in train and test, {sizes}"
    assert (same.severity, alike.severity) == (Severity.ERROR, Severity.WARNING)
    assert (same.numbers["pairs"], alike.numbers["pairs"]) == (1, 2)


def test_splits_that_were_not_compared_are_named_and_not_read_as_clean() -> None:
    left = data(overlaps=(OverlapFacts(splits=("val", "train")),))  # whatever the order
    assert not_checked(CHECKS, "leakage", study(data=left)) == (
        "these splits were not compared: test with train and test with val"
    )
    looked = look(
        CHECKS, "leakage", study(data=data(overlaps=(OverlapFacts(splits=("a", "b"), identical=(("x", "y"),)),)))
    )
    assert looked.findings[0].severity is Severity.ERROR and looked.not_checked is not None


def test_one_split_alone_cannot_leak() -> None:
    alone = data(splits=data().splits[:1], overlaps=())
    assert "one split only" in not_checked(CHECKS, "leakage", study(data=alone))


# --- declared counts


def test_declared_128_and_counted_40_is_an_error() -> None:
    splits = (SplitFacts(split="train", n_images=40, n_objects=120, fingerprint="x"),)
    one = finding(CHECKS, "split-counts", study(data=data(splits=splits, declared={"train": 128})))
    assert one.severity is Severity.ERROR
    assert one.what == "128 images are declared for train; it has 40."
    assert one.numbers == {"split": "train", "declared": 128, "counted": 40}


def test_one_image_too_few_is_an_error_and_none_is_not() -> None:
    assert finding(CHECKS, "split-counts", study(data=data(declared={"test": 501}))).numbers["declared"] == 501
    assert look(CHECKS, "split-counts", study(data=data(declared={"test": 500}))).findings == ()


def test_a_split_that_is_declared_and_missing_is_an_error() -> None:
    one = finding(CHECKS, "split-counts", study(data=data(declared={"night": 30})))
    assert one.what == "30 images are declared for night; the data set has no split night."


def test_without_a_declaration_counts_are_not_checked() -> None:
    assert "nobody declared" in not_checked(CHECKS, "split-counts", study(data=data(declared={})))


# --- variants that were trained on


def test_a_rotation_in_training_makes_roll_no_test_of_the_unseen() -> None:
    turned, plain = run(params={"degrees": "15"}), run(seed=2)
    one = finding(CHECKS, "trained-on-variant", study(runs=(turned, plain)))
    assert one.severity is Severity.WARNING
    assert one.runs == (turned.name,)
    assert (
        "roll is tested as if it were unseen, but 1 of 2 runs augmented training images likewise: degrees 15"
        in one.what
    )
    assert one.numbers == {"runs": 1, "runs_known": 2, "degrees": 15.0}
    assert "--trained-on roll" in one.remedy


def test_what_was_declared_or_not_tested_is_no_finding() -> None:
    turned = (run(params={"degrees": "15"}),)
    declared = study(runs=turned, reported=reported(trained_on=("roll",)))
    untested = study(runs=turned, reported=reported(variants=("night",)))
    for facts in (declared, untested):
        looked = look(CHECKS, "trained-on-variant", facts)
        assert (looked.findings, looked.not_checked) == ((), None)


@pytest.mark.parametrize(("value", "severity"), [("0.4", Severity.NOTE), ("0.41", Severity.WARNING), ("0.0", None)])
def test_the_default_of_ultralytics_is_a_note_and_more_is_a_warning(value: str, severity: Severity | None) -> None:
    tested = reported(variants=("overexposure",))
    looked = look(CHECKS, "trained-on-variant", study(runs=(run(params={"hsv_v": value}),), reported=tested))
    assert [one.severity for one in looked.findings] == ([severity] if severity else [])


def test_what_the_training_says_it_used_goes_before_what_was_logged() -> None:
    looked = look(
        CHECKS, "trained-on-variant", study(runs=(run(params={"degrees": "15"}, resolved={"degrees": "0.0"}),))
    )
    assert looked.findings == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "[MotionBlur(p=0.2, blur_limit=(3, 7)), RandomGamma(p=0.0), CoarseDropout()]",
            {"MotionBlur", "CoarseDropout"},
        ),
        ("[{'transform': {'__class_fullname__': 'RandomRain', 'p': 0.1, 'slant': 3}}]", {"RandomRain"}),
        ("[{'transform': {'__class_fullname__': 'RandomRain', 'p': 0.0}}]", set()),
        ("[HorizontalFlip(p=0.5), BlurryThing(p=1)]", set()),
        ("None", set()),
    ],
)
def test_transforms_of_albumentations_are_read_by_name_and_probability(text: str, found: set[str]) -> None:
    read = list(augmentations(run(params={"augmentations": text})))
    assert {one.parameter for one in read if one.is_deliberate} == found


def test_erasing_acts_on_classifiers_only_and_is_no_occlusion() -> None:
    assert {one.parameter for one in augmentations(run(params={"erasing": "0.9"}))} == {"hsv_v"}


def test_every_corruption_that_is_named_exists() -> None:
    named = {name for _, corruptions, _ in module._PARAMETERS.values() for name in corruptions}
    named |= {name for corruptions in module._TRANSFORMS.values() for name in corruptions}
    assert named <= set(names())


def test_without_variants_or_augmentation_it_is_not_checked() -> None:
    assert "no corrupted variant" in not_checked(CHECKS, "trained-on-variant", study(reported=reported(variants=())))
    silent = run(params=dict.fromkeys(("degrees", "perspective", "hsv_v", "cutmix", "copy_paste")))
    assert "how it augmented" in not_checked(CHECKS, "trained-on-variant", study(runs=(silent,)))


@pytest.mark.parametrize("change", [{"data_sha256": "f" * 64}, {"tags": {tags.VAL_DATA_SHA256: "f" * 64}}])
def test_another_data_set_than_that_of_the_trainings_says_nothing_of_them(change: dict[str, Any]) -> None:
    leaking = data(overlaps=(OverlapFacts(splits=("train", "test"), identical=(("a", "b"),)),), declared={"train": 1})
    other = study(runs=tuple(changed(one, **change) for one in study().runs), data=leaking)
    for rule in ("leakage", "split-counts"):
        assert "the data set is not that of 10 of 10 runs" in not_checked(CHECKS, rule, other)
    fitting = tuple(
        changed(one, data_sha256="train" * 8, tags={tags.VAL_DATA_SHA256: "val" * 8}) for one in study().runs
    )
    assert look(CHECKS, "leakage", study(runs=fitting, data=leaking)).findings
    mixed = look(CHECKS, "leakage", study(runs=(*fitting[1:], other.runs[0]), data=leaking))
    assert mixed.findings and "of 1 of 10 runs" in str(mixed.not_checked)


def test_evaluations_that_cannot_be_read_are_told_as_such() -> None:
    unreadable = study(reported=ReportedOn(n_evaluated=3))
    assert not_checked(CHECKS, "trained-on-variant", unreadable) == "the evaluations cannot be read"
