"""Which file of a training run is its weights, whoever logged the run.

Ultralytics' callback, hand-written scripts, MLflow 2 models and MLflow 3 logged models keep them differently.
The places are tried in a fixed order; two files that could both be meant are an error, never a guess.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from robust.errors import IntegrityError, StoreError, UsageError
from robust.eval.tracking import tags
from robust.eval.tracking.records import Artifact, RunInfo
from robust.eval.tracking.store import Store

USUAL_PLACES = ("weights/best.pt", "best.pt", "train/weights/best.pt")
BASE_FOLDER = "base"
"""Artifact folder of the weights that training started from; never taken for the run's own."""
_DEPTH = 4  # folders below the root that are searched
_SHOWN = 6  # candidates in a message


@dataclass(frozen=True)
class ResolvedWeights:
    """The weights of a run, on this machine.

    Attributes:
        path: Local file, named by its hash.
        sha256: Hex digest of its bytes.
        artifact: Where the run keeps it.
        rule: How it was found, for the record.
    """

    path: Path
    sha256: str
    artifact: str
    rule: str


@dataclass(frozen=True)
class _Place:
    """An artifact that can be fetched: of the run, or of a model it logged."""

    artifact: str
    rule: str
    fetch: Callable[[Path], Path | None]


def resolve_weights(store: Store, run: RunInfo, cache_dir: Path, artifact: str | None = None) -> ResolvedWeights:
    """Find the weights of a run and fetch them into the cache.

    Args:
        store: Where the run is.
        run: A training run.
        cache_dir: Files go to ``<cache_dir>/weights/<sha256>.pt``.
        artifact: POSIX path of the artifact to take; None finds it.

    Raises:
        UsageError: the run has no weights, or several files could be meant; they are listed.
        IntegrityError: the file is not the one that the training logged.
    """
    folder = cache_dir / "weights"
    expected = run.tags.get(tags.WEIGHTS_SHA256)
    named = artifact or run.tags.get(tags.WEIGHTS_ARTIFACT)
    if named:
        rule = "named by the user" if artifact else f"named by the tag {tags.WEIGHTS_ARTIFACT}"
        expected = None if artifact and artifact != run.tags.get(tags.WEIGHTS_ARTIFACT) else expected
        found = _fetch(_of_run(store, run, named, rule), folder, expected)
        if found is None:
            raise UsageError(f"Run {run.name} has no artifact {named}.", _listing(_walk(store, run)))
        return found
    for usual in USUAL_PLACES:  # by fetching: old servers cannot list what they hold
        found = _fetch(_of_run(store, run, usual, f"usual place {usual}"), folder, expected)
        if found is not None:
            return found
    place = _search(store, run)
    found = _fetch(place, folder, None)
    if found is None:
        raise StoreError(f"{place.artifact} of run {run.name} is listed but cannot be fetched.")
    return found


def _search(store: Store, run: RunInfo) -> _Place:
    """Look through everything the run has; raise unless exactly one file fits the first rule that any file fits."""
    files = _walk(store, run)
    base = {run.tags.get(tags.BASE_WEIGHTS_ARTIFACT, "")}
    weights = [f.path for f in files if f.path.endswith(".pt") and f.path not in base and not _is_base(f.path)]

    def of_run(rule: str, paths: list[str]) -> list[_Place]:
        return [_of_run(store, run, path, rule) for path in paths]

    for places in (
        of_run("the only best.pt", [p for p in weights if _name(p) == "best.pt"]),
        _of_models(store, run),
        of_run("weights inside a model folder", [p for p in weights if _in_model(p)]),
        of_run("the only .pt file", [p for p in weights if _name(p) != "last.pt"]),
    ):
        if len(places) == 1:
            return places[0]
        if places:
            raise UsageError(
                f"Run {run.name} ({run.run_id}) has {len(places)} files that could be its weights.",
                f"They are: {_some([place.artifact for place in places])}.",
                f"Set the run's tag {tags.WEIGHTS_ARTIFACT} to the right one.",
            )
    raise UsageError(
        f"Run {run.name} ({run.run_id}) has no weights.",
        _listing(files),
        "If the training folder still exists: robust adopt DIR. A file can be judged alone: --weights FILE.",
    )


def _walk(store: Store, run: RunInfo) -> list[Artifact]:
    return _files(lambda folder: store.list_artifacts(run.run_id, folder))


def _files(list_folder: Callable[[str | None], Sequence[Artifact]]) -> list[Artifact]:
    found: list[Artifact] = []
    level: list[str | None] = [None]
    for _ in range(_DEPTH + 1):
        entries = [entry for folder in level for entry in list_folder(folder)]
        found += [entry for entry in entries if not entry.is_dir]
        level = [entry.path for entry in entries if entry.is_dir]
    return sorted(found, key=lambda entry: entry.path)


def _of_run(store: Store, run: RunInfo, path: str, rule: str) -> _Place:
    return _Place(path, rule, lambda into: store.download(run.run_id, path, into))


def _of_models(store: Store, run: RunInfo) -> list[_Place]:
    places = []
    for model_id in run.model_ids:
        for entry in _files(lambda folder, model_id=model_id: store.list_model(model_id, folder)):  # type: ignore[misc]
            if entry.path.endswith(".pt") and _name(entry.path) != "last.pt":
                places.append(_of_model(store, model_id, entry.path))
    best = [place for place in places if _name(place.artifact) == "best.pt"]
    return best or places


def _of_model(store: Store, model_id: str, path: str) -> _Place:
    return _Place(path, f"logged model {model_id}", lambda into: store.download_model_file(model_id, path, into))


def _fetch(place: _Place, folder: Path, expected: str | None) -> ResolvedWeights | None:
    """Bring a file into the cache under its hash; None when it is not there."""
    kept = folder / f"{expected}.pt"
    if expected and kept.is_file() and _sha256(kept) == expected:
        return ResolvedWeights(kept, expected, place.artifact, place.rule)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        fetched = place.fetch(Path(temporary))
        if fetched is None:
            return None
        sha256 = _sha256(fetched)
        if expected and sha256 != expected:
            raise IntegrityError(
                f"{place.artifact} is not the file that the training logged.",
                f"Its sha256 is {sha256[:12]}..., the run's tag says {expected[:12]}...",
                "Find out who replaced it, or name the file yourself with --weights FILE.",
            )
        target = folder / f"{sha256}.pt"
        shutil.move(fetched, target)
    return ResolvedWeights(target, sha256, place.artifact, place.rule)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _is_base(path: str) -> bool:
    return PurePosixPath(path).parts[0] == BASE_FOLDER


def _in_model(path: str) -> bool:
    """MLflow 2 keeps a model's files in ``<model>/artifacts/``."""
    return PurePosixPath(path).parent.name == "artifacts" and _name(path) != "last.pt"


def _listing(files: Sequence[Artifact]) -> str:
    return f"It has: {_some([f.path for f in files])}." if files else "It has no artifacts at all."


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:_SHOWN]) + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
