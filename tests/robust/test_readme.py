"""What the README tells people to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from robust.cli import COMMANDS, robust
from robust.errors import RobustError

TEXT = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^    (?:\S*[/\\])?robust ([^#\n]+)", TEXT.replace("\\\n", " "), flags=re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_each_command_line_is_accepted(line: str) -> None:
    group: click.Command = robust
    context = click.Context(robust)
    arguments = shlex.split(line)
    while isinstance(group, click.Group):
        command = group.get_command(context, arguments[0])
        assert command is not None, line
        group, arguments = command, arguments[1:]
    group.make_context(group.name, list(arguments), parent=context)  # parses, runs nothing


def test_every_command_is_explained() -> None:
    for name in COMMANDS:
        assert f"`robust {name}" in TEXT


def test_every_make_target_exists(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", TEXT, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_exit_codes_are_the_ones_of_the_errors() -> None:
    kinds = [RobustError, *RobustError.__subclasses__()]
    for code in {kind.exit_code for kind in kinds}:
        assert re.search(rf"^\| {code} \|", TEXT, flags=re.MULTILINE), code
