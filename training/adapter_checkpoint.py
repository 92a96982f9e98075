"""The checkpoint of a training run: tensors and plain values in one file that is whole or refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from adapters.files import write_bytes_atomically
from training.manifest import CorpusError
from training.tensor_digest import digest_tensors

CHECKPOINT = "checkpoint.safetensors"


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], state: dict[str, Any]) -> None:
    """Replace the checkpoint at ``path`` in one step.

    Raises:
        OSError: the disk is full or may not be written; the old checkpoint is then untouched.
    """
    whole = {name: value.contiguous() for name, value in tensors.items()}
    text = json.dumps(state)
    write_bytes_atomically(path, save(whole, {"state": text, "sha256": _digest(whole, text)}))


def read_checkpoint(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and values of a checkpoint.

    Raises:
        CorpusError: it is damaged, or something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            found = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safe_open file is no mapping
        if found["sha256"] != _digest(tensors, found["state"]):
            raise ValueError("its checksum does not fit")
        state: dict[str, Any] = json.loads(found["state"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CorpusError(
            f"{path} is no checkpoint of a training run, or a damaged one ({error}): move it away to start anew"
        ) from error
    return tensors, state


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    digest_tensors(digest, tensors)
    return digest.hexdigest()
