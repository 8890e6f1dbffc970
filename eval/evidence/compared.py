"""Records of the comparisons between candidates, configurations and seeds."""

from __future__ import annotations

from robust.eval.metrics.comparison import Comparison
from robust.eval.metrics.optimism import WinnerCheck
from robust.eval.metrics.records import Record
from robust.eval.metrics.seeds import Contrast, SettingDifference, SettingEstimate


class PairEvidence(Record):
    """One set of weights compared with another on the same images.

    ``first`` and ``second`` are keys of candidates (`CandidateEvidence.key`); differences are first minus second.
    """

    first: str
    second: str
    comparison: Comparison


class SettingEvidence(Record):
    """One configuration, as the mean over its training seeds, on one split and variant.

    ``members`` are the keys of the candidates that it is the mean of, one for each distinct seed with distinct weights.
    """

    label: str
    split: str
    variant: str
    metric: str
    members: tuple[str, ...]
    estimate: SettingEstimate


class SettingPairEvidence(Record):
    """Two configurations compared; differences are first minus second."""

    first: str
    second: str
    split: str
    variant: str
    metric: str
    comparison: SettingDifference


class SettingOverBaselineEvidence(Record):
    """A configuration, as the mean over its seeds, minus the fixed weights that it must beat.

    ``setting`` is its label, ``baseline`` the key of a candidate (`CandidateEvidence.key`).
    """

    setting: str
    baseline: str
    split: str
    variant: str
    metric: str
    comparison: SettingDifference


class ContrastEvidence(Record):
    """Effects of image size and learning rate in a complete grid of configurations.

    ``reason`` says why there are none.
    """

    split: str
    variant: str
    metric: str
    contrasts: tuple[Contrast, ...] = ()
    reason: str = ""


class WinnerEvidence(Record):
    """How much better the chosen candidate looks on the split that selects than it is.

    ``candidates`` are keys, in the order of the check's indices. Chosen as policies choose: the configuration with the
    highest mean over its seeds, then its best candidate.
    """

    split: str
    metric: str
    candidates: tuple[str, ...]
    check: WinnerCheck


class ComparisonEvidence(Record):
    """All comparisons of a study.

    ``against_baseline``: each candidate minus its baseline, on clean images and on every variant; p values corrected
    (Holm) over the candidates. ``between_candidates``: all pairs on clean images, corrected over the pairs.
    ``settings``, ``setting_pairs``, ``settings_over_baseline`` and ``contrasts`` are about configurations and carry the
    spread of the seeds.
    """

    against_baseline: tuple[PairEvidence, ...] = ()
    between_candidates: tuple[PairEvidence, ...] = ()
    settings: tuple[SettingEvidence, ...] = ()
    setting_pairs: tuple[SettingPairEvidence, ...] = ()
    settings_over_baseline: tuple[SettingOverBaselineEvidence, ...] = ()
    contrasts: tuple[ContrastEvidence, ...] = ()
    winners: tuple[WinnerEvidence, ...] = ()
    not_compared: tuple[str, ...] = ()
