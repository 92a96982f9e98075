"""Safetensors files written one tensor at a time, cut into shards: memory holds one tensor, however large the model.

safetensors' own ``save_file`` wants a whole shard in memory. The format (https://huggingface.co/docs/safetensors) is
eight bytes of length, a JSON header with each tensor's dtype, shape and place, then the raw values. Knows nothing about
adapters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from adapters.errors import AdapterError

_CODES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
DTYPES = {code: dtype for dtype, code in _CODES.items()}
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Planned:
    """A tensor that will be written: what it will be, and how to get it when its turn comes."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_size(text: str) -> int:
    """``5GB`` or ``500MB`` to bytes, in powers of ten as diffusers reads them.

    Raises:
        AdapterError: the text is no size.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([KMG]?B)\s*", text.upper())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise AdapterError(f"{text[:40]!r} is no shard size: write one like 5GB or 500MB")
    return size


def cut_shards(tensors: Iterable[Planned], limit: int) -> list[list[Planned]]:
    """Consecutive tensors of at most ``limit`` bytes together; a larger tensor stands alone."""
    shards: list[list[Planned]] = []
    room = 0
    for tensor in tensors:
        if not shards or tensor.size > room:
            shards.append([])
            room = limit
        shards[-1].append(tensor)
        room -= tensor.size
    return shards


def write_shards(
    folder: Path,
    stem: str,
    tensors: Sequence[Planned],
    limit: int,
    metadata: Mapping[str, str],
    advance: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write ``stem.safetensors``, or ``stem-00001-of-0000N.safetensors`` and their index as diffusers names them.

    ``advance`` gets the bytes of every tensor written. Raises what :func:`write_file` raises.
    """
    shards = cut_shards(tensors, limit)
    if len(shards) == 1:
        paths = [folder / f"{stem}.safetensors"]
    else:
        paths = [folder / f"{stem}-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for path, shard in zip(paths, shards, strict=True):
        write_file(path, shard, metadata, advance)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor.size for tensor in tensors)},
            "weight_map": {t.name: path.name for path, shard in zip(paths, shards, strict=True) for t in shard},
        }
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return paths


def write_file(
    path: Path,
    tensors: Sequence[Planned],
    metadata: Mapping[str, str],
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Write one safetensors file.

    Raises:
        AdapterError: a value became infinite or no number.
        OSError: the file cannot be written.
    """
    # Wider types first keeps every tensor aligned to its own size; among equals the given order stays.
    ordered = sorted(tensors, key=lambda tensor: -tensor.dtype.itemsize)
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for tensor in ordered:
        start, end = end, end + tensor.size
        header[tensor.name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in ordered:
            values = tensor.read().detach().to("cpu", tensor.dtype).contiguous()
            if tuple(values.shape) != tensor.shape:
                raise AdapterError(f"{tensor.name} is {tuple(values.shape)}, not {tensor.shape} as announced")
            if tensor.dtype.is_floating_point and not bool(torch.isfinite(values).all()):
                raise AdapterError(
                    f"{tensor.name} holds values beyond {torch.finfo(tensor.dtype).max:g}, the largest of "
                    f"{str(tensor.dtype).removeprefix('torch.')}: give --dtype bf16 or fp32"
                )
            file.write(values.reshape(-1).view(torch.uint8).numpy().data)
            advance(tensor.size)
