"""Why a song is sung by what it is sung by: a router's decision, and the cascade that it is a take of.

Kept in memory while a song is made, and in its JSON from then on. What is read from there may have been changed by
hand: a choice that cannot be read is none. Knows neither router nor cascade, only what they said.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from adapters.composition import format_composition
from adapters.errors import AdapterError
from engine.request import SongRequest
from engine.songs import SongStore
from router.decision import Decision
from ui.stored import plain

#: Choices kept in memory: of songs in the making, and those a full disk did not take.
REMEMBERED = 1024

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TakeOf:
    """Which take of a cascade a song is: ``place`` counts from 0, ``name`` is its composition's; the rest are the
    cascade's own settings."""

    cascade: str
    place: int
    name: str
    budget: int
    stop_wer: float
    retry: str


@dataclass(frozen=True)
class Choice:
    """``decision``: what the router said of the prompt, None where nobody asked it."""

    decision: Decision | None = None
    take: TakeOf | None = None

    def as_json(self) -> dict[str, Any]:
        """The parts that there are, as they stand in a song's JSON."""
        parts = {
            "decision": self.decision and self.decision.as_json(),
            "take": self.take and asdict(self.take),
        }
        return {name: part for name, part in parts.items() if part is not None}


NOTHING = Choice()
_DECISION, _TAKE = TypeAdapter(Decision), TypeAdapter(TakeOf)


def read_choice(record: Mapping[str, Any]) -> Choice:
    """The choice in a song's JSON."""
    return Choice(_read(_DECISION, record.get("decision")), _read(_TAKE, record.get("take")))


def _read(kind: TypeAdapter[T], found: object) -> T | None:
    try:
        return None if found is None else kind.validate_python(plain(found))
    except ValidationError:
        return None


def name_composition(request: Mapping[str, Any]) -> str:
    """The composition in a stored request, as tables name it; ``base`` where it cannot be read."""
    composition = request.get("composition")
    try:
        return format_composition(composition) if isinstance(composition, dict) else "base"
    except (AdapterError, TypeError, ValueError, OverflowError):  # it was changed by hand
        return "base"


class Choices:
    """The choices of the songs of one store, by their ids. Any thread may call.

    ``ended`` tells of a song whether it has ended: of others the choice is still to be written down.
    """

    def __init__(self, store: SongStore, ended: Callable[[str], bool]) -> None:
        self._store, self._ended = store, ended
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Choice] = OrderedDict()

    def keep(self, song_id: str, choice: Choice) -> None:
        """Remember why a song is sung as it is."""
        if choice == NOTHING:
            return
        with self._lock:
            self._kept[song_id] = choice
            known = list(self._kept)
        if (beyond := len(known) - REMEMBERED) > 0:
            for old in [old for old in known if self._ended(old)][:beyond]:
                self.drop(old)

    def of(self, song_id: str, record: Mapping[str, Any] | None = None) -> Choice:
        """The choice that is remembered, else the one in its JSON."""
        with self._lock:
            kept = self._kept.get(song_id)
        return kept or (NOTHING if record is None else read_choice(record))

    def write(self, song_id: str) -> None:
        """Put the choice into the JSON of a song that is stored now."""
        with self._lock:
            kept = self._kept.get(song_id)
        if kept is None:
            return
        try:
            self._store.annotate(song_id, **kept.as_json())
        except Exception as error:  # a full disk: the choice lives as long as the server
            log.warning("why the song %s is sung as it is was not written down: %s", song_id, error)
        else:
            self.drop(song_id)

    def drop(self, song_id: str) -> None:
        """Forget a song's choice."""
        with self._lock:
            self._kept.pop(song_id, None)


def resolve(
    requests: Sequence[SongRequest], routed: int, decision: Decision
) -> tuple[list[SongRequest], dict[int, Choice]]:
    """Requests of a comparison of which the one at ``routed`` is to be sung as decided, and the choice by its place.

    Where another is sung by the same composition already there is one song of the two, since they would be the same.
    """
    chosen = requests[routed].sung_by(decision.composition)
    others = [place for place, r in enumerate(requests) if place != routed and r.composition == chosen.composition]
    if not others:
        return [chosen if place == routed else r for place, r in enumerate(requests)], {routed: Choice(decision)}
    twin = others[0] - (others[0] > routed)
    return [r for place, r in enumerate(requests) if place != routed], {twin: Choice(decision)}
