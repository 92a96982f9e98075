"""What the best choice of a composition for every prompt could win over the best single one.

An optimistic oracle is chosen and scored on the same songs: it also collects luck, and beats the best single
composition even where all are alike. An honest one is chosen on half of every prompt's seeds and scored on the other
half. Its lead is what can be won from prompts whose songs were measured that often; with more seeds to choose by, it
would be a little larger. Knows the lattice only; rates are macro, over prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from eval.halves import MOST_SPLITS, can_split, half_rates, split_seeds
from eval.lattice import Lattice
from eval.resampling import RESAMPLES, Estimate, estimate_means

#: Rates that differ by less are equal but for rounding.
_SAME = 1e-9
#: Sets of compositions are compared one by one up to this many compositions (1023 sets).
MOST_COMPOSITIONS = 10


@dataclass(frozen=True)
class Choice:
    """Macro rates of choosing in one way. ``headroom``: best single less oracle; above zero, choosing per prompt pays.

    ``shares``: how often the oracle takes each composition, in the order of :attr:`Oracle.compositions`, sum 1; ties
    are shared. ``single_shares``: how often each was the best single one.
    """

    oracle: Estimate
    single: Estimate
    headroom: Estimate
    shares: tuple[float, ...]
    single_shares: tuple[float, ...]


@dataclass(frozen=True)
class Oracle:
    """``honest`` is over the ``split_prompts`` prompts that have two seeds or more, and None where there are none.
    ``splits``: how many were drawn, of every prompt by itself, or of a single prompt how many there are; each is used
    in both directions. ``distinguishable``: whether the interval of its headroom is above zero, which is never said of
    too few prompts for an interval.
    """

    compositions: tuple[str, ...]
    prompts: int
    optimistic: Choice
    honest: Choice | None
    split_prompts: int
    splits: int
    distinguishable: bool | None


@dataclass(frozen=True)
class Subset:
    """The compositions of one number whose optimistic oracle is lowest, and that rate."""

    compositions: tuple[str, ...]
    rate: float


def find_oracle(lattice: Lattice, resamples: int = RESAMPLES, most_splits: int = MOST_SPLITS, seed: int = 0) -> Oracle:
    """The oracles over a lattice's compositions; :meth:`Lattice.select` restricts them.

    Intervals resample prompts. Which single composition is best stays as it was chosen over all prompts.
    """
    rates = lattice.prompt_rates[None]  # [1, compositions, prompts]
    optimistic = choose(rates, rates, resamples, seed)
    able = can_split(lattice)
    if not able.any():
        return Oracle(lattice.compositions, len(able), optimistic, None, 0, 0, None)
    part = lattice.at(able)
    masks = split_seeds(part.present, most_splits, seed)
    halves = half_rates(part, masks)
    honest = choose(np.concatenate(halves), np.concatenate(halves[::-1]), resamples, seed)
    above = honest.headroom.low is not None and honest.headroom.low > 0
    return Oracle(
        lattice.compositions, len(able), optimistic, honest, int(able.sum()), len(masks), distinguishable=above
    )


def find_subsets(lattice: Lattice) -> tuple[Subset, ...]:
    """For each number of compositions, from one, those that cover the prompts best, by their optimistic oracle.

    Of more than :data:`MOST_COMPOSITIONS` only the lowest single ones are tried.
    """
    rates = lattice.prompt_rates
    tried = sorted(np.argsort(rates.mean(1), kind="stable")[:MOST_COMPOSITIONS].tolist())
    found = []
    for size in range(1, len(tried) + 1):
        rate, best = min((float(rates[list(c)].min(0).mean()), c) for c in combinations(tried, size))
        found.append(Subset(tuple(lattice.compositions[i] for i in best), rate))
    return tuple(found)


def choose(
    choosing: NDArray[np.float64],
    scoring: NDArray[np.float64],
    resamples: int = RESAMPLES,
    seed: int = 0,
    single_by: NDArray[np.float64] | None = None,
) -> Choice:
    """Choose by one array of rates [splits, compositions, prompts], score by the other, mean over splits.

    Args:
        choosing: what the oracle is chosen by.
        scoring: what it and the best single composition are scored by.
        single_by: what the best single one is chosen by, ``choosing`` unless given.
    """
    picks = _lowest(choosing)  # [splits, compositions, prompts]
    single_picks = _lowest((choosing if single_by is None else single_by).mean(-1))[..., None]
    oracle = (picks * scoring).sum(1).mean(0)  # [prompts]
    single = (single_picks * scoring).sum(1).mean(0)
    of_oracle, of_single, headroom = estimate_means(np.stack([oracle, single, single - oracle]), resamples, seed)
    shares, single_shares = picks.mean((0, 2)), single_picks.mean((0, 2))
    return Choice(of_oracle, of_single, headroom, tuple(map(float, shares)), tuple(map(float, single_shares)))


def _lowest(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of each composition in the choice of the lowest, ties shared, along axis 1.

    Shared, since taking the first of equals would favour whoever the table names first.
    """
    low = rates <= rates.min(1, keepdims=True) + _SAME
    weights: NDArray[np.float64] = low / low.sum(1, keepdims=True)
    return weights
