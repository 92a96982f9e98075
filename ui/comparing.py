"""What a comparison is of: compositions that differ, one of which the router may choose.

The same rules and sentences for the API and the page. Knows neither HTTP nor HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from adapters.composition import format_composition, parse_composition
from adapters.errors import AdapterError
from engine.engine import Job
from engine.errors import Fault, RequestError
from engine.request import SongRequest
from ui.choices import resolve
from ui.songs import Songs

#: What stands for the composition that the router chooses.
ROUTED: Literal["routed"] = "routed"
#: A composition, or that the router chooses it.
Wanted = dict[str, float] | Literal["routed"]


def read_composition(text: str, number: int, field: str = "compositions") -> Wanted:
    """One composition of several as text, the ``number``-th of ``field`` counted from 1.

    Raises:
        RequestError: it is none.
    """
    if text.strip() == ROUTED:
        return ROUTED
    try:
        return parse_composition(text)
    except AdapterError as error:
        raise RequestError.of([Fault.of(field, f"{error} (number {number})")]) from None


def check_different(compared: Sequence[Wanted], field: str = "compositions") -> None:
    """Whether each is another one.

    Raises:
        RequestError: one stands there twice.
    """
    names = [wanted if wanted == ROUTED else format_composition(wanted) for wanted in compared]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        said = f"{twice[:80]} stands there twice: its songs would be the same"
        raise RequestError.of([Fault.of(field, said)])


def begin(songs: Songs, requests: Sequence[SongRequest], routed: int | None) -> tuple[str, list[Job]]:
    """Queue the songs of a comparison, all or none; its id, and the jobs in their order. The composition of the one at
    ``routed`` is the router's to choose; where it chooses what is among the others already there is one song of both.

    Raises:
        NoRouter: nobody chooses.
        RequestError, QueueFull, EngineClosed: as :meth:`ui.songs.Songs.compare` does.
    """
    if routed is None:
        return songs.compare(requests)
    return songs.compare(*resolve(requests, routed, songs.decide(requests[routed])))
