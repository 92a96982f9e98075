"""Random adapters as controls: as strong as a trained one, layer by layer, and knowing nothing.

What such an adapter does to the words is what changing the weights that much does by itself; whatever chooses between
adapters should learn to leave it alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

import torch

from adapters.card import AdapterCard
from adapters.weights import AdapterWeights, LowRank


def draw_control(weights: AdapterWeights, seed: int = 0) -> dict[str, LowRank]:
    """Gaussian layers of the same shapes, ranks, types and scales, each changing its weights by the original's norm.

    The norm is Frobenius's. A layer that changes nothing stays one. The same seed gives the same weights.
    """
    generator = torch.Generator().manual_seed(seed)
    return {name: _draw(layer, generator) for name, layer in sorted(weights.items())}


def label_control(card: AdapterCard, name: str, seed: int) -> AdapterCard:
    """The card of a control of the adapter on ``card``: neither its variant, nor its corpus, recipe and metrics."""
    said = f"control: random weights as strong as those of {card.name}, layer by layer (seed {seed})"
    return AdapterCard(
        name=name,
        description=said,
        created=datetime.now(UTC).replace(microsecond=0),
        base=card.base,
        **{field: getattr(card, field) for field in ("rank", "alpha", "layers", "parameters", "targets")},
    )


def _draw(layer: LowRank, generator: torch.Generator) -> LowRank:
    down = torch.randn(layer.down.shape, generator=generator)
    up = torch.randn(layer.up.shape, generator=generator)
    # In float32, where the norm of the product of two half-precision matrices is exact enough.
    factor = torch.linalg.norm(layer.delta()) / (torch.linalg.norm(up @ down) * abs(layer.scale) or 1.0)
    spread = factor.sqrt()  # over both sides, so that neither leaves the range of half precision
    return LowRank((down * spread).to(layer.down.dtype), (up * spread).to(layer.up.dtype), layer.scale)
