"""Cells of the song grid: every prompt, sung from several seeds, by every composition.

A cell's seed is the same for all compositions, so that they start from the same noise and their differences are paired.
Knows neither the engine nor the judge.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters.composition import Composition, format_composition, parse_composition
from eval.prompts import Prompt, across_genres

CellKey = tuple[str, int, str]


@dataclass(frozen=True)
class Cell:
    """One song to sing: ``composition`` in the text form of ``adapters.composition``."""

    prompt: Prompt = field(repr=False)
    seed: int
    composition: str

    @property
    def key(self) -> CellKey:
        """What tells the cell from others: prompt, seed, composition."""
        return self.prompt.id, self.seed, self.composition

    @property
    def weights(self) -> dict[str, float]:
        """The composition's adapters and weights."""
        return parse_composition(self.composition)


def derive_seed(prompt: str, first: int, take: int) -> int:
    """The seed of a prompt's take, from 0, which does not depend on what else is sung.

    Prompts get seeds of their own: with one for all, a noise that is hard to sing from would look like many prompts.
    """
    return zlib.crc32(f"{prompt}\0{first}\0{take}".encode()) & 0x7FFFFFFF


def plan_cells(
    prompts: Sequence[Prompt], compositions: Sequence[Composition], takes: int, first: int = 42
) -> tuple[Cell, ...]:
    """All cells, takes outermost and compositions innermost.

    Wherever the singing stops, what there is is a fair sample: all genres in turn, all compositions of a prompt and
    seed beside each other, where they share a batch.
    """
    names = [format_composition(composition) for composition in compositions]
    return tuple(
        Cell(prompt, derive_seed(prompt.id, first, take), name)
        for take in range(takes)
        for prompt in across_genres(prompts)
        for name in names
    )
