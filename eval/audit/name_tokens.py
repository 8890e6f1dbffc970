"""What the name of a run says of its parameters: ``yolov8n_e3_sz416_lr0.005_s42``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from robust.eval.audit.settings import as_integer, spelled, spelled_as

_NUMBER = r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_BEFORE, _AFTER = r"(?<![A-Za-z0-9.])", r"(?![A-Za-z0-9]|\.\d)"
_WORDS = {
    "imgsz": r"imgsz|img|size|sz",
    "lr0": r"lr0(?==)|lr",
    "seed": r"seed|s",
    "epochs": r"epochs?|ep|e",
    "batch": r"batch|bs",
}
_PATTERNS = {
    name: re.compile(rf"{_BEFORE}(?P<word>{words})[=:]?(?P<value>{_NUMBER}){_AFTER}", re.IGNORECASE)
    for name, words in _WORDS.items()
}
_CLEAR = 2  # letters of a word that cannot mean much else; "s3" may be anything
_LONGEST = 500


@dataclass(frozen=True)
class Token:
    """One parameter in a name.

    Attributes:
        parameter: Which: imgsz, lr0, seed, epochs or batch.
        value: As it stands there.
        is_clear: Whether its word is longer than one letter.
        is_last: Whether the name ends with it.
    """

    parameter: str
    value: str
    is_clear: bool
    is_last: bool

    def agrees(self, logged: str) -> bool:
        """Whether it says what the parameter says."""
        return spelled(self.value) == spelled_as(self.parameter, logged)

    def appended(self, logged: str) -> int | None:
        """The number that was appended to the right value: 2 for 422 where 42 is right; None when it is no such thing.

        Ultralytics appended 2, 3, ... to the name of a training whose folder existed (later versions put a dash before
        it).
        """
        text, right = self.value, spelled_as(self.parameter, logged)
        rest = text.removeprefix(right)
        if not self.is_last or rest == text or not rest.isdecimal() or rest.startswith("0"):
            return None
        return int(rest) if int(rest) > 1 else None


def tokens_of(name: str) -> tuple[Token, ...]:
    """Find the parameters in a name; one that occurs twice with different values says nothing and is left out."""
    found = []
    text = name[:_LONGEST].rstrip()
    for parameter, pattern in _PATTERNS.items():
        matches = [match for match in pattern.finditer(text) if _is_value(parameter, match["value"])]
        if len({spelled(match["value"]) for match in matches}) == 1:
            last = matches[-1]
            clear = any(len(match["word"]) >= _CLEAR for match in matches)
            found.append(Token(parameter, last["value"], clear, last.end() == len(text)))
    return tuple(found)


def _is_value(parameter: str, text: str) -> bool:
    """A rate is above 0, and "lr01" may mean several; everything else is counted."""
    if parameter == "lr0":
        return float(text) > 0 and not (text[0] == "0" and text.isdecimal())
    return as_integer(text) is not None
