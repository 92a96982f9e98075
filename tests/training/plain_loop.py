"""The same training as a plain loop over peft, torch and diffusers' own attention, one clip at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import LoraConfig, inject_adapter_in_model

from engine.song_model import SongModel
from tests.training.planted_corpus import fresh
from training.encoding import EncodedClip


class PlainLoop:
    """Adapts all attention at rank 8, alpha 16; the sharpness term is the entropy over all tokens, all layers."""

    def __init__(self, model: SongModel, start: dict[str, torch.Tensor], rate: float) -> None:
        self.transformer = fresh(model).transformer
        targets = [f"{room}_attn.{to}" for room in ("self", "cross") for to in ("to_q", "to_k", "to_v", "to_out.0")]
        config = LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=targets)
        inject_adapter_in_model(config, self.transformer, "trained")
        self.trained = {n: p for n, p in self.transformer.named_parameters() if p.requires_grad}
        assert self.trained.keys() == start.keys()
        for name, parameter in self.trained.items():
            parameter.data.copy_(start[name])
        self.optimiser = torch.optim.AdamW(self.trained.values(), lr=rate, weight_decay=0.01)
        self.normed: dict[tuple[int, str], torch.Tensor] = {}
        for number, layer in enumerate(self.transformer.layers):
            for side in ("norm_q", "norm_k"):
                module = getattr(layer.cross_attn, side)
                module.register_forward_hook(lambda _, __, out, key=(number, side): self.normed.__setitem__(key, out))

    def entropy(self) -> torch.Tensor:
        found = []
        for layer in range(len(self.transformer.layers)):
            query, key = (self.normed[layer, side].transpose(1, 2) for side in ("norm_q", "norm_k"))
            key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
            p = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
            found.append(-(p * p.log()).sum(-1).mean())
        return torch.stack(found).mean()

    def step(self, clips: Sequence[EncodedClip], calls: Sequence[dict[str, torch.Tensor]], weight: float) -> float:
        losses = []
        for clip, call in zip(clips, calls, strict=True):
            t, x0 = call["timestep"][0], clip.latents
            noise = (call["hidden_states"][0] - (1 - t) * x0) / t
            assert 0 < t < 1 and abs(noise.mean()) < 0.15 and 0.9 < noise.std() < 1.1
            context = torch.cat([clip.source, torch.ones_like(clip.source)], -1)
            velocity = self.transformer(
                (t * noise + (1 - t) * x0)[None],
                t[None],
                t[None],
                clip.condition[None],
                context[None],
                return_dict=False,
            )[0][0]
            losses.append(((velocity - (noise - x0)) ** 2).mean())
            ((losses[-1] + weight * self.entropy()) / len(clips)).backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
        self.gradients = {n: p.grad.clone() for n, p in self.trained.items() if p.grad is not None}
        self.optimiser.step()
        return torch.stack(losses).mean().item()
