"""Several questions put to the same data: p values and critical values that keep the error of the whole family.

Where any of several candidates may be promoted on the same images, chance has several tries. Holm 1979 (Scandinavian
Journal of Statistics 6) bounds the probability of one or more false findings, whatever the dependence. Benjamini and
Hochberg 1995 (JRSS B 57) bound the share of false findings; they are for tables that are explored, never for a gate.
Questions that must all be answered well need no correction (Berger 1982, Technometrics 24).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p values so that 0.05 bounds the probability of any false finding.

    The k-th smallest of m is multiplied by m - k + 1, and none may be below one that was smaller.

    Args:
        p: 0..1; None was not tested, counts for nothing and stays None.

    Returns:
        Adjusted p values in the order of ``p``, 0..1.

    Raises:
        ValueError: a p value is outside 0..1.
    """
    known, order = _ranked(p)
    m = len(known)
    rising = known[order] * (m - np.arange(m))
    return _put_back(p, order, np.minimum(np.maximum.accumulate(rising), 1.0))


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Adjust p values so that 0.05 bounds the expected share of false findings; exploratory.

    The k-th smallest of m is multiplied by m / k, and none may be above one that was larger.

    Args:
        p: 0..1; None was not tested, counts for nothing and stays None.

    Returns:
        Adjusted p values ("q values") in the order of ``p``, 0..1.

    Raises:
        ValueError: a p value is outside 0..1.
    """
    known, order = _ranked(p)
    m = len(known)
    scaled = known[order] * m / np.arange(1, m + 1)
    return _put_back(p, order, np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0))


def max_t_critical(differences: NDArray[np.float64], level: float = 0.95) -> float:
    """Critical value c for which all the intervals d_k -/+ c SE_k hold together, from the replicates' own dependence.

    The quantile over replicates b of max_k |d_kb - mean d_k| / sd d_k (Romano and Wolf 2005, Econometrica 73). Mildly
    liberal with few images: use it from 100 on.

    Args:
        differences: float64 (K, B), replicates of K differences on the same draws; NaN where undefined. A difference
            that never varies takes no part.
        level: Confidence of all intervals together.

    Raises:
        ValueError: no difference varies.
    """
    defined = np.isfinite(differences).sum(axis=1) > 1
    rows = differences[defined]
    rows = rows[np.nanmin(rows, axis=1) < np.nanmax(rows, axis=1)] if len(rows) else rows
    if len(rows) == 0:
        raise ValueError("no difference varies over the replicates")
    centred = rows - np.nanmean(rows, axis=1, keepdims=True)
    deviations = np.abs(centred) / np.nanstd(rows, axis=1, ddof=1, keepdims=True)
    furthest = np.fmax.reduce(deviations, axis=0)  # passes over NaN
    return float(np.quantile(furthest[np.isfinite(furthest)], level))


def _ranked(p: Sequence[float | None]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    known = np.array([value for value in p if value is not None], dtype=np.float64)
    if not np.all((known >= 0) & (known <= 1)):
        raise ValueError(f"p values lie between 0 and 1, not {list(p)}")
    return known, np.argsort(known, kind="stable")


def _put_back(p: Sequence[float | None], order: NDArray[np.intp], adjusted: NDArray[np.float64]) -> list[float | None]:
    known = np.empty(len(order))
    known[order] = adjusted
    values = iter(known.tolist())
    return [None if value is None else next(values) for value in p]
