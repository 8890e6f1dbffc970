"""Which result files belong to which detector and show what: as the user named them, checked against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from robust.corruptions.suites import Suite, load_suite
from robust.errors import UnknownName, UsageError
from robust.eval.metrics.resampling import Resampling

SELECTION_SPLIT = "val"
"""Split on which thresholds are chosen."""


@dataclass(frozen=True)
class ResultFiles:
    """The result files of one detector.

    Attributes:
        name: For people.
        splits: Split -> detections on its clean images.
        variants: Name of a variant of the split that judges -> detections on it.
    """

    name: str
    splits: Mapping[str, Path]
    variants: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultsRequest:
    """What to measure, on what, and how; fields without a word here are those of `robust.eval.evaluate.Request`.

    Attributes:
        candidates: At least one.
        baseline: What all of them must beat; it may lack variants and the split that selects.
    """

    data: Path
    candidates: tuple[ResultFiles, ...]
    baseline: ResultFiles | None = None
    experiment: str | None = None
    split: str = "test"
    suite: str = "core"
    severities: tuple[int, ...] | None = None
    seed: int = 0
    trained_on: tuple[str, ...] = ()
    built: tuple[Path, ...] = ()
    resampling: Resampling = field(default_factory=Resampling)


def shown_suite(request: ResultsRequest) -> Suite:
    """The suite with only those variants that there are detections on; its name tells that it is not whole.

    Raises:
        UnknownName: a variant is not one of the suite's.
        UsageError: candidates were not shown the same, or have no detections on the split that judges.
    """
    whole = load_suite(request.suite, severities=request.severities, seed=request.seed, trained_on=request.trained_on)
    known = {variant.name for variant in whole.variants}
    everybody = [*request.candidates, *([request.baseline] if request.baseline else [])]
    for one in everybody:
        for name in one.variants:
            if name not in known:
                raise UnknownName(f"variant of suite {whole.name}", name, known)
    _check_same(request, everybody)
    variants = tuple(v for v in whole.variants if any(v.name in one.variants for one in request.candidates))
    if request.built and not variants:
        raise UsageError(
            f"{request.built[0]} gives the labels of variants, but no detections on any are named.",
            fix="Add them: --variant night/3=FILE.",
        )
    name = whole.name
    if len(variants) < len(whole.variants):
        name = f"{whole.name} ({len(variants)} of {len(whole.variants)} variants)"
    return replace(whole, name=name, variants=variants)


def _check_same(request: ResultsRequest, everybody: Sequence[ResultFiles]) -> None:
    allowed = dict.fromkeys((request.split, SELECTION_SPLIT))
    for name, count in Counter(one.name for one in everybody).items():
        if count > 1:
            raise UsageError(
                f"Two detectors are called {name!r}.", fix="Give them names: --predictions NAME:test=FILE."
            )
    for one in everybody:
        other = [split for split in one.splits if split not in allowed]
        if other:
            raise UsageError(
                f"{one.name} has detections on split {other[0]!r}, which nothing is measured on.",
                f"Measured are {' and '.join(allowed)}.",
                f"Name the split that judges: --split {other[0]}.",
            )
        if request.split not in one.splits:
            raise UsageError(
                f"{one.name} has no detections on {request.split!r}, the split that judges.",
                f"It has {', '.join(one.splits) or 'none on clean images'}.",
                f"Add them: --predictions {one.name}:{request.split}=FILE.",
            )
    shown: dict[str, str] = {}
    for one in request.candidates:
        shown.update(dict.fromkeys([*map("split {}".format, one.splits), *one.variants], one.name))
    for one in request.candidates:
        lacking = [what for what in shown if what not in one.variants and what.removeprefix("split ") not in one.splits]
        if lacking:
            raise UsageError(
                f"{one.name} has no detections on {lacking[0]}, but {shown[lacking[0]]} has.",
                "Candidates that are compared must be shown the same images.",
                "Add the file, or leave it out for all.",
            )
