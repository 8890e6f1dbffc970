"""Checks of the data: copies in two splits, numbers of images that were declared, and variants that were trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from robust.eval.audit.augmentations import Augmented, augmentations, records_augmentation
from robust.eval.audit.check import Check, Looked
from robust.eval.audit.facts import DataFacts, ExperimentFacts, OverlapFacts, RunFacts
from robust.eval.audit.listing import counted, listed, names_of
from robust.eval.audit.settings import identity
from robust.eval.evidence.findings import AuditFinding, Severity
from robust.eval.tracking import tags

NO_DATA = "the audit of the training runs had no data set: name it with robust audit --data"
UNREADABLE = "the evaluations cannot be read"
_PAIRS = 3  # examples in a sentence


def _leakage(facts: ExperimentFacts) -> Looked:
    if facts.data is None:
        return Looked(not_checked=NO_DATA)
    findings = tuple(finding for overlap in facts.data.overlaps for finding in _overlap(facts.data, overlap))
    other = other_data(facts)
    if other is not None:
        train = facts.data.split("train")
        concerned = train is not None and any(run.data_sha256 == train.fingerprint for run in facts.runs)
        return Looked(findings if concerned else (), other)
    left = _not_compared(facts.data)
    if len(facts.data.splits) < 2 and not facts.data.overlaps:
        return Looked(findings, not_checked="the data set has one split only: there is nothing to compare it with")
    why = f"these splits were not compared: {listed(left)}" if left else None
    return Looked(findings, not_checked=why)


def other_data(facts: ExperimentFacts) -> str | None:
    """Why the data set at hand says nothing of these trainings: they used another one; None when none is known to.

    Fingerprints that runs logged of their train and val images are held against those of the data set.
    """
    if facts.data is None:
        return None
    fingerprints = {split.split: split.fingerprint for split in facts.data.splits}
    judged = facts.finished or facts.runs
    for name, used in (
        ("train", [run.data_sha256 for run in judged]),
        ("val", [run.tags.get(tags.VAL_DATA_SHA256) for run in judged]),
    ):
        others = [one for one in used if one and name in fingerprints and one != fingerprints[name]]
        if others:
            n = f"{len(others)} of {counted(len(judged), 'run')}"
            return (
                f"the data set is not that of {n}: its {name} images have the fingerprint {fingerprints[name][:12]}, "
                f"those of the runs {listed(sorted({one[:12] for one in others}), _PAIRS)}"
            )
    return None


def _not_compared(data: DataFacts) -> list[str]:
    compared = {frozenset(overlap.splits) for overlap in data.overlaps}
    names = sorted(split.split for split in data.splits)
    return [f"{one} with {other}" for one, other in combinations(names, 2) if frozenset((one, other)) not in compared]


def _overlap(data: DataFacts, overlap: OverlapFacts) -> Iterator[AuditFinding]:
    first, second = overlap.splits
    sizes = {name: found.n_images for name in overlap.splits if (found := data.split(name))}
    of = "".join(f", {name} has {counted(n, 'image')}" for name, n in sizes.items())
    numbers: dict[str, float | int | str] = {f"images_{name}": n for name, n in sizes.items()}
    if overlap.n_identical:
        pairs, named = counted(overlap.n_identical, "pair"), _examples(overlap.identical)
        yield AuditFinding(
            rule="leakage",
            severity=Severity.ERROR,
            runs=(),
            what=f"{pairs} of images with the same pixels in {first} and {second}{named}{of}.",
            numbers={"pairs": overlap.n_identical, **numbers},
            why="What a model was trained or chosen on is no test of it: the numbers on these images are too good.",
            remedy=f"Remove them from {first} or {second}, train and evaluate again (robust data check names all).",
        )
    if overlap.n_near:
        pairs, named = counted(overlap.n_near, "pair"), _examples(overlap.near)
        yield AuditFinding(
            rule="leakage",
            severity=Severity.WARNING,
            runs=(),
            what=f"{pairs} of images that look alike in {first} and {second}{named}{of}.",
            numbers={"pairs": overlap.n_near, **numbers},
            why="If they show the same scene, the numbers on these images are too good.",
            remedy="Look at them, and keep every scene in one split (robust data check names all).",
        )


def _examples(pairs: Sequence[tuple[str, str]]) -> str:
    """Some pairs by name, after a colon; nothing where they were only counted."""
    return f": {listed([f'{one} = {other}' for one, other in sorted(pairs)], most=_PAIRS)}" if pairs else ""


def _split_counts(facts: ExperimentFacts) -> Looked:
    if facts.data is None:
        return Looked(not_checked=NO_DATA)
    other = other_data(facts)
    if other is not None:
        return Looked(not_checked=other)
    if not facts.data.declared:
        return Looked(not_checked="nobody declared how many images a split has")
    return Looked(tuple(_miscounted(facts.data)))


def _miscounted(data: DataFacts) -> Iterator[AuditFinding]:
    for name, declared in sorted(data.declared.items()):
        split = data.split(name)
        if split is not None and split.n_images == declared:
            continue
        found = f"it has {split.n_images:,}" if split else f"the data set has no split {name}"
        yield AuditFinding(
            rule="split-counts",
            severity=Severity.ERROR,
            runs=(),
            what=f"{declared:,} images are declared for {name}; {found}.",
            numbers={"split": name, "declared": declared, **({"counted": split.n_images} if split else {})},
            why="How certain a number is, and what a model has seen, follows from the images that there are.",
            remedy="Correct what was declared, or find the images that are missing.",
        )


def _trained_on_variant(facts: ExperimentFacts) -> Looked:
    if facts.reported.is_unreadable:
        return Looked(not_checked=UNREADABLE)
    if not facts.reported.variants:
        return Looked(not_checked="no corrupted variant was evaluated")
    runs = sorted(facts.finished, key=identity)
    known = [run for run in runs if records_augmentation(run)]
    if not known:
        return Looked(not_checked="no finished run logged how it augmented its training images")
    tested = sorted(set(facts.reported.variants) - set(facts.reported.trained_on))
    return Looked(tuple(finding for variant in tested for finding in _seen(variant, known)))


def _seen(variant: str, runs: Sequence[RunFacts]) -> Iterator[AuditFinding]:
    found = [(run, one) for run in runs for one in augmentations(run) if variant in one.corruptions]
    if not found:
        return
    on_purpose = any(one.is_deliberate for _, one in found)
    seen_by = names_of({run.run_id: run for run, _ in found}.values())
    told = sorted({one for _, one in found}, key=lambda one: (not one.is_deliberate, one.text))
    yield AuditFinding(
        rule="trained-on-variant",
        severity=Severity.WARNING if on_purpose else Severity.NOTE,
        runs=seen_by,
        what=f"{variant} is tested as if it were unseen, but {len(seen_by)} of {counted(len(runs), 'run')} augmented "
        f"training images likewise: {listed([one.text for one in told])}.",
        numbers={"runs": len(seen_by), "runs_known": len(runs), **_values(told)},
        why="A corruption that training imitates is no test of the unseen; models that were augmented otherwise have a "
        "disadvantage that is not one of robustness.",
        remedy=f"Declare it (robust eval --trained-on {variant}), or train without the augmentation.",
    )


def _values(found: Sequence[Augmented]) -> dict[str, float]:
    """The strongest value of each parameter."""
    values: dict[str, float] = {}
    for one in found:
        if one.value is not None:
            values[one.parameter] = max(one.value, values.get(one.parameter, one.value))
    return values


CHECKS: tuple[Check, ...] = (
    Check(rule="leakage", asks="Is every image in one split only?", look=_leakage),
    Check(
        rule="split-counts",
        asks="Does every split have as many images as somebody declared?",
        look=_split_counts,
    ),
    Check(
        rule="trained-on-variant",
        asks="Is every corruption that is tested as unseen absent from the training?",
        look=_trained_on_variant,
    ),
)
"""The checks of the data, by rule."""
