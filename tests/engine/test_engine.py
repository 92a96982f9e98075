from pathlib import Path

import numpy as np
import pytest

from engine.engine import Engine, Job
from engine.errors import Cancelled, SongError
from engine.request import SongRequest, read_request
from engine.song_model import SongModel
from engine.songs import SongStore
from tests.held import HeldSinger

REQUEST = SongRequest(caption="folk", lyrics="hello there", seed=1, steps=2)


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    return SongStore(tmp_path / "songs")


def test_a_song_is_sung_stored_and_can_be_sung_again(random_model: SongModel, store: SongStore) -> None:
    with Engine(random_model, store) as engine:
        seen: list[tuple[str, int]] = []
        engine.listeners.append(lambda job: seen.append((job.state, job.step)))
        job = engine.submit(REQUEST)
        song = job.result(60)
        assert (job.state, engine.job(job.id)) == ("done", job)
        assert seen == [("singing", 0), ("singing", 1), ("singing", 2), ("done", 2)]
        record = store.record(job.id)
        assert record is not None and [r["id"] for r in store] == [job.id]
        again = engine.submit(read_request({**record["request"], "plan": record["plan"]})).result(60)
        np.testing.assert_array_equal(song.audio, again.audio)
    import soundfile

    heard, rate = soundfile.read(store.audio(job.id), dtype="float32")
    assert rate == song.sampling_rate
    np.testing.assert_allclose(heard.T, song.audio, atol=2**-15)


def test_oldest_first_and_waiting_songs_can_be_cancelled(random_model: SongModel) -> None:
    with Engine(random_model) as engine:
        held = engine.singer = HeldSinger(random_model)
        order: list[str] = []
        engine.listeners.append(lambda job: order.append(job.id) if job.state == "done" else None)
        jobs = [engine.submit(REQUEST) for _ in range(4)]
        assert engine.place(jobs[3]) >= 3
        engine.cancel(jobs[2])
        assert jobs[2].state == "cancelled" and jobs[2].wait(0)
        held.go.set()
        for job in (jobs[0], jobs[1], jobs[3]):
            job.result(60)
        assert order == [jobs[0].id, jobs[1].id, jobs[3].id]
        with pytest.raises(Cancelled):
            jobs[2].result(1)


def test_a_running_song_is_cancelled_at_its_next_step(random_model: SongModel) -> None:
    with Engine(random_model) as engine:
        engine.listeners.append(lambda job: engine.cancel(job) if job.step == 1 else None)
        job = engine.submit(REQUEST.model_copy(update={"steps": 50}))
        assert job.wait(60) and job.state == "cancelled" and job.step == 1


@pytest.mark.parametrize("stage", ["condition", "source_latents", "noise", "_lay_out"])
@pytest.mark.parametrize("fault", [RuntimeError("boom"), MemoryError(), SongError("planted")])
def test_a_fault_ends_one_song_and_the_next_is_right(
    random_model: SongModel, monkeypatch: pytest.MonkeyPatch, stage: str, fault: Exception
) -> None:
    with Engine(random_model) as engine:
        right = engine.submit(REQUEST).result(60)

        def fail(*_: object) -> None:
            raise fault

        with monkeypatch.context() as patch:
            patch.setattr(engine.singer, stage, fail)
            broken = engine.submit(REQUEST)
            assert broken.wait(60)
        assert broken.state == "failed" and broken.error
        np.testing.assert_array_equal(engine.submit(REQUEST).result(60).audio, right.audio)


def test_a_full_disk_loses_nothing_else(
    random_model: SongModel, store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(random_model, store) as engine:
        kept = engine.submit(REQUEST)
        kept.result(60)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("engine.songs.write_text_atomically", full)
            lost = engine.submit(REQUEST)
            assert lost.wait(60)
        assert (
            lost.state == "failed" and "No space left on device" in str(lost.error) and "free some" in str(lost.error)
        )
        assert [r["id"] for r in store] == [kept.id] and not (store.folder / lost.id).exists()


def test_a_failing_listener_disturbs_nobody(random_model: SongModel) -> None:
    def fail(_: Job) -> None:
        raise RuntimeError("planted")

    with Engine(random_model) as engine:
        engine.listeners.append(fail)
        assert engine.submit(REQUEST).result(60).audio.any()


def test_closed_engines_and_strange_ids_are_refused(random_model: SongModel, store: SongStore) -> None:
    engine = Engine(random_model)
    engine.close()
    with pytest.raises(SongError, match="shutting down"):
        engine.submit(REQUEST)
    assert not engine.alive
    with pytest.raises(SongError, match="no song id"):
        store.record("../../etc/passwd")
    assert store.record("00000000") is None and not store.delete("00000000")
