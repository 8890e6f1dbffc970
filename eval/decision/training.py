"""What the logged training curves say, and over-fitting, as claims. Nothing is said of a curve that was not logged."""

from __future__ import annotations

import math
from collections.abc import Sequence

from robust.eval.decision.claims import Claim, Scope, Side, plural
from robust.eval.decision.records import Estimate
from robust.eval.decision.sentences import fact, not_assessed
from robust.eval.decision.study import CLEAN, Study, cell, subtract
from robust.eval.decision.tolerance import over_fitting
from robust.eval.evidence.records import CandidateEvidence
from robust.eval.metrics import courses
from robust.eval.metrics.courses import GAP_TOLERANCE
from robust.eval.metrics.interval import t_quantile

TRAIN = "train"
GAP_METHOD = "t of two independent sets"


def best_epoch_is_last(candidate: CandidateEvidence) -> bool | None:
    """True when no earlier epoch reached the last one's val mAP; None when fewer than two epochs were logged."""
    return courses.best_is_last(candidate.training.val_map if candidate.training else ())


def val_loss_falls(candidate: CandidateEvidence) -> bool | None:
    """True when the val box loss falls in every epoch; None when fewer than two epochs were logged."""
    return courses.falls(candidate.training.val_box_loss if candidate.training else ())


def losses_part(candidate: CandidateEvidence) -> bool | None:
    """True when val box loss ends above its lowest while train box loss ends on its lowest; None when not logged."""
    training = candidate.training
    return courses.losses_part(training.train_box_loss, training.val_box_loss) if training else None


def n_best_epoch_last(candidates: Sequence[CandidateEvidence]) -> tuple[int, int]:
    """How many runs end on their best epoch, and for how many that is known."""
    known = [answer for answer in map(best_epoch_is_last, candidates) if answer is not None]
    return sum(known), len(known)


def training_claims(study: Study) -> tuple[Claim, ...]:
    """Loss and best epoch over all runs."""
    return (
        _loss_claim(study.candidates),
        *_parting_claim(study.candidates),
        _best_epoch_claim(study.candidates),
    )


def over_fitting_claim(
    study: Study, candidate: CandidateEvidence | None, split: str, metric: str, where: Scope
) -> Claim:
    """Train against test, where both were measured by the same evaluation; else not assessed.

    What a training run logged of itself is another protocol and never enters.

    Args:
        study: The study.
        candidate: The proposed one.
        split: The split that judges.
        metric: The metric.
        where: Scope of the clean images of that split.
    """
    if candidate is None:
        return not_assessed("Over-fitting", "no candidate is proposed")
    if cell(candidate, TRAIN, CLEAN) is None or cell(candidate, split, CLEAN) is None:
        return not_assessed("Over-fitting", f"it needs the same metric on train and on {split} at the same protocol")
    a, b = (study.metric(candidate, name, CLEAN, metric) for name in (TRAIN, split))
    sides = (
        Side(name=f"{TRAIN} images", value=a, aggregate="one run"),
        Side(name=f"{split} images", value=b, aggregate="one run"),
    )
    return over_fitting(sides, metric, gap(a, b), where, GAP_TOLERANCE)


def gap(train: Estimate, test: Estimate) -> Estimate:
    """Train minus test with the interval of two independent sets of images.

    d -/+ t sqrt(SE1^2 + SE2^2), with the degrees of freedom of Welch 1947 (Biometrika 34).
    """
    plain = subtract(train, test)
    if plain.value is None:
        return plain
    parts = [(one.se, one.n_units) for one in (train, test) if one.has_interval and one.se and one.n_units]
    if len(parts) < 2:
        return plain.model_copy(update={"note": "train or test has no standard error"})
    variances = [((se or 0.0) ** 2, (n or 2) - 1) for se, n in parts]
    total = math.fsum(v for v, _ in variances)
    degrees = total**2 / math.fsum(v**2 / df for v, df in variances)
    half = t_quantile(degrees) * math.sqrt(total)
    return Estimate(
        value=plain.value,
        low=plain.value - half,
        high=plain.value + half,
        se=math.sqrt(total),
        n_units=min(n or 0 for _, n in parts),
        method=GAP_METHOD,
    )


def _loss_claim(candidates: Sequence[CandidateEvidence]) -> Claim:
    known = [answer for answer in map(val_loss_falls, candidates) if answer is not None]
    if not known:
        return not_assessed("Training stability", "no val loss of two or more epochs was logged")
    message = (
        "The val box loss falls in every epoch in {falling} of {runs}; in {rising} it rises at least once "
        "({epochs} epochs)."
    )
    return fact(
        message,
        falling=sum(known),
        rising=len(known) - sum(known),
        runs=plural(len(known), "run"),
        epochs=_epochs(candidates),
    )


def _parting_claim(candidates: Sequence[CandidateEvidence]) -> tuple[Claim, ...]:
    known = [answer for answer in map(losses_part, candidates) if answer is not None]
    if not known:
        return ()
    message = (
        "In {parting} of {runs} the val box loss ends above its lowest while the train box loss ends on its lowest: a "
        "sign of over-fitting, whose size this does not tell."
        if any(known)
        else "In none of {runs} the val box loss ends above its lowest while the train box loss ends on its lowest."
    )
    return (fact(message, parting=sum(known), runs=plural(len(known), "run")),)


def _best_epoch_claim(candidates: Sequence[CandidateEvidence]) -> Claim:
    last, known = n_best_epoch_last(candidates)
    if not known:
        return not_assessed("Under-training", "no val mAP of two or more epochs was logged")
    message = "The last epoch is the best one on val in {last} of {runs} ({epochs} epochs)."
    return fact(message, last=last, runs=plural(known, "run"), epochs=_epochs(candidates))


def _epochs(candidates: Sequence[CandidateEvidence]) -> str:
    lengths = sorted({len(c.training.val_map) for c in candidates if c.training and c.training.val_map})
    return " or ".join(str(n) for n in lengths) or "unknown number of"
