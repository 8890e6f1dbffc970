from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from robust.corruptions.build import build
from robust.corruptions.records import CLEAN, Variant
from robust.corruptions.suites import load_suite
from robust.datasets.coco import write_coco
from robust.datasets.load import load_dataset
from robust.datasets.records import Category, Dataset
from robust.errors import DataError, IntegrityError, RobustError, UsageError
from robust.eval.candidates import Selection
from robust.eval.decision.policy import read_policy
from robust.eval.engine import work
from robust.eval.evaluate import Evaluation, evaluate
from robust.eval.evaluation_run import flat_metrics
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.measuring import Request
from robust.eval.report.card import read_card
from robust.eval.report.files import write_report
from robust.eval.report_run import collect_evidence
from robust.eval.sweep import sweep_evaluations
from robust.eval.tracking.store import Store

from .fakes import save_tiny_weights, small_dataset, write_data_yaml


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.yaml, a suite, a recorded set as COCO file, and a tiny network."""
    folder = tmp_path_factory.mktemp("material")
    write_data_yaml(folder)
    (folder / "suite.yaml").write_text("corruptions: [night]\nseverities: [1, 3]\n", encoding="utf-8")
    write_coco(renumbered(small_dataset(folder / "dusk", 7, "dusks")), folder / "dusk.json")
    save_tiny_weights(folder / "tiny.pt")
    return folder


def renumbered(dataset: Dataset) -> Dataset:
    """The same with category 9 for 1: data sets of a team need not agree on numbers."""
    annotations = tuple(a.with_(category_ids=a.category_ids + 8) for a in dataset.annotations)
    return replace(dataset, annotations=annotations, categories=(Category(9, "person"),))


class Desk:
    """A store and a cache of their own."""

    def __init__(self, folder: Path, material: Path, store: Store) -> None:
        self.store, self.material, self.cache = store, material, folder / "cache"
        selection = Selection(weights=(material / "tiny.pt",), imgsz=64)
        self.request = Request(
            material / "data.yaml", selection, suite=str(material / "suite.yaml"), cache_dir=self.cache
        )

    def evaluate(self, **changes: object) -> Evaluation:
        return evaluate(replace(self.request, **changes), self.store)

    @property
    def cells(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.cache.rglob("*.parquet")}


@pytest.fixture
def new_desk(tmp_path: Path, material: Path, new_store: Callable[[Path], Store]) -> Callable[[str], Desk]:
    return lambda name: Desk(tmp_path / name, material, new_store(tmp_path / name))


@pytest.fixture
def desk(new_desk: Callable[[str], Desk]) -> Desk:
    return new_desk("desk")


@pytest.fixture
def built(material: Path, tmp_path: Path) -> Path:
    build(load_dataset(material / "data.yaml", "test"), load_suite(str(material / "suite.yaml")), tmp_path / "built")
    return tmp_path / "built"


def test_a_built_set_gives_the_cells_and_the_evidence_of_the_variant(
    new_desk: Callable[[str], Desk], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, read = new_desk("made"), new_desk("read")
    expected = made.evaluate().evidence.to_json()
    corrupt = work.corrupt

    def clean_only(dataset: Dataset, index: int, variant: Variant) -> object:
        assert variant.corruption == CLEAN, "the variant was to be read"
        return corrupt(dataset, index, variant)

    monkeypatch.setattr(work, "corrupt", clean_only)
    assert read.evaluate(built=(built,)).evidence.to_json() == expected
    assert read.cells == made.cells
    assert made.evaluate(built=(built / "night-3",)).filled.n_computed == 0  # the cells are shared


def test_a_damaged_built_set_is_refused_before_anything_is_stored(desk: Desk, built: Path) -> None:
    picture = next((built / "night-3" / "images").rglob("*.png"))
    picture.write_bytes(picture.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=picture.name) as failure:
        desk.evaluate(built=(built,))
    assert failure.value.exit_code == 5
    assert desk.cells == {}


def test_a_recorded_set_is_a_column_with_the_numbers_it_has_as_data_of_its_own(
    new_desk: Callable[[str], Desk], material: Path
) -> None:
    desk, alone = new_desk("desk"), new_desk("alone")
    (plain,) = desk.evaluate().evidence.candidates
    evaluation = desk.evaluate(recorded={"real_dusk": material / "dusk.json"})
    evidence, (measured,) = evaluation.evidence, evaluation.evidence.candidates
    (column,) = [v for v in evidence.suite.variants if v.recorded]
    assert (column.name, column.severity, column.n_images, column.n_objects) == ("real_dusk", 0, 7, 6)
    (cell,) = [c for c in measured.cells if c.variant == "real_dusk"]
    (judge,) = alone.evaluate(data=material / "dusk.json").evidence.candidates
    wanted = next(c for c in judge.cells if (c.split, c.variant) == ("test", CLEAN))
    assert (cell.split, cell.key, cell.coco, cell.n_detections) == (
        "test",
        wanted.key,
        wanted.coco,
        wanted.n_detections,
    )
    assert cell.n_detections > 0
    assert measured.robustness == plain.robustness  # no part in any mean
    assert [c for c in measured.cells if c is not cell] == list(plain.cells)
    assert evaluation.filled.n_computed == 1  # the others were there
    metrics = desk.store.run(evaluation.run_ids["tiny"]).metrics
    assert metrics.get("real_dusk/AP50") == cell.coco.AP50


def test_it_survives_the_sweep_and_the_report(desk: Desk, material: Path, tmp_path: Path) -> None:
    desk.evaluate(recorded={"real_dusk": material / "dusk.json"}, trained_on=("light",))
    (swept,) = sweep_evaluations(desk.store, SweepPlan(), experiment="robust", run_ids=(), output=tmp_path / "sweep")
    (curve,) = [c for c in swept.candidate.sweep.curves if c.variant == "real_dusk"]
    assert (curve.split, curve.n_images, curve.n_objects) == ("test", 7, 6)
    assert b"real_dusk, recorded" in (tmp_path / "sweep" / "tiny" / "sweep.svg").read_bytes()
    evidence = collect_evidence(experiment="robust", run_ids=(), tracking_uri=desk.store.tracking_uri)
    assert [v.name for v in evidence.suite.variants if v.recorded] == ["real_dusk"]
    assert {v.name: v.trained_on for v in evidence.suite.variants}["night/3"]
    report = write_report(evidence, read_policy(), read_card(), tmp_path / "report")
    page = report.html.read_text(encoding="utf-8")
    assert "real_dusk (recorded)" in page
    assert "night/3 (seen in training)" in page


def test_images_shared_with_what_was_selected_on_are_counted(desk: Desk, material: Path) -> None:
    path = material / "reused.yaml"
    path.write_text("test: images/val\nnames: [person]\n", encoding="utf-8")
    leaks = desk.evaluate(recorded={"real_dusk": path}).evidence.data.leakage
    assert {leak.splits: leak.n_identical for leak in leaks} == {
        ("test", "val"): 0,
        ("test", "real_dusk"): 0,
        ("val", "real_dusk"): 5,
    }


def test_the_judged_split_itself_is_no_recorded_set(desk: Desk, material: Path) -> None:
    with pytest.raises(UsageError, match="'same' is the split 'test' itself") as failure:
        desk.evaluate(recorded={"same": material / "data.yaml"})
    assert failure.value.exit_code == 2
    assert desk.cells == {}


def test_images_shared_with_the_judged_split_are_counted(desk: Desk, material: Path, tmp_path: Path) -> None:
    """Two of the seven recorded images have the very bytes of two of test."""
    dusk = small_dataset(tmp_path / "dusk", 7, "dusks")
    for theirs, ours in zip(dusk.images, load_dataset(material / "data.yaml", "test").images[:2], strict=False):
        theirs.path.write_bytes(ours.path.read_bytes())
    write_coco(dusk, tmp_path / "partly.json")
    leaks = desk.evaluate(recorded={"partly": tmp_path / "partly.json"}).evidence.data.leakage
    assert {leak.splits: leak.n_identical for leak in leaks}["test", "partly"] == 2


def test_what_was_declared_as_trained_on_is_kept_although_the_suite_lacks_it(desk: Desk) -> None:
    suite = desk.evaluate(trained_on=("fog",)).evidence.suite
    assert suite.trained_on == ("fog",)
    assert not any(v.trained_on for v in suite.variants)


def test_no_logged_metric_of_the_suite_begins_with_an_allowed_name(desk: Desk) -> None:
    (measured,) = desk.evaluate().evidence.candidates
    prefixes = {name.partition("/")[0] for name in flat_metrics(measured)}
    assert {"worst_mean", "operating_point", "night", "val"} <= prefixes
    for prefix in prefixes:
        with pytest.raises(UsageError, match="cannot be called"):
            desk.evaluate(recorded={prefix: desk.material / "dusk.json"})


def test_a_name_has_at_most_40_letters(desk: Desk) -> None:
    with pytest.raises(UsageError, match="too long"):
        desk.evaluate(recorded={"a" * 41: desk.material / "dusk.json"})
    assert desk.evaluate(recorded={"a" * 40: desk.material / "dusk.json"}).evidence.suite.variants[-1].name == "a" * 40


@pytest.mark.parametrize(
    "name", ["night", "Clean", "val", "mPC", "worst_mean", "mean", "core", "train", "real-dusk", "1st", "", "a/b"]
)
def test_names_that_mean_something_else_are_refused(desk: Desk, material: Path, name: str) -> None:
    with pytest.raises(UsageError):
        desk.evaluate(recorded={name: material / "dusk.json"})


def test_two_names_that_differ_by_case_only_are_refused(desk: Desk, material: Path) -> None:
    with pytest.raises(UsageError, match="another recorded set"):
        desk.evaluate(recorded={"dusk": material / "dusk.json", "Dusk": material / "dusk.json"})


def _other_class(dataset: Dataset) -> Dataset:
    return replace(dataset, categories=(Category(1, "people"),))


def _more_classes(dataset: Dataset) -> Dataset:
    return replace(dataset, categories=(Category(1, "person"), Category(2, "car")))


@pytest.mark.parametrize("change", [_other_class, _more_classes])
def test_other_classes_are_refused(desk: Desk, tmp_path: Path, change: Callable[[Dataset], Dataset]) -> None:
    write_coco(change(small_dataset(tmp_path / "dusk", 3, "dusks")), tmp_path / "dusk.json")
    with pytest.raises(DataError, match="other classes"):
        desk.evaluate(recorded={"real_dusk": tmp_path / "dusk.json"})


def test_bad_labels_and_a_missing_split_are_told_as_of_the_main_data(desk: Desk, material: Path) -> None:
    with pytest.raises(DataError, match="no split 'test'"):
        only_val = material / "only_val.yaml"
        only_val.write_text("val: images/val\nnames: [person]\n", encoding="utf-8")
        desk.evaluate(recorded={"real_dusk": only_val})
    folder = material / "wrong"
    small_dataset(folder / "images" / "test", 2)
    (folder / "labels" / "test").mkdir(parents=True)
    (folder / "labels" / "test" / "test001.txt").write_text("3 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    (folder / "data.yaml").write_text("test: images/test\nnames: [person]\n", encoding="utf-8")
    with pytest.raises(RobustError) as failure:
        desk.evaluate(recorded={"real_dusk": folder / "data.yaml"})
    assert "test001.txt" in str(failure.value)
