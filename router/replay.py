"""The cascades of ``router.cascade`` on songs that are already sung and judged: WER against songs sung.

One judge chooses and stops, another scores what was chosen, because the lowest of several noisy figures flatters. A
song's seed is not a prompt's property, so each figure is the expectation over which seed comes first, over orders of
seeds where every song has a new noise, and over orders of compositions where the order is random. Of many orders a
fixed sample is drawn. Nothing is sung, so a cascade is followed only as far as there are songs.

Rates are uncapped and macro: mean over prompts of the mean over songs. Knows no router: orders are given to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import perm
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice, make_lattice
from eval.resampling import Estimate
from eval.table import CELL, Table
from router.errors import RouterError
from router.findings import Curve, CurvePoint
from router.scoring import estimate_by_genre

#: How it is tried again: as in ``router.retries``, or through compositions in random order with one noise.
Way = Literal["adapters", "seeds", "both", "random"]
BUDGETS = 5
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.5)
#: Orders of one prompt that are followed; all of them where they are not more.
MOST_ORDERS = 120
#: A budget is reported where this share of the prompts has songs for it; the others then stop with their last.
_ENOUGH = 0.9

Order = NDArray[np.intp]  # compositions by their index, the most promising first: [tried] or [prompts, tried]


@dataclass(frozen=True, eq=False)
class Heard:
    """The same songs by the judge that selects and the one that scores, if there is one."""

    selecting: Lattice
    independent: Lattice | None

    def __post_init__(self) -> None:
        ours, other = self.selecting, self.independent
        if other is None:
            return
        same = (ours.compositions, ours.prompts) == (other.compositions, other.prompts)
        if not same or not np.array_equal(ours.words, other.words):
            raise RouterError("the two judges did not hear the same songs: pair them from one table")

    def select(self, compositions: Sequence[str]) -> Heard:
        """These compositions only, such as all but the controls.

        Raises:
            LatticeError: one is not there, stands twice, or none is given.
        """
        other = self.independent
        return Heard(self.selecting.select(compositions), None if other is None else other.select(compositions))


def pair_judges(table: Table, selecting: str, independent: str | None = None) -> Heard:
    """The complete songs that both judges heard.

    Raises:
        TableError: no such judge listened.
        LatticeError: no song of words was sung by all compositions.
        RouterError: both are the same judge, or they heard no song in common.
    """
    if independent is None:
        return Heard(make_lattice(table, selecting), None)
    if independent == selecting:
        raise RouterError(f"{selecting!r} both selects and scores: name another judge, or none, to score")
    cells = [set(map(tuple, table.of_judge(name)[list(CELL)].to_numpy())) for name in (selecting, independent)]
    both = cells[0] & cells[1]
    if not both:
        raise RouterError(f"{selecting!r} and {independent!r} heard no song in common: have both judge the same songs")
    keys = map(tuple, table.songs[list(CELL)].to_numpy())
    common = replace(table, songs=table.songs[[key in both for key in keys]])
    return Heard(make_lattice(common, selecting), make_lattice(common, independent))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What cascades come to in expectation, [thresholds, budgets, prompts]; budgets are 1, 2, ... songs."""

    songs: NDArray[np.float64]
    selecting: NDArray[np.float64]
    independent: NDArray[np.float64] | None


def replay(
    heard: Heard,
    order: Order,
    way: Way,
    *,
    budgets: int = BUDGETS,
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
) -> Outcomes:
    """Follow the cascades of one way to try again.

    Args:
        order: which compositions are tried first, for all prompts or for each; ``random`` shuffles them, ``seeds``
            takes the first.
        budgets: songs at most; fewer where there are fewer songs to be tried.
        thresholds: WER of the selecting judge at which a song is good enough.
        seed: of the orders that are drawn.

    Raises:
        ValueError: an order names a composition that is not there, or one twice, or the budget is below 1.
    """
    lattice = heard.selecting
    orders = _spread(order, lattice)
    if budgets < 1:
        raise ValueError(f"a budget of {budgets} songs")
    seeds = lattice.present.sum(-1)
    most = min(budgets, _count_songs(way, orders.shape[1], int(np.quantile(seeds, 1 - _ENOUGH, method="lower"))))
    judges = [j.rates for j in (lattice, heard.independent) if j is not None]
    figures = np.empty((1 + len(judges), len(thresholds), most, len(seeds)))
    for p, (tried, count) in enumerate(zip(orders, seeds.tolist(), strict=True)):
        compositions, positions = _list_attempts(tried, count, way, most, np.random.default_rng((seed, p)))
        rates = np.stack([rate[compositions, p, positions] for rate in judges])  # [judges, draws, songs]
        for t, threshold in enumerate(thresholds):
            found = _follow(rates, threshold).mean(1)  # [1 + judges, songs]
            figures[:, t, :, p] = np.pad(found, ((0, 0), (0, most - found.shape[1])), mode="edge")
    return Outcomes(figures[0], figures[1], figures[2] if len(judges) > 1 else None)


def _spread(order: Order, lattice: Lattice) -> Order:
    orders = np.broadcast_to(order, (len(lattice.prompts), np.shape(order)[-1]))
    known = orders.size and orders.min() >= 0 and orders.max() < len(lattice.compositions)
    if not known or any(len(set(row)) < len(row) for row in orders.tolist()):
        raise ValueError("an order needs compositions of the lattice, each once")
    return orders


def _count_songs(way: Way, tried: int, seeds: int) -> int:
    return {"adapters": tried, "random": tried, "seeds": seeds, "both": min(tried, seeds)}[way]


def _list_attempts(
    tried: Order, seeds: int, way: Way, most: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Composition and position of the seed of each song of every cascade, both [draws, songs]; all equally likely."""
    length = min(most, _count_songs(way, len(tried), seeds))
    if way in ("adapters", "random"):
        orders = tried[_list_orders(len(tried), length, rng)] if way == "random" else tried[None, :length]
        compositions = np.repeat(orders, seeds, axis=0)
        positions = np.broadcast_to(np.tile(np.arange(seeds), len(orders))[:, None], compositions.shape)
    else:
        positions = _list_orders(seeds, length, rng)
        compositions = np.broadcast_to(tried[:1] if way == "seeds" else tried[:length], positions.shape)
    return compositions, positions


def _list_orders(count: int, length: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``length`` of ``count`` things in order, [orders, length]: every way, or as many as are followed, drawn."""
    if perm(count, length) <= MOST_ORDERS:
        return np.array(list(permutations(range(count), length)), dtype=np.intp)
    return rng.random((MOST_ORDERS, count)).argsort(-1)[:, :length]


def _follow(rates: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Songs sung and every judge's rate of the best, for each budget.

    Args:
        rates: [judges, draws, songs], the selecting judge first, songs in the order they are sung.

    Returns:
        [1 + judges, draws, budgets].
    """
    choosing = rates[0]
    draws, songs = choosing.shape
    lowest = np.minimum.accumulate(choosing, axis=1)
    newer = np.concatenate([np.ones((draws, 1), dtype=bool), choosing[:, 1:] < lowest[:, :-1]], axis=1)
    best = np.maximum.accumulate(np.where(newer, np.arange(songs), 0), axis=1)  # the earlier of equals
    enough = lowest <= threshold
    last = np.where(enough.any(1), enough.argmax(1), songs - 1)
    ends = np.minimum(np.arange(songs), last[:, None])  # [draws, budgets]
    chosen = np.take_along_axis(best, ends, axis=1)
    return np.stack([ends + 1.0, *(np.take_along_axis(judge, chosen, axis=1) for judge in rates)])


def order_by_mean(lattice: Lattice) -> Order:
    """Compositions by their mean capped WER over the prompts of other genres, lowest first, [prompts, compositions].

    Raises:
        RouterError: there is one genre only.
    """
    present = lattice.present.sum(-1)
    means = lattice.capped.sum(-1) / present  # [compositions, prompts]
    genres = np.array(lattice.genres)
    if len(set(lattice.genres)) < 2:
        raise RouterError(f"all prompts are of the genre {lattice.genres[0]!r}: an order is learnt from other genres")
    return np.stack([means[:, genres != genre].mean(1).argsort(kind="stable") for genre in genres])


def order_by_prediction(wer: NDArray[np.float64], picked: NDArray[np.intp], default: NDArray[np.intp]) -> Order:
    """The order of a :class:`router.decision.Decision`: what was picked, then the best predicted first, the default
    before its equals, [prompts, compositions].

    Args:
        wer: predicted, [prompts, compositions].
        picked: column chosen for each prompt, [prompts].
        default: column of the default, [prompts].
    """
    rows, keys = np.arange(len(wer)), np.round(wer, 9)
    keys[rows, default] -= 1e-10
    keys[rows, picked] = -np.inf
    return keys.argsort(-1, kind="stable")


def draw_curves(
    heard: Heard,
    router: Order | None,
    fixed: Order,
    *,
    budgets: int = BUDGETS,
    thresholds: Sequence[float] = THRESHOLDS,
    seed: int = 0,
) -> tuple[Curve, ...]:
    """WER against mean songs sung, a curve for each order of trying.

    "router" and "fixed" go down their orders with one noise, "random" through the fixed order's compositions shuffled.
    With a new noise for every song, "router, new seeds" and "fixed, new seeds" go down theirs, while "new seed" stays
    with the router's first, and "best single, new seeds", the cheapest rival, with the fixed order's.

    Args:
        router: as the router would try, [prompts, tried], of prompts it was not fitted on; without it, only the curves
            that need none are drawn.
        fixed: the same for all prompts, or by the mean over other genres (:func:`order_by_mean`).

    Raises:
        ValueError: see :func:`replay`.
    """
    asked: list[tuple[str, Order | None, Way]] = [
        ("router", router, "adapters"),
        ("fixed", fixed, "adapters"),
        ("random", fixed, "random"),
        ("new seed", router, "seeds"),
        ("router, new seeds", router, "both"),
        ("fixed, new seeds", fixed, "both"),
        ("best single, new seeds", fixed, "seeds"),
    ]
    return tuple(
        make_curve(
            name,
            replay(heard, order, way, budgets=budgets, thresholds=thresholds, seed=seed),
            heard.selecting.genres,
            thresholds,
            seed,
        )
        for name, order, way in asked
        if order is not None
    )


def make_curve(
    name: str, outcomes: Outcomes, genres: Sequence[str], thresholds: Sequence[float], seed: int = 0
) -> Curve:
    """The points of some outcomes, thresholds outside and budgets inside; ``seed``: of the intervals."""
    selecting = estimate_by_genre(outcomes.selecting.reshape(-1, len(genres)), genres, seed)
    independent: Sequence[Estimate | None] = [None] * len(selecting)
    if outcomes.independent is not None:
        independent = estimate_by_genre(outcomes.independent.reshape(-1, len(genres)), genres, seed)
    songs = outcomes.songs.mean(-1)
    budgets = songs.shape[1]
    return Curve(
        name,
        tuple(
            CurvePoint(
                b + 1, float(threshold), float(songs[t, b]), selecting[t * budgets + b], independent[t * budgets + b]
            )
            for t, threshold in enumerate(thresholds)
            for b in range(budgets)
        ),
    )
