"""Arithmetic of typed comparisons: percentages, differences, what is compared, and what could be seen at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from robust.eval.audit.group_arithmetic import Group
from robust.eval.audit.printed import Printed, Span, decimal, reach
from robust.eval.audit.typed_claims import (
    Aggregate,
    ClaimedComparison,
    ClaimedData,
    ClaimedGroup,
    is_share,
    moves_by_objects,
)
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM
from robust.eval.metrics.power import images_needed_for_difference, smallest_difference

SD_PER_IMAGE = 0.40
"""Typical sqrt(n) SE of a paired difference of AP50 between two related models, from simulated person data."""

_WORDS: dict[Aggregate, str] = {"best": "the best run", "mean": "a mean", "run": "one run"}


def check_comparison(
    claimed: ClaimedComparison, groups: Sequence[ClaimedGroup], data: ClaimedData
) -> Iterator[AuditFinding]:
    """Everything that is wrong with a comparison, given the groups of the same file."""
    listed = [Group.of(group) for group in groups if group.metric == claimed.metric]
    best = list(_best_runs(listed))
    yield from _percentage(claimed, best)
    yield from _difference(claimed)
    yield from _mixed(claimed, listed, best)
    yield from _too_small(claimed, data)
    yield from _equal(claimed)


def can_check(claimed: ClaimedComparison) -> bool:
    """Whether anything of a comparison can be held against something else, apart from the size of the difference."""
    percent = claimed.percent is not None and _relative(claimed.first.span, claimed.second.span) is not None
    kinds = claimed.first_is is not None and claimed.second_is is not None
    return percent or claimed.difference is not None or kinds or claimed.says is not None


def _relative(first: Span, second: Span) -> Span | None:
    """Change from the second to the first in percent; None where the second may be 0 or less."""
    if second.low <= 0:
        return None
    ends = (first.low / (second.high if first.low >= 0 else second.low), first.high / second.low)
    return Span((ends[0] - 1) * 100, (ends[1] - 1) * 100)


def _misses(claimed: ClaimedComparison) -> Span | None:
    """What the percentage really is, where that is not what is printed; None where they agree or cannot be compared."""
    if claimed.percent is None:
        return None
    real = _relative(claimed.first.span, claimed.second.span)
    return None if real is None or real.meets(claimed.percent.span) else real


def _percentage(claimed: ClaimedComparison, best: Sequence[tuple[str, Printed]]) -> Iterator[AuditFinding]:
    real = _misses(claimed)
    if real is None:
        return
    assert claimed.percent is not None
    first, second, percent = claimed.first, claimed.second, claimed.percent
    value = (first.value / second.value - 1) * 100
    factor = 1 + percent.value / 100
    digits, shown = percent.digits, max(first.digits, second.digits)
    numbers: dict[str, float | int | str] = {"percent": float(value), "claimed": float(percent.value)}
    would = []
    if factor > 0:
        numbers |= {"first_needed": float(second.value * factor), "second_needed": float(first.value / factor)}
        would.append(f"{decimal(second.value * factor, shown)} in place of {first.text}")
        would.append(f"{decimal(first.value / factor, shown)} in place of {second.text}")
        would += [
            f"{run.text} ({name}) against {decimal(run.value / factor, max(shown, run.digits))}"
            for name, run in best
            if percent.value > 0 and run.value > max(first.value, second.value)
        ]
    hint = _slip(claimed)
    yield AuditFinding(
        rule="claimed-percentage",
        severity=Severity.ERROR,
        runs=(),
        what=f"{claimed.what}: from {second.text} to {first.text} {claimed.metric} changes by "
        f"{decimal(value, digits, sign=True)} % ({reach(real, digits, sign=True)} % with rounding), not "
        f"{decimal(percent.value, digits, sign=True)} %." + (f" It would take {'; or '.join(would)}." if would else ""),
        numbers=numbers,
        why=hint or "The gain that is promised is not the gain that was measured.",
        remedy="Print the difference itself with its interval; a percentage only of two means over the same seeds.",
    )


def _slip(claimed: ClaimedComparison) -> str:
    """The usual mistakes with percentages; empty when it is none of them."""
    assert claimed.percent is not None
    first, second, percent = claimed.first.span, claimed.second.span, claimed.percent.span
    real, turned = _relative(first, second), _relative(second, first)
    if real is not None and real.times(-1).meets(percent):
        return "The sign is wrong: the percentage is the change from the second number to the first."
    if turned is not None and (turned.meets(percent) or turned.times(-1).meets(percent)):
        return "It is a percentage of the first number; a change is told as a percentage of the second."
    if (first - second).times(100).meets(percent):
        return "It is the difference in points, which is not a relative change."
    return ""


def _difference(claimed: ClaimedComparison) -> Iterator[AuditFinding]:
    if claimed.difference is None:
        return
    real = claimed.first.span - claimed.second.span
    if real.meets(claimed.difference.span):
        return
    digits = max(claimed.first.digits, claimed.second.digits)
    value = claimed.first.value - claimed.second.value
    yield AuditFinding(
        rule="claimed-difference",
        severity=Severity.ERROR,
        runs=(),
        what=f"{claimed.what}: {claimed.first.text} minus {claimed.second.text} is {decimal(value, digits, sign=True)} "
        f"({reach(real, digits + 1, sign=True)} with rounding), not {claimed.difference.text}.",
        numbers={"difference": float(value), "claimed": float(claimed.difference.value)},
        why="The gain that is promised is not the gain that was measured.",
        remedy="Compute it again, first minus second.",
    )


def _best_runs(groups: Sequence[Group]) -> Iterator[tuple[str, Printed]]:
    """The highest run of each group with several, where that can be known."""
    for group in groups:
        spans = group.values
        if not group.known or group.n < 2 or len(spans) < group.n:
            continue
        name = max(group.known, key=lambda run: group.known[run].value)
        if all(span.middle <= group.known[name].value for span in spans.values()):
            yield f"the best run, {name}, of {group.claimed.name}", group.known[name]


def _kinds(value: Printed, groups: Sequence[Group], best: Sequence[tuple[str, Printed]]) -> set[Aggregate]:
    """What a number can be, of all that the groups print; empty when they do not tell.

    A run of a group whose mean is not printed tells nothing, since the mean may be the same number.
    """
    holders = [group for group in groups if any(run.value == value.value for run in group.known.values())]
    if any(group.claimed.mean is None for group in holders):
        return set()
    found: set[Aggregate] = set()
    if any(group.claimed.mean is not None and group.claimed.mean.value == value.value for group in groups):
        found.add("mean")
    if any(run.value == value.value for _, run in best):
        found.add("best")
    elif holders:
        found.add("run")
    return found


def _stands_for(
    stated: Aggregate | None, value: Printed, groups: Sequence[Group], best: Sequence[tuple[str, Printed]]
) -> Aggregate | None:
    """What a number is: as stated, unless the groups print it as something else only."""
    possible = _kinds(value, groups, best)
    if stated in possible or not possible:
        return stated
    return next(iter(possible)) if len(possible) == 1 else stated


def _mixed(
    claimed: ClaimedComparison, groups: Sequence[Group], best: Sequence[tuple[str, Printed]]
) -> Iterator[AuditFinding]:
    """One side is the best of several runs, the other a mean; or a percentage looks as if it were."""
    first = _stands_for(claimed.first_is, claimed.first, groups, best)
    second = _stands_for(claimed.second_is, claimed.second, groups, best)
    if first is not None and second is not None and first != second:
        chosen = "best" in (first, second)
        certain = chosen and (first, second) == (claimed.first_is, claimed.second_is)
        yield AuditFinding(
            rule="best-against-mean",
            severity=Severity.ERROR if certain else Severity.WARNING,
            runs=(),
            what=f"{claimed.what}: {claimed.first.text} is {_WORDS[first]} and {claimed.second.text} is "
            f"{_WORDS[second]}"
            + ("" if certain or not chosen else ", as far as the groups tell")
            + "; they cannot be compared.",
            numbers={"first": float(claimed.first.value), "second": float(claimed.second.value)},
            why="The best of several runs is above their mean by luck alone, also when all are equally good."
            if chosen
            else "One run differs from a mean by the spread over seeds, unless it has no seed, as untouched weights.",
            remedy="Compare the mean over the same seeds on both sides.",
        )
        return
    yield from _looks_mixed(claimed, best)


def _looks_mixed(claimed: ClaimedComparison, best: Sequence[tuple[str, Printed]]) -> Iterator[AuditFinding]:
    """A wrong percentage that lies nearer to that of a best run than to that of the two numbers."""
    if claimed.percent is None or _misses(claimed) is None or claimed.first_is == "best":
        return
    percent, second = claimed.percent.value, claimed.second.value
    off = abs((claimed.first.value / second - 1) * 100 - percent)
    for name, run in best:
        with_best = (run.value / second - 1) * 100
        if percent > 0 and run.value > claimed.first.value and abs(with_best - percent) < off / 2:
            told = f"{decimal(percent, 1, sign=True)} % is near what {run.text}, {name}, gives"
            yield AuditFinding(
                rule="best-against-mean",
                severity=Severity.WARNING,
                runs=(),
                what=f"{claimed.what}: {told} against {claimed.second.text} ({decimal(with_best, 1, sign=True)} %); a "
                f"best run seems to stand where {claimed.first.text} belongs.",
                numbers={
                    "best": float(run.value),
                    "percent_of_best": float(with_best),
                    "second_needed": float(run.value / (1 + percent / 100)),
                },
                why="The best of several runs is above their mean by luck alone, also when all are equally good.",
                remedy="Compare the mean over the same seeds on both sides.",
            )
            return


def _too_small(claimed: ClaimedComparison, data: ClaimedData) -> Iterator[AuditFinding]:
    """A difference that is smaller than one object, or than what so many images can show."""
    if not is_share(claimed.metric):
        return
    gap, largest = abs(claimed.first.value - claimed.second.value), (claimed.first.span - claimed.second.span).largest
    digits = max(claimed.first.digits, claimed.second.digits)
    if data.objects is not None and moves_by_objects(claimed.metric) and largest < Fraction(1, data.objects):
        yield AuditFinding(
            rule="below-one-object",
            severity=Severity.WARNING,
            runs=(),
            what=f"{claimed.what}: the difference of {decimal(gap, digits)} is smaller than one object among "
            f"{data.objects:,}, which is {1 / data.objects:.{digits}f}.",
            numbers={"difference": float(gap), "one_object": 1 / data.objects},
            why="A single object found or missed moves recall by more than that.",
            remedy="Measure on more objects, and print the difference with its paired interval.",
        )
    if data.images is None:
        return
    visible = smallest_difference(data.images, SD_PER_IMAGE)
    if float(largest) < visible:
        needed = images_needed_for_difference(SD_PER_IMAGE, float(gap)) if gap else None
        images = (
            f"about {_rounded(needed):,} images would show {decimal(gap, digits)}"
            if needed
            else "no number of images shows a difference of 0"
        )
        count = "1 image shows" if data.images == 1 else f"{data.images:,} images show"
        yield AuditFinding(
            rule="too-few-images",
            severity=Severity.WARNING,
            runs=(),
            what=f"{claimed.what}: {count} differences of about {visible:.2g} or more, and this one is "
            f"{decimal(gap, digits)}; {images}.",
            numbers={
                "difference": float(gap),
                "smallest": visible,
                "sd_per_image": SD_PER_IMAGE,
                **({"images_needed": needed} if needed else {}),
            },
            why="Differences of this size come and go with the images that happen to be in the set "
            f"(80 % power, and a spread of {SD_PER_IMAGE:.2f} per image, as is typical of AP50).",
            remedy="Measure on more images, or say that no difference was shown.",
        )


def _rounded(number: int) -> int:
    """Two leading digits, rounded up."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // unit) * unit


def _equal(claimed: ClaimedComparison) -> Iterator[AuditFinding]:
    if claimed.says != "equal" or (claimed.seeds or 0) >= SEEDS_FOR_CLAIM:
        return
    seeds = "an unknown number of seeds" if claimed.seeds is None else f"{claimed.seeds} of each"
    yield AuditFinding(
        rule="claimed-equality",
        severity=Severity.WARNING,
        runs=(),
        what=f"{claimed.what}: called equal from {seeds}; {SEEDS_FOR_CLAIM} seeds and an interval inside a stated "
        "margin are needed to say so.",
        numbers={"n_seeds": claimed.seeds or 0, "needed": SEEDS_FOR_CLAIM},
        why="That no difference was seen is not that there is none.",
        remedy="Say that no difference was shown, and how large one could be.",
    )
