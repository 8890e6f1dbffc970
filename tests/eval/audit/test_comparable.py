"""What labels a run is no setting, and a training that was taken up again is the one that was broken off."""

from __future__ import annotations

import pytest

from robust.eval.audit.comparable import OWN_KEYS, comparable
from tests.eval.audit.runs_builder import a_run, found


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("output_dir", ("/out/1", "/out/2", "/out/3")),
        ("git_commit", ("abc1", "abc2", "abc3")),
        ("started", ("2024-01-01", "2024-01-02", "2024-01-03")),
        ("trial", ("1", "2", "3")),
        ("note", ("a", "b", "c", "d", "e")),
    ],
)
def test_what_differs_in_every_run_and_is_no_setting_splits_no_configuration(key: str, values: tuple[str, ...]) -> None:
    runs = [a_run(params={"seed": seed, key: value}) for seed, value in enumerate(values)]
    assert not found("unlike-runs", *runs)
    few = found("seeds-per-configuration", *runs)
    assert [(one.numbers["configurations"], one.numbers["fewest_seeds"]) for one in few] == [(1, 3)] * (len(runs) < 5)
    again = a_run(params={"seed": 0, key: values[0]})
    assert found("unlike-runs", *runs, again)  # a value that comes again may be a setting


@pytest.mark.parametrize(
    ("key", "values"), [("drop_path", (0.1, 0.2, 0.3)), ("loss", ("a", "b", "c")), ("cls", range(6))]
)
def test_numbers_and_few_words_may_be_an_axis_and_stay(key: str, values: tuple[object, ...]) -> None:
    runs = [a_run(params={key: value}) for value in values]
    assert all(key in run.params for run in comparable(runs))
    assert not found("repeated-seed", *runs)


def test_the_list_of_parameters_is_that_of_ultralytics() -> None:
    cfg = pytest.importorskip("ultralytics.cfg")
    assert set(cfg.DEFAULT_CFG_DICT) <= OWN_KEYS


def test_a_resumed_training_is_of_the_configuration_it_began_with() -> None:
    others = [a_run(params={"seed": seed}) for seed in (2, 3)]
    resumed = a_run(params={"seed": 1, "model": "runs/train/weights/last.pt", "resume": True})
    by_path = a_run(params={"seed": 4, "model": "/x/epoch5.pt", "resume": "/x/epoch5.pt"})
    (few,) = found("seeds-per-configuration", *others, resumed, by_path)
    assert (few.numbers["configurations"], few.numbers["fewest_seeds"]) == (1, 4)
    assert not found("unlike-runs", *others, resumed, by_path)
    fresh = a_run(params={"seed": 1, "model": "runs/train/weights/last.pt", "resume": False})
    assert found("unlike-runs", *others, fresh)


def test_a_resumed_training_whose_start_is_not_clear_gets_none() -> None:
    runs = [a_run(params={"model": model}) for model in ("yolov8n.pt", "yolov8s.pt")]
    resumed = a_run(params={"model": "last.pt", "resume": "True"}, resolved={"model": "last.pt"})
    kept = comparable([*runs, resumed])[-1]
    assert "model" not in kept.params and kept.resolved == {}
