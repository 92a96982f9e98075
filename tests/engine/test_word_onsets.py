"""The shipped model sings lines of its corpus; its plan tells when each word truly begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import training
from engine.attention_maps import load_record
from engine.request import SongRequest
from engine.singer import Singer
from engine.song import Song
from engine.song_model import load_song_model

CAPTIONS = (
    "a quiet folk song",
    "bright pop song, female voice",
    "slow country ballad with a warm male voice",
    "fast punk rock",
)
SONGS = 24


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    """Songs of one to four lines of the corpus's texts, picked by a fixed rule."""
    singer = Singer(load_song_model())
    lines = (Path(training.__file__).parent / "texts" / "lines_a.txt").read_text(encoding="utf-8").splitlines()
    out = []
    for number in range(SONGS):
        picked = [lines[(37 * number + 41 * place) % len(lines)] for place in range(number % 4 + 1)]
        lyrics = "\n".join(["[verse]"] * (number % 3 == 0) + picked)
        out.append(singer.sing(SongRequest(caption=CAPTIONS[number % 5 % 4], lyrics=lyrics, seed=number)))
    return out


@pytest.mark.slow
def test_word_onsets_are_within_80_ms_of_the_plan(songs: list[Song], capsys: pytest.CaptureFixture[str]) -> None:
    onsets, ends = [], []
    for song in songs:
        assert song.plan is not None and song.karaoke is not None and song.karaoke.reason is None
        assert [line.text for line in song.karaoke.lines] == [
            line for line in song.request.lyrics.split("\n") if not line.startswith("[")
        ]
        found = [word for line in song.karaoke.lines for word in line.words]
        for word, (_, start, end) in zip(found, song.plan.word_times(), strict=True):
            onsets.append(1000 * abs(word.start - start))
            ends.append(1000 * abs(word.end - end))
    told = [
        f"{name} {np.median(e):.0f} / {np.percentile(e, 90):.0f} ms" for name, e in (("onset", onsets), ("end", ends))
    ]
    with capsys.disabled():
        print(f"\nword {', '.join(told)} (median / p90 absolute error of {len(onsets)} words in {len(songs)} songs)")
    assert np.median(onsets) < 80 and np.percentile(onsets, 90) < 200 and np.median(ends) < 120


@pytest.mark.slow
def test_the_score_is_far_above_its_null_and_the_mass_is_on_words(songs: list[Song]) -> None:
    for song in songs:
        assert song.karaoke is not None and song.karaoke.score is not None and song.karaoke.null is not None
        assert song.karaoke.score > 0.5 and song.karaoke.score > 3 * song.karaoke.null
        assert song.karaoke.lyric_mass > 0.5


@pytest.mark.slow
def test_the_record_beside_the_song_shows_the_words_where_they_are_sung(songs: list[Song]) -> None:
    for song in songs[:4]:
        assert song.attention is not None and song.karaoke is not None
        record = load_record(song.attention.save_bytes())
        middles = (record.edges[:-1] + record.edges[1:]) / 2
        strongest = record.words().mean(0).argmax(-1)  # [bins]
        words = [word for line in song.karaoke.lines for word in line.words]
        assert record.lyric_map.words == tuple(word.text for word in words)
        right = [
            strongest[(middles > word.start) & (middles < word.end)] == number for number, word in enumerate(words)
        ]
        assert np.concatenate(right).mean() > 0.9
