from __future__ import annotations

import json
from pathlib import Path

import pytest

from robust.errors import DataError, IntegrityError, UnknownName, UsageError
from robust.eval.decision.policy import read_policy
from robust.eval.report.card import Card, default_card_text, read_card
from robust.eval.report.files import PRODUCTS, SOURCES, ReportFiles, read_evidence, verify, write_report
from tests.eval.evidence_builder import build_evidence, change_candidates

SMALL = change_candidates(
    build_evidence(), lambda c: c if "sz416_lr0.005" in c.name or c.name == "yolov8n@416" else None
)


def write(folder: Path, card: Card | None = None) -> ReportFiles:
    return write_report(SMALL, read_policy(), card or Card(owner="Zoë"), folder)


def test_a_written_report_is_whole_and_verifies(tmp_path: Path) -> None:
    written = write(tmp_path / "deep" / "report")
    assert sorted(p.name for p in written.folder.iterdir()) == sorted((*SOURCES, *PRODUCTS, "manifest.json"))
    assert verify(written.folder) == (*SOURCES, *PRODUCTS)
    assert read_evidence(written.folder / "evidence.json") == SMALL
    assert json.loads((written.folder / "decision.json").read_text())["verdict"] == "HOLD"
    assert written.summary.startswith("**‖ HOLD.**")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    for name in (*SOURCES, *PRODUCTS, "manifest.json"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert first.sha256 == second.sha256


@pytest.mark.parametrize("name", [*SOURCES, *PRODUCTS])
def test_one_changed_byte_is_found_and_the_file_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path).folder
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1) + b"\n")
    with pytest.raises(IntegrityError, match=name) as caught:
        verify(folder)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("name", ["report.html", "report.md", "decision.json"])
def test_a_forged_manifest_does_not_hide_a_changed_report(tmp_path: Path, name: str) -> None:
    import hashlib

    folder = write(tmp_path).folder
    forged = (folder / name).read_bytes().replace(b"HOLD", b"PROMOTE")
    (folder / name).write_bytes(forged)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(forged).hexdigest(), "bytes": len(forged)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IntegrityError, match=name):
        verify(folder)


@pytest.mark.parametrize("name", [*SOURCES, *PRODUCTS])
def test_a_missing_file_is_an_integrity_error(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path).folder
    (folder / name).unlink()
    with pytest.raises(IntegrityError, match=name):
        verify(folder)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": {}, "written_by": "x"}', '{"files": [], "written_by": "x"}']
)
def test_a_broken_manifest_is_an_integrity_error(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path).folder
    (folder / "manifest.json").write_text(text)
    with pytest.raises(IntegrityError):
        verify(folder)


def test_a_folder_without_report_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no report"):
        verify(tmp_path)


def test_a_report_that_cannot_be_placed_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        write(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2}', "not json"])
def test_evidence_that_cannot_be_read_is_a_data_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(text)
    with pytest.raises(DataError):
        read_evidence(path)
    with pytest.raises(DataError):
        read_evidence(tmp_path / "none.json")


def test_the_card_reads_and_refuses_unknown_keys(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(default_card_text(), encoding="utf-8")
    assert read_card(path) == Card() == read_card()
    path.write_text("onwer: me\n")
    with pytest.raises(UnknownName, match="onwer") as caught:
        read_card(path)
    assert "Did you mean 'owner'?" in str(caught.value)


def test_every_fact_of_the_card_is_in_the_starter_file() -> None:
    assert all(f"{name}:" in default_card_text() for name in Card.model_fields)
