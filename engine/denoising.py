"""The denoising loop: from noise to latents along the flow, with guidance.

Equal to diffusers' ``AceStepPipeline`` where that one works; unlike it, any length is sung and a song can be stopped at
every step. Knows nothing about words, plans or audio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

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


@torch.inference_mode()
def denoise(
    transformer: Any,
    noise: torch.Tensor,
    condition: torch.Tensor,
    null_condition: torch.Tensor,
    context: torch.Tensor,
    sampling: Sampling,
    on_step: Callable[[int, torch.Tensor], None] | None = None,
) -> torch.Tensor:
    """Integrate the velocity field from noise (t = 1) to a song (t = 0) with Euler steps.

    Args:
        noise: [batch, frames, channels].
        condition: packed conditioning [batch, tokens, width]; ``null_condition`` broadcasts to it.
        context: source latents and chunk mask [batch, frames, 2 * channels].
        on_step: told the number of finished steps and the latents; may raise to stop the song.

    Returns:
        Latents [batch, frames, channels].
    """
    grid = timesteps(sampling.steps, sampling.shift).to(noise.device, torch.float32)
    latents, guided = noise, sampling.guidance > 1.0
    momentum = MomentumBuffer(momentum=APG_MOMENTUM)
    if guided:
        condition = torch.cat([condition, null_condition.expand_as(condition)])
        context = torch.cat([context, context])
    for step in range(sampling.steps):
        now = grid[step].to(noise.dtype).expand(len(condition))
        rows = torch.cat([latents, latents]) if guided else latents
        velocity = transformer(rows, now, now, condition, context, return_dict=False)[0]
        if guided:
            asked, unasked = velocity.chunk(2)
            if sampling.rule == "apg":
                velocity = normalized_guidance(
                    asked,
                    unasked,
                    sampling.guidance - 1.0,
                    momentum,
                    eta=APG_ETA,
                    norm_threshold=APG_THRESHOLD,
                    use_original_formulation=True,
                    norm_dim=(1,),
                )
            else:
                velocity = unasked + sampling.guidance * (asked - unasked)
        latents = latents + (grid[step + 1] - grid[step]).to(latents.dtype) * velocity
        if on_step is not None:
            on_step(step + 1, latents)
    return latents
