"""What of a grid is done, as its journals tell, and what is left.

A cell counts as sung once its sound is on disk and its line in ``songs.jsonl``, and as heard by a judge with its line
in ``heard.jsonl``. Of several lines of a cell the last one is of what lies on disk; where that is of another run
(another model, an adapter trained anew) the cell counts as not sung. A transcript counts for its own sound alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eval.cells import Cell, CellKey
from eval.grid import Grid
from eval.grid_log import HeardCell, SungCell, name_sound, open_heard, open_sung


@dataclass(frozen=True)
class Listening:
    """A judge as the journal knows it: its ``title``, and the name of all its settings."""

    title: str
    judging: str


@dataclass(frozen=True)
class Todo:
    """Cells to sing, and, by judge, cells to hear: those that are sung, and those that will be."""

    sing: tuple[Cell, ...]
    hear: Mapping[Listening, tuple[Cell, ...]]

    def ready(self, listening: Listening) -> tuple[Cell, ...]:
        """Cells one judge may hear at once."""
        later = {cell.key for cell in self.sing}
        return tuple(cell for cell in self.hear[listening] if cell.key not in later)


class Ledger:
    """The state of ``grid`` when this was made.

    Raises:
        LogError: a journal is damaged or cannot be read.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        latest = {entry.key: entry for entry in open_sung(grid.folder).read()}
        self.sung: dict[CellKey, SungCell] = {
            key: entry for key, entry in latest.items() if grid.run_of(key) == entry.run
        }
        self._heard: dict[Listening, dict[CellKey, HeardCell]] = {}
        for entry in open_heard(grid.folder).read():
            song = self.sung.get(entry.key)
            if song is not None and (song.run, song.sound) == (entry.run, entry.sound):
                self._heard.setdefault(Listening(entry.judge, entry.judging), {})[entry.key] = entry

    def heard(self, listening: Listening) -> Mapping[CellKey, HeardCell]:
        """What a judge heard in the cells so far."""
        return self._heard.get(listening, {})

    def listenings(self, judges: Sequence[Listening]) -> tuple[Listening, ...]:
        """The given judges, and after them all others that heard cells, each with the settings it heard most with."""
        asked = {one.title for one in judges}
        counted = Counter({one: len(found) for one, found in self._heard.items() if one.title not in asked})
        others: dict[str, Listening] = {}
        for one, _ in counted.most_common():
            others.setdefault(one.title, one)
        return (*judges, *others.values())

    def todo(self, judges: Sequence[Listening]) -> Todo:
        """What is left. A song that a judge has yet to hear and whose sound is gone, or another, is sung again."""
        cells = self.grid.cells
        sing = tuple(
            cell
            for cell in cells
            if cell.key not in self.sung
            or (any(cell.key not in self.heard(one) for one in judges) and not self._is_there(cell.key))
        )
        again = {cell.key for cell in sing}
        hear = {one: tuple(c for c in cells if c.key in again or c.key not in self.heard(one)) for one in judges}
        return Todo(sing, hear)

    def _is_there(self, key: CellKey) -> bool:
        path = self.grid.results.audio_path(*key)
        return path.is_file() and name_sound(path.read_bytes()) == self.sung[key].sound
