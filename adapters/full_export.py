"""The whole model with a blend folded in, as a new diffusers transformer or a new original checkpoint.

Streamed: each tensor is read from the song model's own files, gets its change added in float32, and goes out before the
next one comes in, so that memory holds about one layer whatever the size of the model or of its shards.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open

from adapters.base import STEM, weight_files
from adapters.errors import AdapterError
from adapters.json_file import read_json_object
from adapters.original_layout import PREFIXES, SILENCE, checkpoint_config, checkpoint_name
from adapters.shards import DTYPES, Planned, write_shards
from adapters.weights import AdapterWeights

FullFormat = Literal["full-diffusers", "full-original"]
FULL_FORMATS: tuple[FullFormat, ...] = ("full-diffusers", "full-original")

SHARD_SIZE = 5 * 10**9


@dataclass(frozen=True)
class FullExport:
    """What was written: the weight files, their tensors and bytes, and what a user should know about them."""

    files: list[Path]
    tensors: int
    size: int
    notes: list[str]


def write_full(
    model: Path,
    weights: AdapterWeights,
    folder: Path,
    form: FullFormat,
    dtype: torch.dtype | None = None,
    shard_size: int = SHARD_SIZE,
    about: Mapping[str, Any] | None = None,
    start: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None,
) -> FullExport:
    """Write the transformer of the song model in ``model`` with ``weights`` folded in.

    Args:
        dtype: of the written values; None keeps the base's own.
        start: gets the total of bytes to write and gives back what is told the bytes of each tensor written.

    Raises:
        AdapterError: the model's files cannot be read, an adapted layer is not among them, values do not fit the
            dtype, or the disk has too little room.
        OSError: the folder cannot be written.
    """
    if form not in FULL_FORMATS:
        raise AdapterError(f"there is no full format {form!r}: choose one of {', '.join(FULL_FORMATS)}")
    parts = ["transformer"]
    if form == "full-original":
        parts += [part for part in PREFIXES if part != "transformer" and (model / part).is_dir()]
        if "condition_encoder" not in parts:
            raise AdapterError(f"{model} holds no condition_encoder/, which an original checkpoint needs: give --model")
    tensors = [
        (part, tensor if dtype is None or not tensor.dtype.is_floating_point else replace(tensor, dtype=dtype))
        for part in parts
        for tensor in planned_tensors(model / part)
    ]
    unknown = set(weights) - {t.name.removesuffix(".weight") for part, t in tensors if part == "transformer"}
    if unknown:
        raise AdapterError(f"{model} has no layer {min(unknown)}: use the song model the adapters were trained on")
    folded = [(p, _fold(t, weights) if p == "transformer" else t) for p, t in tensors]
    notes: list[str] = []
    if form == "full-diffusers":
        stem, out = STEM, [tensor for _, tensor in folded]
    else:
        stem = "model"
        out = [replace(t, name=checkpoint_name(p, t.name)) for p, t in folded if t.name != SILENCE]
    total = sum(tensor.size for tensor in out)
    free = shutil.disk_usage(folder).free
    if free < total:
        raise AdapterError(
            f"the model needs {total / 1e9:.2f} GB, {free / 1e9:.2f} GB are free: choose another --out or --dtype bf16"
        )
    if form == "full-diffusers":
        config = read_json_object(model / "transformer" / "config.json")
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    else:
        notes = _write_original_rest(model, parts, folder, [t for _, t in folded if t.name == SILENCE], out)
    metadata = {"format": "pt", "choirmaster": json.dumps(about or {}, sort_keys=True)}
    files = write_shards(folder, stem, out, shard_size, metadata, start(total))
    return FullExport(files, len(out), total, notes)


def planned_tensors(folder: Path) -> Iterator[Planned]:
    """Every tensor of a diffusers part, whole or sharded, as its header announces it; each is read when asked for.

    Raises:
        AdapterError: the files are missing or cannot be read.
    """
    opened: dict[Path, Any] = {}

    def read(path: Path, name: str) -> torch.Tensor:
        if path not in opened:  # one file at a time
            opened.clear()
            opened[path] = safe_open(path, framework="pt")
        found: torch.Tensor = opened[path].get_tensor(name)
        return found

    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                headers = [(name, file.get_slice(name)) for name in file.keys()]  # noqa: SIM118 - no mapping
                found = [(name, tuple(part.get_shape()), part.get_dtype()) for name, part in headers]
        except (SafetensorError, OSError) as error:
            raise AdapterError(f"{path} cannot be read ({error}): fetch it again") from error
        for name, shape, code in found:
            if code not in DTYPES:
                raise AdapterError(f"{name} in {path} is stored as {code}: give a model in fp32, bf16 or fp16")
            yield Planned(name, shape, DTYPES[code], partial(read, path, name))


def _fold(tensor: Planned, weights: AdapterWeights) -> Planned:
    name = tensor.name.removesuffix(".weight")
    if name not in weights or name == tensor.name:
        return tensor
    return replace(tensor, read=lambda: tensor.read().float() + weights[name].delta())


def _write_original_rest(
    model: Path, parts: list[str], folder: Path, silence: list[Planned], out: list[Planned]
) -> list[str]:
    """Write what stands beside the weights of an original checkpoint; what cannot be written is told in notes."""
    configs = {part: read_json_object(model / part / "config.json") for part in parts}
    kinds = {tensor.dtype for tensor in out if tensor.dtype.is_floating_point}
    dtype = str(max(kinds, key=lambda kind: kind.itemsize)).removeprefix("torch.")
    config, differing = checkpoint_config(configs, dtype)
    ours = model / "song_model.json"
    if ours.is_file():
        heads = read_json_object(ours).get("lyric_alignment_layers_config")
        config |= {"lyric_alignment_layers_config": heads} if heads else {}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for tensor in silence:  # [1, frames, 64] in diffusers, [1, 64, frames] in the original
        values = tensor.read().to(tensor.dtype).transpose(1, 2).contiguous().clone()
        torch.save(values, folder / "silence_latent.pt")
    notes = [
        "config.json holds the numbers of the model only: take the modeling and configuration .py files of your "
        "original checkpoint, which its auto_map names, along with it"
    ]
    if not silence:
        notes.append(f"{model} holds no silence latent: take silence_latent.pt from your original checkpoint")
    absent = [PREFIXES[part] for part in PREFIXES if part not in parts]
    if absent:
        notes.append(
            f"{model} lacks the parts that an original checkpoint keeps under {' and '.join(absent)}: not written"
        )
    if differing:
        notes.append(
            f"ACE-Step's own code has one value for both parts of the model, this model two: {', '.join(differing)}"
        )
    return notes
