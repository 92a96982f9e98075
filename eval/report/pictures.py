"""Small drawings as inline SVG, coloured by the page's style sheet.

Positions are percentages, so that a drawing fits any width without stretching its lines. Knows numbers and labels, not
what they measure. Every drawing stands beside the same figures as text; ``label`` says it to who cannot see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eval.resampling import Estimate

_MARGIN = 2.0  # of 100, kept free at either end for a dot and half a label
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A line of numbers from ``low`` to ``high``, shared by the drawings of one column."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value lies, in percent of the width; what lies outside is held at the end."""
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + (100 - 2 * _MARGIN) * min(1.0, max(0.0, share)), 3)

    @property
    def ticks(self) -> list[float]:
        """Three to six round numbers."""
        step = next((s for s in _STEPS if (self.high - self.low) / s <= 5), self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        return [round(n * step, 6) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def scale_of(values: Iterable[float], zero: bool = True) -> Scale:
    """A scale that holds all finite values, and zero unless told otherwise, with round ends."""
    finite = [v for v in values if math.isfinite(v)] + ([0.0] if zero else [])
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low < 1e-9:
        high = low + 0.1
    step = next((s for s in _STEPS if (high - low) / s <= 5), high - low)
    return Scale(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)


def draw_axis(scale: Scale) -> Markup:
    """Ticks with percentages, for the head of a column of :func:`draw_whisker`."""
    ticks = Markup("").join(
        Markup('<line class="tick" x1="{x}%" x2="{x}%" y1="19" y2="26"/><text x="{x}%" y="14">{said}</text>').format(
            x=scale.place(tick), said=f"{100 * tick:.0f}".replace("-", "−")
        )
        for tick in scale.ticks
    )
    return Markup('<svg class="plot axis" aria-hidden="true">{ticks}</svg>').format(ticks=ticks)


def draw_whisker(scale: Scale, estimate: Estimate, label: str, reference: float | None = None) -> Markup:
    """A dot with its interval, on the grid of the axis; ``reference`` draws a line, such as that of base or of zero."""
    parts = [
        Markup('<line class="grid" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>').format(x=scale.place(t))
        for t in scale.ticks
    ]
    if reference is not None:
        parts.append(
            Markup('<line class="reference" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>').format(x=scale.place(reference))
        )
    if estimate.low is not None and estimate.high is not None:
        parts.append(
            Markup('<line class="whisker" x1="{a}%" x2="{b}%" y1="50%" y2="50%"/>').format(
                a=scale.place(estimate.low), b=scale.place(estimate.high)
            )
        )
    parts.append(Markup('<circle class="dot" cx="{x}%" cy="50%" r="5"/>').format(x=scale.place(estimate.value)))
    return Markup('<svg class="plot" role="img" aria-label="{label}">{parts}</svg>').format(
        label=label, parts=Markup("").join(parts)
    )


def draw_stack(parts: Sequence[tuple[str, float]], label: str) -> Markup:
    """A bar of whole width whose pieces are of class ``part-NAME`` and of the given shares, in order."""
    at, pieces = 0.0, []
    for name, share in parts:
        if share > 0:
            pieces.append(
                Markup('<rect class="part part-{name}" x="{x}%" width="{w}%" height="100%"/>').format(
                    name=name, x=round(100 * at, 3), w=round(100 * share, 3)
                )
            )
        at += share
    return Markup('<svg class="stack" role="img" aria-label="{label}">{pieces}</svg>').format(
        label=label, pieces=Markup("").join(pieces)
    )
