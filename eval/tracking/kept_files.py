"""What files runs keep: whether one of them is the trained network, and where their settings lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from robust.errors import StoreError
from robust.eval.tracking import tags
from robust.eval.tracking.records import Artifact, RunInfo
from robust.eval.tracking.store import Store
from robust.eval.tracking.weights import BASE_FOLDER

ARGS = "args.yaml"
_WEIGHTS = {".pt", ".pth", ".onnx", ".safetensors", ".torchscript", ".engine", ".tflite", ".keras", ".h5"}
_MODEL_FILE = "MLmodel"  # what MLflow writes beside every model that it packs itself
_DESCRIPTIONS = {".yaml", ".yml"}  # of a network without weights
_DEPTH = 4  # folders below the root that are searched
_MOST = 60  # folders of one run that are listed, however many it has


class KeptFiles:
    """Lists what runs keep; an artifact store that fails once is not asked again.

    Attributes:
        n_entries: How many files and folders were seen, of all runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._failed: set[tuple[str, str]] = set()
        self.n_entries = 0

    def of(self, run: RunInfo) -> dict[str, Artifact] | None:
        """Return the files of a run by path, or as many as are needed to know of its weights and its settings.

        None when the artifact store cannot be asked.
        """
        place = urlsplit(run.artifact_uri)[:2]
        if place in self._failed:
            return None
        try:
            found = self._search(run)
        except StoreError:  # a server that is gone or forbids it: "not known", which the facts say with None
            self._failed.add(place)
            return None
        return found

    def _search(self, run: RunInfo) -> dict[str, Artifact]:
        found: dict[str, Artifact] = {}
        level: list[str | None] = [None]
        left = _MOST
        for _ in range(_DEPTH + 1):
            asked, left = level[:left], left - len(level[:left])
            entries = [
                entry
                for folder in asked
                for entry in self._store.list_artifacts(run.run_id, folder, root=run.artifact_uri)
            ]
            self.n_entries += len(entries)
            found.update({entry.path: entry for entry in entries if not entry.is_dir})
            if args_paths(found) and any(is_weights(run, file) for file in found.values()):
                break
            level = [entry.path for entry in entries if entry.is_dir and entry.path != BASE_FOLDER]
        return found


def is_weights(run: RunInfo, kept: Artifact) -> bool:
    """Whether a file may be the trained network: not empty, not its last state, not what the training started from."""
    file = PurePosixPath(kept.path)
    if kept.size_bytes == 0 or file.stem == "last" or _is_start(run, file):
        return False
    return file.suffix.casefold() in _WEIGHTS or file.name == _MODEL_FILE


def _is_start(run: RunInfo, file: PurePosixPath) -> bool:
    model = PurePosixPath(run.params.get("model", "").strip().replace("\\", "/"))
    has_weights = model.suffix.casefold() not in _DESCRIPTIONS
    named = bool(model.stem) and model.stem not in ("best", "last") and has_weights
    return (
        file.parts[0] == BASE_FOLDER
        or str(file) == run.tags.get(tags.BASE_WEIGHTS_ARTIFACT)
        or (named and file.stem == model.stem)
    )


def args_paths(files: Mapping[str, Artifact]) -> list[str]:
    """Paths of the ``args.yaml`` that lie nearest to the root; several when they lie equally near."""
    paths = [PurePosixPath(path) for path in files if PurePosixPath(path).name == ARGS]
    nearest = min((len(path.parts) for path in paths), default=0)
    return sorted(str(path) for path in paths if len(path.parts) == nearest)
