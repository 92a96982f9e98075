"""What the page shows of songs, and that it asks nobody else for anything."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.request import SongRequest
from engine.song_model import SongModel
from tests.ui.planted import FakeJudge, decide, hold, make_songs
from tests.waiting import until
from ui.choices import Choice, TakeOf
from ui.desk import Services
from ui.modes import show_modes
from ui.page import BROWSER, build_page
from ui.panes import Panes, View, keep_maps, show_maps
from ui.progress import show_player, show_status
from ui.recent import show_recent
from ui.songs import Songs
from ui.standings import Standing
from ui.takes import CascadeStanding
from ui.theme import make_theme

EVIL = "<img src=x onerror=alert(1)>"
REQUEST = {"caption": EVIL, "lyrics": f"hello {EVIL} there", "seed": 3}
REQUEST_TO_SING = SongRequest(caption="folk", lyrics="hello old friend", seed=1, steps=2)
KARAOKE = {
    "lines": [{"text": EVIL, "start": 0, "end": 1, "words": [{"text": EVIL, "start": 0, "end": 1}]}],
}
RECORD = {
    "seconds": 4.2,
    "spent": {"denoise": 0.5},
    "sampling": {"steps": 12},
    "reading": {"genre": "pop", "known": False, "voice": "high", "tempo": None},
}


def standing(**fields: Any) -> Standing:
    return Standing(**{"id": "0123456789abcdef", "state": "done", "request": REQUEST, "steps": 12, **fields})


def verdict_state(songs: Songs, song_id: str) -> str | None:
    found = songs.standing(song_id)
    return None if found is None or found.judged is None else str(found.judged["state"])


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path) -> Any:
    made = make_songs(random_model, tmp_path, FakeJudge("hello cold friend"))
    made.listener.start()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": "queued", "place": 1}, "next to be sung"),
        ({"state": "queued", "place": 3}, "2 songs to be sung first"),
        ({"state": "singing", "step": 5}, "step 5 of 12"),
        ({"state": "singing", "step": 12}, "Making sound"),
        ({"state": "decoding", "step": 12}, "Making sound"),
        ({"state": "failed", "error": f"broken {EVIL}"}, "broken"),
        ({"state": "cancelled"}, "Cancelled"),
    ],
)
def test_every_state_is_told(fields: dict[str, Any], said: str) -> None:
    shown = show_status(standing(**fields))
    assert said in shown and "<img" not in shown
    assert ("Cancelling…" in show_status(standing(**fields), True)) == standing(**fields).going
    assert show_player(standing(**fields)) == ""


def test_the_player_offers_every_download_and_no_markup_of_others() -> None:
    shown = show_player(standing(record=RECORD))
    always = {"flac", "wav", "mp3", "json"}
    assert set(re.findall(r'download="[^"]*\.(\w+)"', shown)) == always
    watched = show_player(standing(record={**RECORD, "attention": True}))
    assert set(re.findall(r'download="[^"]*\.(\w+)"', watched)) == always | {"npz", "png"}
    timed = show_player(standing(record={**RECORD, "karaoke": KARAOKE}))
    assert set(re.findall(r'download="[^"]*\.(\w+)"', timed)) == always | {"lrc"} and "<img" not in timed
    assert 'data-go="compare" data-song="0123456789abcdef"' in shown
    assert "no genre recognised" in shown and re.search(r"seed.*?</span></span> 3 ", shown)
    assert "<img" not in shown


def test_the_list_marks_the_open_song_and_escapes() -> None:
    assert "No songs yet" in show_recent([], None)
    judged = {"state": "judged", "wer": 0.25}
    shown = show_recent([standing(record=RECORD, judged=judged), standing(id="f" * 16, state="queued")], "f" * 16)
    assert "WER 25.0 %" in shown and "queued" in shown and "4.2 s" in shown
    assert re.findall(r'data-song="(\w+)" aria-current', shown) == ["f" * 16]
    assert "<img" not in shown


def test_only_what_changed_is_sent(songs: Songs) -> None:
    held, panes = hold(songs), Panes(songs)
    job = songs.submit(REQUEST_TO_SING)
    until(lambda: job.state == "singing")
    seen = panes.show(job.id, {})[-1]
    assert "step 0 of 2" in seen["status"] and "<svg" in seen["picture"] and seen["player"] == ""
    assert f'<attention-map data-song="{job.id}" data-live="1" data-audio="#player audio">' in seen["maps"]
    assert not [update for update in panes.show(job.id, seen) if isinstance(update, str)]
    held.go.set()
    until(lambda: verdict_state(songs, job.id) == "judged")
    *updates, last = panes.show(job.id, seen)
    changed = [name for name, update in zip(Panes.NAMES, updates, strict=True) if isinstance(update, str)]
    assert changed == ["status", "player", "verdict", "recent"], "picture and maps were there before"
    assert "<audio" in last["player"] and "33" in last["verdict"] and last["status"] == ""
    assert 'data-live="0"' in panes.show(job.id, {})[-1]["maps"], "whoever comes later has missed the steps"


def test_a_song_that_is_cancelled_says_so_before_it_has_ended(songs: Songs) -> None:
    held, panes = hold(songs), Panes(songs)
    job = songs.submit(REQUEST_TO_SING)
    until(lambda: job.state == "singing")
    seen = panes.show(job.id, {})[-1]
    panes.cancel(job.id)
    assert panes.cancelling(job.id) and "Cancelling…" in panes.show(job.id, seen)[-1]["status"]
    held.go.set()
    until(lambda: job.ended)
    last = panes.show(job.id, seen)[-1]
    assert "Cancelled." in last["status"] and last["maps"] == "" and not panes.cancelling(job.id)


def test_maps_are_shown_where_they_are_kept() -> None:
    assert show_maps(standing(record=RECORD)) == "" and "data-live" in show_maps(standing(state="queued"))
    assert 'data-live="0"' in show_maps(standing(record={**RECORD, "attention": True}))
    for request in ({**REQUEST, "attention": None}, {**REQUEST, "lyrics": "[verse]"}):
        assert show_maps(standing(state="singing", request=request)) == ""
    for state in ("failed", "cancelled"):
        assert show_maps(standing(state=state)) == ""
    going, done = show_maps(standing(state="singing")), show_maps(standing(record={**RECORD, "attention": True}))
    assert keep_maps(going, done) == going and keep_maps(going, "") == "" and keep_maps("", done) == done
    assert keep_maps(going, done.replace("0123456789abcdef", "f" * 16)) != going


def test_a_judged_song_is_not_judged_again(songs: Songs) -> None:
    job = songs.submit(REQUEST_TO_SING)
    until(lambda: verdict_state(songs, job.id) == "judged")
    songs.judge_again(job.id)
    assert verdict_state(songs, job.id) == "judged"


@pytest.mark.parametrize("song_id", ["0123456789abcdef", "../../etc", EVIL])
def test_a_song_that_is_gone_is_told(songs: Songs, song_id: str) -> None:
    seen = Panes(songs).show(song_id, {})[-1]
    assert "no song" in seen["status"] and "<img" not in seen["status"]


def test_a_song_sung_while_nobody_listened_is_judged_when_opened(random_model: SongModel, tmp_path: Path) -> None:
    deaf = make_songs(random_model, tmp_path, None)
    deaf.listener.start()
    job = deaf.submit(REQUEST_TO_SING)
    until(lambda: verdict_state(deaf, job.id) == "unavailable")
    deaf.close()
    hearing = make_songs(random_model, tmp_path, FakeJudge("hello old friend"))
    hearing.listener.start()
    until(lambda: hearing.listener.state == "ready")
    hearing.judge_again(job.id)
    until(lambda: verdict_state(hearing, job.id) == "judged")
    hearing.close()


def cascade(**fields: Any) -> CascadeStanding:
    given = {"budget": 4, "stop_wer": 0.1, "retry": "seeds", "together": 1}
    return replace(CascadeStanding("f" * 16, "going", "", {"lyrics": "hello"}, given, decide(), ()), **fields)


def test_a_take_of_a_cascade_that_goes_on_can_be_cancelled(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    take = standing(record=RECORD, choice=Choice(decide(), TakeOf("f" * 16, 0, "base", 4, 0.1, "seeds")))
    assert View(take, cascade()).going and not View(take, cascade(state="done")).going
    assert View(standing(state="singing")).going and not View(take).going
    cancelled, found = list[str](), cascade()
    panes = Panes(songs)
    monkeypatch.setattr(songs, "standing", lambda song_id: take if song_id == take.id else None)
    monkeypatch.setattr(songs.cascades, "standing", lambda cascade_id: found if cascade_id == found.id else None)
    monkeypatch.setattr(songs.cascades, "cancel", lambda cascade_id: cancelled.append(f"cascade {cascade_id}"))
    monkeypatch.setattr(songs, "cancel", cancelled.append)
    panes.cancel(take.id)
    panes.cancel(found.id)
    found = cascade(state="done")
    panes.cancel(take.id)
    assert cancelled == ["cascade " + "f" * 16] * 2 + [take.id]


def test_a_cascade_without_a_take_fills_the_form_too() -> None:
    view = View(None, cascade(state="cancelled"), whole=True)
    assert show_modes({}, view.choice) == ["cascade", "", "4", "10", "seeds", None]
    assert show_modes({}, View().choice)[0] == "base"


def test_the_page_asks_nobody_else_for_anything(songs: Songs) -> None:
    page = build_page(Services(songs))
    assert page.analytics_enabled is False
    ours = "".join(path.read_text(encoding="utf-8") for path in BROWSER.iterdir() if path.suffix in (".css", ".js"))
    theme = make_theme()
    assert not theme._stylesheets and not theme._font_css
    assert set(re.findall(r"https?://[^'\"\s)]*", ours)) <= {"http://www.w3.org/2000/svg"}
