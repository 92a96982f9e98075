"""Compositions: which adapters sing together, and how much of each.

``{}`` is the base model, ``{"lyrics": 1.0}`` one adapter, ``{"lyrics": 0.6, "nolyrics": 0.4}`` a blend, whose change of
every layer is the weighted sum of the adapters' changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from adapters.errors import AdapterError

Composition = Mapping[str, float]

MAX_ADAPTERS = 16
MAX_WEIGHT = 4.0
_NAME = re.compile(r"[a-z0-9-]{1,64}")


def checked_composition(given: Composition) -> dict[str, float]:
    """The composition in its one form: names in order, weights of zero left out.

    Raises:
        AdapterError: a name that can be none, a weight out of range, or too many adapters.
    """
    if len(given) > MAX_ADAPTERS:
        raise AdapterError(f"a composition of {len(given)} adapters was asked for: at most {MAX_ADAPTERS} are allowed")
    for name, weight in given.items():
        if name == "base":
            raise AdapterError("base is the song model without adapters and has no weight: leave it out")
        if name == "routed":
            raise AdapterError("routed is what the router chooses and no adapter: ask for it alone, without a weight")
        if not _NAME.fullmatch(name):
            raise AdapterError(f"{name[:80]!r} is no adapter name: use 1 to 64 of a-z, 0-9 and -")
        if not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
            raise AdapterError(
                f"adapter {name} has weight {weight:g}: give a number from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}"
            )
    return {name: float(given[name]) for name in sorted(given) if given[name]}


def parse_composition(text: str) -> dict[str, float]:
    """``lyrics=0.6,nolyrics=0.4`` to a composition; a bare name weighs 1; ``base`` or nothing is the base model.

    Raises:
        AdapterError: the text cannot be read as one.
    """
    out: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        if part == "base":
            continue
        name, given, weight = (p.strip() for p in part.partition("="))
        try:
            value = float(weight) if given else 1.0
        except ValueError:
            raise AdapterError(
                f"{part[:80]!r} is no weighted adapter: write a composition like lyrics=0.6,nolyrics=0.4"
            ) from None
        if name in out:
            raise AdapterError(f"adapter {name[:80]} stands twice in {text[:80]!r}: give it one weight")
        out[name] = value
    return checked_composition(out)


def format_composition(composition: Composition) -> str:
    """The text :func:`parse_composition` reads back; ``base`` for the base model."""
    weights = checked_composition(composition).items()
    return ",".join(f"{name}={repr(weight).removesuffix('.0')}" for name, weight in weights) or "base"
