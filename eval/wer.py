"""Word and character error rates of one song, pooled over many, with intervals.

Knows words and counts only: not who sang, who judged, or why. Rates are never capped here: a judge that hears many
words too many gives a rate above one.

A song without words to sing has no error rate. So that one such song in a table neither crashes nor weighs for ever,
its rate is by definition 0.0 when nothing was heard and 1.0 when anything was; pooled, it adds its errors and no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jiwer
import numpy as np
from numpy.typing import NDArray

from eval.text import heard_words, reference_words

#: Resamples drawn at a time: 10 000 at once over a large table would take gigabytes.
_CHUNK = 500


@dataclass(frozen=True)
class WordPair:
    """One step of the alignment: a reference word, a heard word, or both; the absent side is empty."""

    kind: Literal["equal", "substitute", "delete", "insert"]
    reference: str
    heard: str


@dataclass(frozen=True)
class WordErrors:
    """What one judge made of one song."""

    wer: float
    cer: float

    # words
    substitutions: int
    deletions: int
    insertions: int
    hits: int
    reference_words: int
    heard_words: int

    # characters, blanks between words included
    character_errors: int
    reference_characters: int

    alignment: tuple[WordPair, ...]

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def mer(self) -> float:
        """Match error rate: errors among all steps of the alignment, at most 1 (Morris et al. 2004)."""
        return self.errors / max(1, self.hits + self.errors)


@dataclass(frozen=True)
class Interval:
    """An estimate and a bootstrap percentile interval around it."""

    estimate: float
    low: float
    high: float
    level: float


def score(lyrics: str, transcript: str) -> WordErrors:
    """Align what was heard with what was to be sung. Never fails, whatever the two texts hold."""
    reference, heard = reference_words(lyrics), heard_words(transcript)
    if not reference:  # jiwer divides by one here and calls the count a rate
        return _nothing_to_sing(heard)
    words = jiwer.process_words(" ".join(reference), " ".join(heard))
    characters = jiwer.process_characters(" ".join(reference), " ".join(heard))
    character_errors = characters.substitutions + characters.deletions + characters.insertions
    return WordErrors(
        wer=float(words.wer),
        cer=float(characters.cer),
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        hits=words.hits,
        reference_words=len(reference),
        heard_words=len(heard),
        character_errors=character_errors,
        reference_characters=len(" ".join(reference)),
        alignment=_pairs(words, reference, heard),
    )


def micro_wer(errors: Sequence[WordErrors]) -> float:
    """Errors over reference words, all songs together: long songs count more. Uncapped."""
    return _rate(sum(e.errors for e in errors), sum(e.reference_words for e in errors))


def micro_cer(errors: Sequence[WordErrors]) -> float:
    """Like :func:`micro_wer`, over characters."""
    return _rate(sum(e.character_errors for e in errors), sum(e.reference_characters for e in errors))


def macro_wer(errors: Sequence[WordErrors]) -> float:
    """Mean of the songs' rates: every song counts the same. Uncapped, so one endless loop can carry it far."""
    return sum(e.wer for e in errors) / len(errors) if errors else 0.0


def macro_cer(errors: Sequence[WordErrors]) -> float:
    """Like :func:`macro_wer`, over characters."""
    return sum(e.cer for e in errors) / len(errors) if errors else 0.0


def bootstrap_interval(
    errors: Sequence[WordErrors],
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    clusters: Sequence[str] | None = None,
) -> Interval:
    """Percentile interval of the micro WER, resampling whole clusters with replacement.

    Give ``clusters`` (the prompt each song was sung from) whenever a prompt was sung more than once: songs of one
    prompt fail together, and treating them as independent makes the interval too narrow.

    Raises:
        ValueError: nothing to resample, or ``clusters`` and ``errors`` differ in length, or a level outside (0, 1).
    """
    if not errors:
        raise ValueError("no songs to resample: score at least one before asking for an interval")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, 0.95 being usual")
    if clusters is not None and len(clusters) != len(errors):
        raise ValueError(f"{len(clusters)} clusters for {len(errors)} songs: give one cluster per song")
    totals = _cluster_totals(errors, clusters)  # [clusters, 2]
    rng = np.random.default_rng(seed)
    count = len(totals)
    rates = np.empty(resamples)
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        drawn = totals[rng.integers(0, count, size=(size, count))].sum(axis=1)  # [size, 2]
        rates[start : start + size] = _rates(drawn[:, 0], drawn[:, 1])
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(micro_wer(errors), float(low), float(high), level)


def _pairs(words: jiwer.WordOutput, reference: list[str], heard: list[str]) -> tuple[WordPair, ...]:
    pairs: list[WordPair] = []
    for chunk in words.alignments[0]:
        left = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "insert":
            pairs += [WordPair("insert", "", word) for word in right]
        elif chunk.type == "delete":
            pairs += [WordPair("delete", word, "") for word in left]
        else:
            kind: Literal["equal", "substitute"] = "equal" if chunk.type == "equal" else "substitute"
            pairs += [WordPair(kind, a, b) for a, b in zip(left, right, strict=True)]
    return tuple(pairs)


def _nothing_to_sing(heard: list[str]) -> WordErrors:
    rate = 1.0 if heard else 0.0
    return WordErrors(
        wer=rate,
        cer=rate,
        substitutions=0,
        deletions=0,
        insertions=len(heard),
        hits=0,
        reference_words=0,
        heard_words=len(heard),
        character_errors=len(" ".join(heard)),
        reference_characters=0,
        alignment=tuple(WordPair("insert", "", word) for word in heard),
    )


def _rate(errors: int, words: int) -> float:
    if words == 0:
        return 1.0 if errors else 0.0
    return errors / words


def _rates(errors: NDArray[np.int64], words: NDArray[np.int64]) -> NDArray[np.float64]:
    """:func:`_rate` over arrays."""
    rates: NDArray[np.float64] = np.where(words > 0, errors / np.maximum(words, 1), (errors > 0).astype(float))
    return rates


def _cluster_totals(errors: Sequence[WordErrors], clusters: Sequence[str] | None) -> NDArray[np.int64]:
    """Errors and reference words of each cluster, [clusters, 2], in order of first appearance, for repeatability."""
    names = clusters if clusters is not None else [str(i) for i in range(len(errors))]
    rows: dict[str, list[int]] = {}
    for name, error in zip(names, errors, strict=True):
        row = rows.setdefault(name, [0, 0])
        row[0] += error.errors
        row[1] += error.reference_words
    return np.array(list(rows.values()), dtype=np.int64)
