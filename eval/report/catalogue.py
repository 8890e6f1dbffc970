"""The messages of a language: read from its gettext catalogue, and made into patterns that texts are matched with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from robust.errors import UnknownName

ENGLISH = "en"
LANGUAGES = (ENGLISH, "fr")
"""Codes of the languages that reports can be told in."""

SENTENCES = (". ", "; ")
"""What ends a sentence or a clause."""

_PLACE = re.compile(r"\{(\d+)\}")
_PAIR = re.compile(r"\{\d+\} \{\d+\}")
_COUNT = r"([\d,.]+|unknown number of)"
_LEAD = re.compile(r"^\u00a0?[;:,.]\s")  # what joins a fragment to the text before it


@dataclass(frozen=True)
class Template:
    """A message with places: its patterns, what a text must hold, start and end with to fit, and its translation."""

    patterns: tuple[re.Pattern[str], ...]
    places: tuple[int, ...]
    starts_open: bool
    ends_open: bool
    needed: str
    start: str
    end: str
    weight: int
    words: str

    @classmethod
    def of(cls, message: str, words: str, *, is_count: bool = False) -> Template:
        """Compile a message such as "{0} of {1} gates passed"; that of a count, "{0} gates", fits only with a number.

        Two places with nothing but a space between them are one: where one value ends, no pattern can tell.
        """
        for pair in _PAIR.findall(message):
            if pair in words:
                first = pair.partition(" ")[0]
                message, words = message.replace(pair, first), words.replace(pair, first)
        parts = _PLACE.split(message)
        literals, numbers = parts[::2], [int(number) for number in parts[1::2]]
        # short values first, then a long one in one of the places, then long ones everywhere
        ways = [set[int]()] + [{i} for i in range(len(numbers))] * (len(numbers) > 1) + [set(range(len(numbers)))]
        patterns = [_COUNT + re.escape(literals[1])] if is_count else [_pattern(literals, long) for long in ways]
        compiled = tuple(re.compile(pattern, re.DOTALL) for pattern in patterns)
        whole = any(glue in literal for literal in literals for glue in SENTENCES)
        starts, ends = (not literal and not whole for literal in (literals[0], literals[-1]))
        needed, weight = max(literals, key=len), sum(map(len, literals))
        return cls(compiled, tuple(numbers), starts, ends, needed, literals[0], literals[-1], weight, words)

    def fit(self, text: str) -> Iterator[tuple[str, ...]]:
        """The values that a text has in the places, where it fits; some messages fit in several ways.

        A value at an end of the message never reaches over the end of a sentence or clause: that belongs to another.
        """
        if not (self.needed in text and text.startswith(self.start) and text.endswith(self.end)):
            return
        if self.patterns[0].fullmatch(text) is None:
            return  # the others fit the same texts, in other ways
        found = dict.fromkeys(match.groups() for pattern in self.patterns if (match := pattern.fullmatch(text)))
        for values in found:
            ends = (values[0],) * self.starts_open + (values[-1],) * self.ends_open
            if not any(glue in value for value in ends for glue in SENTENCES):
                yield values

    def fill(self, values: Iterable[str]) -> str:
        """The translation with its values, which come in the order of the message."""
        known = dict(zip(self.places, values, strict=True))
        return _PLACE.sub(lambda place: known[int(place.group(1))], self.words)


def _pattern(literals: list[str], long: set[int]) -> str:
    """What texts of a message look like: its literals, and values between them, some as long as they can be."""
    places = ["(.*)" if i in long else "(.*?)" for i in range(len(literals) - 1)]
    parts = [re.escape(literals[0])]
    for place, literal in zip(places, literals[1:], strict=True):
        parts += [place, re.escape(literal)]
    return "".join(parts)


@dataclass(frozen=True)
class Catalogue:
    """The messages of one language.

    Attributes:
        lang: Its code.
        whole: Message without places -> translation.
        templates: Messages with places, those with most words of their own first.
        messages: Every message as it stands in the file.
    """

    lang: str
    whole: Mapping[str, str]
    templates: tuple[Template, ...]
    messages: Mapping[str, str]

    @classmethod
    def of(cls, lang: str, messages: Mapping[str, str], counts: frozenset[str] = frozenset()) -> Catalogue:
        """Sort messages and their translations; white space at their ends belongs to where they are put together.

        Args:
            lang: Of the translations.
            messages: Message -> translation; one that is empty is left out.
            counts: Messages that are a number of things.
        """
        known = {message.strip(): words.strip(" ") for message, words in messages.items() if words.strip()}
        known |= {_LEAD.sub("", message): _LEAD.sub("", words) for message, words in known.items()}
        templates = [
            Template.of(message, words, is_count=message in counts)
            for message, words in known.items()
            if _PLACE.search(message)
        ]
        return cls(
            lang,
            {message: words for message, words in known.items() if not _PLACE.search(message)},
            tuple(sorted(templates, key=lambda template: -template.weight)),
            messages,
        )

    def phrase(self, message: str) -> str:
        """The translation of a whole message, places included.

        Raises:
            KeyError: there is none.
        """
        return self.messages[message]


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
    text = files("robust.templates").joinpath(f"report.{lang}.po").read_bytes()
    found = [message for message in read_po(text.splitlines(keepends=True)) if message.id]
    counts = frozenset(str(message.id) for message in found if "count" in message.flags)
    return Catalogue.of(lang, {str(message.id): str(message.string) for message in found}, counts)
