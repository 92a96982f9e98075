"""The colours of a heat map: one ramp from pale to dark, read by its lightness alone, and ink that can be read on it.

Knows shares and contrast. The colours go to the style sheet as classes, as the page allows no style of single elements.
"""

from __future__ import annotations

from typing import NamedTuple

#: From no error to every word wrong. The lightness falls at every step, so that any colour vision orders them.
RAMP = (
    "#fdf3dc", "#fbe3b8", "#f7cf90", "#f0b96b", "#e6a04d", "#d8863c",
    "#c66c37", "#ae5338", "#913d3a", "#722b38", "#521d31",
)  # fmt: skip
DARK, LIGHT = "#1d1a15", "#ffffff"


class Step(NamedTuple):
    """One step of the ramp: its class, its colour, the ink on it, and the shares it stands for."""

    name: str
    fill: str
    ink: str
    said: str


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2); text needs 4.5."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def ramp_steps() -> list[Step]:
    """The ramp: ten steps of ten percent, and one for rates of 100 % and above."""
    return [
        Step(f"heat-{at}", fill, ink_on(fill), f"{10 * at}–{10 * at + 10} %" if at < 10 else "100 % and more")
        for at, fill in enumerate(RAMP)
    ]


def ink_on(fill: str) -> str:
    """The ink that can be read better on a colour."""
    return DARK if contrast(DARK, fill) >= contrast(LIGHT, fill) else LIGHT


def heat_class(rate: float) -> str:
    """The class of a rate's cell."""
    return f"heat-{min(10, int(rate * 10 + 1e-9))}" if rate >= 0 else "heat-none"
