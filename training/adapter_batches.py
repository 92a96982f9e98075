"""Which clips make which step, and how they are padded to one batch.

Both are pure functions of seed and position, so that a run can be resumed at any step, on any number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from engine.conditioning import TokenKind
from training.encoding import EncodedClip

#: Batches are made of clips of similar length, found among this many batches' worth of clips.
_POOLED = 16
MAX_VALIDATION = 32


@dataclass(frozen=True)
class AdapterBatch:
    """``latents`` and ``source`` [batch, frames, channels]; ``frames`` [batch, frames], 1 where the clip is;
    ``condition`` [batch, tokens, width]; ``kinds`` [batch, tokens], PADDING where there is no token."""

    latents: torch.Tensor
    source: torch.Tensor
    frames: torch.Tensor
    condition: torch.Tensor
    kinds: torch.Tensor

    def to(self, device: torch.device) -> AdapterBatch:
        return AdapterBatch(**{name: value.to(device) for name, value in vars(self).items()})


def split_clips(count: int, share: float, seed: int) -> tuple[list[int], list[int]]:
    """(training, validation) clip numbers; at most 32 are kept for validation, none of fewer than 8 clips."""
    order = np.random.default_rng((seed, 7)).permutation(count).tolist()
    kept = min(MAX_VALIDATION, math.ceil(count * share)) if count >= 8 else 0
    return sorted(order[kept:]), sorted(order[:kept])


class BatchOrder:
    """Endless batches of clip numbers; batch ``n`` is the same whenever it is asked for."""

    def __init__(self, clips: Sequence[int], lengths: Sequence[int], size: int, seed: int) -> None:
        self.clips, self.size, self.seed = list(clips), size, seed
        self._lengths = lengths
        self.per_epoch = math.ceil(len(self.clips) / size)
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def __getitem__(self, number: int) -> list[int]:
        epoch, at = divmod(number, self.per_epoch)
        return self._epoch(epoch)[at]

    def _make_epoch(self, epoch: int) -> list[list[int]]:
        rng = np.random.default_rng((self.seed, epoch))
        order = [self.clips[i] for i in rng.permutation(len(self.clips))]
        groups = []
        for start in range(0, len(order), self.size * _POOLED):
            pool = order[start : start + self.size * _POOLED]
            if self.size > 1:
                pool.sort(key=lambda clip: self._lengths[clip])
            groups += [pool[i : i + self.size] for i in range(0, len(pool), self.size)]
        return [groups[i] for i in rng.permutation(len(groups))]


def collate(clips: Sequence[EncodedClip]) -> AdapterBatch:
    """Pad clips to the longest: sound and source with their last frame, conditioning with zeros."""
    length, tokens = max(c.frames for c in clips), max(len(c.kinds) for c in clips)
    width = clips[0].condition.shape[1]
    condition = torch.zeros(len(clips), tokens, width)
    kinds = torch.full((len(clips), tokens), int(TokenKind.PADDING), dtype=torch.int8)
    frames = torch.zeros(len(clips), length)
    for row, clip in enumerate(clips):
        condition[row, : len(clip.kinds)] = clip.condition.float()
        kinds[row, : len(clip.kinds)] = clip.kinds
        frames[row, : clip.frames] = 1
    return AdapterBatch(
        latents=torch.stack([_padded(c.latents, length) for c in clips]),
        source=torch.stack([_padded(c.source, length) for c in clips]),
        frames=frames,
        condition=condition,
        kinds=kinds,
    )


def _padded(values: torch.Tensor, length: int) -> torch.Tensor:
    values = values.float()
    return torch.cat([values, values[-1:].expand(length - len(values), -1)])
