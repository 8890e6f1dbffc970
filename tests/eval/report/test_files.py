from __future__ import annotations

import hashlib
import json
import os
from datetime import date
from pathlib import Path

import pytest

from robust.errors import DataError, IntegrityError, UnknownName, UsageError
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.report.card import Card, default_card_text, read_card
from robust.eval.report.files import PRODUCTS, SOURCES, ReportFiles, read_evidence, verify, write_report
from tests.eval.evidence_builder import build_evidence, change_candidates
from tests.eval.report.written import GATES

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
    "text",
    [
        "",
        "[]",
        "{}",
        '{"files": {}, "written_by": "x"}',
        '{"files": [], "written_by": "x"}',
        "[" * 100_000,
        '{"schema_version": 1, "files": {}, "written_by": "robust 0.1.0"}',
        '{"schema_version": NaN}',
        "\ud800",
    ],
)
def test_a_broken_manifest_is_an_integrity_error(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path).folder
    (folder / "manifest.json").write_text(text, errors="surrogatepass")
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        verify(folder)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "notes.txt", "evidence.json/../x", "approvals.json"])
def test_a_manifest_that_names_another_file_is_refused_unread(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "report").folder
    (tmp_path / "secret.txt").write_text("x")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    with pytest.raises(IntegrityError, match="no file of a report"):
        verify(folder)


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "manifest.json"])
def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "report").folder
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=f"{name} is a link"):
        verify(folder)


def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "report").folder
    (folder / "report.md").unlink()
    os.mkfifo(folder / "report.md")  # reading it would wait for ever
    with pytest.raises(IntegrityError, match=r"report\.md is no file"):
        verify(folder)


def test_a_file_larger_than_its_entry_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "report").folder
    with (folder / "card.yaml").open("ab") as stream:
        stream.truncate(2**40)  # a terabyte of holes
    with pytest.raises(IntegrityError, match=r"card\.yaml.*\n.*1,099,511,627,776 bytes"):
        verify(folder)


@pytest.mark.parametrize("part", ["weights", "data", "predictions"])
def test_a_manifest_with_other_weights_data_or_predictions_is_found(tmp_path: Path, part: str) -> None:
    folder = write(tmp_path / "report").folder
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest[part] = manifest[part][1:]
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    with pytest.raises(IntegrityError, match=r"manifest\.json is not what the report's evidence gives"):
        verify(folder)


def test_the_manifest_names_what_the_evidence_rests_on(tmp_path: Path) -> None:
    manifest = json.loads((write(tmp_path / "report").folder / "manifest.json").read_text())
    assert [(w["candidate"], w["sha256"]) for w in manifest["weights"]] == [
        (c.name, c.weights_sha256) for c in SMALL.candidates
    ]
    assert {d["split"]: d["fingerprint"] for d in manifest["data"]} == {
        s.split: s.fingerprint for s in SMALL.data.splits
    }
    assert {p["cell"] for p in manifest["predictions"]} == {cell.key for c in SMALL.candidates for cell in c.cells}


BOMB = "owner:\n - &a0 [x, x]\n" + "".join(f" - &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.mark.parametrize("text", ["owner: " + "[" * 50_000, BOMB, "owner: {", "owner: \x01", "[]", "onwer: x"])
def test_sources_that_hold_something_else_are_an_integrity_error(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "report").folder
    content = text.encode()
    (folder / "card.yaml").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["card.yaml"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    with pytest.raises(IntegrityError, match="cannot be read back"):
        verify(folder)


def test_a_report_that_rests_on_a_waiver_verifies_on_any_later_day(tmp_path: Path) -> None:
    waiver = {"gate": "images", "author": "A", "reason": "pilot", "expires": "2026-12-31"}
    gates = [GATES["PROMOTE"], GATES["HOLD"]]
    policy = Policy.model_validate({"version": 1, "name": "p", "gates": gates, "waivers": [waiver]})
    kept = write_report(SMALL, policy, Card(), tmp_path / "in time", today=date(2026, 12, 31))
    late = write_report(SMALL, policy, Card(), tmp_path / "late", today=date(2027, 1, 1))
    nowhen = write_report(SMALL, policy, Card(), tmp_path / "no day")
    assert [r.decision.verdict for r in (kept, late, nowhen)] == ["PROMOTE", "HOLD", "HOLD"]
    assert all(verify(r.folder) for r in (kept, late, nowhen))


def test_the_card_decides_what_the_policy_asks_of_people(tmp_path: Path) -> None:
    gate = {"name": "stated", "kind": "human_facts", "tier": "critical", "required": ["owner", "reviewers"]}
    policy = Policy.model_validate({"version": 1, "name": "p", "gates": [gate]})
    stated = write_report(SMALL, policy, Card(owner="A", reviewers=("B",)), tmp_path / "stated")
    blank = write_report(SMALL, policy, Card(owner="A", reviewers=(" ",)), tmp_path / "blank")
    assert [r.decision.verdict for r in (stated, blank)] == ["PROMOTE", "HOLD"]
    assert all(verify(r.folder) for r in (stated, blank))


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
