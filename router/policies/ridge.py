"""Gains as a linear function of the features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, solve_triangular

from router.examples import Targets
from router.features import Features
from router.policies.base import Column, Deviation, Policy, deviate_nowhere


class RidgePolicy(Policy):
    """Ridge regression with rows weighed by the inverse of their variance (Hoerl and Kennard 1970).

    Read as a posterior: coefficients are normal around 0 such that a prompt at distance 1 from the mean deviates with
    ``signal`` of the variance between prompts; the rest of it is noise to every row, and to what is predicted.
    ``lyrics``: weight of the lyric figures.
    """

    name = "ridge"

    @classmethod
    def propose(cls, features: Features, targets: Targets) -> Sequence[dict[str, Any]]:
        """Flat functions first."""
        grid = product((0.1, 0.3, 0.8), (0.0, 0.7))
        return tuple({"signal": signal, "lyrics": lyrics} for signal, lyrics in grid)

    def _deviate(self, places: NDArray[np.float64], column: Column) -> Deviation:
        from sklearn.linear_model import Ridge

        assert self._settings is not None
        signal = float(self._settings["signal"])
        if column.own <= 0:
            return deviate_nowhere(column.own)
        alpha = 1 / (signal * column.own)
        rest = (1 - signal) * column.own
        weights = 1 / (column.noise + rest)
        ridge = Ridge(alpha=alpha, fit_intercept=False, solver="cholesky")
        ridge.fit(places, column.deviations, sample_weight=weights)
        precision = places.T @ (places * weights[:, None])
        precision[np.diag_indices_from(precision)] += alpha
        factor, _ = cho_factor(precision, lower=True)
        coefficients = np.ravel(ridge.coef_)

        def deviate(asked: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            spread = solve_triangular(factor, asked.T, lower=True)
            return asked @ coefficients, (spread**2).sum(0) + rest

        return deviate
