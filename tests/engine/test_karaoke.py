"""Plants when each word is attended to and reads the times back; maps that follow nothing must tell so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.karaoke import Karaoke, align_words
from engine.lyric_map import LyricMap, map_embedded

LYRICS = "[verse]\nBlue river run on\ntake me home, my friend!\n[outro]"
RATE = 25.0
OTHERS = 5  # timbre and caption


def plant(
    lyric_map: LyricMap,
    spans: list[tuple[int, int]],
    frames: int,
    *,
    strength: float = 0.8,
    noise: float = 0.3,
    heads: int = 3,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Maps [heads, frames, tokens] whose word n gets ``strength`` of the attention from its first frame to its end,
    token after token; the rest is noise, and in silences all goes to the first token, which is no word's.
    """
    random = np.random.default_rng(seed)
    maps = random.dirichlet(np.ones(len(lyric_map.tokens) + OTHERS), (heads, frames))
    silent = np.zeros(frames)
    for word, (first, end) in enumerate(spans):
        tokens = np.flatnonzero(lyric_map.word_of_tokens == word)
        for frame in range(first, end):
            silent[frame] = 1
            token = tokens[(frame - first) * len(tokens) // (end - first)]
            maps[:, frame] *= noise
            maps[:, frame, token] += strength
    for frame in np.flatnonzero(silent == 0).tolist():
        maps[:, frame] *= 0.02
        maps[:, frame, 0] += 1
    planted: NDArray[np.float32] = (maps / maps.sum(-1, keepdims=True)).astype(np.float32)
    return planted


def random_spans(words: int, seed: int, *, gaps: bool) -> tuple[list[tuple[int, int]], int]:
    random = np.random.default_rng(seed)
    at, spans = int(random.integers(0, 12)), []
    for _ in range(words):
        end = at + int(random.integers(4, 16))
        spans.append((at, end))
        at = end + int(random.integers(0, 20) if gaps and random.random() < 0.4 else 0)
    return spans, at + int(random.integers(0, 12))


def spans_of(karaoke: Karaoke) -> list[tuple[int, int]]:
    return [(round(w.start * RATE), round(w.end * RATE)) for line in karaoke.lines for w in line.words]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gaps", [False, True])
def test_planted_words_are_found_to_the_frame_with_silences_outside(gaps: bool, seed: int) -> None:
    lyric_map = map_embedded(LYRICS)
    spans, frames = random_spans(len(lyric_map.words), seed, gaps=gaps)
    maps = plant(lyric_map, spans, frames, seed=seed)
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-4)
    found = align_words(torch.from_numpy(maps), lyric_map, RATE)
    assert found.reason is None and spans_of(found) == spans
    assert found.score is not None and found.null is not None and found.score > 2 * found.null
    assert found == align_words(maps, lyric_map, RATE), "numbers from torch and from numpy are the same"


def test_lines_span_their_words_as_typed() -> None:
    lyric_map = map_embedded(LYRICS)
    spans, frames = random_spans(9, 3, gaps=True)
    found = align_words(plant(lyric_map, spans, frames), lyric_map, RATE)
    assert [line.text for line in found.lines] == ["Blue river run on", "take me home my friend"]
    for line in found.lines:
        assert (line.start, line.end) == (line.words[0].start, line.words[-1].end)
        assert [word.text for word in line.words] == line.text.split()


@pytest.mark.parametrize("seed", range(4))
def test_blurred_weak_maps_are_found_roughly(seed: int) -> None:
    lyric_map = map_embedded(LYRICS)
    spans, frames = random_spans(9, seed, gaps=False)
    sharp = plant(lyric_map, spans, frames, strength=0.25, noise=0.7, heads=6, seed=seed)
    window = np.hanning(7) / np.hanning(7).sum()
    blurred = np.apply_along_axis(lambda column: np.convolve(column, window, "same"), 1, sharp)
    found = align_words(blurred / blurred.sum(-1, keepdims=True), lyric_map, RATE)
    errors = [abs(one[0] - other[0]) for one, other in zip(spans_of(found), spans, strict=True)]
    assert np.median(errors) <= 2


def uniform(lyric_map: LyricMap, frames: int) -> NDArray[np.float64]:
    tokens = len(lyric_map.tokens) + OTHERS
    return np.full((3, frames, tokens), 1 / tokens)


@pytest.mark.parametrize("seed", range(5))
def test_noise_follows_the_words_no_better_than_their_reverse(seed: int) -> None:
    lyric_map = map_embedded(LYRICS)
    noisy = np.random.default_rng(seed).dirichlet(np.ones(len(lyric_map.tokens) + OTHERS), (3, 120))
    almost = uniform(lyric_map, 120) * (1 + 1e-3 * noisy)
    for maps in (noisy, almost / almost.sum(-1, keepdims=True)):
        found = align_words(maps, lyric_map, RATE)
        assert found.lines == () and found.reason is not None and "no better forwards" in found.reason
        # min-max flatters them: only the null beside it tells
        assert found.score is not None and found.null is not None and found.score > 0.1
        assert found.score == pytest.approx(found.null, rel=0.3)


def test_a_map_that_is_the_same_everywhere_scores_nothing() -> None:
    lyric_map = map_embedded(LYRICS)
    found = align_words(uniform(lyric_map, 100), lyric_map, RATE)
    assert found.score == 0 and found.reason == "the attention notices only 0 of 9 words"


def test_attention_collapsed_onto_one_token_tells_no_times() -> None:
    lyric_map = map_embedded(LYRICS)
    maps = uniform(lyric_map, 100) * 0.05
    maps[..., 12] += 0.95
    found = align_words(maps, lyric_map, RATE)
    assert found.lines == () and found.reason == "the attention notices only 1 of 9 words"
    assert found.score is not None and found.score < 0.01 and found.lyric_mass > 0.9


def test_words_in_reverse_tell_no_times() -> None:
    lyric_map = map_embedded(LYRICS)
    spans, frames = random_spans(9, 0, gaps=False)
    maps = plant(lyric_map, spans, frames)[:, ::-1].copy()
    found = align_words(maps, lyric_map, RATE)
    assert found.lines == () and found.score is not None and found.null is not None and found.null > found.score


@pytest.mark.parametrize("lyrics", ["", "[intro]\n[instrumental]", "..."])
def test_an_instrumental_has_no_score_and_not_a_perfect_one(lyrics: str) -> None:
    lyric_map = map_embedded(lyrics)
    found = align_words(uniform(lyric_map, 50), lyric_map, RATE)
    assert found == Karaoke(reason="there are no words to sing")
    assert found.score is None and found.to_lrc() == found.to_enhanced_lrc() == ""


def test_lyric_mass_counts_words_and_no_tags() -> None:
    lyric_map = map_embedded(LYRICS)
    maps = np.zeros((2, 40, len(lyric_map.tokens) + OTHERS), np.float32)
    structure = lyric_map.word_of_tokens < 0
    for place in range(40):
        maps[0, place, np.flatnonzero(~structure)[place * (~structure).sum() // 40]] = 0.75
        maps[1, place, np.flatnonzero(structure)[0]] = 0.75
    maps[..., -1] = 0.25
    assert align_words(maps, lyric_map, RATE).lyric_mass == pytest.approx(0.375)


def test_a_word_alone_has_its_time() -> None:
    lyric_map = map_embedded("go")
    found = align_words(plant(lyric_map, [(10, 30)], 50), lyric_map, RATE)
    assert spans_of(found) == [(10, 30)]


def test_more_words_than_frames_share_them_in_order() -> None:
    lyric_map = map_embedded("one two three four five six seven eight nine ten")
    frames = 4
    maps = uniform(lyric_map, frames) * 0.2
    for word in range(10):
        maps[:, word * frames // 10, np.flatnonzero(lyric_map.word_of_tokens == word)] += 0.1 + 0.01 * word
    found = align_words(maps / maps.sum(-1, keepdims=True), lyric_map, RATE)
    words = [word for line in found.lines for word in line.words]
    assert len(words) == 10 and words[0].start >= 0 and words[-1].end <= frames / RATE
    assert all(word.start < word.end for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))


@pytest.mark.parametrize("seed", range(20))
def test_times_never_run_backwards_whatever_the_map(seed: int) -> None:
    random = np.random.default_rng(seed)
    lyric_map = map_embedded("one more time around\n[x]" if seed % 2 else "a b c d e")
    maps = random.dirichlet(np.full(len(lyric_map.tokens) + OTHERS, 0.1), (2, int(random.integers(1, 30))))
    found = align_words(maps, lyric_map, RATE)
    words = [word for line in found.lines for word in line.words]
    assert words or found.reason
    assert all(word.start < word.end for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))


def test_maps_that_do_not_fit_the_lyrics_are_refused() -> None:
    lyric_map = map_embedded(LYRICS)
    with pytest.raises(ValueError, match="do not fit"):
        align_words(np.ones((1, 10, len(lyric_map.tokens) - 1)), lyric_map, RATE)
    with pytest.raises(ValueError, match="do not fit"):
        align_words(np.ones((0, 10, 99)), lyric_map, RATE)


def test_lrc_has_minutes_seconds_and_hundredths() -> None:
    word = {"text": "Hello", "start": 59.998, "end": 61.25}
    other = {"text": "there", "start": 61.25, "end": 725.5}
    line = {"text": "Hello there", "start": 59.998, "end": 725.5, "words": [word, other]}
    karaoke = Karaoke.model_validate({"lines": [line], "score": 0.5})
    assert karaoke.to_lrc() == "[01:00.00]Hello there\n"
    assert karaoke.to_enhanced_lrc() == "[01:00.00] <01:00.00> Hello <01:01.25> there <12:05.50>\n"
    assert Karaoke.model_validate_json(karaoke.model_dump_json()) == karaoke
