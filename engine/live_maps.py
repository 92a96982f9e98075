"""Attention maps as small as they have to be where there are too many: heads are left out, moments are averaged.

All heads of a model of 24 layers with 16 heads each, over 256 moments and 512 lyric tokens, are 101 MB at every step,
and 134 MB as base64. Whoever follows a song is told less; what is kept of the song is not touched by that. Knows maps;
knows neither songs nor listeners.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.attention_maps import AttentionFrame, bin_edges

#: Numbers of maps that are told at a step, 4 MB: sixteen heads over 256 moments and 512 tokens.
MOST_VALUES = 1 << 21
#: Moments that are left however large a map is.
LEAST_BINS = 16


@dataclass(frozen=True)
class LiveView:
    """What is told of maps while a song is sung: heads by their ``places`` among the ``watched``, in ``bins`` of the
    ``moments`` there are."""

    places: tuple[int, ...]
    watched: int
    bins: int
    moments: int
    aligned: bool

    @property
    def limit(self) -> str | None:
        """What is left out, in words; None where nothing is."""
        parts, one = [], False
        if len(self.places) < self.watched:
            one = len(self.places) == 1
            which = ("head" if one else "heads") + self.aligned * f" that follow{'s' * one} the words"
            parts.append(f"{len(self.places)} {which}, of {self.watched} that are watched")
        if self.bins < self.moments:
            parts.append(f"{self.bins} moments instead of {self.moments}")
        if not parts:
            return None
        verb = "is" if one else "are"
        return (
            f"the maps of a step are too large to be sent while the song is sung; shown {verb} {', and '.join(parts)}"
        )

    def reduce(self, frame: AttentionFrame, frames: int) -> AttentionFrame:
        """A step's maps as they are told; ``frames``: how many the moments were pooled from."""
        if len(self.places) < len(frame.heads):
            chosen = list(self.places)
            frame = AttentionFrame(
                frame.step,
                tuple(frame.heads[place] for place in chosen),
                frame.maps[chosen],
                frame.lyric_mass[chosen],
                frame.kept_mass[chosen],
            )
        return coarsen(frame, frames, self.bins)


def choose_view(
    heads: Sequence[tuple[int, int]],
    aligned: Collection[tuple[int, int]],
    moments: int,
    tokens: int,
    most: int = MOST_VALUES,
) -> LiveView:
    """What to tell of maps [heads, moments, tokens], ``most`` numbers at a step.

    All heads where they fit; else only those that follow the words, or the first where none of those is watched. Where
    these are too large too, their moments are averaged into fewer, and the last heads left out where 16 moments of all
    of them do not fit.
    """
    tokens = max(tokens, 1)
    places = list(range(len(heads)))
    follow = [place for place in places if heads[place] in aligned]
    if len(heads) * moments * tokens > most:
        places = (follow or places)[: max(1, most // (min(LEAST_BINS, moments) * tokens))]
    fitting = most // (max(len(places), 1) * tokens)
    bins = min(moments, max(LEAST_BINS, fitting))
    return LiveView(tuple(places), len(heads), bins, moments, bool(follow))


def coarsen(frame: AttentionFrame, frames: int, bins: int) -> AttentionFrame:
    """The same maps in at most ``bins`` moments, each the mean over its time; ``frames``: of the whole song."""
    moments = frame.maps.shape[1]
    if bins >= moments:
        return frame
    pooling = _pooling(frames, moments, bins)
    masses = [
        (pooling @ mass.astype(np.float32).T).T.astype(np.float16) for mass in (frame.lyric_mass, frame.kept_mass)
    ]
    # head by head, so that no second copy of all maps is made in a larger type
    maps = np.stack([(pooling @ head.astype(np.float32)).astype(np.float16) for head in frame.maps])
    return AttentionFrame(frame.step, frame.heads, maps, *masses)


def _pooling(frames: int, bins: int, fewer: int) -> NDArray[np.float32]:
    """[fewer, bins]: how much of each of ``fewer`` moments lies in each of ``bins``; rows of sum one."""
    old, new = bin_edges(frames, bins), bin_edges(frames, fewer)
    shared = np.minimum(new[1:, None], old[None, 1:]) - np.maximum(new[:-1, None], old[None, :-1])
    pooling: NDArray[np.float32] = (np.maximum(shared, 0) / np.diff(new)[:, None]).astype(np.float32)
    return pooling
