"""Entries of past songs: what they tell of a song, whatever its record holds, and the answers that carry them."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from engine.request import SongRequest
from engine.song_model import SongModel
from tests.engine.planted_songs import write_record
from tests.ui.planted import decide, make_songs
from tests.ui.test_stored import DAMAGES, RECORDS, VERDICT
from ui.choices import Choice, TakeOf
from ui.history_list import name_song, show_entries, show_entry
from ui.standings import Standing, of_record
from ui.tabs.history import SHOWN, find

SONG = "0123456789abcdef"


def record(**fields: Any) -> dict[str, Any]:
    asked = {"caption": "slow folk", "lyrics": "hello\n\nold friend", "seed": 1, "composition": {"lyrics": 0.6}}
    return {"id": SONG, "created": "2026-03-01T12:00:00+00:00", "request": asked, "seconds": 9.04, **fields}


def standing(judged: Any = VERDICT, **fields: Any) -> Standing:
    return of_record(record(**fields), judged)


class Reader(HTMLParser):
    """Tags with their attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def find(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in attributes.items())]


def test_an_entry_tells_what_there_is_and_leads_on() -> None:
    read = Reader(show_entry(standing(attention=True, karaoke={"lines": [{}]})))
    assert "slow folk" in read.text and "hello / old friend" in read.text and "9.0 s" in read.text
    assert "lyrics=0.6" in read.text and "WER 50.0 %" in read.text and "damaged" not in read.text
    assert [t["datetime"] for t in read.find("time")] == ["2026-03-01T12:00:00+00:00"]
    [audio] = read.find("audio")
    assert (audio["preload"], audio["src"], audio["aria-label"]) == ("none", f"/v1/songs/{SONG}/audio", "slow folk")
    [again] = read.find("a", **{"data-again": "1"})
    assert (again["data-go"], again["data-song"], again["href"]) == ("sing", SONG, f"/?song={SONG}")
    [compare] = read.find("a", **{"data-go": "compare"})
    assert compare["data-song"] == SONG
    files = {str(a["download"]).rpartition(".")[2]: a["href"] for a in read.find("a") if "download" in a}
    assert set(files) == {"flac", "wav", "mp3", "ogg", "lrc", "npz", "json"} and files["json"] == f"/v1/songs/{SONG}"
    names = [a["aria-label"] for t, a in read.tags if t in ("button", "summary") or a.get("class") == "button"]
    assert len(set(names)) == len(names) == 5 and all("slow folk" in str(name) for name in names)


@pytest.mark.parametrize(
    ("wer", "level", "shown"),
    [(0, "good", "0.0"), (0.2, "good", "20.0"), (0.4, "fair", "40.0"), (1.5, "poor", "150.0")],
)
def test_word_errors_are_coloured_and_told_as_a_number(wer: float, level: str, shown: str) -> None:
    html = show_entry(standing({**VERDICT, "wer": wer}))
    assert re.search(rf'class="rate {level}" data-hint="Word error rate[^"]*">WER <b>{shown} %</b>', html)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ({"state": "waiting"}, "being judged"),
        ({"state": "wordless", "reason": "an instrumental"}, "no words to judge"),
        ({"state": "failed", "reason": "the <b>judge</b> fell"}, "not judged"),
    ],
)
def test_songs_without_a_rate_say_why(judged: Any, said: str) -> None:
    html = show_entry(standing(judged))
    assert said in Reader(html).text and "<b>judge" not in html and "damaged" not in html


def test_takes_comparisons_and_routed_songs_are_marked() -> None:
    group = "c" * 16
    read = Reader(show_entry(standing(comparison=group)))
    assert "part of a comparison" in read.text
    assert [a["data-comparison"] for a in read.find("a", **{"data-go": "compare"}) if "data-comparison" in a] == [group]
    take = TakeOf(group, 1, "base", 3, 0.2, "seeds")
    read = Reader(show_entry(of_record(record(comparison=group), VERDICT, Choice(decide(), take))))
    assert "take 2 of a cascade" in read.text and "comparison" not in read.text and "routed" not in read.text
    assert read.find("a", **{"data-song": group})[0]["data-go"] == "sing"
    read = Reader(show_entry(of_record(record(), VERDICT, Choice(decide()))))
    assert "routed" in read.text


def test_what_was_typed_or_stored_is_text() -> None:
    evil = "<img src=x onerror=alert(1)>\"' ${x}"
    request = {"caption": evil, "lyrics": evil, "composition": {evil: 1}}
    html = show_entry(of_record(record(request=request, comparison=evil, created=evil), {"state": "x", "reason": evil}))
    read = Reader(html)
    assert not read.find("img") and not [a for _, a in read.tags if any(name.startswith("on") for name in a)]
    assert read.find("li")[0]["data-title"] == evil


@pytest.mark.parametrize("fields", RECORDS)
def test_a_damaged_record_is_shown_as_damaged(fields: dict[str, Any]) -> None:
    read = Reader(show_entry(of_record({"id": SONG, **fields}, {"state": "waiting"})))
    assert "damaged" in read.text and len(read.find("li")) == len(read.find("audio")) == 1


@pytest.mark.parametrize("judged", DAMAGES)
def test_a_damaged_verdict_is_shown_as_damaged(judged: Any) -> None:
    text = Reader(show_entry(standing(judged))).text
    assert "damaged" in text and "WER" not in text


def test_songs_that_are_not_sung_have_no_sound_and_say_how_they_stand() -> None:
    asked = {"caption": "jazz", "lyrics": "hello"}
    going = Reader(show_entry(Standing(SONG, "decoding", asked)))
    assert "making sound" in going.text and not going.find("audio") and not going.find("input")
    assert [a["aria-label"] for a in going.find("button")] == ["Cancel jazz"]
    failed = Reader(show_entry(Standing(SONG, "failed", asked, error="no <memory>")))
    assert "no <memory>" in failed.text and [a["aria-label"] for a in failed.find("button")] == ["Clear away jazz"]
    assert failed.find("a", **{"data-again": "1"})


def test_the_stamp_tells_whether_anything_is_new() -> None:
    stamps = [
        Reader(show_entry(one)).find("li")[0]["data-stamp"]
        for one in (standing(), standing(), standing({**VERDICT, "wer": 0.25}), standing(comparison="c" * 16))
    ]
    assert stamps[0] == stamps[1] and len(set(stamps)) == 3


def test_names_and_words_are_cut() -> None:
    long = of_record(record(request={"caption": "a " * 900, "lyrics": "word " * 900}), VERDICT)
    assert len(name_song(long)) <= 100 and name_song(long).endswith("…") and len(show_entry(long)) < 6000
    assert name_song(of_record(record(request={}), VERDICT)) == "A song without a style"


def told(answer: str | None) -> dict[str, Any]:
    assert answer is not None
    [about] = re.findall(r'data-about="([^"]*)"', answer)
    found: dict[str, Any] = json.loads(unescape(about))
    return found


def test_pages_of_the_list_are_found_and_a_mere_look_costs_nothing(random_model: SongModel, tmp_path: Path) -> None:
    for number in range(SHOWN + 5):
        write_record(
            tmp_path, f"{number:08x}", caption="jazz" if number % 2 else "folk", created=f"2026-01-{number + 1:02}",
            composition={"lyrics": 1} if number == 3 else {}, comparison="c" * 16 if number < 2 else None,
        )  # fmt: skip
    songs = make_songs(random_model, tmp_path, None)
    (tmp_path / "feedfeed").mkdir()
    with songs.engine:
        first = told(find(songs, {"asked": 7}))
        assert (first["total"], first["every"], first["pages"], first["asked"]) == (SHOWN + 5, SHOWN + 5, 2, 7)
        assert first["adapters"] == ["lyrics"] and first["unreadable"] == ["feedfeed"] and not first["filtered"]
        keys = re.findall(r'data-key="(\w+)"', first["entries"])
        assert keys == [f"{number:08x}" for number in range(SHOWN + 4, 4, -1)]
        assert find(songs, {"asked": 8, "seen": first["seen"]}) is None
        for page in ("2", "99"):
            last = told(find(songs, {"page": page}))
            assert re.findall(r'data-key="(\w+)"', last["entries"]) == [f"{number:08x}" for number in range(4, -1, -1)]
            assert (last["page"], last["first"]) == (2, SHOWN + 1)
        some = told(find(songs, {"text": "jazz", "compared": "yes"}))
        assert some["total"] == 1 and some["filtered"] and "00000001" in some["entries"]
        wrong = told(find(songs, {"to_wer": "much"}))
        assert list(wrong["faults"]) == ["to_wer"] and "entries" not in wrong
        # a deletion is something new, and so is a song that another process stored
        songs.remove("00000007")
        second = told(find(songs, {"seen": first["seen"]}))
        assert second["total"] == SHOWN + 4
        write_record(tmp_path, "0000ffff")
        assert told(find(songs, {"seen": second["seen"]}))["total"] == SHOWN + 5


def test_songs_in_the_making_come_first(random_model: SongModel, tmp_path: Path) -> None:
    write_record(tmp_path, "00000001")
    songs = make_songs(random_model, tmp_path, None)
    job = songs.submit(SongRequest(caption="later", steps=2))
    listed = told(find(songs, {}))
    assert re.findall(r'data-key="(\w+)"', listed["entries"])[0] == job.id and listed["every"] == 2
    songs.cancel(job.id)
    assert job.wait(60)
    assert told(find(songs, {"state": "cancelled"}))["total"] == 1 and told(find(songs, {}))["total"] == 1
    songs.close()


def test_many_entries_are_one_string() -> None:
    assert show_entries([standing()] * 3).count("<li") == 3 and show_entries([]) == ""
