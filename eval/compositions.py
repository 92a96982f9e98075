"""Several compositions in one line of text, as a command takes them.

``base,lyrics,nolyrics`` are three; ``+`` joins the adapters of a blend: ``base,lyrics=0.6+nolyrics=0.4`` are two. Where
a semicolon stands it parts the compositions, and commas join a blend as they do in the results table:
``base;lyrics=0.6,nolyrics=0.4``. ``lyrics=0.6,nolyrics=0.4`` alone, which could be either, is refused, and so is what
would sing something else than it says: a weight of nought, and ``base`` in a blend.

Knows no shelf: whether an adapter exists is found out by whoever sings.
"""

from __future__ import annotations

from adapters.composition import Composition, format_composition, parse_composition
from adapters.errors import AdapterError


def parse_compositions(text: str) -> tuple[Composition, ...]:
    """The compositions in the order given, each in its one form; ``base`` is ``{}``.

    Raises:
        AdapterError: one cannot be read, names base beside others or an adapter of weight nought, two are the same,
            commas could mean two things, or there is none.
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
        _check_members(part, composition)
        name = format_composition(composition)
        if name in found:
            raise AdapterError(f"the composition {name[:80]} stands twice in {text[:80]!r}: name it once")
        found[name] = composition
    return tuple(found.values())


def _check_members(part: str, composition: Composition) -> None:
    """Refuse what :func:`parse_composition` takes for the same without a word."""
    named = [name.partition("=")[0].strip() for name in part.replace("+", ",").split(",") if name.strip()]
    others = [name for name in named if name != "base"]
    if "base" in named and len(named) > 1:
        told = "name base once" if not others else f"write {format_composition(composition)[:80]} for the blend"
        raise AdapterError(f"{part[:80]!r} blends base, which is the model without adapters: {told}")
    for name in others:
        if name not in composition:
            raise AdapterError(
                f"adapter {name[:80]} has weight 0 in {part[:80]!r} and would sing nothing: leave it out, or write "
                "base for the model without adapters"
            )


def _check_meaning(text: str, parts: list[str]) -> None:
    names = {part.partition("=")[0].strip() for part in parts} - {"base"}
    if "=" in text and len(names) > 1:
        named = [part for part in parts if part != "base"]
        raise AdapterError(
            f"{text[:80]!r} may be one blend or {len(named)} compositions: write {'+'.join(named)[:80]} for the blend, "
            f"{';'.join(named)[:80]} for the others"
        )
