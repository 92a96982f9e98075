"""Merging against the papers' formulas, written again in plain numpy, and small cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adapters.blending import Parts
from adapters.errors import AdapterError
from adapters.merging import (
    MERGE_METHODS,
    MergeMethod,
    align,
    average_agreeing,
    drop_and_rescale,
    factorise,
    kept_from,
    merge,
    trim,
)
from adapters.weights import AdapterWeights, LowRank


def planted(*rows: list[float]) -> LowRank:
    return factorise(torch.tensor(rows))


def random_parts(ranks: tuple[int, ...], weights: tuple[float, ...]) -> Parts:
    g = torch.Generator().manual_seed(3)
    shapes = {"q": (24, 16), "v": (8, 16)}
    return [
        (
            w,
            {
                name: LowRank(torch.randn(r, i, generator=g), torch.randn(o, r, generator=g), 0.5 * r)
                for name, (o, i) in shapes.items()
            },
        )
        for w, r in zip(weights, ranks, strict=True)
    ]


def flat(weights: AdapterWeights) -> np.ndarray:
    return np.concatenate([weights[name].delta(torch.float64).numpy().ravel() for name in sorted(weights)])


def ties_of_the_paper(vectors: np.ndarray, keep: float) -> np.ndarray:
    """Yadav et al. 2023, algorithm 1, without the final scaling: ``vectors`` [tasks, values]."""
    count = max(1, int(keep * vectors.shape[1]))
    trimmed = np.zeros_like(vectors)
    for row, vector in zip(trimmed, vectors, strict=True):
        largest = np.argsort(-np.abs(vector), kind="stable")[:count]
        row[largest] = vector[largest]
    elected = np.sign(trimmed.sum(axis=0))
    agree = (np.sign(trimmed) == elected) & (trimmed != 0)
    return np.asarray((trimmed * agree).sum(axis=0) / np.maximum(agree.sum(axis=0), 1))


# --- TIES


def test_the_sign_with_more_mass_wins_and_only_those_who_have_it_are_averaged() -> None:
    # three small votes for plus lose against one large minus; where two agree they are averaged, where nobody is 0
    parts: Parts = [
        (1 / 3, {"a": planted([1.0, 2.0, 0.0, 1.0])}),
        (1 / 3, {"a": planted([1.0, 4.0, 0.0, -1.0])}),
        (1 / 3, {"a": planted([-3.0, -1.0, 0.0, 0.0])}),
    ]
    torch.testing.assert_close(merge(parts, "ties", density=1.0)["a"].delta(), torch.tensor([[-3.0, 3.0, 0.0, 0.0]]))


def test_trimming_keeps_the_largest_values_over_all_layers_together() -> None:
    # of eight values the two largest stand in one layer, so the other one keeps nothing
    parts: Parts = [(1.0, {"a": planted([9.0, -8.0, 1.0, 1.0]), "b": planted([2.0, 3.0, -4.0, 5.0])})]
    merged = merge(parts, "ties", density=0.25)
    assert merged["a"].delta().tolist() == [[9.0, -8.0, 0.0, 0.0]] and not merged["b"].delta().any()


@pytest.mark.parametrize("density", [0.05, 0.2, 0.7, 1.0])
def test_ties_follows_the_paper(density: float) -> None:
    parts = random_parts((2, 3, 4), (1 / 3, 1 / 3, 1 / 3))
    wanted = ties_of_the_paper(np.stack([flat(weights) for _, weights in parts]), density)
    np.testing.assert_allclose(flat(merge(parts, "ties", density=density)), wanted, atol=1e-4)


def test_the_sum_of_the_weights_is_the_papers_lambda() -> None:
    equal = random_parts((2, 3), (0.5, 0.5))
    strong = [(1.5 * 2 * w, ws) for w, ws in equal]
    np.testing.assert_allclose(flat(merge(strong, "ties")), 3 * flat(merge(equal, "ties")), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", MERGE_METHODS)
def test_without_conflict_or_trimming_every_rule_is_the_weighted_sum(method: MergeMethod) -> None:
    # the same direction at different strengths never disagrees, in any basis
    part = random_parts((3,), (1.0,))[0][1]
    double = {name: LowRank(layer.down, layer.up, 2 * layer.scale) for name, layer in part.items()}
    merged = merge([(0.7, part), (0.2, double)], method, density=1.0)
    np.testing.assert_allclose(flat(merged), (0.7 + 0.4) * flat(part), rtol=1e-4, atol=1e-4)


def test_a_negative_weight_turns_an_adapter_around() -> None:
    parts: Parts = [(1.0, {"a": planted([1.0, 3.0])}), (-0.5, {"a": planted([4.0, 4.0])})]
    merged = merge(parts, "ties", density=1.0)["a"].delta()  # 1 against -2, 3 against -2; strength 1.5
    torch.testing.assert_close(merged, torch.tensor([[-4.0 * 1.5, 3.0 * 1.5]]))


def test_exact_thresholds_over_chunks() -> None:
    g = torch.Generator().manual_seed(0)
    chunks = [torch.randn(n, generator=g) * 10.0**e for n, e in ((1000, -6), (333, 0), (17, 4))]
    sizes = np.sort(np.abs(torch.cat(chunks).numpy()))[::-1]
    for density in (0.001, 0.01, 0.1, 0.25, 0.9, 0.9999):
        assert kept_from(lambda: iter(chunks), density) == sizes[max(1, int(density * len(sizes))) - 1]
    assert kept_from(lambda: iter(chunks), 1.0) == 0
    assert int((trim(chunks[1], float(chunks[1].abs().max())) != 0).sum()) == 1


# --- DARE


def test_dare_drops_the_asked_share_and_rescales_by_one_over_one_minus_p() -> None:
    p = 0.7
    values = torch.full((400, 250), 2.0)
    dropped = drop_and_rescale(values, 1 - p, "seed")
    np.testing.assert_allclose(np.unique(dropped.numpy()), [0.0, 2.0 / (1 - p)], rtol=1e-6)
    assert float((dropped == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(2.0, abs=0.05)


def test_dare_ties_is_ties_election_on_what_dare_left() -> None:
    parts = random_parts((2, 3), (0.5, 0.5))
    merged = merge(parts, "dare-ties", density=0.4, seed=7)
    for name in ("q", "v"):
        left = [drop_and_rescale(ws[name].delta(), 0.4, f"7 {i} {name}") for i, (_, ws) in enumerate(parts)]
        wanted = ties_of_the_paper(np.stack([v.double().numpy().ravel() for v in left]), 1.0)
        np.testing.assert_allclose(merged[name].delta().numpy().ravel(), wanted, atol=1e-4)


def test_dare_is_repeatable_and_depends_on_seed_layer_and_adapter() -> None:
    part = {"a": planted([1.0] * 64), "b": planted([1.0] * 64)}
    one = merge([(1.0, part)], "dare-ties", density=0.5, seed=1)
    assert torch.equal(one["a"].delta(), one["a"].delta())
    assert torch.equal(one["a"].delta(), merge([(1.0, part)], "dare-ties", density=0.5, seed=1)["a"].delta())
    assert not torch.equal(one["a"].delta(), one["b"].delta())
    assert not torch.equal(one["a"].delta(), merge([(1.0, part)], "dare-ties", density=0.5, seed=2)["a"].delta())
    assert not torch.equal(
        drop_and_rescale(torch.ones(64), 0.5, "1 0 a"), drop_and_rescale(torch.ones(64), 0.5, "1 1 a")
    )


# --- KnOTS


def test_alignment_is_the_svd_of_the_concatenated_changes() -> None:
    layers = [ws["q"] for _, ws in random_parts((2, 3), (1.0, 1.0))]
    basis, coordinates = align(layers)
    assert basis.shape == (24, 5)
    torch.testing.assert_close(basis.T @ basis, torch.eye(5), atol=1e-5, rtol=0)
    for layer, values in zip(layers, coordinates, strict=True):
        torch.testing.assert_close(basis @ values, layer.delta(), atol=1e-3, rtol=1e-4)
    joint = np.concatenate([layer.delta(torch.float64).numpy() for layer in layers], axis=1)
    singular = np.linalg.svd(joint, compute_uv=False)[:5]
    np.testing.assert_allclose(torch.cat(coordinates, dim=1).norm(dim=1), singular, rtol=1e-5)


@pytest.mark.parametrize("density", [0.2, 1.0])
def test_knots_follows_the_paper(density: float) -> None:
    parts = random_parts((2, 3), (0.5, 0.5))
    bases, rows = {}, []
    for name in ("q", "v"):
        changes = [ws[name].delta(torch.float64).numpy() for _, ws in parts]
        u, s, vt = np.linalg.svd(np.concatenate(changes, axis=1), full_matrices=False)
        bases[name] = u[:, :5]
        rows.append(np.split((s[:, None] * vt)[:5], 2, axis=1))  # S V_i^T of both
    merged = ties_of_the_paper(np.stack([np.concatenate([r[i].ravel() for r in rows]) for i in range(2)]), density)
    got = merge(parts, "knots", density=density)
    q, v = merged[: 5 * 16].reshape(5, 16), merged[5 * 16 :].reshape(5, 16)
    np.testing.assert_allclose(got["q"].delta().numpy(), bases["q"] @ q, atol=1e-3)
    np.testing.assert_allclose(got["v"].delta().numpy(), bases["v"] @ v, atol=1e-3)
    assert got["q"].rank == 5


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_knots_is_ties_where_the_shared_basis_is_the_outputs_own(density: float) -> None:
    # rows of [dW_1 dW_2] that are orthogonal to one another, of different lengths: U is a permutation of the identity
    g = torch.Generator().manual_seed(0)
    rows = torch.linalg.qr(torch.randn(12, 6, generator=g)).Q.T * torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])[:, None]
    parts: Parts = [(0.5, {"a": factorise(rows[:, :6])}), (0.5, {"a": factorise(rows[:, 6:])})]
    ties, knots = (merge(parts, method, density=density)["a"].delta() for method in ("ties", "knots"))
    torch.testing.assert_close(ties, knots, atol=1e-5, rtol=1e-4)


# --- the result


def test_a_full_matrix_is_factorised_exactly() -> None:
    for shape in ((5, 9), (9, 5), (4, 4)):
        delta = torch.randn(shape)
        assert factorise(delta).rank == min(shape) and torch.equal(factorise(delta).delta(), delta)


def test_a_layer_that_cancels_is_zero() -> None:
    assert not average_agreeing([(0.5, torch.ones(3)), (0.5, -torch.ones(3))], 1.0).any()
    zero = {"a": LowRank(torch.zeros(2, 5), torch.zeros(4, 2))}
    assert not merge([(1.0, zero)], "knots")["a"].delta().any()


@pytest.mark.parametrize("density", [0.0, -1.0, 1.5, float("nan")])
def test_a_density_out_of_range_is_refused(density: float) -> None:
    with pytest.raises(AdapterError, match="density"):
        merge(random_parts((1,), (1.0,)), "ties", density=density)


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(AdapterError, match="nothing"):
        merge([])
