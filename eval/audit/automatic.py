"""What Ultralytics does with ``optimizer=auto``, its default: it ignores lr0 and picks optimizer and rate itself.

Source: ``BaseTrainer.build_optimizer`` and ``_setup_train`` of Ultralytics 8.4.190. Up to 10,000 steps it takes AdamW
with lr0 = 0.002 * 5 / (4 + classes), beyond that MuSGD with 0.01 (before 8.4: SGD). This version writes its choice over
its own arguments, but only after ``args.yaml`` was written; older ones never did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from robust.eval.audit.facts import RunFacts
from robust.eval.audit.settings import as_integer, declared, settings_of, spelled

FEW_STEPS = 10_000
NOMINAL_BATCH = 64
IGNORED = "lr0"
REPLACED = ("optimizer", "lr0", "warmup_bias_lr")
"""Arguments that the choice overwrites."""


def is_automatic(run: RunFacts) -> bool:
    """Whether the training was asked to choose its optimizer itself."""
    return declared(run).get("optimizer", "").casefold() == "auto"


def names_optimizer(run: RunFacts) -> bool:
    """Whether anything says which optimizer was asked for."""
    return "optimizer" in declared(run)


def is_ultralytics(run: RunFacts) -> bool:
    """Whether the run's parameters are in the words of Ultralytics, whose default optimizer is ``auto``."""
    return {"imgsz", "lr0"} <= declared(run).keys()


def picked(run: RunFacts, n_train: int | None) -> str:
    """Say which optimizer and rate a training with ``optimizer=auto`` used.

    Args:
        run: Such a training.
        n_train: Images it trained on; None when unknown.
    """
    name, rate = run.params.get("optimizer", "auto"), run.params.get("lr0")
    if spelled(name).casefold() != "auto" and rate is not None:
        return f"{name.strip()} with lr0 {spelled(rate)}"
    steps = _steps(run, n_train)
    if steps is None:
        return (
            f"AdamW with lr0 0.002 * 5 / (4 + classes), so 0.002 for one class, up to {FEW_STEPS:,} steps, and SGD or "
            "MuSGD with 0.01 beyond"
        )
    if steps > FEW_STEPS:
        return f"SGD or MuSGD (by version) with lr0 0.01, because {steps:,} steps are more than {FEW_STEPS:,}"
    return f"AdamW with lr0 0.002 * 5 / (4 + classes), so 0.002 for one class ({steps:,} steps)"


def picked_by_all(runs: Sequence[RunFacts], n_train: int | None) -> str:
    """Say what all of these used, or that it differs."""
    said = sorted({picked(run, n_train) for run in runs})
    return said[0] if len(said) == 1 else " or ".join(said[:3])


def _steps(run: RunFacts, n_train: int | None) -> int | None:
    settings = settings_of(run)
    epochs, batch = as_integer(settings.get("epochs")), as_integer(settings.get("batch"))
    if n_train is None or epochs is None or batch is None or batch < 1:
        return None
    nominal = as_integer(settings.get("nbs")) or NOMINAL_BATCH
    return math.ceil(n_train / max(batch, nominal)) * epochs
