"""Checks of single runs: has each a result, and is it what its name and its parameters say?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from robust.eval.audit.automatic import IGNORED, REPLACED, is_automatic, picked_by_all
from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.listing import called, counted, listed, names_of, run_list, tally
from robust.eval.audit.name_tokens import Token, tokens_of
from robust.eval.audit.results import group_numbers, has_result, headline, same_results, with_results
from robust.eval.audit.settings import agree, grouped, identity, seed_of, settings_of, spelled
from robust.eval.evidence.findings import AuditFinding, Severity

NO_RUNS = "there is no training run"
_EXAMPLES = 3
_TRAINERS_OWN = {"optimizer", "warmup_bias_lr", "overlap_mask", "close_mosaic", "save_dir"}
"""Parameters that nobody types together: who logged them logged the trainer's arguments, its picked optimizer too."""


def _run_without_result(facts: ExperimentFacts) -> Looked:
    if not facts.runs:
        return Looked(not_checked=NO_RUNS)
    finished = facts.finished
    empty = [run for run in finished if not has_result(run)]
    bare = [run for run in finished if run.has_weights is False and has_result(run)]
    findings = [*_empty(empty, finished), *_without_weights(bare, finished), *_unfinished(facts)]
    unknown = [run for run in finished if run.has_weights is None]
    if not unknown:
        return Looked(tuple(findings))
    reason = f"the artifacts of {counted(len(unknown), 'run')} cannot be listed or are not there"
    return Looked(tuple(findings), f"{reason}: whether weights were kept is not known")


def _empty(empty: Sequence[RunFacts], finished: Sequence[RunFacts]) -> Iterable[AuditFinding]:
    if empty:
        n_bare = sum(run.has_weights is False for run in empty)
        of_results = (
            " of a result (-1, times and losses on train are none)" if any(run.metrics for run in empty) else ""
        )
        weights = (
            "" if not n_bare else ", and no weights either" if n_bare == len(empty) else f", {n_bare} no weights either"
        )
        yield AuditFinding(
            rule="run-without-result",
            severity=Severity.ERROR,
            runs=names_of(empty),
            what=f"{len(empty)} of {counted(len(finished), 'finished run')} {_has(empty)} no metric"
            f"{of_results}{weights}: {run_list(empty)}.",
            numbers={"without_metric": len(empty), "without_weights": n_bare, "finished": len(finished)},
            why="A run that says FINISHED and holds nothing looks like a success, but its training was never recorded.",
            remedy="If the training folder still exists: robust adopt DIR; otherwise train it again. With Ultralytics' "
            "MLflow callback, log no parameter by hand: a second value for lr0 stops the callback.",
        )


def _without_weights(bare: Sequence[RunFacts], finished: Sequence[RunFacts]) -> Iterable[AuditFinding]:
    if bare:
        yield AuditFinding(
            rule="run-without-result",
            severity=Severity.ERROR,
            runs=names_of(bare),
            what=f"{len(bare)} of {counted(len(finished), 'finished run')} {_has(bare)} metrics but no weights: "
            f"{run_list(bare)}.",
            numbers={"without_weights": len(bare), "finished": len(finished)},
            why="Nobody can check or promote a network that was not kept: its numbers can only be believed.",
            remedy="If the training folder still exists: robust adopt DIR; otherwise log weights/best.pt with the run.",
        )


def _unfinished(facts: ExperimentFacts) -> Iterable[AuditFinding]:
    """Runs that did not end well, and how many trainings of the grid have no result because of that."""
    broken = [run for run in facts.runs if not run.is_finished]
    if not broken:
        return
    groups = grouped(facts.runs, settings_of).values()
    missing = sum(not any(run.is_finished and has_result(run) for run in group) for group in groups)
    yield AuditFinding(
        rule="run-without-result",
        severity=Severity.NOTE,
        runs=names_of(broken),
        what=(
            f"{len(broken)} of {counted(len(facts.runs), 'run')} did not finish "
            f"({tally(run.status for run in broken)}): {run_list(broken)}; {missing} of "
            f"{counted(len(groups), 'different training')} {'has' if missing == 1 else 'have'} no result."
        ),
        numbers={"unfinished": len(broken), "missing": missing, "trainings": len(groups)},
        why="If trainings fail more often with some settings, the survivors flatter those settings.",
        remedy="Train what is missing again, or say with each comparison what is missing.",
    )


def _overridden_parameter(facts: ExperimentFacts) -> Looked:
    if not facts.runs:
        return Looked(not_checked=NO_RUNS)
    findings = (*_contradicted(facts), *_replaced_rate(facts), *_unreadable(facts))
    judged = facts.finished or facts.runs
    unknown = [run for run in judged if not _tells_what_it_used(run)]
    if not unknown:
        return Looked(findings)
    kept = f"{len(unknown)} of {counted(len(judged), 'run')} {'keeps' if len(unknown) == 1 else 'keep'}"
    return Looked(findings, f"{kept} no args.yaml that can be read, so nothing says what they used")


def _tells_what_it_used(run: RunFacts) -> bool:
    """Whether its settings are the trainer's own: in ``args.yaml``, or logged as a whole by Ultralytics' callback."""
    return run.has_own_params or bool(run.resolved) or run.params.keys() >= _TRAINERS_OWN


def _contradicted(facts: ExperimentFacts) -> Iterable[AuditFinding]:
    """What was logged against what the training wrote down, without what ``optimizer=auto`` replaces."""
    wrong: dict[str, list[tuple[RunFacts, str, str]]] = {}
    for run in sorted(facts.runs, key=identity):
        used = settings_of(run.model_copy(update={"params": {}}))
        logged = settings_of(run.model_copy(update={"resolved": None}))
        expected = REPLACED if is_automatic(run) else ()
        for name in sorted((used.keys() & logged.keys()) - set(expected)):
            if not agree(name, used[name], logged[name]):
                wrong.setdefault(name, []).append((run, logged[name], used[name]))
    for name, cases in wrong.items():
        runs = [run for run, _, _ in cases]
        shown = listed([f"{called(run, facts.runs)} logs {a} but used {b}" for run, a, b in cases], _EXAMPLES)
        yield AuditFinding(
            rule="overridden-parameter",
            severity=Severity.ERROR,
            runs=names_of(runs),
            what=f"The logged {name} of {counted(len(cases), 'run')} is not what the training used: {shown}.",
            numbers={"parameter": name, "runs": len(cases), "logged": cases[0][1], "used": cases[0][2]},
            why=f"Every statement about {name} that is read from the logged parameters is wrong for these runs.",
            remedy="Believe args.yaml; log parameters from the trainer's own arguments, not by hand.",
        )


def _replaced_rate(facts: ExperimentFacts) -> Iterable[AuditFinding]:
    runs = [run for run in facts.runs if is_automatic(run) and IGNORED in {**run.params, **(run.resolved or {})}]
    if not runs:
        return
    told = sorted({spelled(_asked_rate(run)) for run in runs})
    train = facts.data.split("train") if facts.data else None
    yield AuditFinding(
        rule="overridden-parameter",
        severity=Severity.WARNING,
        runs=names_of(runs),
        what=(
            f"{counted(len(runs), 'run')} {'names' if len(runs) == 1 else 'name'} lr0 {listed(told)} but asked for "
            f"optimizer=auto, which overrides it with {picked_by_all(runs, train.n_images if train else None)}."
        ),
        numbers={"parameter": IGNORED, "runs": len(runs), "named": ", ".join(told)},
        why="The named learning rate was never used, and another version may pick another one.",
        remedy="Do not tell this lr0 as a setting; name the optimizer (for example optimizer=AdamW) next time.",
    )


def _asked_rate(run: RunFacts) -> str:
    resolved = run.resolved or {}
    return resolved.get(IGNORED, run.params.get(IGNORED, ""))


def _unreadable(facts: ExperimentFacts) -> Iterable[AuditFinding]:
    broken = sorted((run for run in facts.runs if run.unreadable), key=identity)
    if broken:
        first = broken[0]
        yield AuditFinding(
            rule="overridden-parameter",
            severity=Severity.WARNING,
            runs=names_of(broken),
            what=f"{counted(len(broken), 'run')} {_has(broken)} settings that cannot be read, for example "
            f"{called(first, facts.runs)}: {first.unreadable[0]}",
            numbers={"runs": len(broken)},
            why="What the training used cannot be compared with what was logged.",
            remedy="Look at the file; it should be the args.yaml that Ultralytics wrote.",
        )


def _name_against_parameters(facts: ExperimentFacts) -> Looked:
    if not facts.runs:
        return Looked(not_checked=NO_RUNS)
    appended: list[AuditFinding] = []
    wrong: dict[tuple[str, Severity], list[tuple[RunFacts, Token, str]]] = {}
    n_compared = 0
    for run in sorted(facts.runs, key=identity):
        known = [(token, values) for token in tokens_of(run.name) if (values := _values(run, token.parameter))]
        n_compared += len(known)
        agreeing = [token for token, values in known if any(token.agrees(value) for value in values)]
        for token, values in known:
            if token in agreeing:
                continue
            number = next((n for value in values if (n := token.appended(value)) is not None), None)
            if number is not None:
                appended.append(_appended(run, token, values[0], number, facts))
                continue
            severity = Severity.ERROR if token.is_clear or agreeing else Severity.WARNING
            wrong.setdefault((token.parameter, severity), []).append((run, token, values[0]))
    if not n_compared:
        return Looked(not_checked="no run's name tells a parameter that was logged")
    return Looked((*appended, *(_misnamed(key, cases, facts) for key, cases in sorted(wrong.items()))))


def _values(run: RunFacts, parameter: str) -> list[str]:
    """What is known of a parameter: as the training wrote it down, then as it was logged; automatic ones left out."""
    found = [source[parameter] for source in (run.resolved or {}, run.params) if parameter in source]
    return [value for value in found if spelled(value) not in {"none", "-1"}]


def _appended(run: RunFacts, token: Token, value: str, number: int, facts: ExperimentFacts) -> AuditFinding:
    return AuditFinding(
        rule="name-against-parameters",
        severity=Severity.ERROR,
        runs=(run.name,),
        what=(
            f"{called(run, facts.runs)} is not {token.parameter} {token.value}: its parameter says "
            f"{token.parameter} {spelled(value)}, and the last {number} was appended by Ultralytics because a folder "
            "of that name existed."
        ),
        numbers={"parameter": token.parameter, "named": token.value, "logged": spelled(value), "appended": number},
        why=f"It is {token.parameter} {spelled(value)} once more, not another {token.parameter}.",
        remedy=f"Count it as {token.parameter} {spelled(value)}; name runs after their parameters, and give each "
        "training a new folder.",
    )


def _misnamed(
    key: tuple[str, Severity], cases: Sequence[tuple[RunFacts, Token, str]], facts: ExperimentFacts
) -> AuditFinding:
    parameter, severity = key
    shown = listed(
        [f"{called(run, facts.runs)} has {parameter} {spelled(value)}" for run, _, value in cases], _EXAMPLES
    )
    return AuditFinding(
        rule="name-against-parameters",
        severity=severity,
        runs=names_of(run for run, _, _ in cases),
        what=f"The name of {counted(len(cases), 'run')} tells another {parameter} than the parameters: {shown}.",
        numbers={
            "parameter": parameter,
            "runs": len(cases),
            "named": cases[0][1].value,
            "logged": spelled(cases[0][2]),
        },
        why="People read names: they compare and promote another training than they think.",
        remedy=f"Find out which {parameter} was trained, and rename the run after it.",
    )


def _duplicate_run(facts: ExperimentFacts) -> Looked:
    everyone = with_results(facts)
    runs = [run for run in everyone if seed_of(run) is not None]
    unseeded = _copies_without_seed([run for run in everyone if seed_of(run) is None])
    told = [_unseeded(unseeded, facts)] if unseeded else []
    if not runs:
        return Looked(tuple(told), "no finished run with a result logs its seed")
    groups = [group for group in grouped(runs, settings_of).values() if len(group) > 1]
    same = group_numbers(same_results(runs))
    copies = [g for g in groups if len({same.get(run.run_id, run.run_id) for run in g}) == 1]
    others = [g for g in groups if g not in copies]
    told += [_repeated(copies, True, facts)] if copies else []
    return Looked((*told, *([_repeated(others, False, facts)] if others else [])))


def _copies_without_seed(runs: Sequence[RunFacts]) -> list[tuple[RunFacts, ...]]:
    """Runs with equal settings and the same result: no seed is needed to see that they are one training."""
    groups = grouped(runs, settings_of).values()
    return [copies for group in groups for copies in same_results(group)]


def _unseeded(groups: Sequence[Sequence[RunFacts]], facts: ExperimentFacts) -> AuditFinding:
    runs = [run for group in groups for run in group]
    shown = listed([" and ".join(called(run, facts.runs) for run in group) for group in groups], _EXAMPLES)
    return AuditFinding(
        rule="duplicate-run",
        severity=Severity.WARNING,
        runs=names_of(runs),
        what=f"{len(runs)} runs that log no seed have the parameters and, to every digit, the results of only "
        f"{counted(len(groups), 'training')}: {shown}.",
        numbers={"runs": len(runs), "trainings": len(groups)},
        why="Ultralytics' default seed is 0 each time: these are repetitions, which show no spread.",
        remedy="Count each training once; name and log a seed for each run.",
    )


def _repeated(groups: Sequence[Sequence[RunFacts]], equal: bool, facts: ExperimentFacts) -> AuditFinding:
    runs = [run for group in groups for run in group]
    shown = listed([" and ".join(called(run, facts.runs) for run in group) for group in groups], _EXAMPLES)
    deterministic = all(spelled(settings_of(run).get("deterministic", "")) == "true" for run in runs)
    if equal:
        result = "and have the same result to every digit"
        why = "The second is a repetition of the first, which shows that it repeats exactly and nothing else."
        remedy = "Count each training once."
    else:
        result = f"but other results{_spread(groups)}"
        why = (
            f"The same seed {'with deterministic=True ' if deterministic else ''}does not give the same training, or "
            "something that was not logged differs: seeds alone do not show how much results scatter."
        )
        remedy = "Find out what differs (data, version, device, workers), and count each training once."
    return AuditFinding(
        rule="duplicate-run",
        severity=Severity.NOTE if equal else Severity.WARNING,
        runs=names_of(runs),
        what=f"{len(runs)} runs have the parameters, seed included, of only {counted(len(groups), 'training')} "
        f"{result}: {shown}.",
        numbers={"runs": len(runs), "trainings": len(groups), "deterministic": str(deterministic).lower()},
        why=why,
        remedy=remedy,
    )


def _spread(groups: Sequence[Sequence[RunFacts]]) -> str:
    """The largest difference of the metric in the headline between runs that should be equal."""
    gaps = []
    for group in groups:
        told = [shown for run in group if (shown := headline(run)) is not None]
        if len(told) == len(group) and len({name for name, _ in told}) == 1:
            values = [value for _, value in told]
            gaps.append((max(values) - min(values), told[0][0]))
    return f" ({max(gaps)[1]} differs by up to {max(gaps)[0]:.4g})" if gaps else ""


def _has(runs: Sequence[RunFacts]) -> str:
    return "has" if len(runs) == 1 else "have"


CHECKS = (
    Check("run-without-result", "Does every finished run have metrics and weights?", _run_without_result),
    Check("overridden-parameter", "Did the training use the parameters that were logged?", _overridden_parameter),
    Check("name-against-parameters", "Do the names of the runs agree with their parameters?", _name_against_parameters),
    Check("duplicate-run", "Was each training made once?", _duplicate_run),
)
