"""How far predicted WER may be trusted: what prompts unseen in fitting measured, beside what was predicted for them.

Quantiles of the difference make the intervals that a router gives. Measured is the mean capped WER over a prompt's
seeds, so intervals are of that mean and not of one song. Knows no policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.findings import Calibration, CalibrationBin

PROMISED = 0.8
BINS = 10


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """``predicted`` and ``measured`` capped WER of prompts whose genre was left out of the fit, [P, C]; ``genres`` of
    the prompts; ``default`` [P]: column of the fold's default."""

    compositions: tuple[str, ...]
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]
    genres: tuple[str, ...]
    default: NDArray[np.intp]

    def bound(
        self, promised: float = PROMISED, rows: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Low and high quantile of measured less predicted WER, by composition, [C] each.

        Of n prompts the k-th stands for the quantile k / (n + 1), as in conformal prediction (Vovk et al. 2005).
        """
        missed = self.measured - self.predicted
        missed = missed if rows is None else missed[rows]
        tails = ((1 - promised) / 2, (1 + promised) / 2)
        low, high = np.quantile(missed, tails, axis=0, method="weibull")
        return low, high


def calibrate(found: OutOfFold, promised: float = PROMISED) -> Calibration:
    """Predicted against measured, all compositions. Coverage is honest, too: a prompt's interval is of other genres.

    Where features tell nothing of how hard a prompt is, the correlation comes out below zero rather than at it: a mean
    without a hard genre is a little low.
    """
    from scipy.stats import spearmanr

    genres = np.array(found.genres)
    inside = np.zeros(found.measured.shape, dtype=bool)
    for genre in dict.fromkeys(found.genres):
        held = genres == genre
        low, high = found.bound(promised, ~held)
        missed = found.measured[held] - found.predicted[held]
        inside[held] = (missed >= low - 1e-12) & (missed <= high + 1e-12)
    rows = np.arange(len(genres))
    expected, came = found.predicted[rows, found.default], found.measured[rows, found.default]
    varies = np.ptp(expected) > 1e-12 and np.ptp(came) > 1e-12
    correlation = float(spearmanr(expected, came).statistic) if varies and len(rows) > 2 else None
    return Calibration(_bin(found), promised, float(inside.mean()), correlation)


def _bin(found: OutOfFold) -> tuple[CalibrationBin, ...]:
    predicted, measured = found.predicted.ravel(), found.measured.ravel()
    order = np.argsort(predicted, kind="stable")
    return tuple(
        CalibrationBin(float(predicted[part].mean()), float(measured[part].mean()), len(part))
        for part in np.array_split(order, BINS)
        if len(part)
    )
