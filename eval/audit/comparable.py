"""Runs as they can be compared: without what only labels each of them, and with what a resumed training started from.

This needs all runs at once, so it is done before the checks and not by each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from robust.eval.audit.facts import RunFacts
from robust.eval.audit.settings import BOOKKEEPING, PLACES, settings_of, spelled, stem

_TRAINING_KEYS = frozenset({
    "amp", "angle", "augment", "auto_augment", "batch", "bgr", "box", "channels_last", "classes", "close_mosaic", "cls",
    "cls_pw", "cls_remap", "compile", "conf", "copy_paste", "copy_paste_mode", "cos_lr", "cutmix", "data", "degrees",
    "deterministic", "dfl", "dgrad", "dis", "distill_model", "dlam", "dlog", "dnn", "dropout", "epochs", "erasing",
    "fliplr", "flipud", "fraction", "freeze", "hsv_h", "hsv_s", "hsv_v", "imgsz", "iou", "kobj", "lr0", "lrf",
    "mask_ratio", "max_det", "mixup", "model", "momentum", "mosaic", "multi_scale", "nbs", "nms", "optimizer",
    "overlap_mask", "patience", "perspective", "pose", "pretrained", "rect", "rle", "scale", "seed", "shear",
    "single_cls", "split", "time", "translate", "val", "warmup_bias_lr", "warmup_epochs", "warmup_momentum",
    "weight_decay",
})  # fmt: skip
OWN_KEYS = _TRAINING_KEYS | BOOKKEEPING | PLACES
"""Parameters of Ultralytics 8.4.190; any other was logged by somebody's script."""

_COUNT_NAME = re.compile(r"(^|[^a-z])(id|uuid|trial|run|job|timestamp|started|finished)($|[^a-z])", re.IGNORECASE)
_LABEL_NAME = re.compile(
    r"(^|[^a-z])(dir|folder|path|commit|git|sha|hash|host|hostname|user|date|time|log|output|url|uri)($|[^a-z])",
    re.IGNORECASE,
)
_LABEL_VALUE = re.compile(
    r"[/\\]|^\d{4}-\d\d-\d\d|^\d{1,2}:\d\d|^(?=.*\d)[0-9a-f]{7,}$|^\d{9,}(\.\d+)?$", re.IGNORECASE
)
_MANY = 5
"""Runs from which on a text that is new in each labels them, whatever it is called; in fewer it may be an axis."""
_NOT_RESUMED = {"", "false", "none", "0"}


def comparable(runs: Sequence[RunFacts]) -> tuple[RunFacts, ...]:
    """Return the runs in the same order, without parameters that label each and with the weights of their start.

    Args:
        runs: All of an audit.
    """
    labels = _labels(runs)
    kept = [
        run.model_copy(update={"params": {key: value for key, value in run.params.items() if key not in labels}})
        if labels & run.params.keys()
        else run
        for run in runs
    ]
    started = [run for run in kept if not _is_resumed(run)]
    return tuple(_as_started(run, started) if _is_resumed(run) else run for run in kept)


def _labels(runs: Sequence[RunFacts]) -> set[str]:
    """Parameters that no training of Ultralytics has and that say something else in every run."""
    values: dict[str, list[str]] = {}
    for run in runs:
        for key in run.params.keys() - OWN_KEYS:
            values.setdefault(key, []).append(spelled(run.params[key]))
    return {key for key, found in values.items() if 1 < len(found) == len(set(found)) and _is_label(key, found)}


def _is_label(key: str, values: Sequence[str]) -> bool:
    """Whether values that all differ name the runs; numbers, and few texts, may as well be an axis of the grid."""
    if _COUNT_NAME.search(key) or all(_LABEL_VALUE.search(value) for value in values):
        return True
    if any(_is_number(value) for value in values):
        return False
    return len(values) >= _MANY or _LABEL_NAME.search(key) is not None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_resumed(run: RunFacts) -> bool:
    """Whether a broken-off training was taken up again: then its model is its own last state."""
    used = {**run.params, **(run.resolved or {})}
    told = used.get("resume", "").strip()
    model = used.get("model", "")
    return told.casefold() not in _NOT_RESUMED and (stem(model) == "last" or model.strip() == told)


def _as_started(run: RunFacts, others: Iterable[RunFacts]) -> RunFacts:
    """The resumed run with the model that trainings of its settings started from, or with none if they differ."""
    bare = _changed(run, None)
    models = {other.params.get("model") for other in others if _setting(_changed(other, None)) == _setting(bare)}
    return _changed(run, models.pop() if len(models) == 1 else None)


def _setting(run: RunFacts) -> Mapping[str, str]:
    return {key: value for key, value in settings_of(run).items() if key != "seed"}


def _changed(run: RunFacts, model: str | None) -> RunFacts:
    def replaced(values: Mapping[str, str]) -> dict[str, str]:
        kept = {key: value for key, value in values.items() if key != "model"}
        return kept if model is None else {**kept, "model": model}

    resolved = None if run.resolved is None else replaced(run.resolved)
    return run.model_copy(update={"params": replaced(run.params), "resolved": resolved})
