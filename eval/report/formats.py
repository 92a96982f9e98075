"""Figures as they stand on the page: percent without the sign, points with it, probabilities, a dash for nothing."""

from __future__ import annotations

import math
import re
from datetime import datetime

from markupsafe import Markup, escape

from eval.resampling import Estimate

NOTHING = "–"


def say_percent(value: float | None) -> str:
    """A rate in percent: 0.4651 is ``46.5``."""
    return NOTHING if _absent(value) else f"{100 * value:.1f}"  # type: ignore[operator]


def say_points(value: float | None) -> str:
    """A difference of rates in percentage points, with its sign: -0.145 is ``−14.5``."""
    if _absent(value):
        return NOTHING
    said = f"{100 * value:+.1f}"  # type: ignore[operator]
    return "0.0" if said in ("+0.0", "-0.0") else said.replace("-", "−")


def say_number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits after the point, and a true minus."""
    if _absent(value):
        return NOTHING
    said = f"{value:.{digits}f}"
    return said.lstrip("-") if float(said) == 0 else said.replace("-", "−")


def say_range(estimate: Estimate | None, signed: bool = False) -> str:
    """The interval of an estimate in percent, ``38.0 to 54.1``; empty where it has no ends."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    say = say_points if signed else say_percent
    return f"{say(estimate.low)} to {say(estimate.high)}"


def say_p(p: float | None) -> str:
    """A probability: ``< .001``, ``.032``, ``1``."""
    if _absent(p):
        return NOTHING
    assert p is not None
    return "< .001" if p < 0.0005 else "1" if p >= 0.9995 else f"{p:.3f}"[1:]


def say_count(count: int, one: str, many: str = "") -> str:
    """``1 song``, ``1,200 songs``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def say_composition(name: str) -> str:
    """A composition as people name it: of one adapter at weight 1, the adapter."""
    adapter, _, weight = name.rpartition("=")
    return adapter if weight == "1" and adapter and "," not in name and "=" not in adapter else name


def say_list(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def say_day(text: object) -> str:
    """The day of an ISO time, ``1 March 2026``; empty for anything else."""
    try:
        day = datetime.fromisoformat(str(text))
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"


def set_code(text: str) -> Markup:
    """Text whose parts between backticks are code."""
    return Markup(re.sub("`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _absent(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
