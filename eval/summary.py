"""All statistics of one judge's table, computed once: the report, the terminal and the page show the same figures.

Every part is a plain dataclass of numbers, text, tuples and dictionaries, so that ``dataclasses.asdict`` gives JSON
without NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from eval.breakdown import Breakdown, break_down
from eval.contrasts import CELLS, Factorial, contrast
from eval.genres import GenreRow, Wins, count_wins, rate_genres
from eval.lattice import Lattice, make_lattice
from eval.oracle import Oracle, Subset, find_oracle, find_subsets
from eval.resampling import RESAMPLES
from eval.stability import Stability, measure_stability
from eval.statistics import Comparison, Standing, compare, rank_standings
from eval.table import Table

BASE = "base"


@dataclass(frozen=True)
class Extent:
    """What was compared: songs of each composition, and songs left out (see :class:`eval.lattice.Lattice`)."""

    compositions: tuple[str, ...]
    prompts: int
    genres: int
    seeds: int
    songs: int
    dropped: int
    wordless: int


@dataclass(frozen=True)
class Summary:
    """What one judge's songs say. All rates are of words, but for ``characters``, which is None of published rates, as
    ``breakdowns`` are empty then.

    ``reference``: None, and ``comparisons`` empty, where there is no base. ``wins``, ``oracle``, ``subsets`` and
    ``stability`` are empty or None with a single composition; ``stability`` also unless a prompt has two seeds, and
    ``factorial`` unless its four adapters were sung.
    """

    judge: str
    reference: str | None
    resamples: int
    extent: Extent
    words: tuple[Standing, ...]
    characters: tuple[Standing, ...] | None
    comparisons: tuple[Comparison, ...]
    genres: tuple[GenreRow, ...]
    wins: tuple[Wins, ...]
    oracle: Oracle | None
    subsets: tuple[Subset, ...]
    factorial: Factorial | None
    stability: Stability | None
    breakdowns: tuple[Breakdown, ...] = ()


def summarise_table(
    table: Table, judge: str, reference: str | None = BASE, resamples: int = RESAMPLES, seed: int = 0
) -> Summary:
    """All statistics of ``table`` as ``judge`` heard it. The same table and seed give the same figures.

    Raises:
        TableError: no such judge listened.
        LatticeError: no song was sung by all compositions, or ``reference`` is another than base and is not there.
    """
    words = make_lattice(table, judge, "word")
    characters = make_lattice(table, judge, "character")
    summary = summarise_lattice(words, judge, characters, reference, resamples, seed)
    return replace(summary, breakdowns=break_down(table, judge))


def summarise_lattice(
    words: Lattice,
    judge: str,
    characters: Lattice | None = None,
    reference: str | None = BASE,
    resamples: int = RESAMPLES,
    seed: int = 0,
    cells: Mapping[tuple[bool, bool], str] = CELLS,
) -> Summary:
    """The same from lattices, such as the published rates of :func:`eval.study.read_study`.

    Raises:
        LatticeError: see :func:`summarise_table`.
    """
    if reference == BASE and BASE not in words.compositions:
        reference = None
    several = len(words.compositions) > 1
    return Summary(
        judge=judge,
        reference=reference,
        resamples=resamples,
        extent=Extent(
            words.compositions,
            len(words.prompts),
            len(set(words.genres)),
            words.seeds,
            words.songs,
            words.dropped,
            words.wordless,
        ),
        words=rank_standings(words, resamples, seed),
        characters=None if characters is None else rank_standings(characters, resamples, seed),
        comparisons=() if reference is None else compare(words, reference, resamples, seed),
        genres=rate_genres(words),
        wins=count_wins(words) if several else (),
        oracle=find_oracle(words, resamples, seed=seed) if several else None,
        subsets=find_subsets(words) if several else (),
        factorial=contrast(words, cells, resamples, seed),
        stability=measure_stability(words, seed=seed),
    )
