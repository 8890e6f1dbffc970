from __future__ import annotations

from pathlib import Path

import pytest

from robust.corruptions.records import SEVERITIES
from robust.corruptions.suites import load_suite, suite_names
from robust.errors import UnknownName, UsageError


def write(text: str) -> str:
    Path("mine.yaml").write_text(text, encoding="utf-8")
    return "mine.yaml"


def test_core_is_night_occlusion_and_crowd_at_five_severities_without_clean() -> None:
    suite = load_suite("core", seed=3)
    assert [v.name for v in suite.variants] == [
        f"{name}/{severity}" for name in ("night", "occlusion", "crowd") for severity in SEVERITIES
    ]
    assert {v.seed for v in suite.variants} == {3}
    assert "core" in suite_names()


def test_severities_can_be_chosen_and_keep_their_recipe() -> None:
    few = load_suite("core", severities=(4, 2))
    assert [v.name for v in few.variants[:2]] == ["night/2", "night/4"]
    whole = {v.name: v.sha256 for v in load_suite("core").variants}
    assert all(whole[v.name] == v.sha256 for v in few.variants)


def test_a_file_may_choose_severities_policy_and_parameters() -> None:
    suite = load_suite(
        write(
            "corruptions:\n"
            "  - night\n"
            "  - name: occlusion\n"
            "    severities: [5]\n"
            "    ground_truth: visible\n"
            "    parameters: {hidden: 0.5}\n"
            "severities: [1, 3]\n"
        )
    )
    assert suite.name == "mine"
    assert [v.name for v in suite.variants] == ["night/1", "night/3", "occlusion/5"]
    assert suite.variants[2].ground_truth == "visible"
    assert dict(suite.variants[2].parameters) == {"hidden": 0.5}


def test_other_parameters_mean_another_hash() -> None:
    other = load_suite(write("corruptions: [{name: night, parameters: {stops: 1}}]\nseverities: [3]\n"))
    assert other.variants[0].sha256 != load_suite("core", severities=[3]).variants[0].sha256


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("corruption: [night]\n", "'corruptions'"),
        ("corruptions: [nigth]\n", "'night'"),
        ("corruptions: [{name: night, parameter: {stops: 1.0}}]\n", "'parameters'"),
        ("corruptions: [{name: night, parameters: {stop: 1.0}}]\n", "'stops'"),
        ("corruptions: [{name: night, ground_truth: amodel}]\n", "'amodal'"),
    ],
)
def test_a_typo_names_the_nearest_key(text: str, named: str) -> None:
    with pytest.raises(UnknownName) as failure:
        load_suite(write(text))
    assert named in failure.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "corruptions: []\n",
        "[night]\n",
        "corruptions: night\n",
        "corruptions: [night, night]\n",
        "corruptions: [3]\n",
        "corruptions: [night]\nseverities: [0]\n",
        "corruptions: [night]\nseverities: 3\n",
        "corruptions: [{name: night, parameters: {stops: much}}]\n",
        "corruptions: [{name: night, parameters: [stops]}]\n",
        "corruptions: [night\n",
    ],
)
def test_wrong_values_are_refused_as_usage(text: str) -> None:
    with pytest.raises(UsageError) as failure:
        load_suite(write(text))
    assert failure.value.exit_code == 2


def test_an_unknown_suite_lists_the_known_ones_and_a_missing_file_says_so() -> None:
    with pytest.raises(UnknownName, match="Unknown suite 'croe'") as failure:
        load_suite("croe")
    assert "core" in failure.value.why
    with pytest.raises(UsageError, match="cannot be read"):
        load_suite("nowhere.yaml")


def test_a_severity_that_a_suite_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError):
        load_suite(write("corruptions: [night]\nseverities: [1]\n"), severities=[2])
    with pytest.raises(UsageError):
        load_suite("core", severities=[6])
