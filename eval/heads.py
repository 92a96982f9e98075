"""What every attention head of a song does with the lyrics: a handful of figures, each beside what chance would give.

Reads the pooled maps of one denoising step. Bins in which a head gives the tokens in question nothing at all are left
out; where none is left, or the song has no words, a figure is None. Of tokens with equal attention one is drawn, so
that a map that prefers nothing comes out at chance rather than on its first token.

What stands beside the figures is what they come to on average where attention knows nothing of the words, but for
``order_null``, a 95 % limit: sizes of a correlation have no mean of nought. ``lyric_mass_null`` is what falls on words
because most lyric tokens are words; how much falls on lyric tokens at all it takes as it is, so that it is not chance
over all conditioning tokens. The band of ``diagonal`` is at least two tokens to each side, so that in lyrics of few
words most of them lie within: it says nothing there, and is None where chance alone comes to more than a half.

Does not know what is sung when: a head that follows the words of a song with a long intro is off the straight way
through them, and pooling over time (above 256 frames) blurs. Whether the words came through is the judge's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.attention_maps import AttentionFrame, merge_words
from engine.conditioning import TokenKind
from engine.karaoke import ORDER_TOLERANCE, align_words
from engine.lyric_map import LyricMap

#: Half the width of the diagonal band: this share of the word tokens, and at least so many. Where it covers more of
#: them than the last, on average over time, it tells nothing.
BAND, MIN_BAND, MOST_BAND = 0.1, 2, 0.5
#: Shuffles that nulls are simulated with, and the quantile reported for a rank correlation, whose mean is nought.
SHUFFLES, ORDER_QUANTILE = 200, 0.95
#: Shuffles of the alignment score; half are drawn, the others are these in reverse.
ALIGNMENT_SHUFFLES = 10


@dataclass(frozen=True)
class HeadMeasures:
    """One head of one song; names as in ``HEAD_COLUMNS`` of ``eval.table``, where their meaning is told."""

    layer: int
    head: int
    lyric_mass: float | None
    lyric_mass_null: float | None
    entropy: float | None
    entropy_null: float | None
    dominant: float | None
    dominant_null: float | None
    dominant_token: str
    dominant_kind: str
    switch_rate: float | None
    switch_rate_null: float | None
    diagonal: float | None
    diagonal_null: float | None
    order: float | None
    order_null: float | None


class Alignment(NamedTuple):
    """ACE-Step's alignment score, and its mean with the tokens of words shuffled; None where there are no words."""

    score: float | None
    null: float | None


def measure_heads(frame: AttentionFrame, lyric_map: LyricMap, seed: int = 0) -> list[HeadMeasures]:
    """All measures of every head of a frame, in its order.

    Args:
        seed: of ties and shuffles; the same gives the same figures.

    Raises:
        ValueError: the maps are not of these lyrics.
    """
    maps = _checked(frame.maps, lyric_map)  # [heads, bins, lyric tokens]
    random = np.random.default_rng(seed)
    columns = _word_columns(lyric_map)
    words = np.take(maps, columns, axis=2)  # [heads, bins, word tokens]
    share = len(columns) / max(1, len(lyric_map.tokens))
    mass, kept = frame.lyric_mass.mean(1, np.float64), frame.kept_mass.mean(1, np.float64)
    entropy = _entropy(maps)
    strongest, strongest_word = _strongest(maps, random), _strongest(words, random)
    diagonal, by_chance = _diagonal(words)
    places = _shuffles(len(columns), random)
    nulls: dict[int, float] = {}
    out = []
    for at, (layer, head) in enumerate(frame.heads):
        visits = strongest[at][strongest[at] >= 0]
        dominant, token = _dominant(visits, len(lyric_map.tokens))
        if len(visits) not in nulls:
            nulls[len(visits)] = _dominant_by_chance(len(visits), len(lyric_map.tokens), random)
        switches, switches_null = _switches(visits)
        order, order_null = _order(strongest_word[at][strongest_word[at] >= 0], places)
        heard = len(visits) > 0
        out.append(
            HeadMeasures(
                layer,
                head,
                lyric_mass=float(mass[at]) if len(columns) else None,
                lyric_mass_null=float(kept[at]) * share if len(columns) else None,
                entropy=_number(entropy[at]),
                entropy_null=float(np.log(len(lyric_map.tokens))) if heard else None,
                dominant=dominant,
                dominant_null=nulls[len(visits)] if heard else None,
                dominant_token=name_token(lyric_map, token) if heard else "",
                dominant_kind=lyric_map.tokens[token].kind.name.lower() if heard else "",
                switch_rate=switches,
                switch_rate_null=switches_null,
                diagonal=_number(diagonal[at]),
                diagonal_null=_number(by_chance[at]),
                order=order,
                order_null=order_null,
            )
        )
    return out


def measure_alignment(
    maps: NDArray[np.floating[Any]],
    lyric_map: LyricMap,
    frame_rate: float,
    seed: int = 0,
    frames: int | None = None,
) -> Alignment:
    """ACE-Step's alignment score of some heads, and the same with the tokens of words shuffled.

    Args:
        maps: [heads, bins, lyric tokens] of the heads that follow the words; not renormalised.
        frame_rate: bins per second.
        frames: the model's frames that the bins stand for, as many as bins where None. What counts as in order is told
            in frames, so that without them a pooled map scores too well.

    Raises:
        ValueError: there is no head, fewer frames than bins, or the maps are not of these lyrics.
    """
    shuffled = _checked(maps, lyric_map).mean(0, keepdims=True)  # the score is that of the mean
    bins = maps.shape[1]
    if frames is not None and frames < bins:
        raise ValueError(f"{bins} bins cannot stand for {frames} frames")
    tolerance = ORDER_TOLERANCE * bins / (frames or max(bins, 1))
    told = align_words(shuffled, lyric_map, frame_rate, tolerance)
    if told.score is None:
        return Alignment(None, None)
    random, columns = np.random.default_rng(seed), _word_columns(lyric_map)
    shuffled, mean, nulls = shuffled.copy(), shuffled, list[float]()
    for _ in range(ALIGNMENT_SHUFFLES // 2):
        shuffled[..., columns] = mean[..., random.permutation(columns)]
        drawn = align_words(shuffled, lyric_map, frame_rate, tolerance)
        # its own null is the score in reverse, and a shuffle in reverse is another shuffle
        nulls += [score for score in (drawn.score, drawn.null) if score is not None]
    return Alignment(told.score, float(np.mean(nulls)))


def lyric_only(maps: NDArray[np.floating[Any]], lyric_map: LyricMap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Attention among the words alone, and how much was left out to see it.

    Args:
        maps: [heads, bins, lyric tokens], rows of sum one over all conditioning tokens.

    Returns:
        [heads, bins, words] with rows of sum one, nought where no word gets anything; and [heads, bins], the
        probability on everything that is no word: structure tokens, timbre and caption.

    Raises:
        ValueError: the maps are not of these lyrics.
    """
    merged = merge_words(_checked(maps, lyric_map), lyric_map)
    mass = merged.sum(-1)
    shares = (merged / np.where(mass > 0, mass, 1)[..., None]).astype(np.float32)
    return shares, np.clip(1 - mass, 0, 1).astype(np.float32)


def name_token(lyric_map: LyricMap, number: int) -> str:
    """A lyric token for people: control characters escaped, and its word where it is but a part of one."""
    token = lyric_map.tokens[number]
    text = token.text.strip(" ")
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text or repr(token.text)
    word = lyric_map.words[token.word] if token.word >= 0 else ""
    return f"{text} in {word}" if word and text.casefold() != word.casefold() else text


def _checked(maps: NDArray[np.floating[Any]], lyric_map: LyricMap) -> NDArray[np.float32]:
    if maps.ndim != 3 or maps.shape[2] != len(lyric_map.tokens):
        raise ValueError(f"maps {maps.shape} do not fit {len(lyric_map.tokens)} lyric tokens")
    return np.asarray(maps, np.float32)


def _word_columns(lyric_map: LyricMap) -> NDArray[np.intp]:
    return np.flatnonzero(np.array([token.kind == TokenKind.WORD for token in lyric_map.tokens], bool))


def _number(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean_over_bins(values: NDArray[np.floating[Any]], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Means of [heads, bins] over the bins that count; NaN where none does."""
    counts = counted.sum(1)
    sums = np.where(counted, values, 0).sum(1, dtype=np.float64)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _entropy(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over bins of the entropy of each row, renormalised: log S - sum(m log m) / S, in nats, [heads]."""
    mass = maps.sum(-1)
    counted = mass > 0
    safe = np.where(counted, mass, 1)
    products = np.einsum("hbt,hbt->hb", maps, np.log(np.where(maps > 0, maps, 1)))
    return _mean_over_bins(np.maximum(np.log(safe) - products / safe, 0), counted)


def _strongest(maps: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.int64]:
    """The token with most attention in every bin, [heads, bins], one of equals drawn; -1 where none has any."""
    if not maps.shape[2]:
        return np.full(maps.shape[:2], -1, np.int64)
    found = maps.argmax(-1)
    most = np.take_along_axis(maps, found[..., None], -1)
    tied = (maps == most).sum(-1) > 1
    equals = maps[tied] == most[tied]
    found[tied] = (equals * (1 - random.random(equals.shape, np.float32))).argmax(-1)
    return np.where(most[..., 0] > 0, found, -1)


def _dominant(visits: NDArray[np.int64], tokens: int) -> tuple[float | None, int]:
    if not len(visits):
        return None, -1
    counts = np.bincount(visits, minlength=tokens)
    return float(counts.max() / len(visits)), int(counts.argmax())


def _dominant_by_chance(bins: int, tokens: int, random: np.random.Generator) -> float:
    """Expected share of the most frequent of ``tokens`` in ``bins`` even draws: what permuting every bin comes to."""
    if not bins:
        return float("nan")
    drawn = random.integers(tokens, size=(SHUFFLES, bins)) + tokens * np.arange(SHUFFLES)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=SHUFFLES * tokens).reshape(SHUFFLES, tokens)
    return float(counts.max(1).mean() / bins)


def _switches(visits: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Share of neighbours that differ, and the exact expectation over all orders of the same visits."""
    if len(visits) < 2:
        return None, None
    counts = np.bincount(visits)
    same = (counts * (counts - 1)).sum() / (len(visits) * (len(visits) - 1))
    return float((np.diff(visits) != 0).mean()), float(1 - same)


def _diagonal(words: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over bins of the share of word attention within the band, and its exact expectation under shuffling; NaN
    where the band covers more than :data:`MOST_BAND` of the tokens.
    """
    heads, bins, count = words.shape
    nothing = np.full(heads, np.nan)
    if not count:
        return nothing, nothing
    way = np.linspace(0, count - 1, bins)  # token that the straight way has come to, [bins]
    band = abs(np.arange(count) - way[:, None]) <= max(MIN_BAND, BAND * count)  # [bins, tokens]
    if band.mean() > MOST_BAND:
        return nothing, nothing
    mass = words.sum(-1)
    counted = mass > 0
    near = np.einsum("hbw,bw->hb", words, band.astype(np.float32)) / np.where(counted, mass, 1)
    # a token is shuffled to any place alike, so that a bin's share comes to the share of places in the band
    chance = np.broadcast_to(band.mean(1), counted.shape)
    return _mean_over_bins(near, counted), _mean_over_bins(chance, counted)


def _shuffles(tokens: int, random: np.random.Generator) -> NDArray[np.int64]:
    """All tokens in order, and then in random orders, [1 + shuffles, tokens]."""
    return np.concatenate([np.arange(tokens)[None], random.random((SHUFFLES, tokens)).argsort(1)])


def _order(visits: NDArray[np.int64], places: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Spearman's rank correlation of bin and token, and the quantile of its size over shuffles of the tokens.

    A shuffle moves the ranks of whole tokens, so that how often each was visited and when is all that is needed.

    Args:
        places: the tokens in order of rank, [1 + shuffles, tokens], as they are first.
    """
    if len(visits) < 2:
        return None, None
    tokens = places.shape[1]
    counts = np.bincount(visits, minlength=tokens)
    if counts.max() == len(visits):
        return 0.0, 0.0
    times = np.arange(len(visits)) - (len(visits) - 1) / 2
    sums = np.bincount(visits, times, tokens)
    taken = counts[places]
    ranks = taken.cumsum(1) - (taken - 1) / 2 - (len(visits) + 1) / 2  # mean rank of the visits of each, centred
    spread = np.sqrt((times**2).sum() * np.einsum("st,st,st->s", taken, ranks, ranks))
    correlations = np.einsum("st,st->s", ranks, sums[places]) / spread
    return float(correlations[0]), float(np.quantile(abs(correlations[1:]), ORDER_QUANTILE))
