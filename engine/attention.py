"""Attention in a batch of songs of unequal lengths and words, and its maps on demand.

Processors for diffusers' attention modules. Frames that only fill up a batch are masked, so no song feels its mates.
Cross-attention reads keys and values that were computed once per song; the unconditioned half of guidance, whose tokens
are all alike, gets the one output that attention to equal tokens can have. Knows nothing of what a song is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb


@dataclass(frozen=True, eq=False)
class CrossMemory:
    """What one song's frames attend to, by layer; computed once, under the song's composition.

    ``keys`` and ``values`` [tokens, kv heads, head width] of the conditioning; ``unasked`` [hidden width], the output
    of cross-attention to the null condition.
    """

    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]
    unasked: tuple[torch.Tensor, ...]

    @property
    def tokens(self) -> int:
        return len(self.keys[0])


@dataclass(frozen=True)
class Watch:
    """Maps wanted of one row: its heads by layer, and how many of its patches and tokens are real."""

    heads: Mapping[int, Sequence[int]]
    patches: int
    tokens: int


@dataclass
class Frame:
    """What the processors need to know of one forward pass, and what they leave behind.

    Rows that follow the words come first: ``asked`` of them. ``lengths``: patches of each row.
    """

    lengths: list[int]
    asked: int
    keys: Sequence[torch.Tensor]  # by layer: [asked, tokens, kv heads, head width]
    values: Sequence[torch.Tensor]
    token_mask: torch.Tensor | None  # [asked, 1, 1, tokens], True where a token is real; None where all are
    unasked: Sequence[torch.Tensor] | None  # by layer: [rows - asked, hidden width]
    frame_mask: torch.Tensor | None = None  # [rows, 1, 1, patches]
    window_mask: torch.Tensor | None = None  # [rows, 1, patches, patches]
    watches: Mapping[int, Watch] = field(default_factory=dict)  # by row
    maps: dict[int, dict[int, torch.Tensor]] = field(default_factory=dict)  # row -> layer -> [heads, patches, tokens]


def masks(lengths: Sequence[int], window: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Masks of full and of sliding-window self-attention, True where a row's frames may attend.

    A frame that only fills up attends to itself, so that nothing becomes not-a-number; nobody attends to it.
    """
    longest = max(lengths)
    place = torch.arange(longest, device=device)
    real = place < torch.tensor(lengths, device=device)[:, None]  # [rows, patches]
    near = (place[:, None] - place).abs() <= window
    itself = torch.eye(longest, dtype=torch.bool, device=device)
    return real[:, None, None], (near & real[:, None] | itself)[:, None]


class _Processor:
    """What diffusers reads off an attention processor. Other backends take no mask, or leave the window to us."""

    _attention_backend = AttentionBackendName.NATIVE
    _parallel_config = None


class SelfAttention(_Processor):
    """Self-attention of one layer; the same as diffusers' own where all rows are equally long."""

    def __init__(self, frame: Frame, sliding: bool) -> None:
        self.frame, self.sliding = frame, sliding

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> torch.Tensor:
        query = attn.norm_q(attn.to_q(hidden_states).unflatten(-1, (attn.heads, attn.head_dim)))
        key = attn.norm_k(attn.to_k(hidden_states).unflatten(-1, (attn.kv_heads, attn.head_dim)))
        value = attn.to_v(hidden_states).unflatten(-1, (attn.kv_heads, attn.head_dim))
        query, key = (
            apply_rotary_emb(x, image_rotary_emb, use_real=True, use_real_unbind_dim=-2, sequence_dim=1)
            for x in (query, key)
        )
        ours = self.frame.window_mask if self.sliding else self.frame.frame_mask
        out = _attend(attn, query, key, value, attention_mask if ours is None else ours)
        return _project_out(attn, out)


class CrossAttention(_Processor):
    """Cross-attention of one layer to what every row's song remembers."""

    def __init__(self, frame: Frame, layer: int) -> None:
        self.frame, self.layer = frame, layer

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> torch.Tensor:
        frame, asked = self.frame, self.frame.asked
        rows = hidden_states[:asked]
        query = attn.norm_q(attn.to_q(rows).unflatten(-1, (attn.heads, attn.head_dim)))
        key, value = frame.keys[self.layer], frame.values[self.layer]
        out = _project_out(attn, _attend(attn, query, key, value, frame.token_mask))
        for row, watch in frame.watches.items():
            if heads := watch.heads.get(self.layer):
                frame.maps.setdefault(row, {})[self.layer] = probabilities(
                    query[row, : watch.patches], key[row, : watch.tokens], heads, attn.scaling
                )
        if frame.unasked is None:
            return out
        unasked = frame.unasked[self.layer][:, None].expand(-1, out.shape[1], -1)
        return torch.cat([out, unasked])


def probabilities(query: torch.Tensor, key: torch.Tensor, heads: Sequence[int], scaling: float) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d)) of chosen heads, [heads, patches, tokens] float32, whose rows sum to one.

    ``query`` [patches, heads, width], ``key`` [tokens, kv heads, width].
    """
    shared = query.shape[1] // key.shape[1]
    chosen = list(heads)
    queries = query[:, chosen].transpose(0, 1).float()
    keys = key[:, [head // shared for head in chosen]].permute(1, 2, 0).float()
    return (queries @ keys * scaling).softmax(-1)


def _attend(
    attn: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    out: torch.Tensor = dispatch_attention_fn(
        query,
        key,
        value,
        attn_mask=mask,
        scale=attn.scaling,
        enable_gqa=attn.heads != attn.kv_heads,
        backend=AttentionBackendName.NATIVE,
    )
    return out.flatten(2, 3).to(query.dtype)


def _project_out(attn: Any, x: torch.Tensor) -> torch.Tensor:
    projected: torch.Tensor = attn.to_out[1](attn.to_out[0](x))
    return projected
