"""The model card in Hugging Face's format."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from robust.eval.decision.decide import decide
from robust.eval.evidence.records import Evidence
from robust.eval.report.card import Card
from robust.eval.report.model_card import to_model_card
from tests.eval.evidence_builder import change_candidates
from tests.eval.report.test_cyclonedx import bounded
from tests.eval.report.written import PROPOSED, policy_for, small_evidence

HOSTILE = "x\n---\nlicense: mit\n---\n<script>alert(1)</script> | [a](javascript:b) \u202e"


def model_card(card: Card | None = None, evidence: Evidence | None = None, verdict: str = "PROMOTE") -> str:
    evidence = evidence or change_candidates(small_evidence(), bounded)
    return to_model_card(evidence, decide(evidence, policy_for(verdict)), card or Card(), ("Latency: unknown.",))


def split(text: str) -> tuple[dict[str, Any], str]:
    """The head as Hugging Face finds it: between the first line and the next one that is ``---``."""
    lines = text.split("\n")
    assert lines[0] == "---"
    end = lines.index("---", 1)
    return dict(yaml.safe_load("\n".join(lines[1:end]))), "\n".join(lines[end + 1 :])


def test_the_metadata_has_every_headline_number_of_the_proposed_candidate() -> None:
    head, _ = split(model_card())
    assert (head["library_name"], head["pipeline_tag"]) == ("ultralytics", "object-detection")
    (index,) = head["model-index"]
    assert index["name"] == PROPOSED
    told = {
        (r["dataset"]["split"], r["dataset"]["config"], m["type"]): m["value"]
        for r in index["results"]
        for m in r["metrics"]
    }
    candidate = next(c for c in small_evidence().candidates if c.name == PROPOSED)
    for cell in candidate.cells:
        for name in ("AP50", "AP", "AP75", "AR100"):
            assert told.pop((cell.split, cell.variant, name)) == getattr(cell.coco, name)
    assert {name for _, _, name in told} == {"precision", "recall", "fppi"}
    assert all(r["task"]["type"] == "object-detection" and r["dataset"]["type"] for r in index["results"])
    revisions = {r["dataset"]["split"]: r["dataset"]["revision"] for r in index["results"]}
    assert revisions["test"] == next(s.fingerprint for s in small_evidence().data.splits if s.split == "test")


def test_intervals_and_thresholds_are_arguments_of_their_metric() -> None:
    (index,) = split(model_card())[0]["model-index"]
    clean = next(r for r in index["results"] if (r["dataset"]["split"], r["dataset"]["config"]) == ("test", "clean"))
    args = {m["type"]: m.get("args") for m in clean["metrics"]}
    assert args["AP50"] == {"interval_95": [0.51, 0.83]} and args["AP"] is None
    assert set(args["recall"]) == {"confidence_threshold", "iou"}


def test_missing_facts_are_visible_and_no_licence_is_invented() -> None:
    head, body = split(model_card())
    assert "license" not in head
    for label in ("Purpose", "Owner", "Intended use", "Excluded use", "Known limitations", "Licence of the model"):
        assert f"- **{label}**: NOT PROVIDED" in body
    assert "- **Reviewers**: NOT PROVIDED" in body


@pytest.mark.parametrize(
    ("licence", "head"),
    [
        ("AGPL-3.0", {"license": "agpl-3.0"}),
        ("ours, see LICENCE.txt", {"license": "other", "license_name": "ours, see LICENCE.txt"}),
    ],
)
def test_the_licence_of_the_card_is_the_licence_of_the_metadata(licence: str, head: dict[str, str]) -> None:
    found, _ = split(model_card(Card(model_licence=licence)))
    assert {name: value for name, value in found.items() if name.startswith("license")} == head


def test_the_body_says_the_decision_and_what_was_not_evaluated() -> None:
    _, body = split(model_card(verdict="HOLD"))
    assert "> **HOLD.**" in body and "- Latency: unknown." in body
    assert "| images | at least 300" in body and "NOT ENOUGH EVIDENCE" in body
    assert "\\[0.510, 0.830\\]" in body


def test_hostile_texts_change_neither_head_nor_markup() -> None:
    evidence = change_candidates(small_evidence(), lambda c: c.model_copy(update={"name": f"{c.name} {HOSTILE}"}))
    card = Card(owner=HOSTILE, model_licence=HOSTILE, reviewers=(HOSTILE,))
    head, body = split(model_card(card, evidence))
    assert head["license"] == "other" and "model-index" in head
    assert "<script" not in body and "\n---\n" not in body and "\u202e" not in body
    assert re.search(r"(?<!\\)\]\(javascript", body) is None  # the bracket is escaped


def test_without_a_candidate_it_says_so_and_has_no_results() -> None:
    evidence = change_candidates(small_evidence(), lambda c: c if c.role == "baseline" else None)
    head, body = split(model_card(evidence=evidence))
    assert "model-index" not in head and "no candidate is proposed" in body


def test_hugging_face_reads_the_results_back() -> None:
    card = ModelCard(model_card(Card(model_licence="mit")), ignore_metadata_errors=False)
    assert card.data.license == "mit" and card.data.model_name == PROPOSED
    values = {(r.dataset_split, r.dataset_config, r.metric_type): r.metric_value for r in card.data.eval_results}
    candidate = next(c for c in small_evidence().candidates if c.name == PROPOSED)
    assert values["test", "night/3", "AP50"] == next(
        c.coco.AP50 for c in candidate.cells if (c.split, c.variant) == ("test", "night/3")
    )
