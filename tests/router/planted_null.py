"""Genres that need different compositions, which no feature tells: captions of one genre are alike, but what a genre
needs has nothing to do with them."""

from __future__ import annotations

import numpy as np

from router.examples import Examples
from router.features import Features
from router.prompt import RouterPrompt
from tests.router.planted_world import WORDS, lattice_of_songs


def make_null(
    seed: int, genres: int = 12, each: int = 6, seeds: int = 2, effect: float = 0.12
) -> tuple[Examples, Features]:
    """WER of base .5; of three others .5 and an effect of the genre, and a smaller one of the prompt."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(genres), each)
    sentences = rng.normal(size=(genres, 16))[owner] + rng.normal(size=(len(owner), 16)) * 0.4
    sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
    features = Features(sentences.astype(np.float32), rng.normal(size=(len(owner), 3)))
    rates = np.full((4, len(owner)), 0.5)
    rates[1:] += effect * rng.normal(size=(3, genres))[:, owner] + effect / 3 * rng.normal(size=(3, len(owner)))
    errors = rng.binomial(WORDS, np.clip(rates, 0.02, 0.98)[..., None], (*rates.shape, seeds))
    texts = tuple(RouterPrompt(caption=f"a song {i}") for i in range(len(owner)))
    return Examples("judge 0", texts, lattice_of_songs(errors, owner)), features
