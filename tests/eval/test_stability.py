"""Orders that repeat and orders that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eval.halves import MOST_SPLITS, pair_seeds, split_seeds
from eval.stability import measure_stability
from tests.eval.lattices import lattice_of, noisy


def test_the_same_order_in_every_seed() -> None:
    errors = np.broadcast_to(np.array([3, 1, 7])[:, None, None], (3, 4, 4))
    found = measure_stability(lattice_of(errors))
    assert found is not None
    for agreement in (found.halves, found.singles):
        assert (agreement.pairs, agreement.tau, agreement.same_best) == (MOST_SPLITS, 1.0, 1.0)
        assert (agreement.genre_tau, agreement.genre_same_best) == (1.0, 1.0)
    assert found.halves.chance == pytest.approx(1 / 3)


def test_opposite_orders() -> None:
    found = measure_stability(lattice_of([[[1, 9]], [[5, 5]], [[9, 1]]]))
    assert found is not None
    assert (found.halves.tau, found.halves.same_best, found.halves.genre_tau) == (-1.0, 0.0, -1.0)


def test_taus_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    lattice = lattice_of(rng.integers(0, 20, size=(5, 6, 4)), genres=("a", "a", "b", "b", "b", "c"))
    found = measure_stability(lattice, most_splits=40)
    assert found is not None and found.halves.pairs == 40
    first = split_seeds(lattice.present, 40)
    for agreement, parts in ((found.halves, (first, ~first)), (found.singles, pair_seeds(lattice.present, 40))):
        taus, genre_taus, same = [], [], []
        for masks in zip(*parts, strict=True):
            one, other = ((lattice.rates * mask).sum(-1) / mask.sum(-1) for mask in masks)
            taus.append(stats.kendalltau(one.mean(1).round(9), other.mean(1).round(9)).statistic)
            leads = [rates.mean(1).round(9) == rates.mean(1).round(9).min() for rates in (one, other)]
            same.append((leads[0] & leads[1]).sum() / (leads[0].sum() * leads[1].sum()))
            for members in ([0, 1], [2, 3, 4], [5]):
                pair = [rates[:, members].mean(1).round(9) for rates in (one, other)]
                genre_taus.append(stats.kendalltau(*pair).statistic)
        assert agreement.tau == pytest.approx(np.mean(taus))
        assert agreement.genre_tau == pytest.approx(np.nanmean(genre_taus))
        assert agreement.same_best == pytest.approx(np.mean(same))


def test_every_split_of_a_single_prompt_is_looked_at_once() -> None:
    found = measure_stability(lattice_of(np.random.default_rng(6).integers(0, 20, size=(3, 1, 4))))
    assert found is not None and (found.halves.pairs, found.singles.pairs) == (3, 6)


def test_identical_compositions_do_not_look_stable() -> None:
    # Four words a song: all five compositions have the same chances, and tie for the lead nearly always.
    rng = np.random.default_rng(5)
    found = measure_stability(lattice_of(rng.binomial(4, 0.15, size=(5, 300, 4)), words=4))
    assert found is not None
    for agreement in (found.halves, found.singles):
        assert agreement.chance == pytest.approx(0.2)
        assert agreement.genre_same_best == pytest.approx(0.2, abs=0.03)
    twins = measure_stability(lattice_of(np.tile(rng.binomial(20, 0.3, size=(1, 30, 4)), (5, 1, 1))))
    assert twins is not None
    assert (twins.halves.same_best, twins.halves.genre_same_best) == pytest.approx((0.2, 0.2))


def test_who_shares_the_lead_shares_the_agreement() -> None:
    # One half: the first two lead; the other: the second alone.
    found = measure_stability(lattice_of([[[1, 5]], [[1, 2]], [[9, 9]]]))
    assert found is not None
    assert (found.halves.same_best, found.halves.genre_same_best) == (0.5, 0.5)


def test_noise_within_genres_agrees_by_chance() -> None:
    rng = np.random.default_rng(2)
    found = measure_stability(noisy(np.full((5, 200), 0.4), 4, rng, words=200))
    assert found is not None and found.halves.genre_tau is not None
    assert abs(found.halves.genre_tau) < 0.06
    assert found.halves.genre_same_best == pytest.approx(found.halves.chance, abs=0.06)


def test_a_real_order_repeats_better_in_halves_than_in_single_seeds() -> None:
    rng = np.random.default_rng(3)
    lattice = noisy(rng.uniform(0.1, 0.7, size=(5, 40)), 4, rng)
    found = measure_stability(lattice)
    assert found is not None and found.halves.genre_tau is not None and found.singles.genre_tau is not None
    assert found.halves.genre_tau > found.singles.genre_tau > 0.2


def test_ties_everywhere() -> None:
    found = measure_stability(lattice_of(np.ones((3, 2, 2), dtype=int)))
    assert found is not None
    assert (found.halves.tau, found.halves.genre_tau) == (None, None)
    assert (found.halves.same_best, found.halves.chance) == pytest.approx((1 / 3, 1 / 3))


def test_missing_seeds() -> None:
    words = np.full((2, 3, 3), 20)
    words[:, 0, 2] = words[:, 2, 1:] = 0  # three, two and one seed are left
    errors = np.where(words > 0, np.array([2, 9])[:, None, None], 0)
    found = measure_stability(lattice_of(errors, words))
    assert found is not None
    assert found.prompts == 2
    assert (found.halves.tau, found.singles.tau) == (1.0, 1.0)
    assert found.singles.same_best == found.singles.genre_same_best == 1.0


def test_where_there_is_nothing_to_compare() -> None:
    assert measure_stability(lattice_of([[[1], [2]], [[3], [4]]])) is None
    assert measure_stability(lattice_of([[[1, 2], [2, 4]]])) is None
