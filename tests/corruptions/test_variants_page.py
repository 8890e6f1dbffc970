"""docs/variants.md says what is registered, and what was measured on today's recipes."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from robust.corruptions.catalogue import catalogue
from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import make_variant, names

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("variants_page", DOCS / "variants_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_what_is_registered(page: ModuleType) -> None:
    same = (DOCS / "variants.md").read_text(encoding="utf-8") == page.current()
    assert same, "docs/variants.md is out of date: run `make docs`"


def test_every_corruption_has_a_picture() -> None:
    assert {path.stem for path in (DOCS / "variants").glob("*.jpg")} == set(names()), "run `make docs`"


@pytest.mark.parametrize("detector", ["coco", "pedestrians"])
@pytest.mark.parametrize("name", names())
def test_the_costs_were_measured_on_these_recipes(name: str, detector: str) -> None:
    """A changed table or version needs new measurements: tests/bench/calibrate.py."""
    results = json.loads((DOCS / "calibration.json").read_text(encoding="utf-8"))
    row = results[detector]["corruptions"][name]
    assert row["recipes"] == [make_variant(name, severity).sha256[:16] for severity in SEVERITIES]


def test_the_pedestrians_were_measured_with_the_weights_that_ship() -> None:
    results = json.loads((DOCS / "calibration.json").read_text(encoding="utf-8"))
    weights = (DOCS.parent / "eval" / "demo" / "base.pt").read_bytes()
    assert results["pedestrians"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()


def test_no_severity_is_a_gift() -> None:
    """AP50 does not rise with severity beyond the interval of the rise, but for constants that were published so."""
    results = json.loads((DOCS / "calibration.json").read_text(encoding="utf-8"))
    gifts = set()
    for detector, result in results.items():
        for name, row in result["corruptions"].items():
            rising = [(a, b) for a, b in zip(row["AP50"], row["AP50"][1:], strict=False) if b > a]
            assert len(row["rises"]) == len(rising), (detector, name)
            gifts |= {(detector, name, step) for step, (low, _) in row["rises"].items() if low > 0}
    assert gifts == {("coco", "frost", "3-4")}  # the same ice over a darker picture: Hendrycks and Dietterich 2019


def test_what_was_not_measured_is_said_so(page: ModuleType) -> None:
    results = {"x": {"about": "a detector", "images": 1, "objects": 2, "imgsz": 3, "clean": 0.5, "corruptions": {}}}
    shown = page.text(catalogue(["jpeg"]), results)
    assert "| jpeg | camera | " + "not measured | " * 6 in shown.replace("|\n", "| \n")
    assert "### jpeg" in shown
    assert "### night" not in shown
