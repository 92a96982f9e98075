"""Charts of two axes as inline SVG, coloured by the page's style sheet, as wide as there is room.

Positions are percentages, so that neither lines nor letters are stretched. Knows numbers, kinds and labels, not what
they measure. Every chart stands beside the same figures as text; ``label`` says it to who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from eval.report.pictures import Scale
from eval.resampling import Estimate
from router.report.palette import Kind


@dataclass(frozen=True)
class Axis:
    """A scale with its title; ``say`` writes its ticks, and where it is None the axis has none."""

    scale: Scale
    title: str
    say: Callable[[float], str] | None = None

    @property
    def ticks(self) -> list[float]:
        """Where lines of the grid run."""
        return self.scale.ticks if self.say else []


@dataclass(frozen=True)
class Plane:
    """Two axes; ``x`` runs to the right and ``y`` upwards."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Percent from the left and from the top."""
        return self.x.scale.place(x), round(100 - self.y.scale.place(y), 3)


def draw_chart(plane: Plane, parts: Iterable[Markup], label: str) -> Markup:
    """The parts on the grid of the plane, with ticks and titles."""
    xs, ys = plane.x, plane.y
    rows = [(tick, plane.place(xs.scale.low, tick)[1]) for tick in ys.ticks]
    columns = [(tick, xs.scale.place(tick)) for tick in xs.ticks]
    grid = [Markup('<line class="grid" x1="0" x2="100%" y1="{y}%" y2="{y}%"/>').format(y=y) for _, y in rows]
    grid += [Markup('<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>').format(x=x) for _, x in columns]
    left = [Markup('<text x="100%" y="{y}%" dy=".32em">{t}</text>').format(y=y, t=_say(ys, v)) for v, y in rows]
    below = [Markup('<text x="{x}%" y="14">{t}</text>').format(x=x, t=_say(xs, v)) for v, x in columns]
    bare = "" if ys.say else " bare"
    return Markup(
        '<div class="chart{bare}"><p class="title">{up}</p>'
        '<svg class="left" aria-hidden="true">{left}</svg>'
        '<svg class="field" role="img" aria-label="{label}">{grid}{parts}</svg>'
        '<svg class="below" aria-hidden="true">{below}</svg><p class="title across">{across}</p></div>'
    ).format(
        bare=bare, up=ys.title, across=xs.title, label=label,
        left=_join(left), below=_join(below), grid=_join(grid), parts=_join(parts),
    )  # fmt: skip


def draw_mark(plane: Plane, x: float, y: float, kind: Kind, told: str, size: float = 1.0) -> Markup:
    """A mark whose text shows where it is hovered over; ``size`` times as wide as usual."""
    left, top = plane.place(x, y)
    return Markup(
        '<svg class="at" x="{x}%" y="{y}%"><path class="mark-of {kind}" d="{path}" transform="scale({size})">'
        "<title>{told}</title></path></svg>"
    ).format(x=left, y=top, kind=kind.name, path=kind.shape.path, size=round(size, 2), told=told)


def draw_path(plane: Plane, points: Sequence[tuple[float, float]], kind: Kind) -> Markup:
    """Straight lines from point to point."""
    placed = [plane.place(*point) for point in points]
    return _join(
        Markup('<line class="path {kind}" x1="{a}%" y1="{b}%" x2="{c}%" y2="{d}%"/>').format(
            kind=kind.name, a=a, b=b, c=c, d=d
        )
        for (a, b), (c, d) in pairwise(placed)
    )


def draw_interval(plane: Plane, x: float, estimate: Estimate, kind: Kind) -> Markup:
    """The interval of a figure as a line upwards; nothing where it has none."""
    if estimate.low is None or estimate.high is None:
        return Markup("")
    (at, low), (_, high) = plane.place(x, estimate.low), plane.place(x, estimate.high)
    return Markup('<line class="span {kind}" x1="{x}%" x2="{x}%" y1="{low}%" y2="{high}%"/>').format(
        kind=kind.name, x=at, low=low, high=high
    )


def draw_rule(plane: Plane, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """A dashed line of reference."""
    (a, b), (c, d) = plane.place(*start), plane.place(*end)
    return Markup('<line class="reference" x1="{a}%" y1="{b}%" x2="{c}%" y2="{d}%"/>').format(a=a, b=b, c=c, d=d)


def draw_key(kind: Kind) -> Markup:
    """The mark of a kind, for a legend."""
    return Markup(
        '<svg class="key" viewBox="-7 -7 14 14" aria-hidden="true"><path class="mark-of {kind}" d="{path}"/></svg>'
    ).format(kind=kind.name, path=kind.shape.path)


def draw_strip(scale: Scale, values: Sequence[float], found: float | None, label: str) -> Markup:
    """Figures as strokes on one line, and the one they are compared with as a dot."""
    parts = [Markup('<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>').format(x=scale.place(0.0))]
    parts += [
        Markup('<line class="stroke" x1="{x}%" x2="{x}%" y1="25%" y2="75%"/>').format(x=scale.place(v)) for v in values
    ]
    if found is not None:
        parts.append(Markup('<circle class="dot" cx="{x}%" cy="50%" r="6"/>').format(x=scale.place(found)))
    return Markup('<svg class="plot" role="img" aria-label="{label}">{parts}</svg>').format(
        label=label, parts=_join(parts)
    )


def _say(axis: Axis, value: float) -> str:
    return axis.say(value) if axis.say else ""


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
