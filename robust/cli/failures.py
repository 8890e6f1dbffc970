"""What a failure says and which exit code it gives."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from robust.errors import RobustError


@dataclass(frozen=True)
class Failure:
    """A message of at most three lines, and the exit code of the process."""

    message: str
    exit_code: int


INTERRUPTED = Failure("Interrupted; run the same command again to resume.", 130)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def explain(error: Exception) -> Failure:
    """Tell a failure in words.

    Args:
        error: What was raised.

    Returns:
        Known errors in their own words; a full disk with what to do; anything else as a defect, with the way to see
        more.
    """
    if isinstance(error, RobustError):
        return Failure(str(error), error.exit_code)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return Failure(f"The disk is full{where}.\nFree some space and run the same command again to resume.", 1)
    return Failure(
        f"Unexpected failure: {_first_line(error)}\n"
        "This is a defect of robust or of a library it uses, or an input nobody thought of.\n"
        "Run `robust --debug ...` (or set ROBUST_DEBUG=1) to see where it happened.",
        1,
    )
