"""A kept attention map as a picture: the heads that follow the words, at the last step that was kept.

Knows which heads and step are drawn; the drawing itself is ``eval.panels``.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from engine.attention_maps import AttentionRecord
from engine.errors import ChoirmasterError
from eval.heads import lyric_only


class NothingToDraw(ChoirmasterError):
    """A record of maps holds no word or no step."""


def draw_record(record: AttentionRecord, alignment_heads: Collection[tuple[int, int]]) -> bytes:
    """A PNG, 1100 pixels wide, with the share of every word in the attention on words, and how much lies elsewhere.

    Args:
        alignment_heads: those that are averaged, as far as they were kept; all that were, where none of them was.

    Raises:
        NothingToDraw: there is no word or no step.
    """
    from eval.panels import draw_compositions

    if not record.lyric_map.words or not record.recorded or not record.heads:
        raise NothingToDraw("the maps hold no word that attention could be on: ask for format=npz or json")
    frame = record.recorded[-1]
    rows = [at for at, head in enumerate(record.heads) if head in alignment_heads]
    which = "heads that follow the words" if rows else "heads that were kept"
    mean = np.mean([frame.maps[at].astype(np.float32) for at in rows or range(len(record.heads))], axis=0)
    words, elsewhere = lyric_only(mean[None], record.lyric_map)
    title = f"mean of the {len(rows) or len(record.heads)} {which}, step {frame.step}"
    return draw_compositions({title: words[0]}, record.lyric_map.words, record.edges, {title: float(elsewhere.mean())})
