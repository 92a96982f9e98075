"""Independent ways to the same song: diffusers' transformer as it stands, peft's adapters, one song at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import peft
import torch
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance

from adapters.weights import AdapterWeights, peft_config, peft_tensors
from engine.denoising import timesteps
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import SongModel


def with_peft(transformer: Any, parts: Sequence[tuple[float, AdapterWeights]]) -> Any:
    """A copy of the transformer with every adapter injected and active at once, each scaled by its weight."""
    model = copy.deepcopy(transformer)
    names = []
    for number, (weight, weights) in enumerate(parts):
        name = f"adapter{number}"
        settings = {k: v for k, v in peft_config(weights).items() if k != "peft_type"}
        model.add_adapter(peft.LoraConfig(**settings), adapter_name=name)
        tensors = {key.removeprefix("base_model.model."): t for key, t in peft_tensors(weights).items()}
        peft.set_peft_model_state_dict(model, tensors, adapter_name=name)
        for module in model.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer) and name in module.scaling:
                module.scale_layer(1.0)
                module.scaling[name] *= weight
        names.append(name)
    if names:
        model.set_adapter(names)
    return model.eval().requires_grad_(False)


@torch.no_grad()
def plain_song(model: SongModel, transformer: Any, request: SongRequest) -> torch.Tensor:
    """Latents [frames, channels] as diffusers' pipeline would make them of a request, on any transformer."""
    singer, request = Singer(model), request.model_copy(update={"composition": {}})
    plan, _, seconds = singer.preview(request)
    frames = round(seconds * model.frame_rate)
    source = singer.source_latents(plan, frames)[None]
    condition = singer.condition(request, seconds).packed
    context = torch.cat([source, torch.ones_like(source)], -1)
    sampling = singer.sampling(request)
    null = model.condition_encoder.null_condition_emb.expand_as(condition)
    grid, latents = timesteps(sampling.steps, sampling.shift), singer.noise(request.seed, frames)[None]
    momentum = MomentumBuffer(momentum=-0.75)
    for now, after in pairwise(grid):
        time = now.expand(1)
        velocity = transformer(latents, time, time, condition, context, return_dict=False)[0]
        if sampling.guidance > 1:
            unasked = transformer(latents, time, time, null, context, return_dict=False)[0]
            if sampling.rule == "cfg":
                velocity = unasked + sampling.guidance * (velocity - unasked)
            else:
                velocity = normalized_guidance(
                    velocity, unasked, sampling.guidance - 1, momentum, 0.0, 2.5, True, norm_dim=(1,)
                )
        latents = latents + (after - now) * velocity
    return latents[0]
