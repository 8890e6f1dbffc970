"""``robust report``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from robust.cli import options
from robust.cli.output import echo_json, echo_untranslated
from robust.cli.study import draw, evidence_file, gather, store, warn

if TYPE_CHECKING:
    from robust.eval.report.gallery import Mode


@click.command("report")
@options.experiment
@options.run_id
@evidence_file
@options.policy
@options.card
@click.option(
    "--thumbnails",
    type=click.Choice(["none", "blurred", "full"]),
    default="blurred",
    show_default=True,
    help="Pictures of the worst images: none, with people made unrecognisable, or as they are (personal data).",
)
@options.data
@options.lang
@click.option("--pdf", is_flag=True, help="Write report.pdf too: PDF/A-3 with the evidence attached.")
@options.output
@options.tracking_uri
@options.as_json
def report_command(
    *,
    experiment: str | None,
    run_ids: tuple[str, ...],
    evidence: Path | None,
    policy: Path | None,
    card: Path | None,
    thumbnails: Mode,
    data: Path | None,
    lang: str,
    pdf: bool,
    output: Path | None,
    tracking_uri: str,
    as_json: bool,
) -> None:
    """Write the decision report: HTML, Markdown, decision, evidence and a manifest of hashes.

    Nothing is measured: the evidence comes from stored evaluations, or from a file. The same evidence, policy, card and
    pictures give the same bytes.

    Pictures of the worst images need the stored predictions and the images, which are looked for where they were
    evaluated, or where --data says.
    """
    from robust.eval.decision.policy import read_policy
    from robust.eval.report.card import read_card
    from robust.eval.report.files import write_report
    from robust.eval.report.pdf import require_printer

    if pdf:
        require_printer()  # before the evidence is gathered, which takes long
    rules, facts = read_policy(policy), read_card(card)
    found = gather(experiment, run_ids, evidence, tracking_uri, rules)
    today = datetime.now(UTC).date()  # waivers of the policy are held against it
    drawn = draw(found, rules, thumbnails, named=None if evidence else (experiment, run_ids, tracking_uri), data=data)
    written = write_report(
        found, rules, facts, output or Path("robust-report"), today=today, gallery=drawn.gallery, pdf=pdf, lang=lang
    )
    run = None if evidence else store(written, found, tracking_uri)
    if as_json:
        echo_json(
            {
                "folder": written.folder,
                "html": written.html,
                "pdf": written.pdf,
                "sha256": written.sha256,
                "run_id": run,
                "decision": written.decision,
            }
        )
    else:
        click.echo(f"{written.decision.verdict}: {written.decision.reason}")
        click.echo(written.html)
        if written.pdf:
            click.echo(written.pdf)
    echo_untranslated(written.untranslated)
    warn(drawn, thumbnails)
