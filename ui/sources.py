"""Results tables that the page can show: the model's own, one sung here by command, and those of small evaluations.

Knows where tables lie and what a cell of one holds; how a table came to be, and how it is drawn, is known elsewhere. A
table that is damaged or of another make is told as one, and harms no other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.attention_maps import AttentionRecord
from engine.errors import ChoirmasterError
from eval.results import Results
from eval.summary import Summary, summarise_table
from eval.table import PARQUET, Table, read_table
from ui.errands import ERRAND_ID
from ui.figures import say_moment
from ui.file_memory import Kept, find_plain, stamp_file
from ui.songs import Songs
from ui.source_songs import CellSong, Source, tell_song

__all__ = ["CellSong", "Source", "SourceError", "Sources"]

#: Ids of the sources that are no evaluations.
SHIPPED, FITTED, EVAL = "shipped", "router", "eval"
#: The table in a model's folder that its router was fitted to, and where small evaluations lie in the songs' folder.
ROUTER_TABLE, EVALUATIONS = "router-table.parquet", "evaluations"
#: Bytes of a table file; the shipped one of 600 songs and two judges has 0.4 MB.
MAX_TABLE = 256 << 20
#: Tables and summaries kept in memory.
KEPT_TABLES, KEPT_SUMMARIES = 4, 16

_TITLES = {
    SHIPPED: "The shipped model, measured",
    FITTED: "What the shipped router was fitted to",
    EVAL: "Measured here by choirmaster eval",
}


class SourceError(ChoirmasterError):
    """Something of a results table cannot be had; ``missing``: it is not there, else it is there and damaged."""

    def __init__(self, reason: str, missing: bool = True) -> None:
        super().__init__(reason)
        self.missing = missing


@dataclass(frozen=True)
class _Place:
    """Where the table of an id would lie."""

    id: str
    title: str
    file: Path


class Sources:
    """The tables of one server. ``model``: the folder of its song model. Any thread may ask.

    Whatever is read is remembered until the file changes.
    """

    def __init__(self, songs: Songs, model: Path) -> None:
        self.folder, self.model = songs.store.folder, model
        self._told: dict[Path, tuple[object, Source]] = {}
        self._tables: Kept[Hashable, Table] = Kept(KEPT_TABLES)
        self._summaries: Kept[Hashable, Summary] = Kept(KEPT_SUMMARIES)

    def listed(self) -> list[Source]:
        """All that there are, evaluations last and the newest of them first; damaged ones are told with their fault."""
        found = [
            self._describe(place, stamp) for place in self._places() if (stamp := stamp_file(place.file)) is not None
        ]
        ours = [source for source in found if source.id in _TITLES]
        others = [source for source in found if source.id not in _TITLES]
        return ours + sorted(others, key=lambda source: str(source.about.get("made", "")), reverse=True)

    def source(self, source: str) -> Source:
        """One of them.

        Raises:
            SourceError: there is none of that id, or it is damaged.
        """
        place = self._place(source)
        stamp = None if place is None else stamp_file(place.file)
        if place is None or stamp is None:
            there = ", ".join(found.id for found in self.listed()) or "none yet: start an evaluation"
            raise SourceError(f"there is no results table {source[:40]!r}: choose from {there}")
        told = self._describe(place, stamp)
        if told.fault is not None:
            raise SourceError(told.fault, missing=False)
        return told

    def table(self, source: str) -> Table:
        """The table itself; nobody may change it.

        Raises:
            SourceError: see :meth:`source`.
        """
        found = self.source(source)
        try:
            return self._read(found.file)
        except (ChoirmasterError, MemoryError) as error:  # it changed meanwhile
            raise SourceError(str(error), missing=False) from error

    def summary(self, source: str, judge: str = "") -> Summary:
        """All statistics of a table as one judge heard it, by default its first.

        Raises:
            SourceError: there is no such table or judge, or no song was sung by all compositions.
        """
        file = self.source(source).file
        stamp = stamp_file(file)  # before it is read: what changes later has another one
        table, judge = self._listened(source, judge)
        try:
            return self._summaries.get((file, stamp, judge), lambda: summarise_table(table, judge))
        except ChoirmasterError as error:
            raise SourceError(f"{error}", missing=False) from error

    def cell(self, source: str, judge: str, genre: str, composition: str) -> list[CellSong]:
        """The songs of one genre by one composition as one judge heard them, in the table's order.

        Raises:
            SourceError: there is no such table, judge, genre or composition.
        """
        table, judge = self._listened(source, judge)
        found = self.source(source)
        for kind, name, there in (("genre", genre, found.genres), ("composition", composition, found.compositions)):
            if name not in there:
                shown = ", ".join(there[:40])
                raise SourceError(f"the table has no {kind} {name[:80]!r}: choose from {shown}")
        songs = table.of_judge(judge)
        rows = songs[(songs["genre"] == genre) & (songs["composition"] == composition)]
        return [tell_song(found, row) for row in rows.to_dict("records")]

    def audio(self, source: str, prompt: str, seed: int, composition: str) -> Path | None:
        """The sound of a song, as FLAC; None where it was not kept.

        Raises:
            SourceError: there is no such table or song.
        """
        return find_plain(self._results(source, prompt, seed, composition).audio_path(prompt, seed, composition))

    def attention(self, source: str, prompt: str, seed: int, composition: str) -> AttentionRecord | None:
        """The attention maps of a song, None where they were not kept.

        Raises:
            SourceError: there is no such table or song, or the maps are damaged.
        """
        results = self._results(source, prompt, seed, composition)
        if find_plain(results.attention_path(prompt, seed, composition)) is None:
            return None
        try:
            return results.attention(prompt, seed, composition)
        except ChoirmasterError as error:
            raise SourceError(str(error), missing=False) from error

    def _places(self) -> Iterator[_Place]:
        yield from filter(None, map(self._place, _TITLES))
        with suppress(OSError):
            for folder in sorted((self.folder / EVALUATIONS).iterdir()):
                if (place := self._place(folder.name)) is not None:
                    yield place

    def _place(self, source: str) -> _Place | None:
        """None for what can be no id."""
        files = {
            # of a model from the hub these are links, which its owner may have
            SHIPPED: (self.model / PARQUET).resolve(),
            FITTED: (self.model / ROUTER_TABLE).resolve(),
            EVAL: self.folder / EVAL / PARQUET,
        }
        if source in files:
            return _Place(source, _TITLES[source], files[source])
        if ERRAND_ID.fullmatch(source):
            folder = self.folder / EVALUATIONS / source
            return None if folder.is_symlink() else _Place(source, "Evaluation", folder / PARQUET)
        return None

    def _describe(self, place: _Place, stamp: object) -> Source:
        known = self._told.get(place.file)
        if known is None or known[0] != stamp:
            known = self._told[place.file] = stamp, self._look(place)
        return known[1]

    def _look(self, place: _Place) -> Source:
        folder = place.file.parent
        try:
            if place.file.stat().st_size > MAX_TABLE:
                raise SourceError(
                    f"{place.file} is larger than the {MAX_TABLE >> 20} MB that are read here: make a report of it "
                    "with `choirmaster eval report`"
                )
            table = self._read(place.file)
            if table.songs.empty:
                raise SourceError(f"{place.file} has no rows: the evaluation ended before a song was heard")
            if not np.isfinite(table.songs[["wer", "cer", "audio_seconds"]].to_numpy(float)).all():
                raise SourceError(f"{place.file} has error rates that are no number: make it anew")
        except (ChoirmasterError, OSError, MemoryError) as error:
            return Source(place.id, place.title, folder, {}, (), 0, place.file, fault=str(error))
        songs = table.songs
        cells = songs.drop_duplicates(["prompt", "seed", "composition"])
        return Source(
            id=place.id,
            title=_title(place, table),
            folder=folder,
            about=table.about,
            judges=tuple(table.judges),
            songs=len(cells),
            file=place.file,
            compositions=tuple(table.compositions),
            genres=tuple(dict.fromkeys(songs["genre"])),
            prompts=int(songs["prompt"].nunique()),
            seeds=int(songs.groupby("prompt")["seed"].nunique().max()),
        )

    def _read(self, file: Path) -> Table:
        return self._tables.get((file, stamp_file(file)), lambda: read_table(file))

    def _listened(self, source: str, judge: str) -> tuple[Table, str]:
        table = self.table(source)
        judge = judge or table.judges[0]
        if judge not in table.judges:
            raise SourceError(f"the judge {judge[:80]!r} did not hear it: choose from {', '.join(table.judges)}")
        return table, judge

    def _results(self, source: str, prompt: str, seed: int, composition: str) -> Results:
        """The folder of a table that has this song."""
        songs = self.table(source).songs
        there = (songs["prompt"] == prompt) & (songs["seed"] == seed) & (songs["composition"] == composition)
        if not there.any():
            raise SourceError(
                f"the table has no song of {prompt[:80]!r} with seed {seed} by {composition[:80]}: a cell lists "
                "its songs"
            )
        return Results(self.source(source).folder)


def _title(place: _Place, table: Table) -> str:
    """An evaluation is called by when it was made and what sang in it."""
    if place.id in _TITLES:
        return place.title
    made = say_moment(table.about.get("made"))
    return f"{place.title} of {made}" if made else place.title
