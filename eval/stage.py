"""Sings the cells of a grid with one engine, and keeps what is sung: sound, attention maps, measures, a journal's line.

Cells are handed to the engine some ahead of what it sings, so that songs of one prompt and seed share their passes, and
one is kept while the next are sung. A song that fails is told and left out; a full disk ends it all. Knows no judge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adapters.errors import ChoirmasterError
from adapters.files import write_bytes_atomically
from engine.attention_maps import AttentionRecord
from engine.engine import Engine, Job
from engine.errors import RequestError, SongError
from engine.request import AttentionWish, SongRequest, read_request
from engine.settings import EngineSettings
from engine.song import Song
from engine.song_model import SongModel
from engine.songs import audio_bytes
from eval.cells import Cell
from eval.grid import Grid, GridError, cannot_write
from eval.grid_log import SungCell, name_sound, open_sung
from eval.heads import HeadMeasures, measure_alignment, measure_heads

#: Songs asked for beyond those the engine sings at once.
AHEAD = 8
#: Songs a processor sings at once at the least.
FEWEST = 4


@dataclass(frozen=True)
class Manners:
    """How singing behaves towards others who use the same engine.

    ``ahead``: songs asked for at once, by default those that the engine sings at once and :data:`AHEAD` more.
    ``background``: whether songs of others go before, and nothing of these is stored but in the grid. ``stopped``:
    asked between songs, whether it is to end before all are sung and heard.
    """

    ahead: int | None = None
    background: bool = False
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Measures:
    """What the attention maps of one song say."""

    heads: tuple[HeadMeasures, ...] = ()
    lyric_mass: float | None = None
    alignment_score: float | None = None
    alignment_null: float | None = None


def settle_engine(grid: Grid, device: str, song_timeout: float = 600.0) -> EngineSettings:
    """Limits of an engine that sings a grid.

    On a processor, where rows cost what they cost alone, only the compositions of one prompt and seed are sung at once,
    so that the first of them come early and the judges need not wait for them.
    """
    if device != "cpu":
        return EngineSettings(song_timeout=song_timeout)
    return EngineSettings(song_timeout=song_timeout, max_songs=max(FEWEST, len(grid.plan.compositions)))


def make_request(cell: Cell, steps: int | None, model: SongModel) -> SongRequest:
    """The request of a cell, with the maps of all heads at the last step.

    Raises:
        RequestError: it can be none.
    """
    fields = {"caption": cell.prompt.caption, "lyrics": cell.prompt.lyrics, "seed": cell.seed, "steps": steps}
    wish = AttentionWish(heads=model.heads)
    return read_request({**fields, "composition": cell.weights, "attention": wish.model_dump()})


def measure_attention(record: AttentionRecord | None, aligned: Sequence[tuple[int, int]]) -> Measures:
    """Measures of the last recorded step; ``aligned``: the heads that follow the words."""
    if record is None or not record.recorded or not record.lyric_map.words:
        return Measures()
    frame = record.recorded[-1]
    heads = tuple(measure_heads(frame, record.lyric_map))
    chosen = [at for at, head in enumerate(frame.heads) if head in set(aligned)]
    if not chosen:
        return Measures(heads)
    maps = frame.maps[chosen].astype(np.float32)
    rate = maps.shape[1] * record.frame_rate / record.frames
    score, null = measure_alignment(maps, record.lyric_map, rate, frames=record.frames)
    return Measures(heads, float(frame.lyric_mass[chosen].mean(dtype=np.float64)), score, null)


class Stage:
    """Sings cells of ``grid``, and keeps them.

    ``keep_maps`` says of which cells the maps are kept, beside their measures.
    """

    def __init__(
        self,
        engine: Engine,
        grid: Grid,
        keep_maps: Callable[[Cell], bool] = lambda cell: True,
        manners: Manners | None = None,
    ) -> None:
        self.engine, self.grid, self.keep_maps, self.manners = engine, grid, keep_maps, manners or Manners()
        self.stopped = self.manners.stopped
        self._journal = open_sung(grid.folder)
        self._weights: dict[str, str] = {}  # of the adapters as they were sung with so far

    def sing(self, cells: Iterable[Cell], sung: Callable[[Cell], None], failed: Callable[[Cell, str], None]) -> None:
        """Sing cells; ``sung`` is told of each once it is on disk, ``failed`` of every other one and why.

        However this ends, songs that are finished are kept, as long as they can be written.

        Raises:
            GridError, LogError: a song cannot be written down, an adapter has changed, or the engine is dead.
        """
        waiting: deque[tuple[Cell, Job]] = deque()
        sound = True
        try:
            for cell in (*cells, None):
                while waiting and not self.stopped() and (cell is None or len(waiting) >= self._ahead):
                    self._await(waiting[0][1])
                    self._end(*waiting.popleft(), sung, failed)
                if self.stopped():
                    break
                if cell is not None:
                    try:
                        request = make_request(cell, self.grid.plan.steps, self.engine.model)
                    except RequestError as error:
                        failed(cell, str(error))
                        continue
                    waiting.append((cell, self.engine.submit(request, background=self.manners.background)))
        except ChoirmasterError:
            sound = False
            raise
        finally:
            for _, job in waiting:
                self.engine.cancel(job)  # no effect on those that are done
            try:
                for cell, job in waiting:
                    if sound and job.state == "done":
                        self._end(cell, job, sung, failed)
            finally:
                for _, job in waiting:  # the engine forgets the songs of those that end later by itself
                    self.engine.forget(job)

    def keep(self, cell: Cell, song: Song) -> None:
        """Put a song on disk: its sound, its maps where they are wanted, and then its line in the journal.

        Raises:
            GridError, LogError: the disk is full, the folder cannot be written, or an adapter is another than before.
        """
        self._check_adapters(song)
        audio, maps = self.grid.results.audio_path(*cell.key), self.grid.results.attention_path(*cell.key)
        content = audio_bytes(song.audio, song.sampling_rate, "flac")
        try:
            maps.unlink(missing_ok=True)  # of an earlier song
            write_bytes_atomically(audio, content)
            if song.attention is not None and self.keep_maps(cell):
                write_bytes_atomically(maps, song.attention.save_bytes())
        except OSError as error:
            raise GridError(cannot_write(audio, error)) from error
        measures = measure_attention(song.attention, self.engine.model.aligned_heads)
        run = self.grid.run_of(cell.key)
        assert run is not None
        self._journal.append(
            SungCell(
                run=run,
                prompt=cell.prompt.id,
                seed=cell.seed,
                composition=cell.composition,
                sound=name_sound(content),
                audio_seconds=round(song.seconds, 3),
                lyric_mass=measures.lyric_mass,
                alignment_score=measures.alignment_score,
                alignment_null=measures.alignment_null,
                heads=measures.heads,
            )
        )

    @property
    def _ahead(self) -> int:
        asked = self.manners.ahead
        return self.engine.settings.max_songs + AHEAD if asked is None else asked

    def _await(self, job: Job) -> None:
        """Wait for a job, unless all is stopped."""
        while not job.wait(0.2) and not self.stopped():
            if not self.engine.alive:
                raise GridError("the engine is dead, its log says why: the same command goes on where it was")

    def _end(self, cell: Cell, job: Job, sung: Callable[[Cell], None], failed: Callable[[Cell, str], None]) -> None:
        if not job.ended:
            self.engine.cancel(job)
            return
        try:
            song = job.result()
        except SongError as error:
            failed(cell, str(error))
        else:
            self.keep(cell, song)
            sung(cell)
        finally:
            self.engine.forget(job)

    def _check_adapters(self, song: Song) -> None:
        for name, weights in song.adapters.items():
            if self._weights.setdefault(name, weights) != weights:
                raise GridError(
                    f"adapter {name} was replaced while it sang: the same command sings with the new one, all anew"
                )
