"""The arithmetic of numbers that people typed: what contradicts itself, and what the data cannot show.

In the manner of the GRIM test (Brown and Heathers 2017, "The GRIM test"): only the printed numbers are needed. A
printed number stands for every value that is rounded to it, so an error is never one that rounding explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from robust.eval.audit import comparison_arithmetic, count_arithmetic, group_arithmetic
from robust.eval.audit.printed import Printed
from robust.eval.audit.typed_claims import Claims, is_share, moves_by_objects
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.yaml_file import read_yaml

RULES = (
    "below-one-object",
    "best-against-mean",
    "claimed-counts",
    "claimed-difference",
    "claimed-equality",
    "claimed-f1",
    "claimed-mean",
    "claimed-percentage",
    "claimed-rate",
    "claimed-reproducibility",
    "claimed-spread",
    "excess-digits",
    "impossible-rate",
    "out-of-range",
    "repeated-seed-name",
    "too-few-images",
    "unchecked-claim",
    "unprinted-value",
)
"""Names of the checks, sorted."""

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def lint_claims(path: Path) -> tuple[AuditFinding, ...]:
    """Check the numbers of a file of claims.

    Args:
        path: The file, see ``docs/claims.md``.

    Returns:
        Findings, errors first, then by rule, then in the order of the file.

    Raises:
        UnknownName: a key is not known; the nearest known one is named.
        UsageError: the file cannot be read, is not YAML, holds no claims, or a value is wrong.
    """
    return check_claims(read_yaml(path, Claims, "claims", numbers_as_text=True))


def check_claims(claims: Claims) -> tuple[AuditFinding, ...]:
    """Check typed numbers, see `lint_claims`."""
    found: list[AuditFinding] = [*_out_of_range(claims)]
    for group in claims.groups:
        found += group_arithmetic.check_group(group)
    for comparison in claims.comparisons:
        found += comparison_arithmetic.check_comparison(comparison, claims.groups, claims.data)
    for rate in claims.rates:
        found += count_arithmetic.check_rate(rate)
    for counts in claims.counts:
        found += count_arithmetic.check_counts(counts)
    found += _excess_digits(claims)
    found += _unchecked(claims)
    where = f"{claims.document}: " if claims.document else ""
    told = (finding.model_copy(update={"what": where + finding.what}) for finding in found)
    return tuple(sorted(told, key=lambda finding: (_ORDER[finding.severity], finding.rule)))


def _printed(claims: Claims) -> list[tuple[str, str, Printed]]:
    """Every number of a metric: where it stands, its metric, and it."""
    found: list[tuple[str, str, Printed | None]] = []
    for group in claims.groups:
        found += [(f"{group.name}, {group.metric}, {run}", group.metric, value) for run, value in group.values.items()]
        found.append((f"{group.name}, {group.metric}, mean", group.metric, group.mean))
    for one in claims.comparisons:
        found += [(f"{one.what}, {one.metric}", one.metric, value) for value in (one.first, one.second)]
    found += [(rate.metric, rate.metric, rate.value) for rate in claims.rates]
    for counts in claims.counts:
        rates = {"precision": counts.precision, "recall": counts.recall, "F1": counts.f1}
        found += [(f"{counts.what}, {name}", name, value) for name, value in rates.items()]
    return [(where, metric, value) for where, metric, value in found if value is not None]


def _out_of_range(claims: Claims) -> Iterator[AuditFinding]:
    for where, metric, value in _printed(claims):
        if not is_share(metric) or (value.span.high >= 0 and value.span.low <= 1):
            continue
        if value.value == -1:
            why = "COCO tools print -1 where there is nothing to measure; it is not a value."
            remedy = "Leave the value out."
        else:
            why = "The metric lies between 0 and 1, or 0 and 100 %."
            remedy = f"If {value.text} is a percentage, write {value.text} %; else correct it."
        yield AuditFinding(
            rule="out-of-range",
            severity=Severity.ERROR,
            runs=(),
            what=f"{where}: {value.text} is not between 0 and 1.",
            numbers={"claimed": float(value.value)},
            why=why,
            remedy=remedy,
        )


def _excess_digits(claims: Claims) -> Iterator[AuditFinding]:
    """More digits than a tenth of one object; precision is left out, because detections are more than objects."""
    objects = claims.data.objects
    if objects is None:
        return
    digits = math.floor(math.log10(10 * objects))
    fine = [value for _, metric, value in _printed(claims) if moves_by_objects(metric) and value.digits > digits]
    if fine:
        most = max(fine, key=lambda value: value.digits)
        count = "1 number is" if len(fine) == 1 else f"{len(fine):,} numbers are"
        yield AuditFinding(
            rule="excess-digits",
            severity=Severity.NOTE,
            runs=(),
            what=f"{count} printed with up to {most.digits} digits ({most.text}); one object among {objects:,} is "
            f"{1 / objects:.{digits + 1}f}, so {digits} say all there is.",
            numbers={"numbers": len(fine), "digits": most.digits, "digits_enough": digits, "one_object": 1 / objects},
            why="Digits beyond a tenth of one object look like knowledge and are noise.",
            remedy=f"Print {digits} digits and an interval.",
        )


def _unchecked(claims: Claims) -> Iterator[AuditFinding]:
    """What stands in the file and could be held against nothing, so that silence is not read as approval."""
    names = [f"{g.name}, {g.metric}" for g in claims.groups if not group_arithmetic.can_check(g)]
    names += [c.what for c in claims.comparisons if not comparison_arithmetic.can_check(c)]
    names += [rate.metric for rate in claims.rates if rate.of is None or rate.counted is False]
    names += [c.what for c in claims.counts if not count_arithmetic.can_check(c)]
    total = sum(len(part) for part in _parts(claims))
    if names:
        yield AuditFinding(
            rule="unchecked-claim",
            severity=Severity.NOTE,
            runs=(),
            what=f"{len(names):,} of {total:,} claims could be held against nothing: {'; '.join(names)}.",
            numbers={"unchecked": len(names), "claims": total},
            why="A number that nothing contradicts is not thereby right.",
            remedy="Add the values of the runs, the two numbers of a percentage, or what a rate is a share of.",
        )


def _parts(claims: Claims) -> Sequence[Sequence[object]]:
    return claims.groups, claims.comparisons, claims.rates, claims.counts
