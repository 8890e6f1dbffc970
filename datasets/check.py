"""Is a data set fit to be measured on? Counts, wrong labels, duplicates, images that two splits share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from robust.datasets.counts import SplitCounts, count_split
from robust.datasets.duplicates import Copy, HashedImages, find_copies, hash_images
from robust.datasets.load import available_splits, find_source, scan_split
from robust.datasets.problems import Problem, Scan, error, from_data_error, note, warning
from robust.datasets.records import Dataset
from robust.errors import DataError

_EXAMPLES = 3
_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        split: Its name.
        fingerprint: Of its content; None when its labels or files have errors.
        counts: Of what is sound in it.
        n_identical: Images whose file is identical to an earlier one of the split.
        n_near_duplicates: Images that look like an earlier one of the split.
    """

    split: str
    fingerprint: str | None
    counts: SplitCounts
    n_identical: int
    n_near_duplicates: int


@dataclass(frozen=True)
class Overlap:
    """What two splits share, as `leakage` counts it."""

    splits: tuple[str, str]
    n_identical: int
    n_near_duplicates: int


@dataclass(frozen=True)
class DuplicatePair:
    """Two images that show the same.

    Attributes:
        split: Split of the image.
        image: Its file name.
        of_split: Split of the image it repeats.
        of_image: Its file name.
        distance: Bits, of 64, in which their perceptual hashes differ; None when the files are identical.
    """

    split: str
    image: str
    of_split: str
    of_image: str
    distance: int | None


@dataclass(frozen=True)
class DataReport:
    """Everything that was found.

    Attributes:
        source: The describing file.
        categories: Class names.
        splits: The splits that can be read.
        overlaps: One for each two splits.
        duplicates: For every image that repeats one of its split or of an earlier split, the one it repeats.
        findings: Errors first, then warnings, then notes.
    """

    source: str
    categories: tuple[str, ...]
    splits: tuple[SplitReport, ...]
    overlaps: tuple[Overlap, ...]
    duplicates: tuple[DuplicatePair, ...]
    findings: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The findings that would stop every command."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def to_json(self) -> str:
        """Return JSON text: two-space indent, fields in their declared order, one trailing newline."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def leakage(a: Dataset, b: Dataset) -> tuple[int, int]:
    """Count what two splits share.

    Reads every image once in the life of the process; see `robust.datasets.duplicates` for what counts as near.

    Returns:
        Images of one whose file is identical to one of the other, and further images of one that look like one of
        the other. Where the two sides differ (two images of one like a single one of the other) the larger counts:
        the order of the splits does not matter.

    Raises:
        DataError: An image cannot be decoded.
    """
    hashed = []
    for dataset in (a, b):
        hashes, errors = hash_images(dataset.images)
        if errors:
            raise errors[0]
        hashed.append(HashedImages(dataset.images, hashes))
    return _shared(hashed[0], hashed[1])


def _shared(a: HashedImages, b: HashedImages) -> tuple[int, int]:
    (identical, near), (other_identical, other_near) = _tally(find_copies(a, b)), _tally(find_copies(b, a))
    return max(identical, other_identical), max(near, other_near)


def check(
    source: Path, images: Path | None = None, on_progress: Callable[[int, int], None] | None = None
) -> DataReport:
    """Look at every image and every label of every split.

    Args:
        source: As for `robust.datasets.load.load_dataset`.
        images: Folder of a COCO file's images.
        on_progress: Told (done, total) images.

    Raises:
        DataError: The describing file itself cannot be read.
        UnknownName: A key of the YAML is unknown.
    """
    source = find_source(source)
    scans, findings = _scan_splits(source, images)
    hashed, undecodable = _hash_splits(scans, on_progress)
    findings.extend(undecodable)
    duplicates: list[DuplicatePair] = []
    splits = []
    for split, scan in scans.items():
        copies = find_copies(hashed[split])
        duplicates.extend(_pairs(split, hashed[split], split, hashed[split], copies))
        splits.append(_report_split(scan, _tally(copies)))
        findings.extend(_within(split, _tally(copies)))
    overlaps = []
    for a, b in combinations(scans, 2):
        pairs = _pairs(b, hashed[b], a, hashed[a], find_copies(hashed[b], hashed[a]))
        duplicates.extend(pairs)
        overlaps.append(Overlap((a, b), *_shared(hashed[a], hashed[b])))
        findings.extend(_between(a, b, pairs))
    findings.extend(_content_findings([scan.dataset for scan in scans.values()]))
    findings.sort(key=lambda finding: _ORDER[finding.severity])
    names = next((_names(scan.dataset) for scan in scans.values()), ())
    return DataReport(str(source), names, tuple(splits), tuple(overlaps), tuple(duplicates), tuple(findings))


def _scan_splits(source: Path, images: Path | None) -> tuple[dict[str, Scan], list[Problem]]:
    scans: dict[str, Scan] = {}
    findings: list[Problem] = []
    for split in available_splits(source):
        try:
            scans[split] = scan_split(source, split, images)
        except DataError as failure:
            findings.append(from_data_error("split-unreadable", failure))
            continue
        findings.extend(scans[split].problems)
    return scans, findings


def _report_split(scan: Scan, tally: tuple[int, int]) -> SplitReport:
    sound = not any(problem.severity == "error" for problem in scan.problems)
    fingerprint = scan.dataset.fingerprint if sound else None
    return SplitReport(scan.dataset.split, fingerprint, count_split(scan.dataset), *tally)


def _names(dataset: Dataset) -> tuple[str, ...]:
    return tuple(category.name for category in dataset.categories)


def _hash_splits(
    scans: dict[str, Scan], on_progress: Callable[[int, int], None] | None
) -> tuple[dict[str, HashedImages], list[Problem]]:
    every = [image for scan in scans.values() for image in scan.dataset.images]
    hashes, errors = hash_images(every, on_progress)
    hashed: dict[str, HashedImages] = {}
    start = 0
    for split, scan in scans.items():
        stop = start + len(scan.dataset)
        hashed[split] = HashedImages(scan.dataset.images, hashes[start:stop])
        start = stop
    return hashed, [from_data_error("image-unreadable", failure) for failure in errors]


def _tally(copies: Sequence[Copy]) -> tuple[int, int]:
    identical = sum(copy.distance is None for copy in copies)
    return identical, len(copies) - identical


def _pairs(
    split: str, images: HashedImages, of_split: str, others: HashedImages, copies: Sequence[Copy]
) -> list[DuplicatePair]:
    return [
        DuplicatePair(split, images.images[c.index].file_name, of_split, others.images[c.of].file_name, c.distance)
        for c in copies
    ]


def _within(split: str, tally: tuple[int, int]) -> list[Problem]:
    identical, near = tally
    findings = []
    if identical:
        findings.append(warning("duplicate", f"{split}: {identical} images repeat another file of the split."))
    if near:
        findings.append(note("near-duplicate", f"{split}: {near} images look like another one of the split."))
    return findings


def _between(a: str, b: str, pairs: Sequence[DuplicatePair]) -> list[Problem]:
    identical = [pair for pair in pairs if pair.distance is None]
    near = [pair for pair in pairs if pair.distance is not None]
    findings = []
    if identical:
        message = f"{len(identical)} images of {b} are also in {a}: {_examples(identical)}."
        findings.append(error("split-overlap", message, fix=f"Take them out of {a} or {b}."))
    if near:
        message = f"{len(near)} images of {b} look like one in {a}: {_examples(near)}."
        findings.append(warning("split-near-overlap", message, fix="Look at them; keep one scene in one split."))
    return findings


def _examples(pairs: Sequence[DuplicatePair]) -> str:
    shown = ", ".join(f"{pair.image} = {pair.of_image}" for pair in pairs[:_EXAMPLES])
    return f"{shown}..." if len(pairs) > _EXAMPLES else shown


def _content_findings(datasets: Sequence[Dataset]) -> list[Problem]:
    findings = []
    for dataset in datasets:
        if _names(dataset) != _names(datasets[0]):
            message = f"{dataset.split} has other classes than {datasets[0].split}: {', '.join(_names(dataset))}."
            findings.append(error("classes-differ", message, fix="Give all splits the same classes in the same order."))
        counts = count_split(dataset)
        absent = [c.name for c in counts.classes if c.n_objects == 0]
        if counts.n_objects == 0:
            message = f"{dataset.split}: no object in any image; recall cannot be measured."
            findings.append(warning("no-objects", message))
        elif absent:
            findings.append(note("class-absent", f"{dataset.split}: no object of {', '.join(absent)}."))
    return findings
