"""Each prompt's seeds parted in two halves: one half chooses, the other tells.

Seeds belong to prompts: the first seed of one prompt has nothing to do with the first of another. So every prompt is
split by itself, or whatever is pooled over prompts would be seen in a handful of ways only. Knows which songs there
are, not how they came out.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice

#: Splits drawn; of a single prompt all are listed where they are not more.
MOST_SPLITS = 400


def can_split(lattice: Lattice) -> NDArray[np.bool_]:
    """Which prompts have two seeds or more, [prompts]."""
    able: NDArray[np.bool_] = lattice.present.sum(1) > 1
    return able


def split_seeds(present: NDArray[np.bool_], most: int = MOST_SPLITS, seed: int = 0) -> NDArray[np.bool_]:
    """The first half of every split, [splits, prompts, seeds]; the second is what else is ``present`` [prompts, seeds].

    ``most`` at random, each prompt's drawn independently of the others'. Of a single prompt each split once, where at
    most ``most`` are possible. Of an odd number of seeds, the first half is the smaller.

    Raises:
        ValueError: a prompt has fewer than two seeds.
    """
    counts = present.sum(1)
    half = counts // 2
    if len(present) == 1 and counts[0] > 1:
        there, even = np.flatnonzero(present[0]), counts[0] % 2 == 0
        if comb(len(there), half[0]) // (1 + even) <= most:
            chosen = [c for c in combinations(there.tolist(), int(half[0])) if not even or there[0] in c]
            masks = np.zeros((len(chosen), *present.shape), dtype=bool)
            for mask, positions in zip(masks, chosen, strict=True):
                mask[0, positions] = True
            return masks
    first: NDArray[np.bool_] = _draw_ranks(present, most, seed) < half[:, None]
    return first


def pair_seeds(present: NDArray[np.bool_], most: int = MOST_SPLITS, seed: int = 0) -> NDArray[np.bool_]:
    """Two different seeds of every prompt, one in each part, [2, pairs, prompts, seeds]; drawn or listed alike.

    Raises:
        ValueError: a prompt has fewer than two seeds.
    """
    there = np.flatnonzero(present[0])
    if len(present) == 1 and len(there) > 1 and comb(len(there), 2) <= most:
        pairs = np.array(list(combinations(there.tolist(), 2)))  # [pairs, 2]
        ours: NDArray[np.bool_] = np.arange(present.shape[1]) == pairs.T[..., None, None]
        return ours
    ranks = _draw_ranks(present, most, seed)
    return np.stack([ranks == 0, ranks == 1])


def half_rates(lattice: Lattice, first: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error rate of every prompt pooled over each half of its seeds, [2, splits, compositions, prompts]."""
    return part_rates(lattice, np.stack([first, lattice.present & ~first]))


def part_rates(lattice: Lattice, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error rate of every prompt over some of its seeds, [..., compositions, prompts].

    Args:
        masks: which songs, [..., prompts, seeds]; one or more of every prompt.
    """
    rates: NDArray[np.float64] = pool_songs(lattice.errors, masks) / pool_songs(lattice.words, masks)
    return rates


def pool_songs(counts: NDArray[np.int64] | NDArray[np.float64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``counts`` [compositions, prompts, seeds] summed where ``masks`` is, [..., compositions, prompts]."""
    pooled: NDArray[np.float64] = np.einsum("...ps,cps->...cp", masks.astype(float), counts.astype(float))
    return pooled


def _draw_ranks(present: NDArray[np.bool_], draws: int, seed: int) -> NDArray[np.int64]:
    """The seeds of every prompt in random orders of its own, absent ones last, [draws, prompts, seeds]."""
    if present.sum(1).min() < 2:
        raise ValueError("every prompt must have two seeds or more to be split")
    order = np.random.default_rng(seed).random((draws, *present.shape)) + ~present * 2.0
    ranks: NDArray[np.int64] = order.argsort(-1).argsort(-1)
    return ranks
