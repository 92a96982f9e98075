"""The engine: songs are taken, sung together, cancelled, timed out and remembered; none of it touches another song."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.register
from engine.engine import Engine, Job
from engine.errors import Cancelled, EngineClosed, QueueFull, SongError, TimedOut
from engine.generation import Generation
from engine.live_maps import LiveView, choose_view, coarsen
from engine.request import AttentionWish, SongRequest, read_request
from engine.settings import EngineSettings
from engine.singer import Singer
from engine.song_model import SongModel
from engine.songs import SongStore
from engine.workers import MOST_STUCK, Workers
from tests.held import hold
from tests.waiting import until

REQUEST = SongRequest(caption="folk", lyrics="hello there", seed=1, steps=2)
OTHERS = [REQUEST.model_copy(update={"seed": seed, "steps": 1 + seed % 4}) for seed in range(2, 9)]


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    return SongStore(tmp_path / "songs")


def test_a_song_is_sung_stored_and_can_be_sung_again(random_model: SongModel, store: SongStore) -> None:
    with Engine(random_model, store) as singing:
        seen: list[tuple[str, int]] = []
        singing.listeners.append(lambda job: seen.append((job.state, job.step)))
        job = singing.submit(REQUEST)
        song = job.result(60)
        assert (job.state, singing.job(job.id)) == ("done", job)
        assert seen == [("singing", 0), ("singing", 1), ("singing", 2), ("decoding", 2), ("done", 2)]
        assert [e.kind for e in job.events.since()] == ["queued", "singing", "step", "step", "decoding", "done"]
        record = store.record(job.id)
        assert record is not None and [r["id"] for r in store] == [job.id]
        again = singing.submit(read_request({**record["request"], "plan": record["plan"]})).result(60)
        np.testing.assert_array_equal(song.audio, again.audio)
    import soundfile

    heard, rate = soundfile.read(store.audio(job.id), dtype="float32")
    assert rate == song.sampling_rate
    np.testing.assert_allclose(heard.T, song.audio, atol=2**-15)


def test_songs_sing_together_and_each_as_if_alone(random_model: SongModel) -> None:
    alone = Singer(random_model)
    with Engine(random_model) as singing:
        held = hold(singing)
        first = singing.submit(REQUEST)
        until(lambda: first.state == "singing")
        jobs = [first, *(singing.submit(request) for request in OTHERS)]
        until(lambda: len(singing._ready) == singing.settings.prepared_ahead)
        held.go.set()
        for job in jobs:
            found = job.result(60).latents
            assert np.abs(found - alone.sing(job.request).latents).max() < 1e-4
        assert singing.statistics.ticks < sum(job.steps for job in jobs), "several took steps in one pass"


def test_events_tell_what_is_sung_and_show_the_maps_asked_for(random_model: SongModel) -> None:
    wish = AttentionWish(heads=((1, 2),), steps="all")
    with Engine(random_model) as singing:
        job = singing.submit(REQUEST.model_copy(update={"attention": wish}))
        song = job.result(60)
        begun, *steps = (e for e in job.events.since() if e.kind in ("singing", "step"))
    assert begun.data["words"] == ["hello", "there"] and begun.data["heads"] == [[1, 2]] and begun.data["limit"] is None
    assert begun.data["watched"] == 1
    assert begun.data["seconds"] == pytest.approx(song.seconds)
    assert [t["word"] for t in begun.data["tokens"] if t["kind"] == "word"] == [0] * 6 + [1] * 4
    assert [e.data for e in steps] == [{"step": 1, "steps": 2}, {"step": 2, "steps": 2}]
    assert song.attention is not None
    for event, kept in zip(steps, song.attention.recorded, strict=True):
        assert event.frame is not None
        np.testing.assert_array_equal(event.frame.maps, kept.maps)


def test_where_all_heads_are_too_much_those_that_follow_are_told_and_all_are_kept(
    random_model: SongModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = tuple((layer, head) for layer in range(4) for head in range(2))
    wish = AttentionWish(heads=every, steps="all")

    def choose_less(heads: Any, aligned: Any, moments: int, tokens: int) -> LiveView:
        return choose_view(heads, aligned, moments, tokens, most=4 * 16 * 12)

    monkeypatch.setattr("engine.generation.choose_view", choose_less)
    with Engine(random_model) as singing:
        job = singing.submit(REQUEST.model_copy(update={"attention": wish}))
        song = job.result(60)
        begun, *steps = (e for e in job.events.since() if e.kind in ("singing", "step"))
    follow = sorted([layer, head] for layer, heads in random_model.alignment_heads.items() for head in heads)
    assert begun.data["heads"] == follow and f"{len(follow)} heads that follow" in begun.data["limit"]
    assert song.attention is not None and song.attention.heads == every
    for step, kept in zip(steps, song.attention.recorded, strict=True):
        assert step.frame is not None and [list(head) for head in step.frame.heads] == follow
        places = [every.index((layer, head)) for layer, head in follow]
        wanted = coarsen(kept, song.attention.frames, step.frame.maps.shape[1]).maps[places]
        np.testing.assert_array_equal(step.frame.maps, wanted)
        assert step.frame.maps.size <= 4 * 16 * 12 and step.frame.maps.shape[2] == kept.maps.shape[2]


def test_oldest_first_and_waiting_songs_can_be_cancelled(random_model: SongModel) -> None:
    with Engine(random_model, settings=EngineSettings(max_songs=1)) as singing:
        held = hold(singing)
        order: list[str] = []
        singing.listeners.append(lambda job: order.append(job.id) if job.state == "done" else None)
        jobs = [singing.submit(REQUEST) for _ in range(4)]
        until(lambda: jobs[0].state == "singing")
        assert [singing.place(job) for job in jobs] == [0, 1, 2, 3] and singing.queued == 3
        singing.cancel(jobs[2])
        assert jobs[2].state == "cancelled" and jobs[2].wait(0) and singing.place(jobs[3]) == 2
        held.go.set()
        for job in (jobs[0], jobs[1], jobs[3]):
            job.result(60)
        assert order == [jobs[0].id, jobs[1].id, jobs[3].id]
        with pytest.raises(Cancelled):
            jobs[2].result(1)


def test_a_running_song_is_cancelled_at_its_next_step(random_model: SongModel) -> None:
    with Engine(random_model) as singing:
        singing.listeners.append(lambda job: singing.cancel(job) if job.step == 1 else None)
        mate = singing.submit(REQUEST.model_copy(update={"steps": 1, "seed": 5}))
        job = singing.submit(REQUEST.model_copy(update={"steps": 50}))
        assert job.wait(60) and job.state == "cancelled" and job.step == 1
        assert mate.wait(60)
        assert [e.kind for e in job.events.since()][-1] == "cancelled"


def test_a_song_is_cancelled_before_it_is_decoded_and_before_it_is_stored(
    random_model: SongModel, store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bool] = []
    decode = type(random_model.codec).decode

    def watched(*args: Any, **kwargs: Any) -> Any:
        decoded.append(True)
        return decode(*args, **kwargs)

    monkeypatch.setattr(type(random_model.codec), "decode", watched)
    with Engine(random_model, store) as singing:
        singing.listeners.append(lambda job: singing.cancel(job) if job.state == "decoding" else None)
        job = singing.submit(REQUEST)
        assert job.wait(60) and job.state == "cancelled" and not decoded
        singing.listeners.clear()
        late: list[Job] = []
        finish = singing.singer.finish

        def cancelled_meanwhile(generation: Generation) -> Any:
            song = finish(generation)
            singing.cancel(late[0])
            return song

        monkeypatch.setattr(singing.singer, "finish", cancelled_meanwhile)
        held = hold(singing)
        monkeypatch.setattr(held, "finish", cancelled_meanwhile)
        late.append(singing.submit(REQUEST))
        held.go.set()
        assert late[0].wait(60) and late[0].state == "cancelled" and decoded
        assert not list(store)


def test_cancelled_songs_leave_nothing_in_line(random_model: SongModel) -> None:
    with Engine(random_model, settings=EngineSettings(max_songs=1)) as singing:
        held = hold(singing)
        first = singing.submit(REQUEST)
        until(lambda: first.state == "singing")
        jobs = [singing.submit(REQUEST) for _ in range(20)]
        until(lambda: len(singing._ready) == singing.settings.prepared_ahead)
        for job in jobs:
            singing.cancel(job)
        assert not singing._queue and not singing._ready and not any(job.generation for job in jobs)
        last = singing.submit(REQUEST)
        until(lambda: len(singing._ready) == 1)
        held.go.set()
        assert last.result(60)


def test_who_waits_for_the_decoder_does_not_run_in_circles(
    random_model: SongModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, joins, decode, join = threading.Event(), list[int](), type(random_model.codec).decode, Engine._join

    def counted(self: Engine) -> Any:
        joins.append(1)
        return join(self)

    monkeypatch.setattr(type(random_model.codec), "decode", lambda *a, **k: (go.wait(60), decode(*a, **k))[1])
    monkeypatch.setattr(Engine, "_join", counted)
    with Engine(random_model, settings=EngineSettings(max_songs=1)) as singing:
        jobs = [singing.submit(REQUEST) for _ in range(4)]
        until(lambda: len(singing._sung) == 1 and singing._ready)
        before = len(joins)
        time.sleep(0.2)
        assert len(joins) <= before + 1
        go.set()
        assert all(job.result(60) for job in jobs)


def test_a_kind_of_thread_that_is_stuck_for_good_is_not_alive() -> None:
    go, taken = threading.Event(), threading.Semaphore(0)
    jobs = [Job(str(number), REQUEST, 1) for number in range(MOST_STUCK + 1)]
    line = list(jobs)

    def work(_: Job) -> None:
        taken.release()
        go.wait(60)

    workers = Workers("planted", 1, lambda: line.pop(0) if line else None, work)
    for job in jobs:
        assert taken.acquire(timeout=60) and workers.alive
        workers.give_up(job)
    assert not workers.alive
    go.set()


def test_maps_of_songs_that_never_were_are_dropped(random_model: SongModel) -> None:
    with Engine(random_model) as singing:
        singing.listeners.append(lambda job: singing.cancel(job) if job.step == 2 else None)
        job = singing.submit(REQUEST.model_copy(update={"steps": 9, "attention": AttentionWish(steps="all")}))
        assert job.wait(60) and job.state == "cancelled" and job.step == 2 and job.events.nbytes == 0


def test_a_full_queue_says_when_to_come_back(random_model: SongModel) -> None:
    with Engine(random_model, settings=EngineSettings(max_queue=2, max_songs=1)) as singing:
        held = hold(singing)
        first = singing.submit(REQUEST)
        until(lambda: first.state == "singing")
        waiting = [singing.submit(REQUEST) for _ in range(2)]
        with pytest.raises(QueueFull, match="2 songs are waiting") as full:
            singing.submit(REQUEST)
        assert full.value.retry_after >= 1
        with pytest.raises(QueueFull):
            singing.submit_together([REQUEST, REQUEST], comparison="0" * 16)
        assert singing.queued == 2, "of songs to be compared all are taken or none"
        singing.cancel(waiting[0])
        held.go.set()
        together = singing.submit_together([REQUEST], comparison="0" * 16)
        assert together[0].comparison == "0" * 16 and together[0].result(60)


def test_time_runs_out_for_one_song_alone(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stuck decoding: the song fails, another thread decodes the next, and what comes of it later is dropped."""
    stuck, go, decode = threading.Event(), threading.Event(), type(random_model.codec).decode

    def slow(*args: Any, **kwargs: Any) -> Any:
        if not stuck.is_set():
            stuck.set()
            go.wait(60)
        return decode(*args, **kwargs)

    monkeypatch.setattr(type(random_model.codec), "decode", slow)
    with Engine(random_model) as singing:
        late = singing.submit(REQUEST)
        assert stuck.wait(60)
        late.deadline = 0.0
        assert late.wait(60) and late.state == "failed" and "longer than 600 s" in str(late.error)
        with pytest.raises(TimedOut):
            late.result(1)
        assert singing.submit(REQUEST).result(60) and singing.alive
        assert singing.statistics.outcomes == {"done": 1, "failed": 0, "cancelled": 0, "timeout": 1}
        go.set()
        until(lambda: not singing._decoders._stuck)
        assert late.state == "failed" and late.song is None


def test_a_song_that_steps_too_slowly_is_ended_at_a_step(random_model: SongModel) -> None:
    class Slow(Singer):
        def step(self, generations: Any) -> Any:
            time.sleep(0.2)
            return super().step(generations)

    with Engine(random_model, settings=EngineSettings(song_timeout=0.5)) as singing:
        singing.singer = Slow(random_model)
        job = singing.submit(REQUEST.model_copy(update={"steps": 50}))
        assert job.wait(60) and job.timed_out and job.step < 50
        until(lambda: singing.running == 0)


def test_draining_finishes_what_was_accepted(random_model: SongModel) -> None:
    with Engine(random_model) as singing:
        held = hold(singing)
        jobs = [singing.submit(REQUEST) for _ in range(3)]
        assert not singing.drain(0.05) and not singing.accepting and singing.alive
        with pytest.raises(EngineClosed, match="shutting down"):
            singing.submit(REQUEST)
        held.go.set()
        assert singing.drain(60) and [job.state for job in jobs] == ["done"] * 3


def test_closing_cancels_what_is_left(random_model: SongModel) -> None:
    singing = Engine(random_model)
    held = hold(singing)
    jobs = [singing.submit(REQUEST) for _ in range(3)]
    threading.Timer(0.2, held.go.set).start()
    singing.close()
    assert [job.state for job in jobs] == ["cancelled"] * 3 and all(job.wait(0) for job in jobs)
    assert not singing.alive
    with pytest.raises(EngineClosed):
        singing.submit(REQUEST)


def test_a_failing_listener_disturbs_nobody(random_model: SongModel) -> None:
    def fail(_: Job) -> None:
        raise RuntimeError("planted")

    with Engine(random_model) as singing:
        singing.listeners.append(fail)
        assert singing.submit(REQUEST).result(60).audio.any()


def test_ended_songs_are_forgotten_and_their_sound_before_them(
    random_model: SongModel, store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.register, "REMEMBERED_JOBS", 4)
    monkeypatch.setattr(engine.register, "REMEMBERED_BYTES", 1)
    with Engine(random_model, store) as singing:
        jobs = [singing.submit(REQUEST.model_copy(update={"steps": 1})) for _ in range(6)]
        for job in jobs:
            assert job.wait(60)
        last = singing.submit(REQUEST)
        assert [singing.job(job.id) is None for job in jobs] == [True, True, False, False, False, False]
        with pytest.raises(SongError, match="read it from where songs are stored"):
            jobs[0].result(1)
        assert last.result(60)


def test_statistics_count_what_was_done(random_model: SongModel) -> None:
    with Engine(random_model) as singing:
        for _ in range(2):
            singing.submit(REQUEST).result(60)
        found = singing.statistics
    assert found.outcomes["done"] == 2 and found.adapters == {"base": 2}
    assert found.ticks == 4 and found.step_seconds_buckets[-1] == (float("inf"), 4) and found.step_seconds_sum > 0
    assert (found.queued, found.running, found.decoding, found.batch_rows) == (0, 0, 0, 0)


def test_strange_ids_are_refused(store: SongStore) -> None:
    with pytest.raises(SongError, match="no song id"):
        store.record("../../etc/passwd")
    assert store.record("00000000") is None and not store.delete("00000000")
