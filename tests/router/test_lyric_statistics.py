"""Figures of lyrics against counting by hand, and of any text at all."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wordfreq import zipf_frequency as zipf_of_wordfreq

from router.lyric_statistics import NAMES, RARE, UNLISTED, measure_lyrics, zipf_frequency
from router.prompt import MAX_LYRICS


def figures(lyrics: str) -> dict[str, float]:
    return dict(zip(NAMES, measure_lyrics(lyrics).tolist(), strict=True))


def test_a_verse_counted_by_hand() -> None:
    # S-T-R-EH-NG-K-TH (as CMUdict has it), OW-V-ER, M-IY | OW-V-ER, M-IY | AH, D-AH-L, S-AH, M-ER: lines 1, 2 and 3
    found = figures("[verse]\nstrength over me (yeah)\nover me\n\nover me\n[outro]")
    assert found["lines"] == 3
    assert found["words per line"] == pytest.approx(7 / 3)
    assert found["syllables per line"] == pytest.approx(10 / 3)  # strength 1, over 2, me 1; then 3 and 3
    assert found["syllables of the longest line"] == 4
    assert found["syllables per word"] == pytest.approx(10 / 7)
    assert found["phones per syllable"] == pytest.approx((7 + 3 * (3 + 2)) / 10)  # OW V ER, M IY
    assert found["share of syllables with clusters"] == pytest.approx(1 / 10)
    assert found["share of rare words"] == 0
    assert found["share of repeated words"] == pytest.approx(1 - 3 / 7)
    assert found["share of repeated lines"] == pytest.approx(1 / 3)


def test_frequencies_are_those_of_wordfreq() -> None:
    for word in ("the", "love", "reservoir", "don't", "moonlight"):
        assert zipf_frequency(word) == pytest.approx(zipf_of_wordfreq(word, "en"), abs=0.05)  # it rounds
    assert zipf_frequency("zyzzyvas") == UNLISTED < RARE
    assert zipf_frequency("love'") == zipf_frequency("love")


def test_rare_words_are_told_from_common_ones() -> None:
    found = figures("love the dulcimer steeple")
    assert found["share of rare words"] == 0.5
    by_hand = [zipf_of_wordfreq("love", "en"), zipf_of_wordfreq("the", "en"), UNLISTED, UNLISTED]
    assert found["word frequency"] == pytest.approx(np.mean(by_hand), abs=0.01)


def test_capitals_and_marks_change_nothing() -> None:
    plain = measure_lyrics("the river runs\nso far away")
    np.testing.assert_array_equal(measure_lyrics("The RIVER, runs!\r\n… so far — away?"), plain)


@pytest.mark.parametrize("lyrics", ["", " \n ", "🎶🎵", "你好 世界", "[verse]\n(oh yeah)", "\ud800", "\x00", "''''"])
def test_nothing_to_sing_is_zeros(lyrics: str) -> None:
    np.testing.assert_array_equal(measure_lyrics(lyrics), np.zeros(len(NAMES)))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_finite_figures(lyrics: str) -> None:
    found = measure_lyrics(lyrics)
    assert found.shape == (len(NAMES),) and np.isfinite(found).all() and (found >= 0).all()
    shares = [value for name, value in zip(NAMES, found, strict=True) if name.startswith("share")]
    assert all(share <= 1 for share in shares)


def test_the_longest_lyrics_take_no_time() -> None:
    for lyrics in ("q" * MAX_LYRICS, "ba " * (MAX_LYRICS // 3), "(" * MAX_LYRICS, "7" * MAX_LYRICS):
        start = time.perf_counter()
        assert all(math.isfinite(value) for value in measure_lyrics(lyrics))
        assert time.perf_counter() - start < 5  # seconds; all of them took 0.4 together
