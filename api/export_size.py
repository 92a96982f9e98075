"""How large an export will be, before it is made: from ranks, shapes and types alone.

Of adapters and of the song model only the headers of their files are read. Layers are stood in for by tensors without
values (torch's ``meta`` device), which the writers of every format name and count as they do real ones. Knows the
files of an export, not who asks.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from adapters.base import STEM, Base
from adapters.blending import Parts, concatenate, layer_names
from adapters.composition import format_composition
from adapters.errors import AdapterError
from adapters.exporting import DTYPES
from adapters.folders import MARKER
from adapters.formats import read_weights
from adapters.full_export import planned_tensors
from adapters.importing import PEFT_CONFIG, PEFT_WEIGHTS
from adapters.json_file import read_json_object
from adapters.lora_export import comfyui_tensors, diffusers_tensors
from adapters.merging import MergeMethod
from adapters.original_layout import PREFIXES, SILENCE, checkpoint_name
from adapters.safetensors_file import TensorFile
from adapters.shards import DTYPES as STORED
from adapters.shards import Planned, cut_shards, parse_size
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, LowRank, peft_config, peft_tensors
from api.export_records import ExportEstimate, ExportRequest

_CODES = {dtype: code for code, dtype in STORED.items()}
#: Bytes that torch.save puts around a tensor, and a ZIP around each of its files and at its end.
_SAVED, _ENTRY, _END = 1200, 30 + 46 + 20, 22
#: A length that stands in for that of the record of what was lost: digits of a share, as Python writes it.
_SHARE = 0.012345678901234567


def estimate_size(request: ExportRequest, shelf: AdapterStore, model: Callable[[], Path]) -> ExportEstimate:
    """The size of the file that this export would be fetched as; ``model`` finds the folder of the song model, which
    only whole models need.

    Raises:
        AdapterError: an adapter or the song model cannot be read, or adapters do not go together.
    """
    parts = [(weight, read_shapes(shelf, name)) for name, weight in request.composition.items()]
    blend = _merged(parts, request.merge) if parts else {}
    compressed = {name: _cut(layer, request.rank) for name, layer in blend.items()}
    about = {
        "composition": format_composition(request.composition),
        "format": request.format,
        "merge": {"method": request.merge},
        "rank": request.rank,
        "error": _SHARE if request.rank else 0.0,
        "dtype": request.dtype,
        "base": {"name": "", "fingerprint": "0" * 16},
    }
    files = _lora_files(request, compressed, about) if request.lora else _model_files(request, model(), about)
    weights = sum(name.endswith(".safetensors") for name in files)
    alone = [size for name, size in files.items() if name != MARKER]
    return ExportEstimate(
        size=alone[0] if len(alone) == 1 else _zipped(request.stem, files),
        files=weights,
        rank=max((layer.rank for layer in compressed.values()), default=None) if request.lora else None,
    )


def read_shapes(shelf: AdapterStore, name: str) -> dict[str, LowRank]:
    """The layers of an adapter as tensors without values, by the header of its file.

    Raises:
        AdapterError: there is no such adapter, or its files cannot be read.
    """
    shelf.revision(name)  # refuses links, and what is not there
    folder = shelf.folder / name
    tensors = {}
    try:
        with safe_open(folder / PEFT_WEIGHTS, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - a safe_open file is no mapping
                shape = tuple(file.get_slice(key).get_shape())
                small = math.prod(shape) == 1  # an alpha, whose value is looked at
                tensors[key] = file.get_tensor(key) if small else torch.empty(shape, device="meta")
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"adapter {name} is damaged ({error}): remove it and import it again") from error
    return read_weights(TensorFile(tensors, {}), Base("", {}), read_json_object(folder / PEFT_CONFIG)).weights


def _merged(parts: Parts, method: MergeMethod) -> AdapterWeights:
    """The blend that ``adapters.merging`` makes of these, in shape."""
    if method == "concat":
        return concatenate(parts)
    out = {}
    for name in layer_names(parts):
        found = [weights[name] for _, weights in parts if name in weights]
        rows, columns = found[0].shape
        # KnOTS stays in the space that all adapters span together; the other rules leave full matrices.
        rank = min(rows, sum(layer.rank for layer in found)) if method == "knots" else min(rows, columns)
        out[name] = _empty(rows, columns, rank)
    return out


def _cut(layer: LowRank, rank: int | None) -> LowRank:
    return layer if rank is None or layer.rank <= rank else _empty(*layer.shape, rank)


def _empty(rows: int, columns: int, rank: int) -> LowRank:
    return LowRank(torch.empty(rank, columns, device="meta"), torch.empty(rows, rank, device="meta"))


def _lora_files(request: ExportRequest, weights: AdapterWeights, about: Mapping[str, Any]) -> dict[str, int]:
    """Bytes of every file of a LoRA, by name."""
    dtype = DTYPES[request.dtype or "fp32"]
    layers = {name: LowRank(layer.down.to(dtype), layer.up.to(dtype)) for name, layer in weights.items()}
    original, files = request.format == "original", {}
    header: dict[str, str] = {"format": "pt", "choirmaster": json.dumps(about, sort_keys=True)}
    if request.format in ("peft", "original"):
        tensors = peft_tensors(layers, original=original)
        files[PEFT_CONFIG] = len(json.dumps(peft_config(layers, original=original), indent=1)) + 1
    elif request.format == "comfyui":
        tensors = comfyui_tensors(layers)
    else:
        tensors = diffusers_tensors(layers)
        config = {f"transformer.{key}": value for key, value in peft_config(layers).items()}
        header["lora_adapter_metadata"] = json.dumps(config, sort_keys=True)
    planned = [Planned(key, tuple(tensor.shape), tensor.dtype, tensor.clone) for key, tensor in tensors.items()]
    shares = dict.fromkeys(layers, _SHARE) if request.rank else {}
    record = {**about, "ranks": {name: layer.rank for name, layer in layers.items()}, "errors": shares, "notes": []}
    return {PEFT_WEIGHTS: _file_size(planned, header), **files, MARKER: len(json.dumps(record, indent=1)) + 1}


def _model_files(request: ExportRequest, model: Path, about: Mapping[str, Any]) -> dict[str, int]:
    """Bytes of every file of a whole model, by name."""
    original, dtype = request.format == "full-original", DTYPES[request.dtype] if request.dtype else None
    parts = [part for part in PREFIXES if (model / part).is_dir()] if original else ["transformer"]
    planned = [
        (part, tensor if dtype is None or not tensor.dtype.is_floating_point else replace(tensor, dtype=dtype))
        for part in parts
        for tensor in planned_tensors(model / part)
    ]
    files = {"config.json": (model / "transformer" / "config.json").stat().st_size, MARKER: len(json.dumps(about))}
    tensors = [tensor for _, tensor in planned]
    if original:
        silence = sum(tensor.size for tensor in tensors if tensor.name == SILENCE)
        files |= {"silence_latent.pt": silence + _SAVED} if silence else {}
        tensors = [replace(t, name=checkpoint_name(p, t.name)) for p, t in planned if t.name != SILENCE]
    header = {"format": "pt", "choirmaster": json.dumps(about, sort_keys=True)}
    shards = cut_shards(tensors, parse_size(request.shard_size))
    stem = "model" if original else STEM
    named = {f"{stem}-{place:05d}-of-{len(shards):05d}.safetensors": shard for place, shard in enumerate(shards, 1)}
    files |= {name: _file_size(shard, header) for name, shard in named.items()}
    if len(shards) > 1:
        index = {tensor.name: name for name, shard in named.items() for tensor in shard}
        files[f"{stem}.safetensors.index.json"] = len(json.dumps({"weight_map": index}, indent=1))
    return files


def _file_size(tensors: Sequence[Planned], metadata: Mapping[str, str]) -> int:
    """Bytes of a safetensors file: the length of its header, the header, the values."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.size
        header[tensor.name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    return 8 + -(-len(json.dumps(header, separators=(",", ":"))) // 8) * 8 + end


def _zipped(stem: str, files: Mapping[str, int]) -> int:
    """Bytes of an uncompressed ZIP of these files, in a folder of this name."""
    return _END + sum(size + _ENTRY + 2 * len(f"{stem}/{name}") for name, size in files.items())
