"""Render the tuning report: the HTML, whose one script the page allows by its hash alone, and its Markdown twin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from robust.eval.report.catalogue import ENGLISH
from robust.eval.report.context import escape_markdown, map_text
from robust.eval.report.language import Translator, in_language
from robust.eval.report.names import tuning_names
from robust.eval.report.page_script import script, script_source
from robust.eval.report.render import environment
from robust.eval.report.slider import slider_in_language
from robust.eval.report.tuning import EXTENTS, TuningContext, build_tuning
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_data import tuning_csv

MAX_HTML = 2_000_000
"""Bytes of a document that every viewer opens at once."""


@dataclass(frozen=True)
class TuningDocuments:
    """The files of a tuning report.

    Attributes:
        contents: File name -> bytes.
        untranslated: Texts that stayed English in a report of another language.
    """

    contents: Mapping[str, bytes]
    untranslated: tuple[str, ...] = ()


def tuning_in_language(
    context: TuningContext, lang: str, names: frozenset[str]
) -> tuple[TuningContext, Translator | None]:
    """The context and the data of its slider in a language, and the translator that made it; in English as it is.

    Args:
        context: Everything that the templates show.
        lang: Code of the language.
        names: What stays as it is, from `tuning_names`.

    Raises:
        UnknownName: there is no catalogue of that language.
    """
    made, translator = in_language(context, lang, names)
    if translator is not None:
        made = dataclasses.replace(made, data=slider_in_language(made.data, translator))
    return made, translator


def render_tuning_html(context: TuningContext) -> str:
    """One self-contained HTML document."""
    fields = {**_fields(context), "script": script(), "script_source": script_source()}
    return environment(html=True, lang=context.lang).get_template("tuning.html.j2").render(fields)


def render_tuning_markdown(context: TuningContext) -> str:
    """The same for a repository or a pull request, without curves and slider."""
    escaped = map_text(context, escape_markdown)
    return environment(html=False, lang=context.lang).get_template("tuning.md.j2").render(_fields(escaped))


def tuning_documents(
    subjects: Sequence[TuningSubject], *, limit: int = MAX_HTML, lang: str = ENGLISH
) -> TuningDocuments:
    """``tuning.html``, ``tuning.md`` and ``tuning.csv``.

    The HTML gives up curves of variants first and sections last until it fits the limit, and says so; the CSV holds
    everything. Pictures are in the document of a single candidate, and do not count.

    Args:
        subjects: Candidates, each with a name of its own.
        limit: Bytes of the HTML without pictures.
        lang: Language of the HTML and its Markdown twin; the CSV is for programs and stays as it is.

    Raises:
        UsageError: there is no candidate.
        UnknownName: there is no catalogue of that language.
    """
    subjects = sorted(subjects, key=lambda s: s.candidate.role == "baseline")  # candidates first, in the order given
    subjects = [subject.without_pictures() for subject in subjects] if len(subjects) > 1 else subjects
    pictures = sum(gallery.page_bytes for subject in subjects for gallery in subject.pictures.values())
    names = tuning_names(subjects)
    for extent in EXTENTS:
        context, translator = tuning_in_language(build_tuning(subjects, extent), lang, names)
        html = render_tuning_html(context).encode("utf-8")
        if len(html) <= limit + pictures:
            break
    contents = {
        "tuning.html": html,
        "tuning.md": render_tuning_markdown(context).encode("utf-8"),
        "tuning.csv": tuning_csv(subjects).encode("utf-8"),
    }
    return TuningDocuments(contents, tuple(translator.untranslated.values()) if translator else ())


def _fields(context: TuningContext) -> dict[str, object]:
    return {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
