"""Whether two judges tell the same: of single songs, of compositions within a prompt, of their order, and of choices.

A composition chosen for a prompt by one judge may owe that to what this judge mishears. Scored by the other on the same
songs, a choice keeps what it owes to luck in singing and loses most of what it owes to the judge; scored by the other
on other seeds, it loses both. Judges of one family (as all Whispers are) mishear alike: a stranger would agree less.

Knows the table and the lattice. Rates are uncapped, so a few loops can make or break a correlation of songs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eval.halves import MOST_SPLITS, can_split, half_rates, split_seeds
from eval.lattice import Lattice, LatticeError, make_lattice
from eval.oracle import Choice, choose
from eval.resampling import RESAMPLES, Estimate, bound, draw_prompts
from eval.stability import correlate_orders
from eval.table import CELL, Table

#: Rates that differ by less are equal but for rounding.
_DIGITS = 9


@dataclass(frozen=True)
class Transfer:
    """Choices of one judge as the other scores them, macro over prompts.

    ``optimistic``: chosen on all seeds and scored on the same; its best single composition is the scoring judge's own.
    ``honest``: chosen on half of every prompt's seeds and scored on the other half, the best single one likewise; None
    where no prompt has two seeds.
    """

    chosen_by: str
    scored_by: str
    optimistic: Choice
    honest: Choice | None


@dataclass(frozen=True)
class JudgeAgreement:
    """Two judges over the songs both heard, ``songs`` of each composition.

    ``song_correlation``: Pearson's, of the error rates of all songs. ``difference_correlation``: Pearson's, of each
    prompt's rates less that prompt's mean over compositions: what the judges say about compositions, hard and easy
    lyrics aside. ``order_tau``: Kendall's tau-b between the orders by macro rate. They are None where a judge hears no
    difference at all. Intervals resample prompts. ``transfers``: the first judge's choices, and the second's; empty
    with a single composition.
    """

    judges: tuple[str, str]
    compositions: tuple[str, ...]
    prompts: int
    songs: int
    split_prompts: int
    song_correlation: Estimate | None
    difference_correlation: Estimate | None
    order_tau: Estimate | None
    transfers: tuple[Transfer, ...]


def measure_agreement(
    table: Table,
    judge_a: str,
    judge_b: str,
    resamples: int = RESAMPLES,
    most_splits: int = MOST_SPLITS,
    seed: int = 0,
) -> JudgeAgreement:
    """How far two judges agree on the songs that both heard.

    Raises:
        TableError: a judge is not in the table.
        LatticeError: they share no song that all compositions sang, or one of them twice is given.
    """
    a, b = share_lattices(table, judge_a, judge_b)
    rates = [lattice.prompt_rates for lattice in (a, b)]  # [compositions, prompts] each
    within = [(r - r.mean(0))[..., None] for r in rates]
    several = len(a.compositions) > 1
    return JudgeAgreement(
        judges=(judge_a, judge_b),
        compositions=a.compositions,
        prompts=len(a.prompts),
        songs=a.songs,
        split_prompts=int(can_split(a).sum()),
        song_correlation=_correlate(a.rates, b.rates, np.broadcast_to(a.present, a.rates.shape), resamples, seed),
        difference_correlation=_correlate(within[0], within[1], np.ones_like(within[0], bool), resamples, seed),
        order_tau=_correlate_orders(rates[0], rates[1], resamples, seed),
        transfers=(
            _transfer(a, b, (judge_a, judge_b), resamples, most_splits, seed),
            _transfer(b, a, (judge_b, judge_a), resamples, most_splits, seed),
        )
        if several
        else (),
    )


def share_lattices(table: Table, judge_a: str, judge_b: str) -> tuple[Lattice, Lattice]:
    """The lattices of two judges over the songs both heard; a position is the same song in both.

    Raises:
        TableError: a judge is not in the table.
        LatticeError: see :func:`measure_agreement`.
    """
    if judge_a == judge_b:
        raise LatticeError(f"the judge {judge_a!r} agrees with itself: name two")
    keys, parts = list(CELL), [table.of_judge(judge).set_index(list(CELL)) for judge in (judge_a, judge_b)]
    both = parts[0].index[parts[0].index.isin(parts[1].index)]
    if not len(both):
        raise LatticeError(f"{judge_a!r} and {judge_b!r} heard no song in common: let both hear the same folder")
    shared = [part.loc[both].reset_index()[[*keys, *part.columns]] for part in parts]  # in the order of the first
    a, b = (
        make_lattice(replace(table, songs=songs), judge)
        for songs, judge in zip(shared, (judge_a, judge_b), strict=True)
    )
    if a.prompts != b.prompts or not np.array_equal(a.words, b.words):
        raise LatticeError(
            f"{judge_a!r} and {judge_b!r} were given different lyrics of a song: judge it anew with both"
        )
    return a, b


def _transfer(
    choosing: Lattice, scoring: Lattice, judges: tuple[str, str], resamples: int, most_splits: int, seed: int
) -> Transfer:
    chosen, scored = choosing.prompt_rates[None], scoring.prompt_rates[None]
    optimistic = choose(chosen, scored, resamples, seed, single_by=scored)
    able = can_split(choosing)
    if not able.any():
        return Transfer(*judges, optimistic, None)
    parts = choosing.at(able), scoring.at(able)
    first = split_seeds(parts[0].present, most_splits, seed)
    (one, other), (scored_one, scored_other) = (half_rates(part, first) for part in parts)
    honest = choose(np.concatenate([one, other]), np.concatenate([scored_other, scored_one]), resamples, seed)
    return Transfer(*judges, optimistic, honest)


def _correlate(
    x: NDArray[np.float64], y: NDArray[np.float64], there: NDArray[np.bool_], resamples: int, seed: int
) -> Estimate | None:
    """Pearson's r of two arrays [compositions, prompts, seeds] where ``there`` is, with its interval over prompts."""
    x, y = (np.where(there, values - values[there].mean(), 0.0) for values in (x, y))  # near 0, for the sums' sake
    sums = np.stack([a.sum((0, 2)) for a in (there.astype(float), x, y, x * x, y * y, x * y)], axis=1)  # [prompts, 6]
    value = _pearson(sums.sum(0)[None])[0]
    if np.isnan(value):
        return None
    drawn = [_pearson(times @ sums) for times in draw_prompts(len(sums), resamples, seed)]
    return bound(float(value), np.concatenate(drawn), len(sums))


def _pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r from [..., sums of 1, x, y, x², y², xy]; NaN where either does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    of_x, of_y = (np.maximum(square - total**2 / n, 0.0) for square, total in ((xx, x), (yy, y)))
    of_x, of_y = (np.where(spread > 1e-12, spread, np.nan) for spread in (of_x, of_y))
    r: NDArray[np.float64] = np.clip((xy - x * y / n) / np.sqrt(of_x * of_y), -1, 1)
    return r


def _correlate_orders(a: NDArray[np.float64], b: NDArray[np.float64], resamples: int, seed: int) -> Estimate | None:
    """Kendall's tau-b between the macro orders of rates [compositions, prompts], with its interval over prompts."""
    prompts = a.shape[1]
    value = float(correlate_orders(*(np.round(rates.mean(1), _DIGITS) for rates in (a, b))))
    if np.isnan(value):
        return None
    drawn = [
        correlate_orders(*(np.round(times @ rates.T / prompts, _DIGITS) for rates in (a, b)))
        for times in draw_prompts(prompts, resamples, seed)
    ]
    return bound(value, np.concatenate(drawn), prompts)
