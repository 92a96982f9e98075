from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from router.calibration import OutOfFold, calibrate


def found(predicted: NDArray[np.float64], measured: NDArray[np.float64], each: int = 5) -> OutOfFold:
    genres = tuple(f"g{i // each}" for i in range(len(predicted)))
    return OutOfFold(("base", "x=1"), predicted, measured, genres, np.zeros(len(predicted), dtype=np.intp))


def test_quantiles_are_those_of_what_was_missed() -> None:
    predicted = np.full((99, 2), 0.5)
    missed = np.stack([np.linspace(-0.49, 0.49, 99), np.zeros(99)], 1)  # evenly, by .01
    low, high = found(predicted, predicted + missed).bound(0.8)
    assert low == pytest.approx([-0.40, 0]) and high == pytest.approx([0.40, 0])


def test_intervals_of_few_prompts_are_wider() -> None:
    missed = np.random.default_rng(0).normal(size=(2000, 9, 1))
    one = np.random.default_rng(1).normal(size=2000)
    inside = []
    for row, new in zip(missed, one, strict=True):
        low, high = found(np.zeros((9, 1)), row).bound(0.8)
        inside.append(low[0] <= new <= high[0])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.03), "as promised though nine prompts are few"


def test_coverage_is_of_other_genres() -> None:
    rng = np.random.default_rng(0)
    told = calibrate(found(np.full((300, 2), 0.5), 0.5 + rng.normal(size=(300, 2)) * 0.1))
    assert told.covered == pytest.approx(0.8, abs=0.04) and told.promised == 0.8
    # Two genres that miss in opposite ways: each is outside of what the other would allow.
    missed = np.repeat([[0.3, 0.3], [-0.3, -0.3]], 50, axis=0) + rng.normal(size=(100, 2)) * 0.01
    assert calibrate(found(np.full((100, 2), 0.5), 0.5 + missed, each=50)).covered == 0


def test_bins_and_correlation_are_of_the_planted() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.1, 0.9, (200, 2))
    told = calibrate(found(predicted, predicted**2))
    assert told.correlation == pytest.approx(1)
    assert len(told.bins) == 10 and sum(b.prompts for b in told.bins) == 400
    assert all(b.observed == pytest.approx(b.predicted**2, abs=0.02) for b in told.bins)
    assert calibrate(found(np.full((20, 2), 0.5), predicted[:20])).correlation is None
