"""Orders that repeat and orders that do not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from eval.halves import split_seeds
from eval.stability import measure_stability
from tests.eval.lattices import lattice_of, noisy


def test_the_same_order_in_every_seed() -> None:
    errors = np.broadcast_to(np.array([3, 1, 7])[:, None, None], (3, 4, 4))
    found = measure_stability(lattice_of(errors))
    assert found is not None
    for agreement, pairs in ((found.halves, 3), (found.singles, 6)):
        assert (agreement.pairs, agreement.tau, agreement.same_best) == (pairs, 1.0, 1.0)
        assert (agreement.genre_tau, agreement.genre_same_best) == (1.0, 1.0)
    assert found.halves.chance == pytest.approx(1 / 3)


def test_opposite_orders() -> None:
    found = measure_stability(lattice_of([[[1, 9]], [[5, 5]], [[9, 1]]]))
    assert found is not None
    assert (found.halves.tau, found.halves.same_best, found.halves.genre_tau) == (-1.0, 0.0, -1.0)


def test_taus_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    lattice = lattice_of(rng.integers(0, 20, size=(5, 6, 4)), genres=("a", "a", "b", "b", "b", "c"))
    found = measure_stability(lattice)
    assert found is not None
    taus, genre_taus, same = [], [], []
    for mask in split_seeds(lattice.present)[:, 0]:
        one, other = lattice.rates[..., mask].mean(-1), lattice.rates[..., ~mask].mean(-1)
        taus.append(stats.kendalltau(one.mean(1).round(9), other.mean(1).round(9)).statistic)
        same.append(one.mean(1).argmin() == other.mean(1).argmin())
        for members in ([0, 1], [2, 3, 4], [5]):
            pair = [rates[:, members].mean(1).round(9) for rates in (one, other)]
            genre_taus.append(stats.kendalltau(*pair).statistic)
    assert found.halves.tau == pytest.approx(np.mean(taus))
    assert found.halves.genre_tau == pytest.approx(np.mean(genre_taus))
    assert found.halves.same_best == pytest.approx(np.mean(same))
    singles = [
        stats.kendalltau(lattice.rates[..., a].mean(1).round(9), lattice.rates[..., b].mean(1).round(9)).statistic
        for a, b in combinations(range(4), 2)
    ]
    assert found.singles.tau == pytest.approx(np.mean(singles))


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
    assert found.halves.same_best == 1.0


def test_missing_seeds() -> None:
    words = np.full((2, 3, 3), 20)
    words[:, 0, 2] = words[:, 2, 1:] = 0  # three, two and one seed are left
    errors = np.where(words > 0, np.array([2, 9])[:, None, None], 0)
    found = measure_stability(lattice_of(errors, words))
    assert found is not None
    assert found.prompts == 2
    assert (found.halves.tau, found.singles.tau, found.singles.pairs) == (1.0, 1.0, 3)
    assert found.singles.genre_same_best == 1.0  # a genre without a song in one part is not asked


def test_where_there_is_nothing_to_compare() -> None:
    assert measure_stability(lattice_of([[[1], [2]], [[3], [4]]])) is None
    assert measure_stability(lattice_of([[[1, 2], [2, 4]]])) is None
