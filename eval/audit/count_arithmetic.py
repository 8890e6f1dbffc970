"""Arithmetic of typed counts and rates: TP + FN = objects, precision, recall and F1 from the counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from robust.eval.audit.group_arithmetic import impossible_rate
from robust.eval.audit.printed import Printed, Span, decimal, reach, whole_between
from robust.eval.audit.typed_claims import ClaimedCounts, ClaimedRate
from robust.eval.evidence.findings import AuditFinding, Severity

_MOST = 20_000
"""Counts of found objects that are tried one by one; beyond, a contradiction may stay unseen."""


def check_rate(claimed: ClaimedRate) -> Iterator[AuditFinding]:
    """A rate that no whole number gives."""
    if claimed.of is None or claimed.counted is False or whole_between(claimed.value.span, claimed.of):
        return
    yield impossible_rate(claimed.metric, claimed.value, claimed.of, certain=bool(claimed.counted))


def check_counts(claimed: ClaimedCounts) -> Iterator[AuditFinding]:
    """Counts that do not add up and rates that do not follow; each relation first, then all of them together."""
    found = [*_sums(claimed)]
    if not claimed.averaged:
        found += _rates(claimed)
        found += _f1(claimed)
    yield from found
    if not found and not claimed.averaged and not _fits(claimed):
        yield _wrong(
            claimed,
            "claimed-counts",
            "no whole numbers of found objects and false alarms give all of " + _listed(claimed),
            {},
            certain=_counted(claimed),
        )


def _counted(claimed: ClaimedCounts) -> bool:
    """Whether anything but the data was counted; rates alone may have been averaged over classes or interpolated."""
    return any(number is not None for number in (claimed.tp, claimed.fp, claimed.fn, claimed.predictions))


def can_check(claimed: ClaimedCounts) -> bool:
    """Whether two of the numbers depend on each other."""
    named = {name for name in _NAMES if getattr(claimed, name) is not None}
    related = [
        {"tp", "fn", "objects"},
        {"tp", "fp", "predictions"},
        {"tp", "objects"},
        {"fn", "objects"},
        {"tp", "predictions"},
        {"fp", "predictions"},
    ]
    rates = [
        {"precision", "recall", "f1"},
        {"recall", "objects"},
        {"recall", "tp", "fn"},
        {"precision", "predictions"},
        {"precision", "tp", "fp"},
        {"fppi", "fp", "images"},
        {"f1", "tp"},
    ]
    return any(names <= named for names in related + ([] if claimed.averaged else rates))


_NAMES = ("tp", "fp", "fn", "objects", "predictions", "images", "precision", "recall", "f1", "fppi")


def _listed(claimed: ClaimedCounts) -> str:
    shown = []
    for name in (*_NAMES, "max_detections"):
        value = getattr(claimed, name)
        if value is not None:
            label = name.upper() if name in {"tp", "fp", "fn", "f1", "fppi"} else name.replace("_", " ")
            shown.append(f"{label} {value.text if isinstance(value, Printed) else format(value, ',')}")
    return ", ".join(shown)


def _wrong(
    claimed: ClaimedCounts, rule: str, words: str, numbers: dict[str, float | int | str], *, certain: bool = True
) -> AuditFinding:
    return AuditFinding(
        rule=rule,
        severity=Severity.ERROR if certain else Severity.WARNING,
        runs=(),
        what=f"{claimed.what}: {words}.",
        numbers=numbers,
        why="Numbers that contradict each other were not all counted on the same data at the same threshold"
        + ("." if certain else ", or are means over classes."),
        remedy="Count again" + ("." if certain else ", or write `averaged: true` if they are means over classes."),
    )


def _sums(claimed: ClaimedCounts) -> Iterator[AuditFinding]:
    """TP + FN = objects; TP + FP = detections; no part is larger than its whole."""
    for whole, other, label in (("objects", "fn", "TP + FN"), ("predictions", "fp", "TP + FP")):
        tp, rest, all_of = claimed.tp, getattr(claimed, other), getattr(claimed, whole)
        if all_of is None:
            continue
        if tp is not None and rest is not None:
            if tp + rest != all_of:
                words = f"{label} = {tp:,} + {rest:,} = {tp + rest:,}, and there are {all_of:,} {whole}"
                yield _wrong(claimed, "claimed-counts", words, {"sum": tp + rest, whole: all_of})
        else:
            for name, part in (("TP", tp), (other.upper(), rest)):
                if part is not None and part > all_of:
                    words = f"{name} = {part:,} is more than the {all_of:,} {whole}"
                    yield _wrong(claimed, "claimed-counts", words, {name.lower(): part, whole: all_of})
    most = claimed.max_detections * claimed.images if claimed.max_detections and claimed.images else None
    if most is not None:
        told = claimed.predictions if claimed.predictions is not None else (claimed.tp or 0) + (claimed.fp or 0)
        if told > most:
            words = f"{told:,} detections are more than {claimed.max_detections:,} on each of {claimed.images:,} images"
            yield _wrong(claimed, "claimed-counts", words, {"predictions": told, "most": most})


def _rates(claimed: ClaimedCounts) -> Iterator[AuditFinding]:
    """Rates whose counts are both printed."""
    tp, fp = claimed.tp, claimed.fp
    objects = claimed.objects if claimed.objects is not None else _sum(tp, claimed.fn)
    predictions = claimed.predictions if claimed.predictions is not None else _sum(tp, fp)
    doubled = None if tp is None else 2 * tp
    told = (
        ("recall", claimed.recall, tp, objects),
        ("precision", claimed.precision, tp, predictions),
        ("F1", claimed.f1, doubled, _sum(objects, predictions)),
        ("false alarms per image", claimed.fppi, fp, claimed.images),
    )
    for name, printed, part, whole in told:
        if printed is None or part is None or not whole:
            continue
        real = Fraction(part, whole)
        if not printed.span.low <= real <= printed.span.high:
            words = f"{name} is {part:,}/{whole:,} = {decimal(real, printed.digits)}, not {printed.text}"
            yield _wrong(claimed, "claimed-rate", words, {name: float(real), "claimed": float(printed.value)})
    for name, printed, whole in (("recall", claimed.recall, objects), ("precision", claimed.precision, predictions)):
        if printed is not None and whole and tp is None and not whole_between(printed.span, whole):
            yield impossible_rate(f"{claimed.what}, {name}", printed, whole, certain=_counted(claimed))


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _f1(claimed: ClaimedCounts) -> Iterator[AuditFinding]:
    """F1 = 2 P R / (P + R), which grows with both."""
    if claimed.f1 is None or claimed.precision is None or claimed.recall is None:
        return
    p, r = claimed.precision.span.shares, claimed.recall.span.shares
    real = Span(_harmonic(p.low, r.low), _harmonic(p.high, r.high))
    if real.meets(claimed.f1.span):
        return
    digits = claimed.f1.digits
    value = _harmonic(claimed.precision.value, claimed.recall.value)
    words = f"F1 of precision {claimed.precision.text} and recall {claimed.recall.text} is {decimal(value, digits)} "
    words += f"({reach(real, digits + 1)} with rounding), not {claimed.f1.text}"
    numbers: dict[str, float | int | str] = {"f1": float(value), "claimed": float(claimed.f1.value)}
    yield _wrong(claimed, "claimed-f1", words, numbers, certain=_counted(claimed))


def _harmonic(p: Fraction, r: Fraction) -> Fraction:
    return 2 * p * r / (p + r) if p + r > 0 else Fraction(0)


def _fits(claimed: ClaimedCounts) -> bool:
    """Whether some whole numbers of found objects and false alarms give every printed number.

    For each count of found objects that is possible, the false alarms that each number allows are an interval, so it is
    enough to look whether the intervals share a whole number.
    """
    objects = claimed.objects if claimed.objects is not None else _sum(claimed.tp, claimed.fn)
    if claimed.tp is not None:
        candidates = range(claimed.tp, claimed.tp + 1)
    elif objects is not None and claimed.fn is not None:
        candidates = range(objects - claimed.fn, objects - claimed.fn + 1)
    elif objects is not None:
        share = claimed.recall.span.shares if claimed.recall is not None else Span(Fraction(0), Fraction(1))
        candidates = range(math.ceil(share.low * objects), math.floor(share.high * objects) + 1)
    else:
        return True
    if len(candidates) > _MOST:
        return True
    return any(_false_alarms_fit(claimed, tp, objects) for tp in candidates)


def _false_alarms_fit(claimed: ClaimedCounts, tp: int, objects: int | None) -> bool:
    if tp == 0 and _needs_a_found_object(claimed):
        return False
    limits: list[tuple[Fraction, Fraction | None]] = [(Fraction(0), None)]
    if claimed.fp is not None:
        limits.append((Fraction(claimed.fp), Fraction(claimed.fp)))
    if claimed.predictions is not None:
        limits.append((Fraction(claimed.predictions - tp), Fraction(claimed.predictions - tp)))
    if claimed.precision is not None and tp == 0 and claimed.precision.span.low > 0:
        limits.append((Fraction(0), Fraction(0)))  # precision without detections, called 1
    if claimed.precision is not None and tp > 0:
        limits.append(_rest_of(Fraction(tp), claimed.precision.span, Fraction(tp)))
    if claimed.f1 is not None and objects is not None and tp > 0:
        limits.append(_rest_of(Fraction(2 * tp), claimed.f1.span, Fraction(tp + objects)))
    if claimed.fppi is not None and claimed.images is not None:
        limits.append((claimed.fppi.span.low * claimed.images, claimed.fppi.span.high * claimed.images))
    if claimed.max_detections is not None and claimed.images is not None:
        limits.append((Fraction(0), Fraction(claimed.max_detections * claimed.images - tp)))
    least = max(limit[0] for limit in limits)
    ends = [limit[1] for limit in limits if limit[1] is not None]
    return not ends or math.ceil(least) <= math.floor(min(ends))


def _needs_a_found_object(claimed: ClaimedCounts) -> bool:
    """Whether a rate is printed that is 0 when nothing is found; precision without detections may be called 1."""
    return (claimed.f1 is not None and claimed.f1.span.low > 0) or (
        claimed.precision is not None and claimed.precision.span.low > 0 and claimed.precision.span.high < 1
    )


def _rest_of(part: Fraction, rate: Span, known: Fraction) -> tuple[Fraction, Fraction | None]:
    """False alarms for which part / (known + false alarms) is printed as the rate; no upper end where it may be 0."""
    if rate.high <= 0:
        return Fraction(1), Fraction(0)
    return part / rate.high - known, part / rate.low - known if rate.low > 0 else None
