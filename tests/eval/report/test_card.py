"""The card: a fact that nobody gave is never taken for one."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from robust.eval.decision.fact_gates import HumanFact
from robust.eval.report.card import NOT_PROVIDED, Card, default_card_text, given, missing, read_card
from robust.eval.yaml_file import parse_yaml


def test_given_and_missing_facts_are_the_fields_in_their_order() -> None:
    card = Card(owner="Zoë", purpose="count people", reviewers=("A",))
    assert given(card) == ("purpose", "owner", "reviewers")
    assert [*given(card), *missing(card)] == sorted(
        Card.model_fields, key=lambda name: (name in missing(card), list(Card.model_fields).index(name))
    )
    assert missing(Card()) == tuple(Card.model_fields) and given(Card()) == ()


@pytest.mark.parametrize("blank", ["", "  \n", NOT_PROVIDED, f" {NOT_PROVIDED} "])
def test_a_blank_fact_is_not_given(blank: str) -> None:
    assert given(Card(owner=blank, reviewers=(blank.replace(NOT_PROVIDED, ""), " "))) == ()
    assert Card(owner=blank).facts("owner") == (("Owner", NOT_PROVIDED),)


def test_missing_facts_are_named_by_their_labels() -> None:
    values = {name: "x" for name in Card.model_fields if name != "fallback"}
    card = Card.model_validate({**values, "reviewers": ["R"]})
    assert card.missing == ("Release to fall back to",) and missing(card) == ("fallback",)


def test_the_policy_can_require_every_fact_it_names() -> None:
    assert set(get_args(HumanFact)) <= set(Card.model_fields)


def test_the_starter_card_states_nothing_and_names_every_fact(tmp_path: Path) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(default_card_text(), encoding="utf-8")
    assert read_card(path) == Card()
    assert [line.split(":")[0] for line in default_card_text().splitlines() if line and line[0] != "#"] == list(
        Card.model_fields
    )


def test_a_card_reads_back_as_written() -> None:
    card = Card(owner="Zoë: #1\n---\n", reviewers=("a, b", "é"), limitations="'\"{}")
    assert parse_yaml(card.to_yaml(), Card, "card", "card.yaml") == card


def test_every_field_of_the_card_can_be_required_by_a_policy() -> None:
    assert set(get_args(HumanFact)) == set(Card.model_fields)
