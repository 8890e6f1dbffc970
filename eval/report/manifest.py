"""The manifest of a report: the hash of every file, and of everything that the evidence rests on. Pure.

``files`` lie beside it. ``weights``, ``data`` and ``predictions`` lie elsewhere; their hashes are here so that they can
be checked when they are at hand (`robust.eval.verify`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from robust.errors import IntegrityError
from robust.eval.evidence.records import Evidence
from robust.eval.metrics.records import Record

MANIFEST = "manifest.json"
MANIFEST_VERSION = 3
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_FILE_BYTES = 2**30

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Record):
    """A file of the report."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]


class WeightsEntry(Record):
    """Weights of a candidate or baseline; ``detections``: it came as a file of detections, and this is its hash."""

    candidate: str
    role: Literal["candidate", "baseline"]
    imgsz: int | None
    kind: Literal["weights", "detections"]
    sha256: Sha256
    bytes: int | None


class DataEntry(Record):
    """A split of the data set, or a set recorded under a condition; the fingerprint is that of `Dataset`."""

    name: str
    split: str
    fingerprint: Sha256
    images: int
    recorded: bool


class PredictionsEntry(Record):
    """The detections of one candidate on one variant; ``cell`` is the address of the cell."""

    candidate: str
    split: str
    variant: str
    cell: Sha256
    detections: int


class Manifest(Record):
    """The whole manifest; ``lang`` is the language of the page."""

    schema_version: Literal[3] = 3
    written_by: str = Field(max_length=200)
    lang: str = Field(max_length=10)
    files: dict[str, FileEntry]
    weights: tuple[WeightsEntry, ...]
    data: tuple[DataEntry, ...]
    predictions: tuple[PredictionsEntry, ...]

    def to_json(self) -> str:
        """Canonical JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return self.model_dump_json(indent=2) + "\n"


def make_manifest(files: Mapping[str, bytes], evidence: Evidence, written_by: str, lang: str = "en") -> Manifest:
    """List the files of a report in a language, and what its evidence names."""
    return Manifest(
        written_by=written_by,
        lang=lang,
        files={name: FileEntry(sha256=sha256_of(content), bytes=len(content)) for name, content in files.items()},
        weights=tuple(
            WeightsEntry(
                candidate=one.name,
                role=one.role,
                imgsz=one.imgsz,
                kind="weights" if one.weights_bytes is not None else "detections",
                sha256=one.weights_sha256,
                bytes=one.weights_bytes,
            )
            for one in evidence.candidates
        ),
        data=(
            *(
                DataEntry(
                    name=evidence.data.name,
                    split=split.split,
                    fingerprint=split.fingerprint,
                    images=split.n_images,
                    recorded=False,
                )
                for split in evidence.data.splits
            ),
            *(
                DataEntry(
                    name=one.name,
                    split=one.name,
                    fingerprint=one.recipe_sha256,
                    images=one.n_images,
                    recorded=True,
                )
                for one in evidence.suite.variants
                if one.recorded
            ),
        ),
        predictions=tuple(
            PredictionsEntry(
                candidate=one.name,
                split=cell.split,
                variant=cell.variant,
                cell=cell.key,
                detections=cell.n_detections,
            )
            for one in evidence.candidates
            for cell in one.cells
        ),
    )


def parse_manifest(content: bytes, name: str, expected: tuple[str, ...], *, optional: tuple[str, ...] = ()) -> Manifest:
    """Read a manifest of the expected files, and perhaps the optional ones, so that no name in it leads elsewhere.

    Raises:
        IntegrityError: it is no manifest, is of another version, or lists other files.
    """
    _check_version(content, name)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise IntegrityError(f"{name} is not a manifest.", f"At {where}: {first['msg']}.") from error
    absent = [wanted for wanted in expected if wanted not in manifest.files]
    if absent:
        raise IntegrityError(f"{name} does not list {absent[0]}.")
    strange = [listed for listed in manifest.files if listed not in (*expected, *optional)]
    if strange:
        raise IntegrityError(f"{name} lists {strange[0]!r}, which is no file of a report.")
    return manifest


def _check_version(content: bytes, name: str) -> None:
    """Tell another version before its fields are complained about."""
    try:
        record: Any = json.loads(content)
        version = record.get("schema_version")
    except (ValueError, RecursionError, AttributeError) as error:
        raise IntegrityError(f"{name} is not a manifest.", f"{type(error).__name__}: {error}") from error
    if isinstance(version, int) and version != MANIFEST_VERSION:
        raise IntegrityError(
            f"{name} has version {version} of the manifest; this robust checks version {MANIFEST_VERSION}.",
            fix="Check it with the robust that wrote it, or write the report again from its evidence.",
        )


def sha256_of(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()
