"""From predicted gains to a choice: the best predicted composition, or the default where no gain is credible.

Knows neither prompts nor how the prediction came about.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from router.errors import RouterError
from router.policies.base import Prediction

CONFIDENCE = 0.8


def choose(
    prediction: Prediction,
    default: int,
    confidence: float = CONFIDENCE,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Column chosen for each prompt [n], and the chance that a composition's gain is above zero [n, C].

    Chances are of a normal distribution with the predicted mean and standard deviation; the default's is 0. Of the
    compositions whose chance reaches ``confidence`` the one with the highest mean is taken, else the default.

    Args:
        default: column that is taken where no gain is credible.
        confidence: from 0.5 to below 1.
        allowed: [C], False where a composition cannot be had; the default always can.

    Raises:
        RouterError: the confidence is out of range.
    """
    check_confidence(confidence)
    mean = prediction.mean
    sure = np.where(mean > 0, 1.0, 0.0)
    spread = np.where(prediction.sd > 0, prediction.sd, 1.0)
    chance: NDArray[np.float64] = np.where(prediction.sd > 0, ndtr(mean / spread), sure)
    chance[:, default] = 0.0
    credible = (chance >= confidence) & (mean > 0)
    if allowed is not None:
        credible &= allowed
    best = np.where(credible, mean, -np.inf)
    picks = np.where(credible.any(1), best.argmax(1), default)
    return picks, chance


def check_confidence(confidence: float) -> None:
    """See that a confidence is one.

    Raises:
        RouterError: it is not from 0.5 to below 1.
    """
    if not 0.5 <= confidence < 1:
        raise RouterError(
            f"the confidence {confidence:g} is out of range: give a chance from 0.5 to below 1, such as {CONFIDENCE}"
        )
