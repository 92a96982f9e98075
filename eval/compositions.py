"""Several compositions in one line of text, as a command takes them.

``base,lyrics,nolyrics`` are three; ``+`` joins the adapters of a blend: ``base,lyrics=0.6+nolyrics=0.4`` are two. Where
a semicolon stands it parts the compositions, and commas join a blend as they do in the results table:
``base;lyrics=0.6,nolyrics=0.4``. ``lyrics=0.6,nolyrics=0.4`` alone, which could be either, is refused.

Knows no shelf: whether an adapter exists is found out by whoever sings.
"""

from __future__ import annotations

from adapters.composition import Composition, format_composition, parse_composition
from adapters.errors import AdapterError


def parse_compositions(text: str) -> tuple[Composition, ...]:
    """The compositions in the order given, each in its one form; ``base`` is ``{}``.

    Raises:
        AdapterError: one cannot be read, two are the same, commas could mean two things, or there is none.
    """
    separator = ";" if ";" in text else ","
    parts = [part.strip() for part in text.split(separator) if part.strip(" ,+\t\n")]
    if not parts:
        raise AdapterError(f"{text[:80]!r} names no composition: write some like base,lyrics,lyrics=0.6+nolyrics=0.4")
    if separator == "," and "+" not in text:
        _check_meaning(text, parts)
    found: dict[str, Composition] = {}
    for part in parts:
        composition = parse_composition(part.replace("+", ","))
        name = format_composition(composition)
        if name in found:
            raise AdapterError(f"the composition {name[:80]} stands twice in {text[:80]!r}: name it once")
        found[name] = composition
    return tuple(found.values())


def _check_meaning(text: str, parts: list[str]) -> None:
    names = {part.partition("=")[0].strip() for part in parts} - {"base"}
    if "=" in text and len(names) > 1:
        named = [part for part in parts if part != "base"]
        raise AdapterError(
            f"{text[:80]!r} may be one blend or {len(named)} compositions: write {'+'.join(named)[:80]} for the blend, "
            f"{';'.join(named)[:80]} for the others"
        )
