"""The complete part of a results table for one judge: every song kept was sung by every composition.

Comparing compositions is fair only where each sang the same lyrics from the same noise, so a (prompt, seed) pair that
one of them lacks is left out for all, and so are songs without words to sing. What is left out is counted. Knows
nothing of what is made of the figures.

Arrays are [compositions, prompts, seeds]. A prompt's complete seeds stand first, in the order of the table; where it
has fewer than another, errors and words of the rest are 0. There is no NaN, and since a song weighs what it has words,
sums over seeds are right as they are; a plain mean over ``rates`` is so only where the lattice is :attr:`Lattice.full`.
A position on the last axis is a prompt's first, second, ... seed: two prompts do not share a noise there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from adapters.errors import ChoirmasterError
from eval.table import Table

Measure = Literal["word", "character"]


class LatticeError(ChoirmasterError):
    """A table has nothing that can be compared, or lacks what is asked for."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """``genres``: genre of each prompt. ``seeds``: the most complete seeds a prompt has. ``words`` is the same for all
    compositions, and above 0 exactly where there are songs.

    ``dropped``: songs left out because a mate was missing; ``wordless``: songs left out for want of words to sing.
    ``counted``: errors and words are counts. Where False, only rates are known: every song weighs one word.
    """

    compositions: tuple[str, ...]
    prompts: tuple[str, ...]
    genres: tuple[str, ...]
    seeds: int
    errors: NDArray[np.int64] | NDArray[np.float64]  # [compositions, prompts, seeds]
    words: NDArray[np.int64]
    dropped: int = 0
    wordless: int = 0
    counted: bool = True

    @property
    def present(self) -> NDArray[np.bool_]:
        """Where there are songs, [prompts, seeds]."""
        there: NDArray[np.bool_] = self.words[0] > 0
        return there

    @property
    def full(self) -> bool:
        """Whether every prompt has every seed."""
        return bool(self.present.all())

    @property
    def songs(self) -> int:
        """Songs of each composition."""
        return int(self.present.sum())

    @property
    def rates(self) -> NDArray[np.float64]:
        """Error rate of each song, uncapped, [compositions, prompts, seeds]; 0 where there is none."""
        rates: NDArray[np.float64] = self.errors / np.maximum(self.words, 1)
        return rates

    @property
    def capped(self) -> NDArray[np.float64]:
        """The same, at most 1: what a router learns from."""
        return np.minimum(self.rates, 1.0)

    @property
    def prompt_rates(self) -> NDArray[np.float64]:
        """Errors over words of each prompt, all its seeds together, [compositions, prompts]."""
        rates: NDArray[np.float64] = self.errors.sum(-1) / self.words.sum(-1)
        return rates

    def index(self, composition: str) -> int:
        """Where a composition stands.

        Raises:
            LatticeError: it is not there.
        """
        if composition not in self.compositions:
            raise LatticeError(f"no songs by {composition!r}: choose from {', '.join(self.compositions)}")
        return self.compositions.index(composition)

    def select(self, compositions: Sequence[str]) -> Lattice:
        """The lattice of these compositions, in this order.

        Raises:
            LatticeError: one is not there, stands twice, or none is given.
        """
        rows = [self.index(name) for name in compositions]
        if not rows or len(set(rows)) < len(rows):
            raise LatticeError(
                f"name one or more compositions, each once: given are {', '.join(compositions) or 'none'}"
            )
        return replace(self, compositions=tuple(compositions), errors=self.errors[rows], words=self.words[rows])

    def at(self, prompts: NDArray[np.bool_]) -> Lattice:
        """The lattice of the prompts where ``prompts`` [prompts] is True, at least one.

        Raises:
            LatticeError: it is True nowhere.
        """
        kept = np.flatnonzero(prompts)
        if not len(kept):
            raise LatticeError("no prompt is left: choose at least one")
        names, genres = tuple(self.prompts[i] for i in kept), tuple(self.genres[i] for i in kept)
        seeds = int(self.present[kept].sum(-1).max())
        errors, words = self.errors[:, kept, :seeds], self.words[:, kept, :seeds]
        return replace(self, prompts=names, genres=genres, seeds=seeds, errors=errors, words=words)


_COUNTS = {
    "word": (("substitutions", "deletions", "insertions"), "reference_words"),
    "character": (("character_errors",), "reference_characters"),
}


def make_lattice(table: Table, judge: str, measure: Measure = "word") -> Lattice:
    """The complete part of ``table`` as ``judge`` heard it; compositions, prompts and seeds in the order of its rows.

    Raises:
        TableError: no such judge listened.
        LatticeError: no song was sung by all compositions, or a prompt's genre or words differ among its songs.
    """
    songs = table.of_judge(judge)
    compositions, prompts = (tuple(dict.fromkeys(songs[column])) for column in ("composition", "prompt"))
    parts, whole = _COUNTS[measure]
    errors = songs[list(parts)].sum(axis=1).to_numpy(dtype=np.int64)
    cells: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
    genres: dict[str, str] = {}
    wordless: set[tuple[str, int]] = set()
    for prompt, seed, genre, composition, wrong, count, reference in zip(
        *(songs[name] for name in ("prompt", "seed", "genre", "composition")),
        errors,
        songs[whole],
        songs["reference_words"],
        strict=True,
    ):
        cells.setdefault((prompt, int(seed)), {})[composition] = (int(wrong), int(count))
        if reference == 0:
            wordless.add((prompt, int(seed)))
        if genres.setdefault(prompt, genre) != genre:
            raise LatticeError(f"prompt {prompt!r} has the genres {genres[prompt]!r} and {genre!r}: give it one")
    complete: dict[str, list[dict[str, tuple[int, int]]]] = {}
    for key, cell in cells.items():
        if len(cell) == len(compositions) and key not in wordless:
            _check_words(key, cell)
            complete.setdefault(key[0], []).append(cell)
    if not complete:
        raise LatticeError(_nothing_complete(cells, compositions, wordless))
    kept = tuple(prompt for prompt in prompts if prompt in complete)
    seeds = max(map(len, complete.values()))
    counts = np.zeros((2, len(compositions), len(kept), seeds), dtype=np.int64)
    for p, prompt in enumerate(kept):
        for s, cell in enumerate(complete[prompt]):
            counts[:, :, p, s] = np.array([cell[name] for name in compositions]).T
    mute = sum(len(cells[key]) for key in wordless)
    return Lattice(
        compositions,
        kept,
        tuple(genres[prompt] for prompt in kept),
        seeds,
        errors=counts[0],
        words=counts[1],
        dropped=len(songs) - mute - len(compositions) * sum(map(len, complete.values())),
        wordless=mute,
    )


def _check_words(key: tuple[str, int], cell: dict[str, tuple[int, int]]) -> None:
    """Compositions must have sung the same lyrics, or nothing is paired."""
    counts = {name: words for name, (_, words) in cell.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{words} by {name}" for name, words in counts.items())
        raise LatticeError(
            f"prompt {key[0]!r}, seed {key[1]} was to have different numbers of words or characters ({told}): its "
            "songs are of different lyrics; sing it again in a folder of its own"
        )


def _nothing_complete(
    cells: dict[tuple[str, int], dict[str, tuple[int, int]]],
    compositions: tuple[str, ...],
    wordless: set[tuple[str, int]],
) -> str:
    if wordless == set(cells):
        return "none of the songs has words to sing: measure prompts with lyrics"
    sung = {name: sum(name in cell for key, cell in cells.items() if key not in wordless) for name in compositions}
    told = ", ".join(f"{name} {count}" for name, count in sung.items())
    return (
        f"no prompt and seed was sung by all {len(compositions)} compositions (songs: {told}): sing what is missing, "
        "or keep only compositions that share songs"
    )
