"""Cross-attention maps while a song is sung, without changing a single bit of it.

The stock processor computes the song; beside it, the probabilities of chosen layers are computed once more, explicitly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch


class CapturingProcessor:
    """Wraps a diffusers attention processor; after each call ``probabilities`` holds softmax(QK/sqrt(d)) of row 0."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._attention_backend = getattr(inner, "_attention_backend", None)
        self._parallel_config = getattr(inner, "_parallel_config", None)
        self.probabilities: torch.Tensor | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> torch.Tensor:
        if encoder_hidden_states is not None:
            query = attn.norm_q(attn.to_q(hidden_states[:1]).unflatten(-1, (attn.heads, attn.head_dim)))
            key = attn.norm_k(attn.to_k(encoder_hidden_states[:1]).unflatten(-1, (attn.kv_heads, attn.head_dim)))
            key = key.transpose(1, 2).repeat_interleave(attn.heads // attn.kv_heads, 1)
            scores = query.transpose(1, 2) @ key.transpose(-1, -2) * attn.scaling
            self.probabilities = scores.float().softmax(-1)[0]
        out: torch.Tensor = self.inner(attn, hidden_states, encoder_hidden_states, attention_mask, image_rotary_emb)
        return out


@contextmanager
def capture(transformer: Any, layers: Sequence[int]) -> Iterator[dict[int, CapturingProcessor]]:
    """While open, the chosen layers' maps [heads, frames, tokens] can be read after every forward pass.

    Raises:
        IndexError: the transformer has no such layer.
    """
    held: dict[int, CapturingProcessor] = {}
    try:
        for layer in layers:
            attention = transformer.layers[layer].cross_attn
            held[layer] = CapturingProcessor(attention.processor)
            attention.set_processor(held[layer])
        yield held
    finally:
        for layer, processor in held.items():
            transformer.layers[layer].cross_attn.set_processor(processor.inner)
