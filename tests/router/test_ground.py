"""Known ground: distances to measured prompts, against sklearn, and how many of these are as lonely."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances

from router.ground import survey


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def test_distances_are_one_less_the_cosine(vectors: np.ndarray) -> None:
    ground = survey(vectors[:30], ["a", "b"] * 15)
    np.testing.assert_allclose(
        ground.measure(vectors[33]), cosine_distances(vectors[33:34], vectors[:30])[0], atol=1e-6
    )


def test_loneliness_is_told_by_other_genres(vectors: np.ndarray) -> None:
    ground = survey(vectors, ["a"] * 20 + ["b"] * 20)
    between = cosine_distances(vectors[:20], vectors[20:])
    np.testing.assert_allclose(ground.lonely, np.concatenate([between.min(1), between.min(0)]), atol=1e-6)
    for distance in (0.0, 0.2, 0.5, 3.0):
        assert ground.known_share(distance) == pytest.approx((ground.lonely > distance).mean())
    assert ground.known_share(0.0) == 1 and ground.known_share(2.1) == 0
