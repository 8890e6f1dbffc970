"""The evidence that ``report`` and ``gate`` are asked about: stored evaluations, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.decision.policy import Policy
    from robust.eval.evidence.records import Evidence
    from robust.eval.gallery import Drawn
    from robust.eval.report.files import ReportFiles
    from robust.eval.report.gallery import Mode

evidence_file = click.option(
    "--evidence", type=click.Path(path_type=Path), metavar="FILE", help="An evidence.json instead of a tracking store."
)


def gather(
    experiment: str | None, run_ids: Sequence[str], evidence: Path | None, tracking_uri: str, policy: Policy
) -> Evidence:
    """Read the evidence from wherever the options point to.

    Where a gate of the policy lies next to the end of an interval, and stored predictions are at hand, the interval is
    made again with more replicates; evidence from a file is taken as it is.

    Raises:
        UsageError: the options name no place, or two.
    """
    source = click.get_current_context().get_parameter_source("experiment")
    if evidence is not None and source is ParameterSource.ENVIRONMENT:
        experiment = None  # what is written on the command line goes before the environment
    if (evidence is not None) + bool(experiment or run_ids) != 1:
        raise UsageError(
            "Say where the evidence is, once.",
            "Evidence comes from stored evaluations or from a file.",
            "Give --experiment NAME, --run-id ID, or --evidence FILE.",
        )
    if evidence is not None:
        from robust.eval.report.files import read_evidence

        return read_evidence(evidence)
    from robust.eval.report_run import collect_evidence

    return collect_evidence(experiment=experiment, run_ids=run_ids, tracking_uri=tracking_uri, policy=policy)


def draw(
    found: Evidence,
    policy: Policy,
    mode: Mode,
    *,
    named: tuple[str | None, tuple[str, ...], str] | None,
    data: Path | None,
) -> Drawn:
    """Make the pictures of the worst images.

    Args:
        found: The evidence.
        policy: Whose candidate is shown.
        mode: What is done to people in them.
        named: Experiment, runs and store that the evidence is from; None for a file, which has no predictions.
        data: The data set, where it lies elsewhere than it was evaluated.
    """
    from robust.eval.gallery import draw_gallery
    from robust.eval.gallery_images import Origin
    from robust.eval.report_run import Named, collect_gallery

    if named is None:
        return draw_gallery(found, policy, mode, Origin(data))
    return collect_gallery(found, policy, mode, named=Named(*named), data=data)


def warn(drawn: Drawn, mode: Mode) -> None:
    """Tell why pictures that were asked for are missing; where a file is at fault, which."""
    if mode != "none" and drawn.gallery.note:
        click.echo(f"Note: {drawn.gallery.note}", err=True)
        for trouble in drawn.trouble:
            click.echo(f"  {trouble}", err=True)


def store(written: ReportFiles, evidence: Evidence, tracking_uri: str) -> str:
    """Log a written report beside the evaluations that it is about, and return the run's id."""
    from robust.eval.report_run import log_report

    verdict = str(written.decision.verdict)
    return log_report(
        written.folder, evidence=evidence, decision=verdict, summary=written.summary, tracking_uri=tracking_uri
    )
