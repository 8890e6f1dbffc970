"""The back of the report: data, definitions, limits, provenance, sign-off."""

from __future__ import annotations

from itertools import combinations

from robust import __version__
from robust.eval.decision.claims import plural
from robust.eval.decision.comparison import scope
from robust.eval.decision.study import cell
from robust.eval.decision.training import over_fitting_claim
from robust.eval.report.conditions import conditions_said, marked
from robust.eval.report.context import Cell, Code, Fact, Row, Table
from robust.eval.report.view import NOT_MEASURED, View, text, whole

METHOD = (
    ("AP50", "Average precision over all confidence thresholds; a box counts as found at IoU 0.5 (COCO, 101 points)."),
    ("AP", "The same, averaged over IoU 0.50 to 0.95 in steps of 0.05. AP75: at IoU 0.75."),
    ("APs, APm, APl", "AP of small, medium and large objects: below 32x32 px, up to 96x96 px, and above."),
    ("AR100", "Highest recall with at most 100 detections an image, averaged over IoU 0.50 to 0.95."),
    ("Precision, recall, F1", "At the stated threshold and IoU 0.5: TP/(TP+FP), TP/(TP+FN), 2TP/(2TP+FP+FN)."),
    ("False positives per image", "FP divided by the number of images, at the same threshold and IoU 0.5."),
    ("Variant", "A corruption at a severity from 1 to 5, for example night/3, applied to every image of a split."),
    ("Retained", "Mean over the severities divided by the clean value; over the whole suite: mPC / clean = rPC "
     "(Michaelis et al. 2019, arXiv 1907.07484)."),
    ("Retained area", "Area under the curve of the retained share from clean (severity 0) to the highest severity, by "
     "the trapezoidal rule, divided by that severity. Not given when a severity was skipped."),
    ("Half lost at", "Where the curve, read as one that never recovers, falls below half of the clean value."),
    ("MR^-2", "Log-average miss rate: geometric mean of the miss rates at nine values from 0.01 to 1 false positives "
     "per image, IoU 0.5; with several classes the mean over them (Dollar et al. 2012, IEEE PAMI 34(4))."),
    ("Kinds of objects", "By visible fraction, in the ranges customary for CityPersons (arXiv 1702.05693), and by the "
     "largest IoU with another object of the same image and class."),
    ("Configuration", "Candidates that differ by seed only. Means are over its candidates, each with the same weight."),
    ("Baseline", "The untouched weights that training started from, evaluated at the same image size."),
    ("Selection and judgement", "The candidate and its threshold are chosen on one split; gates read another."),
    ("Gate", "PASS when the whole 95 % interval meets the requirement, FAIL when the whole interval misses it, else "
     "NOT ENOUGH EVIDENCE. Facts that are counted need no interval. A missing value never passes."),
    ("Decision", "REJECT when a critical gate fails; PROMOTE when all critical gates pass; otherwise HOLD."),
    ("Images needed", "For power 80 % at 5 % error, from the standard errors of this study's paired comparisons. Where "
     "it has none, planning values stand in and are named so: 0.40 as standard deviation of AP50 per image, and 0.25 "
     "to 0.47 for the difference of two models."),
    ("Differences", "Told in one direction only when the 95 % interval excludes 0 and the p value, corrected (Holm) "
     "over all that were compared together, is at most 0.05. Otherwise no difference is shown, which does not mean "
     "that there is none. Observed only: without an interval, with too few seeds, or on the images that selected."),
    ("Settings", "A configuration is the mean over its seeds. Its interval, and that of a difference of two, holds the "
     "variance of the images and of the seeds (Satterthwaite); it needs 3 seeds, a claim needs 5."),
)  # fmt: skip


def method() -> tuple[Fact, ...]:
    """Definitions of everything that is printed."""
    return tuple(Fact(name, words) for name, words in METHOD)


def split_table(view: View) -> Table:
    """Counts of each split, taken from the data."""
    data = view.study.evidence.data
    columns = (
        "Split",
        "Images",
        "Objects",
        "Images without objects",
        "Ignored regions",
        "Small",
        "Medium",
        "Large",
        "Groups",
        "Fingerprint",
    )
    rows = tuple(
        Row(
            s.split,
            (
                whole(s.n_images), whole(s.n_objects), whole(s.n_negatives), whole(s.n_ignored), whole(s.n_small),
                whole(s.n_medium), whole(s.n_large), whole(s.n_groups), Cell(s.fingerprint, "hash"),
            ),
        )
        for s in data.splits
    )  # fmt: skip
    caption = f"Data set {data.name}, categories: {', '.join(data.categories)}; counted from the files"
    return Table("splits", caption, columns, rows)


def leakage_table(view: View) -> Table:
    """Images shared between splits; a pair that was not compared says so."""
    data = view.study.evidence.data
    found = {frozenset(pair.splits): pair for pair in data.leakage}
    names = [s.split for s in data.splits]
    others = [(a, b) for a, b in (pair.splits for pair in data.leakage) if not {a, b} <= set(names)]
    rows = []
    for a, b in (*combinations(names, 2), *others):  # a recorded set is compared with what was trained and selected on
        pair = found.get(frozenset((a, b)))
        missing = Cell("not compared", "missing")
        cells = (whole(pair.n_identical), whole(pair.n_near_duplicates)) if pair else (missing, missing)
        rows.append(Row(f"{a} and {b}", cells))
    columns = ("Splits", "Identical images", "Near-duplicates")
    return Table(
        "leakage", "Images shared between splits, by content hash and by perceptual hash", columns, tuple(rows)
    )


def variant_table(view: View) -> Table:
    """The recipe of each variant."""
    suite = view.study.evidence.suite
    rows = tuple(
        Row(
            marked(v),
            (
                Cell(", ".join(f"{name} {_plain(value)}" for name, value in v.parameters.items()) or "none"),
                Cell(v.ground_truth),
                whole(v.n_images),
                whole(v.n_objects),
                whole(v.n_ignored),
                Cell(v.recipe_sha256, "hash"),
            ),
        )
        for v in suite.variants
    )
    columns = ("Variant", "Parameters", "Ground truth", "Images", "Objects", "Ignored", "Recipe hash")
    return Table("variants", f"Suite {suite.name}, seed {suite.seed}, on {view.judged_on}", columns, rows)


def _plain(value: float | int | str | bool) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def limits(view: View) -> tuple[str, ...]:
    """What was not evaluated, and what the numbers cannot say."""
    suite = view.study.evidence.suite
    cells = [(c, v.name) for c in view.study.everybody for v in suite.variants]
    absent = sum(cell(c, view.judged_on, name) is None for c, name in cells)
    said = []
    without = [gate for gate in view.decision.gates if gate.estimate.note and not gate.estimate.has_interval]
    said += [f"No interval for {gate.gate}: {gate.estimate.note}." for gate in without]
    said += [
        *_latency(view),
        *_over_fitting(view),
        *conditions_said(view),
        f"Every other condition, place and camera: {NOT_MEASURED}.",
        "The near-duplicate check finds copies that look alike, not images of the same scene from another view.",
    ]
    if absent:
        said.append(
            f"{absent} of {plural(len(cells), 'cell')} (candidate and variant) on {view.judged_on}: {NOT_MEASURED}."
        )
    said += [f"{n.name}: {NOT_MEASURED}, {n.reason.rstrip('.')}." for n in view.study.evidence.not_evaluated]
    if view.card.missing:
        said.append(f"Human facts that nobody provided: {', '.join(view.card.missing)}.")
    return tuple(said)


def _over_fitting(view: View) -> tuple[str, ...]:
    """That it was not assessed; nothing when it was, because then it stands under the observations."""
    where = scope(view.study, view.judged_on)
    claim = over_fitting_claim(view.study, view.candidate, view.judged_on, view.metric, where)
    return (claim.text,) if claim.kind == "not assessed" else ()


def _latency(view: View) -> tuple[str, ...]:
    timed = any(c.latency for c in view.study.candidates)
    what = "Memory use and exported files" if timed else "Latency, memory use and exported files"
    return (f"{what}: {NOT_MEASURED}.",)


def provenance(view: View, card_sha256: str) -> tuple[Fact, ...]:
    """Hashes and settings."""
    study = view.study
    inference = view.candidate.inference if view.candidate else {}
    settings = ", ".join(f"{name} {value}" for name, value in sorted(inference.items()))
    return (
        Fact("Experiment", study.evidence.experiment),
        Fact("Report written by", f"robust {__version__}"),
        Fact("Evidence schema", str(study.evidence.schema_version)),
        Fact("Evidence sha256", Code(view.decision.evidence_sha256)),
        Fact("Policy", view.policy.name),
        Fact("Policy sha256, of its content", Code(view.decision.policy_sha256)),
        Fact("Card sha256", Code(card_sha256)),
        Fact("Inference settings of the candidate", settings or "none: no candidate is proposed"),
    )


def run_table(view: View) -> Table:
    """Run, weights and size of every candidate."""
    columns = ("Name", "Role", "Run id", "Image size", "Parameters", "File bytes", "Weights sha256")
    rows = tuple(
        Row(
            c.name,
            (
                Cell(c.role),
                Cell(c.training.run_id, "hash") if c.training else Cell("none"),
                whole(c.imgsz),
                whole(c.parameters),
                whole(c.weights_bytes),
                Cell(c.weights_sha256, "hash"),
            ),
        )
        for c in view.study.everybody
    )
    return Table("runs", "Weights that were evaluated", columns, rows)


def environment(view: View) -> tuple[Fact, ...]:
    """Versions of the libraries."""
    return tuple(Fact(name, version) for name, version in sorted(view.study.evidence.environment.items()))


def sign_off(view: View) -> Table:
    """Lines to sign on paper. Who signed with `robust sign` stands beside the report, which signing does not change."""
    approver = dict(view.card.facts("approver"))["Approver"]
    people = [("Approver", approver), *(("Independent reviewer", name) for name in view.card.reviewers)]
    if not view.card.reviewers:
        people.append(("Independent reviewer", "NOT PROVIDED"))
    blank = Cell("", "blank")
    rows = tuple(Row(role, (text(name), blank, blank, blank)) for role, name in people)
    columns = ("Role", "Name", "Decision (approve or reject)", "Date", "Signature")
    caption = "Sign-off: on paper here, or with robust sign; robust verify says who has signed"
    return Table("sign-off", caption, columns, rows)
