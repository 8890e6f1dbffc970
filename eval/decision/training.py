"""What the logged training curves say, as claims. Nothing is said of a curve that was not logged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from robust.eval.decision.claims import Claim, fact, not_assessed, plural
from robust.eval.decision.study import Study
from robust.eval.evidence.records import CandidateEvidence


def best_epoch_is_last(candidate: CandidateEvidence) -> bool | None:
    """True when no earlier epoch reached the last one's val mAP; None when fewer than two epochs were logged."""
    curve = candidate.training.val_map if candidate.training else ()
    return max(curve[:-1]) < curve[-1] if len(curve) > 1 else None


def val_loss_falls(candidate: CandidateEvidence) -> bool | None:
    """True when the val box loss falls in every epoch; None when fewer than two epochs were logged."""
    curve = candidate.training.val_box_loss if candidate.training else ()
    return all(later < earlier for earlier, later in pairwise(curve)) if len(curve) > 1 else None


def n_best_epoch_last(candidates: Sequence[CandidateEvidence]) -> tuple[int, int]:
    """How many runs end on their best epoch, and for how many that is known."""
    known = [answer for answer in map(best_epoch_is_last, candidates) if answer is not None]
    return sum(known), len(known)


def training_claims(study: Study) -> tuple[Claim, ...]:
    """Loss, best epoch and over-fitting over all runs."""
    return (
        _loss_claim(study.candidates),
        _best_epoch_claim(study.candidates),
        not_assessed("Over-fitting", "it needs the same metric on train and on test at the same protocol"),
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


def _best_epoch_claim(candidates: Sequence[CandidateEvidence]) -> Claim:
    last, known = n_best_epoch_last(candidates)
    if not known:
        return not_assessed("Under-training", "no val mAP of two or more epochs was logged")
    message = "The last epoch is the best one on val in {last} of {runs} ({epochs} epochs)."
    return fact(message, last=last, runs=plural(known, "run"), epochs=_epochs(candidates))


def _epochs(candidates: Sequence[CandidateEvidence]) -> str:
    lengths = sorted({len(c.training.val_map) for c in candidates if c.training and c.training.val_map})
    return " or ".join(str(n) for n in lengths) or "unknown number of"
