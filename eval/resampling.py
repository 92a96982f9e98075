"""How sure a mean over prompts is: bootstrap intervals and sign-flip tests, with whole prompts as the unit.

Songs of one prompt fail together, so prompts are drawn, not songs; all statistics of one table see the same draws.
Knows arrays of one figure per prompt, not what they mean.

Percentile intervals are a little short where prompts are few: they cover somewhat less often than 95 % of the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 10_000
#: All 2^prompts sign flips are tried up to here, and as many as RESAMPLES drawn beyond.
EXACT_FLIPS = 2**16
#: Resamples drawn at a time.
_CHUNK = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; no ends where one unit was seen, as nothing tells how another would differ."""

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

    Args:
        numerators: [figures, prompts].
        denominators: [prompts] or [figures, prompts], above zero.
    """
    figures, prompts = numerators.shape
    denominators = np.broadcast_to(denominators, numerators.shape)
    values = numerators.sum(1) / denominators.sum(1)
    if prompts == 1:
        return tuple(Estimate(float(value), None, None) for value in values)
    rng = np.random.default_rng(seed)
    drawn = np.empty((resamples, figures))
    even = np.full(prompts, 1 / prompts)
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        times = rng.multinomial(prompts, even, size).astype(float)  # [size, prompts], how often each was drawn
        drawn[start : start + size] = (times @ numerators.T) / (times @ denominators.T)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return tuple(Estimate(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True))


def estimate_means(values: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = 0) -> tuple[Estimate, ...]:
    """Mean over prompts of each row of ``values`` [figures, prompts], with its interval."""
    return estimate_ratios(values, np.ones(values.shape[1]), resamples, seed)


def flip_signs(differences: NDArray[np.float64], flips: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of a mean of paired differences [prompts] under the sign-flip test (Fisher 1935).

    Null hypothesis: each difference might as well have come out with the other sign. Exact up to 16 prompts; beyond, of
    drawn flips, the one observed counted among them (Phipson and Smyth 2010).
    """
    if len(differences) < 2 or not differences.any():
        return 1.0
    exact = 2 ** len(differences) <= EXACT_FLIPS
    found = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
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
    draw a resample as unlike them as the fifth will be.
    """
    total = denominators.sum()
    value = float(numerators.sum() / total)
    units = len(numerators)
    if units == 1:
        return Estimate(value, None, None)
    residuals = numerators - value * denominators
    error = np.sqrt(units / (units - 1) * (residuals**2).sum()) / total
    reach = float(stats.t.ppf((1 + LEVEL) / 2, units - 1) * error)
    return Estimate(value, max(0.0, value - reach), value + reach)
