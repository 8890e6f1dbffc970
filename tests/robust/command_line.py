"""Command lines of tests: a sound one, and what a test gives in place of a part of it."""

from __future__ import annotations

from collections.abc import Iterable


def with_options(sound: Iterable[object], more: Iterable[object]) -> list[str]:
    """Add options to a command line in which every option has one value; one that is given again replaces it.

    The commands refuse an option that is given twice, so a test cannot leave that to the parser.
    """
    line, added = [str(one) for one in sound], [str(one) for one in more]
    for option in {one for one in added if one.startswith("--")}:
        while option in line:
            del line[line.index(option) : line.index(option) + 2]
    return [*line, *added]
