"""What a training logged of itself, found by what it means and not by how it is spelled.

Ultralytics' callback writes ``metrics/mAP50-95B``, scripts write ``mAP50-95`` or ``val_map50_95``. A name without a
split is read as val, on which trainings measure themselves. A rate outside 0..1 is no value: -1 stands for "nothing to
measure" in COCO tools, and percent cannot be told from an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import StrEnum

from robust.eval.audit.facts import RunFacts

SPLITS = ("train", "val", "test")


class Quantity(StrEnum):
    """A number that trainings log of their detections."""

    FITNESS = "fitness"
    AP = "mAP50-95"
    AP50 = "mAP50"
    PRECISION = "precision"
    RECALL = "recall"


_SPELLINGS = {
    "fitness": Quantity.FITNESS,
    "map5095": Quantity.AP,
    "map05095": Quantity.AP,
    "map50to95": Quantity.AP,
    "map50": Quantity.AP50,
    "map05": Quantity.AP50,
    "precision": Quantity.PRECISION,
    "recall": Quantity.RECALL,
}


def meaning(name: str) -> tuple[str, Quantity] | None:
    """The split and the quantity that a metric's name stands for; None when it is none of them.

    >>> meaning("metrics/mAP50-95B"), meaning("test/mAP_0.5"), meaning("metrics/mAP50M")
    (('val', <Quantity.AP: 'mAP50-95'>), ('test', <Quantity.AP50: 'mAP50'>), None)
    """
    words = re.sub(r"\(b\)$", "", name.casefold()).split("/")
    split = split_of(name)
    last = re.sub(r"[^a-z0-9]", "", words[-1])
    for known in SPLITS:
        last = last.removeprefix(known)
    found = _SPELLINGS.get(last) or _SPELLINGS.get(last.removesuffix("b"))
    return (split or "val", found) if found else None


def split_of(name: str) -> str | None:
    """The split that a metric's name begins with or holds as a word: ``val/box_loss``, ``test_mAP50``."""
    words = re.split(r"[^a-z0-9]+", name.casefold())
    return next((word for word in words if word in SPLITS), None)


def rate(run: RunFacts, quantity: Quantity, split: str = "val") -> float | None:
    """Last value of a rate, 0..1; None when it was not logged or is no rate."""
    name = _name(run.metrics, quantity, split)
    value = run.metrics[name] if name else None
    return value if value is not None and 0 <= value <= 1 else None


def course(run: RunFacts, quantity: Quantity) -> tuple[float, ...]:
    """A rate on val by epoch; empty when fewer than two epochs were logged, or when a value is no rate."""
    name = _name(run.courses, quantity, "val")
    values = _by_epoch(run, name) if name else ()
    return values if len(values) > 1 and all(0 <= value <= 1 for value in values) else ()


def losses(run: RunFacts) -> tuple[str, tuple[float, ...], tuple[float, ...]] | None:
    """Name of a loss and its courses on train and val; None when none was logged for both over two or more epochs.

    The box loss where there is one, else the first by name.
    """
    pairs = []
    for name in sorted(run.courses):
        other = re.sub("train", "val", name, count=1, flags=re.IGNORECASE)
        if _is_train_loss(name) and other in run.courses:
            train, val = _by_epoch(run, name), _by_epoch(run, other)
            if min(len(train), len(val)) > 1:
                pairs.append((re.sub(r"^train[/_. -]*", "", name, flags=re.IGNORECASE), train, val))
    return min(pairs, key=lambda pair: "box" not in pair[0].casefold(), default=None)


def setting(run: RunFacts, key: str) -> str | None:
    """A setting as text: what the training says it used, else the logged parameter; None when neither does."""
    return (run.resolved or {}).get(key, run.params.get(key))


def number(run: RunFacts, key: str) -> float | None:
    """A setting as a number; None when it is none."""
    try:
        value = float(setting(run, key) or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _name(logged: Iterable[str], quantity: Quantity, split: str) -> str | None:
    """The name under which something was logged; that of Ultralytics where there are several."""
    names = [name for name in logged if meaning(name) == (split, quantity)]
    return min(names, key=lambda name: (not name.startswith("metrics/"), name), default=None)


def _by_epoch(run: RunFacts, name: str) -> tuple[float, ...]:
    """Values by epoch, without the final evaluation of the best weights.

    Ultralytics logs that one step after the last epoch, where it would pass for one. It is known by lying behind the
    last step of the training's own losses or, without these, by there being one value more than epochs.
    """
    values = run.courses[name]
    trained = [step for other in run.courses if _is_train_loss(other) for step in run.courses[other]]
    last = max(trained, default=None)
    epochs = number(run, "epochs")
    if last is None and values and (min(values), max(values), len(values) - 1) == (0, epochs, epochs):
        last = max(values) - 1
    return tuple(values[step] for step in sorted(values) if last is None or step <= last)


def _is_train_loss(name: str) -> bool:
    return "loss" in name.casefold() and split_of(name) == "train"
