"""How well the attention heads of a song model follow the words: word-argmax accuracy against the plan's timings.

Each frame's cross-attention is summed over the tokens of every word; the frame counts as right where the word with most
of it is the word the plan sings there. Only frames inside words count, and only planned models have known timings. The
null is the same map read with the words of the song permuted, told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.request import SongRequest
    from engine.singer import Singer
    from engine.song import Step


@dataclass(frozen=True)
class HeadAccuracy:
    """One head over all measured songs. ``chance``: the same maps with the words of each song permuted."""

    layer: int
    head: int
    accuracy: float
    chance: float
    frames: int


def word_of_tokens(lyrics: str, tokens: int) -> NDArray[np.int64]:
    """The word each conditioning token belongs to, [tokens]; -1 for tags, line breaks, timbre and caption.

    Of the embedded tokenizer, as only planned models have known timings. The lyric tokens come first in an ACE-Step
    conditioning sequence.
    """
    from engine.lyric_map import map_embedded

    words = np.full(tokens, -1, np.int64)
    own = map_embedded(lyrics).word_of_tokens[:tokens]
    words[: len(own)] = own
    return words


def word_of_frames(plan: Plan) -> NDArray[np.int64]:
    """The word sung in each latent frame of a plan, [frames]; -1 in rests."""
    words = np.full(plan.frames, -1, np.int64)
    for note in plan.notes:
        words[note.start : note.start + note.frames] = note.word
    return words


def word_accuracy(
    maps: NDArray[np.floating[Any]], tokens: NDArray[np.int64], frames: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of sung frames whose strongest word is the right one, per head.

    Args:
        maps: attention probabilities [heads, frames, tokens].
        tokens: word of each token, -1 for none.
        frames: word of each frame, -1 for none.

    Returns:
        [heads]; NaN where no frame is sung.
    """
    sung = frames >= 0
    if not sung.any() or not (tokens >= 0).any():
        return np.full(len(maps), np.nan)
    words = np.arange(tokens.max() + 1)
    members = (tokens[:, None] == words).astype(np.float64)  # [tokens, words]
    strongest = (np.asarray(maps, np.float64)[:, sung] @ members).argmax(-1)  # [heads, sung frames]
    right: NDArray[np.float64] = (strongest == frames[sung]).mean(-1)
    return right


def measure_alignment(singer: Singer, requests: Sequence[SongRequest], seed: int = 0) -> list[HeadAccuracy]:
    """Sing ``requests`` and score every head of every layer on its maps of the last denoising step, best head first.

    Raises:
        RequestError: a request cannot be sung.
    """
    from engine.request import AttentionWish

    watching = {"attention": AttentionWish(heads=singer.model.heads, steps="last")}
    random = np.random.default_rng(seed)
    right: dict[tuple[int, int], list[float]] = {}
    chance: dict[tuple[int, int], list[float]] = {}
    counts: list[int] = []
    for request in requests:
        steps: list[Step] = []
        plan = singer.sing(request.model_copy(update=watching), steps.append).plan
        assert plan is not None
        frames = word_of_frames(plan)
        counts.append(int((frames >= 0).sum()))
        shuffled = random.permutation(frames.max() + 1)
        for layer, watched in steps[-1].maps.items():
            maps = watched.cpu().numpy()
            tokens = word_of_tokens(request.lyrics, maps.shape[2])
            permuted = np.where(tokens >= 0, shuffled[np.maximum(tokens, 0)], -1)
            for found, words in ((right, tokens), (chance, permuted)):
                for head, accuracy in enumerate(word_accuracy(maps, words, frames)):
                    found.setdefault((layer, head), []).append(float(accuracy))
    weights = np.array(counts, float)
    return sorted(
        (
            HeadAccuracy(
                layer,
                head,
                float(np.average(values, weights=weights)),
                float(np.average(chance[layer, head], weights=weights)),
                int(weights.sum()),
            )
            for (layer, head), values in right.items()
        ),
        key=lambda h: -h.accuracy,
    )
