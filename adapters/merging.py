"""Merging by interference-aware rules, on the full change of every layer: TIES, DARE-TIES and KnOTS.

peft's rules of these names act on A and B apart, whose product is then no merge of the products; these act on
dW = scale * B A itself. Weights mean what they mean in every composition: their ratio weighs the adapters where they
agree, and the sum of their sizes is the strength of the result (the papers' lambda; equal weights that sum to 1 are the
papers' mean). Where nothing is trimmed and all agree, every rule gives the plain weighted sum.

Knows nothing about files.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import torch

from adapters.blending import LazyLayers, Parts, concatenate, layer_names
from adapters.errors import AdapterError
from adapters.weights import AdapterWeights, LowRank

MergeMethod = Literal["concat", "ties", "dare-ties", "knots"]
MERGE_METHODS: tuple[MergeMethod, ...] = ("concat", "ties", "dare-ties", "knots")

#: The share of values that TIES keeps (Yadav et al. 2023, section 3).
DENSITY = 0.2


def merge(parts: Parts, method: MergeMethod = "concat", *, density: float = DENSITY, seed: int = 0) -> AdapterWeights:
    """The adapters merged by this rule; layers may be computed as they are asked for.

    Args:
        density: share of values kept of each adapter, in (0, 1]; concatenation keeps all.
        seed: of what DARE drops.

    Raises:
        AdapterError: there is nothing to merge, no such rule, or a density out of range.
    """
    if not parts:
        raise AdapterError("nothing was given to merge: the base model is no adapter")
    if not 0 < density <= 1:
        raise AdapterError(f"a density of {density:g} was asked for: give the share to keep, above 0 and at most 1")
    if method == "concat":
        return concatenate(parts)
    if method == "ties":
        return merge_ties(parts, density)
    if method == "dare-ties":
        return merge_dare_ties(parts, density, seed)
    if method == "knots":
        return merge_knots(parts, density)
    raise AdapterError(f"there is no merge method {method!r}: choose one of {', '.join(MERGE_METHODS)}")


def merge_ties(parts: Parts, density: float) -> AdapterWeights:
    """TIES (Yadav et al. 2023): trim, elect signs, average those who agree.

    Each adapter keeps its ``density`` largest values over all its layers together, as in the paper.
    """
    cuts = [_cut(ws, density) for _, ws in parts]
    strength = _strength(parts)

    def compute(name: str) -> LowRank:
        found = [(w, trim(ws[name].delta(), cut)) for (w, ws), cut in zip(parts, cuts, strict=True) if name in ws]
        return factorise(average_agreeing(found, strength))

    return LazyLayers(layer_names(parts), compute)


def merge_dare_ties(parts: Parts, density: float, seed: int) -> AdapterWeights:
    """DARE (Yu et al. 2024) in place of TIES' trimming, as mergekit and peft understand ``dare_ties``.

    Every value is dropped with probability ``1 - density`` and the others divided by ``density``, which keeps the
    expected change. What is dropped depends on the seed, the adapter's place, and the layer's name and shape.
    """

    strength = _strength(parts)

    def compute(name: str) -> LowRank:
        found = [
            (w, drop_and_rescale(ws[name].delta(), density, f"{seed} {place} {name}"))
            for place, (w, ws) in enumerate(parts)
            if name in ws
        ]
        return factorise(average_agreeing(found, strength))

    return LazyLayers(layer_names(parts), compute)


def merge_knots(parts: Parts, density: float) -> AdapterWeights:
    """KnOTS-TIES (Stoica et al. 2024): TIES in the basis that the adapters' changes share.

    ``[dW_1 ... dW_n] = U S [V_1 ... V_n]^T``; TIES merges the ``S V_i^T`` and U brings the result back, so that its
    rank is at most the sum of the ranks. Only the small factors are decomposed: with stacked ``up = Q R`` and
    ``down_i^T = Q_i R_i`` the core is ``R blockdiag(R_i^T)``.
    """
    bases: dict[str, torch.Tensor] = {}
    aligned: list[dict[str, torch.Tensor]] = [{} for _ in parts]
    for name in layer_names(parts):
        holders = [i for i, (_, ws) in enumerate(parts) if name in ws]
        bases[name], coordinates = align([parts[i][1][name] for i in holders])
        for i, values in zip(holders, coordinates, strict=True):
            aligned[i][name] = values
    cuts = [kept_from(values.values, density) for values in aligned]
    strength, out = _strength(parts), {}
    for name, basis in bases.items():
        found = [
            (w, trim(values[name], cut))
            for (w, _), values, cut in zip(parts, aligned, cuts, strict=True)
            if name in values
        ]
        out[name] = LowRank(average_agreeing(found, strength), basis)
    return out


def align(layers: Sequence[LowRank]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The shared basis U [out, k] of these changes of one layer, and each one's coordinates ``S V_i^T`` [k, in]."""
    ups = torch.cat([layer.scale * layer.up.double() for layer in layers], dim=1)  # [out, sum r]
    q, upper = torch.linalg.qr(ups)
    starts = [0, *accumulate(layer.rank for layer in layers)]
    blocks = [upper[:, a:b] for a, b in pairwise(starts)]  # upper @ blockdiag(...) block by block
    triangles = [torch.linalg.qr(layer.down.double().T).R for layer in layers]
    core = torch.cat([block @ lower.T for block, lower in zip(blocks, triangles, strict=True)], dim=1)
    u, s, _ = torch.linalg.svd(core, full_matrices=False)
    basis = u[:, : max(1, int((s > 1e-7 * s[0]).sum()))]  # the others are nothing but rounding
    coordinates = [
        ((basis.T @ block) @ layer.down.double()).float() for block, layer in zip(blocks, layers, strict=True)
    ]
    return (q @ basis).float(), coordinates


def kept_from(chunks: Callable[[], Iterable[torch.Tensor]], density: float) -> float:
    """The size from which on a value is among the ``density`` largest of all chunks, exactly; 0 keeps all.

    The bits of a positive float order as the float does, so two histograms of 16 bits each find it without holding
    more than one chunk. ``chunks`` is called twice and must give the same float32 values.
    """
    if density >= 1:
        return 0.0
    counts = _histogram(chunks(), lambda bits: bits >> 16)
    wanted = max(1, math.floor(density * int(counts.sum())))
    high, above = _from_the_top(counts, wanted)
    fine = _histogram(chunks(), lambda bits: bits[bits >> 16 == high] & 0xFFFF)
    rest, _ = _from_the_top(fine, wanted - above)
    return float(torch.tensor((high << 16) | rest, dtype=torch.int32).view(torch.float32))


def _histogram(chunks: Iterable[torch.Tensor], key: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    counts = torch.zeros(1 << 16, dtype=torch.int64)
    for chunk in chunks:
        bits = chunk.float().abs().contiguous().view(torch.int32).flatten()
        counts += torch.bincount(key(bits), minlength=1 << 16)
    return counts


def _from_the_top(counts: torch.Tensor, wanted: int) -> tuple[int, int]:
    """The bin that holds the ``wanted``-th largest value, and how many stand in the bins above it."""
    reached = counts.flip(0).cumsum(0)
    place = int(torch.searchsorted(reached, wanted))
    return len(counts) - 1 - place, int(reached[place] - counts.flip(0)[place])


def trim(values: torch.Tensor, cut: float) -> torch.Tensor:
    """The values of at least this size; the others are zero."""
    return torch.where(values.abs() >= cut, values, 0.0)


def drop_and_rescale(values: torch.Tensor, density: float, seed: str) -> torch.Tensor:
    """Drop each value with probability ``p = 1 - density`` and multiply the others by ``1 / (1 - p)`` (DARE)."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7], "big")
    kept = torch.rand(values.shape, generator=torch.Generator().manual_seed(number)) < density
    return torch.where(kept, values / density, 0.0)


def average_agreeing(found: Sequence[tuple[float, torch.Tensor]], strength: float) -> torch.Tensor:
    """Elect each value's sign by the weighted sum, and average over those who have it (TIES, steps 2 and 3).

    ``strength * sum_agreeing(w_i v_i) / sum_agreeing(|w_i|)``; 0 where the sum is exactly 0 and where nobody agrees.
    """
    sign = sum((w * v for w, v in found), torch.zeros(())).sign()
    total, mass = torch.zeros_like(sign), torch.zeros_like(sign)
    for w, v in found:
        agrees = ((w * v).sign() == sign) & (sign != 0)
        total += torch.where(agrees, w * v, 0.0)
        mass += agrees * abs(w)
    return strength * total / mass.clamp_min(torch.finfo(mass.dtype).tiny)


def factorise(delta: torch.Tensor) -> LowRank:
    """A full matrix [out, in] as an exact change of rank min(out, in): one factor is the identity."""
    rows, columns = delta.shape
    if rows <= columns:
        return LowRank(delta, torch.eye(rows))
    return LowRank(torch.eye(columns), delta)


def _cut(weights: AdapterWeights, density: float) -> float:
    return kept_from(lambda: (layer.delta() for layer in weights.values()), density)


def _strength(parts: Parts) -> float:
    return sum(abs(w) for w, _ in parts)
