"""The kinds of adapter files people have, read into low-rank layers by diffusers name.

Four things differ between them: how a module is called, what its two matrices are called, where its scale is said, and
whether the change is low-rank or a Kronecker product. Each is told per key, so that no file needs to name its kind.
Knows tensors and their names, not where they lay (``adapters.importing``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.json_file import parse_json_object
from adapters.lokr import PARTS, lokr_layer
from adapters.naming import diffusers_name, original_name
from adapters.peft_config import MAX_ALPHA, PeftScales, read_peft_config
from adapters.safetensors_file import TensorFile
from adapters.weights import LowRank

#: What the tools put before a module's name: PEFT, diffusers, ComfyUI, ACE-Step's whole model, torch.compile.
_PREFIXES = ("base_model.model.", "transformer.", "diffusion_model.", "decoder.", "model.", "_orig_mod.")
#: What stands before names whose dots became underscores.
_FLAT_PREFIXES = ("lycoris_", "lora_unet_", "lora_transformer_")
#: A matrix of a low-rank pair; the infix is the adapter's name inside PEFT, mostly ``default``.
_PAIR = re.compile(
    r"(?P<module>.+)\.(?P<side>lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up)(\.(?P<infix>[^.]+))?\.weight"
)
_PART = re.compile(rf"(?P<module>.+)\.(?P<part>{'|'.join(PARTS)})")
_ALPHA = re.compile(r"(?P<module>.+)\.alpha")
_DOWN = ("lora_A", "lora_down", "lora.down")
#: Parts of keys that belong to methods without a low-rank change.
_REFUSED = {
    "dora_scale": "DoRA, which rescales whole weight matrices",
    "lora_magnitude_vector": "DoRA, which rescales whole weight matrices",
    "hada_w": "LoHa, whose change is a product entry by entry",
    "lokr_t": "LoKr with a Tucker core, which is for convolutions",
}
_MAX_KEY = 300
_NAMED = 4


@dataclass(frozen=True)
class Reading:
    """``form`` names the kind of file; ``notes`` are what a person should know about how it was read."""

    weights: dict[str, LowRank]
    form: str
    notes: list[str] = field(default_factory=list)


@dataclass
class _Module:
    """What a file holds of one module, called ``raw`` there without PEFT's own prefix."""

    raw: str
    pair: dict[str, torch.Tensor] = field(default_factory=dict)
    parts: dict[str, torch.Tensor] = field(default_factory=dict)
    alpha: float | None = None


def read_weights(file: TensorFile, base: Base, config: Mapping[str, Any] | None = None) -> Reading:
    """Layers of an adapter file; ``config`` is the ``adapter_config.json`` beside it, if any.

    Whether they fit the base is for :func:`adapters.weights.check_fit` to say; names unknown to it pass through.

    Raises:
        AdapterError: keys of another method or of none, half a pair, or a scale that is nowhere said.
    """
    _refuse_other_methods(file.tensors)
    scales, scales_from = _scales(file, config)
    modules = _sort_keys(file.tensors, base)
    weights = {}
    silent = []
    for name, module in modules.items():
        if module.parts and module.pair:
            raise AdapterError(
                f"{module.raw} holds both a low-rank pair and a LoKr change: give a file with one of them"
            )
        if module.parts:
            _check_lokr(module, file.metadata)
            if name not in base.shapes:
                raise AdapterError(
                    f"{module.raw[:120]} is no linear layer of this song model: use the song model it was trained on"
                )
            # Checked before the product is made: small factors can ask for more memory than there is.
            weights[name] = lokr_layer(module.parts, module.alpha, module.raw, base.shapes[name])
            continue
        down, up = _pair(module)
        rank = int(down.shape[0])
        told = None if scales is None else scales.scale(module.raw, rank)
        said = None if module.alpha is None else module.alpha / rank
        if told is not None and said is not None and not math.isclose(told, said, rel_tol=1e-3):
            raise AdapterError(
                f"{module.raw} has the scale {said:g} in its own alpha and {told:g} in {scales_from}: remove the wrong "
                "one"
            )
        scale = told if told is not None else said
        if scale is None:
            silent.append(module.raw)
        weights[name] = LowRank(down, up, 1.0 if scale is None else scale)
    form = _form(file.tensors)
    notes = []
    if silent and form == "peft":
        raise AdapterError(
            f"{silent[0]} has no alpha, and there is no adapter_config.json that says one: put it beside the weights"
        )
    if silent:
        notes.append(
            f"{len(silent)} of {len(weights)} layers come without alpha: taken at scale 1, as diffusers and ComfyUI do"
        )
    return Reading(weights, form, notes)


def _refuse_other_methods(keys: Iterable[str]) -> None:
    for key in keys:
        for part, meaning in _REFUSED.items():
            if part in key:
                raise AdapterError(
                    f"the file holds {key[:120]}, which is {meaning}: no low-rank change can say that; train LoRA or "
                    "plain LoKr instead"
                )


def _scales(file: TensorFile, config: Mapping[str, Any] | None) -> tuple[PeftScales | None, str]:
    """What is told for the whole file: by the config beside it, or by the one diffusers puts in its header."""
    if config is not None:
        return read_peft_config(config), "adapter_config.json"
    where = "lora_adapter_metadata in the file's header"
    text = file.metadata.get("lora_adapter_metadata")
    if text is None:
        return None, ""
    found = parse_json_object(text, where)
    own = {key.removeprefix("transformer."): value for key, value in found.items()}
    return read_peft_config(own, where), where


def _sort_keys(tensors: Mapping[str, torch.Tensor], base: Base) -> dict[str, _Module]:
    """What belongs to each module, by diffusers name."""
    flat = {form(name).replace(".", "_"): name for name in base.shapes for form in (diffusers_name, original_name)}
    modules: dict[str, _Module] = {}
    unknown, infixes = [], set()
    for key, tensor in tensors.items():
        found = _PAIR.fullmatch(key) or _PART.fullmatch(key) or _ALPHA.fullmatch(key)
        if not found or len(key) > _MAX_KEY:
            unknown.append(key[:120])
            continue
        raw = found["module"].removeprefix("base_model.model.").removeprefix("transformer.")
        name = _name(raw, flat)
        module = modules.setdefault(name, _Module(raw))
        if module.raw != raw:
            raise AdapterError(f"{raw} and {module.raw} are the same layer, {name}: the file adapts it twice")
        groups = found.groupdict()
        if "side" in groups:
            infixes.add(groups["infix"])
            side = "down" if groups["side"] in _DOWN else "up"
            if side in module.pair:
                raise AdapterError(f"{raw} has two {side} matrices: the file holds several adapters; save one")
            module.pair[side] = tensor
        elif "part" in groups:
            module.parts[groups["part"]] = tensor
        else:
            module.alpha = _alpha(tensor, key)
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise AdapterError(
            f"the file holds {', '.join(sorted(unknown)[:_NAMED])}{more}, which belong to no LoRA or LoKr adapter: "
            "give a file of adapter weights alone"
        )
    if len(infixes) > 1:
        raise AdapterError(
            f"the file holds the adapters {', '.join(sorted(str(infix) for infix in infixes))[:200]}: save one of them "
            "to a file of its own"
        )
    return modules


def _name(raw: str, flat: Mapping[str, str]) -> str:
    """The diffusers name of a module of a file; ``flat`` are the base's names with underscores for dots."""
    for prefix in _FLAT_PREFIXES:
        if raw.startswith(prefix) and "." not in raw:
            bare = raw.removeprefix(prefix)
            return flat.get(bare, flat.get(bare.removeprefix("decoder_"), raw))
    while prefix := next((p for p in _PREFIXES if raw.startswith(p)), ""):
        raw = raw.removeprefix(prefix)
    # ComfyUI also takes lycoris names below its own prefix.
    return _name(raw, flat) if raw.startswith(_FLAT_PREFIXES) and "." not in raw else diffusers_name(raw)


def _alpha(tensor: torch.Tensor, key: str) -> float:
    value = float(tensor) if tensor.numel() == 1 else math.nan
    if not 0 < abs(value) <= MAX_ALPHA:
        shown = f"{value:g}" if tensor.numel() == 1 else f"a tensor of {tensor.numel()} values"
        raise AdapterError(
            f"{key[:120]} is {shown}: alpha is one number, not 0, up to {MAX_ALPHA:g}; fetch the file again"
        )
    return value


def _pair(module: _Module) -> tuple[torch.Tensor, torch.Tensor]:
    """The two matrices ``down`` [rank, in] and ``up`` [out, rank] of a module."""
    for side, names in (("down", "lora_A (lora_down)"), ("up", "lora_B (lora_up)")):
        if side not in module.pair:
            raise AdapterError(f"{module.raw} has no {names}: the file is incomplete; fetch it again")
        if module.pair[side].ndim != 2 or not module.pair[side].numel():
            shape = list(module.pair[side].shape)
            raise AdapterError(
                f"{names} of {module.raw} has the shape {shape}: only matrices of a linear layer are read"
            )
    return module.pair["down"], module.pair["up"]


def _check_lokr(module: _Module, metadata: Mapping[str, str]) -> None:
    """Refuse the one setting of the trainer on which readers of LoKr files disagree."""
    if "lokr_config" not in metadata:
        return
    config = parse_json_object(metadata["lokr_config"], "lokr_config in the file's header")
    if config.get("rs_lora") and {"lokr_w1", "lokr_w2"} <= module.parts.keys():
        raise AdapterError(
            f"{module.raw} was trained with rs_lora and full matrices: readers of LoKr disagree on its scale; train it "
            "without rs_lora"
        )


def _form(keys: Iterable[str]) -> str:
    """The kind of file by its keys, for messages and the card."""
    keys = list(keys)
    if any(_PART.fullmatch(key) for key in keys):
        return "lokr"
    if any("diffusion_model." in key or key.endswith(".alpha") or "lora_down" in key for key in keys):
        return "comfyui"
    return "peft" if any(key.startswith("base_model.model.") for key in keys) else "diffusers"
