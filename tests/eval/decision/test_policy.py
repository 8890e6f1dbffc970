from __future__ import annotations

from pathlib import Path

import pytest

from robust.errors import UnknownName, UsageError
from robust.eval.decision.policy import Policy, default_policy_text, read_policy
from robust.eval.yaml_file import parse_yaml

GATE = "{kind: metric, name: x, tier: critical, metric: AP50, minimum: 0.5}"


def parse(text: str) -> Policy:
    return parse_yaml(text, Policy, "policy", "p.yaml")


def test_the_default_policy_reads_and_survives_a_round_trip() -> None:
    policy = read_policy()
    assert parse(policy.to_yaml()) == policy
    assert parse(policy.to_yaml()).sha256 == policy.sha256


def test_the_default_policy_explains_every_outcome_to_a_newcomer() -> None:
    text = default_policy_text()
    assert all(word in text for word in ("PASS", "FAIL", "NOT ENOUGH EVIDENCE", "critical", "supporting", "AP50"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"version: 1\nname: a\nobjectve: {{}}\ngates: [{GATE}]", "objective"),
        (f"version: 1\nname: a\nselection: {{splitt: val}}\ngates: [{GATE}]", "split"),
        ("version: 1\nname: a\ngates: [{kind: metrics, name: x}]", "metric"),
        ("version: 1\nname: a\ngates: [{kind: metric, name: x, tier: critical, metric: AP50, minimun: 1}]", "minimum"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, expected: str) -> None:
    with pytest.raises(UnknownName) as caught:
        parse(text)
    assert f"Did you mean {expected!r}?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "mapping"),
        ("a: [", "not valid YAML"),
        (f"version: 1\nname: a\nname: b\ngates: [{GATE}]", "occurs twice"),
        (f"version: 1\nname: a\ngates: [{GATE}, {GATE}]", "two gates are named"),
        ("version: 1\nname: a\ngates: []", "no gate is critical"),
        (f"version: 1\nname: a\njudged_on: val\ngates: [{GATE}]", "same split"),
        (
            "version: 1\nname: a\ngates: [{kind: metric, name: x, tier: critical, metric: AP50, minimum: .nan}]",
            "0.minimum",
        ),
        (
            "version: 1\nname: a\ngates: [{kind: at_threshold, name: x, tier: critical, measure: fppi, minimum: 1}]",
            "fppi",
        ),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert words in str(caught.value).replace("metric.minimum", "minimum")
    assert caught.value.exit_code == 2


def test_comments_do_not_change_the_hash_and_a_bound_does(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("# reviewed\n" + default_policy_text(), encoding="utf-8")
    assert read_policy(path).sha256 == read_policy().sha256
    path.write_text(default_policy_text().replace("minimum: 0.70", "minimum: 0.10"), encoding="utf-8")
    assert read_policy(path).sha256 != read_policy().sha256


def test_a_missing_policy_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")
