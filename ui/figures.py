"""How the page writes figures and moments: one form each, everywhere.

Knows no HTML, and not what a figure is of.
"""

from __future__ import annotations

from datetime import UTC, datetime

from eval.report.formats import say_percent

__all__ = ["say_moment", "say_rate", "say_rates"]


def say_rate(share: float) -> str:
    """A word or character error rate, ``33.3 %``."""
    return f"{say_percent(share)} %"


def say_rates(low: float | None, high: float | None) -> str:
    """Rates from one to another, ``10.0–40.0 %``; empty where an end is not known."""
    return "" if low is None or high is None else f"{say_percent(low)}–{say_percent(high)} %"


def say_moment(time: object) -> str:
    """A time, or its text in ISO's form, as ``2026-11-24 18:40 UTC``; one that names no zone is taken for UTC. Empty
    for anything else, as after a change by hand."""
    try:
        found = time if isinstance(time, datetime) else datetime.fromisoformat(str(time))
        at = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return f"{at:%Y-%m-%d %H:%M} UTC"
