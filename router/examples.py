"""What a router learns from: measured prompts as one judge heard them, and how much better than a default each
composition sang them.

Gains are paired: every difference is between songs of the same words and the same starting noise, so that a prompt that
is hard for all compositions says nothing for or against one. Knows neither features nor policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice, make_lattice
from eval.table import Table
from router.errors import RouterError
from router.prompt import RouterPrompt, read_prompt

#: A prompt's own variance over its seeds is trusted like the pooled one of this many more: with two seeds, a variance
#: of one degree of freedom says little, and where both songs fail alike it would claim to be exact.
PRIOR_DEGREES = 8.0
#: Variance of one paired difference that is never undercut: two words in a hundred.
LEAST_VARIANCE = 0.02**2


@dataclass(frozen=True, eq=False)
class Examples:
    """``texts``: the prompts as a router sees them, in the order of ``lattice.prompts``. Arrays are [compositions C,
    prompts P, seeds S], see :class:`eval.lattice.Lattice`."""

    judge: str
    texts: tuple[RouterPrompt, ...]
    lattice: Lattice

    @property
    def prompts(self) -> tuple[str, ...]:
        """Ids of the prompts."""
        return self.lattice.prompts

    @property
    def genres(self) -> tuple[str, ...]:
        """Genre of each prompt."""
        return self.lattice.genres

    @property
    def compositions(self) -> tuple[str, ...]:
        """Names of the compositions."""
        return self.lattice.compositions

    @property
    def capped(self) -> NDArray[np.float64]:
        """WER of each song, at most 1, [C, P, S]; 0 where there is none."""
        return self.lattice.capped

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there are songs, [P, S]."""
        return self.lattice.present

    @property
    def rates(self) -> NDArray[np.float64]:
        """Mean capped WER of each prompt over its seeds, [C, P]."""
        rates: NDArray[np.float64] = self.capped.sum(-1) / self.present.sum(-1)
        return rates

    def select(self, compositions: Sequence[str]) -> Examples:
        """The examples of these compositions, in this order.

        Raises:
            LatticeError: one is not there.
        """
        return replace(self, lattice=self.lattice.select(compositions))


@dataclass(frozen=True, eq=False)
class Targets:
    """What policies are fitted to, rows P and compositions C.

    ``gains`` [P, C]: mean over seeds of the default's capped WER less the composition's, above zero is better; NaN
    where unknown. ``noise`` [P, C]: variance of that mean as other seeds would change it. ``level`` [P]: the default's
    mean capped WER; NaN in rows of votes, which nobody measured. ``default``: its column, whose gains and noise are 0.
    ``groups``: what must not be parted when settings are searched, a genre for each row; empty: every row by itself.
    """

    gains: NDArray[np.float64]
    noise: NDArray[np.float64]
    level: NDArray[np.float64]
    default: int
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.gains)

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which rows are of songs and not of votes, [P]."""
        return np.isfinite(self.level)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Targets:
        """Those of some rows, by a mask or by indices."""
        groups = tuple(np.array(self.groups, dtype=object)[rows]) if self.groups else ()
        return Targets(self.gains[rows], self.noise[rows], self.level[rows], self.default, groups)


def make_examples(table: Table, judge: str) -> Examples:
    """The complete part of a table as one judge heard it.

    Raises:
        RouterError: one composition only, fewer than two genres, or a prompt no router would take.
        TableError: no such judge listened.
        LatticeError: no song was sung by all compositions.
    """
    lattice = make_lattice(table, judge)
    if len(lattice.compositions) < 2:
        raise RouterError(
            f"the table has the composition {lattice.compositions[0]} only, so there is nothing to choose between: "
            "measure the same prompts with another adapter or blend"
        )
    if len(genres := dict.fromkeys(lattice.genres)) < 2:
        raise RouterError(
            f"the table has the genre {next(iter(genres))!r} only, and a router is tested on genres it never saw: "
            "measure prompts of two genres or more, better ten"
        )
    songs = table.of_judge(judge).drop_duplicates("prompt").set_index("prompt")
    texts = tuple(_read_text(p, *songs.loc[p, ["caption", "tags", "lyrics"]]) for p in lattice.prompts)
    return Examples(judge, texts, lattice)


def find_default(examples: Examples, rows: NDArray[np.bool_] | NDArray[np.intp] | None = None) -> int:
    """Column of the best single composition: lowest mean capped WER over prompts; the first of equals."""
    rates = examples.rates if rows is None else examples.rates[:, rows]
    return int(np.argmin(np.round(rates.mean(1), 12)))


def pair(examples: Examples, default: int, rows: NDArray[np.bool_] | NDArray[np.intp] | None = None) -> Targets:
    """Gains over the default, paired by seed, with their noise.

    The variance of a difference over the seeds of one prompt is drawn to the composition's pooled one with
    :data:`PRIOR_DEGREES` (as in Smyth 2004, with a fixed prior) and divided by the seeds. Where no prompt has two
    seeds, nothing parts luck from kind, and half of the variance between prompts is taken for each.

    Args:
        default: column of the composition that is compared with.
        rows: mask or indices of the prompts to use; nothing is learnt from the others.
    """
    chosen = np.arange(len(examples.prompts)) if rows is None else np.arange(len(examples.prompts))[rows]
    capped, there = examples.capped[:, chosen], examples.present[chosen]
    seeds = there.sum(-1)
    differences = (capped[default] - capped) * there  # [C, P, S]
    gains = differences.sum(-1) / seeds  # [C, P]
    squares = (((differences - gains[..., None]) * there) ** 2).sum(-1)
    degrees = seeds - 1
    if degrees.any():
        pooled = squares.sum(-1) / degrees.sum()
    else:
        pooled = gains.var(axis=-1, ddof=1) / 2 if len(chosen) > 1 else np.full(len(gains), 0.25)
    single = (squares + PRIOR_DEGREES * pooled[:, None]) / (degrees + PRIOR_DEGREES)
    noise = np.maximum(single, LEAST_VARIANCE) / seeds
    gains[default], noise[default] = 0.0, 0.0
    groups = tuple(examples.genres[i] for i in chosen)
    return Targets(gains.T, noise.T, capped[default].sum(-1) / seeds, default, groups)


def _read_text(prompt: str, caption: str, tags: str, lyrics: str) -> RouterPrompt:
    try:
        return read_prompt(caption, [t for t in (part.strip() for part in tags.split(",")) if t], lyrics)
    except RouterError as error:
        raise RouterError(f"prompt {prompt!r} of the table cannot be routed: {error}") from None
