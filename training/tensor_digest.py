"""A digest of named tensors: the same names, shapes, types and values give the same digest, anything else another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch


class Digest(Protocol):
    """What ``hashlib`` makes."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more bytes."""


def digest_tensors(digest: Digest, tensors: Mapping[str, torch.Tensor]) -> None:
    """Feed all tensors to ``digest``, in order of their names."""
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
