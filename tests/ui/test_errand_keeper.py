"""What is kept of long work and what goes to make room for it, and that nobody waits for that."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ChoirmasterError
from tests.waiting import until
from ui.errand_keeper import MOST_KEPT, MOST_WAITING, ErrandKeeper, KeptErrand
from ui.errand_records import ErrandStanding, Records
from ui.errands import CLOSED

RECORDS = Records("piece", "piece.json", ErrandStanding, frozenset({"place"}))
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Keeper(ErrandKeeper[KeptErrand, ErrandStanding]):
    """Does nothing until it may. ``bare``: of what is cancelled nothing is left; ``used``: what is not removed."""

    def __init__(self, folder: Path, bare: bool = False) -> None:
        self.bare, self.used, self.go, self.asked = bare, set[str](), threading.Event(), 0
        super().__init__(folder, RECORDS)

    def begin(self) -> KeptErrand:
        self.asked += 1
        name = f"{0xF000 + self.asked:016x}"
        piece = KeptErrand(id=name, created=BEGAN + timedelta(days=1, minutes=self.asked), folder=self.folder / name)
        with self._lock:
            self._errands.put(piece)
            self._known[name] = piece
        self._write(piece)
        return piece

    def _do(self, piece: KeptErrand) -> None:
        while not self.go.wait(0.01) and not piece.stopped.is_set():
            pass

    def _describe(self, piece: KeptErrand) -> ErrandStanding:
        return ErrandStanding(id=piece.id, state=piece.state, created=piece.created, error=piece.error)

    def _recall(self, told: ErrandStanding, folder: Path) -> KeptErrand:
        return KeptErrand(id=told.id, created=told.created, folder=folder)

    def _check_free(self, piece: KeptErrand) -> None:
        if piece.id in self.used:
            raise ChoirmasterError("it is in use")

    def _leaves_nothing(self, piece: KeptErrand) -> bool:
        return self.bare and piece.state == "cancelled" and piece.error is None


@pytest.fixture
def open_keeper(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    opened = list[Keeper]()

    def make(done: int, **more: Any) -> Keeper:
        """A keeper of pieces that an earlier run of the server has done, a minute after each other."""
        for number in range(done):
            name, written = f"{number:016x}", BEGAN + timedelta(minutes=number)
            RECORDS.write(tmp_path / name, ErrandStanding(id=name, state="done", created=written))
            os.utime(tmp_path / name / RECORDS.name, (written.timestamp(),) * 2)
        opened.append(Keeper(tmp_path, **more))
        return opened[-1]

    yield make
    for keeper in opened:
        keeper.close()


def count(keeper: Keeper, state: str) -> int:
    return sum(one.state == state for one in keeper.listed())


def test_work_of_which_nothing_is_left_takes_no_place(open_keeper: Callable[..., Keeper]) -> None:
    keeper = open_keeper(MOST_KEPT - 1, bare=True)
    running = keeper.begin()
    cancelled = list[str]()
    for _ in range(MOST_KEPT + 5):
        cancelled.append(keeper.begin().id)
        assert keeper.remove(cancelled[-1]) == "cancelled"
    assert count(keeper, "done") == MOST_KEPT - 1, "none goes for those"
    told = [one.id for one in keeper.listed() if one.state == "cancelled"]
    assert told == cancelled[: -MOST_KEPT - 1 : -1], "and of those the newest are told"
    keeper.go.set()
    until(lambda: running.ended and count(keeper, "done") == MOST_KEPT)
    keeper.begin()
    until(lambda: keeper.standing(f"{0:016x}") is None)
    assert count(keeper, "done") == MOST_KEPT and count(keeper, "cancelled") == MOST_KEPT


def test_where_something_is_left_of_it_cancelled_work_takes_its_place(open_keeper: Callable[..., Keeper]) -> None:
    keeper = open_keeper(MOST_KEPT)
    keeper.used = {f"{0:016x}"}
    keeper.begin()
    for _ in range(2):
        keeper.cancel(keeper.begin().id)
    assert count(keeper, "done") == MOST_KEPT - 1 and count(keeper, "cancelled") == 2
    assert keeper.standing(f"{0:016x}") is not None and keeper.standing(f"{1:016x}") is None, "none that is in use"


def test_nothing_is_deleted_because_the_server_ends(open_keeper: Callable[..., Keeper]) -> None:
    keeper = open_keeper(MOST_KEPT)
    running = keeper.begin()
    waiting = [keeper.begin() for _ in range(MOST_WAITING)]
    until(lambda: running.state == "running")
    (keeper.folder / f"{0:016x}" / "song").write_bytes(b"of its songs")
    keeper.refuse()
    assert all(one.state == "cancelled" and one.error == CLOSED for one in waiting)
    keeper.close()
    assert running.state == "cancelled" and running.error == CLOSED
    assert count(keeper, "done") == MOST_KEPT and (keeper.folder / f"{0:016x}" / "song").is_file()
    again = open_keeper(0)
    assert count(again, "done") == MOST_KEPT and count(again, "cancelled") == 1 + MOST_WAITING, "all is told again"
