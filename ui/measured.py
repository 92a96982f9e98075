"""What was measured of the adapters of a shelf, genre by genre: from the table that comes with the song model.

A measurement belongs to an adapter's files and not to its name: of another adapter under the same name, nothing was
measured. Knows the table and fingerprints, not how they are shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from engine.errors import ChoirmasterError
from eval.genres import rate_genres
from eval.lattice import LatticeError, make_lattice
from eval.resampling import Estimate
from eval.statistics import Comparison, compare, rank_standings
from eval.table import Table
from ui.sources import SHIPPED

BASE = "base"
ANOTHER = "what was measured under this name was another adapter: its files have changed since"


class Tables(Protocol):
    """What is needed of the tables that the page can show; ``ui.sources.Sources`` has it."""

    def table(self, source: str) -> Table: ...


@dataclass(frozen=True)
class GenreRate:
    """Word error rate in one genre. ``base``: that of the song model alone on the same words, None where it was not
    sung; ``unit``: what ``wer`` has its interval over, see ``eval.genres``."""

    genre: str
    songs: int
    unit: str
    wer: Estimate
    base: float | None

    @property
    def difference(self) -> float | None:
        """Rate less that of the base model: below zero is better."""
        return None if self.base is None else self.wer.value - self.base


@dataclass(frozen=True)
class Measured:
    """How an adapter alone, at weight 1, was heard. ``wer``: of all words; ``genres``: the lowest rate first."""

    judge: str
    songs: int
    wer: Estimate
    base: Estimate | None
    difference: Comparison | None
    genres: tuple[GenreRate, ...]


#: Adapter -> what was measured, or why what was measured is not shown.
Shown = Mapping[str, Measured | str]


def measure(table: Table, judge: str) -> dict[str, Measured]:
    """What ``judge`` heard of every adapter that was sung alone at weight 1, by the adapter's name.

    Raises:
        LatticeError: no song was sung by all compositions.
    """
    lattice = make_lattice(table, judge, "word")
    there = BASE in lattice.compositions
    standings = {standing.composition: standing for standing in rank_standings(lattice)}
    comparisons = {one.composition: one for one in (compare(lattice, BASE) if there else ())}
    rows = rate_genres(lattice)
    found = {}
    for place, composition in enumerate(lattice.compositions):
        name = _alone(composition)
        if name is None:
            continue
        base = [row.rates[lattice.index(BASE)].value if there else None for row in rows]
        genres = [
            GenreRate(row.genre, row.songs, row.unit, row.rates[place], value)
            for row, value in zip(rows, base, strict=True)
        ]
        found[name] = Measured(
            judge=judge,
            songs=lattice.songs,
            wer=standings[composition].micro,
            base=standings[BASE].micro if there else None,
            difference=comparisons.get(composition),
            genres=tuple(sorted(genres, key=lambda genre: (genre.wer.value, genre.genre))),
        )
    return found


class Measurements:
    """The measurements of one server's shelf, read again once the table has changed. Any thread may ask.

    ``prints`` tells the fingerprint of every adapter as it is now.
    """

    def __init__(self, tables: Tables | None, prints: Callable[[], Mapping[str, str]]) -> None:
        self._tables, self._prints = tables, prints
        self._lock = threading.Lock()
        self._known: tuple[Table, dict[str, Measured]] | None = None

    def read(self) -> dict[str, Measured | str]:
        """What is known, by the adapter's name; nothing where there is no table, or none that can be read."""
        if self._tables is None:
            return {}
        try:
            table = self._tables.table(SHIPPED)
            with self._lock:
                if self._known is None or self._known[0] is not table:
                    self._known = table, measure(table, table.judges[0])
                found = self._known[1]
            now = self._prints()
        except (ChoirmasterError, LatticeError, IndexError):
            return {}
        then = _fingerprints(table.about)
        return {
            name: measured if name not in now or then.get(name, now[name]) == now[name] else ANOTHER
            for name, measured in found.items()
        }


def _alone(composition: str) -> str | None:
    """The adapter that a composition is, at weight 1."""
    try:
        weights = parse_composition(composition)
        return next(iter(weights)) if list(weights.values()) == [1.0] else None
    except AdapterError:
        return None


def _fingerprints(about: Mapping[str, Any]) -> Mapping[str, str]:
    found = about.get("adapters")
    return found if isinstance(found, Mapping) else {}
