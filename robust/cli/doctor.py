"""``robust doctor``."""

from __future__ import annotations

import click

from robust.cli import options
from robust.cli.output import echo_json

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command("doctor")
@options.tracking_uri
@click.option("--deep", is_flag=True, help="Also load the compiled libraries (some seconds).")
@options.as_json
@click.pass_context
def doctor_command(ctx: click.Context, tracking_uri: str, deep: bool, as_json: bool) -> None:
    """Check versions, compiled parts, threads, disk and the tracking store.

    Exit code 0 when everything works, 1 when something must be mended.
    """
    from robust.eval.doctor import diagnose

    checks = diagnose(tracking_uri, deep=deep)
    if as_json:
        echo_json(checks)
    for check in () if as_json else checks:
        mark, colour = _MARKS[check.status]
        click.echo(f"{click.style(mark, fg=colour)}  {check.name}: {check.found}")
        if check.fix:
            click.echo(f"      {check.fix}")
    ctx.exit(1 if any(check.status == "fail" for check in checks) else 0)
