"""What the nearest measured prompts gained, drawn to the composition's mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.examples import Targets
from router.features import Features
from router.policies.base import Column, Deviation, Policy, deviate_nowhere


class Neighbours(Policy):
    """A prompt's deviation is normal around 0 with ``signal`` of the variance between prompts; each of ``k`` neighbours
    tells it with the noise of its songs and the rest of that variance, fading to nothing at the next one's distance
    (Epanechnikov's kernel). Votes nearer than that tell as well, and take no measured neighbour's place. ``lyrics``:
    weight of the lyric figures in distances.
    """

    name = "neighbours"

    @classmethod
    def propose(cls, features: Features, targets: Targets) -> Sequence[dict[str, Any]]:
        """Many neighbours first."""
        grid = product((20, 7), (0.5,), (0.0, 0.7))
        return tuple({"k": k, "signal": signal, "lyrics": lyrics} for k, signal, lyrics in grid)

    def _deviate(self, places: NDArray[np.float64], column: Column) -> Deviation:
        assert self._settings is not None
        signal = float(self._settings["signal"])
        sung = np.flatnonzero(column.measured)
        count = min(int(self._settings["k"]), len(sung) - 1)
        if column.own <= 0 or count < 1:
            return deviate_nowhere(column.own)
        rest = (1 - signal) * column.own
        precision = 1 / (column.noise + rest)
        prior = 1 / (signal * column.own)

        def deviate(distances: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            apart = distances[:, column.rows]
            edge = np.partition(apart[:, sung], count, axis=1)[:, count, None]  # of the nearest that tells nothing
            weights = np.maximum(1 - (apart / np.maximum(edge, 1e-12)) ** 2, 0) * precision
            told = weights.sum(1) + prior
            return weights @ column.deviations / told, 1 / told + rest

        return deviate

    def _relate(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances to all rows, [n, P]."""
        from scipy.spatial.distance import cdist

        distances: NDArray[np.float64] = cdist(places, self._places)
        return distances
