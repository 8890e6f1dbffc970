"""What is wrong with a data set: found by the readers, told all at once by the check, the first of it by an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robust.datasets.records import Dataset
from robust.errors import DataError

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        severity: "error" stops every command; "warning" may spoil a result; "note" is worth knowing.
        code: Kind of finding, such as "label-range"; stable, for programs.
        message: What is wrong.
        file: Where; None when it concerns the whole data set.
        line: Line of a text file, counted from 1.
        fix: What to do about it.
    """

    severity: Severity
    code: str
    message: str
    file: str | None = None
    line: int | None = None
    fix: str = ""

    @property
    def where(self) -> str:
        """``labels/a.txt:3``, the file alone, or nothing."""
        if self.file is None:
            return ""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.file else self.message


def error(code: str, message: str, file: Path | None = None, line: int | None = None, fix: str = "") -> Problem:
    """Make a finding that stops every command."""
    return Problem("error", code, message, None if file is None else str(file), line, fix)


def warning(code: str, message: str, file: Path | None = None, line: int | None = None, fix: str = "") -> Problem:
    """Make a finding that may spoil a result."""
    return Problem("warning", code, message, None if file is None else str(file), line, fix)


def note(code: str, message: str, file: Path | None = None, line: int | None = None, fix: str = "") -> Problem:
    """Make a finding that is worth knowing."""
    return Problem("note", code, message, None if file is None else str(file), line, fix)


def from_data_error(code: str, failure: DataError) -> Problem:
    """Turn an error that stopped a reader into a finding."""
    return Problem("error", code, f"{failure.what} {failure.why}".strip(), fix=failure.fix)


@dataclass(frozen=True, eq=False)
class Scan:
    """One split as it was found.

    Attributes:
        dataset: What is sound of it: images that cannot be read and labels that are wrong are left out.
        problems: Everything that is wrong, in the order of the files.
    """

    dataset: Dataset
    problems: tuple[Problem, ...]

    def require(self) -> Dataset:
        """Return the data set.

        Raises:
            DataError: Something is wrong with it: the first error, and how many more there are.
        """
        raise_first(self.problems)
        return self.dataset


def raise_first(problems: Iterable[Problem]) -> None:
    """Raise the first error, if there is one, with the number of the others.

    Raises:
        DataError: There is at least one error.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return
    more = f"{len(errors) - 1} more: `robust data check` lists them all." if len(errors) > 1 else ""
    raise DataError(str(errors[0]), more, errors[0].fix)
