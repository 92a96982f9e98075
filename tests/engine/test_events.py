"""A song's log of events: nothing is lost that ends a song, nobody waits for anybody, memory is bounded."""

from __future__ import annotations

import threading

import numpy as np

from engine.attention_maps import AttentionFrame
from engine.events import EVENTS_KEPT, FRAMES_KEPT, EventLog, Kind

KINDS: tuple[Kind, ...] = ("queued", "done", "judged", "step")
LATE: tuple[Kind, ...] = ("queued", "failed", "decoding", "judged")


def frame(step: int) -> AttentionFrame:
    maps = np.zeros((1, 2, 3), np.float16)
    return AttentionFrame(step, ((0, 0),), maps, maps[..., 0], maps[..., 0])


def test_events_are_numbered_and_read_from_any_point() -> None:
    log = EventLog()
    log.append("queued")
    log.append("step", {"step": 1})
    log.append("done")
    assert [(e.id, e.kind) for e in log.since()] == [(1, "queued"), (2, "step"), (3, "done")]
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


def test_maps_are_bounded_in_bytes_and_the_latest_is_kept() -> None:
    log, large = EventLog(), np.zeros((64, 256, 300), np.float16)  # 9.8 MB
    for step in range(4):
        log.append("step", {}, AttentionFrame(step, ((0, 0),), large, large[..., 0], large[..., 0]))
    assert [e.frame is not None for e in log.since()] == [False, False, False, True]
    assert log.nbytes >= large.nbytes
    log.append("step", {}, frame(5))
    assert [e.id for e in log.since() if e.frame is not None] == [4, 5]


def test_nothing_follows_the_end() -> None:
    log = EventLog()
    for kind in KINDS:
        log.append(kind)
    assert [e.kind for e in log.since()] == ["queued", "done", "judged"]
    failed = EventLog()
    for kind in LATE:
        failed.append(kind)
    assert [e.kind for e in failed.since()] == ["queued", "failed"]


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
