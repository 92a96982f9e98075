"""A finished song in memory, and what is told while it is being sung."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from engine.attention_maps import AttentionFrame, AttentionRecord
from engine.denoising import Sampling
from engine.genres import CaptionReading
from engine.karaoke import Karaoke
from engine.plan import Plan
from engine.request import SongRequest


@dataclass(frozen=True)
class Song:
    """What was sung. ``audio`` [channels, samples]; ``latents`` [frames, channels]; ``spent`` seconds by stage.

    ``plan`` is None for models that are not planned; ``reading`` says how the caption was understood; ``attention``
    holds the maps that were asked for and ``karaoke`` when each word is sung, where the model's heads tell;
    ``adapters``: fingerprints of the adapters' weights by name.
    """

    request: SongRequest
    audio: npt.NDArray[np.float32]
    sampling_rate: int
    latents: npt.NDArray[np.float32]
    plan: Plan | None
    reading: CaptionReading
    sampling: Sampling
    spent: dict[str, float]
    attention: AttentionRecord | None = None
    karaoke: Karaoke | None = None
    adapters: dict[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of its sound and of its attention maps."""
        maps = sum(frame.nbytes for frame in self.attention.recorded) if self.attention is not None else 0
        return int(self.audio.nbytes) + maps

    @property
    def seconds(self) -> float:
        return float(self.audio.shape[1] / self.sampling_rate)


@dataclass(frozen=True)
class Step:
    """Told to the listener after each denoising step.

    ``latents`` [frames, channels]; ``maps``: attention of the heads watched in this step, by layer, [heads, patches,
    tokens]; ``frame``: the same, pooled over time.
    """

    done: int
    of: int
    latents: torch.Tensor
    maps: Mapping[int, torch.Tensor] = field(default_factory=dict)
    frame: AttentionFrame | None = None
