"""Attention sharpness regularisation: what it may mean for cross-attention to be sharp, and how sharp it is.

A strategy turns the attention of one layer into a number to be made small. ``entropy`` is the study's, and rewards
collapse onto any one token; ``lyric-entropy`` looks at words alone; ``mutual-information`` asks that every frame
decides while all words are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import torch

from engine.conditioning import TokenKind

StrategyName = Literal["entropy", "lyric-entropy", "mutual-information"]
#: (probabilities [batch, heads, frames, tokens], kinds [batch, tokens], frame mask [batch, frames]) -> scalar
Strategy = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

#: How much more the use of all words counts than the decision of single frames. At 1 the term is the plain negative
#: mutual information, and uniform attention scores like collapse; above 1 collapse alone is worst.
USAGE_WEIGHT = 1.5
#: A head whose average attention gives this share to one token has collapsed onto it.
COLLAPSED = 0.9


def entropy(probabilities: torch.Tensor, kinds: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Mean entropy in nats over every token the attention sees, padding included: the term of the study."""
    return _mean(_entropy(probabilities), frames)


def lyric_entropy(probabilities: torch.Tensor, kinds: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Mean entropy in nats among word tokens alone, renormalised; padding, tags and caption do not count.

    Clips without words add nothing.
    """
    words = (kinds == TokenKind.WORD)[:, None, None]
    lyric = probabilities * words
    lyric = lyric / lyric.sum(-1, keepdim=True).clamp_min(1e-8)
    return _mean(_entropy(lyric) * words.any(-1), frames)


def mutual_information(probabilities: torch.Tensor, kinds: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """``mean_t H(word | t) - 1.5 H(mean_t p(word | t))`` in nats, over the words and one bin for all other tokens.

    Lowest on a diagonal through all words, 0, its worst, where all frames look at one token or away from the words.
    Clips without words add nothing.
    """
    words = kinds == TokenKind.WORD
    lyric = probabilities * words[:, None, None]
    rest = 1 - lyric.sum(-1, keepdim=True)
    binned = torch.cat([lyric, rest.clamp_min(0)], -1)
    used = words.any(-1)[:, None].to(probabilities)
    weights = frames / frames.sum(-1, keepdim=True).clamp_min(1)
    usage = _entropy((binned * weights[:, None, :, None]).sum(2))
    decided = (_entropy(binned) * weights[:, None]).sum(-1)
    return ((decided - USAGE_WEIGHT * usage) * used).mean()


STRATEGIES: dict[StrategyName, Strategy] = {
    "entropy": entropy,
    "lyric-entropy": lyric_entropy,
    "mutual-information": mutual_information,
}


@dataclass(frozen=True)
class AttentionState:
    """Cross-attention of all layers, heads and clips at one moment, averaged.

    ``entropy`` in nats over all tokens; ``lyric_mass``: share that falls on word tokens; ``dominant``: share of the one
    token that gets most, on average over time; ``collapsed``: share of heads whose ``dominant`` is above 0.9.
    """

    entropy: float
    lyric_mass: float
    dominant: float
    collapsed: float


@torch.no_grad()
def measure_attention(layers: Iterable[torch.Tensor], kinds: torch.Tensor, frames: torch.Tensor) -> AttentionState:
    """The state of the given layers' probabilities, each [batch, heads, frames, tokens]."""
    found = []
    words = (kinds == TokenKind.WORD)[:, None, None]
    for probabilities in layers:
        usage = (probabilities * frames[:, None, :, None]).sum(2) / frames.sum(-1)[:, None, None].clamp_min(1)
        dominant = usage.max(-1).values
        mass = _mean((probabilities * words).sum(-1), frames)
        collapsed = (dominant > COLLAPSED).float().mean()
        found.append(torch.stack([entropy(probabilities, kinds, frames), mass, dominant.mean(), collapsed]))
    if not found:
        raise ValueError("no layer's attention was kept")
    values = torch.stack(found).mean(0).tolist()
    return AttentionState(*values)


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Along the last axis, in nats; ``torch.special.entr`` is 0 at 0, but its slope there is infinite."""
    surprise: torch.Tensor = torch.special.entr(probabilities.clamp_min(1e-12))
    return surprise.sum(-1)


def _mean(values: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Mean over clips, heads and the frames that belong to the clip; values are [batch, heads, frames]."""
    weights = frames[:, None].to(values)
    return (values * weights).sum() / (weights.sum() * values.shape[1]).clamp_min(1)
