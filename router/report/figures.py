"""The report's pictures by themselves, as PNG or SVG on white, for a README or a paper.

Draws findings as they are; the page draws the same figures itself, so that they follow its colours.
"""

from __future__ import annotations

import io
from typing import Any, Literal

from eval.report.formats import say_composition, say_percent
from eval.resampling import Estimate
from router.errors import RouterError
from router.findings import Findings, Judged
from router.report.palette import Kind, pick_kind, plain_kind
from router.report.parts import (
    find_best_single,
    has_independent,
    kind_of_order,
    kinds_of_map,
    list_parts,
    list_points,
    list_stops,
    sort_scores,
)

Form = Literal["png", "svg"]
_DPI = 110
_REFERENCE, _FAINT, _GRID = "#9a4a12", "#625c52", "#e9e3d7"
_MOST_LETTERS = 40


def draw_scores(findings: Findings, form: Form = "png") -> bytes:
    """Macro WER of every way of choosing with its interval, and the best single composition as a line.

    Raises:
        RouterError: no judge's scores are there.
    """
    judged = _main(findings)
    if judged is None or not judged.scores:
        raise RouterError("these findings hold no scores to draw: those of a fit or a test do")
    scores = sort_scores(judged)[::-1]
    figure, axis = _begin(7.5, 1.1 + 0.3 * len(scores))
    for at, score in enumerate(scores):
        kind = pick_kind(0) if score.kind == "router" else plain_kind()
        _bar(axis, score.wer, at, kind, across=True)
    best = find_best_single(judged)
    if best is not None:
        axis.axvline(100 * best, color=_REFERENCE, linestyle="--", linewidth=1.2, zorder=1)
    axis.set_yticks(range(len(scores)), [_shorten(score.name) for score in scores], parse_math=False)
    axis.set_xlabel(f"macro WER, %, heard by {judged.judge}; dashed: best single", parse_math=False)
    return _save(figure, form)


def draw_curves(findings: Findings, stop: float | None = None, form: Form = "png") -> bytes:
    """WER of cascades over mean songs sung, a line for every order of trying; ``stop``: the usual threshold if None.

    Raises:
        RouterError: no cascade was replayed, or none with this threshold.
    """
    curves, stops = findings.curves, list_stops(findings.curves)
    if not stops:
        raise RouterError("these findings hold no cascades to draw: `choirmaster route test` replays them")
    stop = stops[0] if stop is None else stop
    if stop not in stops:
        raise RouterError(f"no cascade stops at {stop:g}: choose one of {', '.join(f'{s:g}' for s in sorted(stops))}")
    independent = has_independent(curves)
    figure, axis = _begin(7.5, 4.2)
    for curve in curves:
        kind = kind_of_order(curve.order, curves)
        pairs = list_points(curve, stop, independent)
        xs, ys = [point.songs for point, _ in pairs], [100 * rate.value for _, rate in pairs]
        axis.plot(xs, ys, color=kind.light, marker=kind.shape.marker, markersize=5.5, label=curve.order, zorder=3)
        for point, rate in pairs:
            _bar(axis, rate, point.songs, kind, mark=False)
    best = list_parts([findings])[0].cascade_rival
    if best is not None:
        axis.axhline(100 * best, color=_REFERENCE, linestyle="--", linewidth=1.2, label="best single", zorder=1)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(f"mean songs sung for one prompt, stopping at a WER of {say_percent(stop)} %")
    axis.set_ylabel(f"macro WER, %, {'independent judge' if independent else 'judge that chose'}")
    _explain(axis)
    return _save(figure, form)


def draw_risk(findings: Findings, form: Form = "png") -> bytes:
    """WER of all prompts over the share of them that leave the default.

    Raises:
        RouterError: the findings hold no thresholds.
    """
    if not findings.risk:
        raise RouterError("these findings hold no coverage and risk to draw: those of a fit do")
    figure, axis = _begin(6.0, 4.0)
    kind, points = pick_kind(0), sorted(findings.risk, key=lambda point: point.coverage)
    xs, ys = [100 * point.coverage for point in points], [100 * point.wer.value for point in points]
    axis.plot(xs, ys, color=kind.light, marker="o", zorder=3)
    for point in points:
        _bar(axis, point.wer, 100 * point.coverage, kind, mark=False)
    axis.set_xlabel("prompts routed away from the default, %")
    axis.set_ylabel("macro WER of all prompts, %")
    return _save(figure, form)


def draw_calibration(findings: Findings, form: Form = "png") -> bytes:
    """Measured over predicted WER; marks grow with how many predictions they stand for.

    Raises:
        RouterError: the findings hold no predictions.
    """
    found = findings.calibration
    if found is None or not found.bins:
        raise RouterError("these findings hold no calibration to draw: those of a fit do")
    figure, axis = _begin(4.6, 4.4)
    xs, ys = [100 * b.predicted for b in found.bins], [100 * b.observed for b in found.bins]
    most = max(b.prompts for b in found.bins)
    axis.scatter(xs, ys, s=[20 + 90 * b.prompts / most for b in found.bins], color=pick_kind(0).light, zorder=3)
    axis.axline((0, 0), slope=1, color=_REFERENCE, linestyle="--", linewidth=1.2, zorder=1)
    axis.set_xlabel("predicted WER, %")
    axis.set_ylabel("measured WER, %")
    return _save(figure, form)


def draw_map(findings: Findings, form: Form = "png") -> bytes:
    """Prompts on two principal components of their features, by the composition chosen for each.

    Raises:
        RouterError: the findings hold no map.
    """
    if not findings.map:
        raise RouterError("these findings hold no map to draw: those of a fit do")
    figure, axis = _begin(7.5, 4.6)
    for name, kind in kinds_of_map(findings).items():
        mine = [point for point in findings.map if point.name == name]
        xs, ys = [point.x for point in mine], [point.y for point in mine]
        label = f"{_shorten(name)} ({len(mine)})"
        axis.scatter(xs, ys, color=kind.light, marker=kind.shape.marker, s=24, linewidths=0, label=label, zorder=3)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel("first principal component of the features")
    axis.set_ylabel("second")
    _explain(axis)
    return _save(figure, form)


def _main(findings: Findings) -> Judged | None:
    return list_parts([findings])[0].main


def _begin(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="#ffffff")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.grid(color=_GRID, zorder=0)
    axis.tick_params(labelsize=8, length=2, colors=_FAINT)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure, axis


def _bar(axis: Any, estimate: Estimate, at: float, kind: Kind, across: bool = False, mark: bool = True) -> None:
    """The interval of a figure, in percent, and its dot; ``across``: to the right instead of upwards."""
    if estimate.low is not None and estimate.high is not None:
        ends = [100 * estimate.low, 100 * estimate.high]
        places = (ends, [at, at]) if across else ([at, at], ends)
        axis.plot(*places, color=kind.light, linewidth=2.2 if mark else 1.3, alpha=0.9 if mark else 0.45, zorder=2)
    if mark:
        value = 100 * estimate.value
        axis.plot(*((value, at) if across else (at, value)), "o", color=kind.light, markersize=5.5, zorder=3)


def _explain(axis: Any) -> None:
    """A legend whose names are no formulas."""
    for text in axis.legend(fontsize=8, frameon=False).get_texts():
        text.set_parse_math(False)


def _shorten(name: str) -> str:
    said = say_composition(name)
    return said if len(said) <= _MOST_LETTERS else f"{said[: _MOST_LETTERS - 1]}…"


def _save(figure: Any, form: Form) -> bytes:
    import matplotlib

    content = io.BytesIO()
    # without date and random names, so that the same findings give the same bytes
    with matplotlib.rc_context({"svg.hashsalt": "router"}):
        figure.savefig(content, format=form, metadata={"Date": None} if form == "svg" else {"Software": None})
    return content.getvalue()
