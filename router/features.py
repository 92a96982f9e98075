"""What a router knows of a prompt: a vector of its caption and tags, and figures of its lyrics.

Knows neither songs nor results. Lyric figures are raw; whoever fits brings them to scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.lyric_statistics import NAMES, measure_lyrics
from router.prompt import RouterPrompt
from router.sentences import SentenceModel


@dataclass(frozen=True)
class Features:
    """``sentences`` [n, width] float32: unit vectors, zeros where a prompt has neither caption nor tags; ``lyrics``
    [n, k] float64: one column for each of ``lyric_statistics.NAMES``. All finite."""

    sentences: NDArray[np.float32]
    lyrics: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.sentences) != len(self.lyrics):
            raise ValueError(f"{len(self.sentences)} sentence vectors but lyric figures of {len(self.lyrics)} prompts")

    def __len__(self) -> int:
        return len(self.sentences)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp] | Sequence[int]) -> Features:
        """Those of some prompts, by a mask [n] or by indices."""
        chosen = np.asarray(rows)
        if not chosen.size:  # numpy makes floats of an empty list
            chosen = chosen.astype(np.intp)
        return Features(self.sentences[chosen], self.lyrics[chosen])


class Featuriser:
    """Describes prompts in the same way for fitting and for asking."""

    def __init__(self, sentences: SentenceModel) -> None:
        self.sentences = sentences

    def describe(self, prompts: Sequence[RouterPrompt]) -> Features:
        """Features of ``prompts``, in their order."""
        lyrics = np.array([measure_lyrics(prompt.lyrics) for prompt in prompts], np.float64)
        return Features(
            self.sentences.encode([prompt.description for prompt in prompts]), lyrics.reshape(len(prompts), len(NAMES))
        )
