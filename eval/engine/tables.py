"""Predictions and ground truth as Parquet files.

The bytes are a function of the record: no clock, no path, fixed compression. A file carries its provenance as JSON in
the schema's metadata, and rows only where an image has detections or objects; the list of images is in the metadata.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust.datasets.records import Category
from robust.errors import IntegrityError
from robust.eval.records import GroundTruth, Predictions

_META = b"robust"
_CORNERS = ("x1", "y1", "x2", "y2")


def predictions_to_bytes(predictions: Predictions) -> bytes:
    """Serialise predictions. Columns: image_id, x1, y1, x2, y2 (pixels), score, category_id."""
    columns = {
        "image_id": predictions.image_ids[predictions.image_index],
        **{name: predictions.boxes[:, i] for i, name in enumerate(_CORNERS)},
        "score": predictions.scores,
        "category_id": predictions.category_ids,
    }
    meta = {"kind": "predictions", "image_ids": predictions.image_ids.tolist(), "provenance": predictions.provenance}
    return write_table(columns, meta)


def read_predictions(source: Path | bytes) -> Predictions:
    """Read predictions.

    Raises:
        IntegrityError: the file is damaged or of another kind.
    """
    columns, meta = read_table(source, "predictions")
    image_ids = np.asarray(meta["image_ids"], dtype=np.int64)
    return Predictions(
        image_ids,
        np.searchsorted(image_ids, columns["image_id"]),
        np.column_stack([columns[name] for name in _CORNERS]),
        columns["score"],
        columns["category_id"],
        meta["provenance"],
    )


def ground_truth_to_bytes(truth: GroundTruth) -> bytes:
    """Serialise ground truth.

    Columns: image_id, x1, y1, x2, y2 (pixels), category_id, annotation_id, iscrowd, area, visible.
    """
    columns = {
        "image_id": truth.image_ids[truth.image_index],
        **{name: truth.boxes[:, i] for i, name in enumerate(_CORNERS)},
        "category_id": truth.category_ids,
        "annotation_id": truth.annotation_ids,
        "iscrowd": truth.iscrowd,
        "area": truth.area,
        "visible": truth.visible,
    }
    meta = {
        "kind": "ground_truth",
        "image_ids": truth.image_ids.tolist(),
        "image_sizes": truth.image_sizes.tolist(),
        "groups": list(truth.groups),
        "categories": [[category.id, category.name] for category in truth.categories],
    }
    return write_table(columns, meta)


def read_ground_truth(source: Path | bytes) -> GroundTruth:
    """Read ground truth.

    Raises:
        IntegrityError: the file is damaged or of another kind.
    """
    columns, meta = read_table(source, "ground_truth")
    image_ids = np.asarray(meta["image_ids"], dtype=np.int64)
    return GroundTruth(
        image_ids=image_ids,
        image_sizes=np.asarray(meta["image_sizes"], dtype=np.int64).reshape(-1, 2),
        groups=tuple(meta["groups"]),
        image_index=np.searchsorted(image_ids, columns["image_id"]),
        boxes=np.column_stack([columns[name] for name in _CORNERS]),
        category_ids=columns["category_id"],
        annotation_ids=columns["annotation_id"],
        iscrowd=columns["iscrowd"],
        area=columns["area"],
        visible=columns["visible"],
        categories=tuple(Category(number, name) for number, name in meta["categories"]),
    )


def write_table(columns: dict[str, NDArray[Any]], meta: dict[str, Any]) -> bytes:
    """Serialise columns of one length, with plain JSON values beside them; ``meta["kind"]`` names what they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    table = table.replace_schema_metadata({_META: json.dumps(meta, sort_keys=True, allow_nan=False)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", version="2.6", store_schema=True)
    return buffer.getvalue()


def read_meta(path: Path) -> dict[str, Any]:
    """What stands beside the columns of a file, without reading them; empty for a file that is not ours.

    Raises:
        IntegrityError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        raw = (pq.read_schema(path).metadata or {}).get(_META)
        meta = json.loads(raw) if raw else {}
    except (pa.ArrowInvalid, OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} cannot be read.", str(error).splitlines()[0]) from error
    return meta if isinstance(meta, dict) else {}


def read_table(source: Path | bytes, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read columns and what stands beside them.

    Raises:
        IntegrityError: the file is damaged or of another kind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = source.name if isinstance(source, Path) else "the table"
    try:
        table = pq.read_table(source if isinstance(source, Path) else io.BytesIO(source))
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(f"{name} cannot be read.", str(error).splitlines()[0]) from error
    raw = (table.schema.metadata or {}).get(_META)
    meta = json.loads(raw) if raw else {}
    if meta.get("kind") != kind:
        raise IntegrityError(f"{name} holds no {kind.replace('_', ' ')}.", f"Its kind is {meta.get('kind')!r}.")
    return {column: table[column].to_numpy() for column in table.column_names}, meta
