"""An option that takes one value is refused when it is given two: Click would keep the last one without a word."""

from __future__ import annotations

import click

from robust.errors import UsageError


class StrictGroup(click.Group):
    """A group whose commands refuse an option that is given twice and may be given once."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Raises:
            UsageError: an option that takes one value was given two.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            _refuse_repeated(click.Context(command, parent=ctx, info_name=name), rest)
        return name, command, rest


def _refuse_repeated(ctx: click.Context, args: list[str]) -> None:
    try:
        _, _, order = ctx.command.make_parser(ctx).parse_args(list(args))
    except click.UsageError:
        return  # the command itself will tell it
    given = [one for one in order if isinstance(one, click.Option) and not (one.multiple or one.is_flag or one.count)]
    for option in dict.fromkeys(given):
        if given.count(option) > 1:
            raise UsageError(
                f"{option.opts[0]} was given {given.count(option)} times.",
                "It takes one value, and would use the last one alone.",
                _FIXES.get(option.opts[0], f"Give {option.opts[0]} once."),
            )


_FIXES = {
    "--suite": "Give --suite once: a suite file can include several suites, with a line such as "
    "`include: [core, weather]`.",
}
