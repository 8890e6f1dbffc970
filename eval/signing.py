"""Sign a report, and check who signed it: ed25519 keys in PEM files, approvals beside the report.

The only module that knows the `cryptography` library (the extra ``sign``; MLflow brings it too).
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from robust.errors import IntegrityError, RobustError, UsageError
from robust.eval.decision.records import Decision, Verdict
from robust.eval.report.approval import (
    APPROVALS,
    MAX_APPROVALS_BYTES,
    PAYLOAD_TYPE,
    Approval,
    ApprovalStanding,
    Entry,
    Signature,
    SignedApproval,
    Trust,
    envelope,
    from_file,
    pae,
    read_approval,
    standing,
    to_body,
    to_file,
)
from robust.eval.report.files import VerifiedReport, read_bounded, verify_report

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_KEY_BYTES = 2**16


@dataclass(frozen=True)
class Signer:
    """Who signs, and what they say.

    Attributes:
        name: Of the person.
        role: As what.
        decision: "approve" or "reject".
        comment: Why; must not be empty to approve what is on hold.
    """

    name: str
    role: str
    decision: str
    comment: str = ""


@dataclass(frozen=True)
class Approvals:
    """The approvals of a report, checked.

    Attributes:
        signed: Each with how far it can be relied on, in the order of the file.
        standing: What they come to.
    """

    signed: tuple[SignedApproval, ...]
    standing: ApprovalStanding


def new_key(path: Path) -> Path:
    """Make a key pair: the private key for its owner alone (mode 0600), the public one beside it with suffix ``.pub``.

    Returns:
        The file of the public key.

    Raises:
        UsageError: one of the files is there already, or cannot be written.
    """
    _require_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_suffix(".pub")
    if public == path:
        raise UsageError(f"{path} is the name of a public key.", fix="Name the private key, for example me.pem.")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    if public.exists() or public.is_symlink():
        raise UsageError(f"{public} is there already.", "A key is never overwritten.", "Choose another name.")
    _create(path, secret, mode=0o600)
    _create(public, _pem(key.public_key()), mode=0o644)
    return public


def sign(
    folder: Path, signer: Signer, *, day: date, key_file: Path | None = None, password: bytes | None = None
) -> SignedApproval:
    """Verify a report, then append an approval or a rejection to its approvals.

    Args:
        folder: The report.
        signer: Who says what.
        day: Of the signature.
        key_file: Private ed25519 key in PEM; None leaves the approval unsigned.
        password: Of an encrypted key.

    Raises:
        IntegrityError: the report or its approvals were changed.
        UsageError: such a report cannot be approved, or the key cannot be used.
    """
    report = verify_report(folder)
    _check_allowed(signer, report.decision)
    try:
        approval = Approval(
            name=signer.name.strip(),
            role=signer.role.strip(),
            decision=signer.decision,  # type: ignore[arg-type]  # checked by the record
            date=day,
            comment=signer.comment.strip(),
            verdict=report.decision.verdict.value,
            candidate=report.decision.candidate,
            manifest_sha256=report.manifest_sha256,
            evidence_sha256=report.sha256["evidence.json"],
            report_sha256=report.sha256["report.html"],
        )
    except ValueError as error:
        raise UsageError("Name, role and decision must be given, in one short line each.", str(error)) from error
    body = to_body(approval)
    if key_file is None:
        entry, key_id = Entry(envelope=envelope(body)), None
    else:
        key = load_private_key(key_file, password)
        key_id = _key_id(key.public_key())
        sig = base64.b64encode(key.sign(pae(PAYLOAD_TYPE, body))).decode("ascii")
        entry = Entry(
            envelope=envelope(body, [Signature(keyid=key_id, sig=sig)]),
            public_key=_pem(key.public_key()).decode("ascii"),
        )
    _append(folder, entry, report)
    return SignedApproval(approval=approval, trust="not checked" if key_id else "unsigned", key_id=key_id)


def check_approvals(
    folder: Path, report: VerifiedReport, trusted: Mapping[str, str] | None = None, *, required: int | None = None
) -> Approvals:
    """Read and check the approvals of a report.

    Args:
        folder: The report.
        report: What verifying it found.
        trusted: Key id -> file name of each trusted public key, see `trusted_keys`; None checks signatures only
            against the keys beside them, and says so.
        required: People who must approve; None takes the number of the report's policy.

    Raises:
        IntegrityError: the file was changed, an approval is of another report, a signature does not fit, or it is by a
            key that is not trusted while trusted keys were given.
    """
    path = folder / APPROVALS
    entries = _read(path) if path.exists() or path.is_symlink() else ()
    signed = tuple(_checked(entry, report, path, trusted) for entry in entries)
    people = report.policy.approvals if required is None else required
    return Approvals(signed, standing(signed, people, trusted_only=trusted is not None))


def trusted_keys(places: Sequence[Path]) -> dict[str, str]:
    """Key id -> file name of the public keys in some files, or in the ``.pub`` and ``.pem`` files of folders.

    Raises:
        UsageError: a file is no public ed25519 key, or a folder holds none.
    """
    found: dict[str, str] = {}
    for place in places:
        if place.is_dir():
            files = sorted(p for p in place.iterdir() if p.suffix in {".pub", ".pem"} and p.is_file())
            files = [file for file in files if b"PRIVATE KEY" not in _key_bytes(file)]
            if not files:
                raise UsageError(f"{place} holds no public key.", "Looked for files that end in .pub or .pem.")
        else:
            files = [place]
        for file in files:
            found.setdefault(_key_id(load_public_key(file)), file.name)
    return found


def load_private_key(path: Path, password: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        UsageError: it cannot be read, is encrypted and no password fits, or is no ed25519 key.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _key_bytes(path)
    try:
        key = load_pem_private_key(content, password)
    except TypeError as error:  # a password is missing, or there is one too many
        raise UsageError(f"The key {path} cannot be opened.", str(error)) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "It is no private key in PEM, or the password is wrong."
        raise UsageError(f"The key {path} cannot be read.", why, "Make one: robust sign --new-key ME.pem") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is no ed25519 key.", fix="Make one: robust sign --new-key ME.pem")
    return key


def is_encrypted(path: Path) -> bool:
    """Whether a private key asks for a password."""
    return b"ENCRYPTED PRIVATE KEY" in _key_bytes(path)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        UsageError: it cannot be read or is no public ed25519 key.
    """
    try:
        return _public_key(_key_bytes(path))
    except ValueError as error:
        private = b"PRIVATE KEY" in _key_bytes(path)
        why = "It is a private key, which only its owner should have." if private else str(error)
        raise UsageError(f"{path} is no public ed25519 key.", why, "Give the .pub file.") from error


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise RobustError(
            "Signing needs the cryptography library.", str(error), "pip install 'robust-detection[sign]'"
        ) from error


def _check_allowed(signer: Signer, decision: Decision) -> None:
    """What may not be approved at all, and what only with a reason."""
    if signer.decision != "approve" or decision.verdict is Verdict.PROMOTE:
        return
    if decision.verdict is Verdict.REJECT:
        raise UsageError(
            "A report that says REJECT cannot be approved.",
            decision.reason,
            "Reject it, or put a waiver into the policy and write the report again.",
        )
    if decision.candidate is None:
        raise UsageError("There is nothing to approve: no candidate is proposed.", decision.reason)
    if not signer.comment.strip():
        raise UsageError(
            "A report that says HOLD is approved only with a reason.", decision.reason, "Say why: --comment TEXT"
        )


def _read(path: Path) -> tuple[Entry, ...]:
    return from_file(read_bounded(path, MAX_APPROVALS_BYTES), str(path))


def _append(folder: Path, entry: Entry, report: VerifiedReport) -> None:
    """Add an entry; the unfinished file is the lock, so that of two people who sign at once none is lost."""
    path, unfinished = folder / APPROVALS, folder / f".{APPROVALS}.part"
    _create(unfinished, b"", mode=0o644, busy=True)
    try:
        entries = _read(path) if path.exists() or path.is_symlink() else ()
        for other in entries:
            _checked(other, report, path, None)
        content = to_file((*entries, entry))
        if len(content) > MAX_APPROVALS_BYTES:
            raise UsageError(f"{path} is full.", f"It may have {MAX_APPROVALS_BYTES:,} bytes.")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _checked(entry: Entry, report: VerifiedReport, path: Path, trusted: Mapping[str, str] | None) -> SignedApproval:
    approval = read_approval(entry, str(path))
    about = (approval.manifest_sha256, approval.evidence_sha256, approval.report_sha256)
    verdict = (approval.verdict, approval.candidate)
    if about != (report.manifest_sha256, report.sha256["evidence.json"], report.sha256["report.html"]) or verdict != (
        report.decision.verdict.value,
        report.decision.candidate,
    ):
        raise IntegrityError(
            f"{path}: what {approval.name!r} signed is another report.",
            "The report was written again, or its manifest was changed, after the signature.",
            f"Remove {APPROVALS} and have the report signed again.",
        )
    if not entry.envelope.signatures:
        if entry.public_key is not None:
            raise IntegrityError(f"{path}: the signature of {approval.name!r} is gone.")
        return SignedApproval(approval=approval, trust="unsigned")
    key_id = _check_signature(entry, approval, path)
    trust: Trust = "not checked" if trusted is None else "trusted" if key_id in trusted else "unknown key"
    if trust == "unknown key":
        raise IntegrityError(
            f"{path}: {approval.name!r} signed with a key that is not trusted.",
            f"The sha256 of the key is {key_id}.",
            "Give the public key of that person with --public-key, if you know that it is theirs.",
        )
    return SignedApproval(
        approval=approval, trust=trust, key_id=key_id, key_name=trusted.get(key_id) if trusted else None
    )


def _check_signature(entry: Entry, approval: Approval, path: Path) -> str:
    """Hold the signature against the key beside it, and return the key's id."""
    _require_library()
    from cryptography.exceptions import InvalidSignature

    (signature,) = entry.envelope.signatures
    try:
        key = _public_key((entry.public_key or "").encode("utf-8"))
        if _key_id(key) != signature.keyid:
            raise ValueError("the key is not the one that the signature names")
        key.verify(base64.b64decode(signature.sig, validate=True), pae(PAYLOAD_TYPE, entry.envelope.body))
    except (ValueError, InvalidSignature) as error:
        why = str(error) or "It was changed after the signature, or signed with another key."
        raise IntegrityError(f"{path}: the signature of {approval.name!r} does not fit.", why) from error
    return signature.keyid


def _public_key(content: bytes) -> Ed25519PublicKey:
    """Raises ValueError for anything but a public ed25519 key."""
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the key is of another kind than ed25519")
    return key


def _key_id(key: Ed25519PublicKey) -> str:
    """sha256 hex of the key as DER SubjectPublicKeyInfo."""
    from cryptography.hazmat.primitives import serialization

    return hashlib.sha256(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def _pem(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise UsageError(f"The key {path} cannot be read.", error.strerror or str(error)) from error
    if len(content) > MAX_KEY_BYTES:
        raise UsageError(f"{path} is no key: it is larger than {MAX_KEY_BYTES:,} bytes.")
    return content


def _create(path: Path, content: bytes, *, mode: int, busy: bool = False) -> None:
    """Write a file that must not be there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        if busy:
            raise RobustError(
                "Somebody is signing this report at the moment.",
                f"{path} is there.",
                "Try again; remove that file if a signature was interrupted.",
            ) from error
        raise UsageError(f"{path} is there already.", "A key is never overwritten.", "Choose another name.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written.", error.strerror or str(error)) from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
