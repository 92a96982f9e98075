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
    MIN_UNITS,
    Estimate,
    adjust_holm,
    bound,
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


@pytest.mark.parametrize("prompts", [1, 2, MIN_UNITS - 1])
def test_too_few_prompts_have_no_interval(prompts: int) -> None:
    values = np.linspace(0.1, 0.5, prompts)
    [found] = estimate_means(values[None])
    assert found.value == pytest.approx(values.mean())
    assert found.low is None and found.high is None
    assert not found.excludes_zero
    assert estimate_means(np.linspace(0.1, 0.5, MIN_UNITS)[None])[0].low is not None


@pytest.mark.parametrize(
    ("kind", "prompts", "covered"),
    [("normal", 30, 0.92), ("lognormal", 30, 0.89), ("loops", 30, 0.6), ("normal", 10, 0.9)],
)
def test_intervals_cover_as_often_as_the_module_says(kind: str, prompts: int, covered: float) -> None:
    rng = np.random.default_rng(12)
    shape = (800, prompts)
    values = {
        "normal": rng.normal(size=shape),
        "lognormal": rng.lognormal(0, 1, size=shape) - np.exp(0.5),
        "loops": np.where(rng.random(shape) < 0.03, 8.0, rng.beta(2, 6, size=shape)) - (0.03 * 8 + 0.97 / 4),
    }[kind]
    ends = [e for part in np.split(values, 8) for e in estimate_means(part, 500)]
    found = np.mean([e.low is not None and e.high is not None and e.low <= 0 <= e.high for e in ends])
    assert found == pytest.approx(covered, abs=0.05)


def test_resamples_without_a_figure_are_left_out() -> None:
    drawn = np.array([np.nan, *np.linspace(0, 1, 101)])
    found = bound(0.5, drawn, 30)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))
    assert bound(0.5, np.full(3, np.nan), 30) == bound(0.5, drawn, 9) == Estimate(0.5, None, None)


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


@pytest.mark.parametrize(
    ("words", "of"), [((5, 0, 6, -6, 1, -6), 24), ((1, 1, 1, 1, -2, -2), 30), ((3, -1, -1, -1, 2), 7)]
)
def test_ties_count_although_floats_round(words: tuple[int, ...], of: int) -> None:
    # Sums in whole words, where a tie is a tie.
    sums = [sum(s * w for s, w in zip(signs, words, strict=True)) for signs in product((1, -1), repeat=len(words))]
    low, high = (np.mean([side * s >= side * sum(words) for s in sums]) for side in (1, -1))
    assert flip_signs(np.array(words) / of) == pytest.approx(min(1.0, 2 * min(low, high)))


def test_what_is_zero_but_for_rounding_is_zero() -> None:
    assert flip_signs(np.array([0.1 + 0.2 - 0.3] * 12)) == 1.0


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


def test_students_interval_needs_three_units_that_differ() -> None:
    assert estimate_student(np.array([3.0, 5.0]), np.full(2, 20.0)) == Estimate(0.2, None, None)
    assert estimate_student(np.array([3.0, 5.0, 4.0]), np.full(3, 20.0)).low is not None
    alike = estimate_student(np.array([1.0, 2.0, 3.0, 3.0]), np.array([10.0, 20.0, 30.0, 30.0]))
    assert alike.value == pytest.approx(0.1)
    assert alike.low is None and alike.high is None
    assert estimate_student(np.zeros(4), np.full(4, 20.0)) == Estimate(0.0, None, None)
