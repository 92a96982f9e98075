"""Records that were changed by hand: one of them breaks neither a list nor a page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from engine.request import SongRequest
from engine.song_model import SongModel
from tests.ui.planted import FakeJudge, make_songs
from tests.waiting import until
from ui.panes import Panes
from ui.progress import show_player
from ui.recent import show_recent
from ui.standings import of_record
from ui.stored import DAMAGED, number, plain, read_verdict
from ui.verdict import show_verdict

VERDICT = {
    "state": "judged", "judge": "planted", "transcript": "hello", "wer": 0.5, "hits": 1, "reference_words": 2,
    "words": [{"kind": "equal", "reference": "hello", "heard": "hello"}],
}  # fmt: skip
CHANGES: list[dict[str, Any]] = [
    {"wer": "low"}, {"wer": None}, {"wer": math.nan}, {"wer": True}, {"wer": [1]}, {"wer": -1}, {"hits": {}},
    {"insertions": "1"}, {"transcript": 3}, {"judge": []}, {"words": "hello"}, {"words": [3]}, {"words": [{}]},
    {"words": [{"kind": "other", "reference": "a", "heard": "a"}]},
    {"words": [{"kind": [], "reference": "a", "heard": "a"}]},
    {"words": [{"kind": "equal", "reference": None, "heard": "a"}]},
]  # fmt: skip
#: What is no verdict.
DAMAGES: list[Any] = [
    "good", 3, [], {"state": 5}, {"state": "judged"}, {"state": "failed", "reason": ["x"]},
    *({**VERDICT, **change} for change in CHANGES),
]  # fmt: skip
#: Other fields of a record, as somebody may leave them behind.
RECORDS: list[dict[str, Any]] = [
    {},
    {"seconds": "long", "spent": [1], "sampling": 3, "reading": "pop", "request": "hello", "plan": [], "created": 5},
    {"seconds": math.inf, "spent": {"a": "b", "c": None}, "sampling": {"steps": "x"}, "reading": {"genre": 1}},
    {"seconds": 10**400, "spent": {"a": math.nan}, "sampling": {"steps": math.nan}, "comparison_place": "first"},
    {"reading": {"genre": 1, "known": True, "voice": 2, "tempo": 3}, "request": {"lyrics": 3, "caption": [1]}},
    {"request": {"lyrics": "hello \ud800", "caption": "\udfff"}, "karaoke": 3, "id": []},
    {"plan": {"genre": "pop", "voice": "low", "bpm": math.nan, "frames": 9, "notes": [
        {"start": 5, "frames": 1, "midi": 50, "slot": 0}, {"start": 4, "frames": 1, "midi": 50, "slot": 1}]}},
]  # fmt: skip


def test_a_whole_verdict_is_read_as_it_is() -> None:
    for verdict in (VERDICT, {"state": "wordless", "reason": "no words"}, {"state": "judged", "wer": 0}):
        assert read_verdict(verdict) is verdict


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_damaged_verdict_is_unavailable_wherever_it_is_shown(damaged: Any) -> None:
    assert read_verdict(damaged) is DAMAGED
    assert "Not judged" in show_verdict(damaged, "hello there")
    standing = of_record({"id": "0123456789abcdef", "seconds": 2}, damaged)
    assert "WER" not in show_recent([standing], None)


@pytest.mark.parametrize("record", RECORDS)
def test_a_damaged_record_is_shown_as_far_as_it_can_be(record: dict[str, Any]) -> None:
    standing = of_record({"id": "0123456789abcdef", **record}, {"state": "waiting"})
    assert "<li>" in show_recent([standing], None)
    assert "<audio" in show_player(standing)
    json.dumps(standing.record, allow_nan=False).encode()


def test_numbers_and_values_are_made_plain() -> None:
    assert [number(value) for value in (2, 0.5, "3", None, True, math.nan, math.inf, 10**400)] == [2, 0.5] + [0] * 6
    assert plain({"a": [math.nan, "\ud800", {"\ud800": 1}]}) == {"a": [None, "\\ud800", {"\\ud800": 1}]}
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    assert len(json.dumps(plain(deep))) < 200


def test_the_page_lives_with_damaged_records_and_has_them_judged_again(random_model: SongModel, tmp_path: Path) -> None:
    songs = make_songs(random_model, tmp_path, FakeJudge("hello old friend"))
    songs.listener.start()
    job = songs.submit(SongRequest(caption="folk", lyrics="hello old friend", seed=1, steps=2))
    until(lambda: (found := songs.standing(job.id)) is not None and (found.judged or {}).get("state") == "judged")
    planted = []
    for at, fields in enumerate([*RECORDS, *({"judged": damaged} for damaged in DAMAGES)]):
        folder = tmp_path / f"{at:016x}"
        folder.mkdir()
        (folder / "song.json").write_text(json.dumps({"request": {"lyrics": "hello"}, **fields}))
        (folder / "song.flac").write_bytes((tmp_path / job.id / "song.flac").read_bytes())
        planted.append(folder.name)
    panes = Panes(songs)
    for song_id in planted:
        shown = panes.show(song_id, {})[-1]
        assert "<audio" in shown["player"] and "<li>" in shown["recent"]
    standing = songs.standing(planted[-1])
    assert standing is not None and standing.judged == DAMAGED
    songs.judge_again(planted[-1])
    until(lambda: (found := songs.standing(planted[-1])) is not None and (found.judged or {})["state"] == "judged")
    songs.judge_again(planted[1])
    songs.close()
