"""The report in another language: every text of a finished context, held against a catalogue of messages.

A report is written in English first. Many of its sentences are stored: evidence keeps why there is no interval, a
decision keeps its reasons. So a text is translated when everything is known: it is matched with the templates of the
catalogue (gettext, ``templates/locale/*.po``), its values are cut out, each is translated in turn, and all are put into
the translated template. Names (runs, classes, splits, files) stay as they are, numbers and dates get the form of the
language. What matches nothing stays English and is told by `Translator.untranslated`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from robust.errors import UnknownName
from robust.eval.report.context import Code

Value = TypeVar("Value")

ENGLISH = "en"
LANGUAGES = (ENGLISH, "fr")
NOT_WORDS = frozenset(
    {
        "id", "style", "path", "sample", "segments", "at", "label_at", "anchor", "lang", "corners", "whiskers", "kind",
        "x", "y", "start", "stop", "width", "height", "left", "right", "top", "bottom", "x_label_at", "tick_label_x",
        "tick_label_y", "x_grid", "halo", "picture", "symbol",
    }
)  # fmt: skip
"""Fields of the context that hold no words: they are for the browser."""

_PLACE = re.compile(r"\{(\d+)\}")
_NUMBER = re.compile(r"(?<![\w.,/-])[+-]?\d[\d,]*(?:\.\d+)?(?![\w/]|[.,-]\d)")
_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
TERMS = frozenset(
    {
        "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl", "F1", "IoU", "MR-2",
        "MR^-2", "mPC", "rPC", "mPC AP50", "rPC AP50", "mPC AP", "rPC AP", "D-ECE", "LaECE", "LRP", "oLRP", "NMS",
        "TP", "FP", "FN", "TIDE", "COCO", "MLflow", "PROMOTE", "REJECT", "HOLD", "px", "MB", "ms", "sd", "FPPI", "p",
        "lr0", "imgsz", "seed", "batch", "epochs", "optimizer", "Box", "Cls", "Both", "Dupe", "Bkg", "Miss",
    }
)  # fmt: skip
"""Terms of the field, the same in every language."""

_LETTER = re.compile(r"[^\W\d_]")
_BRACKETED = re.compile(r"(.*?)([\[(])((?:[^\[\]()]|\([^()]*\)|\[[^\[\]]*\])*)([\])])(.*)", re.DOTALL)
_SENTENCES = (". ", "; ")
_GLUE = (*_SENTENCES, ": ", ", ", " and ", " - ")
"""Where texts were put together; tried in this order when no message fits the whole."""


@dataclass(frozen=True)
class Template:
    """A message with places: its pattern, what must be in a text for it to fit, and its translation."""

    pattern: re.Pattern[str]
    needed: str
    weight: int
    words: str

    @classmethod
    def of(cls, message: str, words: str) -> Template:
        """Compile a message such as "{0} of {1} gates passed"."""
        parts = _PLACE.split(message)
        literals = parts[::2]
        pattern = "".join(re.escape(part) if i % 2 == 0 else "(.*?)" for i, part in enumerate(parts))
        return cls(re.compile(pattern, re.DOTALL), max(literals, key=len), sum(map(len, literals)), words)

    def fill(self, values: Iterable[str]) -> str:
        """The translation with its values."""
        known = list(values)
        return _PLACE.sub(lambda place: known[int(place.group(1))], self.words)


@dataclass(frozen=True)
class Catalogue:
    """The messages of one language.

    Attributes:
        lang: Its code.
        whole: Message without places -> translation.
        templates: Messages with places, those with most words of their own first.
    """

    lang: str
    whole: Mapping[str, str]
    templates: tuple[Template, ...]


@cache
def catalogue(lang: str) -> Catalogue:
    """Read the catalogue of a language.

    Raises:
        UnknownName: there is none.
    """
    from importlib.resources import files

    from babel.messages.pofile import read_po

    if lang not in LANGUAGES:
        raise UnknownName("language", lang, LANGUAGES)
    text = files("robust.templates").joinpath(f"locale/{lang}.po").read_bytes()
    known = {str(m.id): str(m.string) for m in read_po(text.splitlines(keepends=True)) if m.id and m.string}
    templates = [Template.of(message, words) for message, words in known.items() if _PLACE.search(message)]
    return Catalogue(
        lang,
        {message: words for message, words in known.items() if not _PLACE.search(message)},
        tuple(sorted(templates, key=lambda template: -template.weight)),
    )


@dataclass
class Translator:
    """Translates the texts of one report.

    Attributes:
        catalogue: Of the language.
        names: Texts that stay as they are wherever they are a value of their own.
        untranslated: Texts of which something was not found, and that part.
    """

    catalogue: Catalogue
    names: frozenset[str] = frozenset()
    untranslated: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known: dict[str, str | None] = {}

    def __call__(self, text: str) -> str:
        """The text in the language."""
        words = self._whole(text)
        if words is not None:
            return words
        words, left = self._in_part(text)
        self.untranslated[text] = left
        return words

    def _whole(self, text: str) -> str | None:
        """The translation of a text of which every part is known; None when one is not."""
        if text not in self._known:
            self._known[text] = None  # a text is no part of itself
            self._known[text] = self._find(text)
        return self._known[text]

    def _find(self, text: str) -> str | None:
        core = text.strip()
        if core in self.names or core in TERMS or not core:
            return text
        if text in self.catalogue.whole:
            return self.catalogue.whole[text]
        if not _LETTER.search(_DATE.sub("", core)):
            return localised(text, self.catalogue.lang)
        if core != text:
            words = self._whole(core)
            return None if words is None else text.replace(core, words, 1)
        return next(self._parsed(text), None)

    def _parsed(self, text: str) -> Iterator[str]:
        for template, parts in self._fitting(text):
            values = self._all(parts)
            if values is not None:
                yield template.fill(values)
        found = _BRACKETED.fullmatch(text)
        if found is not None:
            before, opening, inside, closing, after = found.groups()
            values = self._all((before, inside, after))
            if values is not None:
                yield f"{values[0]}{opening}{self._listed(values[1], opening)}{closing}{values[2]}"
        for glue in _GLUE:
            for halves in _halves(text, glue):
                values = self._all(halves)
                if values is not None:
                    yield joined(glue, self.catalogue.lang).join(values)
        for first, rest in _halves(text, " "):  # "AP50 0.612", "base@320 0.613"
            if first in TERMS or first in self.names:
                words = self._whole(rest)
                if words is not None:
                    yield f"{first} {words}"

    def _fitting(self, text: str) -> Iterator[tuple[Template, tuple[str, ...]]]:
        for template in self.catalogue.templates:
            if template.needed in text and (found := template.pattern.fullmatch(text)):
                yield template, found.groups()

    def _all(self, parts: Iterable[str]) -> list[str] | None:
        """The translations of all parts; None as soon as one has none."""
        values = []
        for part in parts:
            words = self._whole(part)
            if words is None:
                return None
            values.append(words)
        return values

    def _listed(self, words: str, opening: str) -> str:
        """The inside of brackets: between the ends of an interval a comma would read as a decimal mark."""
        return re.sub(r",\s", " ; ", words) if opening == "[" and self.catalogue.lang == "fr" else words

    def _in_part(self, text: str) -> tuple[str, str]:
        """As much as can be translated, and what stayed English."""
        words = self._whole(text)
        if words is not None:
            return words, ""
        for glue in _SENTENCES:
            halves = next(_halves(text, glue), None)
            if halves is not None:
                return self._put_together(halves, joined(glue, self.catalogue.lang).join)
        fitting = next(self._fitting(text), None)
        if fitting is not None:
            template, parts = fitting
            return self._put_together(parts, template.fill)
        return text, text

    def _put_together(self, parts: Iterable[str], join: Callable[[list[str]], str]) -> tuple[str, str]:
        told = [self._in_part(part) for part in parts]
        return join([words for words, _ in told]), " | ".join(left for _, left in told if left)


def _halves(text: str, glue: str) -> Iterator[tuple[str, str]]:
    """Both sides of every place where a text may have been put together; a full stop stays with what it ends."""
    stop = glue.startswith(".")
    place = text.find(glue)
    while place >= 0:
        halves = text[: place + stop], text[place + len(glue) :]
        if all(half.strip() for half in halves):
            yield halves
        place = text.find(glue, place + 1)


def joined(glue: str, lang: str) -> str:
    """What stands between two texts; French puts a space that does not break before high punctuation."""
    if glue.startswith("."):
        return glue[1:]
    french = {"; ": "\u00a0; ", ": ": "\u00a0: ", " and ": " et "}
    return french.get(glue, glue) if lang == "fr" else glue


def localised(text: str, lang: str) -> str:
    """Numbers and dates of a text without words, in the form of the language."""
    from babel.dates import format_date
    from babel.numbers import get_decimal_symbol, get_group_symbol

    point, group = get_decimal_symbol(lang), get_group_symbol(lang)

    def number(found: re.Match[str]) -> str:
        whole, _, digits = found.group().partition(".")
        return whole.replace(",", group) + (point + digits if digits else "")

    def day(found: re.Match[str]) -> str:
        from datetime import date

        return format_date(date(*map(int, found.groups())), "long", locale=lang)

    return _NUMBER.sub(number, _DATE.sub(day, text)).replace(" %", "\u00a0%")


def translate(value: Value, translator: Translator) -> Value:
    """The same records with every text translated; what is for the browser, and code, stays."""
    if isinstance(value, str):
        return translator(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(translate(item, translator) for item in value)  # type: ignore[return-value]
    if isinstance(value, Code) or not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changed = {
        f.name: translate(getattr(value, f.name), translator)
        for f in dataclasses.fields(value)
        if f.name not in NOT_WORDS
    }
    return dataclasses.replace(value, **changed)
