"""Evidence from its JSON text."""

from __future__ import annotations

from pydantic import ValidationError

from robust.errors import DataError
from robust.eval.evidence.records import Evidence


def parse_evidence(content: bytes, where: str) -> Evidence:
    """Read and validate evidence.

    Args:
        content: JSON text, UTF-8.
        where: What to call its source in a message.

    Raises:
        DataError: it is not valid evidence of this schema.
    """
    try:
        return Evidence.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(
            f"{where} is not evidence that this version can read.",
            f"{place}: {first['msg']}.",
            "Write it with `robust eval` of the same version.",
        ) from error
