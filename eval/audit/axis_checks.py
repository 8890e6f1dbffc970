"""Checks of the axes of a grid: did each parameter that was varied do anything, and did only those vary?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from robust.eval.audit.automatic import (
    IGNORED,
    is_automatic,
    is_ultralytics,
    names_optimizer,
    picked_by_all,
)
from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.listing import called, counted, listed, names_of
from robust.eval.audit.results import group_numbers, headline, same_results, with_results
from robust.eval.audit.settings import (
    AXES,
    DATA_CONTENT,
    INERT,
    VAL_CONTENT,
    VERSION,
    declared,
    grouped,
    places_of,
    read_once,
    settings_of,
    varying,
)
from robust.eval.evidence.findings import AuditFinding, Severity

_MUST_AGREE = {"data", DATA_CONTENT, VAL_CONTENT, VERSION}
_EXAMPLES = 3
NO_RESULTS = "fewer than two finished runs have a result"


@dataclass(frozen=True)
class _Axis:
    """One varied parameter: its values, and the pairs of runs that differ in nothing else."""

    name: str
    values: tuple[str, ...]
    n_pairs: int
    same: tuple[tuple[RunFacts, RunFacts], ...]


def _ineffective_axis(facts: ExperimentFacts) -> Looked:
    runs = with_results(facts)
    axes = _axes(runs)
    found = [_judge_axis(axis, facts) for axis in axes if axis.name != "seed"]
    findings = [finding for finding in found if finding is not None]
    told = {str(finding.numbers["parameter"]) for finding in findings}
    findings += [finding for finding in _ignored(facts) if finding.numbers["parameter"] not in told]
    if len(runs) < 2 and not findings:
        return Looked(not_checked=NO_RESULTS)
    told = {str(finding.numbers["parameter"]) for finding in findings}
    alone = [axis for axis in axes if axis.name in AXES and axis.name not in ("seed", *told) and not axis.n_pairs]
    return Looked((*findings, *(_never_alone(axis, runs) for axis in alone)))


def _never_alone(axis: _Axis, runs: Sequence[RunFacts]) -> AuditFinding:
    """A parameter that changed only together with others; those no grid varies are told as unlike runs."""
    closest = _closest(axis.name, [declared(run) for run in runs])
    beside = (
        f"{listed(closest)} {'varies' if len(closest) == 1 else 'vary'} with it"
        if closest
        else "it is not always logged"
    )
    return AuditFinding(
        rule="ineffective-axis",
        severity=Severity.WARNING,
        runs=names_of(run for run in runs if axis.name in declared(run)),
        what=f"{axis.name} was varied ({listed(axis.values)}), but no two runs differ in it alone: {beside}.",
        numbers={"parameter": axis.name, "pairs": 0, "values": len(axis.values)},
        why=f"Whether {axis.name} changed the result cannot be seen, and a difference may come from the others.",
        remedy=f"Train runs that differ in {axis.name} only, with the same seed, before telling anything about it.",
    )


def _closest(name: str, settings: Sequence[Mapping[str, str]]) -> list[str]:
    """What else differs between the two runs that differ in a setting and in as little else as possible."""
    distinct = sorted({tuple(sorted(one.items())) for one in settings if name in one})
    pairs = ((dict(a), dict(b)) for a, b in combinations(distinct, 2))
    return min(
        (
            sorted(key for key in a.keys() | b.keys() if key != name and a.get(key) != b.get(key))
            for a, b in pairs
            if a[name] != b[name]
        ),
        key=lambda others: (len(others), others),
        default=[],
    )


def _axes(runs: Sequence[RunFacts]) -> list[_Axis]:
    numbers = group_numbers(same_results(runs))
    read = read_once(runs, declared)
    axes = []
    for name, values in varying(read(run) for run in runs).items():
        n_pairs, same = 0, []
        for group in grouped(runs, read, without=[name]).values():
            for a, b in combinations(group, 2):
                if _differ(read(a), read(b), name):
                    n_pairs += 1
                    if a.run_id in numbers and numbers[a.run_id] == numbers.get(b.run_id):
                        same.append((a, b))
        axes.append(_Axis(name, values, n_pairs, tuple(same)))
    return axes


def _differ(a: Mapping[str, str], b: Mapping[str, str], name: str) -> bool:
    return name in a and name in b and a[name] != b[name]


def _judge_axis(axis: _Axis, facts: ExperimentFacts) -> AuditFinding | None:
    if not axis.same:
        return None
    runs = {run.run_id: run for pair in axis.same for run in pair}
    automatic = [run for run in runs.values() if is_automatic(run)]
    a, b = axis.same[0]
    cause = ""
    if axis.name == IGNORED and automatic:
        taken = picked_by_all(automatic, _n_train(facts))
        cause = f" They were trained with optimizer=auto, which ignores lr0 and takes {taken}."
    what = (
        f"{len(axis.same)} of {counted(axis.n_pairs, 'pair')} of runs that differ only in {axis.name} "
        f"({listed(axis.values)}) have the same result to every digit, for example {called(a, facts.runs)} and "
        f"{called(b, facts.runs)}{_value_text(a)}.{cause}"
    )
    return AuditFinding(
        rule="ineffective-axis",
        severity=Severity.NOTE if axis.name in INERT else Severity.ERROR,
        runs=names_of(runs.values()),
        what=what,
        numbers={"parameter": axis.name, "same_pairs": len(axis.same), "pairs": axis.n_pairs, **_value_number(a)},
        why=f"Nothing can be said about {axis.name} from these runs: it changed nothing, so they are copies.",
        remedy=_axis_remedy(axis.name, bool(automatic)),
    )


def _axis_remedy(name: str, automatic: bool) -> str:
    if name == IGNORED and automatic:
        return "Name the optimizer (for example optimizer=AdamW) and train again, or drop this axis and its claims."
    return f"Find out whether {name} reaches the training; until then count these runs once and claim nothing about it."


def _ignored(facts: ExperimentFacts) -> Iterable[AuditFinding]:
    """Rates that were logged but never used, seen from the optimizer alone."""
    automatic = [run for run in facts.runs if is_automatic(run)]
    unknown = [run for run in facts.runs if not names_optimizer(run) and is_ultralytics(run)]
    for name, runs, severity in (
        (IGNORED, automatic, Severity.ERROR),
        ("momentum", automatic, Severity.WARNING),
        (IGNORED, unknown, Severity.WARNING),
    ):
        values = varying(declared(run) for run in runs).get(name)
        if not values:
            continue
        if runs is automatic:
            what = (
                f"{counted(len(runs), 'run')} log {len(values)} values of {name} ({listed(values)}) but were trained "
                f"with optimizer=auto, which takes {picked_by_all(runs, _n_train(facts))}, whatever {name} says."
            )
        else:
            what = (
                f"{counted(len(runs), 'run')} log {len(values)} values of {name} ({listed(values)}) but not their "
                "optimizer; with Ultralytics' default, optimizer=auto, lr0 is ignored."
            )
        yield AuditFinding(
            rule="ineffective-axis",
            severity=severity,
            runs=names_of(runs),
            what=what,
            numbers={"parameter": name, "values": len(values), "runs": len(runs)},
            why=f"A difference between these values of {name} would come from something else, such as the seed.",
            remedy=_axis_remedy(IGNORED, True),
        )


def _duplicate_result(facts: ExperimentFacts) -> Looked:
    runs = with_results(facts)
    if len(runs) < 2:
        return Looked(not_checked=NO_RESULTS)
    kinds: dict[tuple[str, ...], list[tuple[RunFacts, ...]]] = {}
    for group in same_results(runs):
        names = tuple(varying(declared(run) for run in group))
        if names:
            kinds.setdefault(names, []).append(group)
    return Looked(tuple(_copies(names, groups, facts) for names, groups in sorted(kinds.items())))


def _copies(names: tuple[str, ...], groups: Sequence[tuple[RunFacts, ...]], facts: ExperimentFacts) -> AuditFinding:
    runs = [run for group in groups for run in group]
    shown = "; ".join(
        " = ".join(called(run, facts.runs) for run in group) + _value_text(group[0]) for group in groups[:_EXAMPLES]
    )
    more = f"; and {len(groups) - _EXAMPLES} more" if len(groups) > _EXAMPLES else ""
    return AuditFinding(
        rule="duplicate-result",
        severity=Severity.NOTE if set(names) <= INERT else Severity.ERROR,
        runs=names_of(runs),
        what=(
            f"{len(runs)} runs have only {counted(len(groups), 'different result')} to every digit, although they "
            f"differ in {listed(names)}: {shown}{more}."
        ),
        numbers={"runs": len(runs), "results": len(groups), "parameters": ", ".join(names)},
        why="Trainings that really differ never agree to every digit: these count once, not several times.",
        remedy="Keep one run of each group, find out why the others are copies, and compute means without them.",
    )


def _value_text(run: RunFacts) -> str:
    shown = headline(run)
    return f" ({shown[0]} {shown[1]!r})" if shown else " (equal weights)"


def _value_number(run: RunFacts) -> dict[str, float | int | str]:
    shown = headline(run)
    return {"value": shown[1]} if shown else {}


def _n_train(facts: ExperimentFacts) -> int | None:
    train = facts.data.split("train") if facts.data else None
    return train.n_images if train else None


def _unlike_runs(facts: ExperimentFacts) -> Looked:
    runs = with_results(facts)
    if len(runs) < 2:
        return Looked(not_checked=NO_RESULTS)
    settings = [settings_of(run) for run in runs]
    findings = [_unlike(names, runs, settings) for names in _varying_together(settings)]
    places = varying(places_of(run) for run in runs)
    if places:
        findings.append(_other_places(places, runs))
    return Looked(tuple(findings))


def _varying_together(settings: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    """Group the settings that no grid declares by how they divide the runs: what changes together is told together."""
    divisions: dict[tuple[int, ...], list[str]] = {}
    for name in varying(settings):
        if name not in AXES:
            first: dict[str, int] = {}
            division = tuple(first.setdefault(one.get(name, ""), len(first)) for one in settings)
            divisions.setdefault(division, []).append(name)
    return sorted(tuple(names) for names in divisions.values())


def _unlike(names: tuple[str, ...], runs: Sequence[RunFacts], settings: Sequence[Mapping[str, str]]) -> AuditFinding:
    values = varying(settings)
    crossed = _is_crossed(names, settings)
    must_agree = sorted(_MUST_AGREE & set(names))
    on_purpose = crossed and "data" in names and set(names) <= {"data", DATA_CONTENT}
    same_val = all(VAL_CONTENT in one for one in settings) and VAL_CONTENT not in values
    if on_purpose:
        severity = Severity.NOTE if same_val else Severity.WARNING
    else:
        severity = Severity.ERROR if must_agree else Severity.NOTE if crossed else Severity.WARNING
    told = listed([f"{name} ({listed([_short(value) for value in values[name]])})" for name in names])
    apart = "every value was tried with the same other settings" if crossed else "the other settings vary with it"
    if on_purpose:
        why = "It is a comparison of training data; " + (
            "all runs measured themselves on the same val images."
            if same_val
            else "nothing says that all runs measured themselves on the same val images."
        )
        remedy = "Compare such runs on the same images only: robust eval --split test."
    elif must_agree:
        why = f"Numbers of runs with different {listed(must_agree)} do not measure the same thing."
        remedy = "Compare only runs that share it, or train the others again."
    elif crossed:
        why = "It is one more axis of the grid: means over it hide it."
        remedy = f"Compare only runs with equal {listed(names)}, and name it where a result is told."
    else:
        why = "A difference between such runs may come from this as well as from what the comparison is about."
        remedy = f"Compare only runs with equal {listed(names)}, or train what is missing of the grid."
    return AuditFinding(
        rule="unlike-runs",
        severity=severity,
        runs=names_of(run for run, one in zip(runs, settings, strict=True) if any(name in one for name in names)),
        what=f"Runs of one experiment differ in {told}; {apart}.",
        numbers={name: len(values[name]) for name in names},
        why=why,
        remedy=remedy,
    )


def _is_crossed(names: Sequence[str], settings: Sequence[Mapping[str, str]]) -> bool:
    """Whether each value was tried with the same other settings, seeds left out."""
    others = sorted(set(varying(settings)) - set(names) - {"seed"})
    tried: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for one in settings:
        value = tuple(one.get(name, "") for name in names)
        tried.setdefault(value, set()).add(tuple(one.get(name, "") for name in others))
    return len({frozenset(rest) for rest in tried.values()}) == 1


def _other_places(places: Mapping[str, tuple[str, ...]], runs: Sequence[RunFacts]) -> AuditFinding:
    told = listed([f"{name} ({listed(values)})" for name, values in places.items()])
    return AuditFinding(
        rule="unlike-runs",
        severity=Severity.NOTE,
        runs=names_of(runs),
        what=f"Runs of one experiment were trained with different {told}.",
        numbers={name: len(values) for name, values in places.items()},
        why="Sums in another order round otherwise, and other workers draw other random numbers: equal seeds differ.",
        remedy="Train all runs of a comparison on the same device with the same number of workers.",
    )


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:12] + "..."


CHECKS = (
    Check("ineffective-axis", "Did every parameter that was varied change the result?", _ineffective_axis),
    Check("duplicate-result", "Do trainings with different parameters have different results?", _duplicate_result),
    Check("unlike-runs", "Did the runs differ only in what the comparison is about?", _unlike_runs),
)
