"""Each prompt's seeds parted in two halves, every way there is or many at random: one half chooses, the other tells.

Knows which songs there are, not how they came out.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice

#: Splits beyond this many are drawn instead of listed.
MOST_SPLITS = 100


def can_split(lattice: Lattice) -> NDArray[np.bool_]:
    """Which prompts have two seeds or more, [prompts]."""
    able: NDArray[np.bool_] = lattice.present.sum(1) > 1
    return able


def split_seeds(present: NDArray[np.bool_], most: int = MOST_SPLITS, seed: int = 0) -> NDArray[np.bool_]:
    """The first half of every split, [splits, prompts, seeds]; the second is what else is ``present`` [prompts, seeds].

    Where all prompts have all seeds, and at most ``most`` splits are possible, each of them once (of an odd number of
    seeds, the first half is the smaller). Otherwise ``most`` at random, the seeds in a random order common to prompts.

    Raises:
        ValueError: a prompt has fewer than two seeds.
    """
    if present.sum(1).min() < 2:
        raise ValueError("every prompt must have two seeds or more to be split")
    prompts, seeds = present.shape
    half = seeds // 2
    even = seeds % 2 == 0
    if present.all() and comb(seeds, half) // (1 + even) <= most:
        chosen = [c for c in combinations(range(seeds), half) if not even or 0 in c]
        masks = np.zeros((len(chosen), prompts, seeds), dtype=bool)
        for mask, positions in zip(masks, chosen, strict=True):
            mask[:, positions] = True
        return masks
    order = np.random.default_rng(seed).random((most, 1, seeds)) + ~present * 2.0  # absent ones last
    rank = order.argsort(-1).argsort(-1)  # [splits, prompts, seeds]
    first: NDArray[np.bool_] = rank < (present.sum(1) // 2)[:, None]
    return first


def half_rates(lattice: Lattice, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error rate of every prompt pooled over each half of its seeds, [2, splits, compositions, prompts]."""
    masks = np.stack([first, lattice.present & ~first]).astype(float)
    errors = np.einsum("hkps,cps->hkcp", masks, lattice.errors.astype(float))
    words = np.einsum("hkps,cps->hkcp", masks, lattice.words.astype(float))
    rates: NDArray[np.float64] = errors / words
    return rates
