"""Render the tuning report: the HTML, whose one script the page allows by its hash alone, and its Markdown twin."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from robust.eval.report.context import escape_markdown, map_text
from robust.eval.report.page_script import script, script_source
from robust.eval.report.render import environment
from robust.eval.report.tuning import EXTENTS, TuningContext, build_tuning
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_data import tuning_csv

MAX_HTML = 2_000_000
"""Bytes of a document that every viewer opens at once."""


def render_tuning_html(context: TuningContext) -> str:
    """One self-contained HTML document."""
    fields = {**_fields(context), "script": script(), "script_source": script_source()}
    return environment(html=True).get_template("tuning.html.j2").render(fields)


def render_tuning_markdown(context: TuningContext) -> str:
    """The same for a repository or a pull request, without curves and slider."""
    escaped = map_text(context, escape_markdown)
    return environment(html=False).get_template("tuning.md.j2").render(_fields(escaped))


def tuning_documents(subjects: Sequence[TuningSubject], *, limit: int = MAX_HTML) -> dict[str, bytes]:
    """``tuning.html``, ``tuning.md`` and ``tuning.csv``.

    The HTML gives up curves of variants first and sections last until it fits the limit, and says so; the CSV holds
    everything. Pictures are in the document of a single candidate, and do not count.

    Args:
        subjects: Candidates, each with a name of its own.
        limit: Bytes of the HTML without pictures.

    Raises:
        UsageError: there is no candidate.
    """
    subjects = sorted(subjects, key=lambda s: s.candidate.role == "baseline")  # candidates first, in the order given
    subjects = [subject.without_pictures() for subject in subjects] if len(subjects) > 1 else subjects
    pictures = sum(gallery.page_bytes for subject in subjects for gallery in subject.pictures.values())
    for extent in EXTENTS:
        context = build_tuning(subjects, extent)
        html = render_tuning_html(context).encode("utf-8")
        if len(html) <= limit + pictures:
            break
    return {
        "tuning.html": html,
        "tuning.md": render_tuning_markdown(context).encode("utf-8"),
        "tuning.csv": tuning_csv(subjects).encode("utf-8"),
    }


def _fields(context: TuningContext) -> dict[str, object]:
    return {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
