"""How near a prompt is to what was measured. Knows vectors only, neither texts nor results.

Distance is 1 - cosine of sentence vectors, 0 to 2. What is far is judged by how far the measured prompts are from
their own nearest one (a conformal novelty score; Vovk, Gammerman and Shafer 2005, ch. 2), of another genre: that is
the ground on which a router is validated, and prompts of one genre may be as good as the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Share of measured prompts that may be as lonely before a prompt counts as unlike all of them.
LONELY = 0.02


@dataclass(frozen=True, eq=False)
class Ground:
    """``vectors`` [prompts, width] of unit length or zero; ``lonely`` [prompts]: each one's distance to the nearest
    of another genre, infinite where there is none."""

    vectors: NDArray[np.float32]
    lonely: NDArray[np.float32]

    def measure(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances [prompts] of a vector [width]."""
        distances: NDArray[np.float32] = np.maximum(1 - self.vectors @ vector, 0)
        return distances

    def known_share(self, distance: float) -> float:
        """Share of measured prompts that are lonelier than ``distance``."""
        return float((self.lonely > distance).mean())


def survey(vectors: NDArray[np.float32], genres: Sequence[str]) -> Ground:
    """The ground that measured prompts [prompts, width] of some genres cover."""
    of = np.array(genres)
    distances = np.where(of[:, None] == of, np.inf, np.maximum(1 - vectors @ vectors.T, 0))
    return Ground(vectors, distances.min(1).astype(np.float32))
