"""Write the tables of docs/statistics.md from docs/coverage.json and docs/decision_study.json.

    python docs/statistics_page.py              renews the tables of the page
    python docs/statistics_page.py RESULTS      prints those of other results of tests/bench/coverage_study.py

Tests compare page and results.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
RESULTS, DECISIONS, PAGE = DOCS / "coverage.json", DOCS / "decision_study.json", DOCS / "statistics.md"
START = "<!-- Tables made by docs/statistics_page.py from docs/coverage.json; do not edit. -->"
END = "<!-- End of the tables. -->"
DECISIONS_START = "<!-- Table made by docs/statistics_page.py from docs/decision_study.json; do not edit. -->"
DECISIONS_END = "<!-- End of the table of decisions. -->"
BARS = {10: (0.88, 1.0), 50: (0.925, 0.97), 200: (0.925, 0.97)}
"""Images -> where the coverage should lie; fixed before the study was run."""
FEW = 100
"""Intervals below which a coverage is mostly noise, and those few are of unusual sets."""
RULES = {
    "chosen_on_val": "best on val, then one comparison on test (what the product does)",
    "any_holm": "any of them on test, Holm's correction",
    "any_uncorrected": "any of them on test, no correction",
}

Row = dict[str, Any]


def tables(results: Row) -> str:
    """The results as Markdown."""
    settings = results["settings"]
    introduction = (
        f"{settings['simulations']:,} simulated test sets for each line, {settings['replicates']:,} replicates each, "
        f"seed {settings['seed']}; the truth is that of {settings['population']:,} images. All but numbers of test "
        "sets, values and widths in percent; ± is one standard error of the simulation. Bars, fixed beforehand: 92.5 "
        "to 97 % with 50 and 200 images, at least 88 % with 10. **Bold** lies outside.\n"
    )
    return "\n".join(
        [
            introduction,
            *_coverage(results["coverage"], settings["simulations"]),
            *_selection(results["selection"], settings),
        ]
    )


def _coverage(coverage: Row, simulations: int) -> list[str]:
    cells = [{**cell, "given": simulations - cell["refused"]} for cell in coverage["cells"]]
    levels = [cell for cell in cells if "difference" not in cell["number"]]
    differences = [cell for cell in cells if "difference" in cell["number"]]
    missed = [_named(cell) for cell in cells if is_outside(cell)]
    silent = [cell for cell in cells if cell["given"] < FEW]
    outside = f" Outside: {'; '.join(missed)}." if missed else ""
    return [
        "### Levels\n",
        _table(
            (*_SHARED, "exact intervals", "refused", "percentile", "BCa"),
            [
                (
                    *_cell(cell),
                    str(cell["exact"]),
                    str(cell["refused"]),
                    *map(_percent, (cell["percentile"], cell["bca"])),
                )
                for cell in levels
            ],
        ),
        "Coverage is that of the product's interval; percentile and BCa are what other methods make of the same "
        "replicates.\n",
        "### Paired differences\n",
        _table(
            (*_SHARED, "shown", "identical", "refused"),
            [
                (*_cell(cell), _percent(cell.get("shown", 0.0)), str(cell.get("identical", 0)), str(cell["refused"]))
                for cell in differences
            ],
        ),
        "*Shown*: how often the interval excludes 0, that is, how often so few images show a difference that is there. "
        "*Refused*: too few objects, the two differ on one image at most, or both are so good that failures of fewer "
        "than ten images tell them apart; these sets count neither as hit nor as "
        "miss. *Identical*: sets with an interval of [0, 0], which only the same file of weights may get.\n",
        f"{len(cells) - len(missed) - len(silent)} of {len(cells)} lines lie within the bars.{outside}\n",
        *_silent(silent, simulations),
        f"A model compared with itself: of {coverage['self_comparisons']:,} comparisons, {coverage['self_claims']} "
        "claimed a difference.\n",
    ]


def _selection(rows: Sequence[Row], settings: Row) -> list[str]:
    sets = [f"val {row['val']}, test {row['test']} images" for row in rows]
    return [
        "### Equal candidates\n",
        f"{settings['candidates']} candidates and a champion, all equally good (AP50 {settings['selection_AP50']}). "
        "Promotions, every one of them false:\n",
        _table(
            ("rule", *sets),
            [
                (text, *(f"{_percent(row[rule])} ± {_percent(row[f'{rule}_se'])}" for row in rows))
                for rule, text in RULES.items()
            ],
        ),
        "The winner's AP50, mean over the test sets:\n",
        _table(
            ("", "truth", "apparent, on val", "corrected (BBC)", "optimism removed", "on test", "called stable"),
            [(name, *_winner(row)) for name, row in zip(sets, rows, strict=True)],
        ),
    ]


_SHARED = ("number", "AP50", "truth", "images", "coverage", "truth above / below", "mean width")


def _cell(cell: Row) -> tuple[str, ...]:
    start = (cell["number"], f"{cell['AP50']:.2f}", f"{cell['truth']:.3f}", str(cell["images"]))
    if cell["coverage"] is None:
        return (*start, "all refused", "-", "-")
    covered = f"{_percent(cell['coverage'])} ± {_percent(cell['se'])}"
    return (
        *start,
        f"**{covered}**" if is_outside(cell) else covered,
        f"{_percent(cell['too_low'])} / {_percent(cell['too_high'])}",
        f"{cell['width']:.3f}",
    )


def is_outside(cell: Row) -> bool:
    """Whether the coverage of a line misses the bars; nothing can be said of a line with hardly any interval."""
    if cell["given"] < FEW:
        return False
    low, high = BARS[cell["images"]]
    return not low <= cell["coverage"] <= high


def _silent(cells: Sequence[Row], simulations: int) -> list[str]:
    """What is to say of lines that give hardly any interval: how often one of these few was wrong."""
    if not cells:
        return []
    told = []
    for cell in cells:
        wrong = 0 if cell["coverage"] is None else round(cell["given"] * (1 - cell["coverage"]))
        number = f"{cell['number']} at AP50 {cell['AP50']:.2f} with {cell['images']} images"
        told.append(f"{number}, {cell['given']} given and {wrong} of them wrong")
    return [
        f"{len(cells)} lines are not judged, because fewer than {FEW} of {simulations:,} sets get an interval: "
        f"{'; '.join(told)}.\n"
    ]


def _named(cell: Row) -> str:
    return f"{cell['number']} at AP50 {cell['AP50']:.2f} with {cell['images']} images, {_percent(cell['coverage'])} %"


def _winner(row: Row) -> tuple[str, ...]:
    removed = (row["apparent"] - row["corrected"]) / (row["apparent"] - row["truth"])
    truth, apparent, corrected, on_test = (f"{row[name]:.3f}" for name in ("truth", "apparent", "corrected", "on_test"))
    return truth, apparent, corrected, _percent(removed), on_test, _percent(row["called_stable"])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)) + "\n"


def decisions(results: Row) -> str:
    """What became of simulated studies, as Markdown."""
    rows = results["scenarios"]
    header = ("", *(row["name"] for row in rows))
    levels = [" and ".join(dict.fromkeys(f"{level:.3f}" for level in row["AP50"])) for row in rows]
    gates = list(dict.fromkeys(gate for row in rows for gate in row["passed"]))
    lines = [
        ("studies", *(f"{row['studies']:,}" for row in rows)),
        ("images of val and test", *(f"{row['val']}, {row['test']}" for row in rows)),
        ("true AP50 of the candidates", *levels),
        ("true AP50 of the starting weights", *(f"{row['baseline_AP50']:.3f}" for row in rows)),
        ("**PROMOTE**", *(_with_ends(row, "promoted") for row in rows)),
        (
            "**PROMOTE of a candidate that is truly no better**",
            *(_with_ends(row, "promoted_no_better") for row in rows),
        ),
        *((word, *(_share(row, row["verdicts"][word]) for row in rows)) for word in ("HOLD", "REJECT")),
        *((f"gate passed: {gate}", *(_share(row, row["passed"].get(gate, 0)) for row in rows)) for gate in gates),
    ]
    return _table(header, lines)


def _with_ends(row: Row, name: str) -> str:
    low, high = row[f"{name}_interval"]
    return f"**{_percent(row[name])}** [{_percent(low)}, {_percent(high)}]"


def _share(row: Row, n: int) -> str:
    return _percent(n / row["studies"])


def current(page: str, results: Row, decided: Row) -> str:
    """The page with the tables of these results between their marks.

    Raises:
        ValueError: the marks are not there.
    """
    page = _between(page, (START, END), tables(results))
    return _between(page, (DECISIONS_START, DECISIONS_END), decisions(decided))


def _between(page: str, marks: tuple[str, str], text: str) -> str:
    start, end = marks
    if page.count(start) != 1 or page.count(end) != 1:
        raise ValueError(f"{PAGE.name} must hold {start} and {end}")
    before, rest = page.split(start)
    after = rest.split(end)[1]
    return f"{before}{start}\n\n{text}\n{end}{after}"


def main() -> int:
    """Renew the page, or print the tables of the results that are named."""
    if len(sys.argv) > 1:
        sys.stdout.write(tables(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
        return 0
    results, decided = (json.loads(path.read_text(encoding="utf-8")) for path in (RESULTS, DECISIONS))
    PAGE.write_text(current(PAGE.read_text(encoding="utf-8"), results, decided), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
