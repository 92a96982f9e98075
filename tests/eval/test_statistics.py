"""Planted rates and differences are found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eval.lattice import LatticeError
from eval.statistics import compare, rank_standings
from tests.eval.lattices import lattice_of, noisy


def test_micro_macro_and_median_by_hand() -> None:
    words = np.array([[10, 10], [40, 40]])[None]
    [found] = rank_standings(lattice_of([[[5, 15], [4, 8]]], words), resamples=50)
    assert found.micro.value == pytest.approx(32 / 100)
    assert found.macro.value == pytest.approx((20 / 20 + 12 / 80) / 2)
    assert found.median == pytest.approx((0.2 + 0.5) / 2)  # of 0.5, 1.5, 0.1, 0.2: uncapped
    assert found.songs == 4


def test_intervals_are_clustered_by_prompt() -> None:
    rates = np.random.default_rng(1).integers(0, 20, size=(1, 20, 1))
    [once] = rank_standings(lattice_of(rates))
    [repeated] = rank_standings(lattice_of(np.repeat(rates, 4, axis=2)))
    assert repeated.micro == once.micro  # the same songs four times over bring no news
    assert repeated.macro == once.macro


def test_a_planted_gain_is_found() -> None:
    rng = np.random.default_rng(2)
    sizes, covered, found_out = [], [], []
    for _ in range(100):  # a single interval misses now and then, as it should
        base = rng.uniform(0.2, 0.6, size=30)
        [found] = compare(noisy(np.stack([base, base - 0.1]), 4, rng), resamples=300)
        assert (found.composition, found.reference) == ("nolyrics", "base")
        assert found.difference.low is not None and found.difference.high is not None
        assert found.wins + found.ties + found.losses == 30
        sizes.append(found.difference.value)
        covered.append(found.difference.low <= -0.1 <= found.difference.high)
        found_out.append(found.p < 0.05 and found.difference.high < 0 and found.wins > found.losses)
    assert np.mean(sizes) == pytest.approx(-0.1, abs=3.5 * float(np.std(sizes)) / 10)
    assert 0.84 < np.mean(covered) < 1.0
    assert np.mean(found_out) > 0.9


def test_where_nothing_differs_the_interval_covers_zero_and_p_is_uniform() -> None:
    rng = np.random.default_rng(3)
    covered, ps = [], []
    for _ in range(200):
        base = rng.uniform(0.2, 0.6, size=10)
        [found] = compare(noisy(np.stack([base, base]), 4, rng), resamples=500)
        assert found.exact and found.difference.low is not None and found.difference.high is not None
        covered.append(found.difference.low <= 0 <= found.difference.high)
        ps.append(found.p)
    assert 0.82 < np.mean(covered) < 0.97  # percentiles of ten prompts are a little short
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_a_difference_is_paired() -> None:
    # Prompts differ far more than compositions do: only pairs show it.
    base = np.tile(np.arange(20), (1, 1))[..., None]
    found = compare(lattice_of(np.concatenate([base, base + 1])))[0]
    assert (found.difference.value, found.difference.low, found.difference.high) == pytest.approx((0.05, 0.05, 0.05))
    assert not found.exact


def test_holm_is_over_all_comparisons() -> None:
    rng = np.random.default_rng(4)
    lattice = lattice_of(rng.integers(0, 20, size=(4, 12, 2)))
    found = compare(lattice, "lyrics", resamples=10)
    means = lattice.rates.mean((1, 2))
    assert [c.difference.value for c in found] == pytest.approx((means[:3] - means[3]).tolist())
    assert [c.composition for c in found] == ["base", "nolyrics", "nolyrics-asr"]
    p = sorted(c.p for c in found)
    assert min(c.p_holm for c in found) == pytest.approx(min(1, 3 * p[0]))


def test_wins_ties_and_losses_pool_a_genre() -> None:
    errors = [[[1, 1], [2, 2], [3, 3], [9, 9]], [[1, 0], [2, 2], [3, 4], [9, 8]]]
    [found] = compare(lattice_of(errors, genres=("a", "b", "c", "c")), resamples=10)
    # a: one fewer; b: as many; c: one more and one fewer, a tie
    assert (found.wins, found.ties, found.losses) == (1, 2, 0)


def test_one_composition_and_one_prompt() -> None:
    assert compare(lattice_of([[[1], [2]]])) == ()
    [found] = compare(lattice_of([[[1]], [[5]]]))
    assert found.difference.value == pytest.approx(0.2)
    assert (found.difference.low, found.p) == (None, 1.0)


def test_a_reference_that_is_not_there() -> None:
    with pytest.raises(LatticeError, match="no songs by 'nobody': choose from base, nolyrics"):
        compare(lattice_of([[[1]], [[5]]]), "nobody")
