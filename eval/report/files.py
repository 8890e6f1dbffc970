"""The report as files: written whole or not at all, each with its hash, and checked by rendering again."""

from __future__ import annotations

import errno
import stat
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import yaml

from robust import __version__
from robust.datasets.export import made_folder
from robust.errors import DataError, IntegrityError, RobustError, UsageError
from robust.eval.decision.decide import decide
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Circumstances, Decision
from robust.eval.evidence.parse import parse_evidence
from robust.eval.evidence.records import Evidence
from robust.eval.report.build import build_context
from robust.eval.report.card import Card, given
from robust.eval.report.catalogue import ENGLISH, LANGUAGES
from robust.eval.report.context import ReportContext
from robust.eval.report.cyclonedx import to_cyclonedx
from robust.eval.report.gallery import GALLERY, NO_GALLERY, Gallery, parse_gallery
from robust.eval.report.language import in_language
from robust.eval.report.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Manifest,
    make_manifest,
    parse_manifest,
    sha256_of,
)
from robust.eval.report.model_card import to_model_card
from robust.eval.report.names import report_names
from robust.eval.report.pdf import PDF, printed_again, to_pdf
from robust.eval.report.render import render_html, render_markdown, render_summary
from robust.eval.report.slider import slider_in_language
from robust.eval.report.statement import to_statement
from robust.eval.yaml_file import parse_yaml

SOURCES = ("evidence.json", "policy.yaml", "card.yaml", GALLERY)
PRODUCTS = (
    "decision.json",
    "report.md",
    "report.html",
    "model-card.md",
    "ml-bom.cdx.json",
    "test-result.intoto.json",
)
MAX_YAML_BYTES = 4 * 2**20


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
        pdf: The document for paper and archives; None when it was not asked for.
        untranslated: Texts that stayed English in a report of another language.
    """

    folder: Path
    html: Path
    markdown: Path
    manifest: Path
    decision: Decision
    sha256: str
    summary: str
    pdf: Path | None = None
    untranslated: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerifiedReport:
    """A report whose files are what its sources give.

    Attributes:
        evidence: What was measured.
        policy: What was required.
        decision: What was decided.
        manifest: The hashes of its files, and of weights, data and predictions.
        manifest_sha256: Hex digest of the manifest.
        same_pdf: Whether the PDF, printed again, has the same bytes; None when it was not, or there is none.
    """

    evidence: Evidence
    policy: Policy
    decision: Decision
    manifest: Manifest
    manifest_sha256: str
    same_pdf: bool | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that were checked."""
        return tuple(name for name in (*SOURCES, *PRODUCTS, PDF) if name in self.manifest.files)

    @property
    def sha256(self) -> dict[str, str]:
        """Hex digest of each file."""
        return {name: entry.sha256 for name, entry in self.manifest.files.items()}


def write_report(
    evidence: Evidence,
    policy: Policy,
    card: Card,
    out_dir: Path,
    *,
    today: date | None = None,
    gallery: Gallery = NO_GALLERY,
    pdf: bool = False,
    lang: str = ENGLISH,
) -> ReportFiles:
    """Decide, render and write ``report.html``, ``report.md``, their sources and the manifest.

    All files are made before the first one is put in place, and the manifest comes last.

    Args:
        evidence: Of the study.
        policy: What must be true.
        card: What people stated.
        out_dir: Made if it does not exist.
        today: The day that waivers of the policy are held against; without it none of them counts.
        gallery: Pictures of the worst images; by default none.
        pdf: Whether to print ``report.pdf`` too. Without it, one of an earlier report is removed.
        lang: Language of the page, its Markdown twin and the summary; records for machines stay English.

    Raises:
        IntegrityError: the gallery does not belong to the evidence.
        UsageError: ``out_dir`` cannot be written, or a PDF cannot be printed here.
        OSError: the disk is full.
    """
    decision = decide(evidence, policy, Circumstances(today=today, facts=given(card)))
    sources = _Sources(evidence, policy, card, gallery, lang)
    contents, page, untranslated = _contents(sources, decision)
    if pdf:
        contents[PDF] = to_pdf(contents["report.html"].decode("utf-8"), contents, decision.decided_on)
    contents[MANIFEST] = make_manifest(contents, evidence, _writer(), lang).to_json().encode("utf-8")
    try:
        with made_folder(out_dir), tempfile.TemporaryDirectory(dir=out_dir, prefix=".report-") as unfinished:
            for name, content in contents.items():
                (Path(unfinished) / name).write_bytes(content)
            if not pdf:
                (out_dir / PDF).unlink(missing_ok=True)  # it would tell of another report
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
        sha256=sha256_of(contents["report.html"]),
        summary=render_summary(page),
        pdf=out_dir / PDF if pdf else None,
        untranslated=untranslated,
    )


def verify(folder: Path) -> tuple[str, ...]:
    """Check a report as `verify_report` does, and return the names of the files that were checked."""
    return verify_report(folder).files


def verify_report(folder: Path, *, reprint: bool = False) -> VerifiedReport:
    """Check every hash of a report, decide and render again, and compare.

    Args:
        folder: That `write_report` wrote.
        reprint: Whether to print a PDF again too, where WeasyPrint is installed. Another version of it, or other fonts,
            give other bytes from the same page, so a difference is told and is no error.

    Raises:
        IntegrityError: a file is missing, was changed, or is not what its sources give.
        UsageError: the folder holds no report.
    """
    path = folder / MANIFEST
    if not path.exists() and not path.is_symlink():
        raise UsageError(
            f"{folder} holds no report.", f"There is no {MANIFEST} in it.", "Give a folder that `robust report` wrote."
        )
    listing = read_bounded(path, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(listing, str(path), (*SOURCES, *PRODUCTS), optional=(PDF,))
    if PDF not in manifest.files and ((folder / PDF).exists() or (folder / PDF).is_symlink()):
        raise IntegrityError(
            f"{folder / PDF} is no file of this report.",
            "The manifest does not list it, so it may say anything.",
            "Remove it, or write the report again with --pdf.",
        )
    contents: dict[str, bytes] = {}
    for name in manifest.files:
        contents[name] = read_bounded(folder / name, manifest.files[name].bytes)
        if sha256_of(contents[name]) != manifest.files[name].sha256:
            raise _changed(folder / name, "Its sha256 is not the one in the manifest.")
    found = _compared(folder, contents, manifest, listing)
    if not reprint or PDF not in contents:
        return found
    page = contents["report.html"].decode("utf-8")
    same = printed_again(contents[PDF], page, contents, found.decision.decided_on)
    return replace(found, same_pdf=same)


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


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a file of a report: no link, no folder, no device, and no more bytes than it may have.

    Raises:
        IntegrityError: it is missing, something else than a file, or larger.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a link" if stat.S_ISLNK(found.st_mode) else "no file"
            raise IntegrityError(f"{path} is {kind}; a report holds files only.")
        if found.st_size > limit:
            raise _changed(path, f"It has {found.st_size:,} bytes; at most {limit:,} are right.")
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise IntegrityError(f"{path} is missing from the report.", str(error)) from error
    if len(content) > limit:
        raise _changed(path, f"It has more than {limit:,} bytes.")
    return content


@dataclass(frozen=True)
class _Sources:
    """What a report is made from; everything else in its folder follows from it."""

    evidence: Evidence
    policy: Policy
    card: Card
    gallery: Gallery
    lang: str


def _contents(sources: _Sources, decision: Decision) -> tuple[dict[str, bytes], ReportContext, tuple[str, ...]]:
    """Every file of the report but the manifest, what the page shows, and what of it stayed English."""
    evidence, card, policy = sources.evidence, sources.card, sources.policy
    context = build_context(evidence, policy, decision, card, sources.gallery)
    page, translator = in_language(context, sources.lang, report_names(evidence, policy, card, sources.gallery))
    if translator is not None:
        page = replace(page, slider_data=slider_in_language(page.slider_data, translator))
    texts = {
        "evidence.json": evidence.to_json(),
        "policy.yaml": policy.to_yaml(),
        "card.yaml": card.to_yaml(),
        GALLERY: sources.gallery.to_json(),
        "decision.json": decision.to_json(),
        "report.md": render_markdown(page),
        "report.html": render_html(page),
        "model-card.md": to_model_card(evidence, decision, card, context.limits),
        "ml-bom.cdx.json": to_cyclonedx(evidence, decision, card, context.limits),
    }
    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    contents["test-result.intoto.json"] = to_statement(evidence, decision, contents).encode("utf-8")
    return contents, page, tuple((translator.untranslated if translator else {}).values())


def _compared(folder: Path, contents: dict[str, bytes], manifest: Manifest, listing: bytes) -> VerifiedReport:
    """Make everything again from the sources, and compare it with what is there."""
    try:
        evidence = parse_evidence(contents["evidence.json"], "evidence.json")
        policy = parse_yaml(_yaml_text(contents["policy.yaml"], "policy.yaml"), Policy, "policy", "policy.yaml")
        card = parse_yaml(_yaml_text(contents["card.yaml"], "card.yaml"), Card, "card", "card.yaml")
        gallery = parse_gallery(contents[GALLERY], GALLERY)
        day = Decision.model_validate_json(contents["decision.json"]).decided_on
    except (RobustError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise IntegrityError(f"The sources in {folder} cannot be read back.", _brief(error)) from error
    decision = decide(evidence, policy, Circumstances(today=day, facts=given(card)))
    if manifest.lang not in LANGUAGES:
        raise IntegrityError(f"{folder / MANIFEST} names a language that no report is written in: {manifest.lang!r}.")
    expected, _, _ = _contents(_Sources(evidence, policy, card, gallery, manifest.lang), decision)
    for name, content in expected.items():
        if contents[name] != content:
            raise IntegrityError(
                f"{folder / name} is not what its evidence, policy, card and gallery give.", _why(manifest)
            )
    if PDF in contents:
        expected[PDF] = contents[PDF]  # its bytes follow from more than the sources: see `printed_again`
    if make_manifest(expected, evidence, manifest.written_by, manifest.lang).to_json().encode("utf-8") != listing:
        raise IntegrityError(f"{folder / MANIFEST} is not what the report's evidence gives.", _why(manifest))
    return VerifiedReport(evidence, policy, decision, manifest, sha256_of(listing))


def _yaml_text(content: bytes, name: str) -> str:
    if len(content) > MAX_YAML_BYTES:
        raise ValueError(f"{name} has {len(content):,} bytes")
    return content.decode("utf-8")


def _why(manifest: Manifest) -> str:
    if manifest.written_by != _writer():
        return f"It was written by {manifest.written_by!r}; {_writer()} renders it otherwise."
    return "Rendering its sources again gives another file."


def _brief(error: Exception) -> str:
    return "It is nested too deeply." if isinstance(error, RecursionError) else str(error)


def _changed(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"{path} was changed after the report was written.",
        why,
        "Write the report again from the evidence, and find out who changed it.",
    )


def _writer() -> str:
    return f"robust {__version__}"
