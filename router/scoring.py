"""Ways of choosing, scored by what a judge heard: gain over the best single composition, regret, gap closed.

Rates are macro and uncapped. Prompts of one genre are alike, so intervals draw whole genres where there are ten or
more, and prompts otherwise. The oracle is honest: chosen on half of a prompt's seeds, scored on the other half. Knows
neither features nor policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.halves import can_split, half_rates, split_seeds
from eval.lattice import Lattice
from eval.resampling import MIN_UNITS, Estimate, estimate_ratios
from router.findings import Judged, Kind, Score

#: Rates that differ by less are equal but for rounding.
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Way:
    """One way of choosing. ``wer`` [P]: uncapped rate of each prompt, expected where the way is left to chance, NaN
    where it did not sing; ``changed``: share of prompts that get another composition than the default; ``songs``: mean
    sung per prompt; ``single`` [P]: the opponent's rates in the same songs, where these are not all of them."""

    name: str
    kind: Kind
    wer: NDArray[np.float64]
    changed: float
    songs: float = 1.0
    single: NDArray[np.float64] | None = None


def score_ways(
    ways: Sequence[Way],
    single: NDArray[np.float64],
    oracle: NDArray[np.float64],
    genres: Sequence[str],
    judge: str,
    selecting: bool,
    seed: int = 0,
    opponent: str = "",
) -> Judged:
    """All ways against the best single composition, and the oracle itself as the last of them.

    Args:
        ways: of the same P prompts.
        single: uncapped rate of the best single composition, [P].
        oracle: that of the honest oracle, [P]; NaN of prompts with one seed, which regret and gap leave out.
        genres: of the prompts.
        selecting: whether this judge's word was fitted to.
        opponent: name of the best single composition.
    """
    able = np.isfinite(oracle)
    headroom = None
    if able.any():
        headroom = estimate_by_genre((single - oracle)[None, able], _at(genres, able), seed)[0]
    scores = [_score(way, single, oracle, able, genres, headroom, seed) for way in ways]
    if headroom is not None:
        wer = estimate_by_genre(oracle[None, able], _at(genres, able), seed)[0]
        wins, ties, losses = _count((single - oracle)[able])
        closed = Estimate(1.0, None, None) if headroom.value > 0 else None
        none = Estimate(0.0, None, None)
        scores.append(Score("oracle", "oracle", wer, headroom, none, closed, wins, ties, losses, 1.0))
    above = None if headroom is None or headroom.low is None else headroom.low > 0
    return Judged(judge, selecting, tuple(scores), headroom, above, opponent)


def find_opponent(rates: NDArray[np.float64]) -> int:
    """The composition with the lowest mean of ``rates`` [C, P], the first of equals.

    It is chosen by the figures it is scored by, so that the favour is the opponent's: one chosen by capped rates, or by
    another judge, may be so bad by these (a song that loops has a rate of 2 or 3) that anything would gain over it."""
    return int(np.argmin(np.round(rates.mean(1), 12)))


def spread_rates(rates: NDArray[np.float64], prompts: Sequence[str], over: Sequence[str]) -> NDArray[np.float64]:
    """Rates [..., prompts] as those of the prompts ``over``, NaN where there are none."""
    places = {prompt: p for p, prompt in enumerate(prompts)}
    spread = np.full((*rates.shape[:-1], len(over)), np.nan)
    known = [p for p, prompt in enumerate(over) if prompt in places]
    spread[..., known] = rates[..., [places[over[p]] for p in known]]
    return spread


def mean_of_ways(ways: Sequence[Way], rows: NDArray[np.bool_]) -> dict[str, float]:
    """Mean rate of each way over some prompts, by its name; without ways that sang none of them."""
    return {w.name: float(np.nanmean(w.wer[rows])) for w in ways if np.isfinite(w.wer[rows]).any()}


def find_oracle_rates(lattice: Lattice, seed: int = 0) -> NDArray[np.float64]:
    """Uncapped rate of the honest oracle for each prompt, mean over splits of its seeds in both directions, [P]; NaN
    where a prompt has one seed. Compositions that look alike on the choosing half share the choice."""
    rates = np.full(len(lattice.prompts), np.nan)
    able = can_split(lattice)
    if able.any():
        part = lattice.at(able)
        halves = half_rates(part, split_seeds(part.present, seed=seed))  # [2, splits, C, P]
        low = halves <= halves.min(2, keepdims=True) + _SAME
        picks = low / low.sum(2, keepdims=True)
        rates[able] = (picks * halves[::-1]).sum(2).mean((0, 1))
    return rates


def estimate_by_genre(values: NDArray[np.float64], genres: Sequence[str], seed: int = 0) -> tuple[Estimate, ...]:
    """Mean over prompts of each row of ``values`` [figures, P], with an interval that draws whole genres."""
    return estimate_ratios(*_pool(values, np.ones(values.shape[1]), genres), seed=seed)


def estimate_gap(
    gains: NDArray[np.float64], headroom: NDArray[np.float64], genres: Sequence[str], seed: int = 0
) -> Estimate | None:
    """Sum of gains over sum of headroom, [P] each; None where there is no headroom. Its interval is given only where
    that of the headroom is above zero: a share of what may be nothing can be anything."""
    if headroom.sum() <= 0:
        return None
    low = estimate_by_genre(headroom[None], genres, seed)[0].low
    found = estimate_ratios(*_pool(gains[None], headroom, genres), seed=seed)[0]
    return found if low is not None and low > 0 else Estimate(found.value, None, None)


def _pool(
    values: NDArray[np.float64], weights: NDArray[np.float64], genres: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over the units that are drawn: genres where they are enough, else prompts."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(genres))}
    if len(numbers) < MIN_UNITS:
        return values, weights
    member = np.zeros((len(genres), len(numbers)))
    member[np.arange(len(genres)), [numbers[name] for name in genres]] = 1
    return values @ member, weights @ member


def _score(
    way: Way,
    single: NDArray[np.float64],
    oracle: NDArray[np.float64],
    able: NDArray[np.bool_],
    genres: Sequence[str],
    headroom: Estimate | None,
    seed: int,
) -> Score:
    sung = np.isfinite(way.wer)
    able = able & sung
    gains = (single if way.single is None else way.single) - way.wer
    wer, gain = estimate_by_genre(np.stack([way.wer, gains])[:, sung], _at(genres, sung), seed)
    regret = closed = None
    if headroom is not None and able.any():
        regret = estimate_by_genre((way.wer - oracle)[None, able], _at(genres, able), seed)[0]
        closed = estimate_gap(gains[able], (single - oracle)[able], _at(genres, able), seed)
    wins, ties, losses = _count(gains[sung])
    return Score(way.name, way.kind, wer, gain, regret, closed, wins, ties, losses, way.changed, way.songs)


def _count(gains: NDArray[np.float64]) -> tuple[int, int, int]:
    wins, losses = int((gains > _SAME).sum()), int((gains < -_SAME).sum())
    return wins, len(gains) - wins - losses, losses


def _at(genres: Sequence[str], mask: NDArray[np.bool_]) -> list[str]:
    return [genre for genre, kept in zip(genres, mask, strict=True) if kept]
