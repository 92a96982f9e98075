"""Supervised cross-attention: while the base model is trained, chosen heads are shown where each phone sounds.

A processor for diffusers' ``AceStepAttention`` that masks padded conditioning and, in the chosen layers, computes the
softmax explicitly so that a loss can be put on it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

#: Layer -> heads that learn to follow phones and slots; written to the model's config as its alignment heads.
SUPERVISED_LAYERS = (2, 3)
PHONE_HEAD, SLOT_HEAD = 0, 1


class TrainingCrossAttention:
    """Cross-attention with a key mask shared by all layers; keeps its probabilities where ``keep`` is set."""

    _attention_backend = None
    _parallel_config = None

    def __init__(self, keep: bool) -> None:
        self.keep = keep
        self.mask: torch.Tensor | None = None
        self.probabilities: torch.Tensor | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        assert encoder_hidden_states is not None
        query = attn.norm_q(attn.to_q(hidden_states).unflatten(-1, (attn.heads, attn.head_dim))).transpose(1, 2)
        key = attn.norm_k(attn.to_k(encoder_hidden_states).unflatten(-1, (attn.kv_heads, attn.head_dim)))
        value = attn.to_v(encoder_hidden_states).unflatten(-1, (attn.kv_heads, attn.head_dim))
        groups = attn.heads // attn.kv_heads
        key = key.transpose(1, 2).repeat_interleave(groups, 1)
        value = value.transpose(1, 2).repeat_interleave(groups, 1)
        if self.keep:
            scores = query @ key.transpose(-1, -2) * attn.scaling
            self.probabilities = (scores if self.mask is None else scores + self.mask).softmax(-1)
            mixed = self.probabilities @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=self.mask, scale=attn.scaling)
        out: torch.Tensor = attn.to_out[0](mixed.transpose(1, 2).flatten(2))
        return out


def attach(transformer: nn.Module) -> list[TrainingCrossAttention]:
    """Put a training processor on every cross-attention; returns them in layer order."""
    processors = []
    layers: Any = transformer.layers
    for number, layer in enumerate(layers):
        processor = TrainingCrossAttention(number in SUPERVISED_LAYERS)
        layer.cross_attn.set_processor(processor)
        processors.append(processor)
    return processors


def set_key_mask(processors: list[TrainingCrossAttention], mask: torch.Tensor) -> None:
    """Share a boolean mask [batch, keys] (True: real token) with all layers."""
    additive = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device)
    additive = additive.masked_fill(~mask, torch.finfo(torch.float32).min)[:, None, None]
    for processor in processors:
        processor.mask = additive


def alignment_loss(
    processors: list[TrainingCrossAttention], phone_target: torch.Tensor, slot_target: torch.Tensor, use: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(loss, phone argmax accuracy) of the supervised heads.

    Args:
        phone_target, slot_target: share of each frame that belongs to each lyric token, [batch, frames, tokens].
        use: 1.0 for clips whose alignment is known, [batch].
    """
    tokens = phone_target.shape[2]
    loss = phone_target.new_zeros(())
    hits = []
    kept = [p.probabilities for p in processors if p.keep and p.probabilities is not None]
    weight = use[:, None] / use.sum().clamp(min=1.0) / phone_target.shape[1]
    for probabilities in kept:
        lyric = probabilities[..., :tokens]
        for head, target, share in ((PHONE_HEAD, phone_target, 1.0), (SLOT_HEAD, slot_target, 0.5)):
            cross_entropy = -(target * (lyric[:, head] + 1e-6).log()).sum(-1)
            loss = loss + share * (cross_entropy * weight).sum()
        right = (lyric[:, PHONE_HEAD].argmax(-1) == phone_target.argmax(-1)).float().mean(1)
        hits.append((right * use).sum() / use.sum().clamp(min=1.0))
    return loss / max(1, len(kept)), torch.stack(hits).mean().detach()
