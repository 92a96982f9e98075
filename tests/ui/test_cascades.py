"""Cascades of a server: tried in the router's order, stopped by the judge, cancelled, and found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.engine import Job
from engine.errors import QueueFull, RequestError, SongError
from engine.request import SongRequest
from engine.settings import EngineSettings
from engine.song_model import SongModel
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, LearningJudge, hold, make_songs
from tests.waiting import until
from ui.cascades import MAX_GOING
from ui.routing import NoRouter
from ui.songs import Songs
from ui.takes import CascadeOptions, CascadeStanding

WORDS = "hello old friend"
REQUEST = SongRequest(caption="folk", lyrics=WORDS, seed=1, steps=1)
#: WER 1, 1/3 and 0 of WORDS.
HEARD = ("nothing like it", "hello cold friend", WORDS)


def serve(model: SongModel, folder: Path, judge: FakeJudge | None, **more: Any) -> Songs:
    shelf = make_shelf(folder / "shelf", model.transformer) if not (folder / "shelf").exists() else None
    songs = make_songs(model, folder / "songs", judge, shelf, router=FakeRouter(), **more)
    songs.listener.start()
    songs.routing.start()
    return songs


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path) -> Iterator[Songs]:
    made = serve(random_model, tmp_path, LearningJudge(*HEARD))
    yield made
    made.close()


def finish(songs: Songs, cascade: CascadeStanding) -> CascadeStanding:
    def look() -> CascadeStanding | None:
        found = songs.cascades.standing(cascade.id)
        return found if found is not None and found.state != "going" else None

    found = until(look)
    assert found is not None
    return found


def test_it_tries_in_the_routers_order_and_stops_when_good_enough(
    songs: Songs, random_model: SongModel, tmp_path: Path
) -> None:
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=5, stop_wer=0.4, retry="adapters"))
    assert begun.state == "going" and begun.decision is not None and begun.decision.name == "folk=0.5"
    ended = finish(songs, begun)
    assert (ended.state, ended.stopped) == ("done", "good enough")
    assert [(t.name, t.seed, t.state) for t in ended.takes] == [("folk=0.5", 1, "done"), ("base", 1, "done")]
    assert [t.wer for t in ended.takes] == pytest.approx([1, 1 / 3], abs=1e-3)
    assert ended.best == ended.takes[1].song == ended.shown and "base" in str(ended.reason)
    # its takes are songs like all others, and say whose they are and why
    listed = songs.comparison(begun.id)
    assert [s.id for s in listed] == [t.song for t in ended.takes]
    assert [s.request.get("composition") or {} for s in listed] == [{"folk": 0.5}, {}]
    record = songs.store.record(str(ended.takes[0].song))
    assert record is not None and record["take"]["cascade"] == begun.id and record["take"]["place"] == 0
    assert record["decision"]["reason"] == begun.decision.reason and record["judged"]["state"] == "judged"
    # the same is told by another server, from what is stored
    later = make_songs(random_model, tmp_path / "songs", None)
    past = later.cascades.standing(begun.id)
    later.close()
    assert past is not None
    assert (past.state, past.best, past.stopped, past.decision) == ("done", ended.best, "good enough", ended.decision)
    assert past.takes == ended.takes and past.reason == ended.reason


def test_new_noise_and_the_best_of_a_spent_budget(songs: Songs) -> None:
    ended = finish(
        songs, songs.cascades.start(REQUEST, CascadeOptions(budget=2, stop_wer=0, retry="seeds", together=2))
    )
    assert ended.stopped == "budget" and len(ended.takes) == 2
    assert [t.name for t in ended.takes] == ["folk=0.5"] * 2 and ended.takes[0].seed == 1 != ended.takes[1].seed
    best = min(ended.takes, key=lambda take: take.wer or 0)
    assert ended.best == best.song


def test_cancelling_stops_at_once_and_keeps_what_is_there(songs: Songs) -> None:
    held = hold(songs)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=3))
    until(lambda: (job := songs.cascades.job(begun.id)) is not None and job.state == "singing")
    songs.cascades.cancel(begun.id)
    held.go.set()
    ended = finish(songs, begun)
    assert (ended.state, ended.stopped, ended.best, len(ended.takes)) == ("cancelled", "cancelled", None, 1)
    assert ended.takes[0].state == "cancelled" and songs.store.count() == 0
    assert songs.cascades.cancel(begun.id) == ended, "asking again changes nothing"


def test_a_take_whose_adapter_is_gone_costs_one_and_the_next_is_sung(songs: Songs, tmp_path: Path) -> None:
    assert songs.engine.singer.shelf is not None
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=2, stop_wer=1, retry="adapters"))
    finish(songs, begun)
    (tmp_path / "shelf" / "folk").rename(tmp_path / "gone")
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=2, stop_wer=1, retry="adapters")))
    assert ended.takes[0].song is None and "no adapter folk" in str(ended.takes[0].error)
    assert ended.best == ended.takes[1].song is not None and "1 of 2 songs failed" in str(ended.reason)


def test_a_take_that_fails_by_itself_is_listed_with_its_error(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(songs.engine.singer, "finish", fail)
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=1)))
    assert ended.state == "failed" and ended.takes[0].state == "failed" and ended.takes[0].error
    assert str(ended.reason).startswith("The only song failed")


def test_a_judge_that_cannot_be_had_after_all_costs_one_song(random_model: SongModel, tmp_path: Path) -> None:
    judge = FakeJudge(WORDS, deaf=SongError("no weights"))
    songs = serve(random_model, tmp_path, judge)
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=4)))
    songs.close()
    assert (ended.stopped, len(ended.takes)) == ("no judge", 1)


@pytest.mark.parametrize(("lyrics", "judged", "stopped"), [("", True, "wordless"), (WORDS, False, "no judge")])
def test_where_nothing_can_be_judged_one_song_is_sung(
    random_model: SongModel, tmp_path: Path, lyrics: str, judged: bool, stopped: str
) -> None:
    songs = serve(random_model, tmp_path, FakeJudge(WORDS) if judged else None)
    until(lambda: songs.listener.state != "loading")
    request = SongRequest(caption="folk", lyrics=lyrics, seed=1, steps=1, duration=2)
    ended = finish(songs, songs.cascades.start(request, CascadeOptions(budget=4)))
    songs.close()
    assert (ended.state, ended.stopped, len(ended.takes)) == ("done", stopped, 1)
    assert ended.best == ended.takes[0].song and ended.takes[0].wer is None and ended.reason


def test_it_waits_for_a_place_in_the_queue_and_many_are_refused(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = serve(random_model, tmp_path, FakeJudge(WORDS), settings=EngineSettings(max_queue=1, max_songs=1))
    held = hold(songs)
    first = songs.submit(REQUEST)
    until(lambda: first.state == "singing")
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=2, together=2, stop_wer=0))
    until(lambda: songs.cascades.job(begun.id) is not None)
    with pytest.raises(QueueFull, match="1 songs are waiting"):
        songs.cascades.start(REQUEST)
    held.go.set()
    ended = finish(songs, begun)
    assert ended.state == "done" and ended.stopped == "good enough"
    monkeypatch.setattr("ui.cascades.MAX_GOING", 0)
    with pytest.raises(QueueFull, match="cascades are going"):
        songs.cascades.start(REQUEST)
    assert MAX_GOING > 1
    songs.close()


def test_closing_the_server_ends_it(random_model: SongModel, tmp_path: Path) -> None:
    songs = serve(random_model, tmp_path, FakeJudge(WORDS))
    held = hold(songs)
    begun = songs.cascades.start(REQUEST)
    until(lambda: isinstance(songs.cascades.job(begun.id), Job))
    held.go.set()
    songs.close()
    assert finish(songs, begun).stopped in ("cancelled", "good enough")


def test_what_cannot_begin_is_told(songs: Songs, random_model: SongModel, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="sings at most"):
        songs.cascades.start(SongRequest(lyrics="hello", duration=500))
    assert songs.cascades.standing("0123456789abcdef") is None
    assert songs.cascades.standing("../etc") is songs.cascades.cancel("../etc") is None
    bare = make_songs(random_model, tmp_path / "bare", None)
    with pytest.raises(NoRouter):
        bare.cascades.start(REQUEST)
    bare.close()


def test_a_record_changed_by_hand_is_no_cascade(songs: Songs) -> None:
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=1, stop_wer=1)))
    path = songs.store.folder / str(ended.best) / "song.json"
    record = json.loads(path.read_text())
    songs.cascades._known.clear()
    for budget, there in ((99, False), (3, True)):
        path.write_text(json.dumps({**record, "take": {**record["take"], "budget": budget}}))
        songs.store.rebuild()
        assert (songs.cascades.standing(ended.id) is not None) == there
