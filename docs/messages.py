"""Write templates/report.pot, the messages of the report, from the source, and renew the catalogues.

    python docs/messages.py            keeps translations, adds new messages without one, drops those that are gone

Sentences are born in many modules, some long before a report is written: evidence keeps them as text. So they are not
wrapped where they are made; they are collected here from the source, as templates in which ``{0}``, ``{1}`` stand for
values, and the finished report is held against them (`robust.eval.report.language`). Tests compare the file with the
source, and ask for a translation of each message.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import yaml
from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2 import nodes

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "templates"
POLICY = ROOT / "eval" / "decision" / "policy.yaml"
NOT_IN_REPORTS = {
    "approval.py", "arithmetic.py", "catalogue.py", "comparison_arithmetic.py", "context.py", "count_arithmetic.py",
    "cyclonedx.py", "files.py", "group_arithmetic.py", "junit.py", "language.py", "manifest.py", "model_card.py",
    "parse.py", "pdf.py", "printed.py", "render.py", "replicates.py", "sarif.py", "statement.py", "typed_claims.py",
}  # fmt: skip
"""Modules of the packages below whose words are for machines, terminals or programmers."""
EXTRA = ROOT / "docs" / "messages.txt"
"""Words and patterns that are put together from several places of the source, or are single words there."""
PACKAGES = ("decision", "report", "metrics", "evidence", "audit")

_PLACE = re.compile(r"\{(\w*)\}")
_WORDS = re.compile(r"[A-Za-z]{2,}")
_OUTSIDE = {"raise", "UsageError", "DataError", "IntegrityError", "StoreError", "UnknownName", "ValueError", "Field"}
"""What is told on a terminal or to programmers is not part of a report."""


def numbered(template: str) -> str:
    """The template with its places numbered in their order: "{n} of {m}" is "{0} of {1}"."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        names.append(found.group(1))
        return f"{{{len(names) - 1}}}"

    return _PLACE.sub(place, template)


@dataclass
class Message:
    """What is known of a message: the files that hold it, and whether it is a number of things ("{0} images")."""

    files: list[str] = field(default_factory=list)
    is_count: bool = False


def messages(sources: Iterable[Path]) -> dict[str, Message]:
    """Find the messages of Python modules and Jinja2 templates, in order of appearance.

    Args:
        sources: Files whose names end in ``.py`` or ``.j2``.
    """
    found: dict[str, Message] = {}
    for path in sources:
        text = path.read_text(encoding="utf-8")
        for template, is_count in _of_template(text) if path.suffix == ".j2" else _of_module(text):
            message = found.setdefault(template, Message())
            message.is_count = message.is_count or is_count
            if path.name not in message.files:
                message.files.append(path.name)
    return found


def _of_template(text: str) -> Iterator[tuple[str, bool]]:
    """What templates say themselves: arguments of ``_("...")``."""
    tree = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=True).parse(text)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "_" and isinstance(call.args[0], nodes.Const):
            yield str(call.args[0].value), False


def _of_module(text: str) -> Iterator[tuple[str, bool]]:
    collector = _Collector()
    collector.visit(ast.parse(text))
    yield from collector.found


class _Collector(ast.NodeVisitor):
    """Collects strings that read like words, and passes over docstrings, annotations and errors."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bool]] = []

    def visit_Raise(self, node: ast.Raise) -> None:
        """Errors are told on the terminal."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Annotations hold no words for readers."""
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Nor do those of arguments."""

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Keys are no words for readers, but ``Literal[...]`` may list some."""
        self.visit(node.value)
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            self.visit(node.slice)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A string that stands alone documents something."""
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Errors that are made without being raised at once are told on the terminal too; nouns have two forms."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in {"plural", "counted"} and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            forms = [str(arg.value) for arg in node.args[1:] if isinstance(arg, ast.Constant)]
            forms = forms if len(forms) > 1 else [forms[0], f"{forms[0]}s"]
            self.found += [(f"{{0}} {form}", True) for form in forms]
            self.visit(node.args[0])
        elif name not in _OUTSIDE:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A text; what is one word may be a key as well as a word, and is collected only where it starts big."""
        if isinstance(node.value, str):
            self._keep(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text with values; the values may hold words of their own."""
        parts = []
        for part in node.values:
            parts.append(part.value if isinstance(part, ast.Constant) else "{}")
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)
        self._keep("".join(str(part) for part in parts))

    def _keep(self, text: str) -> None:
        words = _PLACE.sub(" ", text)
        is_label = re.fullmatch(r"[A-Z][a-z]+[a-z -]*", text) is not None
        if _WORDS.search(words) and (is_label or " " in text.strip()) and "\n" not in text:
            self.found.append((numbered(text), False))


def sources() -> list[Path]:
    """The files whose words reports are made of."""
    modules = [path for name in PACKAGES for path in sorted((ROOT / "eval" / name).glob("*.py"))]
    templates = sorted((ROOT / "templates").glob("*.j2"))
    return [path for path in (*modules, *templates) if path.name not in NOT_IN_REPORTS]


def all_messages() -> dict[str, Message]:
    """Every message with the files that hold it, those of the policy that ships included."""
    found = messages(sources())
    policy = yaml.safe_load(POLICY.read_text(encoding="utf-8"))
    for text in (policy["objective"]["statement"], *(gate["name"] for gate in policy["gates"])):
        found.setdefault(text, Message()).files.append(POLICY.name)
    for text in EXTRA.read_text(encoding="utf-8").splitlines():
        found.setdefault(text, Message()).files.append(EXTRA.name)
    return found


def template_catalogue() -> Catalog:
    """The messages without translations."""
    made = Catalog(project="robust", fuzzy=False)
    for text, message in all_messages().items():
        flags = ["count"] if message.is_count else []
        made.add(text, locations=[(name, 0) for name in message.files], flags=flags)
    return made


def main() -> int:
    """Renew the template and every catalogue."""
    template = template_catalogue()
    for path in (TEMPLATES / "report.pot", *sorted(TEMPLATES.glob("report.*.po"))):
        made = template
        if path.suffix == ".po":
            with path.open("rb") as stream:
                made = read_po(stream, locale=path.suffixes[0][1:])
            made.update(template, no_fuzzy_matching=True)
        with path.open("wb") as stream:
            write_po(stream, made, width=120, omit_header=True, no_location=False, ignore_obsolete=True)
        sys.stdout.write(f"{path}: {len(made)} messages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
