"""Faults planted at every stage of a song: that song fails and says why, all others are as they would have been."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.store import AdapterStore
from engine.engine import Engine
from engine.errors import SongError
from engine.generation import Generation
from engine.loop import RECOVERY_TICKS, DenoisingLoop
from engine.request import SongRequest
from engine.settings import EngineSettings
from engine.singer import Singer
from engine.song_model import SongModel
from engine.songs import SongStore
from tests.held import hold
from tests.shelf import make_shelf, own_transformer, planted, put
from tests.waiting import until

REQUEST = SongRequest(caption="folk", lyrics="hello there", seed=1, steps=2)
MATE = REQUEST.model_copy(update={"seed": 2, "steps": 3})
FAULTS = [RuntimeError("boom"), MemoryError(), SongError("planted"), torch.OutOfMemoryError("planted")]
TOLD = ["RuntimeError", "not enough memory", "planted", "not enough memory"]


@pytest.fixture(scope="module")
def right(random_model: SongModel) -> dict[int, Any]:
    singer = Singer(random_model)
    return {request.seed: singer.sing(request) for request in (REQUEST, MATE)}


@pytest.mark.parametrize("stage", ["condition", "source_latents", "noise", "_lay_out", "prepare", "finish", "step"])
@pytest.mark.parametrize(("fault", "told"), list(zip(FAULTS, TOLD, strict=True)))
def test_a_fault_ends_one_song_and_the_next_is_right(
    random_model: SongModel,
    right: dict[int, Any],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    fault: Exception,
    told: str,
) -> None:
    def fail(*_: object) -> None:
        raise fault

    with Engine(random_model) as singing:
        with monkeypatch.context() as patch:
            patch.setattr(singing.singer, stage, fail)
            broken = singing.submit(REQUEST)
            assert broken.wait(60)
        assert broken.state == "failed" and told in str(broken.error)
        assert broken.events.since()[-1].data == {"error": broken.error}
        np.testing.assert_array_equal(singing.submit(REQUEST).result(60).audio, right[1].audio)


class Ill(Singer):
    """Cannot sing one seed: no pass that holds it comes to an end."""

    fault: BaseException = RuntimeError("planted")
    passes: list[int]

    def step(self, generations: Any) -> Any:
        self.passes = [*getattr(self, "passes", []), len(generations)]
        if any(generation.request.seed == 666 for generation in generations):
            raise self.fault
        return super().step(generations)


@pytest.mark.parametrize("fault", [RuntimeError("planted"), torch.OutOfMemoryError("planted")])
def test_a_pass_that_fails_is_made_again_without_the_song_at_fault(
    random_model: SongModel, right: dict[int, Any], fault: Exception
) -> None:
    with Engine(random_model) as singing:
        held = hold(singing)
        ill = Ill(random_model)
        ill.fault = fault
        first = singing.submit(MATE.model_copy(update={"steps": 1}))
        until(lambda: first.state == "singing")
        jobs = [singing.submit(r) for r in (REQUEST, REQUEST.model_copy(update={"seed": 666}), MATE)]
        until(lambda: len(singing._ready) == 3)
        singing.singer = ill
        held.go.set()
        assert all(job.wait(60) for job in jobs)
        assert [job.state for job in jobs] == ["done", "failed", "done"]
        assert ill.passes[:4] == [3, 1, 1, 1], "all together, then one by one"
        for job in (jobs[0], jobs[2]):
            assert np.abs(job.result(1).latents - right[job.request.seed].latents).max() < 1e-4


def test_what_a_failed_pass_held_is_free_when_its_songs_are_tried_again(random_model: SongModel) -> None:
    held: list[weakref.ref[Any]] = []
    alive: list[bool] = []

    class Large:
        pass

    class Greedy(Singer):
        def step(self, generations: Any) -> Any:
            alive.append(any(ref() is not None for ref in held))
            if len(generations) > 1 or generations[0].request.seed == 666:
                activations = Large()
                held.append(weakref.ref(activations))
                raise torch.OutOfMemoryError("planted")
            return super().step(generations)

    singer = Greedy(random_model)
    jobs: Any = [Held(singer, REQUEST.model_copy(update={"seed": seed})) for seed in (1, 666, 2)]
    outcomes: list[Any] = []
    loop = DenoisingLoop(singer, EngineSettings())
    loop.tick(jobs, lambda _, outcome: outcomes.append(outcome), lambda *_: None)
    assert [isinstance(o, Exception) for o in outcomes] == [False, True, False]
    assert alive == [False] * 4, "of the pass of all, and then of each"


class Held:
    """A job as the loop needs it."""

    turn = -1

    def __init__(self, singer: Singer, request: SongRequest) -> None:
        self.generation = singer.prepare(request)


def test_one_song_too_large_for_memory_makes_nobody_elses_batch_smaller(random_model: SongModel) -> None:
    class Small(Singer):
        def step(self, generations: Any) -> Any:
            raise torch.OutOfMemoryError("planted")

    singer = Small(random_model)
    loop, outcomes = DenoisingLoop(singer, EngineSettings()), list[Any]()
    loop.tick([Held(singer, REQUEST)], lambda _, o: outcomes.append(o), lambda *_: None)  # type: ignore[list-item]
    assert isinstance(outcomes[0], torch.OutOfMemoryError) and loop.budget == EngineSettings().token_budget


def test_batches_shrink_when_memory_runs_out_and_grow_again(random_model: SongModel) -> None:
    loop = DenoisingLoop(Singer(random_model), EngineSettings(token_budget=4000))
    singer = loop.singer

    jobs: Any = [Held(singer, REQUEST.model_copy(update={"steps": 200})) for _ in range(4)]
    frames, outcomes, rows = jobs[0].generation.length, list[Any](), list[int]()

    def tick(limit: int) -> None:
        step = singer.step

        def bounded(generations: Any) -> Any:
            if len(generations) > limit:
                raise torch.OutOfMemoryError("planted")
            return step(generations)

        loop.singer = type("Bounded", (), {"step": staticmethod(bounded)})()
        loop.tick(jobs, lambda job, outcome: outcomes.append(outcome), lambda n, _: rows.append(n))

    tick(2)
    assert rows == [8] and not any(isinstance(o, Exception) for o in outcomes), "sung one by one, no song is lost"
    assert loop.budget == 4 * frames
    tick(2)
    assert rows[-1] == 4
    for _ in range(RECOVERY_TICKS):
        tick(4)
    assert loop.budget == 8 * frames and not any(isinstance(o, Exception) for o in outcomes)


def test_a_fault_of_the_loop_itself_does_not_end_it(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(random_model) as singing:
        with monkeypatch.context() as patch:
            patch.setattr("engine.loop.choose_batch", lambda *_: 1 / 0)
            job = singing.submit(REQUEST)
            assert job.wait(60) and job.state == "failed" and "ZeroDivisionError" in str(job.error)
        assert singing.submit(REQUEST).result(60) and singing.alive


@pytest.mark.parametrize("fault", [OSError(24, "Too many open files"), RuntimeError("planted")])
def test_a_shelf_that_cannot_be_looked_at_ends_no_song(
    choir: tuple[Engine, AdapterStore], monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    singing, _ = choir
    songs = [singing.submit(REQUEST.model_copy(update={"composition": {"folk": 1.0}, "steps": 50})) for _ in range(2)]
    until(lambda: all(song.step > 0 for song in songs))

    def exhausted(_: AdapterStore) -> list[str]:
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(AdapterStore, "names", exhausted)
        singing.cancel(songs[0])
        assert songs[0].wait(60) and songs[0].state == "cancelled"
        assert songs[1].result(60)
    assert singing.submit(REQUEST).result(60) and singing.alive


def test_a_composition_that_cannot_be_folded_is_stacked(
    choir: tuple[Engine, AdapterStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    singing, shelf = choir
    request = REQUEST.model_copy(update={"composition": {"folk": 1.0}})
    right = Singer(singing.model, shelf).sing(request)

    def lacking(*_: object) -> None:
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr("engine.mixing.summed", lacking)
    assert np.abs(singing.submit(request).result(60).latents - right.latents).max() < 1e-4


def test_sound_that_is_no_number_is_never_stored(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = type(random_model.codec).decode

    def overflowing(*args: Any, **kwargs: Any) -> Any:
        found = decode(*args, **kwargs)
        found.sample[0, 0, 100] = torch.nan
        return found

    with Engine(random_model) as singing:
        with monkeypatch.context() as patch:
            patch.setattr(type(random_model.codec), "decode", overflowing)
            job = singing.submit(REQUEST)
            assert job.wait(60) and job.state == "failed" and "not-a-number" in str(job.error)
        assert singing.submit(REQUEST).result(60)


@pytest.mark.parametrize("written", ["write_bytes_atomically", "flush_folder", "rename"])
def test_a_full_disk_loses_nothing_else(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    store = SongStore(tmp_path / "songs")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with Engine(random_model, store) as singing:
        kept = singing.submit(REQUEST)
        kept.result(60)
        with monkeypatch.context() as patch:
            if written == "rename":
                patch.setattr(Path, "rename", full)
            else:
                patch.setattr(f"engine.songs.{written}", full)
            lost = singing.submit(REQUEST)
            assert lost.wait(60)
        assert lost.state == "failed" and "No space left on device" in str(lost.error)
        assert [r["id"] for r in store] == [kept.id] and not (store.folder / lost.id).exists()
        assert singing.submit(REQUEST).result(60)


@pytest.fixture
def choir(random_model: SongModel, tmp_path: Path) -> Iterator[tuple[Engine, AdapterStore]]:
    model = own_transformer(random_model)
    shelf = make_shelf(tmp_path / "shelf", model.transformer)
    with Engine(model, None, shelf) as singing:
        yield singing, shelf


def test_a_running_song_keeps_its_adapter_when_that_is_removed_or_replaced(choir: tuple[Engine, AdapterStore]) -> None:
    singing, shelf = choir
    model = singing.model
    request = REQUEST.model_copy(update={"composition": {"folk": 1.0}, "steps": 3})
    before = singing.submit(request).result(60)
    held = hold(singing)
    job = singing.submit(request)
    until(lambda: job.state == "singing")
    shelf.remove("folk")
    put(shelf, "folk", planted(model.transformer, "folk", seed=50), model.transformer)
    other = singing.submit(request)
    held.go.set()
    assert np.abs(job.result(60).latents - before.latents).max() < 1e-4
    assert np.abs(other.result(60).latents - before.latents).max() > 1e-2
    assert job.result(1).adapters == before.adapters != other.result(1).adapters


@pytest.mark.slow
def test_two_hundred_adapters_come_and_go_without_a_trace(choir: tuple[Engine, AdapterStore]) -> None:
    singing, shelf = choir
    model, plain = singing.model, REQUEST.model_copy(update={"steps": 1, "attention": None})
    base = singing.submit(plain).result(60)
    alive: list[int] = []
    for number in range(200):
        name = f"guest-{number}"
        put(shelf, name, planted(model.transformer, "rock", seed=number), model.transformer)
        songs = [
            singing.submit(plain.model_copy(update={"composition": c})) for c in ({name: 1.0}, {name: 0.5, "folk": 1})
        ]
        assert all(song.wait(60) and song.state == "done" for song in songs)
        shelf.remove(name)
        if number % 50 == 49:
            until(lambda: singing.running == 0)
            singing.singer.prune()
            gc.collect()
            alive.append(sum(o.nbytes for o in gc.get_objects() if issubclass(type(o), torch.Tensor)))
    assert max(alive) - min(alive) < 1 << 20, alive
    np.testing.assert_array_equal(singing.submit(plain).result(60).audio, base.audio)


def test_a_damaged_adapter_fails_its_song_alone(choir: tuple[Engine, AdapterStore]) -> None:
    singing, shelf = choir
    before = singing.submit(REQUEST).result(60)
    (shelf.folder / "rock" / "adapter_model.safetensors").write_bytes(b"torn")
    broken = singing.submit(REQUEST.model_copy(update={"composition": {"rock": 1.0}}))
    assert broken.wait(60) and broken.state == "failed" and "adapter_model" in str(broken.error)
    np.testing.assert_array_equal(singing.submit(REQUEST).result(60).audio, before.audio)


def test_a_fault_in_one_songs_own_step_is_its_own(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Generation.advance

    def planted_fault(self: Generation, velocity: Any) -> Any:
        if self.request.seed == 2:
            raise ZeroDivisionError("planted")
        return advance(self, velocity)

    monkeypatch.setattr(Generation, "advance", planted_fault)
    with Engine(random_model) as singing:
        jobs = [singing.submit(REQUEST), singing.submit(MATE)]
        assert jobs[0].result(60) and jobs[1].wait(60)
        assert jobs[1].state == "failed" and "ZeroDivisionError" in str(jobs[1].error)
