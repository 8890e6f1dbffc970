"""``robust eval --predictions``: detections that any tool made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from robust.cli import robust
from robust.corruptions.apply import corrupt
from robust.corruptions.registry import get, make_variant, names
from robust.datasets.load import load_dataset
from robust.eval.engine.tables import read_predictions
from robust.eval.evaluate_results import keeps_labels
from robust.eval.metrics.records import CocoMetrics
from robust.eval.tracking.store import Store
from tests.corruptions.street import hard_street
from tests.eval.fakes import save_tiny_weights, write_data_yaml
from tests.eval.metrics.builders import shared_reference

METRICS = tuple(CocoMetrics.model_fields)
R1 = (
    *(0.5045806987249628, 0.6969727247299577, 0.5729816669904824),
    *(0.5856257209410443, 0.5193996948036719, 0.5013978986347466),
    *(0.38681277964578054, 0.5936795762842003, 0.595352982877607),
    *(0.6398109626113442, 0.5664205978994309, 0.5642905982905982),
)
"""AP ... ARl of case R1, as pycocotools 2.0.11 gives them."""
R1_PERSON = (
    *(0.5326060142444453, 0.7883423914530756, 0.5959104841563797, 0.545926654861045, 0.5436632425432208),
    *(0.5201009438284081, 0.1552, 0.5884, 0.604, 0.6100917431192661, 0.5960526315789474, 0.6030769230769232),
)


@pytest.fixture(autouse=True)
def store_here(empty_database: Path, in_a_folder_of_its_own: None) -> None:
    shutil.copyfile(empty_database, "mlflow.db")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(robust, ["--quiet", *map(str, arguments)])


def evidence(*arguments: object) -> dict[str, Any]:
    result = run("eval", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout)["evidence"])


def cells(candidate: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(cell["split"], cell["variant"]): cell for cell in candidate["cells"]}


def numbers(cell: dict[str, Any]) -> list[float]:
    return [np.nan if cell["coco"][name] is None else cell["coco"][name] for name in METRICS]


def write(path: str, values: object) -> Path:
    Path(path).write_text(json.dumps(values), encoding="utf-8")
    return Path(path)


def make_case(seed: int = 0, *, shift: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Labels of twelve images that nobody has, two classes and crowds, and detections that are often right."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    found = []
    for image in range(12):
        for _ in range(int(rng.integers(0, 5))):
            x, y, w, h = (float(v) for v in (*rng.integers(0, 300, 2), *rng.integers(15, 150, 2)))
            category = int(rng.choice([1, 3]))
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image + shift, "category_id": category,
                 "bbox": [x, y, w, h], "area": w * h * 0.7, "iscrowd": int(rng.random() < 0.1)}
            )  # fmt: skip
            for _ in range(int(rng.integers(0, 3))):
                box = [round(v + float(rng.normal(0, 4)), 2) for v in (x, y, w, h)]
                score = round(float(rng.random()), 2)
                label = category if rng.random() < 0.8 else int(rng.choice([1, 3, 77]))
                found.append({"image_id": image + shift, "category_id": label, "bbox": box, "score": score})
    images = [
        {"id": i + shift, "file_name": f"nowhere/{i + shift}.jpg", "width": 640, "height": 480} for i in range(12)
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 3, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}, found


def weaker(found: list[dict[str, Any]], seed: int = 5) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [{**one, "score": round(one["score"] * float(rng.random()), 3)} for one in found if rng.random() < 0.7]


@pytest.fixture
def study() -> list[dict[str, Any]]:
    """Labels in val.json and test.json, data.yaml over both, detections on test in a.json; they are returned, too."""
    labels, found = make_case()
    val, on_val = make_case(1, shift=100)
    write("test.json", labels)
    write("val.json", val)
    Path("data.yaml").write_text("val: val.json\ntest: test.json\n", encoding="utf-8")
    write("a.json", found)
    write("a_val.json", on_val)
    return found


def test_the_published_case_comes_out_to_the_last_digit_and_makes_a_report() -> None:
    labels = shared_reference("instances_val2014_100.json")
    found = shared_reference("instances_val2014_fakebbox100_results.json")
    (candidate,) = evidence("--predictions", found, "--data", labels)["candidates"]
    np.testing.assert_allclose(numbers(cells(candidate)["test", "clean"]), R1, rtol=0, atol=1e-12)
    report = run("report", "--experiment", "robust", "-o", "report")
    assert report.exit_code == 0, report.output
    assert "instances_val2014_fakebbox100_results" in Path("report/report.md").read_text(encoding="utf-8")


def test_the_published_case_of_one_class_ignores_detections_of_the_others() -> None:
    labels = json.loads(shared_reference("instances_val2014_100.json").read_text(encoding="utf-8"))
    found = shared_reference("instances_val2014_fakebbox100_results.json")
    labels["categories"] = [c for c in labels["categories"] if c["id"] == 1]
    labels["annotations"] = [a for a in labels["annotations"] if a["category_id"] == 1]
    result = run("eval", "--predictions", found, "--data", write("person.json", labels), "--json")
    (candidate,) = json.loads(result.stdout)["evidence"]["candidates"]
    cell = cells(candidate)["test", "clean"]
    np.testing.assert_allclose(numbers(cell), R1_PERSON, rtol=0, atol=1e-12)
    assert cell["n_detections"] == 201
    assert "533 detections left out" in result.stderr


def test_numbers_are_those_of_pycocotools_without_any_image(
    study: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    (candidate,) = evidence("--predictions", "a.json", "--data", "test.json")["candidates"]
    truth = COCO("test.json")
    judge = COCOeval(truth, truth.loadRes("a.json"), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    expected = np.where(judge.stats < 0, np.nan, judge.stats)
    np.testing.assert_allclose(numbers(cells(candidate)["test", "clean"]), expected, rtol=0, atol=1e-12)
    assert 0.1 < expected[0] < 0.9


def test_where_detections_came_from_is_in_the_evidence_and_in_the_run(study: list[dict[str, Any]]) -> None:
    found = evidence("--predictions", "a.json", "--data", "test.json", "--experiment", "mine")
    (candidate,) = found["candidates"]
    assert (found["experiment"], found["suite"]["name"], found["suite"]["variants"]) == (
        ("mine", "core (0 of 15 variants)", [])
    )
    assert [candidate[key] for key in ("parameters", "imgsz", "weights_bytes", "training")] == [None] * 4
    inference = candidate["inference"]
    assert inference["source"] == "COCO results"
    assert inference["file of test clean"] == "a.json"
    assert inference["sha256 of test clean"] == candidate["weights_sha256"]
    assert inference["lowest score of test clean"] == min(one["score"] for one in study)
    assert inference["detections of other categories in test clean"] == sum(o["category_id"] == 77 for o in study)
    store = Store.open("sqlite:///mlflow.db")
    (logged,) = store.runs("mine", kind="eval")
    assert (logged.status, logged.parent_run_id, logged.params["source"]) == ("FINISHED", None, "COCO results")
    assert logged.metrics["clean/AP50"] == cells(candidate)["test", "clean"]["coco"]["AP50"]


def test_a_finished_evaluation_is_found_again_and_another_file_is_another_run(study: list[dict[str, Any]]) -> None:
    command = ("eval", "--predictions", "a.json", "--data", "test.json", "--json")
    first, again = json.loads(run(*command).stdout), json.loads(run(*command).stdout)
    assert first == again
    write("a.json", study[:-1])
    other = json.loads(run(*command).stdout)
    assert other["run_ids"] != first["run_ids"]


def test_a_threshold_is_chosen_on_val_and_everything_goes_into_a_report(study: list[dict[str, Any]]) -> None:
    files = ("--predictions", "val=a_val.json", "--predictions", "test=a.json")
    found = evidence(*files, "--data", "data.yaml", "--experiment", "people")
    (candidate,) = found["candidates"]
    assert candidate["name"] == "a"
    assert [tuple(key) for key in cells(candidate)] == [("test", "clean"), ("val", "clean")]
    choice = candidate["sweep"]["choice"]
    assert choice["chosen_on"] == "val"
    assert choice["threshold"] is not None
    assert [split["split"] for split in found["data"]["splits"]] == ["test", "val"]
    sweep = run("sweep", "--experiment", "people")
    assert sweep.exit_code == 0, sweep.output
    report = run("report", "--experiment", "people", "-o", "report")
    assert report.exit_code == 0, report.output
    gate = run("gate", "--experiment", "people")
    assert gate.exit_code in (3, 4), gate.output


def test_several_detectors_are_compared_with_a_baseline_in_pairs(study: list[dict[str, Any]]) -> None:
    write("b.json", weaker(study))
    write("old.json", weaker(study, 6))
    files = ("--predictions", "a.json", "--predictions", "b.json", "--data", "test.json", "--experiment", "x")
    found = evidence(*files, "--baseline", "old.json")
    assert [(c["name"], c["role"]) for c in found["candidates"]] == [
        *(("a", "candidate"), ("b", "candidate")),
        ("old", "baseline"),
    ]
    a, b, old = found["candidates"]
    assert a["baseline_sha256"] == b["baseline_sha256"] == old["weights_sha256"]
    pairs = {(p["first"], p["second"]) for p in found["comparisons"]["against_baseline"]}
    keys = {c["name"]: f"{c['role']}:{c['weights_sha256']}:0" for c in found["candidates"]}
    assert pairs == {(keys["a"], keys["old"]), (keys["b"], keys["old"])}
    report = run("report", "--experiment", "x", "-o", "report")
    assert report.exit_code == 0, report.output


def test_a_baseline_may_be_one_of_the_named_detectors_or_know_less_than_the_candidates(
    study: list[dict[str, Any]],
) -> None:
    old, old_val = (
        write("old.json", weaker(study)),
        write("old_val.json", weaker(json.loads(Path("a_val.json").read_text()))),
    )
    night = write("night.json", weaker(study, 9))
    data = ("--data", "data.yaml")
    named = evidence(
        *("--predictions", "a:val=a_val.json", "--predictions", "a:test=a.json", *data),
        *("--predictions", f"old:val={old_val}", "--predictions", f"old:test={old}", "--baseline", "old"),
    )
    assert [(c["name"], c["role"], len(c["cells"])) for c in named["candidates"]] == [
        *(("a", "candidate", 2), ("old", "baseline", 2)),
    ]
    less = evidence(
        *("--predictions", "val=a_val.json", "--predictions", "test=a.json", *data),
        *("--variant", f"night/3={night}", "--baseline", old, "--experiment", "less"),
    )
    assert [(c["name"], c["role"], len(c["cells"])) for c in less["candidates"]] == [
        *(("a", "candidate", 3), ("old", "baseline", 1)),
    ]
    table = run("eval", "--predictions", "val=a_val.json", "--predictions", "test=a.json", *data,
                "--variant", f"night/3={night}", "--baseline", old, "--experiment", "less")  # fmt: skip
    assert table.stdout.splitlines()[0].split()[:4] == ["name", "role", "test", "AP50"]
    assert table.stdout.splitlines()[2].split()[5] == "-"  # after the test value and its interval
    report = run("report", "--experiment", "less", "-o", "report")
    assert report.exit_code == 0, report.output


def test_files_without_a_name_with_one_stem_belong_together(study: list[dict[str, Any]]) -> None:
    for folder, split in (("v", "a_val.json"), ("t", "a.json")):
        Path(folder).mkdir()
        found = json.loads(Path(split).read_text())
        write(f"{folder}/x.json", found)
        write(f"{folder}/y.json", weaker(found))
    files = [word for split in ("v", "t") for name in "xy" for word in ("--predictions", f"{split}/{name}.json")]
    files = [w if w == "--predictions" else f"{'val' if w[0] == 'v' else 'test'}={w}" for w in files]
    found = evidence(*files, "--data", "data.yaml")
    assert [(c["name"], len(c["cells"])) for c in found["candidates"]] == [("x", 2), ("y", 2)]


def test_a_variant_that_keeps_the_labels_is_measured_with_those_of_the_clean_images(
    study: list[dict[str, Any]],
) -> None:
    write("night.json", weaker(study))
    night = evidence("--predictions", "a.json", "--data", "test.json", "--variant", "night/3=night.json")
    (candidate,) = night["candidates"]
    (alone,) = evidence("--predictions", "night.json", "--data", "test.json")["candidates"]
    assert cells(candidate)["test", "night/3"]["coco"] == cells(alone)["test", "clean"]["coco"]
    assert night["suite"]["name"] == "core (1 of 15 variants)"
    assert [v["name"] for v in night["suite"]["variants"]] == ["night/3"]
    assert night["suite"]["variants"][0]["recipe_sha256"] == make_variant("night", 3).sha256
    other = evidence("--predictions", "a.json", "--data", "test.json", "--variant", "night/3=night.json", "--seed", 4)
    assert other["suite"]["variants"][0]["recipe_sha256"] == make_variant("night", 3, seed=4).sha256


def test_a_variant_that_adds_people_needs_the_labels_of_its_built_set() -> None:
    data = write_data_yaml(Path("d"))
    suite = Path("mine.yaml")
    suite.write_text("corruptions: [crowd, night]\nseverities: [3]\n", encoding="utf-8")
    assert run("variants", "build", data, "built", "--suite", suite).exit_code == 0
    dataset = load_dataset(data, "test")
    crowd = [corrupt(dataset, i, make_variant("crowd", 3)).annotations for i in range(len(dataset))]
    clean = exported(dataset.images, dataset.annotations)
    all_found = write("crowd.json", exported(dataset.images, crowd))
    assert len(json.loads(all_found.read_text())) > len(clean)
    command = ("--predictions", write("clean.json", clean), "--data", data, "--suite", suite,
               "--variant", f"crowd/3={all_found}")  # fmt: skip
    refused = run("eval", *command)
    assert refused.exit_code == 2
    assert "crowd adds, hides or moves objects" in refused.stderr
    assert "--variant DIR" in refused.stderr
    found = evidence(*command, "--variant", "built")
    (candidate,) = found["candidates"]
    cell = cells(candidate)["test", "crowd/3"]
    assert cell["coco"]["AR100"] == 1.0  # everybody is found, the added ones too
    (variant,) = found["suite"]["variants"]
    assert variant["n_objects"] + variant["n_ignored"] == sum(len(one) for one in crowd)
    picture = next(Path("built/crowd-3/images/test").iterdir())
    picture.write_bytes(b"other")
    assert run("eval", *command, "--variant", "built").exit_code == 5


def exported(images: Any, annotations: Any) -> list[dict[str, Any]]:
    """Labels as the detections of somebody who sees everything; what to ignore is not detected."""
    return [
        {"image_id": image.id, "category_id": int(category), "bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.9}
        for image, objects in zip(images, annotations, strict=True)
        for category, (x1, y1, x2, y2), ignored in zip(
            objects.category_ids, objects.boxes.tolist(), objects.iscrowd, strict=True
        )
        if not ignored
    ]


def test_our_own_detections_give_the_same_numbers_when_they_come_back_as_files() -> None:
    data, weights = write_data_yaml(Path("d"), 4), save_tiny_weights(Path("tiny.pt"))
    Path("mine.yaml").write_text("corruptions: [night]\nseverities: [3]\n", encoding="utf-8")
    common = ("--data", data, "--suite", "mine.yaml")
    result = run("eval", "--weights", weights, *common, "--imgsz", 64, "--executor", "local", "--json")
    assert result.exit_code == 0, result.stderr
    own = json.loads(result.stdout)
    (run_id,) = own["run_ids"].values()
    store = Store.open("sqlite:///mlflow.db")
    store.download(run_id, "robust/predictions", Path("stored"))
    for name in ("clean", "val-clean", "night-3"):
        found = read_predictions(Path("stored/robust/predictions") / f"{name}.parquet")
        rows = zip(found.image_index, found.category_ids, found.boxes.tolist(), found.scores, strict=True)
        entries = [
            {
                "image_id": int(found.image_ids[i]),
                "category_id": int(c),
                "bbox": [a, b, x - a, y - b],
                "score": float(s),
            }
            for i, c, (a, b, x, y), s in rows
        ]
        assert entries
        write(f"{name}.json", entries)
    files = (
        "--predictions",
        "val=val-clean.json",
        "--predictions",
        "test=clean.json",
        "--variant",
        "night/3=night-3.json",
    )
    (theirs,) = evidence(*files, *common, "--experiment", "files")["candidates"]
    (ours,) = own["evidence"]["candidates"]
    assert cells(theirs).keys() == cells(ours).keys()
    for place, cell in cells(ours).items():
        np.testing.assert_allclose(numbers(cells(theirs)[place]), numbers(cell), rtol=0, atol=1e-12)
        assert cells(theirs)[place]["miss_rate"] == pytest.approx(cell["miss_rate"], abs=1e-12)
    assert theirs["sweep"]["choice"] == ours["sweep"]["choice"]
    assert [curve["tp"] for curve in theirs["sweep"]["curves"]] == [curve["tp"] for curve in ours["sweep"]["curves"]]
    assert [r["mPC"] for r in theirs["robustness"]] == pytest.approx([r["mPC"] for r in ours["robustness"]], abs=1e-12)


@pytest.mark.parametrize("name", names())
def test_clean_labels_are_taken_only_for_corruptions_that_leave_them_alone(name: str) -> None:
    """Whoever adds a corruption that adds, hides or moves objects under a known cause is told here."""
    street, variant = hard_street(), make_variant(name, 5)
    dataset = street.dataset
    changed = False
    for i, clean in enumerate(dataset.annotations):
        made = corrupt(dataset, i, variant, source=street.source).annotations
        fields = ("boxes", "category_ids", "ids", "iscrowd", "area", "visible")
        changed |= not all(np.array_equal(getattr(made, field), getattr(clean, field)) for field in fields)
    assert keeps_labels(variant) == (not changed), get(name).cause


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--predictions", "none.json"), ("none.json: there is no such file",)),
        (("--predictions", "test.json"), ("an annotation file", "--data")),
        (("--predictions", "test="), ("names no file", "test=results.json")),
        (("--predictions", "val=a.json"), ("no detections on 'test'", ":test=FILE")),
        (("--predictions", "train=a.json", "--predictions", "a.json"), ("split 'train'", "--split train")),
        (("--predictions", "x:test=a.json", "--predictions", "x:test=a_val.json"), ("two files for test", "NAME:")),
        (("--predictions", "a.json", "--predictions", "x:test=a.json"), ("a and x have the same detections",)),
        (
            ("--predictions", "x:test=a.json", "--predictions", "x:val=a_val.json", "--predictions", "b.json"),
            ("b has no detections on split val, but x has",),
        ),
        (("--predictions", "a.json", "--weights", "w.pt"), ("--weights and --predictions",)),
        (("--predictions", "a.json", "--imgsz", "64"), ("--imgsz and --predictions",)),
        (("--predictions", "a.json", "--variant", "nigth/3=b.json"), ("'nigth/3'", "night/3", "Did you mean")),
        (("--predictions", "a.json", "--variant", "night/9=b.json"), ("'night/9'", "Known: ")),
        (("--predictions", "a.json", "--variant", "jpeg/3=b.json"), ("variant of suite core", "crowd/1")),
        (("--predictions", "a.json", "--variant", "occlusion/3=b.json"), ("occlusion adds, hides", "--variant DIR")),
        (("--predictions", "a.json", "--variant", "real=data.yaml"), ("must be a folder or VARIANT=FILE",)),
        (("--predictions", "a.json", "--variant", "z:night/3=b.json"), ("no detector 'z'",)),
        (
            ("--predictions", "a.json", "--predictions", "b.json", "--variant", "night/3=b.json"),
            ("not told whose", "--variant a:night/3=b.json"),
        ),
        (("--predictions", "a.json", "--variant", "."), ("gives the labels of variants, but no detections",)),
        (("--predictions", "a.json", "--baseline", "nobody"), ("no such file", "Detectors are a")),
        (("--predictions", "a.json", "--baseline", "a.json"), ("Two detectors are called 'a'",)),
    ],
)
def test_mistakes_are_told_in_three_lines(
    study: list[dict[str, Any]], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    write("b.json", weaker(study))
    result = run("eval", *arguments, "--data", "data.yaml")
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) <= 3
    for word in words:
        assert word in result.stderr
    assert Store.open("sqlite:///mlflow.db").experiments() in ((), ("Default",))


def test_a_wrong_entry_stops_before_anything_is_logged(study: list[dict[str, Any]]) -> None:
    write("a.json", [*study, {**study[0], "score": 93}])
    result = run("eval", "--predictions", "a.json", "--data", "test.json")
    assert result.exit_code == 2
    assert f"a.json: entry [{len(study)}]: score 93" in result.stderr
    assert Store.open("sqlite:///mlflow.db").experiments() in ((), ("Default",))


def test_a_threshold_is_not_chosen_on_the_images_that_judge(study: list[dict[str, Any]]) -> None:
    Path("data.yaml").write_text("val: test.json\ntest: test.json\n", encoding="utf-8")
    files = ("--predictions", "val=a.json", "--predictions", "test=a.json")
    result = run("eval", *files, "--data", "data.yaml")
    assert result.exit_code == 2
    assert "Splits 'val' and 'test' have the same images and labels." in result.stderr


def test_a_file_that_was_cut_off_is_noted(study: list[dict[str, Any]]) -> None:
    write("a.json", [one for one in study if one["score"] >= 0.4])
    result = run("eval", "--predictions", "a.json", "--data", "test.json")
    assert result.exit_code == 0
    assert "Note: a.json: No score is below 0.4" in result.stderr
    assert result.stderr.strip().splitlines()[-1].endswith("Next: robust report --experiment robust -o report")
    assert run("report", "--experiment", "robust", "-o", "report").exit_code == 0
    assert "scores of a below 0.4 on test clean" in Path("report/report.md").read_text(encoding="utf-8")
