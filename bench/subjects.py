"""What the engine is measured on: the embedded model with its adapters, and a mid-size transformer of random weights.

The mid-size one has the shape of the released model at half the width and a third of the layers; encoder and codec are
the embedded ones. How fast it is does not depend on what its weights say.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from diffusers import AceStepTransformer1DModel

from adapters.base import Base
from adapters.places import SHELF
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, LowRank
from engine.presets import PRESETS
from engine.song_model import SongModel, load_song_model

#: Width, layers, heads of the mid-size transformer; patches, window and types of layers are those of the released one.
MID_SIZE = {
    "hidden_size": 1024,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "intermediate_size": 3072,
    "patch_size": 2,
    "sliding_window": 128,
    "layer_types": None,
}
#: The study's recipe.
RANK, ALPHA = 8, 16.0
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True)
class Subject:
    """A song model and the adapters it is measured with, at least four, by name."""

    name: str
    model: SongModel
    adapters: Mapping[str, AdapterWeights]

    @property
    def compositions(self) -> list[dict[str, float]]:
        """Five ways to sing: the base, three adapters, and a blend of all four."""
        one, two, three, four = sorted(self.adapters)[:4]
        return [{}, {one: 1.0}, {two: 1.0}, {three: 0.8}, {one: 0.4, two: 0.3, three: 0.2, four: 0.1}]


class MemoryShelf:
    """A shelf of adapters that are in memory already."""

    def __init__(self, adapters: Mapping[str, AdapterWeights]) -> None:
        self.adapters = dict(adapters)

    def names(self) -> list[str]:
        """All of them."""
        return sorted(self.adapters)

    def load(self, name: str, base: Base) -> AdapterWeights:
        """One of them."""
        return self.adapters[name]

    def revision(self, name: str) -> object:
        """Another where the adapter is another."""
        return id(self.adapters[name])


def embedded() -> Subject:
    """The embedded model with the adapters that ship with it."""
    model, store = load_song_model(), AdapterStore(SHELF)
    base = Base.of(model.transformer)
    return Subject("embedded model", model, {name: store.load(name, base) for name in store.names()})


def mid_size(seed: int = 0) -> Subject:
    """The mid-size transformer in the embedded model's pipeline, sampled as the released turbo model is."""
    model = load_song_model()
    torch.manual_seed(seed)
    config = {**model.transformer.config, **MID_SIZE}
    pipeline = copy.copy(model.pipeline)
    pipeline.transformer = AceStepTransformer1DModel.from_config(config).eval().requires_grad_(False)
    preset = replace(PRESETS["turbo"], max_seconds=model.preset.max_seconds)
    heads = {2: [0, 1], 3: [2, 3]}
    model = replace(model, name="mid-size", pipeline=pipeline, preset=preset, alignment_heads=heads)
    adapters = {f"adapter-{n}": random_adapter(pipeline.transformer, seed + n) for n in range(1, 5)}
    return Subject("mid-size, random", model, adapters)


def random_adapter(transformer: torch.nn.Module, seed: int) -> AdapterWeights:
    """An adapter of the study's shape with small random weights."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for name, module in transformer.named_modules():
        if isinstance(module, torch.nn.Linear) and "attn" in name and name.endswith(TARGETS):
            down = torch.randn(RANK, module.in_features, generator=generator) / module.in_features**0.5
            up = 0.05 * torch.randn(module.out_features, RANK, generator=generator)
            out[name] = LowRank(down, up, ALPHA / RANK)
    return out
