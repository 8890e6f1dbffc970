"""The report as files: written whole or not at all, each with its hash, and checked by rendering again."""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust import __version__
from robust.datasets.export import made_folder
from robust.errors import DataError, IntegrityError, RobustError, UsageError
from robust.eval.decision.decide import decide
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision
from robust.eval.decision.yaml_file import parse_yaml
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.records import Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.render import render_html, render_markdown, render_summary

MANIFEST = "manifest.json"
SOURCES = ("evidence.json", "policy.yaml", "card.yaml")
PRODUCTS = ("decision.json", "report.md", "report.html")
MANIFEST_VERSION = 1


@dataclass(frozen=True)
class ReportFiles:
    """A report on disk.

    Attributes:
        folder: Where it lies.
        html: The document to read.
        markdown: Its twin for a repository.
        manifest: The hash of every file.
        decision: What it says.
        sha256: Hex digest of the HTML file.
        summary: A few lines of Markdown.
    """

    folder: Path
    html: Path
    markdown: Path
    manifest: Path
    decision: Decision
    sha256: str
    summary: str


def write_report(evidence: Evidence, policy: Policy, card: Card, out_dir: Path) -> ReportFiles:
    """Decide, render and write ``report.html``, ``report.md``, their sources and the manifest.

    All files are made before the first one is put in place, and the manifest comes last.

    Raises:
        UsageError: ``out_dir`` cannot be written.
        OSError: the disk is full.
    """
    decision = decide(evidence, policy)
    contents = _contents(evidence, policy, decision, card)
    contents[MANIFEST] = _manifest(contents)
    try:
        with made_folder(out_dir), tempfile.TemporaryDirectory(dir=out_dir, prefix=".report-") as unfinished:
            for name, content in contents.items():
                (Path(unfinished) / name).write_bytes(content)
            for name in contents:
                (Path(unfinished) / name).replace(out_dir / name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # no fault of the name that was given
        raise UsageError(f"The report cannot be written to {out_dir}.", str(error)) from error
    return ReportFiles(
        folder=out_dir,
        html=out_dir / "report.html",
        markdown=out_dir / "report.md",
        manifest=out_dir / MANIFEST,
        decision=decision,
        sha256=_sha256(contents["report.html"]),
        summary=render_summary(build_context(evidence, policy, decision, card)),
    )


def verify(folder: Path) -> tuple[str, ...]:
    """Check every hash of a report, decide and render again, and compare.

    Returns:
        Names of the files that were checked.

    Raises:
        IntegrityError: a file is missing, was changed, or is not what its sources give.
        UsageError: the folder holds no report.
    """
    manifest = _read_manifest(folder)
    for name in (*SOURCES, *PRODUCTS):
        if name not in manifest["files"]:
            raise IntegrityError(f"{folder / MANIFEST} does not list {name}.")
        content = _read(folder / name)
        if _sha256(content) != manifest["files"][name]["sha256"]:
            raise IntegrityError(
                f"{folder / name} was changed after the report was written.",
                "Its sha256 is not the one in the manifest.",
                "Write the report again from the evidence, and find out who changed it.",
            )
    _compare(folder, str(manifest["written_by"]))
    return (*SOURCES, *PRODUCTS)


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file.

    Raises:
        DataError: the file cannot be read, or is not evidence of this schema.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The evidence {path} cannot be read.", str(error)) from error
    return parse_evidence(content, str(path))


def _contents(evidence: Evidence, policy: Policy, decision: Decision, card: Card) -> dict[str, bytes]:
    context = build_context(evidence, policy, decision, card)
    texts = {
        "evidence.json": evidence.to_json(),
        "policy.yaml": policy.to_yaml(),
        "card.yaml": card.to_yaml(),
        "decision.json": decision.to_json(),
        "report.md": render_markdown(context),
        "report.html": render_html(context),
    }
    return {name: text.encode("utf-8") for name, text in texts.items()}


def _manifest(contents: dict[str, bytes]) -> bytes:
    files = {name: {"sha256": _sha256(content), "bytes": len(content)} for name, content in contents.items()}
    record = {"schema_version": MANIFEST_VERSION, "written_by": f"robust {__version__}", "files": files}
    return (json.dumps(record, indent=2) + "\n").encode("utf-8")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no report.", f"There is no {MANIFEST} in it.", "Give a folder that `robust report` wrote."
        )
    try:
        record = json.loads(path.read_bytes())
        files = {str(name): {"sha256": str(entry["sha256"])} for name, entry in record["files"].items()}
        return {"written_by": str(record["written_by"]), "files": files}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{path} is not a manifest.", f"{type(error).__name__}: {error}") from error


def _compare(folder: Path, written_by: str) -> None:
    try:
        evidence = read_evidence(folder / "evidence.json")
        policy = parse_yaml(_read(folder / "policy.yaml").decode("utf-8"), Policy, "policy", "policy.yaml")
        card = parse_yaml(_read(folder / "card.yaml").decode("utf-8"), Card, "card", "card.yaml")
    except (RobustError, UnicodeDecodeError) as error:
        raise IntegrityError(f"The sources in {folder} cannot be read back.", str(error)) from error
    for name, content in _contents(evidence, policy, decide(evidence, policy), card).items():
        if _read(folder / name) != content:
            reader = f"robust {__version__}"
            why = "Rendering its sources again gives another file."
            if written_by != reader:
                why = f"It was written by {written_by}; {reader} renders it otherwise."
            raise IntegrityError(f"{folder / name} is not what its evidence, policy and card give.", why)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path} is missing from the report.", str(error)) from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
