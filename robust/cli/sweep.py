"""``robust sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from robust.cli import options
from robust.cli.output import bounded_text, echo_json, echo_table, echo_untranslated

_THRESHOLD = click.FloatRange(0, 1)


@click.command("sweep")
@options.run_id
@options.experiment
@click.option("--from", "start", type=_THRESHOLD, default=0.30, show_default=True, help="Lowest threshold.")
@click.option("--to", "stop", type=_THRESHOLD, default=0.80, show_default=True, help="Highest threshold.")
@click.option("--step", type=_THRESHOLD, default=0.01, show_default=True, help="Distance between thresholds.")
@click.option("--min-precision", type=_THRESHOLD, help="The threshold must reach this precision on val.")
@click.option("--max-fppi", type=click.FloatRange(0), help="At most so many false positives an image on val.")
@click.option("--min-recall", type=_THRESHOLD, help="The threshold must reach this recall on val.")
@click.option(
    "--risk",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.10,
    show_default=True,
    help="Share of objects missed in an image, on average, that the certificate is asked for.",
)
@click.option(
    "--error",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="How often the certificate may be wrong.",
)
@click.option(
    "--thumbnails",
    type=click.Choice(["none", "blurred", "full"]),
    default="blurred",
    show_default=True,
    help="Pictures for -o of images that change between thresholds: none, with people made unrecognisable, or as they "
    "are (personal data).",
)
@options.data
@options.lang
@options.output
@options.tracking_uri
@options.as_json
def sweep_command(
    *,
    run_ids: tuple[str, ...],
    experiment: str | None,
    lang: str,
    output: Path | None,
    tracking_uri: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Choose a confidence threshold from stored predictions.

    No model is run. The threshold is chosen on val (highest F1, or highest recall under the given limits) and reported
    on test and on every variant, all with 95 % intervals. Table, JSON, picture and tuning report go to the evaluation
    runs. -o writes the tuning report of all candidates, tuning.html, with a slider that moves the threshold on every
    variant at once, and the files of each candidate to a folder of its name. Its pictures need the images, which are
    looked for where they were evaluated, or where --data says; people in them are blurred. The tuning reports, those of
    the runs included, are in the language of --lang. --json prints everything, also how sure the choice is and what
    the images can certify.
    """
    from robust.eval.evidence.sweeping import SweepPlan
    from robust.eval.metrics.records import ThresholdConstraints
    from robust.eval.sweep import Pictures, sweep_evaluations
    from robust.eval.tracking.store import Store

    limits = ThresholdConstraints(**{name: given[name] for name in ("min_precision", "max_fppi", "min_recall")})
    plan = SweepPlan(given["start"], given["stop"], given["step"], limits, risk=given["risk"], error=given["error"])
    swept = sweep_evaluations(
        Store.open(tracking_uri),
        plan,
        experiment=experiment,
        run_ids=run_ids,
        output=output,
        pictures=None if output is None else Pictures(given["thumbnails"], given["data"]),
        lang=lang,
    )
    if as_json:
        echo_json([{"run_id": s.run_id, "name": s.candidate.name, "sweep": s.candidate.sweep} for s in swept])
    else:
        _show(swept)
    if output is not None:
        what = "Names of images" if given["thumbnails"] == "none" else "Pictures"
        for reason in dict.fromkeys(text for one in swept for text in one.trouble):
            click.echo(f"{what} are missing: {reason}", err=True)
        click.echo(f"Written to {output / 'tuning.html'}", err=True)
    echo_untranslated([text for one in swept for text in one.untranslated])


def _show(swept: Any) -> None:
    rows = []
    for one in swept:
        rows.append((one.candidate.name, one.candidate.sweep.choice.threshold, *_rates(one)))
    split = swept[0].judged_on
    echo_table(("name", "threshold", *(f"{split} {name}" for name in ("precision", "recall", "F1", "FPPI"))), rows)
    for one in swept:
        certainty = one.candidate.sweep.certainty
        if certainty is not None and not certainty.is_determined:
            click.echo(f"{one.candidate.name}: {certainty.wording}", err=True)
    for reason in dict.fromkeys(s.candidate.sweep.choice.reason for s in swept if s.point is None):
        click.echo(reason, err=True)


def _rates(one: Any) -> tuple[str | None, ...]:
    """Precision, recall, F1 and FPPI at the chosen threshold, with their intervals."""
    point = one.point
    if point is None:
        return (None,) * 4
    at = next((a for a in one.candidate.sweep.at_threshold if (a.split, a.variant) == (one.judged_on, "clean")), None)
    return tuple(
        bounded_text(getattr(point, name), at.intervals.get(name) if at else None)
        for name in ("precision", "recall", "f1", "fppi")
    )
