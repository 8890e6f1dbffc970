"""The picture of a threshold sweep."""

from __future__ import annotations

import io
from typing import Any

from robust.corruptions.records import CLEAN
from robust.eval.evidence.records import CandidateEvidence, Curve

PANELS = (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"), ("fppi", "False positives per image"))
_COLUMNS = 4
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe-Ito: told apart by everybody


def plot_sweep(candidate: CandidateEvidence, judged_on: str) -> bytes:
    """Draw precision, recall, F1 and FPPI against the threshold.

    Clean is black; each corruption has a colour, paler with falling severity; a recorded set is dash-dotted; the split
    that the threshold was chosen on is dashed; a vertical line marks the choice. Points with nothing to divide by are
    left out.

    Returns:
        SVG text, the same bytes for the same sweep.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "robust", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure()
        FigureCanvasSVG(figure)
        for axes, (field, title) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
            for curve in candidate.sweep.curves:
                points = [(p.threshold, value) for p in curve.points if (value := getattr(p, field)) is not None]
                axes.plot(*zip(*points, strict=True), **_style(curve, candidate, judged_on)) if points else None
                if curve.variant == CLEAN and curve.split == judged_on:
                    _band(axes, curve, field)
            if candidate.sweep.choice.threshold is not None:
                axes.axvline(candidate.sweep.choice.threshold, color="0.4", linewidth=1, linestyle=":")
            axes.set(title=title, xlabel="confidence threshold")
            if field != "fppi":
                axes.set_ylim(0, 1.02)
        handles, labels = axes.get_legend_handles_labels()
        below = 0.6 + 0.225 * -(-len(labels) // _COLUMNS)  # inches; to measure every text takes as long as drawing
        height = 5.9 + below
        figure.set_size_inches(10, height)
        top, bottom = 1 - 0.7 / height, below / height
        figure.subplots_adjust(left=0.05, right=0.985, top=top, bottom=bottom, wspace=0.13, hspace=0.32)
        figure.legend(handles, labels, loc="lower center", ncols=_COLUMNS)
        figure.suptitle(_title(candidate))
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _band(axes: Any, curve: Curve, field: str) -> None:
    """The 95 % interval of clean images of the split that judges; the other curves would hide each other."""
    if curve.bands is None:
        return
    ends = [(t, curve.bands.at(field, i)) for i, t in enumerate(curve.thresholds)]
    known = [(t, *pair) for t, pair in ends if pair is not None]
    if known:
        axes.fill_between(*zip(*known, strict=True), color="0.5", alpha=0.25, linewidth=0, label="95 % interval of it")


def _style(curve: Curve, candidate: CandidateEvidence, judged_on: str) -> dict[str, object]:
    if curve.variant == CLEAN:
        dashed = curve.split != judged_on
        return {
            "color": "black",
            "linestyle": "--" if dashed else "-",
            "linewidth": 2,
            "label": f"{curve.split}, clean",
        }
    corruption, _, severity = curve.variant.partition("/")
    # a recorded set has no severity: one line at full strength
    corruptions = list(dict.fromkeys(c.variant.partition("/")[0] for c in candidate.sweep.curves if c.variant != CLEAN))
    colour = _COLOURS[corruptions.index(corruption) % len(_COLOURS)]
    if not severity:
        return {"color": colour, "linewidth": 1.5, "linestyle": "-.", "label": f"{corruption}, recorded"}
    highest = max(c.variant for c in candidate.sweep.curves if c.variant.startswith(f"{corruption}/"))
    label = f"{judged_on}, {corruption} 1 (pale) to 5" if curve.variant == highest else None
    return {"color": colour, "alpha": 0.25 + 0.15 * int(severity), "linewidth": 1, "label": label}


def _title(candidate: CandidateEvidence) -> str:
    choice = candidate.sweep.choice
    name = candidate.name.replace("$", r"\$")  # matplotlib reads $...$ as mathematics
    if choice.threshold is None:
        return f"{name}: no threshold"
    return f"{name}: threshold {choice.threshold:.2f}, chosen on {choice.chosen_on}"
