"""Gains as a smooth function of the features, with the noise of every row known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from router.examples import LEAST_VARIANCE, Targets
from router.features import Features
from router.policies.base import Column, Deviation, Policy, deviate_nowhere, make_column, number_groups
from router.policies.space import fit_space

#: Likelihoods computed in the search for settings; it is flat where this ends.
_STEPS = 12
LYRICS_WEIGHTS = (0.0, 0.7)


class GaussianProcess(Policy):
    """Gaussian process with a squared-exponential kernel (Rasmussen and Williams 2006, ch. 2 and 5).

    ``signal`` and ``own``: variances of the smooth function and of what each prompt has of its own, as multiples of a
    composition's variance of gains; ``length``: scale of distances; ``lyrics``: weight of the lyric figures. All four
    are shared by the compositions and maximise their joint likelihood, so no folds are needed to choose them. Fitting
    is scikit-learn's; predictions are what its estimators would say, from one kernel matrix for all compositions.
    """

    name = "gaussian process"

    @classmethod
    def propose(cls, features: Features, targets: Targets) -> Sequence[dict[str, Any]]:
        """The one of the highest likelihood."""
        scaled, noise, rows = _standardise(targets)
        if len(rows) < 3:
            return ({"signal": 0.1, "length": 1.0, "own": 0.1, "lyrics": 0.0},)
        space = fit_space(features)
        found = [_maximise(space.place(features, w)[rows], scaled, noise, w) for w in LYRICS_WEIGHTS]
        return (max(found, key=lambda likely: likely[0])[1],)

    def _deviate(self, places: NDArray[np.float64], column: Column) -> Deviation:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel

        assert self._settings is not None
        scale = _measure_scale(column)
        if scale < LEAST_VARIANCE:
            return deviate_nowhere(column.own)
        kernel = ConstantKernel(self._settings["signal"] * scale) * RBF(self._settings["length"])
        rest = self._settings["own"] * scale
        alpha = column.noise + rest
        process = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None).fit(places, column.deviations)
        height = float(kernel.k1.constant_value)

        def deviate(alike: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            across = height * alike[:, column.rows]
            # Algorithm 2.1 of Rasmussen and Williams, as in GaussianProcessRegressor.predict.
            told = solve_triangular(process.L_, across.T, lower=True, check_finite=False)
            return across @ process.alpha_, np.maximum(height - (told**2).sum(0), 0.0) + rest

        return deviate

    def _relate(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """The kernel of height 1 between prompts and all rows, [n, P]."""
        from sklearn.gaussian_process.kernels import RBF

        assert self._settings is not None
        alike: NDArray[np.float64] = RBF(self._settings["length"])(places, self._places)
        return alike


def _measure_scale(column: Column) -> float:
    """Variance of a composition's measured gains; rows of much noise count little."""
    sung = column.measured
    if not sung.any():
        return 0.0
    return float(
        np.average(column.deviations[sung] ** 2, weights=1 / (column.noise[sung] + column.own + LEAST_VARIANCE))
    )


def _standardise(targets: Targets) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Deviations of unit variance [rows, columns], their noise [rows], and which rows know all compositions."""
    rows = np.flatnonzero(np.isfinite(targets.gains).all(1))
    groups = number_groups(targets)
    deviations, noises = [], []
    for c in range(targets.gains.shape[1]):
        column = make_column(targets.gains[rows, c], targets.noise[rows, c], groups=groups[rows])
        scale = _measure_scale(column)
        if c != targets.default and scale >= LEAST_VARIANCE:
            deviations.append(column.deviations / np.sqrt(scale))
            noises.append(column.noise / scale)
    if not deviations:
        return np.zeros((0, 0)), np.zeros(0), rows[:0]
    return np.stack(deviations, 1), np.mean(noises, axis=0), rows


def _maximise(
    places: NDArray[np.float64], scaled: NDArray[np.float64], noise: NDArray[np.float64], lyrics: float
) -> tuple[float, dict[str, Any]]:
    """Log likelihood and settings of the process that makes all columns likeliest."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(0.3, (1e-3, 3)) * RBF(1.0, (0.2, 5)) + WhiteKernel(0.2, (1e-3, 3))
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=_climb)
    with warnings.catch_warnings():  # it warns where an optimum lies at a bound, which is an answer here
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(places, scaled)
    signal, length, own = (float(np.exp(theta)) for theta in process.kernel_.theta)
    settings = {"signal": signal, "length": length, "own": own, "lyrics": lyrics}
    return float(process.log_marginal_likelihood_value_), settings


def _climb(
    objective: Callable[..., Any], start: NDArray[np.float64], bounds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    from scipy.optimize import minimize

    found = minimize(objective, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxfun": _STEPS})
    return found.x, float(found.fun)
