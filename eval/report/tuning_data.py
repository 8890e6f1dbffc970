"""The numbers behind the tuning report, for programs: the JSON that its script reads, and a CSV of every threshold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

from robust.eval.evidence.records import Curve
from robust.eval.report.context import printable
from robust.eval.report.tuning_cells import RATES, TuningSubject, interval_note, point_at
from robust.eval.report.view import threshold_text

THOUSANDTHS = 1000
"""Rates are written as whole thousandths, rounded as in all tables, so that the script rounds nothing."""
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make spreadsheets run a cell as a formula."""


def script_data(subjects: Sequence[TuningSubject], wanted: Callable[[TuningSubject, Curve], bool]) -> str:
    """What the slider shows, as JSON that may stand inside a script element.

    ASCII only, and without the characters that could end the element or start a comment in it.

    Args:
        subjects: Candidates.
        wanted: Which curves the slider shows.
    """
    return page_json({"candidates": [_subject(s, [c for c in s.curves if wanted(s, c)]) for s in subjects]})


def page_json(content: Any) -> str:
    """JSON that may stand inside a script element of a page: ASCII, and nothing that could end the element."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    return text


def _subject(subject: TuningSubject, curves: Sequence[Curve]) -> dict[str, Any]:
    return {
        "name": printable(subject.title),
        "chosen": subject.at,
        "thresholds": [threshold_text(threshold) for threshold in subject.thresholds],
        "cells": [_cell(subject, curve) for curve in curves],
    }


def _cell(subject: TuningSubject, curve: Curve) -> dict[str, Any]:
    return {
        "name": printable(subject.label(curve)),
        "objects": curve.n_objects,
        "note": printable(interval_note(curve)),
        "tp": curve.tp,
        "fp": curve.fp,
        "rates": {rate: _rate(curve, rate) for rate in RATES},
    }


def _rate(curve: Curve, rate: str) -> list[list[int | None]]:
    """Values, lower ends, upper ends."""
    ends = [curve.bands.at(rate, i) if curve.bands else None for i in range(len(curve.thresholds))]
    return [
        [_thousandths(getattr(point, rate)) for point in curve.points],
        [_thousandths(pair[0] if pair else None) for pair in ends],
        [_thousandths(pair[1] if pair else None) for pair in ends],
    ]


def _thousandths(value: float | None) -> int | None:
    return None if value is None else round(float(f"{value:.3f}") * THOUSANDTHS)


def tuning_csv(subjects: Sequence[TuningSubject]) -> str:
    """One row for each candidate, cell and threshold; undefined values are empty.

    ``tp_change``, ``fp_change`` and ``fn_change`` are against the chosen threshold of the candidate. ``p_value`` is of
    the constraints, on the clean images that the threshold was chosen on.
    """
    stream = io.StringIO()
    ends = [f"{rate}{end}" for rate in RATES for end in ("", "_low", "_high")]
    names = ["candidate", "run_id", "split", "variant", "threshold", "chosen", "images", "objects", "tp", "fp", "fn"]
    changes = ["tp_change", "fp_change", "fn_change"]
    writer = csv.DictWriter(stream, [*names, *ends, *changes, "p_value"], lineterminator="\n")
    writer.writeheader()
    for subject in subjects:
        for curve in subject.curves:
            writer.writerows(_row(subject, curve, place) for place in range(len(curve.thresholds)))
    return stream.getvalue()


def _row(subject: TuningSubject, curve: Curve, place: int) -> dict[str, Any]:
    point = point_at(curve, place)
    row: dict[str, Any] = {
        "candidate": _harmless(subject.name),
        "run_id": subject.run_id,
        "split": _harmless(curve.split),
        "variant": _harmless(curve.variant),
        "chosen": place == subject.at,
        "images": curve.n_images,
        "objects": curve.n_objects,
        **point.model_dump(),
    }
    for rate in RATES:
        low, high = (curve.bands.at(rate, place) if curve.bands else None) or (None, None)
        row |= {f"{rate}_low": low, f"{rate}_high": high}
    if subject.at is not None:
        chosen = point_at(curve, subject.at)
        row |= {f"{name}_change": getattr(point, name) - getattr(chosen, name) for name in ("tp", "fp", "fn")}
    certainty = subject.candidate.sweep.certainty
    if certainty and certainty.p_values and curve is subject.curve(subject.chosen_on):
        row["p_value"] = certainty.p_values[place]
    return {name: "" if value is None else value for name, value in row.items()}


def _harmless(text: str) -> str:
    """The text, with an apostrophe in front where a spreadsheet would take it for a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
