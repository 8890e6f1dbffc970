"""Checks of the seeds: how many independent trainings stand behind each configuration?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from robust.eval.audit.automatic import is_ultralytics
from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import ExperimentFacts, RunFacts
from robust.eval.audit.listing import called, counted, listed, names_of, setting_text
from robust.eval.audit.results import group_numbers, same_results, with_results
from robust.eval.audit.settings import AXES, grouped, read_once, seed_of, settings_of, varying
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.tracking import tags

SEEDS_TO_CLAIM, SEEDS_TO_ASSERT = 3, 5
"""Below the first there is no spread worth the name; below the second a difference may be told, not asserted."""
SEED_REACHES_LOADER = Version("8.4.125")
"""Before it, Ultralytics seeded the data loader with a constant: every seed saw the same batches and augmentations."""

NO_SEEDS = "no finished run with a result logs its seed"
_EXAMPLES = 4


@dataclass(frozen=True)
class _Configuration:
    """Runs that differ in nothing but the seed.

    Attributes:
        label: Its settings that vary between configurations; empty when nothing does.
        runs: By name and id.
        seeds: The distinct ones, rising; runs whose seed is unknown have none here.
    """

    label: str
    runs: tuple[RunFacts, ...]
    seeds: tuple[int, ...]

    @property
    def text(self) -> str:
        """``imgsz 320, lr0 0.01: 2 (1, 42)``."""
        seeds = f"{len(self.seeds)} ({', '.join(map(str, self.seeds[:10]))})" if self.seeds else "seed not logged"
        return f"{self.label or 'the only configuration'}: {seeds}"


def _configurations(runs: Sequence[RunFacts]) -> list[_Configuration]:
    read = read_once(runs, settings_of)
    shown = [name for name in varying(read(run) for run in runs) if name != "seed"]
    shown.sort(key=lambda name: (AXES.index(name) if name in AXES else len(AXES), name))
    found = []
    for group in grouped(runs, read, without=["seed"]).values():
        seeds = sorted({seed for run in group if (seed := seed_of(run)) is not None})
        found.append(_Configuration(setting_text(shown[:_EXAMPLES], read(group[0])), group, tuple(seeds)))
    return found


def _seeds_per_configuration(facts: ExperimentFacts) -> Looked:
    runs = with_results(facts)
    if all(seed_of(run) is None for run in runs):
        return Looked(not_checked=NO_SEEDS)
    configurations = _configurations(runs)
    few = [one for one in configurations if len(one.seeds) < SEEDS_TO_CLAIM]
    some = [one for one in configurations if SEEDS_TO_CLAIM <= len(one.seeds) < SEEDS_TO_ASSERT]
    findings = [
        _too_few(group, len(configurations), needed, severity)
        for group, needed, severity in (
            (few, SEEDS_TO_CLAIM, Severity.WARNING),
            (some, SEEDS_TO_ASSERT, Severity.NOTE),
        )
        if group
    ]
    return Looked(tuple(findings))


def _too_few(group: Sequence[_Configuration], n: int, needed: int, severity: Severity) -> AuditFinding:
    fewest = min(len(one.seeds) for one in group)
    asserting = needed == SEEDS_TO_ASSERT
    return AuditFinding(
        rule="seeds-per-configuration",
        severity=severity,
        runs=names_of(run for one in group for run in one.runs),
        what=(
            f"{len(group)} of {counted(n, 'configuration')} {'has' if len(group) == 1 else 'have'} fewer than {needed} "
            f"distinct seeds: {'; '.join(one.text for one in group[:_EXAMPLES])}"
            f"{f'; and {len(group) - _EXAMPLES} more' if len(group) > _EXAMPLES else ''}."
        ),
        numbers={"configurations": len(group), "of": n, "fewest_seeds": fewest, "needed": needed},
        why="A difference can be told with its spread, but so few seeds do not settle it."
        if asserting
        else "One or two trainings show no spread: luck of a seed cannot be told from an effect of a parameter.",
        remedy=f"Train each configuration with at least {SEEDS_TO_ASSERT} seeds before asserting a difference."
        if asserting
        else f"Train at least {SEEDS_TO_CLAIM} seeds of each configuration; {SEEDS_TO_ASSERT} to assert a difference.",
    )


def _repeated_seed(facts: ExperimentFacts) -> Looked:
    runs = with_results(facts)
    if all(seed_of(run) is None and not run.tensors_sha256 for run in runs):
        return Looked(not_checked=NO_SEEDS)
    numbers = group_numbers(same_results(runs))
    findings = []
    for one in _configurations(runs):
        repeated = _repetitions(one)
        if repeated:
            findings.append(_counted_twice(one, repeated, numbers, facts))
    return Looked(tuple(findings))


def _repetitions(one: _Configuration) -> list[tuple[RunFacts, RunFacts]]:
    """Pairs (run, an earlier one that is the same training): same seed, same weights, or marked as the same."""
    pairs = []
    for i, run in enumerate(one.runs):
        earlier = next((other for other in one.runs[:i] if _is_same_training(run, other)), None)
        if earlier is not None:
            pairs.append((run, earlier))
    return pairs


def _is_same_training(a: RunFacts, b: RunFacts) -> bool:
    same_seed = seed_of(a) is not None and seed_of(a) == seed_of(b)
    same_weights = a.tensors_sha256 is not None and a.tensors_sha256 == b.tensors_sha256
    marked = a.tags.get(tags.SAME_WEIGHTS_AS) == b.run_id or b.tags.get(tags.SAME_WEIGHTS_AS) == a.run_id
    return same_seed or same_weights or marked


def _counted_twice(
    one: _Configuration,
    pairs: Sequence[tuple[RunFacts, RunFacts]],
    numbers: dict[str, int],
    facts: ExperimentFacts,
) -> AuditFinding:
    runs = {run.run_id: run for pair in pairs for run in pair}
    n = len(one.runs) - len(pairs)
    differ = all(numbers.get(a.run_id, a.run_id) != numbers.get(b.run_id, b.run_id) for a, b in pairs)
    shown = listed([f"{called(a, facts.runs)} repeats {called(b, facts.runs)}{_reason(a, b)}" for a, b in pairs], 3)
    where = f" ({one.label})" if one.label else ""
    return AuditFinding(
        rule="repeated-seed",
        severity=Severity.WARNING if differ else Severity.ERROR,
        runs=names_of(runs.values()),
        what=f"{len(one.runs)} runs of one configuration{where} are only {counted(n, 'distinct training')}: {shown}.",
        numbers={"runs": len(one.runs), "trainings": n, "repeated": len(pairs)},
        why="A training that counts twice pulls the mean to itself and makes the spread too small.",
        remedy="Count it once in every mean, spread and number of seeds, and train another seed in its place.",
    )


def _reason(a: RunFacts, b: RunFacts) -> str:
    seeds = seed_of(a), seed_of(b)
    return f" (seed {seeds[0]})" if seeds[0] is not None and seeds[0] == seeds[1] else " (equal weights)"


def _seed_without_effect(facts: ExperimentFacts) -> Looked:
    configurations = _configurations(with_results(facts))
    several = [one for one in configurations if len(one.seeds) > 1]
    if not several:
        old = _constant_loader(configurations, Severity.NOTE)
        return Looked((old,) if old else (), "no configuration has results of two seeds")
    same = _same_for_all(several, facts)
    findings = tuple(finding for finding in (same, _constant_loader(several, Severity.WARNING)) if finding)
    unknown = [run for one in several for run in one.runs if is_ultralytics(run) and _version(run) is None]
    if same or not unknown:
        return Looked(findings)
    versions = f"the version of Ultralytics of {counted(len(unknown), 'run')} is not known"
    return Looked(findings, f"{versions}: before {SEED_REACHES_LOADER} the seed never reached the data loader")


def _same_for_all(several: Sequence[_Configuration], facts: ExperimentFacts) -> AuditFinding | None:
    copies = []
    for one in several:
        for group in same_results(one.runs):
            if len({seed_of(run) for run in group} - {None}) > 1:
                copies.append(group)
    if not copies:
        return None
    shown = "; ".join(" = ".join(called(run, facts.runs) for run in group) for group in copies[:_EXAMPLES])
    more = f"; and {len(copies) - _EXAMPLES} more" if len(copies) > _EXAMPLES else ""
    return AuditFinding(
        rule="seed-without-effect",
        severity=Severity.ERROR,
        runs=names_of(run for group in copies for run in group),
        what=f"Different seeds gave the same result to every digit in {len(copies)} of "
        f"{counted(len(several), 'configuration')} with several seeds: {shown}{more}.",
        numbers={"groups": len(copies), "configurations": len(several)},
        why="The seed did nothing there: the agreement shows no reproducibility, and the spread is a false zero.",
        remedy="Find out whether the seed reaches the training (Ultralytics: at least "
        f"{SEED_REACHES_LOADER}), and count these runs once.",
    )


def _constant_loader(configurations: Sequence[_Configuration], severity: Severity) -> AuditFinding | None:
    """Runs of versions with a constant loader: a warning where seeds were compared, a note where there is one each."""
    runs = [run for one in configurations for run in one.runs]
    old = [run for run in runs if (version := _version(run)) is not None and version < SEED_REACHES_LOADER]
    if not old:
        return None
    versions = sorted({run.ultralytics or "" for run in old})
    return AuditFinding(
        rule="seed-without-effect",
        severity=severity,
        runs=names_of(old),
        what=f"{counted(len(old), 'run')} {'was' if len(old) == 1 else 'were'} trained by Ultralytics "
        f"{listed(versions)}; before "
        f"{SEED_REACHES_LOADER} the seed never reached the data loader, so every seed saw the same augmentations.",
        numbers={"runs": len(old), "versions": ", ".join(versions)},
        why="The spread between seeds is smaller there than that of independent trainings.",
        remedy=f"Train again with Ultralytics {SEED_REACHES_LOADER} or later before telling a spread.",
    )


def _version(run: RunFacts) -> Version | None:
    """The version of Ultralytics that trained; a text that is no version says nothing."""
    try:
        return Version((run.ultralytics or "").strip())
    except InvalidVersion:
        return None


CHECKS = (
    Check("seeds-per-configuration", "Do enough different seeds stand behind each result?", _seeds_per_configuration),
    Check("repeated-seed", "Does every training count once?", _repeated_seed),
    Check("seed-without-effect", "Do different seeds give different results?", _seed_without_effect),
)
