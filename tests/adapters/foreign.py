"""A small stand-in for ACE-Step's transformer under either naming, and adapter files as other tools write them.

The same weights stand in both trees, so that an adapter can be applied in its own names by its own tool, imported and
applied by ours, and the two outputs compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from adapters.base import Base
from adapters.naming import diffusers_name
from adapters.weights import AdapterWeights, LowRank

WIDTH, KV, MLP, LAYERS = 12, 6, 20, 2


class Attention(nn.Module):
    """Every projection reaches the output, and none of them linearly."""

    def __init__(self, original: bool) -> None:
        super().__init__()
        shapes = {"q_proj": (WIDTH, WIDTH), "k_proj": (WIDTH, KV), "v_proj": (WIDTH, KV), "o_proj": (WIDTH, WIDTH)}
        self.order = []
        for name, (inner, out) in shapes.items():
            linear = nn.Linear(inner, out, bias=False)
            ours = diffusers_name(name)
            if original:
                self.add_module(name, linear)
            elif ours == "to_out.0":
                self.add_module("to_out", nn.ModuleList([linear, nn.Dropout(0.0)]))
            else:
                self.add_module(ours, linear)
            self.order.append(name if original else ours)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v, o = map(self.get_submodule, self.order)
        # Bounded, so that rounding stays far below 1e-5.
        return torch.tanh(o(torch.tanh(q(x)) * torch.cat([torch.tanh(k(x)), v(x)], -1)))


class Layer(nn.Module):
    def __init__(self, original: bool) -> None:
        super().__init__()
        self.self_attn = Attention(original)
        self.cross_attn = Attention(original)
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": nn.Linear(WIDTH, MLP, bias=False),
                "up_proj": nn.Linear(WIDTH, MLP, bias=False),
                "down_proj": nn.Linear(MLP, WIDTH, bias=False),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(x)
        x = x + self.cross_attn(x)
        return x + torch.tanh(self.mlp["down_proj"](torch.tanh(self.mlp["gate_proj"](x)) * self.mlp["up_proj"](x)))


class Transformer(nn.Module):
    def __init__(self, original: bool) -> None:
        super().__init__()
        self.condition_embedder = nn.Linear(WIDTH, WIDTH)
        self.layers = nn.ModuleList(Layer(original) for _ in range(LAYERS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.condition_embedder(x)
        for layer in self.layers:
            x = layer(x)
        return x


def twins(seed: int = 0) -> tuple[Transformer, Transformer]:
    """One transformer in ACE-Step's names and the same in diffusers names."""
    torch.manual_seed(seed)
    original, ours = Transformer(True), Transformer(False)
    ours.load_state_dict(
        {
            diffusers_name(key.rpartition(".")[0]) + "." + key.rpartition(".")[2]: value
            for key, value in original.state_dict().items()
        }
    )
    return original, ours


def base_of(model: nn.Module) -> Base:
    return Base.of(model)


def sing(model: nn.Module) -> torch.Tensor:
    """Outputs for a fixed input, [2, 5, WIDTH]."""
    x = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        out: torch.Tensor = model(x)
    return out


def apply(model: nn.Module, changes: Mapping[str, torch.Tensor]) -> None:
    """Add a change of its weight to each named layer."""
    with torch.no_grad():
        for name, change in changes.items():
            weight = model.get_submodule(name).weight
            assert isinstance(weight, torch.Tensor)
            weight += change.to(weight.dtype)


def deltas(weights: AdapterWeights) -> dict[str, torch.Tensor]:
    return {name: layer.delta() for name, layer in weights.items()}


def pairs(names: list[str], rank: int = 4, seed: int = 1, dtype: torch.dtype = torch.float32) -> dict[str, LowRank]:
    """Random pairs, named and shaped as in the original tree."""
    generator = torch.Generator().manual_seed(seed)
    shapes = base_of(twins()[0]).shapes
    return {
        name: LowRank(
            (torch.randn(rank, shapes[name][1], generator=generator) * 0.3).to(dtype),
            (torch.randn(shapes[name][0], rank, generator=generator) * 0.3).to(dtype),
        )
        for name in names
    }


ATTENTION = [
    f"layers.{i}.{block}.{kind}_proj" for i in range(LAYERS) for block in ("self_attn", "cross_attn") for kind in "qkvo"
]


def write_peft(folder: Path, weights: AdapterWeights, infix: str = "", **config: Any) -> Path:
    """ACE-Step's trainer's files: original names, alpha in the config alone."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, layer in weights.items():
        tensors[f"base_model.model.{name}.lora_A{infix}.weight"] = layer.down
        tensors[f"base_model.model.{name}.lora_B{infix}.weight"] = layer.up
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    rank = next(iter(weights.values())).rank
    settings = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": 2 * rank,
        "bias": "none",
        "lora_dropout": 0.1,
        "target_modules": sorted({name.rpartition(".")[2] for name in weights}),
    } | config
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder
