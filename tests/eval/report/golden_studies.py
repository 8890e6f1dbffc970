"""Three small studies for the golden reports: one that is promoted, one rejected, one held; and a tuning report.

Three candidates in two configurations with their two baselines, on clean images and six variants; every number is from
the formulas of `evidence_builder`. The three differ in the width of their intervals, and in what the policy requires.
The tuning report is of a measured candidate, so that it shows all that a sweep finds, and a baseline from formulas.
"""

from __future__ import annotations

from robust.eval.decision.decide import decide
from robust.eval.decision.policy import Policy
from robust.eval.decision.records import Circumstances
from robust.eval.evidence.records import CandidateEvidence, Curve, Evidence
from robust.eval.metrics.interval import Interval
from robust.eval.metrics.records import ThresholdConstraints
from robust.eval.report.build import build_context
from robust.eval.report.card import Card, given
from robust.eval.report.language import in_language
from robust.eval.report.names import report_names
from robust.eval.report.render import render_html, render_markdown
from robust.eval.report.tuning_render import tuning_documents
from tests.eval.evidence.study_builder import NIGHT
from tests.eval.evidence_builder import build_evidence, change_candidates
from tests.eval.evidence_changes import of_severities, with_intervals
from tests.eval.report.tuning_subjects import measured_subject, subjects_of

HALF = {"PROMOTE": 0.02, "REJECT": 0.02, "HOLD": 0.2}
"""Half the width of every interval: those of HOLD reach over what is required on both sides."""
CLEAN_AP50 = {"PROMOTE": 0.6, "REJECT": 0.8, "HOLD": 0.6}
"""What is required; the proposed candidate has 0.731."""
NAMES = ("sz416_lr0.005_s1", "sz416_lr0.005_s42", "sz320_lr0.005_s42", "yolov8n@")
GATES = [
    {"name": "no image in two splits", "kind": "no_leakage", "tier": "critical"},
    {"name": "the whole suite", "kind": "suite", "tier": "critical", "corruptions": ["night", "occlusion", "crowd"],
     "severities": [1, 2]},
    {"name": "not below the baseline", "kind": "baseline", "tier": "critical", "metric": "AP50", "variant": "clean",
     "margin": 0.05},
    {"name": "precision", "kind": "at_threshold", "tier": "critical", "measure": "precision", "minimum": 0.7},
    {"name": "robustness", "kind": "retained", "tier": "critical", "metric": "AP50", "minimum": 0.6},
    {"name": "night", "kind": "ladder", "tier": "supporting", "metric": "AP50", "corruption": "night", "up_to": 2,
     "minimum": 0.4},
    {"name": "enough test images", "kind": "images", "tier": "supporting", "minimum": 300},
    {"name": "trusted scores", "kind": "calibration", "tier": "informational", "measure": "d_ece", "maximum": 0.15},
]  # fmt: skip
CARD = Card(owner="Zoë Ó Dálaigh", purpose="Count people at <night> & in the rain | 24/7", reviewers=("A. N. Other",))


def golden_report(verdict: str, lang: str = "en") -> tuple[str, str]:
    """HTML and Markdown of a study; every text of it is found in the language."""
    clean = {"name": "clean AP50", "kind": "metric", "tier": "critical", "metric": "AP50", "variant": "clean"}
    gates = [*GATES, {**clean, "minimum": CLEAN_AP50[verdict]}]
    policy = Policy.model_validate({"version": 1, "name": "golden", "gates": gates})
    evidence = _with_differences(with_intervals(_small(), half=HALF[verdict]), HALF[verdict])
    decision = decide(evidence, policy, Circumstances(facts=given(CARD)))
    assert decision.verdict == verdict, decision.reason
    context = build_context(evidence, policy, decision, CARD)
    context, translator = in_language(context, lang, report_names(evidence, policy, CARD))
    assert translator is None or not translator.untranslated, translator.untranslated
    return render_html(context), render_markdown(context)


def golden_tuning(lang: str = "en") -> tuple[str, str]:
    """HTML and Markdown of a tuning report; every text of it is found in the language."""
    limits = ThresholdConstraints(min_precision=0.7, max_fppi=1.0)
    baseline = subjects_of(with_intervals(_small(), half=HALF["HOLD"]))[-1]
    made = tuning_documents((measured_subject("limits", limits, step=0.1, variants=NIGHT[:1]), baseline), lang=lang)
    assert not made.untranslated, made.untranslated
    html, markdown = (made.contents[name].decode("utf-8") for name in ("tuning.html", "tuning.md"))
    return html, markdown


def _small() -> Evidence:
    def few(candidate: CandidateEvidence) -> CandidateEvidence | None:
        if not any(name in candidate.name for name in NAMES):
            return None
        sweep = candidate.sweep
        curves = tuple(_thinned(one, sweep.choice.threshold) for one in sweep.curves)
        return candidate.model_copy(update={"sweep": sweep.model_copy(update={"curves": curves, "step": 0.05})})

    return of_severities(change_candidates(build_evidence(), few), 1, 2)


def _thinned(curve: Curve, chosen: float | None) -> Curve:
    """Every fifth threshold, and the chosen one: the tables of a whole sweep would be half of the page."""
    kept = [p for p in curve.points if round(100 * p.threshold) % 5 == 0 or p.threshold == chosen]
    return Curve.of(curve.split, curve.variant, kept, n_images=curve.n_images, n_objects=curve.n_objects)


def _with_differences(evidence: Evidence, half: float) -> Evidence:
    """Comparisons whose difference is that of their two values, so that the report does not complain of them."""
    found, pairs = evidence.comparisons, []
    assert found is not None
    for pair in found.against_baseline:
        one = pair.comparison
        assert one.first is not None and one.second is not None
        low, high = (one.first - one.second + side * half for side in (-1, 1))
        ends = Interval(low=low, high=high, method="t", se=half / 2, n_units=500)
        told = {"difference": one.first - one.second, "interval": ends, "p_value": 0.2, "verdict": "cannot tell"}
        pairs.append(pair.model_copy(update={"comparison": one.model_copy(update=told)}))
    comparisons = found.model_copy(update={"against_baseline": tuple(pairs)})
    return evidence.model_copy(update={"comparisons": comparisons})
