"""A song's log of events: nothing is lost that ends a song, nobody waits for anybody, memory is bounded."""

from __future__ import annotations

import threading

import numpy as np

from engine.attention_maps import AttentionFrame
from engine.events import EVENTS_KEPT, FRAMES_KEPT, EventLog


def frame(step: int) -> AttentionFrame:
    maps = np.zeros((1, 2, 3), np.float16)
    return AttentionFrame(step, ((0, 0),), maps, maps[..., 0], maps[..., 0])


def test_events_are_numbered_and_read_from_any_point() -> None:
    log = EventLog()
    assert [log.append("queued").id, log.append("step", {"step": 1}).id, log.append("done").id] == [1, 2, 3]
    assert [e.kind for e in log.since()] == ["queued", "step", "done"]
    assert [e.id for e in log.since(2)] == [3] and log.since(3) == []


def test_who_is_slow_misses_the_oldest_and_never_the_end() -> None:
    log = EventLog()
    log.append("queued")
    for step in range(2 * EVENTS_KEPT):
        log.append("step", {"step": step}, frame(step))
    log.append("done")
    found = log.since(1)
    assert len(found) == EVENTS_KEPT and found[-1].kind == "done"
    assert [e.id for e in found] == sorted(e.id for e in found)
    held = [e.frame.step for e in found if e.frame is not None]
    assert held == list(range(2 * EVENTS_KEPT - FRAMES_KEPT, 2 * EVENTS_KEPT))
    log.drop_frames()
    assert not any(e.frame for e in log.since()) and len(log.since()) == EVENTS_KEPT


def test_listeners_are_woken_until_they_stop() -> None:
    log, woken = EventLog(), list[int]()
    stop = log.listen(lambda: woken.append(len(log.since())))
    log.append("queued")
    log.append("singing")
    stop()
    stop()
    log.append("done")
    assert woken == [1, 2]


def test_many_threads_write_one_log() -> None:
    log = EventLog()

    def write() -> None:
        for _ in range(20):
            log.append("step")

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.id for e in log.since()] == list(range(1, 161))
