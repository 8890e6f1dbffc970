"""Sweep the confidence threshold over stored predictions: no image is read and no model is run."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from robust.corruptions.records import CLEAN
from robust.eval.evaluation_run import (
    FOLDER,
    chosen_point,
    flat_metrics,
    read_part,
    sweep_csv,
)
from robust.eval.evidence.candidate import sweep_cells
from robust.eval.evidence.measure import CellResult, Weighing
from robust.eval.evidence.records import CandidateEvidence, Evidence
from robust.eval.evidence.replicates import replicates_to_bytes
from robust.eval.evidence.study import EvidencePart
from robust.eval.evidence.sweeping import SweepPlan
from robust.eval.flip_pictures import draw_flips
from robust.eval.gallery import Drawn
from robust.eval.gallery_images import Loader, Origin, read_split
from robust.eval.metrics.matching import match
from robust.eval.metrics.records import OperatingPoint
from robust.eval.metrics.resampling import Resampling
from robust.eval.metrics.threshold_costs import ThresholdCosts, threshold_costs
from robust.eval.metrics.thresholds import SWEEP_IOU
from robust.eval.report.catalogue import ENGLISH
from robust.eval.report.gallery import Gallery, Mode
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_render import tuning_documents
from robust.eval.selection import find_evaluations
from robust.eval.stored_cells import stored_cells
from robust.eval.sweep_plot import plot_sweep
from robust.eval.tracking.records import RunInfo
from robust.eval.tracking.store import Store
from robust.eval.tuning_files import folder_name, unique_names, write_together, write_tuning


@dataclass(frozen=True)
class Swept:
    """One candidate's sweep.

    Attributes:
        run_id: The evaluation run.
        candidate: With the new sweep.
        judged_on: The split that numbers are reported on.
        point: Counts at the chosen threshold on that split, clean; None when no threshold was chosen.
        evidence: That the candidate belongs to, with the new sweep.
        costs: What other thresholds would cost, on the clean images of the choosing and of the judging split.
        pictures: Split -> names and pictures of the images that flip in it; none where none were asked for.
        trouble: Why pictures are missing, in full: it may name paths of this machine.
        untranslated: Texts of the tuning reports that show it, where they stayed English in another language.
    """

    run_id: str
    candidate: CandidateEvidence
    judged_on: str
    point: OperatingPoint | None
    evidence: Evidence
    costs: tuple[ThresholdCosts, ...]
    pictures: Mapping[str, Gallery] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    untranslated: tuple[str, ...] = ()

    def subject(self, name: str) -> TuningSubject:
        """What the tuning report is made of, under that name."""
        return TuningSubject(name, self.run_id, self.evidence, self.candidate, self.costs, self.pictures)


@dataclass(frozen=True)
class Pictures:
    """Which pictures the tuning reports show, of images that flip between neighbouring thresholds.

    Attributes:
        mode: ``none``: names only; ``blurred``: people are made unrecognisable; ``full``: pictures as they are.
        data: The data set, where it no longer lies at the place it was evaluated from.
        load: Reads a split of it, once however many candidates were evaluated on it.
    """

    mode: Mode = "blurred"
    data: Path | None = None
    load: Loader = field(default_factory=lambda: cache(read_split))


def sweep_evaluations(
    store: Store,
    plan: SweepPlan,
    *,
    experiment: str | None,
    run_ids: Sequence[str],
    output: Path | None = None,
    pictures: Pictures | None = None,
    lang: str = ENGLISH,
) -> tuple[Swept, ...]:
    """Sweep every evaluation, log the result to its run, and write it to a folder if one is given.

    Args:
        store: Where evaluation runs are.
        plan: Thresholds and constraints.
        experiment: All evaluations of it.
        run_ids: Training or evaluation runs.
        output: Folder for the tuning report of all of them, and one sub-folder each candidate.
        pictures: Of images that flip; None reads no image and no name of one.
        lang: Language of the tuning reports, those of the runs included; tables and JSON stay English.
    """
    runs = find_evaluations(store, experiment=experiment, run_ids=run_ids)
    done = [_sweep_one(store, run, plan, pictures, lang) for run in runs]
    together: tuple[str, ...] = ()
    if output is not None:
        names = unique_names([swept.candidate for swept, _ in done], [swept.run_id for swept, _ in done])
        for (_, files), name in zip(done, names, strict=True):
            write_together(files, output / folder_name(name))
        subjects = [swept.subject(name) for (swept, _), name in zip(done, names, strict=True)]
        together = write_tuning(subjects, output, lang=lang).untranslated
    return tuple(replace(swept, untranslated=(*swept.untranslated, *together)) for swept, _ in done)


def _sweep_one(
    store: Store, run: RunInfo, plan: SweepPlan, pictures: Pictures | None, lang: str
) -> tuple[Swept, dict[str, bytes]]:
    """Sweep one evaluation and log the files to its run."""
    after, costs, drawn = _swept_part(store, run, plan, pictures)
    (candidate,) = after.evidence.candidates
    judged = candidate.judged_on
    point = chosen_point(candidate, judged, CLEAN)
    galleries = {split: one.gallery for split, one in drawn.items()}
    trouble = tuple(dict.fromkeys(text for one in drawn.values() for text in one.trouble))
    swept = Swept(run.run_id, candidate, judged, point, after.evidence, costs, galleries, trouble)
    documents = tuning_documents([swept.subject(candidate.name)], lang=lang)
    files = {**sweep_files(after.evidence, candidate), **documents.contents}
    stored = {**files, **({"replicates.parquet": replicates_to_bytes(after.replicates)} if after.replicates else {})}
    manifest = _manifest(store, run, stored)
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        for name, content in stored.items():
            (Path(folder) / name).write_bytes(content)
        store.log_folder(run.run_id, Path(folder), FOLDER)
        (Path(folder) / "manifest.json").write_bytes(manifest)
        store.log_file(run.run_id, Path(folder) / "manifest.json", FOLDER)
    store.log_metrics(run.run_id, flat_metrics(candidate))
    return replace(swept, untranslated=documents.untranslated), files


def _swept_part(
    store: Store, run: RunInfo, plan: SweepPlan, pictures: Pictures | None
) -> tuple[EvidencePart, tuple[ThresholdCosts, ...], dict[str, Drawn]]:
    """The evaluation with its cells swept anew, and with the rates at the new threshold among its replicates.

    Beside it, what other thresholds would cost on clean images, and the images that flip, by split.
    """
    part = read_part(store, run)
    (before,) = part.evidence.candidates
    with stored_cells(store, run, before) as cells:
        sweep, rates = sweep_cells(cells.all(), cells.clean(plan.chosen_on), plan, part.evidence.resampling)
        splits = dict.fromkeys((plan.chosen_on, before.judged_on))
        clean = [cell for cell in map(cells.clean, splits) if cell is not None]
        costs = clean_costs(clean, plan, part.evidence.resampling, sweep.choice.threshold)
        after = before.model_copy(update={"sweep": sweep})
        drawn = {}
        if pictures is not None:
            places = {fingerprint: Path(source) for fingerprint, source in store.data_sources(run.run_id).items()}
            origin = Origin(pictures.data, places, lambda _: nullcontext(cells), pictures.load)
            drawn = {one.split: draw_flips(part.evidence, after, one, pictures.mode, origin) for one in costs}
    replicates = part.replicates.with_values(rates) if part.replicates else None
    return EvidencePart(part.evidence.model_copy(update={"candidates": (after,)}), replicates), costs, drawn


def clean_costs(
    cells: Sequence[CellResult], plan: SweepPlan, resampling: Resampling, chosen: float | None
) -> tuple[ThresholdCosts, ...]:
    """What other thresholds would cost on clean images: one record for each cell, none without a chosen threshold."""
    if chosen is None:
        return ()
    weighing = Weighing(resampling)
    return tuple(
        threshold_costs(
            match(cell.truth, cell.predictions, (SWEEP_IOU,)),
            weighing.of(cell),
            plan.thresholds,
            chosen,
            split=cell.split,
        )
        for cell in cells
    )


def sweep_files(evidence: Evidence, swept: CandidateEvidence) -> dict[str, bytes]:
    """The artefacts of a sweep: table, JSON, picture, and the evidence that now holds it."""
    return {
        "evidence.json": evidence.to_json().encode(),
        "sweep.csv": sweep_csv(swept).encode(),
        "sweep.json": (json.dumps(swept.sweep.model_dump(mode="json"), indent=2) + "\n").encode(),
        "sweep.svg": plot_sweep(swept, swept.judged_on),
    }


def _manifest(store: Store, run: RunInfo, files: Mapping[str, bytes]) -> bytes:
    """The run's manifest with the hashes of what the sweep changes and adds."""
    with tempfile.TemporaryDirectory(prefix="robust-") as folder:
        before = store.download(run.run_id, f"{FOLDER}/manifest.json", Path(folder))
        hashes = json.loads(before.read_text(encoding="utf-8")) if before else {}
    hashes.update({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
    return (json.dumps(hashes, indent=2, sort_keys=True) + "\n").encode()
