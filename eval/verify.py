"""Verify a report: its files, what it rests on, and who signed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robust.errors import UsageError
from robust.eval.decision.records import Decision
from robust.eval.report.files import VerifiedReport, verify_report
from robust.eval.report.pdf import PDF
from robust.eval.report_inputs import Inputs, check_data, check_predictions, check_weights
from robust.eval.signing import Approvals, check_approvals, trusted_keys


@dataclass(frozen=True)
class Given:
    """What a report is held against, beside its own manifest.

    Attributes:
        weights: Weight files.
        data: The data set; None for none.
        recorded: Name of a condition -> the set recorded under it.
        predictions: Folder of stored predictions; None for none.
        public_keys: Files or folders of trusted keys; empty when nobody is trusted in particular.
    """

    weights: tuple[Path, ...] = ()
    data: Path | None = None
    recorded: Mapping[str, Path] = field(default_factory=dict)
    predictions: Path | None = None
    public_keys: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Verified:
    """A report that fits.

    Attributes:
        files: Files of the report.
        checked: What else fits, in words.
        not_checked: What the report rests on and was not given, in words.
        decision: What the report says.
        approvals: Who approved and rejected it.
        keys_given: Whether there were trusted keys to check signatures against.
    """

    files: tuple[str, ...]
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    decision: Decision
    approvals: Approvals
    keys_given: bool


NOTHING = Given()


def verify(folder: Path, given: Given = NOTHING, *, required: int | None = None) -> Verified:
    """Check a report, its approvals, and whatever it rests on that was given.

    Args:
        folder: That `robust report` wrote.
        given: What to hold it against.
        required: People who must approve; None takes the number of the report's policy.

    Raises:
        IntegrityError: something does not fit; the file is named.
        UsageError: the folder holds no report, or something that was given cannot be read.
    """
    report = verify_report(folder, reprint=True)
    trusted = trusted_keys(given.public_keys) if given.public_keys else None
    approvals = check_approvals(folder, report, trusted, required=required)
    if given.predictions is not None and not given.predictions.is_dir():
        raise UsageError(f"{given.predictions} is no folder.", fix="Give the cell cache or a folder of artifacts.")
    found: Sequence[Inputs] = (
        _pdf(report),
        check_weights(report.manifest, given.weights),
        check_data(report.manifest, given.data, given.recorded),
        check_predictions(report.evidence, given.predictions),
    )
    return Verified(
        files=report.files,
        checked=tuple(words for part in found for words in part.checked),
        not_checked=tuple(words for part in found for words in part.not_checked),
        decision=report.decision,
        approvals=approvals,
        keys_given=trusted is not None,
    )


def _pdf(report: VerifiedReport) -> Inputs:
    """What is known of the PDF beyond its hash, in words."""
    if PDF not in report.files:
        return Inputs((), ())
    if report.same_pdf:
        return Inputs((f"{PDF}: printed again, the same bytes",), ())
    why = (
        "WeasyPrint is not installed here" if report.same_pdf is None else "its version or the fonts may be others here"
    )
    told = "was not printed again" if report.same_pdf is None else "printed again has other bytes"
    return Inputs((), (f"{PDF} beyond its hash; it {told}: {why}",))
