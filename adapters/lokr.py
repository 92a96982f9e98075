"""LoKr adapters: Kronecker products written as ordinary low-rank layers, exactly.

Yeh et al. 2023 (LyCORIS), as lycoris/modules/lokr.py applies it while singing and training: the change of a layer is
``kron(w1, w2) * scale``, where each half may itself be the product of two factors. Since
``kron(a1 b1, a2 b2) = kron(a1, a2) kron(b1, b2)``, the ranks of the halves multiply. (lycoris' own merge applies the
scale twice; its forward, ComfyUI and this module apply it once.)
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from adapters.errors import AdapterError
from adapters.weights import LowRank

#: The parts a module may have.
PARTS = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b")


def lokr_layer(
    parts: Mapping[str, torch.Tensor], alpha: float | None, module: str, wanted: tuple[int, int] | None = None
) -> LowRank:
    """One module's change, in float32: products of two 16-bit values are exact there.

    Raises:
        AdapterError: a half is missing or given twice, shapes do not multiply, or alpha is needed and missing.
    """
    first, rank_1 = _half(parts, "lokr_w1", module)
    second, rank_2 = _half(parts, "lokr_w2", module)
    if rank_1 and rank_2 and rank_1 != rank_2:
        raise AdapterError(
            f"{module} has factors of rank {rank_1} and {rank_2}: readers of LoKr disagree on its scale; train it with "
            "one rank"
        )
    dim = rank_1 or rank_2
    if dim and alpha is None:
        raise AdapterError(f"{module} has no alpha, so its scale is unknown: fetch the file again")
    scale = alpha / dim if dim and alpha is not None else 1.0
    (up_1, down_1), (up_2, down_2) = first, second
    out, inner = up_1.shape[0] * up_2.shape[0], down_1.shape[1] * down_2.shape[1]
    if wanted is not None and (out, inner) != wanted:
        raise AdapterError(
            f"{module} is {out} x {inner}, the song model's {wanted[0]} x {wanted[1]}: use the song model it was "
            "trained on, or an adapter made for this one"
        )
    if up_1.shape[1] * up_2.shape[1] < min(out, inner):
        return LowRank(torch.kron(down_1, down_2), torch.kron(up_1, up_2), scale)
    # No saving is left: the change itself, beside an identity (exact in any type, so it takes the small one).
    change = torch.kron((up_1.double() @ down_1.double()), (up_2.double() @ down_2.double())).float()
    if inner <= out:
        return LowRank(torch.eye(inner, dtype=torch.float16), change, scale)
    return LowRank(change, torch.eye(out, dtype=torch.float16), scale)


def _half(
    parts: Mapping[str, torch.Tensor], name: str, module: str
) -> tuple[tuple[torch.Tensor, torch.Tensor], int | None]:
    """Factors ``(up, down)`` of one half in float32, and its rank where the file factorises it."""
    whole, a, b = (parts.get(f"{name}{suffix}") for suffix in ("", "_a", "_b"))
    found = [part for part in (whole, a, b) if part is not None]
    if any(part.ndim != 2 or not part.numel() for part in found):
        raise AdapterError(f"{module} holds a {name} that is no matrix: convolutions are not adapted here")
    if whole is not None and a is None and b is None:
        whole = whole.float()
        rows, columns = whole.shape
        if columns <= rows:
            return (whole, torch.eye(columns)), None
        return (torch.eye(rows), whole), None
    if whole is not None or a is None or b is None:
        raise AdapterError(
            f"{module} needs either {name} or both {name}_a and {name}_b, and has "
            f"{', '.join(key for key in parts if key.startswith(name)) or 'none'}: fetch the file again"
        )
    if a.shape[1] != b.shape[0]:
        raise AdapterError(
            f"{module} has {name}_a of rank {a.shape[1]} and {name}_b of rank {b.shape[0]}: the file is damaged"
        )
    return (a.float(), b.float()), int(a.shape[1])
