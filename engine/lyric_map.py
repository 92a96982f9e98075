"""Which word and line every lyric token belongs to: what attention over tokens needs to be read as attention to words.

Lyric tokens are the first of the packed conditioning, so a token's number here is its place there. Knows the embedded
tokenizer and real ones that tell offsets; knows no attention.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.conditioning import MAX_LYRIC_TOKENS, TokenKind, lyric_kinds, sung_text
from engine.lyrics import normalise, parse_lyrics
from engine.tokenizer import SongTokenizer, lyric_tokens


@dataclass(frozen=True)
class MappedToken:
    """One lyric token; ``word`` and ``line`` count over the song, -1 where there is none.

    Lines without a sung word are not counted. Of tokens that share one character the first has it as its ``text``.
    """

    text: str
    kind: TokenKind
    word: int = -1
    line: int = -1


@dataclass(frozen=True)
class LyricMap:
    """All lyric tokens in packed order, the words as typed, and the numbers of the words of each line."""

    tokens: tuple[MappedToken, ...]
    words: tuple[str, ...]
    lines: tuple[tuple[int, ...], ...]

    @cached_property
    def word_of_tokens(self) -> NDArray[np.int64]:
        """[tokens], -1 for tokens of no word."""
        return np.array([token.word for token in self.tokens], np.int64)


def map_lyrics(pipeline: Any, lyrics: str) -> LyricMap:
    """The lyric tokens of one song as ``pipeline`` packs them. Never raises on any text.

    A word is what stands between spaces outside of tags and holds a letter or digit. Where the embedded tokenizer reads
    one such run as several words ("42", "rock-n-roll"), these are words of their own in their spoken spelling.
    """
    if isinstance(pipeline.tokenizer, SongTokenizer):
        return map_embedded(lyrics)
    kinds = lyric_kinds(pipeline, lyrics)
    prompt, sung, spans = sung_text(pipeline, lyrics)
    words: list[str] = []
    word_at, line_at = [-1] * len(prompt), [-1] * len(prompt)
    lines = 0
    for line in re.finditer(r"[^\r\n]+", sung):
        runs = [run for run in re.finditer(r"\S+", line.group()) if any(c.isalnum() for c in run.group())]
        for run in runs:
            first, last = line.start() + run.start(), line.start() + run.end()
            word_at[first:last] = [len(words)] * (last - first)
            words.append(_trim(run.group()))
        if runs:
            line_at[line.start() : line.end()] = [lines] * len(line.group())
            lines += 1
    tokens, told = [], 0
    for kind, (first, last) in zip(kinds, spans, strict=True):
        letter = next((at for at in range(first, last) if kind == TokenKind.WORD and sung[at].isalnum()), None)
        word = -1 if letter is None else word_at[letter]
        at = letter if letter is not None else first
        tokens.append(MappedToken(prompt[max(first, told) : last], kind, word, line_at[at] if last > first else -1))
        told = max(told, last)
    return _collect(tokens, words)


def map_embedded(lyrics: str) -> LyricMap:
    """The same for the embedded tokenizer, which needs no pipeline."""
    lyrics = lyrics.strip()
    parsed = parse_lyrics(lyrics)
    tokens = [
        MappedToken(t.text, TokenKind.WORD if t.word >= 0 else TokenKind.STRUCTURE, t.word, t.line)
        for t in lyric_tokens(parsed)
    ]
    typed = [words for raw in lyrics.replace("\r", "\n").split("\n") for words in _as_typed(raw)]
    return _collect(tokens[:MAX_LYRIC_TOKENS], typed)


def _as_typed(raw: str) -> list[str]:
    """The sung words of one typed line, spelt as typed where one typed run is one word."""
    words = [word.text for line in parse_lyrics(raw).lines for word in line.words]
    at = 0
    for run in raw.split():  # what is not sung (tags, ad-libs) matches nothing and is passed over
        spoken = normalise(run).split()
        if spoken and words[at : at + len(spoken)] == spoken:
            if len(spoken) == 1:
                words[at] = _trim(run)
            at += len(spoken)
    return words


def _trim(run: str) -> str:
    """Without the punctuation around it; accents and vowel signs are part of a word."""
    kept = [at for at, c in enumerate(run) if unicodedata.category(c)[0] in "LNM"]
    return run[kept[0] : kept[-1] + 1] if kept else run


def _collect(tokens: Sequence[MappedToken], words: Sequence[str]) -> LyricMap:
    """Words and lines that have a token, numbered anew: what was cut off is not there."""
    used = sorted({t.word for t in tokens if t.word >= 0})
    word_number = {old: new for new, old in enumerate(used)}
    line_of = {t.word: t.line for t in reversed(tokens) if t.word >= 0}
    line_number = {old: new for new, old in enumerate(sorted(set(line_of.values())))}
    lines: list[list[int]] = [[] for _ in line_number]
    for word in used:
        lines[line_number[line_of[word]]].append(word_number[word])
    return LyricMap(
        tuple(MappedToken(t.text, t.kind, word_number.get(t.word, -1), line_number.get(t.line, -1)) for t in tokens),
        tuple(words[old] for old in used),
        tuple(map(tuple, lines)),
    )
