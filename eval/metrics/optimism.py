"""The winner's curse: the best of several candidates looks better than it is on the images that chose it.

Source: Tsamardinos, Greasidou and Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 107 (BBC-CV): choose again in every replicate, and judge each choice on the
images that the replicate left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from robust.eval.metrics.interval import MAX_UNDEFINED
from robust.eval.metrics.records import Record, Share

STABLE = 0.9
"""Share of replicates that must choose the same candidate before the choice counts as settled by the data."""


class WinnerCheck(Record):
    """The best of several candidates, and how much of its lead is luck.

    Attributes:
        n_candidates: Candidates that it was chosen from.
        winner: Its index; the first one among equals.
        apparent: Its value on the images that chose it.
        corrected: What such a choice is worth on images that it has not seen; None when nothing is left out.
        optimism: Apparent minus corrected.
        frequency: Share of the replicates that choose the same one; None when none can choose.
        is_stable: Whether that is at least `STABLE`.
        note: How the numbers must be read; empty when as they stand.
    """

    n_candidates: Annotated[int, Field(ge=1)]
    winner: Annotated[int, Field(ge=0)]
    apparent: float
    corrected: float | None
    optimism: float | None
    frequency: Share | None
    is_stable: bool
    note: str = ""


def corrected_winner(
    values: NDArray[np.float64],
    replicates: NDArray[np.float64],
    out_of_bag: NDArray[np.float64],
    settings: Sequence[int] | None = None,
    counted: Sequence[bool] | None = None,
) -> WinnerCheck:
    """Correct the value of the chosen candidate for having been chosen on the same images.

    The choice is made in every replicate as on all images: the setting with the highest mean over its candidates, then
    its best candidate.

    Args:
        values: float64 (K,), value of each candidate on all images; higher is better.
        replicates: float64 (K, B), on the same draws for all candidates; NaN, which never wins, where undefined.
        out_of_bag: float64 (K, B), on the images that each replicate did not draw; NaN where undefined.
        settings: For each candidate the number of its setting; None when each is a setting of its own.
        counted: Whether a candidate counts in the mean of its setting, so that what is there twice (a seed, a file)
            does not weigh twice; None when all do. One of each setting must.

    Raises:
        ValueError: no candidates, a value is undefined, or the shapes do not fit.
    """
    n = len(values)
    numbers = np.arange(n) if settings is None else np.asarray(settings, dtype=np.int64)
    mean_of = np.ones(n, dtype=np.bool_) if counted is None else np.asarray(counted, dtype=np.bool_)
    if len(numbers) != n or len(mean_of) != n or set(numbers[mean_of]) != set(numbers):
        raise ValueError(f"the settings of {n} candidates are not known")
    if n == 0 or not np.all(np.isfinite(values)):
        raise ValueError("the winner needs one or more candidates, all of them with a value")
    if replicates.ndim != 2 or len(replicates) != n or replicates.shape != out_of_bag.shape:
        raise ValueError(f"{n} values, replicates {replicates.shape} and left-out values {out_of_bag.shape} do not fit")
    winner = int(_choose(values[:, None], numbers, mean_of)[0])
    apparent = float(values[winner])
    if n == 1:
        return WinnerCheck(
            n_candidates=1,
            winner=0,
            apparent=apparent,
            corrected=apparent,
            optimism=0.0,
            frequency=1.0,
            is_stable=True,
            note="one candidate: nothing was chosen",
        )
    usable = np.flatnonzero(np.isfinite(_means(replicates, numbers, mean_of)).any(axis=0))
    chosen = _choose(replicates[:, usable], numbers, mean_of)
    unseen = out_of_bag[chosen, usable]
    unseen = unseen[np.isfinite(unseen)]
    corrected = float(unseen.mean()) if len(unseen) else None
    frequency = float(np.mean(chosen == winner)) if len(usable) else None
    return WinnerCheck(
        n_candidates=n,
        winner=winner,
        apparent=apparent,
        corrected=corrected,
        optimism=None if corrected is None else apparent - corrected,
        frequency=frequency,
        is_stable=frequency is not None and frequency >= STABLE,
        note=_note(len(unseen), replicates.shape[1]),
    )


def _choose(values: NDArray[np.float64], settings: NDArray[np.int64], counted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Index of the chosen candidate in each column of values (K, B), in which one setting at least has a mean."""
    best = np.unique(settings)[np.argmax(_means(values, settings, counted), axis=0)]
    inside = (settings[:, None] == best) & np.isfinite(values)
    return np.asarray(np.argmax(np.where(inside, values, -np.inf), axis=0), dtype=np.intp)


def _means(values: NDArray[np.float64], settings: NDArray[np.int64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of each setting in each column, float64 (settings, B); -inf where a value of it is undefined."""
    defined = np.where(np.isfinite(values), values, -np.inf)
    return np.stack([defined[counted & (settings == number)].mean(axis=0) for number in np.unique(settings)])


def _note(n_used: int, n_replicates: int) -> str:
    if n_used == 0:
        return "no correction: no replicate leaves out images on which the number is defined"
    missing = 1 - n_used / n_replicates
    return f"{missing:.0%} of the replicates leave out nothing to judge on" if missing > MAX_UNDEFINED else ""
