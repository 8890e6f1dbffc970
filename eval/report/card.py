"""The card: what only people know. A fact nobody gave is printed as NOT PROVIDED, never guessed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import Field

from robust.eval.metrics.records import Record
from robust.eval.yaml_file import read_yaml

NOT_PROVIDED = "NOT PROVIDED"


def _fact(label: str) -> str | None:
    found: str | None = Field(default=None, title=label)
    return found


class Card(Record):
    """Facts about the use of the model that no measurement shows; each field's title is its label in the report."""

    purpose: str | None = _fact("Purpose")
    owner: str | None = _fact("Owner")
    release: str | None = _fact("Version of the release")
    intended_use: str | None = _fact("Intended use")
    excluded_use: str | None = _fact("Excluded use")
    foreseeable_misuse: str | None = _fact("Foreseeable misuse")
    operating_conditions: str | None = _fact("Operating conditions")
    limitations: str | None = _fact("Known limitations")
    training_budget: str | None = _fact("Training budget")
    latency_budget: str | None = _fact("Latency budget")
    target_hardware: str | None = _fact("Target hardware")
    data_origin: str | None = _fact("Origin and licence of the data")
    weights_licence: str | None = _fact("Licence of the starting weights")
    model_licence: str | None = _fact("Licence of the model")
    fallback: str | None = _fact("Release to fall back to")
    monitoring: str | None = _fact("Monitoring in production")
    reevaluation: str | None = _fact("When it is evaluated again")
    approver: str | None = _fact("Approver")
    reviewers: tuple[str, ...] = Field(default=(), title="Reviewers")

    def facts(self, *names: str) -> tuple[tuple[str, str], ...]:
        """(label, value) of the named fields; a missing or blank value reads NOT PROVIDED."""
        return tuple((str(Card.model_fields[n].title), self._stated(n) or NOT_PROVIDED) for n in names)

    @property
    def missing(self) -> tuple[str, ...]:
        """Labels of the facts that nobody gave."""
        return tuple(str(Card.model_fields[name].title) for name in missing(self))

    def _stated(self, name: str) -> str:
        """The value as text; empty when it is missing or blank."""
        value = getattr(self, name) or ""
        parts = (value,) if isinstance(value, str) else value
        return ", ".join(part.strip() for part in parts if part.strip())

    def to_yaml(self) -> str:
        """Canonical YAML text that reads back as the same card."""
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


def given(card: Card) -> tuple[str, ...]:
    """Names of the fields that somebody filled in, in their order; a blank value is not given."""
    return tuple(name for name in Card.model_fields if card.facts(name)[0][1] != NOT_PROVIDED)


def missing(card: Card) -> tuple[str, ...]:
    """Names of the fields that nobody filled in, in their order."""
    stated = given(card)
    return tuple(name for name in Card.model_fields if name not in stated)


def read_card(path: Path | None = None) -> Card:
    """Read a card file; an empty card when no path is given.

    Raises:
        UnknownName: a key is not known.
        UsageError: the file cannot be read or a value is wrong.
    """
    return Card() if path is None else read_yaml(path, Card, "card")


def default_card_text() -> str:
    """An empty card with comments, to be filled in."""
    return (files("robust.templates") / "card.yaml").read_text(encoding="utf-8")
