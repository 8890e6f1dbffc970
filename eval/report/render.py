"""Render the context with Jinja2. The only module that imports it."""

from __future__ import annotations

import dataclasses
import re
from functools import cache

import jinja2
from markupsafe import Markup, escape

from robust.eval.report.catalogue import ENGLISH
from robust.eval.report.context import ReportContext, escape_markdown, map_text
from robust.eval.report.language import phrases
from robust.eval.report.page_script import script, script_source

_LONG = re.compile(r"\S{17,}")


@cache
def environment(*, html: bool, lang: str = ENGLISH) -> jinja2.Environment:
    """The templates: undefined names are errors; HTML is escaped by Jinja2, Markdown by `escape_markdown`.

    What templates say themselves stands in ``_("...")`` and is said in the language.
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("robust.templates", "."),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["code_span"] = code_span
    found.filters["breakable"] = breakable
    found.globals["_"] = phrases(lang)
    return found


def render_html(context: ReportContext) -> str:
    """One self-contained HTML document, whose one script the page allows by its hash alone."""
    fields = {**_fields(context), "script": script(), "script_source": script_source()}
    return environment(html=True, lang=context.lang).get_template("report.html.j2").render(fields)


def render_markdown(context: ReportContext) -> str:
    """The same report for a repository or a pull request."""
    escaped = map_text(context, escape_markdown)
    return environment(html=False, lang=context.lang).get_template("report.md.j2").render(_fields(escaped))


def render_summary(context: ReportContext) -> str:
    """The decision box in Markdown, for the page of a run."""
    escaped = map_text(context, escape_markdown)
    return environment(html=False, lang=context.lang).get_template("summary.md.j2").render(_fields(escaped))


def _fields(context: ReportContext) -> dict[str, object]:
    return {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}


def breakable(text: str) -> Markup:
    """Escaped text of which a browser may break long names after an underscore, before it breaks them anywhere."""
    return Markup(_LONG.sub(lambda word: word[0].replace("_", "_<wbr>"), str(escape(text))))


def code_span(text: str) -> str:
    """Text as a Markdown code span whose fence is longer than any run of backticks in it.

    Source: CommonMark 0.31, section 6.1. Not for table cells: GitHub's tables read a pipe before code spans.
    """
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
