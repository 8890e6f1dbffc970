from __future__ import annotations

from pathlib import Path

import pytest

from robust.errors import UsageError
from robust.eval.tuning_files import folder_name, unique_names, write_together, write_tuning
from tests.eval.evidence_builder import build_evidence
from tests.eval.report.tuning_subjects import formula_subjects

SUBJECTS = formula_subjects()[:1]


def test_the_report_is_three_files_and_nothing_else(tmp_path: Path) -> None:
    html = write_tuning(SUBJECTS, tmp_path / "new" / "folder").html
    assert html.read_bytes().startswith(b"<!DOCTYPE html>")
    assert {path.name for path in html.parent.iterdir()} == {"tuning.html", "tuning.md", "tuning.csv"}


def test_files_of_others_stay_and_older_ones_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    (tmp_path / "tuning.html").write_text("old", encoding="utf-8")
    write_tuning(SUBJECTS, tmp_path)
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "kept"
    assert (tmp_path / "tuning.html").read_bytes() != b"old"


def test_a_folder_that_is_a_file_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("kept", encoding="utf-8")
    with pytest.raises(UsageError, match="taken"):
        write_tuning(SUBJECTS, tmp_path / "taken")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "kept"


def test_files_that_cannot_be_made_leave_the_older_ones(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old", encoding="utf-8")
    with pytest.raises(UsageError):
        write_together({"a": b"new", "no/such/folder": b"new"}, tmp_path)
    assert (tmp_path / "a").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_candidates_of_one_name_do_not_overwrite_each_other() -> None:
    one, two = build_evidence().candidates[:2]
    same = [c.model_copy(update={"name": name}) for c, name in ((one, "run"), (two, "RUN"), (one, "other"))]
    names = unique_names(same, ["1" * 32, "2" * 32, "3" * 32])
    assert names == ("run [11111111]", "RUN [22222222]", "other")
    assert len({folder_name(name).casefold() for name in names}) == 3


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\\b", "c:d", "..", "", "x\n", "CON|*?"])
def test_no_name_leaves_the_folder(name: str) -> None:
    made = folder_name(name)
    assert made and made not in {".", ".."} and not set(made) & set('/\\:|*?\n"<>')
