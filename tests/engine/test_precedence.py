"""Songs of the background wait for those of people, stand still for them, and are stored nowhere."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.jobs import Job
from engine.precedence import Line, find_joining, pick_sung
from engine.request import SongRequest
from engine.settings import EngineSettings
from engine.song_model import SongModel
from engine.songs import SongStore
from tests.held import hold
from tests.waiting import until

REQUEST = SongRequest(caption="folk", lyrics="hello", seed=1, steps=2)


def job(name: str, background: bool = False) -> Job:
    return Job(name, REQUEST, 2, background=background)


def test_a_line_gives_the_oldest_of_those_somebody_waits_for() -> None:
    line, jobs = Line(), [job("b1", True), job("p1"), job("b2", True), job("p2")]
    for one in jobs:
        line.append(one)
    assert len(line) == 4 and list(line) == jobs and line.first is jobs[1]
    assert [line.take().id for _ in jobs] == ["p1", "p2", "b1", "b2"]
    assert line.first is None and not line
    with pytest.raises(ValueError, match="nobody waits"):
        line.take()


def test_the_background_takes_no_room_from_others() -> None:
    line, others = Line(), [job("b1", True), job("b2", True), job("p1")]
    line.append(job("b3", True))
    assert line.find_next(others, 3) is None and line.find_next(others, 4) is line.first
    line.append(job("p2"))
    assert line.find_next(others, 1) is None and line.find_next(others, 2) is line.first


def test_the_background_joins_only_where_nobody_else_sings_or_waits() -> None:
    queue, ready, sung = Line(), Line(), Line()
    ready.append(job("b1", True))
    assert find_joining(queue, ready, [job("b2", True)], sung, 2) is ready.first
    assert find_joining(queue, ready, [job("b2", True)], sung, 1) is None
    assert find_joining(queue, ready, [job("p1")], sung, 9) is None
    queue.append(job("p2"))
    assert find_joining(queue, ready, [], sung, 9) is None
    ready.append(job("p3"))
    found = find_joining(queue, ready, [job("b2", True)], sung, 1)
    assert found is not None and found.id == "p3"


def test_the_time_of_songs_that_stand_still_does_not_run_out() -> None:
    waiting, awaited = job("b1", True), job("p1")
    waiting.deadline = awaited.deadline = 1.0
    assert pick_sung([waiting, awaited], 100) == [awaited] and awaited.deadline == 1.0
    assert waiting.deadline > time.monotonic() + 50
    assert pick_sung([waiting], 100) == [waiting] and pick_sung([], 100) == []


def test_a_song_goes_before_those_of_the_background_and_they_are_not_stored(
    random_model: SongModel, tmp_path: Path
) -> None:
    store = SongStore(tmp_path)
    with Engine(random_model, store, settings=EngineSettings(max_songs=2, prepared_ahead=1, max_queue=1)) as engine:
        held, order = hold(engine), list[str]()
        engine.listeners.append(lambda job: order.append(job.id) if job.state == "done" else None)
        # Long enough that none of them ends while the song, whose steps are taken, becomes sound.
        longer = REQUEST.model_copy(update={"steps": 150})
        held.go.set()  # the second of them joins after a step of the first
        background = [engine.submit(longer, background=True) for _ in range(4)]
        until(lambda: engine.running == 2)
        held.go.clear()
        assert engine.queued == 0 and engine.place(background[3]) == 0, "nobody waits for them"
        song = engine.submit(REQUEST)
        assert engine.queued == 1 and engine.place(song) == 1, "their number leaves the queue as it is"
        until(lambda: song in engine._ready)
        held.go.set()
        assert song.wait(60) and order == [song.id], "two songs of the background were being sung before it"
        assert all(one.wait(60) for one in background) and [one.state for one in background] == ["done"] * 4
        # Two are sung at once, so that two that began one after the other may end the other way round.
        assert order[0] == song.id and sorted(one.id for one in background) == sorted(order[1:])
        assert all(one.result().audio.size for one in background)
    assert [record["id"] for record in store] == [song.id]
