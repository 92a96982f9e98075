"""Intervals and tests against scipy, textbook examples and enumeration by hand."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from eval.resampling import (
    Estimate,
    adjust_holm,
    estimate_means,
    estimate_ratios,
    estimate_student,
    flip_signs,
)


def test_bootstrap_of_a_ratio_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    words = rng.integers(20, 60, size=25)
    errors = rng.binomial(words, 0.3)
    [ours] = estimate_ratios(errors[None].astype(float), words.astype(float))

    def rate(e: NDArray[Any], w: NDArray[Any], axis: int) -> NDArray[Any]:
        ratio: NDArray[Any] = e.sum(axis=axis) / w.sum(axis=axis)
        return ratio

    theirs = stats.bootstrap(
        (errors, words), rate, paired=True, vectorized=True, n_resamples=10_000, method="percentile", rng=2
    ).confidence_interval
    assert ours.value == pytest.approx(errors.sum() / words.sum())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_bootstrap_of_means_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(2, 12))
    for ours, row in zip(estimate_means(values, 20_000), values, strict=True):
        theirs = stats.bootstrap((row,), np.mean, n_resamples=20_000, method="percentile", rng=4).confidence_interval
        assert ours.value == pytest.approx(row.mean())
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bootstrap_recovers_a_known_spread() -> None:
    values = np.random.default_rng(5).normal(2.0, 1.0, size=(1, 400))
    [found] = estimate_means(values)
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(400), rel=0.05)


def test_figures_of_one_table_see_the_same_draws() -> None:
    values = np.random.default_rng(6).normal(size=(1, 15))
    one, shifted = estimate_means(np.concatenate([values, values + 5]))
    assert one.low is not None and shifted.low is not None
    assert shifted.low - one.low == pytest.approx(5)
    assert estimate_means(values, seed=1) == estimate_means(values, seed=1) != estimate_means(values, seed=2)


def test_resamples_that_fill_no_chunk() -> None:
    values = np.random.default_rng(7).normal(size=(1, 15))
    [few] = estimate_means(values, resamples=1)
    assert few.low == few.high
    [odd] = estimate_means(values, resamples=2_345)
    assert odd.low is not None and odd.high is not None and odd.low < odd.value < odd.high


def test_one_prompt_has_no_interval() -> None:
    [found] = estimate_means(np.array([[0.3]]))
    assert found == Estimate(0.3, None, None)
    assert not found.excludes_zero


@pytest.mark.parametrize(("low", "high", "excludes"), [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False)])
def test_excludes_zero(low: float, high: float, excludes: bool) -> None:
    assert Estimate(0.0, low, high).excludes_zero == excludes


@pytest.mark.parametrize("differences", [[0.1, 0.2, 0.3], [0.5, -0.2, 0.1, 0.4], [0.3, 0.0, 0.3, -0.1, 0.2]])
def test_sign_flips_by_hand(differences: list[float]) -> None:
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    expected = sum(abs(s) >= abs(sum(differences)) - 1e-12 for s in sums) / len(sums)
    assert flip_signs(np.array(differences)) == pytest.approx(expected)


def test_sign_flips_of_one_sign_are_as_rare_as_can_be() -> None:
    assert flip_signs(np.full(16, 0.1)) == pytest.approx(2 / 2**16)  # still exact
    assert flip_signs(np.full(17, 0.1)) == pytest.approx(2 / 10_001)  # drawn, and never zero


def test_drawn_flips_agree_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(8).normal(0.3, 1.0, size=60)
    z = differences.sum() / np.sqrt((differences**2).sum())
    assert flip_signs(differences) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.012)
    assert flip_signs(differences, seed=1) == flip_signs(differences, seed=1)


def test_no_difference_at_all() -> None:
    assert flip_signs(np.zeros(20)) == flip_signs(np.zeros(1)) == 1.0


def test_p_is_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(9)
    ps = [flip_signs(rng.normal(size=12)) for _ in range(300)]
    assert stats.kstest(ps, "uniform").pvalue > 0.01


def test_holm_of_a_textbook() -> None:
    # The worked example of Wikipedia's article: at 0.05 the first and the last are rejected, the others are not.
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([0.5, 0.6]) == [1.0, 1.0]
    assert adjust_holm([0.02]) == [0.02]
    assert adjust_holm([]) == []


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_the_order_and_never_lowers(p: list[float]) -> None:
    adjusted = adjust_holm(p)
    assert all(b <= a <= min(1.0, len(p) * b) for a, b in zip(adjusted, p, strict=True))
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order.astype(int)]) >= 0).all()


def test_students_interval_of_equal_words_is_the_textbook_one() -> None:
    errors = np.array([2.0, 5.0, 3.0, 6.0])
    found = estimate_student(errors, np.full(4, 20.0))
    low, high = stats.t.interval(0.95, 3, loc=(errors / 20).mean(), scale=stats.sem(errors / 20))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, low, high))


def test_students_interval_of_four_songs_covers() -> None:
    rng = np.random.default_rng(10)
    songs = rng.binomial(24, rng.beta(1.8, 4.2, size=(1000, 4))).astype(float)  # mean rate 0.3
    found = [estimate_student(e, np.full(4, 24.0)) for e in songs]
    covered = np.mean([f.low is not None and f.high is not None and f.low <= 0.3 <= f.high for f in found])
    assert 0.9 < covered < 0.98
    assert min(f.low for f in found if f.low is not None) == 0.0  # rates have a floor
    assert estimate_student(np.array([3.0]), np.array([20.0])) == Estimate(0.15, None, None)
