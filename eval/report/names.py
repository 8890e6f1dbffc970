"""Names of a report: texts that are the same in every language, because they name a thing and tell nothing of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from robust.corruptions.records import CLEAN
from robust.eval.decision.policy import Policy, read_policy
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.report.card import Card
from robust.eval.report.context import printable
from robust.eval.report.gallery import Gallery
from robust.eval.report.tuning_cells import TuningSubject


def report_names(evidence: Evidence, policy: Policy, card: Card, gallery: Gallery | None = None) -> frozenset[str]:
    """Runs, configurations, classes, splits, variants, image files, settings, and what people wrote."""
    found = {policy.name, policy.judged_on, *_measured(evidence)}
    found |= {gate.name for gate in policy.gates} - {gate.name for gate in read_policy().gates}
    found |= {policy.objective.statement} - {read_policy().objective.statement}
    for gate in policy.model_dump()["gates"]:
        found |= {str(gate["corruption"])} if gate.get("corruption") else set()
        found |= {*(gate.get("corruptions") or ()), *(gate.get("required") or ()), *(gate.get("must_check") or ())}
        found |= {f"{name}/{severity}" for name in gate.get("corruptions") or () for severity in range(1, 6)}
    found |= {missing.name for missing in evidence.not_evaluated}
    if evidence.audit is not None:
        found |= {*evidence.audit.rules, *evidence.audit.not_checked}
        found |= {name for finding in evidence.audit.findings for name in (finding.rule, *finding.runs)}
    found |= {*evidence.environment, *evidence.environment.values()}
    found |= {entry.name for entry in gallery.entries if entry.name} if gallery else set()
    found |= {text for waiver in policy.waivers for text in (waiver.author, waiver.reason)}
    for value in card.model_dump().values():
        found |= {text.strip() for text in ((value,) if isinstance(value, str) else value or ())}
    return _as_shown(found)


def tuning_names(subjects: Sequence[TuningSubject]) -> frozenset[str]:
    """Runs, classes, splits, variants, image files and settings of swept candidates, maybe of several studies."""
    found = {subject.name for subject in subjects}
    pictured = [entry for subject in subjects for gallery in subject.pictures.values() for entry in gallery.entries]
    found |= {entry.name for entry in pictured if entry.name is not None}
    for curve in (curve for subject in subjects for curve in subject.curves):
        found |= {curve.split, curve.variant, curve.variant.partition("/")[0]}
    for evidence in {id(subject.evidence): subject.evidence for subject in subjects}.values():
        found |= _measured(evidence)
    return _as_shown(found)


def _as_shown(found: Iterable[str]) -> frozenset[str]:
    return frozenset(printable(text).strip() for text in found if text.strip())


def _measured(evidence: Evidence) -> set[str]:
    """What was measured, on what, and with which settings."""
    found = {evidence.experiment, evidence.data.name, evidence.suite.name, *evidence.data.categories}
    found |= {split.split for split in evidence.data.splits} | {"train", "val", "test", CLEAN}
    for variant in evidence.suite.variants:
        found |= {variant.name, variant.corruption, *variant.parameters}
        found |= {value for value in variant.parameters.values() if isinstance(value, str)}
    found |= set(evidence.suite.trained_on)
    for candidate in evidence.candidates:
        found |= set(_of(candidate))
    study = Study(evidence)  # which tells apart what shares a name
    return found | {one.name for one in study.everybody} | {group.label for group in study.groups}


def _of(candidate: CandidateEvidence) -> Iterator[str]:
    configuration = candidate.configuration
    yield from (candidate.name, candidate.key, candidate.weights_sha256, configuration.label)
    yield from (str(value) for value in (configuration.model, configuration.optimizer, configuration.data) if value)
    if candidate.baseline:
        yield candidate.baseline
    yield from candidate.inference
    yield from (value for value in candidate.inference.values() if isinstance(value, str))
    if candidate.training is not None:
        yield from (candidate.training.run_id, candidate.training.run_name)
        yield from filter(_has_letters, candidate.training.parameters.values())  # numbers take the form of the language


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)
