"""A whole study from the command line: train, eval, sweep, report, gate, verify."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from robust.cli import robust
from robust.eval.tracking.store import Store
from tests.eval.tiny_study import write_data, write_weights


class Study:
    """Two seeds of one configuration, trained and evaluated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
        self.data = write_data(folder / "data", n_test=5)
        self.weights = write_weights(folder / "tiny.pt")
        grid = ("--imgsz", 64, "--epochs", 1, "--batch", 2, "--seed", 1, "--seed", 2)
        self.trained = self.must("train", "--data", self.data, "--model", self.weights, *grid, "--experiment", "tiny")
        self.evaluated = self.evaluate()

    def run(self, command: str, *arguments: object) -> Result:
        return CliRunner().invoke(robust, [command, *map(str, arguments), "--tracking-uri", self.uri, "--json"])

    def must(self, command: str, *arguments: object) -> dict:
        result = self.run(command, *arguments)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def evaluate(self, *named: object) -> dict:
        named = named or ("--experiment", "tiny")
        fixed = ("--severity", 3, "--executor", "local", "--cache-dir", self.folder / "cache")
        return self.must("eval", *named, "--data", self.data, *fixed)

    @property
    def run_ids(self) -> dict[str, str]:
        return {candidate["name"]: candidate["run_id"] for candidate in self.trained["candidates"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"))


pytestmark = pytest.mark.slow


def test_starting_weights_are_the_baseline_without_being_asked_for(study: Study) -> None:
    candidates = study.evaluated["evidence"]["candidates"]
    assert [(c["name"], c["role"], c["baseline"], c["seed"]) for c in candidates] == [
        ("tiny_e1_sz64_lr0.01_s1", "candidate", "tiny@64", 1),
        ("tiny_e1_sz64_lr0.01_s2", "candidate", "tiny@64", 2),
        ("tiny@64", "baseline", None, None),
    ]
    assert candidates[0]["configuration"]["lr0"] == 0.01
    assert len(candidates[0]["training"]["val_map"]) == 1


def test_evaluation_is_a_child_and_leaves_the_training_run_as_it_was(study: Study) -> None:
    store = Store.open(study.uri)
    for name, run_id in study.run_ids.items():
        child = store.run(study.evaluated["run_ids"][name])
        assert child.parent_run_id == run_id and child.tags["robust.source_run_id"] == run_id
        assert not [key for key in store.run(run_id).metrics if key.startswith("clean/")]
        assert "robust" not in {artifact.path for artifact in store.list_artifacts(run_id)}


def test_evaluating_again_by_run_id_reuses_everything(study: Study) -> None:
    name, run_id = next(iter(study.run_ids.items()))
    again = study.evaluate("--run-id", run_id)
    assert again["run_ids"][name] == study.evaluated["run_ids"][name]


def test_sweep_is_told_printed_and_stored_without_a_model(study: Study, tmp_path: Path) -> None:
    swept = study.must("sweep", "--experiment", "tiny", "--from", 0.3, "--to", 0.5, "--step", 0.1, "-o", tmp_path / "s")
    assert len(swept) == 3
    assert swept[0]["sweep"]["curves"][0]["thresholds"] == [0.3, 0.4, 0.5]
    names = {path.name for path in (tmp_path / "s" / "tiny_e1_sz64_lr0.01_s1").iterdir()}
    tuning = {"tuning.html", "tuning.md", "tuning.csv"}
    assert names == {"evidence.json", "sweep.csv", "sweep.json", "sweep.svg", *tuning}
    assert tuning <= {path.name for path in (tmp_path / "s").iterdir()}
    together = (tmp_path / "s" / "tuning.csv").read_text(encoding="utf-8")
    assert all(one["run_id"] in together for one in swept)
    artifacts = {a.path for a in Store.open(study.uri).list_artifacts(swept[0]["run_id"], "robust")}
    assert {"robust/sweep.csv", "robust/sweep.json", "robust/sweep.svg", "robust/tuning.html"} <= artifacts
    assert manifest_holds(Store.open(study.uri), swept[0]["run_id"], tmp_path / "m")
    strict = study.must(
        "sweep", "--run-id", next(iter(study.run_ids.values())), "--min-precision", 1, "--min-recall", 1
    )
    choice = strict[0]["sweep"]["choice"]
    assert choice["threshold"] is None and choice["reason"]


def test_a_sweep_in_french_stores_and_writes_french_reports_and_the_same_numbers(study: Study, tmp_path: Path) -> None:
    thresholds = ("--experiment", "tiny", "--from", 0.3, "--to", 0.5, "--step", 0.1)
    english = study.must("sweep", *thresholds, "-o", tmp_path / "en")
    french = study.run("sweep", *thresholds, "--lang", "fr", "-o", tmp_path / "fr")
    assert french.exit_code == 0 and json.loads(french.stdout) == english, "records for programs know no language"
    assert "stayed English" not in french.stderr
    names = [path.relative_to(tmp_path / "en") for path in (tmp_path / "en").rglob("*.*") if path.is_file()]
    assert len(names) == 3 + 3 * 7
    for name in names:
        same = (tmp_path / "fr" / name).read_bytes() == (tmp_path / "en" / name).read_bytes()
        assert same == (name.name not in {"tuning.html", "tuning.md"}), name
    store, run_id = Store.open(study.uri), english[0]["run_id"]
    stored = store.download(run_id, "robust/tuning.html", tmp_path / "stored")
    assert stored is not None and stored.read_text(encoding="utf-8").count('<html lang="fr">') == 1
    assert manifest_holds(store, run_id, tmp_path / "m")
    study.must("sweep", "--experiment", "tiny")


def test_the_language_of_a_sweep_comes_from_the_environment_too(study: Study, tmp_path: Path) -> None:
    arguments = ["sweep", "--experiment", "tiny", "--tracking-uri", study.uri, "-o", str(tmp_path)]
    done = CliRunner(env={"ROBUST_SWEEP_LANG": "fr"}).invoke(robust, arguments)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "tuning.md").read_text(encoding="utf-8").startswith("# Ajustement du seuil\n")
    study.must("sweep", "--experiment", "tiny")


def manifest_holds(store: Store, run_id: str, folder: Path) -> bool:
    """Whether every file of the run has the hash that its manifest says."""
    root = store.download(run_id, "robust", folder)
    assert root is not None
    hashes = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    return all(hashlib.sha256((root / name).read_bytes()).hexdigest() == value for name, value in hashes.items())


def test_differently_swept_candidates_are_not_put_side_by_side(study: Study, tmp_path: Path) -> None:
    study.must("sweep", "--experiment", "tiny")
    study.must("sweep", "--run-id", next(iter(study.run_ids.values())), "--min-precision", 0.9)
    refused = study.run("report", "--experiment", "tiny", "-o", tmp_path / "r")
    assert refused.exit_code == 2 and "robust sweep" in refused.stderr
    assert len(study.evaluate()["evidence"]["candidates"]) == 3, "measuring goes on; only the decision needs one rule"
    study.must("sweep", "--experiment", "tiny")


def test_report_comes_from_the_store_rejects_what_finds_nothing_and_verifies(study: Study, tmp_path: Path) -> None:
    written = study.must("report", "--experiment", "tiny", "-o", tmp_path / "report")
    (clean,) = [gate for gate in written["decision"]["gates"] if gate["gate"] == "clean AP50"]
    assert (clean["estimate"]["value"], clean["outcome"]) == (0.0, "FAIL")
    assert clean["estimate"]["high"] == pytest.approx(1 - 0.025 ** (1 / 5), abs=1e-4)  # nothing found in 5 images
    assert written["decision"]["verdict"] == "REJECT" and "clean AP50" in written["decision"]["reason"]
    stored = Store.open(study.uri).run(written["run_id"])
    assert stored.tags["robust.decision"] == "REJECT" and stored.tags["robust.kind"] == "report"
    again = study.must("report", "--experiment", "tiny", "-o", tmp_path / "again")
    assert again["sha256"] == written["sha256"] and again["run_id"] == written["run_id"]
    french = study.must("report", "--experiment", "tiny", "--lang", "fr", "-o", tmp_path / "french")
    assert french["run_id"] != written["run_id"] and french["decision"] == written["decision"]
    assert 'lang="fr"' in (tmp_path / "french" / "report.html").read_text(encoding="utf-8")
    assert CliRunner().invoke(robust, ["verify", str(tmp_path / "french")]).exit_code == 0
    verified = CliRunner().invoke(robust, ["verify", str(tmp_path / "report")])
    assert verified.exit_code == 0
    evidence = json.loads((tmp_path / "report" / "evidence.json").read_text(encoding="utf-8"))
    assert evidence["policy_sha256"] == written["decision"]["policy_sha256"]
    audited = evidence["audit"]
    assert audited["n_runs"] >= 2 and "best-epoch-last" in str(audited)
    assert "leakage" in audited["rules"] and "leakage" not in audited["not_checked"], (
        "the evaluation compared the splits"
    )
    assert study.run("gate", "--experiment", "tiny").exit_code == 3


def test_the_audit_of_a_study_holds_declared_images_against_the_data(study: Study) -> None:
    audited = study.must("audit", "--experiment", "tiny", "--data", study.data, "--declared", "test=128")
    (wrong,) = [one for one in audited["findings"] if one["rule"] == "split-counts"]
    assert (wrong["severity"], set(wrong["numbers"].values()) >= {128, 5}) == ("error", True)
    assert all(Store.open(study.uri).run(i).tags["robust.ultralytics"] for i in study.run_ids.values())


@pytest.mark.parametrize("declared", ["train", "train=", "=4", "train=many", "nowhere=3"])
def test_a_declaration_that_cannot_be_read_is_refused(study: Study, declared: str) -> None:
    result = study.run("audit", "--experiment", "tiny", "--data", study.data, "--declared", declared)
    assert result.exit_code == 2 and declared.partition("=")[0] in result.stderr


def test_report_on_one_run_leaves_the_others_out(study: Study, tmp_path: Path) -> None:
    name, run_id = next(iter(study.run_ids.items()))
    study.must("report", "--run-id", run_id, "-o", tmp_path / "one")
    evidence = json.loads((tmp_path / "one" / "evidence.json").read_text(encoding="utf-8"))
    assert [c["name"] for c in evidence["candidates"]] == [name, "tiny@64"]


def test_gate_on_a_run_that_was_not_evaluated_is_refused(study: Study) -> None:
    store = Store.open(study.uri)
    forgotten = store.create_run(store.experiment("tiny"), "forgotten", tags={"robust.kind": "train"})
    store.finish(forgotten)
    result = study.run("gate", "--run-id", next(iter(study.run_ids.values())), "--run-id", forgotten)
    assert result.exit_code == 2 and "forgotten" in result.stderr


def test_unusable_run_does_not_stop_its_experiment_but_is_told(study: Study) -> None:
    store = Store.open(study.uri)
    store.finish(store.create_run(store.experiment("tiny"), "parent without weights"))
    evidence = study.evaluate()["evidence"]
    assert "parent without weights" in {entry["name"] for entry in evidence["not_evaluated"]}
    assert len(evidence["candidates"]) == 3


def test_training_that_was_not_evaluated_is_listed_not_forgotten(study: Study, tmp_path: Path) -> None:
    store = Store.open(study.uri)
    experiment_id = store.experiment("tiny")
    for name, status in (("diverged", "FAILED"), ("late", "FINISHED")):
        store.finish(store.create_run(experiment_id, name, tags={"robust.kind": "train"}), status, "loss is NaN")
    study.must("sweep", "--experiment", "tiny")  # one rule for all, whatever other tests have swept
    study.must("report", "--experiment", "tiny", "-o", tmp_path / "report")
    evidence = json.loads((tmp_path / "report" / "evidence.json").read_text(encoding="utf-8"))
    missing = {entry["name"]: entry["reason"] for entry in evidence["not_evaluated"]}
    assert "FAILED: loss is NaN" in missing["diverged"] and "not evaluated" in missing["late"]


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("sweep", ("--experiment", "tny"), "tiny"),
        ("sweep", ("--run-id", "0" * 32), "no run"),
        ("sweep", ("--experiment", "tiny", "--from", 0.9, "--to", 0.3), "0.9"),
        ("sweep", (), "--experiment"),
        ("report", (), "--experiment"),
        ("eval", ("--experiment", "tiny", "--data", "nowhere.yaml"), "nowhere"),
    ],
)
def test_bad_input_exits_with_2_and_says_what(
    study: Study, command: str, arguments: tuple[object, ...], words: str
) -> None:
    result = study.run(command, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 3
