"""Training curves of adapters as a picture: loss, validation and what happened to attention, one line per run.

Reads the ``log.jsonl`` that `choirmaster train` writes, a JSON object per step.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.errors import ChoirmasterError

LOG = "log.jsonl"
#: Steps the loss is averaged over before it is drawn; single steps differ by their noise level more than by progress.
_WINDOW = 25
_DASHES = ("-", "-", "--", ":")
_ATTENTION = {
    "entropy": "entropy of attention (nats)",
    "lyric_mass": "attention on words",
    "dominant": "share of the dominant token",
}


class CurveError(ChoirmasterError):
    """A training log cannot be drawn."""


@dataclass(frozen=True)
class Curve:
    """Steps and values of one quantity of one run."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


def read_curves(run: Path) -> dict[str, Curve]:
    """All quantities of a run by name: ``loss``, ``loss@0.6``, ``entropy``, ...

    Raises:
        CurveError: there is no log, or it holds no step.
    """
    try:
        points = [_points(json.loads(row)) for row in (run / LOG).read_text("utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CurveError(f"{run / LOG} cannot be read ({error}): give the --out of a `choirmaster train`") from error
    found: dict[str, list[tuple[int, float]]] = {}
    for step, values in points:
        for name, value in values.items():
            found.setdefault(name, []).append((step, value))
    if not found:
        raise CurveError(f"{run / LOG} holds no step: let the training run first")
    return {
        name: Curve(np.array([s for s, _ in pairs]), np.array([v for _, v in pairs])) for name, pairs in found.items()
    }


def _points(row: Mapping[str, Any]) -> tuple[int, dict[str, float]]:
    values = {"loss": row["loss"], **row.get("validation", {}), **row.get("attention", {})}
    return int(row["step"]), {name: float(value) for name, value in values.items()}


def smooth(curve: Curve, window: int = _WINDOW) -> Curve:
    """Means of ``window`` neighbouring values, where there are as many."""
    window = min(window, len(curve.values))
    means = np.convolve(curve.values, np.full(window, 1 / window), "valid")
    return Curve(curve.steps[window - 1 :], means)


def draw_curves(runs: Mapping[str, Mapping[str, Curve]]) -> bytes:
    """A PNG of all runs: training loss, validation loss at each noise level, and attention."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    levels = sorted({name for run in runs.values() for name in run if name.startswith("loss@")}, reverse=True)
    panels = ["loss", *levels, *_ATTENTION]
    columns = 4
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.7 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        for number, (name, run) in enumerate(runs.items()):
            if panel in run:
                curve = smooth(run[panel]) if panel == "loss" else run[panel]
                dashes = _DASHES[number % len(_DASHES)]  # lines that lie on each other are all seen
                axis.plot(curve.steps, curve.values, dashes, label=name, color=f"C{number}", linewidth=1.6)
        axis.set_title(_title(panel), fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(runs), fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _title(panel: str) -> str:
    if panel == "loss":
        return f"training loss, mean of {_WINDOW} steps"
    if panel.startswith("loss@"):
        return f"validation loss at t = {panel.removeprefix('loss@')}"
    return _ATTENTION[panel]
