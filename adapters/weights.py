"""The weights of one adapter in memory: a low-rank change of each linear layer it touches, by diffusers name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.naming import original_name

#: Problems named in one error message before the rest is only counted.
_NAMED = 4


@dataclass(frozen=True)
class LowRank:
    """One layer's change: ``scale * up @ down`` with ``down`` [rank, in] and ``up`` [out, rank] (Hu et al. 2022, LoRA).

    ``scale`` is alpha / rank, kept apart so that stored weights stay bit for bit as they came.
    """

    down: torch.Tensor
    up: torch.Tensor
    scale: float = 1.0

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the layer."""
        return int(self.up.shape[0]), int(self.down.shape[1])

    def delta(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """The change of the weight matrix, [out, in]."""
        return self.up.to(dtype) @ self.down.to(dtype) * self.scale


AdapterWeights = Mapping[str, LowRank]


def check_fit(weights: AdapterWeights, base: Base, what: str = "the adapter") -> None:
    """Make sure that every layer exists in the base with this shape and holds numbers.

    Raises:
        AdapterError: names what does not fit; also where there is no layer at all, or none changes anything.
    """
    if not weights:
        raise AdapterError(f"{what} changes no layer at all: it holds no low-rank weights")
    problems = []
    for name, layer in weights.items():
        wanted = base.shapes.get(name)
        if wanted is None:
            problems.append(f"{name} is no linear layer of this song model")
        elif layer.up.shape[1] != layer.rank:
            problems.append(f"{name} has rank {layer.rank} on one side and {layer.up.shape[1]} on the other")
        elif layer.shape != wanted:
            problems.append(
                f"{name} is {layer.shape[0]} x {layer.shape[1]}, the song model's {wanted[0]} x {wanted[1]}"
            )
        elif not bool(torch.isfinite(layer.down).all() and torch.isfinite(layer.up).all()):
            problems.append(f"{name} holds values that are no numbers")
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise AdapterError(
            f"{what} does not fit this song model: {'; '.join(problems[:_NAMED])}{more}. Use the song model it was "
            "trained on, or an adapter made for this one"
        )
    if not any(bool(layer.up.any() and layer.down.any() and layer.scale) for layer in weights.values()):
        raise AdapterError(f"{what} changes nothing: all its weights are zero, as before training")


def describe_weights(weights: AdapterWeights) -> dict[str, Any]:
    """The fields of an ``AdapterCard`` that follow from the weights."""
    return {
        "rank": Counter(layer.rank for layer in weights.values()).most_common(1)[0][0],
        "alpha": Counter(layer.scale * layer.rank for layer in weights.values()).most_common(1)[0][0],
        "layers": len(weights),
        "parameters": sum(layer.down.numel() + layer.up.numel() for layer in weights.values()),
        "targets": tuple(sorted({re.sub(r"^layers\.\d+\.", "", name) for name in weights})),
    }


def peft_tensors(weights: AdapterWeights, *, original: bool = False) -> dict[str, torch.Tensor]:
    """Tensors of a PEFT ``adapter_model.safetensors``, in diffusers names or in ACE-Step's own."""
    out = {}
    for name, layer in weights.items():
        key = f"base_model.model.{original_name(name) if original else name}"
        out[f"{key}.lora_A.weight"] = layer.down.contiguous()
        out[f"{key}.lora_B.weight"] = layer.up.contiguous()
    return out


def peft_config(weights: AdapterWeights, *, original: bool = False, dropout: float = 0.0) -> dict[str, Any]:
    """The ``adapter_config.json`` beside :func:`peft_tensors`; ranks and alphas that differ stand in its patterns."""
    names = {name: original_name(name) if original else name for name in weights}
    ranks = [layer.rank for layer in weights.values()]
    rank = max(set(ranks), key=ranks.count)
    alphas = {name: layer.scale * layer.rank for name, layer in weights.items()}
    alpha = max(set(alphas.values()), key=list(alphas.values()).count)
    return {
        "peft_type": "LORA",
        "task_type": None,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": int(alpha) if float(alpha).is_integer() else alpha,
        "lora_dropout": dropout,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "fan_in_fan_out": False,
        "target_modules": sorted(names.values()),
        "rank_pattern": {names[n]: layer.rank for n, layer in weights.items() if layer.rank != rank},
        "alpha_pattern": {names[n]: a for n, a in alphas.items() if a != alpha},
    }
