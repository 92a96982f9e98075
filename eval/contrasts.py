"""The two by two of the study: what training on lyrics does, what sharpening attention does, and whether they add up.

Sharpening is attention sharpness regularization. Knows the lattice, and the four adapters' names unless given others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from eval.lattice import Lattice
from eval.resampling import RESAMPLES, Estimate, adjust_holm, estimate_means, flip_signs

#: Adapter of each cell: trained on lyrics or not, sharpened or not.
CELLS: Mapping[tuple[bool, bool], str] = {
    (False, False): "nolyrics",
    (False, True): "nolyrics-asr",
    (True, False): "lyrics",
    (True, True): "lyrics-asr",
}


@dataclass(frozen=True)
class CellMean:
    """Macro error rate of one cell."""

    composition: str
    lyrics: bool
    sharpened: bool
    rate: Estimate


@dataclass(frozen=True)
class Effect:
    """A difference of macro error rates, below zero where it helps, and its sign-flip p over prompts; ``p_holm``:
    adjusted for the three effects.
    """

    size: Estimate
    p: float
    p_holm: float


@dataclass(frozen=True)
class Factorial:
    """``lyrics``: mean of the cells with lyrics less mean of those without; ``sharpening`` alike. ``interaction``: what
    sharpening adds with lyrics less what it adds without; zero where the two effects add up.
    """

    cells: tuple[CellMean, ...]
    lyrics: Effect
    sharpening: Effect
    interaction: Effect


def find_cells(lattice: Lattice, names: Mapping[tuple[bool, bool], str] = CELLS) -> dict[tuple[bool, bool], str] | None:
    """The lattice's composition of each cell, the adapter of that name alone at weight 1; None if one is missing."""
    alone = {adapter: name for name in lattice.compositions if (adapter := _adapter_alone(name)) is not None}
    alone |= {name: name for name in lattice.compositions}
    if any(name not in alone for name in names.values()):
        return None
    return {cell: alone[name] for cell, name in names.items()}


def contrast(
    lattice: Lattice,
    names: Mapping[tuple[bool, bool], str] = CELLS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Factorial | None:
    """Means and effects of the four cells; None where one of them was not sung."""
    found = find_cells(lattice, names)
    if found is None:
        return None
    rows = lattice.select([found[cell] for cell in CELLS]).prompt_rates  # [4, prompts]
    plain, sharp, lyrics, both = rows
    effects = np.stack(
        [(lyrics + both - plain - sharp) / 2, (sharp + both - plain - lyrics) / 2, both - lyrics - sharp + plain]
    )
    means = estimate_means(rows, resamples, seed)
    sizes = estimate_means(effects, resamples, seed)
    ps = [flip_signs(row, resamples, seed) for row in effects]
    cells = tuple(CellMean(found[cell], *cell, rate) for cell, rate in zip(CELLS, means, strict=True))
    return Factorial(cells, *map(Effect, sizes, ps, adjust_holm(ps)))


def _adapter_alone(composition: str) -> str | None:
    try:
        weights = parse_composition(composition)
    except AdapterError:  # of a table that other tools made
        return None
    return next(iter(weights)) if list(weights.values()) == [1.0] else None
