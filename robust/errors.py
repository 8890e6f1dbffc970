"""Errors that people see: what happened, why, and what to do.

    RobustError            1  something failed while running
    +-- UsageError         2  options or configuration are wrong
    |   +-- UnknownName    2  a name nobody registered; the known ones are listed
    +-- DataError          2  the data set is wrong
    +-- StoreError         1  the tracking store cannot be used
    +-- IntegrityError     5  a hash does not match, or weights were refused

The number is the exit code of the command line. Interruption (Ctrl-C) exits with 130.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


class RobustError(Exception):
    """A known failure, told in at most three lines.

    Args:
        what: What happened, one sentence.
        why: The cause, if known.
        fix: What the user can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __reduce__(self) -> tuple[Callable[..., RobustError], tuple[type[RobustError], str, str, str]]:
        """Survive the trip back from a worker process."""
        return (_rebuild, (type(self), self.what, self.why, self.fix))

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.fix) if line)


def _rebuild(kind: type[RobustError], what: str, why: str, fix: str) -> RobustError:
    error = kind.__new__(kind)
    RobustError.__init__(error, what, why, fix)
    return error


class UsageError(RobustError):
    """Options or configuration are wrong."""

    exit_code = 2


class DataError(RobustError):
    """The data set is wrong: a missing image, a label out of range, an empty split."""

    exit_code = 2


class StoreError(RobustError):
    """The tracking store cannot be reached, read or written."""


class IntegrityError(RobustError):
    """A hash does not match, or unsafe weights were refused."""

    exit_code = 5


class UnknownName(UsageError):  # noqa: N818 - reads better where it is raised
    """A name that nobody registered.

    Args:
        kind: What the name should have been: "corruption", "suite", "key of data.yaml".
        name: The name that was given.
        known: Every name that would have been right.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        fix = f"Did you mean {close[0]!r}?" if close else ""
        super().__init__(f"Unknown {kind} {name!r}.", f"Known: {', '.join(known) or 'none'}.", fix)
