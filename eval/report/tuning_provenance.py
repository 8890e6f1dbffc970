"""Where the numbers of a tuning report come from: weights, images and settings, by their hashes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from robust import __version__
from robust.eval.report.context import Cell, Fact, Row, Table
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.view import whole


def weights_table(subjects: Sequence[TuningSubject]) -> Table:
    """Weights of every model, and the run that measured them."""
    columns = ("Model", "Run id", "Image size", "Weights sha256")
    rows = tuple(
        Row(
            one.title,
            (
                Cell(one.run_id, "hash") if one.run_id else Cell("none"),
                whole(one.candidate.imgsz),
                Cell(one.candidate.weights_sha256, "hash"),
            ),
        )
        for one in subjects
    )
    return Table("weights", "Weights that were swept, and the evaluations that the predictions are from", columns, rows)


def images_table(subjects: Sequence[TuningSubject]) -> Table:
    """Fingerprint of every split and recorded set that was swept, in every data set and state that it had."""
    columns = ("Split", "Data set", "Images", "Objects", "Fingerprint")
    found = {}
    for one in subjects:
        data, suite = one.evidence.data, one.evidence.suite
        splits, variants = {curve.split for curve in one.curves}, {curve.variant for curve in one.curves}
        for split in data.splits:
            if split.split in splits:
                found[split.split, data.name, split.fingerprint] = (split.n_images, split.n_objects)
        for recorded in suite.variants:
            if recorded.recorded and recorded.name in variants:
                key = f"{recorded.name} (recorded)", data.name, recorded.recipe_sha256
                found[key] = (recorded.n_images, recorded.n_objects)
    rows = tuple(
        Row(name, (Cell(data_set), whole(n_images), whole(n_objects), Cell(fingerprint, "hash")))
        for (name, data_set, fingerprint), (n_images, n_objects) in found.items()
    )
    return Table("images", "Images that were swept; variants are made from them", columns, rows)


def settings(subjects: Sequence[TuningSubject]) -> tuple[Fact, ...]:
    """What wrote the report, and the settings that detections were made with."""
    told = dict.fromkeys(
        ", ".join(f"{name} {value}" for name, value in sorted(one.candidate.inference.items())) for one in subjects
    )
    return (
        Fact("Report written by", f"robust {__version__}"),
        Fact("Inference settings", " / ".join(words for words in told if words) or "not known"),
    )
