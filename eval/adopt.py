"""Take in Ultralytics training folders that MLflow never saw, as runs that look like all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robust.eval.detectors.checkpoint import check_weights
from robust.eval.tracking import tags
from robust.eval.tracking.store import Store
from robust.eval.training.run_folder import RunFolder, read_run_folder


@dataclass(frozen=True)
class Adopted:
    """One folder.

    Attributes:
        folder: Where it lies.
        name: Run name.
        run_id: MLflow run.
        reused: It had been adopted before, from here or from a copy.
    """

    folder: Path
    name: str
    run_id: str
    reused: bool


def adopt(folders: Sequence[Path], store: Store, experiment: str, *, trust: bool = False) -> tuple[Adopted, ...]:
    """Log training folders as finished runs; a folder whose contents were adopted before gives the run of then.

    All folders are read before the first is logged, so a wrong one changes nothing.

    Args:
        folders: Each with args.yaml, results.csv and weights/best.pt.
        store: Where to log.
        experiment: Name; made if need be.
        trust: Load weights that hold code.

    Raises:
        DataError: a folder is no finished training.
        IntegrityError: its weights hold code.
    """
    read = [read_run_folder(Path(folder)) for folder in folders]
    infos = [check_weights(folder.best, trust=trust) for folder in read]
    experiment_id = store.create_experiment(experiment)
    adopted = []
    for folder, info in zip(read, infos, strict=True):
        known = [r for r in store.find(experiment_id, {tags.ADOPTED_FROM: folder.sha256}) if r.status == "FINISHED"]
        if known:
            adopted.append(Adopted(folder.path, known[0].name, known[0].run_id, True))
            continue
        marks = {tags.WEIGHTS_SHA256: info.sha256, tags.TENSORS_SHA256: info.tensors_sha256}
        adopted.append(_log(folder, store, experiment_id, marks))
    return tuple(adopted)


def _log(folder: RunFolder, store: Store, experiment_id: str, marks: dict[str, str]) -> Adopted:
    """Log one folder. Its name is kept, even where it disagrees with its seed: the audit must see that."""
    name = folder.path.resolve().name
    marks = {tags.KIND: "train", tags.SCHEMA_TAG: tags.SCHEMA, tags.ADOPTED_FROM: folder.sha256, **marks}
    run_id = store.create_run(experiment_id, name, tags=marks)
    try:
        store.log_params(run_id, folder.args)
        store.log_history(run_id, folder.history)
        store.log_file(run_id, folder.best, "weights")
        for file in sorted(folder.path.iterdir()):
            if file.suffix in {".png", ".jpg", ".csv", ".yaml"}:
                store.log_file(run_id, file)
    except BaseException as error:  # whatever stops us must not leave a run that looks alive
        store.finish(run_id, "FAILED", f"adoption stopped: {type(error).__name__}")
        raise
    store.finish(run_id)
    return Adopted(folder.path, name, run_id, False)
