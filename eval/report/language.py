"""The report in another language: every text of a finished context, held against a catalogue of messages.

A report is written in English first. Many of its sentences are stored: evidence keeps why there is no interval, a
decision keeps its reasons. So a text is translated when everything is known: it is matched with the templates of the
catalogue (gettext, ``templates/report.*.po``), its values are cut out, each is translated in turn, and all are put into
the translated template. Names (runs, classes, splits, files) stay as they are, numbers and dates get the form of the
language. What matches nothing stays English and is told by `Translator.untranslated`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from robust.eval.report.catalogue import ENGLISH, SENTENCES, Catalogue, Template, catalogue
from robust.eval.report.context import Code

Value = TypeVar("Value")

NOT_WORDS = frozenset(
    {
        "id", "style", "path", "sample", "segments", "at", "label_at", "anchor", "lang", "corners", "whiskers", "kind",
        "x", "y", "start", "stop", "width", "height", "left", "right", "top", "bottom", "x_label_at", "tick_label_x",
        "tick_label_y", "x_grid", "halo", "picture", "symbol", "place", "found", "undrawn",
    }
)  # fmt: skip
"""Fields of the context that hold no words: they are for the browser."""

_NUMBER = re.compile(r"(?<![\w.,/-])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w/]|[.,-]\d)")
_DATE = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
TERMS = frozenset(
    {
        "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl", "F1", "IoU", "MR-2",
        "MR^-2", "mPC", "rPC", "mPC AP50", "rPC AP50", "mPC AP", "rPC AP", "D-ECE", "LaECE", "LRP", "oLRP", "NMS",
        "TP", "FP", "FN", "TIDE", "COCO", "MLflow", "PROMOTE", "REJECT", "HOLD", "px", "MB", "ms", "sd", "FPPI", "p",
        "lr0", "imgsz", "mAP", "mAP50", "mAP50-95", "batch", "epochs", "optimizer",
        "Box", "Cls", "Both", "Dupe", "Bkg", "Miss",
    }
)  # fmt: skip
"""Terms of the field, the same in every language."""

_LETTER = re.compile(r"[^\W\d_]")
_HASH = re.compile(r"[0-9a-f]{8,64}(\.\.\.)?")
_QUOTED = re.compile(r"(['\"]).+\1", re.DOTALL)
_BRACKETED = re.compile(r"([\[(])((?:[^\[\]()]|\([^()]*\)|\[[^\[\]]*\])*)([\])])(.*)", re.DOTALL)
_OPENING = re.compile(r"[\[(]")
_MISLEADING = re.compile(r"[^\w@-]|\d|_")  # anything but a plain word
_FIRST_COVER, _MOST_COVERS = 0xE000, 6000  # private use signs: `printable` leaves none
_COVER = re.compile("[\ue000-\uf8ff]")
_GLUE = (*SENTENCES, ": ", ", ", " and ", " - ")
"""Where texts were put together; tried in this order when no message fits the whole."""


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
        covered = sorted(filter(self._may_mislead, self.names), key=lambda name: (-len(name), name))[:_MOST_COVERS]
        self._covers = {name: chr(_FIRST_COVER + i) for i, name in enumerate(covered)}
        self._names = {cover: name for name, cover in self._covers.items()}
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in covered) or r"(?!)")

    def __call__(self, text: str) -> str:
        """The text in the language."""
        if text in self.catalogue.whole and text not in self.names:
            return self.catalogue.whole[text]
        if _COVER.search(text):  # would be taken for the cover of a name
            self.untranslated[text] = text
            return text
        covered = self._pattern.sub(lambda found: self._covers[found[0]], text)
        words = self._whole(covered)
        if words is None and covered != text:
            words = self._whole(text)  # a sentence may hold a name as words: "not below the baseline by more than 0.02"
        if words is None:
            words, left = self._in_part(covered)
            self.untranslated[text] = self._uncovered(left)
        return self._uncovered(words)

    def _may_mislead(self, name: str) -> bool:
        """Whether a name could be read as words of a sentence; such a name is covered by one sign while it is read.

        A lower-case word is not: sentences hold such words too, and where it stands alone it is known as a name.
        """
        is_word = name[:1].isupper() and self.catalogue.whole.get(name, name) != name
        return bool(_LETTER.search(name)) and (is_word or bool(_MISLEADING.search(name)))

    def _uncovered(self, text: str) -> str:
        return _COVER.sub(lambda cover: self._names.get(cover[0], cover[0]), text)

    def _whole(self, text: str) -> str | None:
        """The translation of a text of which every part is known; None when one is not."""
        if text not in self._known:
            self._known[text] = None  # a text is no part of itself
            self._known[text] = self._find(text)
        return self._known[text]

    def _find(self, text: str) -> str | None:
        core = text.strip()
        if core in TERMS or not core or _HASH.fullmatch(core) or self._is_name(core):
            return text
        if text in self.catalogue.whole:
            return self.catalogue.whole[text]
        if not _LETTER.search(_DATE.sub("", core)):
            return localised(text, self.catalogue.lang)
        if core != text:
            words = self._whole(core)
            return None if words is None else text.replace(core, words, 1)
        return next(self._parsed(text), None)

    def _is_name(self, text: str) -> bool:
        """Whether it is a name, one in quotes, or one of which the middle was left out."""
        head, cut, tail = text.partition("…")
        if _QUOTED.fullmatch(text) and text[1:-1] in self.names:
            return True  # as Python's repr gives it: no split 'val'
        return text in self.names or bool(cut and any(n.startswith(head) and n.endswith(tail) for n in self.names))

    def _parsed(self, text: str) -> Iterator[str]:
        for template, parts in self._fitting(text):
            values = self._all(parts)
            if values is not None:
                yield template.fill(values)
        yield from self._bracketed(text)
        for glue in _GLUE:
            for halves in _halves(text, glue):
                values = self._all(halves)
                if values is not None:
                    yield joined(glue, self.catalogue.lang).join(values)
        yield from self._ended(text)

    def _bracketed(self, text: str) -> Iterator[str]:
        """Text with something in brackets, whichever of its brackets that is."""
        for place in (found.start() for found in _OPENING.finditer(text)):
            found = _BRACKETED.fullmatch(text, place)
            values = self._all((text[:place], found[2], found[4])) if found else None
            if found and values:
                yield f"{values[0]}{found[1]}{self._listed(values[1], found[1])}{found[3]}{values[2]}"

    def _ended(self, text: str) -> Iterator[str]:
        """Text that ends with a full stop, or starts with a name, a symbol or a message: "AP50 0.612", "? FAIL"."""
        if text.endswith(".") and (words := self._whole(text[:-1])) is not None:
            yield f"{words}."
        for first, last in _halves(text, " "):
            if self._is_value(first) or not _LETTER.search(last):
                values = self._all((first, last))
                if values is not None:
                    yield " ".join(values)

    def _is_value(self, text: str) -> bool:
        return text in TERMS or text in self.names or text in self.catalogue.whole or not _LETTER.search(text)

    def _fitting(self, text: str) -> Iterator[tuple[Template, tuple[str, ...]]]:
        for template in self.catalogue.templates:
            if template.needed in text:  # asked here too: a call costs more than the answer
                yield from ((template, parts) for parts in template.fit(text))

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
        """Every sentence and clause that is known whole, and what stayed English: half a sentence would mislead."""
        words = self._whole(text)
        if words is not None:
            return words, ""
        for glue in SENTENCES:
            halves = next(_halves(text, glue), None)
            if halves is not None:
                told = [self._in_part(half) for half in halves]
                made = joined(glue, self.catalogue.lang).join(words for words, _ in told)
                return made, " | ".join(left for _, left in told if left)
        return text, text


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

    if lang == "fr":  # where the comma is the decimal mark, it cannot stand between numbers
        text = re.sub(r"(?<=[\d%]), (?=[<>]? ?[+-]?\d)", " ; ", text)
    return re.sub(r"(?<=\d) ?%", "\u00a0%" if lang == "fr" else "%", _NUMBER.sub(number, _DATE.sub(day, text)))


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


def in_language(context: Value, lang: str, names: frozenset[str]) -> tuple[Value, Translator | None]:
    """A finished context in a language, and the translator that made it; in English as it is.

    Args:
        context: A frozen record of finished texts with a field ``lang``.
        lang: Code of the language.
        names: What stays as it is, from `robust.eval.report.names`.

    Raises:
        UnknownName: there is no catalogue of that language.
    """
    if lang == ENGLISH:
        return context, None
    translator = Translator(catalogue(lang), names)
    made = translate(context, translator)
    return dataclasses.replace(made, lang=lang), translator  # type: ignore[type-var]


def translate_json(value: Any, translator: Translator, fields: frozenset[str]) -> Any:
    """The same JSON value with the texts of some fields translated."""
    if isinstance(value, list):
        return [translate_json(item, translator, fields) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: translator(item) if key in fields and isinstance(item, str) else translate_json(item, translator, fields)
        for key, item in value.items()
    }


def phrases(lang: str) -> Callable[[str], str]:
    """What templates call: a message without values in a language; one that is not in the catalogue is an error."""
    if lang == ENGLISH:
        return str
    return catalogue(lang).phrase
