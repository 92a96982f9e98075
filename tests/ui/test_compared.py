"""What is shown of a comparison: blind nothing tells what sings, and every state of its songs has its words."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from router.feedback import Vote
from tests.ui.planted import decide
from ui.blind import shuffle
from ui.choices import Choice
from ui.compared import Compared, Mode, show_about, show_body, show_list, show_maps, show_player, show_title
from ui.loudness import level
from ui.songs import MAX_COMPARED
from ui.standings import Standing

COMPOSITIONS: tuple[dict[str, float], ...] = ({}, {"alto": 1.0}, {"alto": 0.6, "tenor": 0.4})
NAMES = ("base", "alto", "tenor", "0.6", "0.4")
JUDGED = {
    "state": "judged", "judge": "planted", "transcript": "hello cold friend", "wer": 0.33, "cer": 0.1, "hits": 2,
    "substitutions": 1, "deletions": 0, "insertions": 0, "reference_words": 3,
    "words": [{"kind": "equal", "reference": "hello", "heard": "hello"}],
}  # fmt: skip


def song(place: int, state: Any = "done", **more: Any) -> Standing:
    request = {"caption": "<b>folk</b>", "lyrics": "hello old friend", "seed": 7, "composition": COMPOSITIONS[place]}
    record = {"attention": True, "seconds": 1.0} if state == "done" else None
    fields = {"steps": 12, "step": 3, "judged": JUDGED if state == "done" else None, "record": record, **more}
    return Standing(f"{place}" * 16, state, request, comparison="c" * 16, comparison_place=place, **fields)


def compared(mode: Mode, *songs: Standing, **more: Any) -> Compared:
    there = songs or tuple(song(place) for place in range(3))
    return Compared("c" * 16, mode, there, level({one.id: -20.0 - n for n, one in enumerate(there)}), **more)


def whole(shown: Compared) -> str:
    cards = [part(shown, n) for n in range(len(shown.songs)) for part in (show_title, show_player, show_body)]
    return show_about(shown) + "".join(cards) + show_maps(shown)


def vote(winner: dict[str, float], blind: bool = True) -> Vote:
    losers = tuple(c for c in COMPOSITIONS if c != winner)
    return Vote(
        time=datetime(2026, 3, 1, 12, tzinfo=UTC), comparison="c" * 16, seed=7, winner=winner, losers=losers,
        blind=blind, model_fingerprint="m",
    )  # fmt: skip


def test_the_order_follows_from_the_id_alone_and_stays_when_songs_are_gone() -> None:
    places = list(range(MAX_COMPARED))
    for one in ("0123456789abcdef", "fedcba9876543210"):
        whole_order = shuffle(one, places, places)
        assert sorted(whole_order) == places and shuffle(one, places, places) == whole_order
        assert shuffle(one, places[::-1], places[::-1]) == whole_order, "not by the order they come in"
        assert shuffle(one, [5, 1, 3], [5, 1, 3]) == [place for place in whole_order if place in (1, 3, 5)]
    # over many comparisons each place is heard first as often as any other
    firsts = Counter(shuffle(f"{number:016x}", [0, 1, 2, 3], "abcd")[0] for number in range(2000))
    assert firsts.keys() == set("abcd") and min(firsts.values()) > 400
    assert shuffle("0" * 16, [None, 99, 0], "xyz")[0] == "z", "what tells no place comes last"


@pytest.mark.parametrize("states", [("done",) * 3, ("done", "singing", "queued"), ("done", "failed", "cancelled")])
def test_blind_nothing_tells_what_sings(states: tuple[str, ...]) -> None:
    songs = [song(n, state, error="the adapter alto is gone") for n, state in enumerate(states)]
    shown = compared("blind", *songs, votes=[vote(COMPOSITIONS[1])])
    html = whole(shown)
    for name in (*NAMES, "picked", "error rate", "cold", "data-go", "download"):
        assert name not in html, name
    told = re.sub("<[^>]+>", " ", html)
    assert re.findall(r"Song\s+([A-C])", told) == ["A", "B", "C"]


def test_blind_no_song_is_there_before_all_are_and_none_tells_how_far_it_is() -> None:
    going = compared("blind", song(0), song(1, "singing"), song(2, "queued"))
    assert "<audio" not in whole(going) and 'data-compare="pick"' not in whole(going)
    assert "1 of 3 songs done" in show_about(going)
    assert [show_body(going, n) for n in range(3)] == ["", "", ""]
    assert whole(compared("blind")).count("<audio") == 3


def test_a_player_is_the_same_before_and_after_names_are_told() -> None:
    blind, revealed = compared("blind"), compared("revealed")
    assert [show_player(blind, n) for n in range(3)] == [show_player(revealed, n) for n in range(3)]
    assert "A" in show_title(revealed, 0) and "base" in show_title(revealed, 0)
    assert "alto=0.6,tenor=0.4" in show_title(revealed, 2) and "33" in show_body(revealed, 0)


def test_each_song_tells_its_level_its_words_and_the_way_to_it() -> None:
    body = show_body(compared("open"), 0)
    assert "levelled by −2.0 dB" in body and "−20.0 LUFS" in body and "data-hint" in body
    volume = re.search(r'data-volume="([\d.]+)"', body)
    assert volume is not None and float(volume[1]) == pytest.approx(10 ** (-2 / 20), abs=1e-4)
    assert "33" in body and "cold" in body and f'href="/?song={"0" * 16}"' in body
    assert "levelled by 0.0 dB" in show_body(compared("open"), 2)
    silent = Compared("c" * 16, "open", (song(0), song(1)), level({"0" * 16: None, "1" * 16: -20.0}))
    assert "No loudness" in show_body(silent, 0) and "song-level" not in show_body(silent, 0)


def test_what_was_picked_is_told_and_marked_and_so_is_what_is_gone() -> None:
    shown = compared("open", votes=[vote(COMPOSITIONS[0], blind=False), vote(COMPOSITIONS[2])], missing=2)
    about = show_about(shown)
    assert "alto=0.6,tenor=0.4" in about and "2026-03-01 12:00" in about and "1 earlier pick" in about
    assert ["picked" in show_title(shown, n) for n in range(3)] == [False, False, True]
    assert "2 songs of this comparison are not there any more" in about
    routed = compared("open", song(0, choice=Choice(decide())), song(1))
    assert "routed" in show_title(routed, 0) and "routed" not in show_title(routed, 1)


@pytest.mark.parametrize(
    "shown",
    [
        compared("open", song(0)),
        compared("open", song(0), song(1, "singing")),
        compared("open", song(0), song(1, "failed")),
        compared("open", votable=False),
    ],
)
def test_nothing_can_be_picked_where_no_pick_would_be_taken(shown: Compared) -> None:
    assert 'data-compare="pick"' not in whole(shown)
    assert whole(compared("open")).count('data-compare="pick"') == 3


def test_maps_come_once_all_are_done_and_blind_with_letters() -> None:
    assert show_maps(compared("open", song(0), song(1, "singing"))) == ""
    assert show_maps(compared("open", song(0, record={"attention": False}))) == ""
    blind, told = show_maps(compared("blind")), show_maps(compared("open"))
    assert "&quot;A&quot;" in blind and "alto" not in blind and "alto=1" in told


def test_what_a_person_typed_is_no_markup_and_the_list_names_no_composition() -> None:
    found = [("c" * 16, [song(n) for n in range(3)])]
    listed = show_list(found, "c" * 16, lambda _: True)
    assert "<b>folk" not in whole(compared("open")) + listed and "&lt;b&gt;folk" in listed
    assert "3 songs" in listed and "picked" in listed and 'aria-current="true"' in listed
    assert not any(name in listed for name in NAMES)
