"""Genre by genre: each composition's error rate, and who sings it best.

All compositions sang the same words of a genre, so who has fewer errors has the lower rate, and a win is won by at
least one word. Of published rates without counts, any difference wins. Knows the lattice only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice
from eval.resampling import Estimate, estimate_student

#: Rates that differ by less are equal but for rounding.
_SAME = 1e-9


@dataclass(frozen=True)
class GenreRow:
    """``rates``: micro rate of each composition, in the lattice's order; ``best``: those with the lowest.

    Intervals are Student's over the genre's prompts, or, where it has but one, over that prompt's seeds: then they say
    nothing about other lyrics. ``unit`` tells which. Without ends where there are fewer than three units, or where
    all have the same rate.
    """

    genre: str
    prompts: int
    songs: int
    unit: str
    rates: tuple[Estimate, ...]
    best: tuple[str, ...]


@dataclass(frozen=True)
class Wins:
    """Genres in which a composition made the fewest errors.

    ``lowest``: nobody made fewer; of these ``shared`` with others, a tie, and ``unique``: it beat everybody else.
    """

    composition: str
    lowest: int
    shared: int
    unique: int


def genre_names(lattice: Lattice) -> tuple[str, ...]:
    """The genres, in order of their first prompt."""
    return tuple(dict.fromkeys(lattice.genres))


def genre_members(lattice: Lattice) -> NDArray[np.bool_]:
    """Which prompts belong to which genre, [genres, prompts]."""
    return np.array([[genre == name for genre in lattice.genres] for name in genre_names(lattice)])


def genre_errors(lattice: Lattice) -> NDArray[np.float64]:
    """Errors of every composition in every genre, [compositions, genres]; equal figures are exactly equal."""
    errors = lattice.errors.sum(-1) @ genre_members(lattice).T.astype(float)
    rounded: NDArray[np.float64] = np.round(errors / _SAME) * _SAME if not lattice.counted else errors
    return rounded


def rate_genres(lattice: Lattice) -> tuple[GenreRow, ...]:
    """A row for every genre."""
    lowest = find_lowest(genre_errors(lattice))
    rows = []
    for g, (name, members) in enumerate(zip(genre_names(lattice), genre_members(lattice), strict=True)):
        several = int(members.sum()) > 1
        errors, words = lattice.errors[:, members].astype(float), lattice.words[:, members].astype(float)
        if several:  # a unit is a prompt
            errors, words = errors.sum(-1), words.sum(-1)
        else:  # a unit is a song
            there = lattice.present[members][0]
            errors, words = errors[:, 0, there], words[:, 0, there]
        rows.append(
            GenreRow(
                genre=name,
                prompts=int(members.sum()),
                songs=int(lattice.present[members].sum()),
                unit="prompts" if several else "seeds",
                rates=tuple(estimate_student(e, w) for e, w in zip(errors, words, strict=True)),
                best=tuple(c for c, low in zip(lattice.compositions, lowest[:, g], strict=True) if low),
            )
        )
    return tuple(rows)


def count_wins(lattice: Lattice) -> tuple[Wins, ...]:
    """Who sings how many genres best, in the lattice's order."""
    lowest = find_lowest(genre_errors(lattice))
    alone = lowest.sum(0) == 1
    return tuple(
        Wins(name, int(row.sum()), int((row & ~alone).sum()), int((row & alone).sum()))
        for name, row in zip(lattice.compositions, lowest, strict=True)
    )


def find_lowest(errors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which compositions have the fewest errors, [compositions, ...] like ``errors``, several where they tie."""
    lowest: NDArray[np.bool_] = errors == errors.min(axis=0)
    return lowest
