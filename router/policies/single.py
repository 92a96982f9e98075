"""The opponent: one composition for every prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.examples import Targets
from router.features import Features
from router.policies.base import Column, Deviation, Policy, deviate_nowhere


class BestSingle(Policy):
    """Predicts every composition's shrunk mean, whatever the prompt; looks at no feature."""

    name = "best single"

    @classmethod
    def propose(cls, features: Features, targets: Targets) -> Sequence[dict[str, Any]]:
        """There is nothing to set."""
        return ({},)

    def _deviate(self, places: NDArray[np.float64], column: Column) -> Deviation:
        return deviate_nowhere(column.own)
