"""What the tests of exporting share: a small transformer, a song model's folder around it, and random adapters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder

from adapters.weights import AdapterWeights, LowRank

SHARED = {
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 96,
    "sliding_window": 8,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-6,
}


def transformer(layers: int = 3, width: int = 48) -> Any:
    """Random weights, every one of them, so that no tensor can be confused with another."""
    torch.manual_seed(0)
    model = AceStepTransformer1DModel(hidden_size=width, num_hidden_layers=layers, encoder_hidden_size=40, **SHARED)
    return model.eval().requires_grad_(False)


def condition_encoder() -> Any:
    torch.manual_seed(1)
    return AceStepConditionEncoder(
        hidden_size=40,
        text_hidden_dim=24,
        timbre_hidden_dim=64,
        num_lyric_encoder_hidden_layers=2,
        num_timbre_encoder_hidden_layers=1,
        **SHARED,
    ).eval()


def song_model(folder: Path) -> Path:
    transformer().save_pretrained(folder / "transformer", max_shard_size="150KB")
    condition_encoder().save_pretrained(folder / "condition_encoder")
    return folder


def adapter(model: Any, targets: tuple[str, ...], rank: int, scale: float, seed: int = 0) -> dict[str, LowRank]:
    """A random adapter over the layers whose names end so; ``rank`` grows by one every second layer."""
    g = torch.Generator().manual_seed(seed)
    names = [n for n, m in model.named_modules() if n.endswith(targets) and isinstance(m, torch.nn.Linear)]
    out = {}
    for i, name in enumerate(names):
        m, r = model.get_submodule(name), rank + i % 2
        down, up = torch.randn(r, m.in_features, generator=g), torch.randn(m.out_features, r, generator=g)
        out[name] = LowRank(0.2 * down, 0.2 * up, scale)
    return out


@torch.no_grad()
def folded(model: Any, weights: AdapterWeights) -> Any:
    """The model with the change added by hand."""
    for name, layer in weights.items():
        model.get_submodule(name).weight += layer.scale * layer.up.float() @ layer.down.float()
    return model


@torch.no_grad()
def velocity(model: Any) -> torch.Tensor:
    """What the model makes of a fixed random input."""
    g = torch.Generator().manual_seed(5)
    t = torch.tensor([0.7, 0.3])
    out = model(
        hidden_states=torch.randn(2, 24, 64, generator=g),
        timestep=t,
        timestep_r=t,
        encoder_hidden_states=torch.randn(2, 9, model.config.encoder_hidden_size, generator=g),
        context_latents=torch.randn(2, 24, 128, generator=g),
        return_dict=False,
    )[0]
    assert isinstance(out, torch.Tensor)
    return out


def same_change(one: AdapterWeights, other: Mapping[str, LowRank], tolerance: float = 1e-5) -> None:
    assert set(one) == set(other)
    for name in one:
        torch.testing.assert_close(one[name].delta(), other[name].delta(), atol=tolerance, rtol=tolerance)
