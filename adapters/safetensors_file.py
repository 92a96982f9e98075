"""Safetensors files read with care: nothing is unpickled, and sizes are checked before they are believed.

Knows the container, not what an adapter is. Format: https://huggingface.co/docs/safetensors, eight bytes of header
length, the header in JSON, the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from adapters.errors import AdapterError, PickleRefused
from adapters.json_file import parse_json_object

#: Bytes of a whole file: a rank-256 adapter over every linear layer of the largest model is about 2 GiB.
MAX_FILE = 8 << 30
#: Bytes of a header: ten thousand tensors take about 2 MB.
MAX_HEADER = 16 << 20

#: Kinds of values that weights are trained in; quantised ones do not say their scale.
_DTYPES = {"F64", "F32", "F16", "BF16"}
#: Endings of files that run code when they are read.
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
#: How torch's files (a zip, or a bare pickle of protocol 2 to 5) begin.
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class TensorFile:
    """What a safetensors file holds: tensors by key, on the CPU in the stored type, and the texts of its header."""

    tensors: Mapping[str, torch.Tensor]
    metadata: Mapping[str, str]


def read_safetensors(path: Path) -> TensorFile:
    """Read a whole safetensors file; a pickle is refused by its name or its first bytes, unread.

    Raises:
        AdapterError: the file is something else, is damaged or cut short, or exceeds a limit.
    """
    if path.suffix.lower() in PICKLES:
        raise PickleRefused(
            f"{path} is a pickle, which can run any code when it is read: convert it to safetensors where you trust it"
        )
    if path.suffix.lower() != ".safetensors":
        raise AdapterError(f"{path} is no .safetensors file: only those are read")
    try:
        if not path.is_file():
            raise AdapterError(f"{path} is no file: the adapter is incomplete; fetch it again")
        size = path.stat().st_size
        if size > MAX_FILE:
            raise AdapterError(f"{path} holds {size} bytes, the limit is {MAX_FILE}: it is a whole model, no adapter")
        with path.open("rb") as file:
            start = file.read(8)
            length = _header_length(path, start, size)
            header = file.read(length)
            metadata = _check_header(path, header, size - 8 - length)
            # One read of everything: a file that is replaced meanwhile cannot be half old and half new.
            data = start + header + file.read(size)
        return TensorFile(load(data), metadata)
    except SafetensorError as error:
        raise AdapterError(f"{path} is damaged ({str(error)[:200]}): fetch it again") from error
    except OSError as error:
        raise AdapterError(
            f"{path} cannot be read ({error.strerror or error}): check its rights or fetch it"
        ) from error


def _header_length(path: Path, start: bytes, size: int) -> int:
    if start.startswith(_PICKLE_STARTS) and not _plausible(start, size):
        raise PickleRefused(
            f"{path} is a pickle renamed to .safetensors, which can run any code when it is read: convert it to "
            "safetensors where you trust it"
        )
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not 2 <= length <= size - 8:
        raise AdapterError(
            f"{path} is no safetensors file or is cut short: its header should take {length} bytes, the file has "
            f"{size}; fetch it again"
        )
    if length > MAX_HEADER:
        raise AdapterError(f"{path} has a header of {length} bytes, the limit is {MAX_HEADER}: it is no adapter")
    return length


def _plausible(start: bytes, size: int) -> bool:
    """Whether the first bytes, taken as a header length, fit the file: some true lengths begin like a pickle."""
    return len(start) == 8 and int.from_bytes(start, "little") <= min(size - 8, MAX_HEADER)


def _check_header(path: Path, header: bytes, held: int) -> dict[str, str]:
    """The header's texts, after its tensors were found to be of known kinds and to end where the file does."""
    entries = parse_json_object(header.decode("utf-8", "replace"), f"the header of {path}")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise AdapterError(f"{path} is damaged: the metadata in its header are no texts; fetch it again")
    end = 0
    for key, entry in entries.items():
        end = max(end, _end(path, key, entry))
    if end != held:
        raise AdapterError(
            f"{path} is cut short or damaged: its tensors should take {end} bytes and it holds {held}; fetch it again"
        )
    return metadata


def _end(path: Path, key: str, entry: Any) -> int:
    """Where the data of one tensor end."""
    try:
        dtype, (_, end) = entry["dtype"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise AdapterError(
            f"{path} is damaged: the header does not say where {key[:80]} lies; fetch it again"
        ) from None
    if dtype not in _DTYPES:
        raise AdapterError(
            f"{path} stores {key[:80]} as {str(dtype)[:20]}: only {', '.join(sorted(_DTYPES))} can be read; "
            "take the unquantised file"
        )
    if not isinstance(end, int):
        raise AdapterError(f"{path} is damaged: the header gives {key[:80]} an end that is no number; fetch it again")
    return end
