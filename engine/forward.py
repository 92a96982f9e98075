"""One forward pass of the transformer over many songs: each at its own time, length, words and composition.

diffusers' transformer does the work; for the length of a pass its attention goes through ``engine.attention`` and its
linear layers through ``engine.mixing``. Knows nothing of guidance, steps or queues.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn.utils.rnn import pad_sequence

from engine.attention import CrossAttention, CrossMemory, Frame, SelfAttention, Watch, masks
from engine.bank import AdapterBank, Voices
from engine.mixing import Mixer

#: One pass at a time through one transformer, whoever holds it.
_LOCKS: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Row:
    """One song in a pass. ``guided`` songs also take a row that hears the null condition.

    ``latents`` [frames, channels]; ``context`` [frames, 2 * channels], source latents and chunk mask; ``heads``: heads
    whose attention maps are wanted, by layer.
    """

    latents: torch.Tensor
    context: torch.Tensor
    time: float
    memory: CrossMemory
    voices: Voices
    guided: bool
    heads: Mapping[int, Sequence[int]] | None = None


@dataclass(frozen=True, eq=False)
class Velocity:
    """What came out for one song: velocities [frames, channels], and the maps asked for, [heads, patches, tokens]."""

    asked: torch.Tensor
    unasked: torch.Tensor | None
    maps: dict[int, torch.Tensor]


class Transformer:
    """A transformer that takes songs as rows. ``fold=False`` never folds a composition that all rows share."""

    def __init__(self, transformer: Any, bank: AdapterBank, folded_bytes: int = 2 << 30, fold: bool = True) -> None:
        self.inner, self.bank, self.fold = transformer, bank, fold
        self.mixer = Mixer(bank, folded_bytes)
        self._lock = _LOCKS.setdefault(transformer, threading.Lock())
        self._packed: tuple[tuple[CrossMemory, ...], list[torch.Tensor], list[torch.Tensor]] | None = None

    def remember(self, condition: torch.Tensor, null_condition: torch.Tensor, voices: Voices) -> CrossMemory:
        """Keys and values of one song's conditioning [1, tokens, width], under its composition."""
        heard = self.bank.linear("condition_embedder", condition, voices)[0]
        silent = self.bank.linear("condition_embedder", null_condition.reshape(1, -1).to(heard), voices)
        keys, values, unasked = [], [], []
        for number, layer in enumerate(self.inner.layers):
            attn, name = layer.cross_attn, f"layers.{number}.cross_attn"
            width = (attn.kv_heads, attn.head_dim)
            keys.append(attn.norm_k(self.bank.linear(f"{name}.to_k", heard, voices).view(-1, *width)))
            values.append(self.bank.linear(f"{name}.to_v", heard, voices).view(-1, *width))
            # Every null token is the same, so attention gives their one value whatever is asked.
            value = self.bank.linear(f"{name}.to_v", silent, voices).view(-1, *width)
            value = value.repeat_interleave(attn.heads // attn.kv_heads, 1).flatten(1)
            unasked.append(self.bank.linear(f"{name}.to_out.0", value, voices)[0])
        return CrossMemory(tuple(keys), tuple(values), tuple(unasked))

    def __call__(self, rows: Sequence[Row]) -> list[Velocity]:
        """Velocities of all songs; each what it would be if the song were sung alone, up to rounding."""
        guided = [row for row in rows if row.guided]
        together = [*rows, *guided]
        latents = pad_sequence([row.latents for row in together], batch_first=True)
        context = pad_sequence([row.context for row in together], batch_first=True)
        time = torch.tensor([row.time for row in together]).to(latents)
        with self._lock, ExitStack() as stack:
            frame = self._frame(rows, guided)
            stack.enter_context(_attending(self.inner, frame))
            stack.enter_context(self.mixer.applied([row.voices for row in together], self.fold))
            nothing = latents.new_zeros(1, 1, self.bank.modules["condition_embedder"].in_features)
            out = self.inner(latents, time, time, nothing, context, return_dict=False)[0]
        halves = iter(range(len(rows), len(together)))
        return [
            Velocity(
                out[number, : len(row.latents)],
                out[next(halves), : len(row.latents)] if row.guided else None,
                frame.maps.get(number, {}),
            )
            for number, row in enumerate(rows)
        ]

    def prune(self) -> None:
        """Drop what was kept of songs that are sung and of adapters that are gone from the shelf."""
        with self._lock:
            self.mixer.prune(self.bank.prune())
            self._packed = None

    def _frame(self, rows: Sequence[Row], guided: Sequence[Row]) -> Frame:
        patch = int(self.inner.config.patch_size)
        lengths = [-(-len(row.latents) // patch) for row in (*rows, *guided)]
        memories = tuple(row.memory for row in rows)
        keys, values = self._pack(memories)
        tokens = torch.tensor([memory.tokens for memory in memories])
        device = rows[0].latents.device
        frame = Frame(lengths, len(rows), keys, values, None, None)
        if len(set(tokens.tolist())) > 1:
            frame.token_mask = (torch.arange(int(tokens.max())) < tokens[:, None])[:, None, None].to(device)
        if len(set(lengths)) > 1:
            frame.frame_mask, frame.window_mask = masks(lengths, int(self.inner.config.sliding_window), device)
        if guided:
            layers = range(len(self.inner.layers))
            frame.unasked = [torch.stack([row.memory.unasked[layer] for row in guided]) for layer in layers]
        frame.watches = {
            number: Watch(row.heads, lengths[number], row.memory.tokens) for number, row in enumerate(rows) if row.heads
        }
        return frame

    def _pack(self, memories: tuple[CrossMemory, ...]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Keys and values by layer, [songs, tokens, kv heads, width]; kept while the same songs sing."""
        if self._packed is None or self._packed[0] != memories:
            layers = range(len(self.inner.layers))
            keys = [pad_sequence([m.keys[layer] for m in memories], batch_first=True) for layer in layers]
            values = [pad_sequence([m.values[layer] for m in memories], batch_first=True) for layer in layers]
            self._packed = (memories, keys, values)
        return self._packed[1], self._packed[2]


@contextmanager
def _attending(transformer: Any, frame: Frame) -> Iterator[None]:
    """Send a transformer's attention through processors of one pass, and put everything back afterwards."""
    before = [(layer.self_attn.processor, layer.cross_attn.processor) for layer in transformer.layers]
    into = transformer.proj_in_conv
    convolve = type(into).forward

    def contiguous(x: torch.Tensor) -> torch.Tensor:
        # Else every layer computes on transposed memory, at the price of a slower matrix product.
        out: torch.Tensor = convolve(into, x)
        return out.transpose(1, 2).contiguous().transpose(1, 2)

    try:
        into.forward = contiguous
        for number, layer in enumerate(transformer.layers):
            sliding = transformer.layer_types[number] == "sliding_attention"
            layer.self_attn.set_processor(SelfAttention(frame, sliding))
            layer.cross_attn.set_processor(CrossAttention(frame, number))
        yield
    finally:
        into.__dict__.pop("forward", None)
        for layer, (own, cross) in zip(transformer.layers, before, strict=True):
            layer.self_attn.set_processor(own)
            layer.cross_attn.set_processor(cross)
