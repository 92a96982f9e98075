"""Plain figures of lyrics that bear on how hard they are to sing clearly. Knows nothing of captions or of songs.

Lines, words and syllables are those that can be sung (``engine.lyrics``): section tags, ad-libs in brackets and other
scripts count for nothing. How often a word is used comes from ``wordfreq`` (Speer 2022, doi:10.5281/zenodo.7199437).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.lyrics import Lyrics, Word, parse_lyrics

#: Columns of :func:`measure_lyrics`.
NAMES: tuple[str, ...] = (
    "lines",
    "words per line",
    "syllables per line",
    "syllables of the longest line",
    "syllables per word",
    "phones per syllable",
    "share of syllables with clusters",
    "share of rare words",
    "word frequency",
    "share of repeated words",
    "share of repeated lines",
)
#: Words used less often than ten times in a million (Zipf frequency 4; van Heuven et al. 2014) are rare.
RARE = 4.0
#: The Zipf frequency of words that wordfreq's list of 29,000 lacks: all in it are used at least once in a million.
UNLISTED = 3.0


def measure_lyrics(lyrics: str) -> NDArray[np.float64]:
    """[len(NAMES)] figures, in the order of ``NAMES``, of any text; all finite, and zeros where nothing can be sung.

    A cluster is two or more consonants before or after the vowel. A word's frequency is Zipf's, log10 of its uses in
    a thousand million words, the mean over all words. Repeated are words, or lines, that came before.
    """
    return np.array(_measure(parse_lyrics(lyrics)), np.float64)


def _measure(sung: Lyrics) -> tuple[float, ...]:
    words, lines = sung.words, sung.lines
    if not words:
        return (0.0,) * len(NAMES)
    syllables = [syllable for word in words for syllable in word.syllables]
    clusters = sum(len(syllable.onset) > 1 or len(syllable.coda) > 1 for syllable in syllables)
    frequencies = [zipf_frequency(word.text) for word in words]
    return (
        len(lines),
        len(words) / len(lines),
        len(syllables) / len(lines),
        max(line.syllables for line in lines),
        len(syllables) / len(words),
        sum(len(syllable.phones) for syllable in syllables) / len(syllables),
        clusters / len(syllables),
        sum(frequency < RARE for frequency in frequencies) / len(words),
        sum(frequencies) / len(words),
        _repeated(_texts(words)),
        _repeated([tuple(_texts(line.words)) for line in lines]),
    )


@lru_cache(maxsize=65536)
def zipf_frequency(word: str) -> float:
    """log10 of how often a thousand million English words hold the lower-case ``word``, at least ``UNLISTED``."""
    frequency = _frequencies().get(word) or _frequencies().get(word.strip("'"), 0.0)
    return max(UNLISTED, math.log10(frequency) + 9) if frequency else UNLISTED


@lru_cache(maxsize=1)
def _frequencies() -> dict[str, float]:
    from wordfreq import get_frequency_dict

    return get_frequency_dict("en", wordlist="small")


def _texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


def _repeated(things: Sequence[object]) -> float:
    return 1 - len(set(things)) / len(things)
