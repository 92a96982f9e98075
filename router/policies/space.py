"""The space in which prompts are near or far: sentence vectors and lyric figures brought to one scale.

Means, scales and directions are those of the prompts it was fitted to. Knows nothing of gains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.features import Features

#: Directions of the sentence vectors that are kept; of 300 captions they hold nearly all that two captions share.
MOST_DIRECTIONS = 48
#: Lyric figures count as no odder than this many standard deviations: what nobody measured must not be far out.
MOST_DEVIATIONS = 3.0
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Space:
    """The main directions of the centred sentence vectors, with a mean squared length of 1, and beside them the lyric
    figures, with one of 1 as well. A prompt without a caption stands where the mean caption does."""

    sentence_mean: NDArray[np.float64]
    directions: NDArray[np.float64]  # [width, kept], scaled
    lyric_mean: NDArray[np.float64]
    lyric_scale: NDArray[np.float64]

    def place(self, features: Features, lyrics_weight: float = 1.0) -> NDArray[np.float64]:
        """Coordinates of prompts, [n, kept + lyric statistics]; ``lyrics_weight``: of the lyric figures."""
        said = features.sentences.any(1, keepdims=True)
        centred = np.where(said, features.sentences - self.sentence_mean, 0.0)
        deviations = (features.lyrics - self.lyric_mean) * self.lyric_scale
        most = MOST_DEVIATIONS / np.sqrt(max(1, int((self.lyric_scale > 0).sum())))
        return np.hstack([centred @ self.directions, lyrics_weight * np.clip(deviations, -most, most)])


def fit_space(features: Features) -> Space:
    """The space of some prompts, by principal components of their sentence vectors; constant figures are left out."""
    from sklearn.decomposition import PCA

    said = features.sentences.any(1)
    sentences = features.sentences[said].astype(np.float64)
    width = features.sentences.shape[1]
    mean, directions = np.zeros(width), np.zeros((width, 0))
    if len(sentences):
        mean = sentences.mean(0)
        length = np.sqrt(((sentences - mean) ** 2).sum(1).mean())
        if length > _TINY:
            kept = min(MOST_DIRECTIONS, len(sentences) - 1, width)
            directions = PCA(kept, svd_solver="full").fit(sentences).components_.T / length
    deviation = features.lyrics.std(0)
    varies = deviation > _TINY * (1 + np.abs(features.lyrics).max(0, initial=0.0))
    scale = np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0) / np.sqrt(max(1, int(varies.sum())))
    return Space(mean, directions, features.lyrics.mean(0), scale)
