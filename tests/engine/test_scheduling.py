"""Batches: fair, oldest first, within their budget, little padding."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from engine.scheduling import choose_batch


@dataclass(eq=False)
class Song:
    rows: int
    frames: int
    turn: int = -1


def size(song: Song) -> tuple[int, int]:
    return song.rows, song.frames


def test_songs_of_a_length_step_together_and_oldest_first() -> None:
    songs = [Song(2, 100) for _ in range(5)]
    assert choose_batch(songs, size, 10_000) == songs
    assert choose_batch(songs, size, 650) == songs[:3]
    assert choose_batch([], size, 100) == []


def test_one_song_always_fits() -> None:
    assert choose_batch([Song(2, 5000)], size, 10)


def test_a_long_song_does_not_make_short_ones_pay_for_it() -> None:
    long, short = Song(2, 600), [Song(2, 50) for _ in range(3)]
    assert choose_batch([long, *short], size, 10_000) == [long]
    assert len(choose_batch([long, *short], size, 10_000, most_padding=0.7)) == 4, "unless they may"
    long.turn = 1
    assert choose_batch([long, *short], size, 10_000) == short


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(10, 600)), min_size=1, max_size=12),
    st.sampled_from([1, 800, 9000]),
)
def test_everybody_gets_a_turn(sizes: list[tuple[int, int]], budget: int) -> None:
    songs = [Song(*s) for s in sizes]
    for turn in range(len(songs)):
        batch = choose_batch(songs, size, budget)
        total = sum(s.rows for s in batch) * max(s.frames for s in batch)
        assert len(batch) == 1 or total <= budget
        assert sum(s.rows * s.frames for s in batch) >= (1 - 0.2) * total
        for song in batch:
            song.turn = turn
    assert min(song.turn for song in songs) >= 0, "after as many passes as there are songs, each has stepped"


def test_steps_are_shared_out_evenly() -> None:
    songs = [Song(2, 60), Song(2, 600), Song(1, 300)]
    steps = [0, 0, 0]
    for turn in range(30):
        for song in choose_batch(songs, size, 10_000):
            song.turn = turn
            steps[songs.index(song)] += 1
    assert min(steps) >= 10 and max(steps) - min(steps) <= 1
