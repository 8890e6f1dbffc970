"""The tracking store: experiments, runs, and what is logged to them.

Every call names its run. MLflow's "active run" and its global tracking URI are never used: they would change other
people's runs, and ours when two trainings share a process.
"""

from __future__ import annotations

import difflib
import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from robust.errors import StoreError, UnknownName, UsageError
from robust.eval.tracking import tags as tag
from robust.eval.tracking.connect import connect, redact, resolve_uri, sqlite_path, told
from robust.eval.tracking.records import DIGEST_LENGTH, Artifact, DatasetInput, MetricPoint, RunInfo, Status

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000
_TEXT_LIMIT = 5000  # MLflow takes 6000 characters in a param and 8000 in a tag
_NEAR = 3  # suggestions for a mistyped run id


class Store:
    """An open tracking store. Make one with `Store.open`."""

    def __init__(self, client: MlflowClient, tracking_uri: str) -> None:
        self._client = client
        self.tracking_uri = tracking_uri

    @classmethod
    def open(cls, tracking_uri: str | None = None) -> Store:
        """Open the store that the argument, ``MLFLOW_TRACKING_URI`` or the working directory names.

        Raises:
            StoreError: it cannot be opened; the message says what to do.
        """
        uri = resolve_uri(tracking_uri)
        return cls(connect(uri), uri)

    def experiments(self) -> tuple[str, ...]:
        """Return the names of the experiments, newest first."""
        with told("The experiments cannot be listed."):
            return tuple(e.name for e in self._client.search_experiments(max_results=_PAGE))

    def experiment(self, name: str) -> str:
        """Return the id of an experiment.

        Raises:
            UnknownName: there is none of that name.
        """
        with told(f"Experiment {name!r} cannot be looked up."):
            found = self._client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            raise UnknownName("experiment", name, self.experiments())
        return str(found.experiment_id)

    def experiment_name(self, experiment_id: str) -> str:
        """Return the name of an experiment."""
        with told(f"Experiment {experiment_id} cannot be looked up."):
            return str(self._client.get_experiment(experiment_id).name)

    def create_experiment(self, name: str) -> str:
        """Return the id of an experiment, made if there is none of that name.

        Artifacts of a SQLite store go beside its file (``mlruns/NAME``), wherever the command is run from.

        Raises:
            StoreError: an experiment of that name was deleted, or the store cannot be written.
        """
        from mlflow.exceptions import MlflowException

        path = sqlite_path(self.tracking_uri)
        location = None if path is None else (path.parent / "mlruns" / quote(name, safe=" ")).as_uri()
        with told(
            f"Experiment {name!r} cannot be made.", "Choose another name, or restore it: mlflow experiments restore"
        ):
            found = self._client.get_experiment_by_name(name)
            if found is None:
                try:
                    return str(self._client.create_experiment(name, artifact_location=location))
                except MlflowException:  # somebody else made it in the meantime
                    found = self._client.get_experiment_by_name(name)
                    if found is None:
                        raise
        if found.lifecycle_stage != "active":
            raise StoreError(
                f"Experiment {name!r} was deleted.",
                "Its name is taken until it is restored or purged.",
                f"Run: mlflow experiments restore --experiment-id {found.experiment_id}",
            )
        return str(found.experiment_id)

    def runs(self, experiment: str, kind: str | None = None) -> tuple[RunInfo, ...]:
        """Return the runs of an experiment, oldest first.

        Args:
            experiment: Its name.
            kind: "train", "eval" or "report"; None for all. Runs without our tag were logged by others, so they count
                as training runs.

        Raises:
            UnknownName: there is no such experiment.
        """
        found = self._search(self.experiment(experiment))
        return tuple(run for run in found if kind is None or (run.kind or "train") == kind)

    def run(self, run_id: str) -> RunInfo:
        """Return a run.

        Raises:
            UsageError: there is no such run; the nearest ones are listed.
        """
        from mlflow.exceptions import MlflowException

        with told(f"Run {run_id!r} cannot be read."):
            try:
                found = self._client.get_run(run_id)
            except MlflowException as error:
                if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    raise
                found = None
        if found is None:
            raise UsageError(
                f"There is no run {run_id!r} in {redact(self.tracking_uri)}.",
                self._near(run_id),
                "Give another --run-id, or another store with --tracking-uri.",
            )
        if found.info.lifecycle_stage != "active":
            raise UsageError(f"Run {run_id} was deleted.", fix=f"Restore it: mlflow runs restore --run-id {run_id}")
        return _info(found)

    def find(self, experiment_id: str, tags: Mapping[str, str]) -> tuple[RunInfo, ...]:
        """Return the runs of an experiment (by id) that carry all these tags, oldest first."""
        return self._search(experiment_id, " and ".join(f"tags.`{k}` = {_quoted(v)}" for k, v in tags.items()))

    def evaluations(
        self,
        source_run_id: str | None = None,
        *,
        experiment_id: str,
        suite: str | None = None,
        dataset_sha256: str | None = None,
        weights_sha256: str | None = None,
    ) -> tuple[RunInfo, ...]:
        """Return the evaluation runs of an experiment (by id), oldest first; None does not narrow the search.

        Args:
            source_run_id: The training run that was measured.
            experiment_id: Where to look.
            suite: Name of the suite.
            dataset_sha256: Fingerprint of the split that was measured on.
            weights_sha256: Of the weights file.
        """
        wanted = {
            tag.KIND: "eval",
            tag.SOURCE_RUN_ID: source_run_id,
            tag.SUITE: suite,
            tag.DATASET_SHA256: dataset_sha256,
            tag.WEIGHTS_SHA256: weights_sha256,
        }
        return self.find(experiment_id, {key: value for key, value in wanted.items() if value is not None})

    def create_run(
        self, experiment_id: str, name: str, *, parent: str | None = None, tags: Mapping[str, str] | None = None
    ) -> str:
        """Start a run and return its id.

        Args:
            experiment_id: Where it lives.
            name: For people.
            parent: Run id of the run it belongs to.
            tags: What to mark it with.
        """
        marks = {**(tags or {}), **({tag.PARENT_RUN_ID: parent} if parent else {})}
        with told(f"Run {name!r} cannot be started."):
            return str(self._client.create_run(experiment_id, run_name=name, tags=marks).info.run_id)

    def log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        """Log parameters as text; long ones are cut at 5000 characters."""
        from mlflow.entities import Param

        with told(f"Parameters of run {run_id} cannot be logged."):
            self._client.log_batch(run_id, params=[Param(k, str(v)[:_TEXT_LIMIT]) for k, v in params.items()])

    def log_metrics(self, run_id: str, metrics: Mapping[str, float | None], step: int = 0) -> None:
        """Log metrics of one step; what is None, NaN or infinite is undefined and is left out."""
        self.log_history(run_id, {key: {step: value} for key, value in metrics.items()})

    def log_history(self, run_id: str, history: Mapping[str, Mapping[int, float | None]]) -> None:
        """Log whole courses of metrics: name -> step -> value; undefined values are left out."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(key, float(value), now, step)
            for key, course in history.items()
            for step, value in course.items()
            if value is not None and math.isfinite(value)
        ]
        with told(f"Metrics of run {run_id} cannot be logged."):
            self._client.log_batch(run_id, metrics=metrics)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Mark a run; long texts are cut at 5000 characters."""
        from mlflow.entities import RunTag

        with told(f"Tags of run {run_id} cannot be set."):
            self._client.log_batch(run_id, tags=[RunTag(k, str(v)[:_TEXT_LIMIT]) for k, v in tags.items()])

    def log_dataset(self, run_id: str, data: DatasetInput) -> None:
        """List a data set among the run's inputs."""
        from mlflow.entities import Dataset, InputTag
        from mlflow.entities import DatasetInput as Input

        # MLflow's own data set classes read the source to guess its kind, and warn; the plain entity is enough
        entity = Dataset(
            name=data.name[:500],
            digest=data.fingerprint[:DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": data.source}),
            profile=json.dumps(data.profile) if data.profile else None,
        )
        marks = {tag.DATA_CONTEXT: data.context, tag.DATASET_SHA256: data.fingerprint, **data.tags}
        with told(f"The data set of run {run_id} cannot be logged."):
            self._client.log_inputs(run_id, [Input(entity, [InputTag(k, v[:500]) for k, v in marks.items()])])

    def data_sources(self, run_id: str) -> dict[str, str]:
        """Return where the data sets among a run's inputs came from: fingerprint -> path or URI, as it was given."""
        with told(f"The data sets of run {run_id} cannot be read."):
            inputs = self._client.get_run(run_id).inputs
        found: dict[str, str] = {}
        for one in inputs.dataset_inputs if inputs else ():
            marks = {mark.key: mark.value for mark in one.tags}
            if one.dataset.source_type == "local" and tag.DATASET_SHA256 in marks:
                found[marks[tag.DATASET_SHA256]] = str(json.loads(one.dataset.source)["uri"])
        return found

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Store a file among the run's artifacts, under its own name.

        Args:
            run_id: The run.
            path: Local file.
            folder: POSIX path of the artifact folder; None for the root.
        """
        with told(
            f"{path.name} cannot be stored with run {run_id}.", "Is the artifact store reachable, with space left?"
        ):
            self._client.log_artifact(run_id, str(path), folder)

    def log_folder(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Store all files of a local folder among the run's artifacts."""
        with told(f"Files cannot be stored with run {run_id}.", "Is the artifact store reachable, with space left?"):
            self._client.log_artifacts(run_id, str(path), folder)

    def metric_history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return the logged values of a metric by rising step, undefined ones left out; empty when never logged."""
        with told(f"Metric {key!r} of run {run_id} cannot be read."):
            points = self._client.get_metric_history(run_id, key)
        kept = (MetricPoint(p.step, p.value, p.timestamp) for p in points if math.isfinite(p.value))
        return tuple(sorted(kept, key=lambda point: (point.step, point.timestamp)))

    def finish(self, run_id: str, status: Status = "FINISHED", reason: str | None = None) -> None:
        """End a run of ours.

        Args:
            run_id: The run.
            status: FINISHED, FAILED or KILLED.
            reason: Why it did not finish, for the tag ``robust.failure``.
        """
        if reason is not None:
            self.set_tags(run_id, {tag.FAILURE: reason})
        with told(f"Run {run_id} cannot be ended."):
            self._client.set_terminated(run_id, status)

    def list_artifacts(self, run_id: str, folder: str | None = None, *, root: str = "") -> tuple[Artifact, ...]:
        """Return the files and folders directly under an artifact folder, by path.

        Args:
            run_id: The run.
            folder: POSIX path; None for the root.
            root: The run's ``artifact_uri`` if it is known, so that the run need not be read again.
        """
        return self._list(root or self.run(run_id).artifact_uri, folder)

    def download(self, run_id: str, path: str, into: Path, *, root: str = "") -> Path | None:
        """Fetch a file or folder of a run.

        Args:
            run_id: The run.
            path: POSIX path of the artifact.
            into: Local folder, made if need be; the artifact keeps its path below it.
            root: As for `list_artifacts`.

        Returns:
            Where it lies now, or None when the run has no such artifact.
        """
        return self._download(root or self.run(run_id).artifact_uri, path, into)

    def list_model(self, model_id: str, folder: str | None = None) -> tuple[Artifact, ...]:
        """Return the files and folders of a logged model (MLflow 3), by path."""
        return self._list(self._model_uri(model_id), folder)

    def download_model_file(self, model_id: str, path: str, into: Path) -> Path | None:
        """Fetch a file of a logged model; as `download`."""
        return self._download(self._model_uri(model_id), path, into)

    def _model_uri(self, model_id: str) -> str:
        with told(f"Logged model {model_id} cannot be read."):
            return str(self._client.get_logged_model(model_id).artifact_location)

    def _repository(self, uri: str) -> Any:
        # by the artifact root itself: `runs:/` URIs ask for logged models first, which MLflow 2 servers do not know
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(uri, tracking_uri=self.tracking_uri)

    def _list(self, uri: str, folder: str | None) -> tuple[Artifact, ...]:
        with told(f"The artifacts under {redact(uri)} cannot be listed."):
            found = self._repository(uri).list_artifacts(folder)
        return tuple(sorted((Artifact(f.path, f.is_dir, f.file_size) for f in found), key=lambda a: a.path))

    def _download(self, uri: str, path: str, into: Path) -> Path | None:
        from mlflow.exceptions import MlflowException

        into.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self._repository(uri).download_artifacts(path, str(into)))
        except (MlflowException, OSError, ImportError):
            folder, _, _ = path.rpartition("/")
            if path not in {a.path for a in self._list(uri, folder or None)}:
                return None
            with told(f"Artifact {path} cannot be fetched."):
                raise

    def _search(self, experiment_id: str, condition: str = "") -> tuple[RunInfo, ...]:
        found: list[Run] = []
        token = None
        with told("The runs cannot be listed."):
            while True:
                page = self._client.search_runs([experiment_id], condition, max_results=_PAGE, page_token=token)
                found.extend(page)
                token = page.token
                if not token:
                    break
        return tuple(sorted((_info(run) for run in found), key=lambda run: (run.start_time or 0, run.name, run.run_id)))

    def _near(self, run_id: str) -> str:
        """One line that lists runs whose id or name is like what was asked for."""
        with told("The runs cannot be listed."):
            ids = [e.experiment_id for e in self._client.search_experiments(max_results=100)]
            recent = self._client.search_runs(ids, max_results=200) if ids else []
        labels = {label: run for run in recent for label in (run.info.run_id, run.info.run_name)}
        close: Iterable[str] = [label for label in labels if run_id and label.startswith(run_id)]
        close = [*close, *difflib.get_close_matches(run_id, labels, n=_NEAR, cutoff=0.6)]
        chosen = list(dict.fromkeys(labels[label].info.run_id for label in close))[:_NEAR]
        shown = [run for run in recent if run.info.run_id in chosen] or recent[:_NEAR]
        if not shown:
            return "The store holds no runs."
        return (
            ("Near: " if chosen else "Latest: ")
            + ", ".join(f"{r.info.run_id} ({r.info.run_name})" for r in shown)
            + "."
        )


def _quoted(value: str) -> str:
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise UsageError(f"{value!r} cannot be searched for.", "It holds both kinds of quotation marks.")


def _info(run: Run) -> RunInfo:
    info, data = run.info, run.data
    models = run.outputs.model_outputs if run.outputs else []
    return RunInfo(
        run_id=info.run_id,
        name=info.run_name or info.run_id,
        experiment_id=str(info.experiment_id),
        status=str(info.status),
        params=dict(data.params),
        metrics={key: value for key, value in data.metrics.items() if math.isfinite(value)},
        tags=dict(data.tags),
        start_time=info.start_time,
        end_time=info.end_time,
        artifact_uri=info.artifact_uri or "",
        parent_run_id=data.tags.get(tag.PARENT_RUN_ID),
        model_ids=tuple(model.model_id for model in models),
    )
