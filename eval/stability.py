"""Whether the order of the compositions would come out again from other seeds: rank correlation between parts of them.

One genre's order that does not repeat from one half of the seeds to the other is noise, and nothing can learn it. Knows
the lattice only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.genres import genre_members
from eval.halves import MOST_SPLITS, can_split, pair_seeds, part_rates, pool_songs, split_seeds
from eval.lattice import Lattice

#: Rates that differ by less are equal but for rounding.
_DIGITS = 9


@dataclass(frozen=True)
class Agreement:
    """How two parts of the seeds agree, mean over ``pairs`` of parts.

    ``tau``: Kendall's tau-b between the orders by macro rate, 1 where they are the same, 0 by chance; None where no
    part can tell two compositions apart. ``same_best``: how often the same composition is best in both. Where several
    share the lead, one of them is drawn in each part and the expectation taken, so that ``chance`` is one in so many
    compositions, ties or not. ``genre_tau``, ``genre_same_best``: the same of every genre's micro rates, averaged over
    genres and pairs.
    """

    pairs: int
    tau: float | None
    same_best: float
    genre_tau: float | None
    genre_same_best: float
    chance: float


@dataclass(frozen=True)
class Stability:
    """``halves``: between halves of the seeds; ``singles``: between single seeds; over ``prompts`` with two or more."""

    prompts: int
    halves: Agreement
    singles: Agreement


def measure_stability(lattice: Lattice, most_splits: int = MOST_SPLITS, seed: int = 0) -> Stability | None:
    """How far the seeds agree; None with one composition, or where no prompt has two seeds."""
    able = can_split(lattice)
    if len(lattice.compositions) < 2 or not able.any():
        return None
    part = lattice.at(able)
    first = split_seeds(part.present, most_splits, seed)
    halves = np.stack([first, part.present & ~first])
    return Stability(len(part.prompts), _agree(part, halves), _agree(part, pair_seeds(part.present, most_splits, seed)))


def share_lead(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each composition as the one with the lowest rate, [..., compositions]; who ties shares it."""
    lowest = rates <= rates.min(-1, keepdims=True)
    weights: NDArray[np.float64] = lowest / lowest.sum(-1, keepdims=True)
    return weights


def correlate_orders(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kendall's tau-b between two orders of compositions, [...] of rates [..., compositions]; NaN where all tie."""
    a, b = np.triu_indices(one.shape[-1], 1)
    x, y = (np.sign(rates[..., a] - rates[..., b]) for rates in (one, other))
    with np.errstate(invalid="ignore"):
        tau: NDArray[np.float64] = (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return tau


def _agree(lattice: Lattice, masks: NDArray[np.bool_]) -> Agreement:
    """Of two parts of the seeds, [2, pairs, prompts, seeds]."""
    macro = part_rates(lattice, masks).mean(-1)  # [2, pairs, compositions]
    members = genre_members(lattice).T.astype(float)
    errors, words = (pool_songs(counts, masks) @ members for counts in (lattice.errors, lattice.words))
    genres = (errors / words).swapaxes(-1, -2)  # [2, pairs, genres, compositions]
    (tau, same), (genre_tau, genre_same) = (_compare(*np.round(rates, _DIGITS)) for rates in (macro, genres))
    return Agreement(masks.shape[1], tau, same, genre_tau, genre_same, chance=1 / len(lattice.compositions))


def _compare(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float | None, float]:
    """Mean tau of the pairs that have one, and how often the best is the same."""
    taus = correlate_orders(one, other)
    known = taus[~np.isnan(taus)]
    same = (share_lead(one) * share_lead(other)).sum(-1).mean()
    return float(known.mean()) if known.size else None, float(same)
