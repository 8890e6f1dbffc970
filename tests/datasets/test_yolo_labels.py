from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from robust.datasets.yolo_labels import LabelFormat, parse_labels

FILE = Path("labels/a.txt")
EXPECTED = LabelFormat(("person", "car"), width=200, height=100)


def test_a_row_is_class_centre_and_size_as_shares_of_the_image() -> None:
    rows = parse_labels("1 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.1 0.2\n", FILE, EXPECTED)
    np.testing.assert_allclose(rows.boxes, [[75, 25, 125, 75], [10, 10, 30, 30]], rtol=1e-12)
    assert (rows.classes, rows.outlines, rows.problems) == ([1, 0], [None, None], [])


def test_a_polygon_gives_its_outline_and_its_tight_box() -> None:
    rows = parse_labels("0 0.1 0.2 0.5 0.3 0.4 0.9 0.2 0.5", FILE, EXPECTED)
    np.testing.assert_allclose(rows.boxes, [[20, 20, 100, 90]], rtol=1e-12)
    assert rows.outlines[0] is not None
    np.testing.assert_allclose(rows.outlines[0][0], [[20, 20], [100, 30], [80, 90], [40, 50]], rtol=1e-12)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("0 0.5 0.5 1.2 0.5", "label-range"),
        ("0 -0.01 0.5 0.2 0.5", "label-range"),
        ("0 150 40 20 10", "label-range"),
        ("0 0.5 nan 0.2 0.5", "label-finite"),
        ("0 0.5 inf 0.2 0.5", "label-finite"),
        ("0 0.5 0.5 0.2", "label-columns"),
        ("0 0.5 0.5 0.2 0.5 0.9", "label-columns"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.2", "label-columns"),
        ("2 0.5 0.5 0.2 0.5", "label-class"),
        ("-1 0.5 0.5 0.2 0.5", "label-class"),
        ("0.5 0.5 0.5 0.2 0.5", "label-class"),
        ("person 0.5 0.5 0.2 0.5", "label-number"),
        ("0 0.5 0.5 0 0.5", "label-area"),
        ("0 0.1 0.1 0.5 0.1 0.9 0.1", "label-area"),
        ("0 0.1 0.1 0.5 0.1 0.9 0.8", "label-mixed"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_the_sound_ones_are_kept(row: str, code: str) -> None:
    rows = parse_labels(f"0 0.5 0.5 0.2 0.2\n{row}\n", FILE, EXPECTED)
    found = [(p.severity, p.code, p.file, p.line) for p in rows.problems]
    assert found == [("error", "label-mixed" if code == "label-area" and len(row.split()) > 5 else code, str(FILE), 2)]
    assert len(rows.boxes) == 1


def test_an_outline_without_area_is_an_error() -> None:
    rows = parse_labels("0 0.1 0.1 0.5 0.1 0.9 0.1", FILE, EXPECTED)
    assert [p.code for p in rows.problems] == ["label-area"]


def test_every_wrong_row_is_told() -> None:
    rows = parse_labels("9 0.5 0.5 0.2 0.2\n0 2 2 2 2\n0 0.5\n", FILE, EXPECTED)
    assert [p.line for p in rows.problems] == [1, 2, 3]


def test_rounding_beyond_the_border_is_clipped_silently_and_real_overhang_with_a_warning() -> None:
    rows = parse_labels("0 0.9 0.5 0.2000009 0.5\n0 1.0000005 0.5 0.1 0.5\n", FILE, EXPECTED)
    assert rows.boxes[0][2] == 200.0
    assert [(p.severity, p.code, p.line) for p in rows.problems] == [("warning", "label-overhang", 2)]
    assert rows.boxes[1][2] == 200.0


def test_exact_repeats_are_dropped_as_ultralytics_does() -> None:
    rows = parse_labels("0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n0 0.50 0.5 0.2 0.20\n", FILE, EXPECTED)
    assert rows.classes == [0, 1]
    assert [(p.severity, p.line) for p in rows.problems] == [("warning", 3)]


def test_the_key_points_of_a_pose_data_set_are_skipped() -> None:
    row = "0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.3 0.3 0"
    rows = parse_labels(row, FILE, LabelFormat(("person",), 100, 100, keypoint_columns=6))
    np.testing.assert_allclose(rows.boxes, [[40, 40, 60, 60]])
    assert rows.outlines == [None]
