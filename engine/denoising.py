"""Where a denoising step goes: the times of the steps, and the velocity under guidance.

Knows nothing about words, plans, batches or audio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance

#: ACE-Step's settings of adaptive projected guidance.
APG_MOMENTUM, APG_ETA, APG_THRESHOLD = -0.75, 0.0, 2.5


@dataclass(frozen=True)
class Sampling:
    """How a song is denoised; see ``engine.presets.Preset``."""

    steps: int
    shift: float
    guidance: float
    rule: Literal["cfg", "apg"]


def timesteps(steps: int, shift: float) -> torch.Tensor:
    """The ``steps + 1`` times from 1 to 0: a linear grid bent by ``shift * t / (1 + (shift - 1) * t)``."""
    t = torch.linspace(1.0, 0.0, steps + 1)
    return shift * t / (1 + (shift - 1) * t)


def guided(
    asked: torch.Tensor, unasked: torch.Tensor | None, sampling: Sampling, momentum: MomentumBuffer
) -> torch.Tensor:
    """The velocity [frames, channels] to follow, of the one that heard the words and the one that did not.

    Plain classifier-free guidance (Ho & Salimans 2022), or adaptive projected guidance (Sadat et al. 2024) over the
    time axis, as ACE-Step does it; ``momentum`` is a song's own and is carried from step to step.
    """
    if unasked is None:
        return asked
    if sampling.rule == "cfg":
        return unasked + sampling.guidance * (asked - unasked)
    velocity: torch.Tensor = normalized_guidance(
        asked[None],
        unasked[None],
        sampling.guidance - 1.0,
        momentum,
        eta=APG_ETA,
        norm_threshold=APG_THRESHOLD,
        use_original_formulation=True,
        norm_dim=(1,),
    )
    return velocity[0]
