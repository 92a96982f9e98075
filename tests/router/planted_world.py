"""Prompts of genres of two kinds, one repaired by composition x and broken by y, the other the other way round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice
from router.examples import Examples
from router.features import Features
from router.prompt import RouterPrompt

NAMES = ("base", "x=1", "y=1", "random=1", "x=0.5,y=0.5")
WORDS = 24


def true_rates(kinds: NDArray[np.int64], effect: float, compositions: int = 4) -> NDArray[np.float64]:
    """WER of each composition for prompts of each kind, [compositions, prompts]: base .5, a control .6, a blend .5."""
    rates = np.full((5, len(kinds)), 0.5)
    rates[1] = np.where(kinds == 0, 0.5 - effect, 0.5 + effect)
    rates[2] = np.where(kinds == 1, 0.5 - effect, 0.5 + effect)
    rates[3] = 0.6
    return rates[:compositions]


def make_world(
    effect: float = 0.3,
    genres: int = 12,
    each: int = 3,
    seeds: int = 4,
    compositions: int = 4,
    judges: int = 2,
    seed: int = 0,
    balanced: bool = False,
) -> tuple[Examples, Features, dict[str, Lattice]]:
    """Examples, their features, and what each judge heard of the same songs. Every third genre is of the other
    kind, of ``balanced`` ones every second; sentences tell the kind beside much else, lyric figures nothing."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(genres), each)
    kinds = owner % 2 if balanced else (owner % 3) // 2
    mids = rng.normal(size=(2, 16))[kinds] * 0.8 + rng.normal(size=(genres, 16))[owner] * 0.5
    sentences = mids + rng.normal(size=(len(owner), 16)) * 0.4
    sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
    features = Features(sentences.astype(np.float32), rng.normal(size=(len(owner), 3)) * [1, 10, 0] + 2)
    rates = np.clip(true_rates(kinds, effect, compositions) + rng.normal(size=len(owner)) * 0.05, 0.02, 0.98)
    shape = (*rates.shape, seeds)
    songs = rng.beta(*(np.broadcast_to(8 * r[..., None], shape) for r in (rates, 1 - rates)))
    lattices = {f"judge {j}": lattice_of_songs(rng.binomial(WORDS, songs), owner) for j in range(judges)}
    texts = tuple(RouterPrompt(caption=f"a song {i}") for i in range(len(owner)))
    return Examples("judge 0", texts, lattices["judge 0"]), features, lattices


def make_middle_world(genres: int = 24, each: int = 2, seeds: int = 4) -> tuple[Examples, Features, dict[str, Lattice]]:
    """Genres along a line: x repairs one end, y the other, and both somewhat what lies between, where their blend
    repairs most. Elsewhere the blend breaks, and genres off the line are broken by all, so that base is the best over
    all. Features tell the place on the line and off it, but the blend's rate is no line."""
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(genres), each)
    line, hard = np.array([-1, 0, 1, 0, 0, 0])[owner % 6], np.array([0, 0, 0, 1, 0, 1])[owner % 6]
    rates = np.full((5, len(owner)), 0.5)
    rates[1:3] = np.where(hard, 0.95, 0.3 + 0.25 * line * np.array([[1], [-1]]))
    rates[4] = np.where((line == 0) & (hard == 0), 0.1, 0.75)
    told = 1.5 * np.stack([line, hard], 1)
    rest = np.hstack([rng.normal(size=(genres, 8))[owner], rng.normal(size=(len(owner), 24))]) * 0.4
    sentences = np.hstack([told, rest])
    sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
    features = Features(sentences.astype(np.float32), rng.normal(size=(len(owner), 2)))
    shape = (*rates.shape, seeds)
    songs = rng.beta(*(np.broadcast_to(40 * r[..., None], shape) for r in (rates, 1 - rates)))
    lattices = {f"judge {j}": lattice_of_songs(rng.binomial(WORDS, songs), owner) for j in range(2)}
    texts = tuple(RouterPrompt(caption=f"a song {i}") for i in range(len(owner)))
    return Examples("judge 0", texts, lattices["judge 0"]), features, lattices


def lattice_of_songs(errors: NDArray[np.int64], owner: NDArray[np.int64]) -> Lattice:
    """Errors [compositions, prompts, seeds] of songs of 24 words, prompts of numbered genres."""
    prompts = tuple(f"p{i}" for i in range(errors.shape[1]))
    names = NAMES[: len(errors)]
    return Lattice(
        names, prompts, tuple(f"genre {g}" for g in owner), errors.shape[2], errors, np.full(errors.shape, WORDS)
    )
