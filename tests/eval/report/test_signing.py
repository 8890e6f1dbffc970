"""Approvals: a signature holds for exactly one report, and people are counted once."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from robust.errors import IntegrityError, RobustError, UsageError
from robust.eval.decision.records import Verdict
from robust.eval.report.approval import Approval, SignedApproval, Trust, from_body, pae, standing, to_body
from robust.eval.report.files import verify_report
from robust.eval.signing import Approvals, Signer, check_approvals, new_key, sign, trusted_keys
from tests.eval.report.written import written

DAY = date(2026, 11, 25)
ADA = Signer("Ada Lovelace", "head of vision", "approve")
BOB = Signer("Bob", "independent reviewer", "approve")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("reports")

    def report(verdict: str) -> Path:
        if not (folder / verdict).exists():
            written(folder / verdict, verdict)
        return folder / verdict

    return report


@pytest.fixture
def report(made: Callable[[str], Path], tmp_path: Path) -> Path:
    return shutil.copytree(made("PROMOTE"), tmp_path / "report")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "ada.pem")
    return tmp_path / "ada.pem"


def check(folder: Path, *keys: Path, required: int | None = None) -> Approvals:
    return check_approvals(folder, verify_report(folder), trusted_keys(keys) if keys else None, required=required)


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change approvals.json and make its checksum right again, as somebody who means harm would."""
    from robust.eval.report.approval import Entry, to_file

    record = json.loads((folder / "approvals.json").read_text())
    change(record)
    entries = [Entry.model_validate_json(json.dumps(entry)) for entry in record["approvals"]]
    (folder / "approvals.json").write_bytes(to_file(entries))


def test_the_encoding_is_that_of_the_dsse_specification() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"a b\n\x00") == b"DSSEv1 2 \xc3\xa9 5 a b\n\x00"  # lengths count bytes


def test_signing_changes_no_file_of_the_report_and_verifies(report: Path, key: Path) -> None:
    before = {path.name: path.read_bytes() for path in report.iterdir()}
    signed = sign(report, ADA, day=DAY, key_file=key)
    after = {path.name: path.read_bytes() for path in report.iterdir()}
    assert {name: after[name] for name in before} == before and set(after) - set(before) == {"approvals.json"}
    (found,) = check(report, key.with_suffix(".pub")).signed
    assert found.trust == "trusted" and found.key_name == "ada.pub" and found.key_id == signed.key_id
    assert found.approval.model_dump(exclude={"manifest_sha256", "evidence_sha256", "report_sha256"}) == {
        "name": "Ada Lovelace", "role": "head of vision", "decision": "approve", "date": DAY, "comment": "",
        "verdict": "PROMOTE", "candidate": verify_report(report).decision.candidate,
    }  # fmt: skip


def test_without_a_trusted_key_it_says_that_the_signature_was_not_checked_against_one(report: Path, key: Path) -> None:
    sign(report, ADA, day=DAY, key_file=key)
    sign(report, BOB, day=DAY)
    assert [one.trust for one in check(report).signed] == ["not checked", "unsigned"]
    assert check(report).standing.n_unsigned == 1


def test_the_two_person_rule_of_the_policy_is_met_by_two_people(report: Path, key: Path) -> None:
    assert check(report).standing.state == "waiting"
    sign(report, ADA, day=DAY, key_file=key)
    assert (check(report).standing.state, check(report, required=1).standing.state) == ("waiting", "approved")
    new_key(report.parent / "bob.pem")
    sign(report, BOB, day=DAY, key_file=report.parent / "bob.pem")
    found = check(report, report.parent)  # the folder holds both .pub files, and the private keys beside them
    assert found.standing.state == "approved" and found.standing.approvers == ("Ada Lovelace", "Bob")


def test_with_trusted_keys_an_unsigned_approval_does_not_count(report: Path, key: Path) -> None:
    sign(report, ADA, day=DAY, key_file=key)
    sign(report, BOB, day=DAY)
    assert check(report).standing.state == "approved"
    held = check(report, key.with_suffix(".pub")).standing
    assert (held.state, held.approvers, held.n_not_counted) == ("waiting", ("Ada Lovelace",), 1)


def test_a_key_that_is_not_trusted_is_refused(report: Path, key: Path) -> None:
    new_key(report.parent / "other.pem")
    sign(report, ADA, day=DAY, key_file=key)
    with pytest.raises(IntegrityError, match="not trusted"):
        check(report, report.parent / "other.pub")


@pytest.mark.parametrize("name", ["evidence.json", "report.html", "manifest.json", "model-card.md"])
def test_one_changed_byte_after_signing_is_found_and_the_file_named(report: Path, key: Path, name: str) -> None:
    sign(report, ADA, day=DAY, key_file=key)
    content = bytearray((report / name).read_bytes())
    content[len(content) // 2] ^= 1
    (report / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=name):
        check(report)


@pytest.mark.parametrize("signed", [True, False])
def test_every_changed_byte_of_the_approvals_is_found(report: Path, key: Path, signed: bool) -> None:
    sign(report, ADA, day=DAY, key_file=key if signed else None)
    verified = verify_report(report)
    path = report / "approvals.json"
    right = path.read_bytes()
    for place in range(0, len(right), 7):
        wrong = bytearray(right)
        wrong[place] ^= 1
        path.write_bytes(wrong)
        with pytest.raises(IntegrityError, match=r"approvals\.json"):
            check_approvals(report, verified)
    path.write_bytes(right)
    assert len(check_approvals(report, verified).signed) == 1


def test_a_report_that_was_consistently_made_again_is_not_the_one_that_was_signed(report: Path, key: Path) -> None:
    from robust.eval.report.card import Card

    sign(report, ADA, day=DAY, key_file=key)
    written(report, card=Card(owner="somebody else"))
    assert verify_report(report)  # by itself it is sound
    with pytest.raises(IntegrityError, match=r"approvals\.json: what 'Ada Lovelace' signed is another report"):
        check(report)
    with pytest.raises(IntegrityError, match="another report"):
        sign(report, BOB, day=DAY)


def test_what_was_signed_cannot_be_edited_even_with_a_right_checksum(report: Path, key: Path) -> None:
    sign(report, Signer("Ada", "head", "reject"), day=DAY, key_file=key)

    def turn(record: dict[str, Any]) -> None:
        sealed = record["approvals"][0]["envelope"]
        body = base64.b64decode(sealed["payload"])
        assert b'"decision":"reject"' in body
        sealed["payload"] = base64.b64encode(body.replace(b"reject", b"approve")).decode()

    edit(report, turn)
    with pytest.raises(IntegrityError, match=r"approvals\.json: the signature of 'Ada' does not fit"):
        check(report)


def test_another_key_beside_the_signature_does_not_fit(report: Path, key: Path) -> None:
    sign(report, ADA, day=DAY, key_file=key)
    other = new_key(report.parent / "other.pem").read_text()
    edit(report, lambda record: record["approvals"][0].update(public_key=other))
    with pytest.raises(IntegrityError, match="does not fit"):
        check(report)


def test_a_signature_that_was_taken_away_leaves_an_unsigned_approval_or_a_complaint(report: Path, key: Path) -> None:
    sign(report, ADA, day=DAY, key_file=key)
    edit(report, lambda record: record["approvals"][0]["envelope"].update(signatures=[]))
    with pytest.raises(IntegrityError, match="is gone"):
        check(report)
    edit(report, lambda record: record["approvals"][0].update(public_key=None))
    assert [one.trust for one in check(report).signed] == ["unsigned"]
    assert check(report, key.with_suffix(".pub")).standing.approvers == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"schema_version":1,"approvals":[{}],"checksum":""}'])
def test_a_file_that_holds_no_approvals_is_refused(report: Path, text: str) -> None:
    (report / "approvals.json").write_text(text)
    with pytest.raises(IntegrityError, match=r"approvals\.json"):
        check(report)


def test_a_statement_that_is_no_approval_is_refused(report: Path) -> None:
    sign(report, ADA, day=DAY)
    for body in (b"", b"{}", b"[" * 100_000, b'{"subject":[],"predicate":{}}', b"null"):
        sealed = base64.b64encode(body).decode()
        edit(report, partial(_with_payload, sealed))
        with pytest.raises(IntegrityError, match="no approval"):
            check(report)


def test_approvals_that_are_a_link_or_too_large_are_refused(report: Path) -> None:
    sign(report, ADA, day=DAY)
    path = report / "approvals.json"
    path.rename(report.parent / "elsewhere")
    path.symlink_to(report.parent / "elsewhere")
    with pytest.raises(IntegrityError, match="is a link"):
        check(report)
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(IntegrityError, match="bytes"):
        check(report)


def test_a_broken_report_is_not_signed(report: Path) -> None:
    (report / "report.md").write_text("PROMOTE")
    with pytest.raises(IntegrityError, match=r"report\.md"):
        sign(report, ADA, day=DAY)
    assert not (report / "approvals.json").exists()


def test_two_people_cannot_sign_at_the_same_moment(report: Path) -> None:
    (report / ".approvals.json.part").touch()
    with pytest.raises(RobustError, match="at the moment"):
        sign(report, ADA, day=DAY)


def test_a_rejected_report_cannot_be_approved_and_one_on_hold_only_with_a_reason(made: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="REJECT cannot be approved"):
        sign(made("REJECT"), Signer("A", "r", "approve", "I know better"), day=DAY)
    with pytest.raises(UsageError, match="only with a reason"):
        sign(made("HOLD"), Signer("A", "r", "approve", " "), day=DAY)
    sign(made("REJECT"), Signer("A", "r", "reject"), day=DAY)
    sign(made("HOLD"), Signer("A", "r", "approve", "pilot on one camera"), day=DAY)
    (held,) = check(made("HOLD")).signed
    assert (held.approval.verdict, held.approval.comment) == (Verdict.HOLD, "pilot on one camera")
    assert check(made("REJECT")).standing.state == "rejected"


@pytest.mark.parametrize(("name", "role"), [("", "r"), ("  ", "r"), ("a", ""), ("a" * 201, "r")])
def test_nobody_signs_without_a_name_and_a_role(report: Path, name: str, role: str) -> None:
    with pytest.raises(UsageError, match="Name, role"):
        sign(report, Signer(name, role, "approve"), day=DAY)


def test_a_new_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    public = new_key(tmp_path / "me.pem")
    assert stat.S_IMODE((tmp_path / "me.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in public.read_text()
    secret = (tmp_path / "me.pem").read_bytes()
    with pytest.raises(UsageError, match="there already"):
        new_key(tmp_path / "me.pem")
    public.unlink()
    with pytest.raises(UsageError, match="there already"):
        new_key(tmp_path / "me.pem")
    assert (tmp_path / "me.pem").read_bytes() == secret
    with pytest.raises(UsageError, match="public key"):
        new_key(tmp_path / "me.pub")


def test_keys_of_another_kind_are_refused(report: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    curve = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    (tmp_path / "ec.pem").write_bytes(
        curve.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (tmp_path / "ec.pub").write_bytes(
        curve.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "text").write_text("hello")
    for wrong in ("ec.pem", "text", "none.pem"):
        with pytest.raises(UsageError):
            sign(report, ADA, day=DAY, key_file=tmp_path / wrong)
    new_key(tmp_path / "me.pem")
    for wrong in ("ec.pub", "text", "none.pub", "me.pem"):
        with pytest.raises(UsageError):
            trusted_keys([tmp_path / wrong])
    assert not (report / "approvals.json").exists()


def test_an_encrypted_key_needs_its_password(report: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    (tmp_path / "locked.pem").write_bytes(secret)
    for password in (None, b"other"):
        with pytest.raises(UsageError):
            sign(report, ADA, day=DAY, key_file=tmp_path / "locked.pem", password=password)
    assert sign(report, ADA, day=DAY, key_file=tmp_path / "locked.pem", password=b"word").key_id


def test_openssl_finds_the_signature_right(report: Path, key: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    sign(report, ADA, day=DAY, key_file=key)
    (entry,) = json.loads((report / "approvals.json").read_text())["approvals"]
    sealed = entry["envelope"]
    body, kind = base64.b64decode(sealed["payload"]), sealed["payloadType"]
    signature = tmp_path / "signature"
    signature.write_bytes(base64.b64decode(sealed["signatures"][0]["sig"]))

    def accepts(content: bytes) -> bool:
        (tmp_path / "content").write_bytes(content)
        command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", str(key.with_suffix(".pub")), "-rawin"]
        command += ["-in", str(tmp_path / "content"), "-sigfile", str(signature)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    right = f"DSSEv1 {len(kind)} {kind} {len(body)} ".encode() + body
    assert kind == "application/vnd.in-toto+json"
    assert accepts(right) and not accepts(right + b" ") and not accepts(body)
    der = subprocess.run(
        [openssl, "pkey", "-pubin", "-in", str(key.with_suffix(".pub")), "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    import hashlib

    assert sealed["signatures"][0]["keyid"] == hashlib.sha256(der).hexdigest()


def _with_payload(payload: str, record: dict[str, Any]) -> None:
    record["approvals"][0]["envelope"].update(payload=payload)


def said(name: str, decision: str = "approve", key: str | None = None, trust: Trust | None = None) -> SignedApproval:
    return SignedApproval(
        approval=Approval.model_validate(
            {
                "name": name, "role": "r", "decision": decision, "date": DAY, "verdict": "PROMOTE", "candidate": None,
                "manifest_sha256": "0" * 64, "evidence_sha256": "1" * 64, "report_sha256": "2" * 64,
            }
        ),
        trust=trust or ("trusted" if key else "unsigned"),
        key_id=key * 64 if key else None,
    )  # fmt: skip


def test_a_person_counts_once_whatever_name_or_key_they_sign_with() -> None:
    assert standing([said("Ada"), said(" aDA ")], 2).approvers == ("Ada",)
    assert standing([said("Ada"), said("A\u200bda")], 2).approvers == ("Ada",)
    assert standing([said("Ada", key="a"), said("Bob", key="a")], 2).approvers == ("Ada",)
    assert standing([said("Ada", key="a"), said("Bob", key="b")], 2).state == "approved"
    linked = [said("Ada", key="a"), said("Bob", key="b"), said("Ada", key="b")]  # the third shows they are one
    assert standing(linked, 2).approvers == ("Ada",)


def test_a_rejection_stands_whoever_else_approves() -> None:
    three = [said("Ada"), said("Bob"), said("Eve", "reject")]
    assert standing(three, 2).state == "rejected" and standing(three, 2).rejecters == ("Eve",)
    assert standing([said("Ada"), said("Ada", "reject")], 1).state == "rejected"
    unsigned = [said("Ada", key="a"), said("Eve", "reject")]
    assert standing(unsigned, 1, trusted_only=True).state == "rejected"


@pytest.mark.parametrize(("required", "state"), [(0, "approved"), (1, "approved"), (2, "waiting")])
def test_the_number_that_is_required_decides(required: int, state: str) -> None:
    assert standing([said("Ada")], required).state == state


def test_nobody_is_waited_for_only_where_nobody_is_required() -> None:
    assert standing([], 0).text == "no approval is required"
    assert standing([], 1).text == "waiting: 0 of 1 approved"
    assert standing([said("Ada")], 1).text == "approved by Ada; required: 1 (1 unsigned)"


def test_an_approval_reads_back_as_written_and_in_no_other_form() -> None:
    approval = said("Zoë \u202e", "reject").approval
    body = to_body(approval)
    assert from_body(body) == approval
    assert json.loads(body)["_type"] == "https://in-toto.io/Statement/v1"
    for other in (
        body + b" ",
        body.replace(b'"role":"r"', b'"role": "r"'),
        body.replace(b'"role":"r"', b'"role":"r","x":1'),
    ):
        with pytest.raises(ValueError):
            from_body(other)
