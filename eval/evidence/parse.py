"""Evidence from its JSON text.

Evidence of an older schema is refused, not converted: what it lacks (intervals, comparisons) cannot be made from it,
and a reader would take the gaps for results. Nothing is lost by that. Predictions are stored beside it, so `robust
eval` with the same options writes it anew in seconds, without running a model. A field that older readers may ignore
and newer ones may miss does not change the number; anything else does.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from robust.errors import DataError
from robust.eval.evidence.records import SCHEMA_VERSION, Evidence


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
        written = _schema_of(content)
        if written is not None and written != SCHEMA_VERSION:
            raise DataError(
                f"{where} has schema {written}; this version reads schema {SCHEMA_VERSION}.",
                "Older evidence lacks numbers that a decision needs; newer may hold some that would be missed.",
                "Run `robust eval` again with the same options: predictions are stored, so no model is run."
                if written < SCHEMA_VERSION
                else "Use the version of robust that wrote it, or a newer one.",
            ) from error
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(
            f"{where} is not evidence that this version can read.",
            f"{place}: {first['msg']}.",
            "Write it with `robust eval` of the same version.",
        ) from error


def _schema_of(content: bytes) -> int | None:
    """The schema that a file says it has; None when it says nothing that can be read."""
    try:
        values = json.loads(content)
    except ValueError:
        return None
    version = values.get("schema_version") if isinstance(values, dict) else None
    return version if isinstance(version, int) else None
