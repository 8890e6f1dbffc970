"""Next steps: what is missing from the evidence, and the command that supplies it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache

from robust.corruptions.registry import get, names
from robust.corruptions.suites import Suite, load_suite, suite_names
from robust.eval.decision.claims import listed, plural
from robust.eval.decision.planning import USEFUL_DIFFERENCE, plan_of
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Decision, Outcome
from robust.eval.decision.study import CLEAN, Group, Study, cell
from robust.eval.decision.suite_gates import SuiteGate
from robust.eval.decision.training import n_best_epoch_last
from robust.eval.metrics.linear_contrast import SEEDS_FOR_CLAIM
from robust.eval.metrics.records import Record

LONGER = 20
"""Epochs for a longer training with early stopping."""
DATA_FILES = (".yaml", ".yml", ".json")
"""How files of data sets end; the first is what a name without an ending stands for."""
WEIGHTS_FILES = (".pt",)
"""The same for weights."""


class NextStep(Record):
    """One thing to do.

    Attributes:
        what: The step.
        why: What it settles.
        command: The command that does it, if there is one.
    """

    what: str
    why: str
    command: str | None = None


def next_steps(study: Study, policy: Policy, decision: Decision) -> tuple[NextStep, ...]:
    """What to do next, the cheapest first."""
    found = (
        _required_variants(study, policy, decision),
        _missing_cells(study, policy),
        _facts(decision),
        _intervals(study, decision),
        _more_seeds(study, decision),
        _longer_training(study, decision),
        _more_images(study, policy),
        _latency(study, decision),
        NextStep(
            what="Look at what went wrong",
            why="the images with most misses and false alarms are listed under Errors; look at them",
        ),
        NextStep(
            what="Confirm on real images of the operating conditions",
            why=_why_real(study),
        ),
        NextStep(
            what="Plan the release",
            why="a share of the traffic first, monitoring of precision, recall and latency, and a way back",
        ),
    )
    return tuple(step for step in found if step is not None)


def _latency(study: Study, decision: Decision) -> NextStep | None:
    candidate = study.candidate(decision.candidate)
    if candidate is not None and candidate.latency:
        return None
    return NextStep(
        what="Measure latency and size",
        why="not measured: latency, memory, and accuracy of the exported file (robust bench is planned for it)",
    )


def _why_real(study: Study) -> str:
    recorded = listed([v.name for v in study.recorded])
    why = f"all variants but {recorded} are simulated" if study.recorded else "the variants are simulated"
    known = names()  # evidence of another version may name corruptions that this one does not have
    causes = {get(corruption).cause for corruption in study.corruptions if corruption in known}
    return why if "angle" in causes else f"{why}, and hard camera angles were not evaluated"


def _experiment(study: Study) -> str:
    return f" --experiment {shlex.quote(study.evidence.experiment)}"


def _file(name: str, endings: tuple[str, ...]) -> str:
    """The file that a command needs; evidence names data and models without their folder, and may leave out the end."""
    return name if name.endswith(endings) else f"{name}{endings[0]}"


def _data_file(name: str) -> str:
    return shlex.quote(_file(name, DATA_FILES))


def _missing_cells(study: Study, policy: Policy) -> NextStep | None:
    judged = [(c, policy.judged_on, v.name) for c in study.everybody for v in study.evidence.suite.variants]
    wanted = judged + [(c, policy.selection.split, CLEAN) for c in study.candidates]
    missing = [place for place in wanted if cell(*place) is None]
    if not missing:
        return None
    splits = sorted({split for _, split, _ in missing})
    data = missing[0][0].configuration.data
    return NextStep(
        what="Evaluate what is missing",
        why=f"{plural(len(missing), 'cell')} of {len(wanted)} not measured (on {', '.join(splits)})",
        command=f"robust eval{_experiment(study)} --data {_data_file(data)} --split {shlex.quote(splits[0])}"
        if data
        else None,
    )


def _required_variants(study: Study, policy: Policy, decision: Decision) -> NextStep | None:
    """Variants that a gate of the policy names, and that no candidate was evaluated on."""
    required = [
        (corruption, severity)
        for gate in policy.gates
        if isinstance(gate, SuiteGate)
        for corruption in gate.corruptions
        for severity in gate.severities
    ]
    there = {variant.name for variant in study.evidence.suite.variants}
    missing = [(c, s) for c, s in dict.fromkeys(required) if f"{c}/{s}" not in there]
    if not missing:
        return None
    named = tuple(dict.fromkeys(corruption for corruption, _ in missing))
    severities = sorted({severity for _, severity in missing})
    waiting = sum(g.outcome is Outcome.NOT_ENOUGH_EVIDENCE and g.estimate.missing != "" for g in decision.gates)
    data = next((c.configuration.data for c in study.candidates if c.configuration.data), None)
    suite = suite_with(named)
    return NextStep(
        what=f"Evaluate what the policy requires: {listed(named)}",
        why=f"not measured at severity {listed([str(s) for s in severities])}; {plural(waiting, 'gate')} of "
        f"{len(decision.gates)} had nothing to read",
        command=f"robust eval{_experiment(study)} --data {_data_file(data)} --split {shlex.quote(policy.judged_on)} "
        f"--suite {suite}"
        if data and suite
        else None,
    )


def suite_with(corruptions: Sequence[str]) -> str | None:
    """The smallest built-in suite that holds all of these corruptions; None when there is none."""
    fitting = [suite for suite in _built_in_suites() if set(corruptions) <= {v.corruption for v in suite.variants}]
    return min(fitting, key=lambda suite: len(suite.variants)).name if fitting else None


@cache
def _built_in_suites() -> tuple[Suite, ...]:
    return tuple(load_suite(name) for name in suite_names())


def _facts(decision: Decision) -> NextStep | None:
    open_gates = [g for g in decision.gates if g.kind == "human_facts" and g.outcome is not Outcome.PASS]
    if not open_gates:
        return None
    return NextStep(what="Fill in the card, card.yaml", why=open_gates[0].reason)


def _intervals(study: Study, decision: Decision) -> NextStep | None:
    candidate = study.candidate(decision.candidate)
    if candidate is None or any(cell.intervals for cell in candidate.cells):
        return None  # what has none for want of images gets none by being computed again
    waiting = [g for g in decision.gates if g.outcome is Outcome.NOT_ENOUGH_EVIDENCE and g.estimate.value is not None]
    without = [g for g in waiting if not g.estimate.has_interval and g.unit != "count"]
    if not without:
        return None
    return NextStep(
        what="Compute intervals",
        why=f"{plural(len(without), 'gate')} cannot be answered without one",
    )


def _proposed(study: Study, decision: Decision) -> Group | None:
    candidate = study.candidate(decision.candidate)
    return study.group_of(candidate) if candidate else None


def _more_seeds(study: Study, decision: Decision) -> NextStep | None:
    group = _proposed(study, decision)
    if group is None or len(group.distinct_seeds) >= SEEDS_FOR_CLAIM:
        return None
    have = group.distinct_seeds
    lacking = SEEDS_FOR_CLAIM - len(have)
    unused = tuple(seed for seed in range(1, 100) if seed not in have)[:lacking]
    return NextStep(
        what=f"Train the proposed configuration with {plural(lacking, 'more seed')}",
        why=f"{plural(len(have), 'distinct seed')} so far, {SEEDS_FOR_CLAIM} needed for a claim about the setting",
        command=_train(study, group, unused),
    )


def _longer_training(study: Study, decision: Decision) -> NextStep | None:
    group = _proposed(study, decision)
    last, known = n_best_epoch_last(group.candidates if group else study.candidates)
    if not last:
        return None
    return NextStep(
        what="Train longer with early stopping",
        why=f"the last epoch was the best one on val in {last} of {plural(known, 'run')}",
        command=_train(study, group, group.distinct_seeds, epochs=LONGER) if group else None,
    )


def _train(study: Study, group: Group, seeds: tuple[int, ...], epochs: int | None = None) -> str | None:
    """The command that trains a configuration again; None when the evidence does not say how it was trained."""
    c = group.configuration
    settings = {
        "--data": c.data and _file(c.data, DATA_FILES),
        "--model": c.model and _file(c.model, WEIGHTS_FILES),
        "--imgsz": c.imgsz,
        "--lr0": c.lr0,
        "--epochs": epochs or c.epochs,
        "--batch": c.batch,
        "--optimizer": c.optimizer,
    }
    if any(value is None for value in settings.values()) or not seeds:
        return None
    words = [part for flag, value in settings.items() for part in (flag, shlex.quote(str(value)))]
    words += [part for seed in seeds for part in ("--seed", str(seed))]
    words += ["--patience", "5"] if epochs else []
    return f"robust train {' '.join(words)}{_experiment(study)}"


def _more_images(study: Study, policy: Policy) -> NextStep | None:
    counts = study.splits.get(policy.judged_on)
    plan = plan_of(study, policy.judged_on, policy.objective.metric)
    low, high = plan.images_needed()
    if counts is None or counts.n_images >= high:
        return None
    have = plural(counts.n_images, "image")
    many = f"{low:,} to {high:,}" if low < high else f"{high:,}"
    return NextStep(
        what=f"Collect more {policy.judged_on} images",
        why=(
            f"{have} so far; about {many} show a difference of {USEFUL_DIFFERENCE:.2f} {plan.metric} with power 80 % "
            f"({plan.source})"
        ),
    )
