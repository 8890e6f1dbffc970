"""Approvals: who decided what about a report, as DSSE envelopes around in-toto statements. Pure; no key is used here.

An approval covers the sha256 of the report's manifest and with it every file of the report. Approvals lie in a file of
their own, so that signing changes nothing that was signed.

Sources: DSSE v1 (https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md); in-toto Statement v1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robust.errors import IntegrityError
from robust.eval.metrics.records import Record
from robust.eval.report.context import printable
from robust.eval.report.statement import STATEMENT_TYPE

APPROVALS = "approvals.json"
APPROVALS_VERSION = 1
PAYLOAD_TYPE: Literal["application/vnd.in-toto+json"] = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:robust-detection:approval:v1"
MAX_APPROVALS_BYTES = 4 * 2**20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Trust = Literal["unsigned", "not checked", "unknown key", "trusted"]
"""How far a signature can be relied on.

``unsigned``: no key was used. ``not checked``: it fits the public key beside it, but nobody said whose key that is.
``unknown key``: it fits, and the key is not among the trusted ones. ``trusted``: it fits a trusted key.
"""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Approval(Record):
    """What one person says about one report.

    Attributes:
        name: Who.
        role: As what.
        decision: Approve or reject.
        date: On which day.
        comment: Why; may be empty.
        verdict: What the report itself says.
        candidate: Which candidate it proposes; None for none.
        manifest_sha256: Hash of the manifest, which has the hashes of all files.
        evidence_sha256: Hash of evidence.json.
        report_sha256: Hash of report.html.
    """

    name: Line
    role: Line
    decision: Literal["approve", "reject"]
    date: date
    comment: str = Field(default="", max_length=5000)
    verdict: Literal["PROMOTE", "REJECT", "HOLD"]
    candidate: str | None
    manifest_sha256: Sha256
    evidence_sha256: Sha256
    report_sha256: Sha256


class Signature(_Strict):
    """A signature of an envelope: a hint which key made it, and the bytes in base64."""

    keyid: str = Field(max_length=128)
    sig: str = Field(max_length=1024)


class Envelope(_Strict):
    """A DSSE envelope; an approval without a key has no signature."""

    payload: str
    payloadType: Literal["application/vnd.in-toto+json"] = PAYLOAD_TYPE
    signatures: tuple[Signature, ...] = Field(default=(), max_length=1)

    @property
    def body(self) -> bytes:
        """What was signed.

        Raises:
            ValueError: it is not base64.
        """
        return base64.b64decode(self.payload, validate=True)


class Entry(_Strict):
    """An envelope with the public key (PEM) that its signature fits; None for an unsigned one."""

    envelope: Envelope
    public_key: str | None = Field(default=None, max_length=4096)


class _File(_Strict):
    schema_version: Literal[1]
    approvals: tuple[Entry, ...]
    checksum: str


class SignedApproval(Record):
    """An approval as it was read back: what it says, and how far it can be relied on.

    Attributes:
        approval: What it says.
        trust: How far the signature can be relied on.
        key_id: sha256 of the public key; None for an unsigned one.
        key_name: File of the trusted key; None when no trusted key fits.
    """

    approval: Approval
    trust: Trust
    key_id: Sha256 | None = None
    key_name: str | None = None


class ApprovalStanding(Record):
    """What all approvals of a report come to.

    Attributes:
        state: ``rejected`` as soon as anybody rejects; ``approved`` when enough people approve; else ``waiting``.
        required: People who must approve.
        approvers: Names of those who count, each person once.
        rejecters: Names of those who reject.
        n_unsigned: Approvals and rejections without a key.
        n_not_counted: Approvals that do not count, because trusted keys were asked for and theirs is not one.
    """

    state: Literal["approved", "rejected", "waiting"]
    required: int
    approvers: tuple[str, ...]
    rejecters: tuple[str, ...]
    n_unsigned: int
    n_not_counted: int

    @property
    def text(self) -> str:
        """The standing in one sentence."""
        names = ", ".join(self.approvers)
        words = {
            "approved": f"approved by {names}; required: {self.required}" if names else "no approval is required",
            "waiting": f"waiting: {len(self.approvers)} of {self.required} approved" + (f" ({names})" if names else ""),
            "rejected": f"rejected by {', '.join(self.rejecters)}",
        }
        asides = [f"{self.n_unsigned} unsigned"] if self.n_unsigned else []
        asides += [f"{self.n_not_counted} not counted: no trusted key"] if self.n_not_counted else []
        return words[self.state] + (f" ({'; '.join(asides)})" if asides else "")


def pae(payload_type: str, body: bytes) -> bytes:
    """The bytes that a DSSE signature is over (pre-authentication encoding); lengths count bytes."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def to_body(approval: Approval) -> bytes:
    """Write an approval as an in-toto statement about the report's files."""
    said = approval.model_dump(mode="json", exclude={"manifest_sha256", "evidence_sha256", "report_sha256"})
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": "manifest.json", "digest": {"sha256": approval.manifest_sha256}},
            {"name": "evidence.json", "digest": {"sha256": approval.evidence_sha256}},
            {"name": "report.html", "digest": {"sha256": approval.report_sha256}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": said,
    }
    return json.dumps(statement, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def from_body(body: bytes) -> Approval:
    """Read an approval back; anything that `to_body` would not have written is refused.

    Raises:
        ValueError: it is not an approval.
    """
    statement = json.loads(body)
    digests = [subject["digest"]["sha256"] for subject in statement["subject"]]
    names = ("manifest_sha256", "evidence_sha256", "report_sha256")
    approval = Approval.model_validate({**statement["predicate"], **dict(zip(names, digests, strict=True))})
    if to_body(approval) != body:
        raise ValueError("it is not written as robust writes it")
    return approval


def envelope(body: bytes, signatures: Sequence[Signature] = ()) -> Envelope:
    """Put a statement into an envelope."""
    return Envelope(payload=base64.b64encode(body).decode("ascii"), signatures=tuple(signatures))


def to_file(entries: Iterable[Entry]) -> bytes:
    """Write approvals.json. Its checksum finds damage, also of unsigned approvals; it is no protection."""
    listed = [entry.model_dump(mode="json") for entry in entries]
    record = {"schema_version": APPROVALS_VERSION, "approvals": listed, "checksum": _checksum(listed)}
    return (json.dumps(record, indent=2) + "\n").encode("utf-8")


def from_file(content: bytes, name: str) -> tuple[Entry, ...]:
    """Read approvals.json.

    Raises:
        IntegrityError: it is damaged, or not what `to_file` writes.
    """
    try:
        found = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise IntegrityError(f"{name} holds no approvals.", f"At {where}: {first['msg']}.") from error
    if to_file(found.approvals) != content:
        raise IntegrityError(
            f"{name} was changed after it was written.",
            "Its checksum or its form is not what robust writes.",
            "Ask for the file as it was signed, or remove it and sign again.",
        )
    return found.approvals


def read_approval(entry: Entry, name: str) -> Approval:
    """What an entry of approvals.json says.

    Raises:
        IntegrityError: it is not an approval.
    """
    try:
        return from_body(entry.envelope.body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise IntegrityError(f"{name} holds something that is no approval.", why) from error


def standing(approvals: Sequence[SignedApproval], required: int, *, trusted_only: bool = False) -> ApprovalStanding:
    """Count people, not approvals.

    Two approvals by the same name (whatever its case and spacing) or with the same key are one person's. A rejection
    stands, signed or not, until the report is written again.

    Args:
        approvals: Of one report.
        required: People who must approve.
        trusted_only: Count only approvals with a trusted key.
    """
    for_it = [one for one in approvals if one.approval.decision == "approve"]
    counted = [one for one in for_it if one.trust == "trusted" or not trusted_only]
    rejecters = _people([one for one in approvals if one.approval.decision == "reject"])
    approvers = _people(counted)
    return ApprovalStanding(
        state="rejected" if rejecters else "approved" if len(approvers) >= required else "waiting",
        required=required,
        approvers=approvers,
        rejecters=rejecters,
        n_unsigned=sum(one.trust == "unsigned" for one in approvals),
        n_not_counted=len(for_it) - len(counted),
    )


def _people(approvals: Sequence[SignedApproval]) -> tuple[str, ...]:
    """One name for each person; approvals that share a name or a key, also through others, are one person's."""
    groups: list[tuple[set[str], str]] = []
    for one in approvals:
        marks = {f"name {_same_name(one.approval.name)}", *([f"key {one.key_id}"] if one.key_id else [])}
        joined = [group for group in groups if group[0] & marks]
        first = joined[0][1] if joined else printable(one.approval.name)
        merged = (marks.union(*(group[0] for group in joined)), first)
        place = groups.index(joined[0]) if joined else len(groups)
        groups = [group for group in groups if group not in joined]
        groups.insert(place, merged)
    return tuple(name for _, name in groups)


def _same_name(name: str) -> str:
    """A name without what people vary: case, spacing, and signs that nobody sees."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(sign for sign in folded if unicodedata.category(sign) not in {"Cf", "Cc"} or sign.isspace())
    return " ".join(seen.split())


def _checksum(listed: object) -> str:
    return hashlib.sha256(json.dumps(listed, sort_keys=True, allow_nan=False).encode("utf-8")).hexdigest()
