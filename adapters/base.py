"""What an adapter must fit: the linear layers of one transformer, by name and shape, and its fingerprint.

Read from a live module, or from the headers of its files without loading them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from adapters.errors import AdapterError

#: Values hashed of each matrix: the beginning of its first row.
_HASHED = 64
#: What diffusers calls the weight files of a part.
STEM = "diffusion_pytorch_model"


@dataclass(frozen=True)
class Base:
    """``shapes``: linear layer -> (out, in), by diffusers name. ``fingerprint``: 16 hex digits of the weights.

    The fingerprint hashes name, shape and the first values of every linear layer as bfloat16, so that a checkpoint
    keeps its fingerprint when it is loaded as float32 or bfloat16.
    """

    fingerprint: str
    shapes: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, transformer: nn.Module) -> Base:
        """The base that a loaded transformer is; its weights must be the untouched ones."""
        linear = {name: m.weight for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
        return _describe((name, tuple(w.shape), w.detach()[0, :_HASHED]) for name, w in linear.items())

    @classmethod
    def of_folder(cls, folder: Path) -> Base:
        """The base in a diffusers ``transformer/`` folder, whole or sharded, read from headers and first rows.

        Raises:
            AdapterError: safetensors are missing, or cannot be read.
        """
        found = []
        for path in weight_files(folder):
            try:
                with safe_open(path, framework="pt") as file:
                    for key in file.keys():  # noqa: SIM118 - a safe_open file is no mapping
                        part = file.get_slice(key)
                        shape = tuple(part.get_shape())
                        if key.endswith(".weight") and len(shape) == 2 and "scale_shift" not in key:
                            found.append((key.removesuffix(".weight"), shape, part[0, :_HASHED]))
            except (SafetensorError, OSError) as error:
                raise AdapterError(f"{path} cannot be read ({error}): fetch it again") from error
        return _describe(found)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a diffusers part: those its index names, or the single file.

    Raises:
        AdapterError: there are none, or some are missing.
    """
    index, single = folder / f"{STEM}.safetensors.index.json", folder / f"{STEM}.safetensors"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise AdapterError(f"{index} is damaged: fetch it again") from error
        paths = [folder / Path(str(name)).name for name in names]
    else:
        paths = [single]
    for path in paths:
        if not path.is_file():
            raise AdapterError(f"{path} is missing: give --model a song model's folder in diffusers layout")
    return paths


def _describe(linear: Iterable[tuple[str, tuple[int, ...], torch.Tensor]]) -> Base:
    digest, shapes = hashlib.sha256(), dict[str, tuple[int, int]]()
    for name, shape, values in sorted(linear, key=lambda entry: entry[0]):
        shapes[name] = (shape[0], shape[1])
        digest.update(f"{name} {shape[0]} {shape[1]} ".encode())
        digest.update(values.to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return Base(digest.hexdigest()[:16], shapes)
