"""The threshold tuning report in a folder: all of its files or none of them."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from robust.datasets.export import made_folder
from robust.errors import UsageError
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.report.catalogue import ENGLISH
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_render import tuning_documents

HTML = "tuning.html"


@dataclass(frozen=True)
class TuningFiles:
    """A tuning report on disk.

    Attributes:
        html: The document to read.
        untranslated: Texts that stayed English in a report of another language.
    """

    html: Path
    untranslated: tuple[str, ...] = ()


def write_tuning(subjects: Sequence[TuningSubject], folder: Path, *, lang: str = ENGLISH) -> TuningFiles:
    """Write ``tuning.html``, ``tuning.md`` and ``tuning.csv`` of several candidates.

    All files are made before the first one is put in place.

    Args:
        subjects: Candidates, each with a name of its own.
        folder: Made if it does not exist.
        lang: Language of the HTML and its Markdown twin.

    Raises:
        UsageError: there is no candidate, or ``folder`` cannot be written.
        OSError: the disk is full.
    """
    documents = tuning_documents(subjects, lang=lang)
    write_together(documents.contents, folder)
    return TuningFiles(folder / HTML, documents.untranslated)


def write_together(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write files so that an error while they are made leaves those that were there before.

    Raises:
        UsageError: ``folder`` cannot be written.
        OSError: the disk is full.
    """
    try:
        with made_folder(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".tuning-") as unfinished:
            for name, content in contents.items():
                (Path(unfinished) / name).write_bytes(content)
            for name in contents:
                (Path(unfinished) / name).replace(folder / name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # no fault of the name that was given
        raise UsageError(f"The tuning report cannot be written to {folder}.", str(error)) from error


def unique_names(candidates: Sequence[CandidateEvidence], run_ids: Sequence[str]) -> tuple[str, ...]:
    """The names of candidates; those that occur twice, whatever their case, carry their evaluation run."""
    lowered = [folder_name(candidate.name).casefold() for candidate in candidates]
    return tuple(
        f"{candidate.name} [{run_id[:8]}]" if lowered.count(low) > 1 else candidate.name
        for candidate, run_id, low in zip(candidates, run_ids, lowered, strict=True)
    )


def folder_name(candidate: str) -> str:
    """A run name as a folder name: what file systems refuse becomes an underscore."""
    return (
        "".join(letter if letter.isalnum() or letter in "-_.=@ []" else "_" for letter in candidate).strip(". ") or "_"
    )
