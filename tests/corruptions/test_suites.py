from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from robust.corruptions.records import SEVERITIES
from robust.corruptions.registry import names
from robust.corruptions.suite_file import parse_suite
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


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ("{name: depth_fog, severities: [2, 3], parameters: {visibility: 80}}", "severities 2 and 3 of depth_fog"),
        ("{name: occlusion, parameters: {hidden: 0.5}}", "severities 1 and 2 of occlusion"),
    ],
)
def test_parameters_that_make_two_severities_the_same_are_refused(entry: str, same: str) -> None:
    with pytest.raises(UsageError, match=same) as failure:
        load_suite(write(f"corruptions: [{entry}]\n"))
    assert "at every severity" in failure.value.why
    assert "Give it one severity" in failure.value.fix
    assert len(load_suite(write(f"corruptions: [{entry}]\nseverities: [3]\n".replace("[2, 3]", "[3]"))).variants) == 1


def test_a_corruption_that_severity_would_drop_is_named() -> None:
    text = "corruptions: [night, {name: depth_fog, severities: [3]}]\nseverities: [2, 3]\n"
    with pytest.raises(UsageError, match=r"mine\.yaml has no depth_fog at severity 1 or 2") as failure:
        load_suite(write(text), severities=[2, 1])
    assert failure.value.why == "It has depth_fog at 3."
    assert "Leave out --severity" in failure.value.fix
    assert [v.name for v in load_suite("mine.yaml", severities=[3]).variants] == ["night/3", "depth_fog/3"]


def test_a_corruption_given_as_suite_is_told_how_to_become_one() -> None:
    with pytest.raises(UsageError, match="'night' is a corruption, not a suite") as failure:
        load_suite("night")
    line = failure.value.fix.split("`")[1]
    assert [v.name for v in load_suite(write(line)).variants] == [f"night/{s}" for s in SEVERITIES]
    with pytest.raises(UsageError, match="'night' is a corruption") as inside:
        load_suite(write("include: [night]\n"))
    assert inside.value.fix == "In mine.yaml, write it under 'corruptions' instead of 'include'."


@pytest.mark.parametrize("name", ["core.yaml", "CORE.yml"])
def test_a_file_called_like_a_built_in_suite_is_refused(name: str) -> None:
    Path(name).write_text("corruptions: [night]\n", encoding="utf-8")
    with pytest.raises(UsageError, match="called like the built-in suite 'core'") as failure:
        load_suite(name)
    assert failure.value.fix == f"Rename it, for example: my_{name}."


def test_a_missing_file_is_told_in_words_and_with_who_includes_it() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml cannot be read") as failure:
        load_suite("nowhere.yaml")
    assert failure.value.why == "There is no such file."
    with pytest.raises(UsageError, match=r"nowhere\.yaml cannot be read") as inside:
        load_suite(write("include: [nowhere.yaml]\n"))
    assert inside.value.why == "There is no such file. Suite file mine.yaml includes it."


def test_full_is_every_other_suite_and_holds_every_corruption() -> None:
    full = load_suite("full")
    assert {v.corruption for v in full.variants} == set(names())
    assert len(full.variants) == len({v.name for v in full.variants}) == len(SEVERITIES) * len(names())
    content = parse_suite("full", (files("robust.corruptions") / "suite_files/full.yaml").read_text("utf-8"), 0)
    assert set(content.include) == set(suite_names()) - {"full"}


def test_a_suite_includes_built_in_ones_and_files_beside_it() -> None:
    Path("more").mkdir()
    Path("more/low.yaml").write_text("corruptions: [jpeg]\nseverities: [1]\n", encoding="utf-8")
    Path("more/mine.yaml").write_text(
        "include: [core, low.yaml]\ncorruptions: [low_resolution]\nseverities: [2]\n", encoding="utf-8"
    )
    suite = load_suite("more/mine.yaml", seed=5)
    core = [v.name for v in load_suite("core").variants]
    assert [v.name for v in suite.variants] == [*core, "jpeg/1", "low_resolution/2"]
    assert {v.seed for v in suite.variants} == {5}
    assert [v.name for v in load_suite("more/mine.yaml", severities=[2, 1]).variants][-1] == "low_resolution/2"


def test_what_two_suites_list_alike_counts_once_and_otherwise_both_are_named() -> None:
    again = write("include: [core]\ncorruptions: [night]\nseverities: [3]\n")
    assert load_suite(again).variants == load_suite("core").variants
    other = write("include: [core]\ncorruptions: [{name: night, parameters: {stops: 1.0}}]\nseverities: [3]\n")
    with pytest.raises(UsageError, match="variant night/3 twice") as failure:
        load_suite(other)
    assert failure.value.why == "One is from core, the other from mine.yaml."


@pytest.mark.parametrize("name", ["mine.yaml", "other.yaml", "../HERE/mine.yaml"])
def test_a_suite_that_includes_itself_is_refused(name: str) -> None:
    name = name.replace("HERE", Path.cwd().name)
    write(f"include: [core, {name}]\n")
    Path("other.yaml").write_text("include: [mine.yaml]\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine\.yaml includes itself") as failure:
        load_suite("mine.yaml")
    assert name in failure.value.why


@pytest.mark.parametrize(
    ("text", "kind", "known"),
    [
        ("include: [croe]\n", "suite included by mine.yaml: 'croe'", "core"),
        ("corruptions: [night]\ntrained_on: [nigth]\n", "'nigth'", "exposure"),
        ("include: [core]\ntrain_on: [night]\n", "'train_on'", "trained_on"),
    ],
)
def test_unknown_names_list_the_known_ones(text: str, kind: str, known: str) -> None:
    with pytest.raises(UnknownName) as failure:
        load_suite(write(text))
    assert kind in failure.value.what
    assert known in failure.value.why


@pytest.mark.parametrize(
    "text",
    [
        "include: core\n",
        "include: [core, core]\n",
        "include: [3]\n",
        "include: [nowhere.yaml]\n",
        "corruptions: [night]\ntrained_on: night\n",
        "corruptions: [clean]\nseverities: [1]\n",
    ],
)
def test_wrong_includes_are_refused_as_usage(text: str) -> None:
    with pytest.raises(UsageError):
        load_suite(write(text))


def test_a_cause_stands_for_its_family_and_a_corruption_for_itself() -> None:
    suite = load_suite(write("include: [camera]\ntrained_on: [coding]\n"), trained_on=["underexposure"])
    assert suite.trained_on == ("jpeg", "low_resolution", "underexposure")
    nested = Path("outer.yaml")
    nested.write_text("include: [mine.yaml]\ntrained_on: [night]\n", encoding="utf-8")
    assert load_suite("outer.yaml").trained_on == ("jpeg", "low_resolution", "night")
    assert load_suite("core").trained_on == ()
    with pytest.raises(UnknownName, match="'nigth'") as failure:
        load_suite("core", trained_on=["nigth"])
    assert set(names()) | {"coding", "light"} <= set(failure.value.why[len("Known: ") : -1].split(", "))
