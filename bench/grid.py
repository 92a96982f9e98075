"""How fast a grid of songs is sung and judged at once, beside doing one after the other.

*In turn*: a song is sung alone with all cores, kept, and judged with all cores, before the next one is begun. *In two
phases*: all songs are sung, in the same batches as at once and with all cores, and then all are judged, by as many
copies of the judge as cores. All do the same work on the same songs, maps and measures included, and leave the same
folder behind.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from adapters.places import SHELF, TINY_MODEL
from adapters.store import AdapterStore
from engine.engine import Engine
from engine.song_model import SongModel, load_song_model
from eval.cells import Cell
from eval.ears import Ears, Shares, identify, load_copies, share_cores
from eval.evaluation import evaluate
from eval.grid import Grid, Plan
from eval.judge import Judge, count_cores
from eval.ledger import Ledger
from eval.prompts import across_genres, read_prompts
from eval.stage import Stage, make_request, settle_engine

#: Songs a minute at once over those in turn.
TARGET = 1.5
IN_TURN, PHASES, AT_ONCE = "in turn", "in two phases", "at once"


@dataclass(frozen=True)
class GridSpeed:
    """Songs a minute of each way: medians over the rounds; ``ratios`` of "at once" to the others, one a round."""

    songs: int
    rounds: int
    cores: int
    judge: str
    per_minute: dict[str, float]
    ratios: dict[str, tuple[float, ...]]

    def ratio(self, way: str) -> float:
        """The median ratio to one way."""
        return statistics.median(self.ratios[way])


def time_grid(
    prompts: int, rounds: int, judge: str = "base", told: Callable[[str], None] = lambda text: None
) -> GridSpeed:
    """Time ``prompts`` everyday prompts by base and every adapter of the shelf, all ways, ``rounds`` times."""
    shelf, model, cores = AdapterStore(SHELF), load_song_model(TINY_MODEL), count_cores()
    compositions = ({}, *({name: 1.0} for name in shelf.names()))
    shares = share_cores(1, "cpu")
    alone = load_copies(judge, "cpu", "int8", Shares(1, cores, cores))
    several = load_copies(judge, "cpu", "int8", shares)
    ways: dict[str, tuple[int, Callable[[Grid], None]]] = {
        IN_TURN: (cores, lambda grid: _in_turn(grid, model, alone)),
        PHASES: (cores, lambda grid: _in_phases(grid, model, several)),
        AT_ONCE: (shares.model_threads, lambda grid: _at_once(grid, model, several)),
    }
    speeds: dict[str, list[float]] = {way: [] for way in ways}
    songs = 0
    for number in range(rounds + 1):  # the first warms up
        plan = Plan(str(TINY_MODEL), across_genres(read_prompts())[:prompts], compositions, 1, number)
        for way in list(ways)[:: 1 if number % 2 else -1]:
            threads, go = ways[way]
            torch.set_num_threads(threads)
            folder = Path(tempfile.mkdtemp(prefix="choirmaster-bench-"))
            try:
                grid = Grid(plan, folder, shelf)
                songs = len(grid.cells)
                told(f"round {number} of {rounds}: {songs} songs {way}")
                start = time.perf_counter()
                go(grid)
                elapsed = time.perf_counter() - start
                done = len(Ledger(grid).heard(identify(alone[0])))
                if done != songs:
                    raise RuntimeError(f"{way}: {done} of {songs} songs were heard")
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            if number:
                speeds[way].append(60 * songs / elapsed)
    ratios = {
        way: tuple(once / other for once, other in zip(speeds[AT_ONCE], found, strict=True))
        for way, found in speeds.items()
        if way != AT_ONCE
    }
    medians = {way: statistics.median(found) for way, found in speeds.items()}
    return GridSpeed(songs, rounds, cores, alone[0].title, medians, ratios)


def _in_turn(grid: Grid, model: SongModel, judges: Sequence[Judge]) -> None:
    with Engine(model, shelf=grid.shelf) as engine:
        stage = Stage(engine, grid, lambda cell: False)
        for cell in grid.cells:
            stage.keep(cell, engine.singer.sing(make_request(cell, None, model)))
            _hear(grid, [cell], judges)


def _in_phases(grid: Grid, model: SongModel, judges: Sequence[Judge]) -> None:
    with Engine(model, shelf=grid.shelf, settings=settle_engine(grid, "cpu")) as engine:
        Stage(engine, grid, lambda cell: False).sing(grid.cells, lambda cell: None, _complain)
    _hear(grid, grid.cells, judges)


def _at_once(grid: Grid, model: SongModel, judges: Sequence[Judge]) -> None:
    known = identify(judges[0])
    with Engine(model, shelf=grid.shelf, settings=settle_engine(grid, "cpu")) as engine:
        evaluate(grid, Ledger(grid).todo([known]), engine, {known: judges}, keep_maps=lambda cell: False)


def _hear(grid: Grid, cells: Sequence[Cell], judges: Sequence[Judge]) -> None:
    known = identify(judges[0])
    ears = Ears(grid, {known: judges}, lambda cell, one: None, _complain)
    for cell in cells:
        ears.hear(cell, known)
    ears.start()
    ears.finish()


def _complain(cell: Cell, reason: str) -> None:
    raise RuntimeError(f"{cell}: {reason}")
