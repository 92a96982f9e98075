"""Blends: several adapters as one. The exact sum by concatenation, and its best approximation of a smaller rank.

Knows nothing about files. The layers of a blend may be computed as they are asked for, so that a model's worth of full
matrices never stands in memory; whoever needs them more than once keeps them (``dict(blend)``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from adapters.errors import AdapterError
from adapters.weights import AdapterWeights, LowRank

#: Adapters with their weights in the composition.
Parts = Sequence[tuple[float, AdapterWeights]]


class LazyLayers(Mapping[str, LowRank]):
    """Layers by name, each computed anew whenever it is asked for."""

    def __init__(self, names: Sequence[str], compute: Callable[[str], LowRank]) -> None:
        self._names, self._compute = dict.fromkeys(names), compute

    def __getitem__(self, name: str) -> LowRank:
        if name not in self._names:
            raise KeyError(name)
        return self._compute(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def layer_names(parts: Parts) -> list[str]:
    """Every layer that some adapter touches, in order.

    Raises:
        AdapterError: two adapters disagree about the shape of a layer.
    """
    shapes: dict[str, tuple[int, int]] = {}
    for _, weights in parts:
        for name, layer in weights.items():
            if shapes.setdefault(name, layer.shape) != layer.shape:
                raise AdapterError(
                    f"layer {name} is {shapes[name][0]} x {shapes[name][1]} in one adapter and {layer.shape[0]} x "
                    f"{layer.shape[1]} in another: blend adapters of one song model only"
                )
    return sorted(shapes)


def concatenate(parts: Parts) -> AdapterWeights:
    """The exact blend ``sum_i w_i * scale_i * up_i @ down_i`` as one low-rank change of rank ``sum_i r_i``.

    An adapter that stands alone with weight 1 stays bit for bit as it came; otherwise weight and scale are folded into
    ``up`` in float32, so that the blend needs no alpha of its own.
    """
    names = layer_names(parts)
    if len(parts) == 1 and parts[0][0] == 1:
        return dict(parts[0][1])
    return {name: _join([(w * ws[name].scale, ws[name]) for w, ws in parts if name in ws]) for name in names}


def _join(found: Sequence[tuple[float, LowRank]]) -> LowRank:
    up = torch.cat([factor * layer.up.float() for factor, layer in found], dim=1)  # [out, sum r]
    return LowRank(torch.cat([layer.down.float() for _, layer in found]), up)  # down [sum r, in]


@dataclass(frozen=True)
class Compression:
    """What was lost: ``errors`` is ``|dW - dW_r|_F / |dW|_F`` of each layer, ``overall`` that of all together."""

    rank: int
    errors: Mapping[str, float]
    overall: float


def compress(weights: AdapterWeights, rank: int) -> tuple[dict[str, LowRank], Compression]:
    """The closest change of at most this rank in every layer, and what it lost.

    The truncated singular value decomposition is the closest in Frobenius norm (Eckart & Young 1936), and its error
    is the root of the sum of the squares of the singular values left out. Layers of no larger rank stay as they are.

    Raises:
        AdapterError: the rank is below 1.
    """
    if rank < 1:
        raise AdapterError(f"rank {rank} was asked for: give at least 1")
    out: dict[str, LowRank] = {}
    errors: dict[str, float] = {}
    lost = total = 0.0
    for name, layer in weights.items():
        if layer.rank <= rank:
            out[name], tail, norm = layer, 0.0, _squared_norm(layer)
        else:
            out[name], tail, norm = _truncate(layer, rank)
        errors[name] = math.sqrt(tail / norm) if norm else 0.0
        lost, total = lost + tail, total + norm
    return out, Compression(rank, errors, math.sqrt(lost / total) if total else 0.0)


def _squared_norm(layer: LowRank) -> float:
    # |up @ down|^2 = sum of (up^T up) * (down down^T), r x r each
    up, down = layer.up.double(), layer.down.double()
    return max(0.0, float(((up.T @ up) * (down @ down.T)).sum())) * layer.scale**2


def _truncate(layer: LowRank, rank: int) -> tuple[LowRank, float, float]:
    """The change of this rank, the squared norm of what is left out, and that of the whole."""
    if layer.rank < min(layer.shape):
        # dW = Qu (Ru Rd^T) Qd^T with orthonormal Q: only the small core has to be decomposed.
        left, upper = torch.linalg.qr(layer.up.double())  # [out, r], [r, r]
        right, lower = torch.linalg.qr(layer.down.double().T)  # [in, r], [r, r]
        u, s, v = torch.linalg.svd(layer.scale * upper @ lower.T, full_matrices=False)
        u, v = left @ u[:, :rank], v[:rank] @ right.T
    else:
        u, s, v = torch.linalg.svd(layer.delta(), full_matrices=False)  # in float32: twice as fast where it is slow
        u, v = u[:, :rank], v[:rank]
    root = s[:rank].sqrt()  # shared between both sides, so that neither loses precision in half floats
    squares = s.double() ** 2
    compressed = LowRank((root[:, None] * v).float().contiguous(), (u * root).float().contiguous())
    return compressed, float(squares[rank:].sum()), float(squares.sum())
