from __future__ import annotations

import json

import pytest

from robust.errors import DataError
from robust.eval.evidence.parse import parse_evidence

from ..evidence_builder import build_evidence, seen_in_training, with_recorded

LATER = ("recorded", "trained_on")
"""Fields that schema 1 has grown since it was first written."""


def test_evidence_written_before_these_fields_is_still_read() -> None:
    content = json.loads(build_evidence().to_json())
    for variant in content["suite"]["variants"]:
        for name in LATER:
            del variant[name]
    read = parse_evidence(json.dumps(content).encode(), "old")
    assert read == build_evidence()
    assert not any(v.recorded or v.trained_on for v in read.suite.variants)


def test_recorded_sets_and_what_training_has_seen_survive_the_file() -> None:
    evidence = seen_in_training(with_recorded(build_evidence()), "night")
    assert parse_evidence(evidence.to_json().encode(), "new") == evidence


def test_an_unknown_field_is_refused() -> None:
    content = json.loads(build_evidence().to_json())
    content["suite"]["variants"][0]["record"] = True
    with pytest.raises(DataError, match="not evidence that this version can read"):
        parse_evidence(json.dumps(content).encode(), "typo")
