"""Claims: the only source of sentences about results.

A claim cannot be made without what its kind must rest on (`REQUIRED`), and it cannot say more than that allows:
"better" needs an interval on one side of zero that also holds after correction for the comparisons made with it, and
five seeds where it is about a setting; a number without an interval is "observed" and says why it has none; two results
are never "equal"; the best of several is never set against a mean. `robust.eval.decision.sentences` makes claims.
Each sentence is a message with named places, so that a translation replaces the message and keeps the numbers.
"""

from __future__ import annotations

import math
import re
import string
from typing import Literal

from pydantic import model_validator

from robust.eval.decision.records import Estimate
from robust.eval.metrics.comparison import LOWER_IS_BETTER, SIGNIFICANT
from robust.eval.metrics.interval import LEVEL
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM, SEEDS_FOR_INTERVAL
from robust.eval.metrics.optimism import WinnerCheck
from robust.eval.metrics.records import Record
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.robustness_intervals import Ladder

NO_INTERVAL_WORDS = "cannot be told from noise"

ClaimKind = Literal[
    "level",
    "difference",
    "relative change",
    "equivalence",
    "setting effect",
    "reproducibility",
    "over-fitting",
    "robustness ladder",
    "best of k",
    "fact",
    "not assessed",
]
Estimand = Literal["checkpoint", "setting"]
"""What a sentence is about: one file of weights, or what a setting gives whatever the seed."""

Finding = Literal[
    "stated",
    "better",
    "worse",
    "no difference shown",
    "equivalent within margin",
    "shown",
    "not shown",
    "within tolerance",
    "observed only",
    "not assessed",
]
"""What a claim says of its question."""

Aggregate = Literal["one run", "mean over seeds", "mean over settings", "fixed weights", "highest of several"]
"""How a side of a comparison was made of runs. "Fixed weights" are the same for every seed."""

COMPARED: tuple[ClaimKind, ...] = ("difference", "relative change", "equivalence", "setting effect", "over-fitting")
REQUIRED: dict[ClaimKind, tuple[str, ...]] = {
    "level": ("metric", "scope", "estimand", "estimate"),
    **dict.fromkeys(COMPARED, ("metric", "scope", "estimand", "estimate", "sides")),
    "reproducibility": ("metric", "scope", "estimand", "estimate"),
    "robustness ladder": ("metric", "scope", "estimand", "ladder"),
    "best of k": ("metric", "scope", "estimand", "estimate", "selected_on", "winner"),
}
"""Fields that a claim of a kind must have; facts and what was not assessed need none beyond their words."""

FINDINGS: dict[ClaimKind, tuple[Finding, ...]] = {
    "level": ("stated", "observed only"),
    "difference": ("better", "worse", "no difference shown", "observed only"),
    "relative change": ("stated", "observed only"),
    "equivalence": ("equivalent within margin",),
    "setting effect": ("better", "worse", "no difference shown", "observed only"),
    "reproducibility": ("within tolerance", "not shown", "observed only"),
    "over-fitting": ("within tolerance", "shown", "observed only"),
    "robustness ladder": ("shown", "not shown"),
    "best of k": ("observed only",),
    "fact": ("stated",),
    "not assessed": ("not assessed",),
}


class Scope(Record):
    """What a number was measured on.

    Attributes:
        split: The split.
        variant: "clean", "night/3", "all variants".
        n_images: Images of the split; None when the evidence has no counts for it.
        n_objects: Annotated objects of the split that count.
        n_groups: Source groups (videos, scenes) of the split; None when images carry none.
        n_seeds: Fewest distinct training seeds behind a side; None when it is about one set of weights.
        resampling: How the replicates of the intervals were drawn; None when nobody said.
    """

    split: str
    variant: str
    n_images: int | None
    n_objects: int | None
    n_groups: int | None = None
    n_seeds: int | None = None
    resampling: Resampling | None = None

    @property
    def is_counted(self) -> bool:
        """True when the number of images and of objects is known."""
        return self.n_images is not None and self.n_objects is not None

    @property
    def text(self) -> str:
        """The scope in words."""
        parts = [f"{self.split}, {self.variant}"]
        if self.n_images is None or self.n_objects is None:
            parts.append("counts not measured")
        else:
            parts += [plural(self.n_images, "image"), plural(self.n_objects, "object")]
        if self.n_groups is not None:
            parts.append(plural(self.n_groups, "group"))
        if self.n_seeds is not None:
            parts.append(plural(self.n_seeds, "seed"))
        return ", ".join(parts)


class Side(Record):
    """One side of a comparison: its name, its value, and how that was made of runs."""

    name: str
    value: Estimate
    aggregate: Aggregate


class Claim(Record):
    """One sentence with what it rests on.

    Attributes:
        kind: What sort of sentence it is; decides what it needs and which words are allowed.
        message: The sentence with named places.
        values: What goes into the places, as text.
        verdict: What it says of its question.
        metric: The metric it is about.
        scope: What it was measured on: split, images, objects, groups, seeds, and how replicates were drawn.
        estimand: Whether it is about one file of weights or about a setting.
        estimate: The number it states, with its interval and method.
        reason: Why there is no interval, or why the number is no more than observed; empty when neither.
        level: Confidence level of the interval.
        sides: What is compared, first minus second.
        p_adjusted: p value after correction (Holm) for the comparisons made together.
        n_tests: How many those are.
        margin: Difference that does not matter; for equivalence.
        tolerance: Largest spread or gap that is accepted; for reproducibility and over-fitting.
        selected_on: The split on whose images what it is about was selected; None when nothing was selected.
        winner: Correction for having selected the highest of several.
        ladder: Up to which severity a requirement is shown to be met.
    """

    kind: ClaimKind
    message: str
    values: dict[str, str]
    verdict: Finding
    metric: str | None = None
    scope: Scope | None = None
    estimand: Estimand | None = None
    estimate: Estimate | None = None
    reason: str = ""
    level: float = LEVEL
    sides: tuple[Side, Side] | None = None
    p_adjusted: float | None = None
    n_tests: int | None = None
    margin: float | None = None
    tolerance: float | None = None
    selected_on: str | None = None
    winner: WinnerCheck | None = None
    ladder: Ladder | None = None

    @property
    def text(self) -> str:
        """The sentence."""
        return self.message.format_map(self.values)

    @model_validator(mode="after")
    def _supported(self) -> Claim:
        _check_places(self)
        missing = [name for name in REQUIRED.get(self.kind, ()) if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a claim of the kind {self.kind!r} needs {', '.join(missing)}")
        if self.verdict not in FINDINGS[self.kind]:
            raise ValueError(f"a claim of the kind {self.kind!r} cannot say {self.verdict!r}")
        _check_words(self)
        if self.kind in REQUIRED:
            _check_measured(self)
            _check_seeds(self)
            _check_sides(self)
            _check_verdict(self)
        return self


def _check_places(claim: Claim) -> None:
    """Every place of the message has a value, and is a plain name: nothing is looked up inside a value."""
    places = [name for _, name, _, _ in string.Formatter().parse(claim.message) if name is not None]
    wrong = [name for name in places if not name.isidentifier() or name not in claim.values]
    if wrong:
        raise ValueError(f"nothing to put into {{{wrong[0]}}} of the message {claim.message!r}")


def _check_words(claim: Claim) -> None:
    said = claim.message.lower()
    if re.search(r"\bequals?\b|\bthe same as\b", said):
        raise ValueError("two results are never called equal: say that no difference was shown")
    for word in ("better", "worse", "equivalent within"):
        if re.search(rf"\b{word}\b", said) and not claim.verdict.startswith(word.split()[0]):
            raise ValueError(f"the message says {word!r}, the verdict {claim.verdict!r}")


def _check_measured(claim: Claim) -> None:
    scope, estimate = claim.scope, claim.estimate
    if scope is None or not scope.is_counted:
        raise ValueError("a claim about a measurement needs the number of images and of objects")
    if estimate is None:
        return
    if estimate.value is None:
        raise ValueError("a claim needs a value; what has none is not assessed")
    if estimate.has_interval and (not estimate.method or scope.resampling is None):
        raise ValueError("an interval needs its method and how its replicates were drawn")
    if not estimate.has_interval and not claim.reason:
        raise ValueError("a number without an interval needs the reason why it has none")


def _check_seeds(claim: Claim) -> None:
    """A setting is what it is over its seeds: three for an interval, five for a statement."""
    if claim.estimand != "setting" or claim.scope is None:
        return
    n = claim.scope.n_seeds
    if n is None:
        raise ValueError("a claim about a setting needs the number of its seeds")
    if claim.estimate is not None and claim.estimate.has_interval and n < SEEDS_FOR_INTERVAL:
        raise ValueError(f"an interval of a setting needs {SEEDS_FOR_INTERVAL} seeds, not {n}")
    if claim.verdict not in {"stated", "observed only"} and n < SEEDS_FOR_CLAIM:
        raise ValueError(f"a claim about a setting needs {SEEDS_FOR_CLAIM} seeds, not {n}")


def _check_sides(claim: Claim) -> None:
    if claim.sides is None or claim.estimate is None:
        return
    first, second = claim.sides
    kinds = {first.aggregate, second.aggregate}
    if len(kinds - {"fixed weights"}) > 1 or ("highest of several" in kinds and len(kinds) > 1):
        raise ValueError(f"a {first.aggregate} is not compared with a {second.aggregate}")
    if claim.kind == "relative change" and len(kinds) > 1 and claim.estimand == "setting":
        raise ValueError("a relative change needs the same aggregate above and below the line")
    a, b, told = first.value.value, second.value.value, claim.estimate.value
    if a is None or b is None or told is None:
        raise ValueError("a comparison needs both values")
    if not follows(told * b if claim.kind == "relative change" else told, a, b):
        raise ValueError(f"the difference {told} does not follow from {a} and {b}")


def _check_verdict(claim: Claim) -> None:
    if claim.verdict == "observed only":
        if not claim.reason and claim.kind != "best of k":
            raise ValueError("what is only observed needs the reason why it is no more")
        return
    if claim.selected_on is not None and claim.scope is not None and claim.selected_on == claim.scope.split:
        raise ValueError("what was selected on these images is only observed on them")
    if claim.kind in {"difference", "equivalence", "setting effect"}:
        _check_difference(claim)
    if claim.kind in {"reproducibility", "over-fitting"}:
        _check_tolerance(claim)
    if claim.ladder is not None and (claim.verdict == "shown") != (claim.ladder.met_up_to is not None):
        raise ValueError("a ladder is shown when a severity meets the requirement, clean included")


def _check_difference(claim: Claim) -> None:
    found = claim.estimate
    if found is None or not found.has_interval:
        raise ValueError(f"{claim.verdict!r} needs an interval")
    allowed = verdict_of_difference(found, claim.metric or "", p_adjusted=claim.p_adjusted, margin=claim.margin)
    if claim.verdict != allowed:
        raise ValueError(f"the interval allows {allowed!r}, not {claim.verdict!r}")


def _check_tolerance(claim: Claim) -> None:
    found = claim.estimate
    if found is None or claim.tolerance is None or not found.has_interval:
        raise ValueError(f"{claim.verdict!r} needs an interval and a tolerance")
    small, large = verdict_of_tolerance(found, claim.tolerance)
    if (claim.verdict == "within tolerance") != small or (claim.verdict == "shown" and not large):
        raise ValueError(f"{claim.verdict!r} does not follow from the interval and the tolerance {claim.tolerance}")


def verdict_of_difference(
    estimate: Estimate, metric: str, *, p_adjusted: float | None = None, margin: float | None = None
) -> Finding:
    """What a difference with an interval allows to say.

    A difference is told only when its interval excludes 0 and its corrected p value is at most 0.05; equivalence when
    the interval lies within the margin on both sides.
    """
    low, high = estimate.low, estimate.high
    if low is None or high is None:
        return "observed only"
    if metric in LOWER_IS_BETTER:
        low, high = -high, -low
    told = p_adjusted is not None and p_adjusted <= SIGNIFICANT
    if told and low > 0:
        return "better"
    if told and high < 0:
        return "worse"
    within = margin is not None and -margin <= low and high <= margin
    return "equivalent within margin" if within else "no difference shown"


def follows(difference: float, first: float, second: float) -> bool:
    """Whether a difference is that of its two values; stored numbers may contradict each other."""
    return math.isclose(difference, first - second, rel_tol=1e-6, abs_tol=1e-6)


def verdict_of_tolerance(estimate: Estimate, tolerance: float) -> tuple[bool, bool]:
    """Whether a spread or a gap is shown to lie within a tolerance, and whether it is shown to lie above it."""
    low, high = estimate.low, estimate.high
    return high is not None and high <= tolerance, low is not None and low > tolerance


def score(value: Estimate | float | None) -> str:
    """A value between 0 and 1 with three digits, or why there is none."""
    if isinstance(value, Estimate):
        return f"{value.value:.3f}" if value.value is not None else value.missing
    return f"{value:.3f}" if value is not None else "not defined"


def p_words(p: float) -> str:
    """A p value with three digits; one that would round to 0 is told as below 0.001, because it never is 0."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(value: Estimate) -> str:
    """A difference with its sign and three digits, or why there is none."""
    if value.value is None:
        return value.missing
    return "0.000" if abs(value.value) < 0.0005 else f"{value.value:+.3f}"


def interval(value: Estimate) -> str:
    """The 95 % interval, or that there is none."""
    return "no interval" if value.low is None or value.high is None else f"[{value.low:.3f}, {value.high:.3f}]"


def bounded(value: Estimate) -> str:
    """A value with its interval, or the word that it has none."""
    if value.value is None:
        return value.missing
    return f"{score(value)} {interval(value)}" if value.has_interval else f"{score(value)} (no interval)"


def why_no_interval(value: Estimate) -> str:
    """Why a value has no interval; empty when it has one."""
    return "" if value.has_interval else value.note or "none was computed"


def plural(n: int, noun: str) -> str:
    """``1 image``, ``2 images``, ``1,200 images``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(items: tuple[str, ...] | list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"
