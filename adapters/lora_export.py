"""An adapter, or a blend of several, as a LoRA file that other tools read.

Four kinds. ``peft``: a PEFT folder in diffusers' names. ``original``: a PEFT folder in the names of ACE-Step's own code
and trainer. ``comfyui``: one file with ``lora_down``, ``lora_up`` and ``alpha``. ``diffusers``: one file for
``pipeline.load_lora_weights``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from adapters.errors import AdapterError
from adapters.naming import original_name
from adapters.shards import Planned, write_file
from adapters.weights import AdapterWeights, LowRank, peft_config, peft_tensors

LoraFormat = Literal["peft", "diffusers", "comfyui", "original"]
LORA_FORMATS: tuple[LoraFormat, ...] = ("peft", "diffusers", "comfyui", "original")

#: The header in which diffusers (from 0.34) looks for the LoRA's configuration; the keys bear the component's name.
_DIFFUSERS_HEADER = "lora_adapter_metadata"
_OUR_HEADER = "choirmaster"


def write_lora(
    weights: AdapterWeights,
    folder: Path,
    form: LoraFormat,
    dtype: torch.dtype = torch.float32,
    about: Mapping[str, Any] | None = None,
    name: str = "adapter",
) -> Path:
    """Write the LoRA into ``folder`` and give back the file of its weights.

    Args:
        about: what the file says about itself, in the header ``choirmaster``.
        name: of the file, where the form does not prescribe one (``comfyui``).

    Raises:
        AdapterError: there is no layer, or a value does not fit the dtype.
        OSError: the folder cannot be written.
    """
    if not weights:
        raise AdapterError("a LoRA of the base model alone would be empty: give --composition, or a full format")
    layers = {key: LowRank(layer.down.to(dtype), layer.up.to(dtype), layer.scale) for key, layer in weights.items()}
    metadata = {"format": "pt", _OUR_HEADER: json.dumps(about or {}, sort_keys=True)}
    if form in ("peft", "original"):
        path = folder / "adapter_model.safetensors"
        tensors = peft_tensors(layers, original=form == "original")
        config = peft_config(layers, original=form == "original")
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    elif form == "comfyui":
        path, tensors = folder / f"{name}.safetensors", comfyui_tensors(layers)
    elif form == "diffusers":
        folded = {key: _fold(layer, dtype) for key, layer in weights.items()}
        path, tensors = folder / "pytorch_lora_weights.safetensors", diffusers_tensors(folded)
        config = {f"transformer.{key}": value for key, value in peft_config(folded).items()}
        metadata[_DIFFUSERS_HEADER] = json.dumps(config, sort_keys=True)
    else:
        raise AdapterError(f"there is no LoRA format {form!r}: choose one of {', '.join(LORA_FORMATS)}")
    write_file(path, [_planned(key, tensor) for key, tensor in tensors.items()], metadata)
    return path


def comfyui_tensors(weights: AdapterWeights) -> dict[str, Tensor]:
    """``diffusion_model.decoder.<original name>.{lora_down.weight, lora_up.weight, alpha}``; alpha is scale * rank."""
    out = {}
    for name, layer in weights.items():
        key = f"diffusion_model.decoder.{original_name(name)}"
        out[f"{key}.lora_down.weight"] = layer.down
        out[f"{key}.lora_up.weight"] = layer.up
        out[f"{key}.alpha"] = torch.tensor(layer.scale * layer.rank, dtype=torch.float32)
    return out


def diffusers_tensors(weights: AdapterWeights) -> dict[str, Tensor]:
    """``transformer.<diffusers name>.lora_{A,B}.weight``, for weights whose scale is 1.

    diffusers knows no alpha in this format and takes it to be the rank, so the scale must stand in the weights. The
    prefix must be there too: without it the loader looks for ``q_proj`` or ``k_proj`` to recognise ACE-Step's names,
    and drops every key of a file that has neither, such as one of ``v_proj``, ``o_proj`` or the MLP only.
    """
    assert all(layer.scale == 1 for layer in weights.values())
    out = {}
    for name, layer in weights.items():
        out[f"transformer.{name}.lora_A.weight"] = layer.down
        out[f"transformer.{name}.lora_B.weight"] = layer.up
    return out


def _fold(layer: LowRank, dtype: torch.dtype) -> LowRank:
    return LowRank(layer.down.to(dtype), (layer.up.float() * layer.scale).to(dtype))


def _planned(name: str, tensor: Tensor) -> Planned:
    return Planned(name, tuple(tensor.shape), tensor.dtype, lambda: tensor)
