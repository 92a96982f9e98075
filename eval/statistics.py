"""Each composition's error rates, and its paired differences to a reference.

Micro: errors over words, all songs together. Macro: mean over prompts of each prompt's rate, its seeds pooled; every
prompt counts the same. Rates are never capped. Functions over a lattice: knows neither judge nor table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.genres import genre_errors
from eval.lattice import Lattice
from eval.resampling import (
    EXACT_FLIPS,
    RESAMPLES,
    Estimate,
    adjust_holm,
    estimate_means,
    estimate_ratios,
    flip_signs,
)


@dataclass(frozen=True)
class Standing:
    """How one composition did. ``median``: of its songs' rates, which no endless loop can carry off."""

    composition: str
    songs: int
    micro: Estimate
    macro: Estimate
    median: float


@dataclass(frozen=True)
class Comparison:
    """One composition against the reference.

    ``difference``: macro rate minus the reference's, over the same songs; below zero the composition is better.
    ``p``: sign-flip test over prompts, ``exact`` where all flips were tried; ``p_holm``: adjusted for all comparisons
    with the same reference. ``wins``, ``ties``, ``losses``: genres in which it made fewer errors, as many, or more.
    """

    composition: str
    reference: str
    difference: Estimate
    p: float
    p_holm: float
    exact: bool
    wins: int
    ties: int
    losses: int


def rank_standings(lattice: Lattice, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Standing, ...]:
    """The standing of every composition, in the lattice's order."""
    errors, words = (a.sum(-1).astype(float) for a in (lattice.errors, lattice.words))  # [compositions, prompts]
    micro = estimate_ratios(errors, words, resamples, seed)
    macro = estimate_means(errors / words, resamples, seed)
    medians = np.median(lattice.rates[:, lattice.present], axis=1)
    return tuple(
        Standing(name, lattice.songs, micro[c], macro[c], float(medians[c]))
        for c, name in enumerate(lattice.compositions)
    )


def compare(
    lattice: Lattice, reference: str = "base", resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Comparison, ...]:
    """Every other composition against ``reference``, in the lattice's order; none where there is no other.

    Raises:
        LatticeError: the reference is not there.
    """
    at = lattice.index(reference)
    others = [c for c in range(len(lattice.compositions)) if c != at]
    if not others:
        return ()
    rates = lattice.prompt_rates
    differences = rates[others] - rates[at]  # [others, prompts]
    sizes = estimate_means(differences, resamples, seed)
    ps = [flip_signs(row, resamples, seed) for row in differences]
    genres = genre_errors(lattice)  # [compositions, genres]
    ahead = genres[others] - genres[at]
    return tuple(
        Comparison(
            composition=lattice.compositions[c],
            reference=reference,
            difference=sizes[i],
            p=ps[i],
            p_holm=holm,
            exact=2 ** len(lattice.prompts) <= EXACT_FLIPS,
            wins=int((ahead[i] < 0).sum()),
            ties=int((ahead[i] == 0).sum()),
            losses=int((ahead[i] > 0).sum()),
        )
        for i, (c, holm) in enumerate(zip(others, adjust_holm(ps), strict=True))
    )
