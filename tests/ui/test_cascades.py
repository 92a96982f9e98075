"""Cascades of a server: tried in the router's order, stopped by the judge, cancelled, and found again."""

from __future__ import annotations

import json
import time
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
from tests.ui.planted import FakeJudge, FakeRouter, LearningJudge, hold, make_songs, settle
from tests.waiting import until
from ui.cascades import JUDGE_PATIENCE, MAX_GOING
from ui.routing import NoRouter
from ui.songs import Songs
from ui.takes import CascadeOptions, CascadeStanding, read_past

WORDS = "hello old friend"
REQUEST = SongRequest(caption="folk", lyrics=WORDS, seed=1, steps=1)
#: WER 1, 1/3 and 0 of WORDS.
HEARD = ("nothing like it", "hello cold friend", WORDS)


def serve(model: SongModel, folder: Path, judge: FakeJudge | None, **more: Any) -> Songs:
    shelf = make_shelf(folder / "shelf", model.transformer) if not (folder / "shelf").exists() else None
    songs = make_songs(model, folder / "songs", judge, shelf, router=FakeRouter(), **more)
    songs.listener.start()
    settle(songs.routing)
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


class SlowJudge(FakeJudge):
    """Loads only when it is told to."""

    def load(self) -> None:
        self.go.wait(60)
        super().load()


@pytest.mark.parametrize("together", [1, 2])
def test_a_judge_that_is_given_up_after_all_ends_it_with_its_round(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("ui.cascades.JUDGE_PATIENCE", 0.0)
    judge = SlowJudge(WORDS, deaf=SongError("no weights"))
    judge.go.clear()
    songs = serve(random_model, tmp_path, judge)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=5, together=together))
    until(lambda: (found := songs.cascades.standing(begun.id)) and [t for t in found.takes if t.state == "judging"])
    judge.go.set()
    ended = finish(songs, begun)
    songs.close()
    assert (ended.state, ended.stopped, len(ended.takes)) == ("done", "no judge", together)
    assert "no weights" in str(ended.takes[0].error) and ended.best == ended.takes[0].song


def test_an_instrumental_waits_for_no_judge(random_model: SongModel, tmp_path: Path) -> None:
    judge = SlowJudge(WORDS)
    judge.go.clear()
    songs = serve(random_model, tmp_path, judge)
    request = SongRequest(caption="folk", seed=1, steps=1, duration=2)
    began = time.monotonic()
    ended = finish(songs, songs.cascades.start(request, CascadeOptions(budget=4)))
    assert ended.stopped == "wordless" and time.monotonic() - began < JUDGE_PATIENCE
    judge.go.set()
    songs.close()


def test_a_server_that_ends_hears_what_it_has_sung(random_model: SongModel, tmp_path: Path) -> None:
    judge = FakeJudge("hello cold friend")
    judge.go.clear()
    songs = serve(random_model, tmp_path, judge)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=3, stop_wer=0))
    until(lambda: (found := songs.cascades.standing(begun.id)) and found.takes and found.takes[0].state == "judging")
    songs.refuse()
    time.sleep(0.6)  # longer than the cascade looks away
    judge.go.set()
    ended = finish(songs, begun)
    songs.close()
    assert [take.wer for take in ended.takes] == pytest.approx([1 / 3], abs=1e-3)
    assert (ended.state, ended.stopped, ended.best) == ("cancelled", "cancelled", ended.takes[0].song)


def test_a_song_that_was_deleted_is_neither_the_best_nor_there(songs: Songs) -> None:
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=2, stop_wer=0.4, retry="adapters")))
    assert songs.remove(str(ended.best)) == "deleted"
    later = songs.cascades.standing(ended.id)
    assert later is not None and later.best is None and later.takes[0] == ended.takes[0]
    assert (later.takes[1].song, later.takes[1].state) == (None, "removed")
    assert later.takes[1].error == "the song was removed" and later.shown == ended.takes[0].song
    assert songs.restore(str(ended.best)) and songs.cascades.standing(ended.id) == ended, "and back it is part of it"


@pytest.mark.parametrize("budget", [1, 2])
def test_a_song_deleted_while_it_is_judged_is_passed_over(random_model: SongModel, tmp_path: Path, budget: int) -> None:
    judge = FakeJudge("hello cold friend")
    judge.go.clear()
    songs = serve(random_model, tmp_path, judge)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=budget, stop_wer=0))
    until(lambda: (found := songs.cascades.standing(begun.id)) and found.takes and found.takes[0].state == "judging")
    assert songs.remove(str(songs.cascades.standing(begun.id).takes[0].song)) == "deleted"  # type: ignore[union-attr]
    judge.go.set()
    ended = finish(songs, begun)
    songs.close()
    assert [take.state for take in ended.takes] == ["removed", "done"][:budget]
    if budget == 1:
        assert (ended.state, ended.best) == ("failed", None) and "the song was removed" in str(ended.reason)
    else:
        assert (ended.state, ended.best) == ("done", ended.takes[1].song)


class Late(Exception):
    """Has a take added as soon as somebody asks what it is, as a cascade's own thread may at any time."""

    def __init__(self, jobs: dict[int, Any]) -> None:
        self.jobs, self.asked = jobs, False

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        if not self.asked:
            self.asked = True
            self.jobs[len(self.jobs)] = ValueError("late")
        return Late


def test_a_take_may_be_added_while_a_cascade_is_cancelled(songs: Songs) -> None:
    held = hold(songs)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=8))
    until(lambda: songs.cascades.job(begun.id) is not None)
    jobs: dict[int, Any] = songs.cascades._known[begun.id].jobs
    jobs[1] = Late(jobs)
    songs.cascades.cancel(begun.id)
    held.go.set()
    assert finish(songs, begun).state == "cancelled" and len(jobs) == 3


def test_closing_ends_every_cascade_whatever_one_of_them_does(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = serve(random_model, tmp_path, FakeJudge(WORDS))
    held = hold(songs)
    begun = [songs.cascades.start(REQUEST) for _ in range(2)]
    until(lambda: all(songs.cascades.job(one.id) for one in begun))
    cancel, asked = songs.cascades.cancel, list[str]()

    def fail_first(cascade: str) -> CascadeStanding | None:
        asked.append(cascade)
        if len(asked) == 1:
            raise RuntimeError("planted")
        return cancel(cascade)

    monkeypatch.setattr(songs.cascades, "cancel", fail_first)
    held.go.set()
    songs.close()
    assert asked == [one.id for one in begun] and not songs.engine.alive


@pytest.mark.parametrize(("lyrics", "judged", "stopped"), [("", True, "wordless"), (WORDS, False, "no judge")])
def test_where_nothing_can_be_judged_one_song_is_sung(
    random_model: SongModel, tmp_path: Path, lyrics: str, judged: bool, stopped: str
) -> None:
    songs = serve(random_model, tmp_path, FakeJudge(WORDS) if judged else None)
    until(lambda: songs.listener.state != "loading")
    request = SongRequest(caption="folk", lyrics=lyrics, seed=1, steps=1, duration=2)
    ended = finish(songs, songs.cascades.start(request, CascadeOptions(budget=4)))
    songs.close()
    past = read_past(songs.store, ended.id)
    assert past is not None and (past.state, past.stopped, past.reason) == ("done", stopped, ended.reason)
    assert (ended.state, ended.stopped, len(ended.takes)) == ("done", stopped, 1)
    assert ended.best == ended.takes[0].song and ended.takes[0].wer is None and ended.reason


def test_a_cascade_of_which_takes_are_missing_says_so(songs: Songs) -> None:
    ended = finish(songs, songs.cascades.start(REQUEST, CascadeOptions(budget=2, stop_wer=0, retry="adapters")))
    assert ended.stopped == "budget"
    whole = read_past(songs.store, ended.id)
    assert whole is not None and (whole.state, whole.stopped, whole.reason) == ("done", "budget", ended.reason)
    songs.remove(str(ended.takes[1].song))
    past = read_past(songs.store, ended.id)
    assert past is not None and (past.state, past.stopped) == ("cancelled", "cancelled")
    assert past.best == ended.takes[0].song and past.reason == "Of this cascade 1 of 2 takes are stored."


def test_a_full_queue_is_watched_and_not_planned_for(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.cascades.LOOK_EVERY", 0.01)
    songs = serve(random_model, tmp_path, FakeJudge(WORDS), settings=EngineSettings(max_queue=2, max_songs=1))
    held, planned, preview = hold(songs), list[SongRequest](), songs.preview
    first = songs.submit(REQUEST)
    until(lambda: first.state == "singing")
    songs.submit(REQUEST)

    def note(request: SongRequest) -> Any:
        planned.append(request)
        return preview(request)

    monkeypatch.setattr(songs, "preview", note)
    begun = songs.cascades.start(REQUEST, CascadeOptions(budget=2, together=2, stop_wer=0))
    until(lambda: songs.cascades.job(begun.id) is not None)
    time.sleep(0.3)
    assert len(planned) == 2, "when it began, and for the take that waits; none for the one that finds no place"
    held.go.set()
    assert finish(songs, begun).state == "done" and len(planned) == 3
    songs.close()


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
