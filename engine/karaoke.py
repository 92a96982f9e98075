"""When each line and word is sung, read off the attention of the heads that follow the words.

Tells beside the times how far they can be trusted. Knows no audio: it tells when the model attends to a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.attention_maps import merge_words
from engine.conditioning import TokenKind
from engine.dtw import warp
from engine.lyric_map import LyricMap

#: A frame belongs to the word it is aligned to where the word gets at least this share of the most it gets in any frame
#: aligned to it; what is below is a silence around it.
SOUNDING = 0.2
#: Of a token, or a word, whose energy never rises above this the attention took no notice.
NOTICED = 0.1
#: Words from which on a map must follow them this much better forwards than backwards. Maps of heads that follow
#: nothing come to 1 +- 0.2; fewer words can be in order by chance.
MIN_WORDS, MIN_GAIN = 6, 1.25
#: Frames that a token's centre may come before that of the token before it and still be in order, and the energy below
#: which a frame does not weigh in a centre: as ACE-Step scores.
ORDER_TOLERANCE, _ORDER_ENERGY = 9.0, 0.01


class KaraokeWord(BaseModel):
    """A word as typed; ``start`` and ``end`` in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str
    start: float
    end: float


class KaraokeLine(BaseModel):
    """A line from its first word's start to its last word's end, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str
    start: float
    end: float
    words: tuple[KaraokeWord, ...]


class Karaoke(BaseModel):
    """Times of all words, or the ``reason`` why there are none, and then ``lines`` is empty.

    ``score``: ACE-Step's alignment score, 0 to 1, None where there are no words; ``null``: the score of the same map
    with the words in reverse, what a map that follows nothing gets; ``lyric_mass``: mean probability on words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    lines: tuple[KaraokeLine, ...] = ()
    score: float | None = None
    null: float | None = None
    lyric_mass: float = 0.0
    reason: str | None = None

    def to_lrc(self) -> str:
        """LRC: a line each, ``[mm:ss.xx]text``."""
        return "".join(f"[{_stamp(line.start)}]{line.text}\n" for line in self.lines)

    def to_enhanced_lrc(self) -> str:
        """LRC with a ``<mm:ss.xx>`` before each word, and one after the last."""
        out = []
        for line in self.lines:
            words = " ".join(f"<{_stamp(word.start)}> {word.text}" for word in line.words)
            out.append(f"[{_stamp(line.start)}] {words} <{_stamp(line.end)}>\n")
        return "".join(out)


def align_words(
    probabilities: torch.Tensor | NDArray[np.floating[Any]],
    lyric_map: LyricMap,
    frame_rate: float,
    tolerance: float = ORDER_TOLERANCE,
) -> Karaoke:
    """Times of the words by dynamic time warping through the mean map of all heads over the tokens of words.

    A word lasts from the first to the last of the frames aligned to it in which it gets a fifth of its peak or more, so
    silences belong to no word. A frame in which the path crosses several words belongs to the one with most attention;
    words that are left without a frame of their own share one.

    Args:
        probabilities: [heads, frames, tokens] of the heads that follow the words, at the last step; each row of sum one
            over all conditioning tokens, of which the lyric tokens come first.
        frame_rate: frames of ``probabilities`` per second.
        tolerance: how far back, in frames of ``probabilities``, a token is still in order for the score. It is meant
            for the model's own frames: where they are pooled into longer ones, give as much less.

    Raises:
        ValueError: there are more lyric tokens than tokens, or no head.
    """
    maps = torch.as_tensor(probabilities)
    heads, frames, tokens = maps.shape
    if len(lyric_map.tokens) > tokens or not heads:
        raise ValueError(f"maps {tuple(maps.shape)} do not fit {len(lyric_map.tokens)} lyric tokens")
    columns = [at for at, token in enumerate(lyric_map.tokens) if token.kind == TokenKind.WORD]
    if not columns or not frames:
        return Karaoke(reason="there are no words to sing")
    mean: NDArray[np.float32] = maps[..., columns].float().mean(0).cpu().numpy()  # [frames, word tokens]
    words = lyric_map.word_of_tokens[columns]
    energy = _normalise(mean)
    path, backward = warp(energy), warp(energy[:, ::-1])
    score = _score(energy, path, tolerance)
    null = _score(energy[:, ::-1], backward, tolerance)
    told = Karaoke(score=score, null=null, lyric_mass=float(mean.sum(1).mean()))
    count = len(lyric_map.words)
    noticed = len(np.unique(words[energy.max(0) > NOTICED]))
    if noticed * 2 <= count - (count == 1):
        return told.model_copy(update={"reason": f"the attention notices only {noticed} of {count} words"})
    gain = _gathered(energy, path) / max(_gathered(energy[:, ::-1], backward), 1e-9)
    if count >= MIN_WORDS and gain < MIN_GAIN:
        return told.model_copy(update={"reason": "the attention follows the words no better forwards than backwards"})
    full = np.zeros((frames, len(lyric_map.tokens)), np.float32)
    full[:, columns] = mean
    spans = _spans(path, words, merge_words(full, lyric_map)) / frame_rate
    return told.model_copy(update={"lines": _lines(lyric_map, spans)})


def _normalise(mean: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(mean.min()), float(mean.max())
    return (mean - low) / max(high - low, 1e-6)


def _gathered(energy: NDArray[np.float32], path: NDArray[np.int64]) -> float:
    return float(np.square(energy[path[:, 0], path[:, 1]], dtype=np.float64).sum())


def _score(energy: NDArray[np.float32], path: NDArray[np.int64], tolerance: float) -> float:
    """coverage^2 * monotonicity^2 * confidence, as ACE-Step scores how lyrics are aligned."""
    coverage = float((energy.max(0) > NOTICED).mean())
    weights = np.where(energy > _ORDER_ENERGY, energy, 0).astype(np.float64)
    mass = weights.sum(0)
    heard = mass > 1e-9
    centres = (np.arange(len(energy)) @ weights)[heard] / mass[heard]
    in_order = float((np.diff(centres) >= -tolerance).mean()) if len(centres) > 1 else 1.0
    confidence = float(energy[path[:, 0], path[:, 1]].mean())
    return coverage**2 * in_order**2 * confidence


def _spans(path: NDArray[np.int64], words: NDArray[np.int64], mass: NDArray[np.float32]) -> NDArray[np.float64]:
    """First frame and end of every word, [words, 2]; ``mass`` [frames, words]."""
    visits = np.unique(np.stack([path[:, 0], words[path[:, 1]]], 1), axis=0)  # frame and word, in order
    here = mass[visits[:, 0], visits[:, 1]]
    # of each frame's visits the one with most attention, the last of equals
    order = np.lexsort((np.arange(len(here)), here, visits[:, 0]))
    last = np.flatnonzero(np.diff(visits[order, 0], append=-1))
    owner = visits[order[last], 1]  # [frames]
    spans = np.empty((mass.shape[1], 2))
    crowds: dict[int, list[int]] = {}  # frames with words that own none
    for word in range(mass.shape[1]):
        own = np.flatnonzero(owner == word)
        if len(own):
            sounding = own[mass[own, word] >= SOUNDING * mass[own, word].max()]
            spans[word] = sounding[0], sounding[-1] + 1
        else:
            mine = visits[:, 1] == word
            frame = int(visits[mine, 0][here[mine].argmax()])
            crowds.setdefault(frame, []).append(word)
    for frame, crowd in crowds.items():
        host = int(owner[frame])
        sharing = sorted([*crowd, host])
        part = 1 / len(sharing)
        for place, word in enumerate(sharing):
            span = frame + place * part, frame + (place + 1) * part
            if word != host:
                spans[word] = span
            elif crowd[0] < host:  # it begins where they end; else it ends where they begin
                spans[word, 0] = max(spans[word, 0], span[0])
            if word == host and crowd[-1] > host:
                spans[word, 1] = min(spans[word, 1], span[1])
    return spans


def _lines(lyric_map: LyricMap, spans: NDArray[np.float64]) -> tuple[KaraokeLine, ...]:
    lines = []
    for numbers in lyric_map.lines:
        words = tuple(
            KaraokeWord(text=lyric_map.words[n], start=round(float(spans[n, 0]), 3), end=round(float(spans[n, 1]), 3))
            for n in numbers
        )
        text = " ".join(word.text for word in words)
        lines.append(KaraokeLine(text=text, start=words[0].start, end=words[-1].end, words=words))
    return tuple(lines)


def _stamp(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"
