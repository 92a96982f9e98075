"""How sure a mean over prompts is: bootstrap intervals and sign-flip tests, with whole prompts as the unit.

Songs of one prompt fail together, so prompts are drawn, not songs; all statistics of one table see the same draws.
Knows arrays of one figure per prompt, not what they mean.

Percentile intervals are short where prompts are few or unlike each other. Meant to cover 95 times in 100, they cover a
mean of 30 prompts about 92 times where figures are normal, 89 where they are lognormal with a log's standard deviation
of 1, and only 60 where three prompts in a hundred end in a loop with an error rate of 8; of 10 prompts with normal
figures, 90 times. Loops that rare are mostly not seen at all, and no interval tells what was not seen: with 30 prompts,
look at the median too. Of fewer than :data:`MIN_UNITS` prompts no interval is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
#: Fewer prompts than this are too few to be drawn from: the figure then has no interval.
MIN_UNITS = 10
#: Fewer songs or prompts than this have no Student's interval either.
MIN_STUDENT = 3
#: All 2^prompts sign flips are tried up to here, and as many as RESAMPLES drawn beyond.
EXACT_FLIPS = 2**16
#: Figures that differ by less are equal but for rounding.
_DIGITS = 9
#: Resamples drawn at a time.
_CHUNK = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; no ends where too few units were seen to tell how another would differ."""

    value: float
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def estimate_ratios(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Estimate, ...]:
    """Sum over sum, over prompts, with the percentile interval of the bootstrap (Efron and Tibshirani 1993, ch. 13).

    No ends below :data:`MIN_UNITS` prompts.

    Args:
        numerators: [figures, prompts].
        denominators: [prompts] or [figures, prompts], above zero.
    """
    prompts = numerators.shape[1]
    denominators = np.broadcast_to(denominators, numerators.shape)
    values = numerators.sum(1) / denominators.sum(1)
    drawn = [(times @ numerators.T) / (times @ denominators.T) for times in draw_prompts(prompts, resamples, seed)]
    return tuple(bound(float(v), row, prompts) for v, row in zip(values, np.concatenate(drawn).T, strict=True))


def draw_prompts(prompts: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """How often each prompt was drawn, [some resamples, prompts]; of the same seed, always the same draws."""
    rng = np.random.default_rng(seed)
    even = np.full(prompts, 1 / prompts)
    for start in range(0, resamples, _CHUNK):
        yield rng.multinomial(prompts, even, min(_CHUNK, resamples - start)).astype(float)


def bound(value: float, drawn: NDArray[np.float64], units: int) -> Estimate:
    """A figure with the percentiles of what it was in resamples, [resamples]; those that left it undefined are NaN."""
    known = drawn[~np.isnan(drawn)]
    if units < MIN_UNITS or not len(known):
        return Estimate(value, None, None)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def estimate_means(values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = 0) -> tuple[Estimate, ...]:
    """Mean over prompts of each row of ``values`` [figures, prompts], with its interval."""
    return estimate_ratios(values, np.ones(values.shape[1]), resamples, seed)


def flip_signs(differences: NDArray[np.float64], flips: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of a mean of paired differences [prompts] under the sign-flip test (Fisher 1935).

    Null hypothesis: each difference might as well have come out with the other sign. Exact up to 16 prompts; beyond, of
    drawn flips, the one observed counted among them (Phipson and Smyth 2010). Means that differ by rounding only are
    equal: rates of whole words tie often, at zero above all.
    """
    differences = np.round(differences, _DIGITS + 3)  # finer, so that rounded ties do not part in the sum
    if len(differences) < 2 or not differences.any():
        return 1.0
    exact = 2 ** len(differences) <= EXACT_FLIPS
    found = stats.permutation_test(
        (differences,),
        lambda x, axis: np.round(np.sum(x, axis=axis), _DIGITS),
        permutation_type="samples",
        vectorized=True,
        n_resamples=EXACT_FLIPS if exact else flips,
        batch=_CHUNK,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def adjust_holm(p: list[float]) -> list[float]:
    """p values adjusted so that the chance of any false finding among them stays bounded (Holm 1979)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted


def estimate_student(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> Estimate:
    """Sum over sum of a few units [units], with Student's interval of a ratio, not below zero (Cochran 1977, ch. 6).

    For the handful of songs of one genre, where a bootstrap's percentiles are far too narrow: four units hardly ever
    draw a resample as unlike them as the fifth will be. No ends below :data:`MIN_STUDENT` units, nor where all have
    the same rate: that few alike do not tell that the next would be.
    """
    total = denominators.sum()
    value = float(numerators.sum() / total)
    units = len(numerators)
    residuals = np.round(numerators - value * denominators, _DIGITS)
    if units < MIN_STUDENT or not residuals.any():
        return Estimate(value, None, None)
    error = np.sqrt(units / (units - 1) * (residuals**2).sum()) / total
    reach = float(stats.t.ppf((1 + LEVEL) / 2, units - 1) * error)
    return Estimate(value, max(0.0, value - reach), value + reach)
