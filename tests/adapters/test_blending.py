"""Blends: the sum is exact, and what compression loses is what numpy's singular values say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adapters.blending import compress, concatenate
from adapters.errors import AdapterError
from adapters.weights import LowRank


def layer(out: int, into: int, rank: int, seed: int, scale: float = 1.0) -> LowRank:
    g = torch.Generator().manual_seed(seed)
    return LowRank(torch.randn(rank, into, generator=g), torch.randn(out, rank, generator=g), scale)


def full(part: LowRank) -> np.ndarray:
    return np.asarray(part.scale * part.up.double().numpy() @ part.down.double().numpy())


def test_a_blend_of_mixed_ranks_scales_and_layers_is_the_weighted_sum() -> None:
    one = {"a": layer(12, 10, 3, 0, 2.0), "b": layer(8, 20, 2, 1, 0.5)}
    two = {"a": layer(12, 10, 5, 2, 1.5), "c": layer(6, 6, 1, 3)}
    blend = concatenate([(0.6, one), (-0.4, two)])
    assert {name: part.rank for name, part in blend.items()} == {"a": 8, "b": 2, "c": 1}
    wanted = {
        "a": 0.6 * full(one["a"]) - 0.4 * full(two["a"]),
        "b": 0.6 * full(one["b"]),
        "c": -0.4 * full(two["c"]),
    }
    for name, part in blend.items():
        np.testing.assert_allclose(full(part), wanted[name], atol=1e-5)


def test_a_lone_adapter_of_weight_one_stays_as_it_came() -> None:
    one = {"a": LowRank(torch.randn(2, 5).half(), torch.randn(7, 2).half(), 2.0)}
    assert concatenate([(1.0, one)])["a"] is one["a"]


def test_adapters_of_different_models_do_not_blend() -> None:
    with pytest.raises(AdapterError, match=r"12 x 10 in one adapter and 12 x 11"):
        concatenate([(1.0, {"a": layer(12, 10, 2, 0)}), (1.0, {"a": layer(12, 11, 2, 0)})])


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_compression_loses_the_tail_of_the_singular_values(rank: int) -> None:
    weights = {"a": layer(30, 20, 7, 0, 2.0), "b": layer(16, 40, 9, 1, 0.3), "wide": layer(8, 6, 12, 2)}
    compressed, lost = compress(weights, rank)
    tails, totals = 0.0, 0.0
    for name, part in weights.items():
        s = np.linalg.svd(full(part), compute_uv=False)
        tail, total = float((s[rank:] ** 2).sum()), float((s**2).sum())
        assert compressed[name].rank == rank
        assert lost.errors[name] == pytest.approx((tail / total) ** 0.5, abs=1e-6)
        measured = np.linalg.norm(full(part) - full(compressed[name])) / total**0.5
        assert measured == pytest.approx(lost.errors[name], abs=1e-6)
        tails, totals = tails + tail, totals + total
    assert lost.overall == pytest.approx((tails / totals) ** 0.5, abs=1e-6)


def test_layers_of_no_larger_rank_stay_exact() -> None:
    weights = {"a": layer(30, 20, 2, 0, 2.0), "zero": LowRank(torch.zeros(4, 6), torch.zeros(5, 4))}
    compressed, lost = compress(weights, 2)
    assert compressed["a"] is weights["a"] and compressed["zero"].rank == 2
    assert lost.errors == {"a": 0.0, "zero": 0.0} and lost.overall == 0


def test_hidden_low_rank_is_found_without_loss() -> None:
    part = layer(30, 20, 3, 0)
    blend = concatenate([(0.5, {"a": part}), (0.5, {"a": part})])
    compressed, lost = compress(blend, 3)
    assert blend["a"].rank == 6 and lost.overall < 1e-7
    np.testing.assert_allclose(full(compressed["a"]), full(part), atol=1e-5)


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(AdapterError, match="rank 0"):
        compress({"a": layer(4, 4, 2, 0)}, 0)
