"""Write docs/evidence.schema.json: the JSON Schema of the evidence, made of its records. `make docs` runs it."""

from __future__ import annotations

import json
from pathlib import Path

from robust.eval.evidence.records import SCHEMA_VERSION, Evidence

TARGET = Path(__file__).parent / "evidence.schema.json"


def schema() -> str:
    """The schema as JSON text."""
    made = Evidence.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = f"Evidence of robust, schema {SCHEMA_VERSION}"
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema(), encoding="utf-8")
