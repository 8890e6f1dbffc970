"""``robust sign`` and ``robust verify``: what is said, and the exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from tests.eval.report.written import written

SIGN = ("--role", "approver", "--decision", "approve", "--date", "2026-11-25")


def run(*args: object, text: str | None = None) -> Result:
    return CliRunner().invoke(robust, [str(arg) for arg in args], input=text)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for verdict in ("PROMOTE", "HOLD", "REJECT"):
        written(folder / verdict, verdict)
    return folder


@pytest.fixture
def report(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made / "PROMOTE", tmp_path / "report")


def test_two_people_sign_and_verify_says_who_and_how(report: Path, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        assert run("sign", "--new-key", tmp_path / f"{name}.pem").exit_code == 0
    first = run("sign", report, "--as", "Ada", *SIGN, "--key", tmp_path / "ada.pem")
    assert first.exit_code == 0 and "approve: Ada, approver, 2026-11-25, signed with key" in first.stdout
    trusted = ("--public-key", tmp_path / "ada.pub", "--public-key", tmp_path / "bob.pub")
    waiting = run("verify", report, *trusted, "--require-approvals", 2)
    assert waiting.exit_code == 4 and "waiting: 1 of 2 approved (Ada)" in waiting.stdout
    assert run("verify", report, *trusted).exit_code == 0
    assert run("sign", report, "--as", "Bob", *SIGN, "--key", tmp_path / "bob.pem", "--comment", "seen").exit_code == 0
    done = run("verify", report, *trusted, "--require-approvals", 2)
    assert done.exit_code == 0 and "approvals: approved by Ada, Bob; required: 2" in done.stdout
    assert "signed with trusted key bob.pub: seen" in done.stdout
    told = json.loads(run("verify", report, *trusted, "--json").stdout)
    assert told["standing"]["state"] == "approved" and [one["trust"] for one in told["approvals"]] == ["trusted"] * 2


def test_without_a_trusted_key_that_is_said(report: Path, tmp_path: Path) -> None:
    run("sign", "--new-key", tmp_path / "ada.pem")
    run("sign", report, "--as", "Ada", *SIGN, "--key", tmp_path / "ada.pem")
    found = run("verify", report)
    assert found.exit_code == 0 and "not checked against a trusted key" in found.stdout


def test_an_approval_without_a_key_is_called_unsigned_everywhere(report: Path) -> None:
    assert "UNSIGNED" in run("sign", report, "--as", "Ada", *SIGN).stdout
    assert json.loads(run("sign", report, "--as", "Bob", *SIGN, "--json").stdout)["signed"] is False
    found = run("verify", report, "--require-approvals", 2)
    assert found.exit_code == 0 and found.stdout.count("UNSIGNED") == 2 and "2 unsigned" in found.stdout


def test_the_same_person_twice_is_one_person(report: Path) -> None:
    for name in ("Ada", "ada "):
        run("sign", report, "--as", name, *SIGN)
    assert run("verify", report, "--require-approvals", 2).exit_code == 4


def test_a_rejection_is_printed(report: Path) -> None:
    run("sign", report, "--as", "Ada", *SIGN)
    run("sign", report, "--as", "Eve", "--role", "reviewer", "--decision", "reject", "--comment", "too dark")
    found = run("verify", report)
    assert found.exit_code == 0 and "rejected by Eve" in found.stdout and "too dark" in found.stdout
    assert run("verify", report, "--require-approvals", 1).exit_code == 4


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "approvals.json"])
def test_one_changed_byte_after_signing_exits_with_5_and_names_the_file(report: Path, name: str) -> None:
    run("sign", report, "--as", "Ada", *SIGN)
    content = bytearray((report / name).read_bytes())
    content[len(content) // 2] ^= 1
    (report / name).write_bytes(content)
    found = run("verify", report)
    assert found.exit_code == 5 and name in found.stderr and found.stdout == ""


def test_a_key_that_is_not_trusted_exits_with_5(report: Path, tmp_path: Path) -> None:
    for name in ("ada", "eve"):
        run("sign", "--new-key", tmp_path / f"{name}.pem")
    run("sign", report, "--as", "Ada", *SIGN, "--key", tmp_path / "eve.pem")
    found = run("verify", report, "--public-key", tmp_path / "ada.pub")
    assert found.exit_code == 5 and "not trusted" in found.stderr


def test_what_was_not_given_is_not_called_checked(report: Path) -> None:
    found = run("verify", report)
    assert "not checked (not given): weights of" in found.stdout and "\nchecked:" not in found.stdout
    told = json.loads(run("verify", report, "--json").stdout)
    assert told["checked"] == [] and any(words.startswith("predictions of") for words in told["not_checked"])
    (report.parent / "other.pt").write_bytes(b"other")
    wrong = run("verify", report, "--weights", report.parent / "other.pt")
    assert wrong.exit_code == 5 and "other.pt" in wrong.stderr


def test_a_reject_is_not_approved_and_a_hold_only_with_a_comment(made: Path) -> None:
    refused = run("sign", made / "REJECT", "--as", "Ada", *SIGN, "--comment", "but")
    assert refused.exit_code == 2 and "REJECT cannot be approved" in refused.stderr
    assert run("sign", made / "HOLD", "--as", "Ada", *SIGN).exit_code == 2
    assert run("sign", made / "HOLD", "--as", "Ada", *SIGN, "--comment", "pilot").exit_code == 0
    assert "report says: HOLD" in run("verify", made / "HOLD").stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "Say which report is signed"),
        (["REPORT", "--role", "r", "--decision", "approve"], "Say which report is signed"),
        (["REPORT", "--as", "A", "--role", "r", "--decision", "maybe"], "'maybe' is not one of"),
        (["REPORT", "--as", "A", "--role", "r", "--decision", "approve", "--date", "25.11.2026"], "does not match"),
        (["REPORT", "--as", "A", "--role", "r", "--decision", "approve", "--key", "none.pem"], "none.pem"),
        (["REPORT", "--new-key", "k.pem"], "signs nothing"),
        (["nowhere", "--as", "A", "--role", "r", "--decision", "approve"], "holds no report"),
    ],
)
def test_wrong_usage_exits_with_2_and_signs_nothing(report: Path, args: list[str], words: str) -> None:
    done = run("sign", *(str(report) if arg == "REPORT" else arg for arg in args))
    assert done.exit_code == 2 and words in done.stderr
    assert not (report / "approvals.json").exists() and not Path("k.pem").exists()


def test_verify_refuses_what_it_cannot_read(report: Path) -> None:
    for args in (["--variant", "night"], ["--variant", "night=x.yaml"], ["--data", "none.yaml"]):
        assert run("verify", report, *args).exit_code == 2
    for args in (["--predictions", "none"], ["--public-key", "none.pub"], ["--public-key", "."]):
        assert run("verify", report, *args).exit_code == 2


def test_names_on_the_terminal_show_no_control_characters(report: Path) -> None:
    run("sign", report, "--as", "Ada\x1b[2J\u202e", *SIGN)
    found = run("verify", report).stdout
    assert "\x1b" not in found and "\u202e" not in found and "Ada\\u001b" in found


def test_an_encrypted_key_is_opened_with_a_password_from_the_prompt(report: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    locked = tmp_path / "locked.pem"
    secret = s.BestAvailableEncryption(b"word")
    locked.write_bytes(Ed25519PrivateKey.generate().private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, secret))
    assert run("sign", report, "--as", "Ada", *SIGN, "--key", locked, text="wrong\n").exit_code == 2
    right = run("sign", report, "--as", "Ada", *SIGN, "--key", locked, text="word\n")
    assert right.exit_code == 0 and "signed with key" in right.stdout and "word" not in right.stdout
