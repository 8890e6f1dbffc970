"""Whole reports, word for word: nothing in them changes without somebody who looked at the change.

After a change that is meant: ROBUST_RENEW_GOLDEN=1 pytest tests/eval/report/test_golden.py, then read `git diff`.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from robust import __version__
from robust.eval.report.catalogue import LANGUAGES
from tests.eval.report.golden_studies import HALF, golden_report, golden_tuning
from tests.eval.report.scrubbed import scrub_html, scrub_markdown

GOLDEN = Path(__file__).parent / "golden"
REPOSITORY = Path(__file__).parents[3]
RENEW = "ROBUST_RENEW_GOLDEN"
TUNING = "TUNING"
NAMES = (*HALF, TUNING)
SHOWN = 40
"""Lines of a difference in the message; the rest is in the difference itself."""
KINDS: dict[str, tuple[int, Callable[[str], str]]] = {"html": (0, scrub_html), "md": (1, scrub_markdown)}


@cache
def report(name: str, lang: str = "en") -> tuple[str, str]:
    return golden_tuning(lang) if name == TUNING else golden_report(name, lang)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_report_says_what_the_golden_one_says(name: str, lang: str, kind: str) -> None:
    place, scrub = KINDS[kind]
    path, found = GOLDEN / f"{name.lower()}.{lang}.{kind}", scrub(report(name, lang)[place])
    if os.environ.get(RENEW) == "1":
        assert not os.environ.get("CI"), f"{RENEW} is set in CI, where nobody looks at what it rewrites"
        path.write_text(found, encoding="utf-8", newline="\n")
        pytest.skip(f"{path.name} was rewritten, not compared: read `git diff {path.relative_to(REPOSITORY)}`")
    expected = path.read_text(encoding="utf-8")
    lines = list(difflib.unified_diff(expected.splitlines(), found.splitlines(), "golden", "now", n=1, lineterm=""))
    if found != expected:
        more = f"\n... and {len(lines) - SHOWN} lines more" if len(lines) > SHOWN else ""
        changed = "\n".join(line[:300] for line in lines[:SHOWN])
        pytest.fail(
            f"{path.name} says something else now:\n{changed}{more}\n"
            f"If that is meant: {RENEW}=1 pytest {Path(__file__).relative_to(REPOSITORY)}, then read git diff.",
            pytrace=False,
        )


def swapped(text: str, first: str, second: str) -> str:
    assert first in text and second in text
    return text.replace(first, "\0", 1).replace(second, first, 1).replace("\0", second, 1)


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, f"{old!r} is not in the report; take another example"
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    "change",
    [
        replaced("Sign-off", "Signoff"),
        replaced("0.731", "0.732"),
        replaced('href="#gates"', 'href="#limits"'),
        replaced(' lang="en"', ' lang="fr"'),
        replaced(' scope="row"', ""),
        replaced("&lt;night&gt;", "<night>"),
        lambda page: swapped(page, "clean AP50", "precision"),
        lambda page: swapped(page, '<li><a href="#gates">Gates</a></li>', '<li><a href="#errors">Errors</a></li>'),
    ],
)
def test_a_change_of_a_word_a_number_a_link_or_the_order_is_seen_in_html(change: Callable[[str], str]) -> None:
    page = report("PROMOTE")[0]
    assert scrub_html(change(page)) != scrub_html(page)


@pytest.mark.parametrize(
    "change",
    [
        replaced("</style>", "td { color: red }</style>"),
        replaced('class="verdict promote"', 'class="box"'),
        replaced('viewBox="0 0 ', 'viewBox="1 1 '),
        replaced("<section", "\n\n   <section"),
        lambda page: page.replace(hashlib.sha256(b"weightsyolov8n.pt").hexdigest(), "0" * 64),
    ],
)
def test_a_change_of_look_or_of_a_hash_is_not_seen_in_html(change: Callable[[str], str]) -> None:
    page = report("PROMOTE")[0]
    assert scrub_html(change(page)) == scrub_html(page)


def test_a_hash_in_the_place_of_another_is_seen() -> None:
    first, second = "a" * 64, "b" * 64
    assert scrub_markdown(f"{first} {second} {first}") == "HASH-1 HASH-2 HASH-1"
    assert scrub_markdown(f"{first} {second} {second}") == "HASH-1 HASH-2 HASH-2"
    numbers = "0.731 [0.711, 0.751], 1234567890, deadbeef"
    assert scrub_markdown(numbers) == numbers


def test_another_version_of_robust_is_not_seen() -> None:
    told = f"Report written by robust {__version__}, kept"
    assert scrub_markdown(told) == scrub_html(told).strip() == "Report written by robust VERSION, kept"


@pytest.mark.parametrize(
    "change", [replaced("0.731", "0.732"), replaced("## Gates", "## Gate"), replaced("\n\n", "\n")]
)
def test_a_change_is_seen_in_markdown(change: Callable[[str], str]) -> None:
    text = report("PROMOTE")[1]
    assert scrub_markdown(change(text)) != scrub_markdown(text)


def test_no_version_or_hash_is_left_to_age() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {
        f"{name.lower()}.{lang}.{kind}" for name in NAMES for lang in LANGUAGES for kind in KINDS
    }
    for path in sorted(GOLDEN.iterdir()):
        text = path.read_text(encoding="utf-8")
        assert scrub_markdown(text) == text  # nothing is left that a second pass would take out
        assert f"robust {__version__}" not in text and len(text.encode()) < 100_000


RENDER_ALL = """
import hashlib
from tests.eval.report.golden_studies import HALF, golden_report, golden_tuning
texts = [text for verdict in HALF for lang in ("en", "fr") for text in golden_report(verdict, lang)]
print([hashlib.sha256(text.encode()).hexdigest() for text in texts])
"""


def test_rendered_twice_and_in_another_process_language_and_time_zone_it_is_the_same_byte_for_byte() -> None:
    both = [(verdict, lang) for verdict in HALF for lang in LANGUAGES]
    again = {one: golden_report(*one) for one in both}
    assert again == {one: report(*one) for one in both}
    expected = [hashlib.sha256(text.encode()).hexdigest() for one in both for text in again[one]]
    for seed, zone in (("1", "Pacific/Auckland"), ("4242", "America/Los_Angeles")):
        plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        elsewhere = {**os.environ, **plain, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-P", "-c", RENDER_ALL]
        done = subprocess.run(command, capture_output=True, text=True, env=elsewhere, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.strip() == repr(expected)
