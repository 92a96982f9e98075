"""Figures as they stand in the terminal's tables and in a README: fractions, intervals, probabilities.

Knows how figures are written, not what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable

from eval.resampling import Estimate

NONE = "–"


def show_estimate(figure: Estimate | None, signed: bool = False, digits: int = 3) -> str:
    """``0.250 [0.200, 0.300]``, or the value alone where there is no interval."""
    if figure is None:
        return NONE
    sign = "+" if signed else ""
    value = f"{figure.value:{sign}.{digits}f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low:{sign}.{digits}f}, {figure.high:{sign}.{digits}f}]"


def show_rate(value: float) -> str:
    """``0.250``."""
    return f"{value:.3f}"


def show_tau(value: float | None) -> str:
    """``+0.80``, or a dash."""
    return NONE if value is None else f"{value:+.2f}"


def show_p(value: float) -> str:
    """``0.032``; never zero."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def shorten(composition: str | None) -> str:
    """One adapter at full weight by its name alone."""
    name = composition or ""
    return name if "," in name else name.removesuffix("=1")


def freeze(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Rows as a sheet holds them."""
    return tuple(tuple(row) for row in rows)
