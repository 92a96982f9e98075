"""The page's charts: coverage and risk, predicted and measured, the map of prompts, cascades, shuffled prompts.

Knows which figures go onto which axis, not how they were worked out.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from eval.report.formats import say_composition, say_count, say_percent, say_points, say_range
from eval.report.pictures import Scale, draw_axis, scale_of
from eval.resampling import Estimate
from router.findings import Calibration, Curve, Findings, RiskPoint
from router.report.charts import (
    Axis,
    Plane,
    draw_chart,
    draw_interval,
    draw_mark,
    draw_path,
    draw_rule,
    draw_strip,
)
from router.report.palette import pick_kind
from router.report.parts import has_independent, kind_of_order, kinds_of_map, list_points


def list_ends(estimates: Sequence[Estimate]) -> list[float]:
    """All that a scale has to hold."""
    return [v for e in estimates for v in (e.value, e.low, e.high) if v is not None]


def draw_risk(risk: Sequence[RiskPoint], best_single: float | None) -> Markup:
    """WER of all prompts over the share of them that leave the default."""
    kind = pick_kind(0)
    points = sorted(risk, key=lambda point: point.coverage)
    known = [] if best_single is None else [best_single]
    plane = Plane(
        Axis(Scale(0.0, 1.0), "prompts routed away from the default, %", _say),
        Axis(scale_of([*list_ends([p.wer for p in points]), *known], zero=False), "WER, mean of all prompts, %", _say),
    )
    parts = [draw_rule(plane, (0.0, rate), (1.0, rate)) for rate in known]
    parts += [draw_interval(plane, p.coverage, p.wer, kind) for p in points]
    parts.append(draw_path(plane, [(p.coverage, p.wer.value) for p in points], kind))
    parts += [
        draw_mark(plane, p.coverage, p.wer.value, kind,
                  f"chance above {say_percent(p.threshold)} %: {say_percent(p.coverage)} % of prompts are routed, "
                  f"WER {say_rate(p.wer)}")
        for p in points
    ]  # fmt: skip
    return draw_chart(
        plane, parts, f"Coverage and risk: WER at {say_count(len(points), 'threshold')}; the table has them."
    )


def draw_calibration(calibration: Calibration) -> Markup:
    """Measured over predicted WER; marks grow with how many predictions they stand for."""
    kind = pick_kind(0)
    bins = calibration.bins
    scale = scale_of([v for b in bins for v in (b.predicted, b.observed)])
    plane = Plane(Axis(scale, "predicted WER, %", _say), Axis(scale, "measured WER, %", _say))
    most = max(b.prompts for b in bins)
    parts = [draw_rule(plane, (scale.low, scale.low), (scale.high, scale.high))]
    parts += [
        draw_mark(plane, b.predicted, b.observed, kind,
                  f"predicted {say_percent(b.predicted)} %, measured {say_percent(b.observed)} %, of {b.prompts}",
                  0.7 + 1.1 * (b.prompts / most) ** 0.5)
        for b in bins
    ]  # fmt: skip
    return draw_chart(
        plane, parts, f"Measured over predicted WER in {say_count(len(bins), 'bin')}; the table has them."
    )


def draw_map(findings: Findings) -> Markup:
    """Prompts in two dimensions, by the composition chosen for each."""
    kinds = kinds_of_map(findings)
    plane = Plane(
        Axis(_hold([p.x for p in findings.map]), "first principal component of the features"),
        Axis(_hold([p.y for p in findings.map]), "second principal component of the features"),
    )
    drawn = sorted(findings.map, key=lambda p: p.name != findings.default)  # the default below, the choices above
    parts = [
        draw_mark(plane, p.x, p.y, kinds[p.name],
                  f"{p.prompt} ({p.genre}): {say_composition(p.name)}, measured gain {say_points(p.gain)} points\n"
                  f"{p.caption}")
        for p in drawn
    ]  # fmt: skip
    return draw_chart(
        plane, parts, f"Map of {say_count(len(drawn), 'prompt')} by chosen composition; the table counts them."
    )


def draw_curves(curves: Sequence[Curve], stop: float, best_single: float | None = None) -> Markup:
    """WER of cascades that stop at ``stop`` over the mean songs they sang; ``best_single`` draws a line."""
    independent = has_independent(curves)
    held = {curve.order: list_points(curve, stop, independent) for curve in curves}
    rated = [pair for pairs in held.values() for pair in pairs]
    known = [] if best_single is None else [best_single]
    rates = [*list_ends([rate for _, rate in rated]), *known]
    most = max((point.songs for point, _ in rated), default=1.0)
    xs = Scale(1.0, max(2.0, float(-(-most // 1))))
    plane = Plane(
        Axis(xs, "mean songs sung for one prompt", lambda v: f"{v:g}"),
        Axis(scale_of(rates), "WER of the songs kept, mean, %", _say),
    )
    parts = [draw_rule(plane, (xs.low, rate), (xs.high, rate)) for rate in known]
    for order, pairs in reversed(held.items()):
        kind = kind_of_order(order, curves)
        parts += [draw_interval(plane, point.songs, rate, kind) for point, rate in pairs]
        parts.append(draw_path(plane, [(point.songs, rate.value) for point, rate in pairs], kind))
        parts += [
            draw_mark(plane, point.songs, rate.value, kind,
                      f"{order}, at most {say_count(point.budget, 'song')}: WER {say_rate(rate)} "
                      f"after {point.songs:.2f} on average")
            for point, rate in pairs
        ]  # fmt: skip
    return draw_chart(
        plane, parts, f"WER over mean songs of {say_count(len(held), 'order')} of trying; the table has them."
    )


def draw_permuted(permuted: Sequence[float], found: float | None) -> Markup:
    """Gains of routers fitted to shuffled prompts, and the real one's as a dot."""
    scale = scale_of([*permuted, *([] if found is None else [found])])
    real = "" if found is None else f"; the real one’s is {say_points(found)} points"
    return draw_axis(scale) + draw_strip(
        scale, permuted, found, f"Gains of {say_count(len(permuted), 'shuffled router')}{real}"
    )


def say_rate(estimate: Estimate) -> str:
    """``41.0 % (35.2 to 47.0)``."""
    within = say_range(estimate)
    return f"{say_percent(estimate.value)} %" + (f" ({within})" if within else "")


def _say(value: float) -> str:
    return f"{100 * value:.0f}".replace("-", "−")


def _hold(values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    spare = 0.03 * (high - low) or 1.0
    return Scale(low - spare, high + spare)
