"""What the slider of the report moves: the sweeps of the proposed candidate and its baseline. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from robust.eval.decision.study import CLEAN
from robust.eval.evidence.records import Curve
from robust.eval.report.context import Code
from robust.eval.report.language import Translator, translate_json
from robust.eval.report.tuning_cells import TuningSubject
from robust.eval.report.tuning_data import page_json, script_data
from robust.eval.report.view import View

MAX_DATA = 500_000
"""Characters of the data of the slider; the suite of the fifteen common corruptions fits, all built-in ones do not."""
REACH = (
    "This table, the line in the charts by threshold, and the boxes in the pictures of the failure gallery move. "
    "Everything else on this page, the decision included, stays at the chosen threshold."
)
LEFT_OUT = (
    "To keep this page small, this table shows the highest severity of each corruption; robust sweep writes every one."
)


@dataclass(frozen=True)
class Slider:
    """Data and words of the slider.

    Attributes:
        data: JSON, the proposed candidate first; empty when nothing of it was swept.
        note: What moves, what stays, and what was left out.
    """

    data: Code
    note: str


def make_slider(view: View, limit: int = MAX_DATA) -> Slider:
    """Collect the cells of the operating table: clean images of the split that chose, all of the split that judges.

    Where they take too much room, the highest severity of each corruption stays, beside clean and recorded sets.

    Args:
        view: What is reported.
        limit: Characters of the data.
    """
    candidates = [TuningSubject(one.name, "", view.study.evidence, one) for one in view.shown]
    subjects = [one for one in candidates if _can_move(view, one)]
    if not subjects or subjects[0].candidate is not view.candidate:
        return Slider(Code(""), "")  # the charts are of the candidate, so its baseline does not move alone
    everything = _data(view, subjects, highest=False)
    if len(everything) <= limit:
        return Slider(Code(everything), REACH)
    return Slider(Code(_data(view, subjects, highest=True)), f"{REACH} {LEFT_OUT}")


def _data(view: View, subjects: Sequence[TuningSubject], *, highest: bool) -> str:
    def wanted(subject: TuningSubject, curve: Curve) -> bool:
        return _is_listed(view, subject, curve) and (not highest or subject.is_among_highest(curve))

    return script_data(subjects, wanted)


def _is_listed(view: View, subject: TuningSubject, curve: Curve) -> bool:
    return curve.split == view.judged_on or (curve.split, curve.variant) == (subject.chosen_on, CLEAN)


def _can_move(view: View, subject: TuningSubject) -> bool:
    """Whether something was swept, the chosen threshold included, so that the slider can stand on it."""
    swept = any(curve.thresholds and _is_listed(view, subject, curve) for curve in subject.curves)
    return swept and (subject.chosen is None or subject.at is not None)


def slider_in_language(data: Code, translator: Translator) -> Code:
    """The data of the slider with its names and notes in the language."""
    if not data.text:
        return data
    return Code(page_json(translate_json(json.loads(data.text), translator, frozenset({"name", "note"}))))
