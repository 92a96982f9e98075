from __future__ import annotations

import numpy as np
import pytest

from eval.resampling import Estimate
from router.blends import Mixer, describe_blending, fit_mixer, make_mixer

NAMES = ("base", "x=1", "y=1", "x=0.5,y=0.5", "z=1", "x=0.5")
ADAPTERS = ("x", "y", "z")
WEIGHTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0, 0, 1], [0.5, 0, 0]])
PURE = np.array([True, True, True, False, True, False])


def test_a_softmax_over_single_adapters_is_asked_for() -> None:
    mixer = Mixer(ADAPTERS, WEIGHTS, PURE, 0.1)
    gains = np.array([[0.0, 0.9, 0.9, 9.0, 0.0, 9.0], [0.0, 0.9, 0.0, 0.0, 0.0, 0.0]])
    assert mixer.ask(gains) == pytest.approx(np.array([[0.5, 0.5, 0], [1, 0, 0]]), abs=1e-3)
    columns, told = mixer.mix(gains)
    assert columns.tolist() == [3, 1] and told.all()


def test_what_the_base_model_gets_is_missing_to_one() -> None:
    asked = Mixer(ADAPTERS, WEIGHTS, PURE, 0.1).ask(np.array([[0.5, 0.5, 0, 0, 0, 0]]))
    assert asked == pytest.approx(np.array([[0.5, 0, 0]]), abs=1e-6)


def test_small_shares_are_dropped_and_at_most_three_kept() -> None:
    many = np.vstack([np.zeros(5), np.eye(5)])
    mixer = Mixer(tuple("abcde"), many, np.ones(6, dtype=bool), 1.0)
    asked = mixer.ask(np.array([[-9.0, 0.3, 0.2, 0.1, 0.0, -0.1]]))
    shares = np.exp([0.3, 0.2, 0.1])
    assert asked == pytest.approx(np.array([[*(shares / shares.sum()), 0, 0]]))
    asked = Mixer(tuple("abcde"), many, np.ones(6, dtype=bool), 0.1).ask(np.array([[0, 0.5, 0.25, 0, 0, 0]]))
    assert (asked > 0).sum() == 1


def test_a_blend_that_was_not_measured_is_not_asked_for() -> None:
    _, told = Mixer(ADAPTERS, WEIGHTS, PURE, 0.1).mix(np.array([[0, 0.9, 0, 0, 0.9, 0.0]]))
    assert not told[0]


def test_the_temperature_suits_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    gains = np.zeros((200, 6))
    gains[:, 1] = rng.normal(0.3, 0.05, 200)
    gains[:, 2] = gains[:, 1] - 0.02
    for blend, single in ((0.1, 0.5), (0.5, 0.1)):
        rates = np.full((200, 6), 0.6)
        rates[:, 1], rates[:, 3] = single, blend
        mixer = fit_mixer(NAMES, gains, rates)
        assert mixer is not None
        columns, told = mixer.mix(gains)
        expected = 3 if blend < single else 1
        assert (columns[told] == expected).mean() > 0.9 and told.all()
        assert mixer.weights.tolist() == WEIGHTS.tolist() and mixer.pure.tolist() == PURE.tolist()


@pytest.mark.parametrize("names", [("base", "x=1", "y=1"), ("base", "x=1", "x=0.5"), ("base", "x=1", "x=0.5,y=0.5")])
def test_without_a_blend_of_measured_adapters_there_is_nothing_to_mix(names: tuple[str, ...]) -> None:
    assert fit_mixer(names, np.zeros((4, 3)), np.zeros((4, 3))) is None


def test_the_sentence_has_the_figure_and_is_true_of_whether_it_is_on() -> None:
    on, said = describe_blending(Estimate(0.02, 0.01, 0.03), 0.5, signal=True)
    assert on and "wins +2.0 points" in said and "+1.0 to +3.0" in said and "50 % of prompts" in said
    assert said.endswith(": so it is on.")
    on, said = describe_blending(Estimate(0.02, 0.01, 0.03), 0.5, signal=False)
    assert not on and said.endswith("nothing tells prompts apart to mix by, so it is off.")
    on, said = describe_blending(Estimate(0.02, -0.01, 0.03), 0.5, signal=True)
    assert not on and said.endswith("not shown to be better, so it is off.")
    on, said = describe_blending(Estimate(-0.02, None, None), 1.0, signal=True)
    assert not on and "so it is off" in said and "interval" not in said


def test_of_equals_no_more_than_three_are_mixed_and_only_what_can_be_had() -> None:
    names = ("base", "a=1", "b=1", "c=1", "d=1", "a=0.5,b=0.5")
    mixer = make_mixer(names, 0.1)
    assert mixer.adapters == ("a", "b", "c", "d") and mixer.pure.tolist() == [True] * 5 + [False]
    gains = np.array([[-1.0, 0.2, 0.2, 0.2, 0.2, 0.0]])
    assert mixer.ask(gains) == pytest.approx(np.array([[1, 1, 1, 0]]) / 3)
    able = np.array([True, False, True, False, True, True])
    assert mixer.ask(gains, able) == pytest.approx(np.array([[0, 0.5, 0, 0.5]]), abs=1e-4)
