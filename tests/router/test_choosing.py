from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from router.choosing import choose
from router.errors import RouterError
from router.policies import Prediction


def prediction(mean: list[list[float]], sd: list[list[float]]) -> Prediction:
    return Prediction(np.array(mean), np.array(sd), np.full(len(mean), 0.5))


def test_the_best_of_the_credible_is_taken_and_else_the_default() -> None:
    found = prediction(
        [[0, 0.2, 0.1], [0, 0.2, 0.1], [0, -0.2, -0.1], [0, 0.02, 0.01]],
        [[0, 0.1, 0.01], [0, 0.9, 0.01], [0, 0.1, 0.1], [0, 0.1, 0.1]],
    )
    picks, chance = choose(found, 0, 0.8)
    assert picks.tolist() == [1, 2, 0, 0]
    assert chance[0].tolist() == [0, pytest.approx(norm.cdf(2)), pytest.approx(1)]
    assert chance[2, 1] == pytest.approx(norm.cdf(-2))


def test_more_confidence_means_fewer_changes() -> None:
    rng = np.random.default_rng(0)
    found = Prediction(rng.normal(size=(200, 4)) * 0.1, np.full((200, 4), 0.1), np.zeros(200))
    changed = [(choose(found, 3, c)[0] != 3).mean() for c in (0.5, 0.7, 0.9, 0.99)]
    assert changed == sorted(changed, reverse=True) and changed[0] > 0.8 and changed[-1] < 0.1


def test_what_cannot_be_had_is_not_chosen() -> None:
    found = prediction([[0, 0.2, 0.1]], [[0, 0.01, 0.01]])
    assert choose(found, 0, 0.8, np.array([True, False, True]))[0].tolist() == [2]
    assert choose(found, 0, 0.8, np.array([False, False, False]))[0].tolist() == [0]


def test_certainty_without_spread() -> None:
    picks, chance = choose(prediction([[0, 0.1], [0, -0.1], [0, 0]], [[0, 0]] * 3), 0, 0.8)
    assert picks.tolist() == [1, 0, 0] and chance[:, 1].tolist() == [1, 0, 0]


@pytest.mark.parametrize("confidence", [0.49, 1.0, float("nan"), -1])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(RouterError, match=r"confidence .* out of range: give a chance from 0.5"):
        choose(prediction([[0, 0.1]], [[0, 0]]), 0, confidence)
