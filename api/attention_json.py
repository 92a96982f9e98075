"""Attention maps that were kept, as JSON for whoever draws them: names in the open, numbers as packed float16.

Knows a record of maps; knows neither songs nor HTTP.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from engine.attention_maps import AttentionRecord
from engine.live_maps import LEAST_BINS, coarsen

#: Maps that one answer may hold. What is more loses steps first, then moments.
MOST_MEGABYTES = 16.0


class Token(BaseModel):
    """A lyric token; ``word`` and ``line`` count over the song, -1 where there is none."""

    text: str
    kind: str = Field(description="word, or structure: a section tag or a marker.", examples=["word"])
    word: int
    line: int


class AttentionMaps(BaseModel):
    """Which lyric token each moment looked at, by step and head; ``data``: base64 of little-endian float16."""

    words: list[str]
    tokens: list[Token]
    heads: list[tuple[int, int]] = Field(description="Layer and head of each map.")
    alignment_heads: list[tuple[int, int]] = Field(description="Those of this model that follow the words.")
    steps: list[int] = Field(description="The denoising steps that were kept, counted from 1.")
    edges: list[float] = Field(description="Seconds at which the moments begin, and the end.")
    shape: tuple[int, int, int, int] = Field(description="Steps, heads, moments, tokens.")
    data: str
    lyric_mass: list[list[list[float]]] = Field(description="Of each moment the attention on tokens of words.")
    kept_mass: list[list[list[float]]] = Field(description="Of each moment the attention on all lyric tokens.")


def pack_record(record: AttentionRecord, alignment_heads: Collection[tuple[int, int]]) -> dict[str, Any]:
    """A record as :class:`AttentionMaps`, made to fit.

    Args:
        alignment_heads: layer and head of those of the model that follow the words.
    """
    record = fit_record(record)
    bins = len(record.edges) - 1
    shape = (len(record.recorded), len(record.heads), bins, len(record.lyric_map.tokens))
    maps = [frame.maps.astype("<f2").tobytes() for frame in record.recorded]
    return {
        "words": list(record.lyric_map.words),
        "tokens": [
            {"text": token.text, "kind": token.kind.name.lower(), "word": token.word, "line": token.line}
            for token in record.lyric_map.tokens
        ],
        "heads": [list(head) for head in record.heads],
        "alignment_heads": [list(head) for head in sorted(alignment_heads)],
        "steps": [frame.step for frame in record.recorded],
        "edges": record.edges.round(4).tolist(),
        "shape": list(shape),
        "data": base64.b64encode(b"".join(maps)).decode("ascii"),
        "lyric_mass": [_numbers(frame.lyric_mass) for frame in record.recorded],
        "kept_mass": [_numbers(frame.kept_mass) for frame in record.recorded],
    }


def fit_record(record: AttentionRecord, megabytes: float = MOST_MEGABYTES) -> AttentionRecord:
    """As many steps as fit, always the last; where that alone is too large, with its moments averaged into fewer."""
    record = record.thin(megabytes)
    size = sum(frame.nbytes for frame in record.recorded)
    bins = len(record.edges) - 1
    fitting = max(LEAST_BINS, int(bins * megabytes * 1e6 // max(size, 1)))
    if fitting >= bins:
        return record
    return replace(record, recorded=tuple(coarsen(frame, record.frames, fitting) for frame in record.recorded))


def _numbers(mass: NDArray[np.float16]) -> list[list[float]]:
    """Shares to four digits: a float16 holds no more."""
    found: list[list[float]] = np.nan_to_num(mass.astype(np.float64)).round(4).tolist()
    return found
