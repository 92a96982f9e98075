"""Which attention each strategy calls sharp, on planted maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from engine.conditioning import TokenKind
from training.sharpness import STRATEGIES, StrategyName, measure_attention

WORDS, FRAMES, TAGS, PADDING = 8, 32, 2, 4
TOKENS = TAGS + WORDS + PADDING
KINDS = torch.tensor([[TokenKind.STRUCTURE] * TAGS + [TokenKind.WORD] * WORDS + [TokenKind.PADDING] * PADDING])
ALL_FRAMES = torch.ones(1, FRAMES)


def planted(name: str) -> torch.Tensor:
    """A map [1, 1, frames, tokens] of one kind."""
    probabilities = torch.zeros(1, 1, FRAMES, TOKENS)
    if name == "uniform":
        probabilities[..., TAGS : TAGS + WORDS] = 1 / WORDS
    elif name == "collapse":
        probabilities[..., TAGS] = 1
    elif name == "padding sink":
        probabilities[..., -1] = 1
    else:
        for frame in range(FRAMES):
            probabilities[0, 0, frame, TAGS + frame * WORDS // FRAMES] = 1
    return probabilities


def ranking(strategy: StrategyName) -> dict[str, float]:
    maps = ("uniform", "collapse", "diagonal", "padding sink")
    return {name: STRATEGIES[strategy](planted(name), KINDS, ALL_FRAMES).item() for name in maps}


def test_plain_entropy_cannot_tell_the_diagonal_from_collapse() -> None:
    found = ranking("entropy")
    assert found["collapse"] == pytest.approx(found["diagonal"], abs=1e-6)
    assert found["padding sink"] == pytest.approx(found["diagonal"], abs=1e-6)
    assert found["uniform"] == pytest.approx(math.log(WORDS), rel=1e-5)
    blurred = 0.8 * planted("diagonal") + 0.2 * planted("uniform")
    right = STRATEGIES["entropy"](blurred, KINDS, ALL_FRAMES)
    assert found["padding sink"] < right, "so a little blur on the right words costs more than leaving them for padding"


def test_lyric_entropy_sees_no_padding_but_rewards_collapse_too() -> None:
    found = ranking("lyric-entropy")
    assert found["collapse"] == pytest.approx(found["diagonal"], abs=1e-6)
    assert found["uniform"] == pytest.approx(math.log(WORDS), rel=1e-5)
    mixed = 0.5 * planted("diagonal") + 0.5 * planted("padding sink")
    assert STRATEGIES["lyric-entropy"](mixed, KINDS, ALL_FRAMES).item() == pytest.approx(found["diagonal"], abs=1e-6)


def test_mutual_information_alone_ranks_the_diagonal_best_and_collapse_worst() -> None:
    found = ranking("mutual-information")
    assert min(found, key=lambda name: found[name]) == "diagonal"
    assert found["diagonal"] < found["uniform"] - 1 < found["collapse"] - 1
    assert max(found.values()) == pytest.approx(found["collapse"], abs=1e-6) == pytest.approx(0, abs=1e-6)
    assert found["padding sink"] == pytest.approx(0, abs=1e-6)
    others: tuple[StrategyName, ...] = ("entropy", "lyric-entropy")
    for other in others:
        ranked = ranking(other)
        assert max(ranked, key=lambda name: ranked[name]) == "uniform", f"{other} has something worse than collapse"


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_a_step_down_the_slope_lowers_the_term(strategy: StrategyName) -> None:
    torch.manual_seed(0)
    scores = torch.randn(2, 3, FRAMES, TOKENS, requires_grad=True)
    kinds = KINDS.expand(2, -1)
    frames = torch.ones(2, FRAMES)
    before = STRATEGIES[strategy](scores.softmax(-1), kinds, frames)
    (slope,) = torch.autograd.grad(before, scores)
    assert bool(torch.isfinite(slope).all()) and slope.abs().max() > 0
    assert STRATEGIES[strategy]((scores - 5 * slope).softmax(-1), kinds, frames) < before


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_frames_past_the_end_of_a_clip_do_not_count(strategy: StrategyName) -> None:
    torch.manual_seed(1)
    probabilities = torch.randn(1, 2, FRAMES, TOKENS).softmax(-1)
    cut = STRATEGIES[strategy](probabilities[:, :, :20], KINDS, torch.ones(1, 20))
    masked = torch.ones(1, FRAMES)
    masked[:, 20:] = 0
    assert STRATEGIES[strategy](probabilities, KINDS, masked).item() == pytest.approx(cut.item(), rel=1e-5)


@pytest.mark.parametrize("strategy", ["lyric-entropy", "mutual-information"])
def test_a_clip_without_words_adds_nothing(strategy: StrategyName) -> None:
    kinds = torch.full((1, TOKENS), TokenKind.CAPTION)
    probabilities = torch.randn(1, 2, FRAMES, TOKENS).softmax(-1)
    assert STRATEGIES[strategy](probabilities, kinds, ALL_FRAMES).item() == 0


def test_entropy_is_scipys() -> None:
    torch.manual_seed(2)
    probabilities = torch.randn(1, 3, FRAMES, TOKENS).softmax(-1)
    reference = np.mean(scipy_entropy(probabilities.double().numpy(), axis=-1))
    assert STRATEGIES["entropy"](probabilities, KINDS, ALL_FRAMES).item() == pytest.approx(reference, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "mass", "dominant", "collapsed"),
    [("diagonal", 1, 1 / WORDS, 0), ("collapse", 1, 1, 1), ("padding sink", 0, 1, 1), ("uniform", 1, 1 / WORDS, 0)],
)
def test_the_state_of_planted_maps(name: str, mass: float, dominant: float, collapsed: float) -> None:
    state = measure_attention([planted(name), planted(name)], KINDS, ALL_FRAMES)
    assert (state.lyric_mass, state.dominant, state.collapsed) == pytest.approx((mass, dominant, collapsed))
