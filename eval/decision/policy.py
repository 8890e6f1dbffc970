"""The policy: what must be true of a candidate before it goes to production, written down before anybody looks."""

from __future__ import annotations

import difflib
import hashlib
import json
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from robust.eval.decision.any_gate import AnyGate
from robust.eval.decision.gates import Metric
from robust.eval.decision.records import Tier, WaiverResult
from robust.eval.metrics.records import Record
from robust.eval.yaml_file import parse_yaml, read_yaml


class Objective(Record):
    """What the study is for.

    Attributes:
        metric: The primary metric; tables and charts show it.
        secondary: Metrics shown beside it.
        statement: The objective in words, as the people who own it say it.
    """

    metric: Literal["AP", "AP50"] = "AP50"
    secondary: tuple[Metric, ...] = ("AP",)
    statement: str = ""


class SelectionRule(Record):
    """How one candidate is proposed: best configuration by its mean over seeds, then its best candidate.

    Attributes:
        split: Where candidates are compared; never the split that judges.
        metric: What they are compared by.
    """

    split: str = "val"
    metric: Metric = "AP50"

    @property
    def words(self) -> str:
        """The rule as one sentence."""
        return (
            f"the configuration with the highest mean {self.metric} over its seeds on clean {self.split} images; "
            f"inside it, the candidate with the highest {self.metric} on {self.split}; ties go to the smaller image "
            "size, then to the name"
        )


class Waiver(Record):
    """A person takes the responsibility for a gate that does not pass, for a limited time.

    It never turns the gate's answer into a pass: the report shows the answer, the waiver and its end.

    Attributes:
        gate: Name of the gate.
        author: Who takes the responsibility.
        reason: Why the gate may stay open.
        expires: Last day on which it counts.
    """

    gate: str = Field(min_length=1)
    author: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    def held_against(self, today: date | None) -> WaiverResult:
        """The waiver on a day; without a known day it does not count."""
        note = ""
        if today is None:
            note = "the day of the decision is not known"
        elif today > self.expires:
            note = f"it expired on {self.expires.isoformat()}"
        return WaiverResult(author=self.author, reason=self.reason, expires=self.expires, valid=not note, note=note)


class Policy(Record):
    """The whole policy.

    Attributes:
        version: Of this format.
        name: For people.
        objective: What the study is for.
        selection: How a candidate is proposed.
        judged_on: The split whose numbers gates read.
        gates: The requirements.
        waivers: Gates that may stay open for a while, each on somebody's responsibility.
        approvals: People who must approve the report before the model is released.
    """

    version: Literal[1]
    name: str = Field(min_length=1)
    objective: Objective = Objective()
    selection: SelectionRule = SelectionRule()
    judged_on: str = "test"
    gates: tuple[AnyGate, ...]
    waivers: tuple[Waiver, ...] = ()
    approvals: Annotated[int, Field(ge=0, le=20)] = 2

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        names = [gate.name for gate in self.gates]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two gates are named {twice[0]!r}")
        if not any(gate.tier is Tier.CRITICAL for gate in self.gates):
            raise ValueError("no gate is critical: such a policy would promote anything")
        if self.selection.split == self.judged_on:
            raise ValueError(f"candidates are selected and judged on the same split {self.judged_on!r}")
        self._check_waivers(names)
        return self

    def _check_waivers(self, names: list[str]) -> None:
        waived = [waiver.gate for waiver in self.waivers]
        unknown = next((name for name in waived if name not in names), None)
        if unknown is not None:
            close = difflib.get_close_matches(unknown, names, n=1, cutoff=0.5)
            meant = f"; did you mean {close[0]!r}?" if close else f"; gates are {', '.join(names)}"
            raise ValueError(f"a waiver names the gate {unknown!r}, which is not in the policy{meant}")
        twice = sorted({name for name in waived if waived.count(name) > 1})
        if twice:
            raise ValueError(f"two waivers name the gate {twice[0]!r}")
        critical = {gate.name for gate in self.gates if gate.tier is Tier.CRITICAL}
        if critical and critical <= set(waived):
            raise ValueError("every critical gate is waived: such a policy would promote anything")

    @property
    def sha256(self) -> str:
        """Hex digest of the policy's content; comments and layout of the file do not count."""
        return hashlib.sha256(self.model_dump_json().encode("utf-8")).hexdigest()

    def to_yaml(self) -> str:
        """Canonical YAML text that reads back as the same policy."""
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100))


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy file; the default policy when no path is given.

    Raises:
        UnknownName: a key or a kind of gate is not known.
        UsageError: the file cannot be read or a value is wrong.
    """
    return _default_policy() if path is None else read_yaml(path, Policy, "policy")


@cache
def _default_policy() -> Policy:
    return parse_yaml(default_policy_text(), Policy, "policy", "policy.yaml of robust")


def policy_schema_text() -> str:
    """JSON Schema of a policy file, for editors that complete and check YAML as it is typed."""
    return json.dumps(Policy.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


def default_policy_text() -> str:
    """The default policy with its comments, to be copied and edited."""
    return (files("robust.eval.decision") / "policy.yaml").read_text(encoding="utf-8")
