"""Judges listening to cells of a grid while others are still being sung.

Every judge has threads of its own, each with a copy of the weights, as one listens to one song at a time. What is heard
is always the file on disk, so that a transcript does not depend on when it was made. Knows no engine.
"""

from __future__ import annotations

import hashlib
import io
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from adapters.errors import ChoirmasterError
from eval.cells import Cell, CellKey
from eval.grid import Grid, GridError
from eval.grid_log import HeardCell, name_sound, open_heard
from eval.heard import Heard
from eval.judge import Judge, count_cores
from eval.ledger import Listening
from eval.targets import run_name
from eval.waves import AudioError
from eval.weights import JudgeUnavailable

#: Songs in a row a judge may fail on before it counts as broken, and the most copies of one.
MOST_BROKEN, MOST_COPIES = 3, 4

log = logging.getLogger(__name__)


class Listener(Protocol):
    """What is needed of a judge; ``eval.judge.Judge`` has it."""

    @property
    def title(self) -> str: ...

    @property
    def batch(self) -> int: ...

    def listen_many(self, sounds: Sequence[tuple[NDArray[np.float32], int]]) -> list[Heard | AudioError]: ...


def identify(judge: Judge) -> Listening:
    """A judge as the journal knows it: by its settings, and a folder of weights by what is in it.

    Raises:
        JudgeUnavailable: the folder's weights cannot be read.
    """
    told: list[object] = [judge.describe()]
    weights = Path(judge.name).expanduser() / "model.bin"
    if weights.is_file():
        try:
            with weights.open("rb") as file:
                told.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise JudgeUnavailable(f"{weights} cannot be read ({error.strerror}): mend its permissions") from error
    return Listening(judge.title, run_name(*told))


class Ears:
    """Judges of a grid. ``listeners``: for each, the copies that listen side by side.

    ``heard`` is told of every cell and judge once its transcript is in the journal, ``failed`` of a song that cannot be
    listened to. ``fault`` is what ended the listening before its time, such as a full disk.
    """

    def __init__(
        self,
        grid: Grid,
        listeners: Mapping[Listening, Sequence[Listener]],
        heard: Callable[[Cell, Listening], None],
        failed: Callable[[Cell, str], None],
    ) -> None:
        self.grid, self.listeners, self.told, self.failed = grid, listeners, heard, failed
        self.fault: BaseException | None = None
        self._journal = open_heard(grid.folder)
        self._queues: dict[Listening, queue.SimpleQueue[Cell | None]] = {one: queue.SimpleQueue() for one in listeners}
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(one, copy), name=f"choirmaster-{one.title}", daemon=True)
            for one, copies in listeners.items()
            for copy in copies
        ]

    def start(self) -> None:
        """Begin to listen."""
        for thread in self._threads:
            thread.start()

    def hear(self, cell: Cell, one: Listening) -> None:
        """Have a cell heard by one judge."""
        self._queues[one].put(cell)

    def finish(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until all cells are heard, something ended it, or ``stopped`` says that it is to end.

        Raises:
            Exception: ``fault``.
        """
        self._end(stopped)
        if self.fault is not None:
            raise self.fault

    def stop(self) -> None:
        """Finish the songs at hand, and hear no more."""
        self._stopped.set()
        self._end()

    def _end(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Tell every copy that no more is to come, and wait for it."""
        for one, waiting in self._queues.items():
            for _ in self.listeners[one]:
                waiting.put(None)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.2)  # so that Ctrl-C is not held up
                if stopped():
                    self._stopped.set()

    def _work(self, one: Listening, listener: Listener) -> None:
        broken = 0  # songs in a row
        while (cells := self._take(one, listener.batch)) and not self._stopped.is_set():
            try:
                broken = broken + 1 if self._hear_or_tell(cells, one, listener) else 0
                if broken >= MOST_BROKEN:
                    raise GridError(
                        f"{one.title} failed on {broken} songs in a row, the log says why: the same command goes on"
                    )
            except BaseException as error:
                self.fault = self.fault or error
                self._stopped.set()

    def _hear_or_tell(self, cells: Sequence[Cell], one: Listening, listener: Listener) -> bool:
        """Hear cells, and where the judge itself fails, one by one; whether it failed on the last of them."""
        try:
            self._hear(cells, one, listener)
        except (ChoirmasterError, OSError):
            raise
        except Exception as error:  # of a foreign library
            if len(cells) > 1:
                return [self._hear_or_tell([cell], one, listener) for cell in cells][-1]
            log.exception("%s failed on %s", one.title, cells[0])
            self.failed(cells[0], f"{one.title} failed on it ({type(error).__name__}: {error})")
            return True
        return False

    def _take(self, one: Listening, most: int) -> list[Cell]:
        """The next cell, once there is one, and more of those that wait; none at the end."""
        waiting, taken = self._queues[one], list[Cell]()
        while len(taken) < most:
            try:
                cell = waiting.get(block=not taken)
            except queue.Empty:
                break
            if cell is None:
                if taken:  # an end for the next time
                    waiting.put(None)
                break
            taken.append(cell)
        return taken

    def _hear(self, cells: Sequence[Cell], one: Listening, listener: Listener) -> None:
        sounds: dict[CellKey, tuple[NDArray[np.float32], int]] = {}
        names: dict[CellKey, str] = {}
        for cell in cells:
            path = self.grid.results.audio_path(*cell.key)
            try:
                content = path.read_bytes()
                audio, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
            except (OSError, soundfile.LibsndfileError) as error:
                self.failed(cell, f"{path} cannot be read as sound ({error}): delete it, and it will be sung again")
            else:
                sounds[cell.key] = np.ascontiguousarray(audio.T), int(rate)
                names[cell.key] = name_sound(content)
        there = [cell for cell in cells if cell.key in sounds]
        for cell, heard in zip(there, listener.listen_many([sounds[cell.key] for cell in there]), strict=True):
            if isinstance(heard, AudioError):
                self.failed(cell, f"{one.title} could not listen: {heard}")
                continue
            self._journal.append(
                HeardCell(
                    run=self.grid.run_of(cell.key) or "",
                    sound=names[cell.key],
                    prompt=cell.prompt.id,
                    seed=cell.seed,
                    composition=cell.composition,
                    judge=one.title,
                    judging=one.judging,
                    transcript=heard.text,
                    judge_seconds=round(heard.seconds, 3),
                    segments=heard.segments,
                )
            )
            self.told(cell, one)


@dataclass(frozen=True)
class Shares:
    """How an evaluation shares out a machine: copies of each judge, threads of each, threads of the song model."""

    copies: int
    judge_threads: int
    model_threads: int


def share_cores(judges: int, device: str, copies: int | None = None, cores: int | None = None) -> Shares:
    """Shares for so many judges on ``device``; ``copies``: of each judge, where not chosen here.

    On a processor a judge gains little from a second core and much from a second song, so that there are as many copies
    as cores, up to four of a judge; half of the cores are theirs and half the song model's. On a graphics card one copy
    hears batches.
    """
    cores = count_cores() if cores is None else cores
    if device != "cpu":
        return Shares(copies or 1, max(1, cores // 4), max(1, cores // 2))
    each = copies or max(1, min(MOST_COPIES, cores))
    return Shares(each, max(1, cores // (2 * each * max(1, judges))), max(1, cores // 2))


def load_copies(name: str, device: str, compute_type: str, shares: Shares) -> list[Judge]:
    """Copies of a judge, loaded.

    Raises:
        JudgeUnavailable: the weights cannot be had.
    """
    made = [Judge(name, device, compute_type, shares.judge_threads) for _ in range(shares.copies)]
    for judge in made:
        judge.load()
    return made
