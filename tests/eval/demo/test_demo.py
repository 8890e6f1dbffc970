from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from robust.eval.demo.demo import Recipe, demo
from robust.eval.report.files import verify


@pytest.mark.slow
def test_the_whole_job_ends_in_a_report_and_is_not_done_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robust.eval.demo.demo.available_cores", lambda: 1)  # loading torch anew takes longer than this
    recipe = Recipe({"train": 8, "val": 4, "test": 4}, imgsz=(64,), lr0=(0.002,), seeds=(1, 2), epochs=1)
    titles: list[str] = []

    def step(title: str) -> Callable[[int, int], None]:
        titles.append(title)
        return lambda done, total: None

    first = demo(tmp_path, step, recipe)
    assert titles == list(first.seconds)
    evidence = json.loads((first.report.folder / "evidence.json").read_text(encoding="utf-8"))
    assert [(c["name"], c["baseline"]) for c in evidence["candidates"]] == [
        ("base_e1_sz64_lr0.002_s1", "base@64"),
        ("base_e1_sz64_lr0.002_s2", "base@64"),
        ("base@64", None),
    ]
    assert len(evidence["suite"]["variants"]) == 15
    assert verify(first.report.folder)
    again = demo(tmp_path, step, recipe)
    assert again.report.sha256 == first.report.sha256
    assert again.seconds["Training candidates"] < first.seconds["Training candidates"]
