"""Whether the order of the compositions would come out again from other seeds: rank correlation between parts of them.

One genre's order that does not repeat from one half of the seeds to the other is noise, and nothing can learn it. Knows
the lattice only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.genres import find_lowest, genre_members
from eval.halves import MOST_SPLITS, can_split, split_seeds
from eval.lattice import Lattice

#: Rates that differ by less are equal but for rounding.
_DIGITS = 9


@dataclass(frozen=True)
class Agreement:
    """How two parts of the seeds agree, mean over ``pairs`` of parts.

    ``tau``: Kendall's tau-b between the orders by macro rate, 1 where they are the same, 0 by chance; None where no
    part can tell two compositions apart. ``same_best``: share of pairs in which one composition is best (or shares the
    lead) in both; ``chance`` is what that would be by chance, without ties. ``genre_tau``, ``genre_same_best``: the
    same of every genre's micro rates, averaged over genres and pairs.
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
    halves = ((mask, part.present & ~mask) for mask in first)
    return Stability(len(part.prompts), _agree(part, halves), _agree(part, _single_pairs(part.present)))


def _single_pairs(present: NDArray[np.bool_]) -> Iterable[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Every two positions of seeds, of the prompts that have both."""
    for a, b in combinations(range(present.shape[1]), 2):
        masks = np.zeros((2, *present.shape), dtype=bool)
        masks[0, :, a] = masks[1, :, b] = present[:, a] & present[:, b]
        if masks.any():
            yield masks[0], masks[1]


def _agree(lattice: Lattice, pairs: Iterable[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> Agreement:
    taus, same, genre_taus, genre_same = [], [], [], []
    for pair in pairs:
        (overall, other_overall), (genres, other_genres) = zip(*(_rates(lattice, mask) for mask in pair), strict=True)
        taus.append(_tau(overall, other_overall))
        same.append((find_lowest(overall) & find_lowest(other_overall)).any())
        there = np.isfinite(genres).all(0)
        for one, other in zip(genres[:, there].T, other_genres[:, there].T, strict=True):
            genre_taus.append(_tau(one, other))
            genre_same.append((find_lowest(one) & find_lowest(other)).any())
    return Agreement(
        pairs=len(same),
        tau=_mean(taus),
        same_best=float(np.mean(same)),
        genre_tau=_mean(genre_taus),
        genre_same_best=float(np.mean(genre_same)),
        chance=1 / len(lattice.compositions),
    )


def _rates(lattice: Lattice, mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Macro rates [compositions] and micro rates of genres [compositions, genres] over the songs of ``mask``."""
    errors, words = ((a * mask).sum(-1).astype(float) for a in (lattice.errors, lattice.words))
    sung = mask.any(-1)
    macro = (errors[:, sung] / words[:, sung]).mean(-1)
    members = genre_members(lattice).T.astype(float)
    with np.errstate(invalid="ignore"):  # a genre without a song in this part
        genres = (errors @ members) / (words @ members)
    return np.round(macro, _DIGITS), np.round(genres, _DIGITS)


def _tau(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    tau = float(stats.kendalltau(one, other).statistic)
    return None if np.isnan(tau) else tau


def _mean(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
