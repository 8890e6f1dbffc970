"""The command line: parse, call a use case, print. Data goes to stdout; progress and errors go to stderr.

Commands are looked up by name when they run, so ``robust --help`` loads none of them and none of their libraries.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from robust import __version__
from robust.cli.failures import INTERRUPTED, explain
from robust.cli.repeated import StrictGroup
from robust.errors import UnknownName

COMMANDS = {
    "demo": "The whole job on built-in pedestrians, without network.",
    "init": "Write a commented policy.yaml and card.yaml.",
    "doctor": "Check versions, threads, disk and the tracking store.",
    "data": "Check, generate and convert data sets.",
    "variants": "List, preview and build corrupted data sets.",
    "train": "Train a grid of candidates.",
    "adopt": "Take in Ultralytics run folders that MLflow never saw.",
    "eval": "Measure candidates on clean and corrupted images.",
    "sweep": "Choose a confidence threshold from stored predictions.",
    "audit": "Check numbers that people typed.",
    "report": "Write the decision report.",
    "gate": "Print the decision and exit with its code, for CI.",
    "sign": "Approve or reject a report.",
    "verify": "Check a report, what it rests on, and who signed it.",
}
"""Each command with its line of help, in the order of use; ``robust/cli/<name>.py`` holds ``<name>_command``."""


class CommandGroup(StrictGroup):
    """Loads a command when it is used, and turns known failures into short messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; None for a name that does not exist."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"robust.cli.{cmd_name}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            UnknownName: there is no such command; the nearest is suggested.
        """
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UnknownName("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            Exit: it failed in a way we can explain, which was told on stderr.
        """
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo(f"\n{INTERRUPTED.message}", err=True)
            ctx.exit(INTERRUPTED.exit_code)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:  # `robust ... | head`: Click ends quietly
                raise
            if ctx.params["debug"]:
                _print_traceback(error)
            failure = explain(error)
            click.echo(failure.message, err=True)
            ctx.exit(failure.exit_code)


def _print_traceback(error: Exception) -> None:
    import traceback

    click.echo("".join(traceback.format_exception(error)), err=True)


@click.group(
    cls=CommandGroup,
    context_settings={"auto_envvar_prefix": "ROBUST", "help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="robust")
@click.option("--debug", is_flag=True, show_envvar=True, help="Show the traceback of errors.")
@click.option("-q", "--quiet", is_flag=True, show_envvar=True, help="No progress, no log: only the result.")
@click.pass_context
def robust(ctx: click.Context, debug: bool, quiet: bool) -> None:
    """Robustness evaluation and promotion decisions for object detectors.

    Exit codes: 0 done or PROMOTE, 1 failure, 2 usage or bad data, 3 REJECT, 4 HOLD, 5 integrity, 130 interrupted.
    """
    import logging

    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("robust").setLevel(logging.DEBUG if debug else logging.WARNING if quiet else logging.INFO)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit the process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows pipe may know no accents; show a code rather than stop
            stream.reconfigure(errors="backslashreplace")
    try:
        robust.main(args, prog_name="robust")
    except KeyboardInterrupt:  # while the command was being looked up
        click.echo(INTERRUPTED.message, err=True)
        sys.exit(INTERRUPTED.exit_code)
    sys.exit(0)  # pragma: no cover - Click exits by itself
