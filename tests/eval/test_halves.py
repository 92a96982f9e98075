"""Every way to halve the seeds, or enough of them."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from eval.halves import can_split, half_rates, split_seeds
from tests.eval.lattices import lattice_of


@pytest.mark.parametrize(("seeds", "splits"), [(2, 1), (3, 3), (4, 3), (5, 10), (6, 10)])
def test_all_splits_once(seeds: int, splits: int) -> None:
    first = split_seeds(np.ones((2, seeds), dtype=bool))
    assert first.shape == (splits, 2, seeds)
    assert (first.sum(-1) == seeds // 2).all()
    assert (first[:, 0] == first[:, 1]).all()
    halves = {frozenset((tuple(mask), tuple(~mask))) for mask in first[:, 0].tolist() for mask in [np.array(mask)]}
    assert len(halves) == splits == comb(seeds, seeds // 2) // (2 if seeds % 2 == 0 else 1)


def test_many_are_drawn_evenly() -> None:
    first = split_seeds(np.ones((1, 12), dtype=bool), most=400)
    assert first.shape == (400, 1, 12)
    assert (first.sum(-1) == 6).all()
    assert np.abs(first.mean(0) - 0.5).max() < 0.12
    np.testing.assert_array_equal(first, split_seeds(np.ones((1, 12), dtype=bool), most=400))


def test_missing_seeds_are_in_no_half() -> None:
    present = np.array([[True] * 4, [True, True, True, False], [True, True, False, False]])
    first = split_seeds(present, most=200)
    assert first.shape == (200, 3, 4)
    assert not (first & ~present).any()
    assert (first.sum(-1) == [2, 1, 1]).all()
    assert {tuple(np.flatnonzero(mask).tolist()) for mask in first[:, 1]} == {(0,), (1,), (2,)}


def test_one_seed_cannot_be_split() -> None:
    assert can_split(lattice_of([[[1, 1], [1, 0]]], np.array([[[20, 20], [20, 0]]]))).tolist() == [True, False]
    with pytest.raises(ValueError, match="two seeds"):
        split_seeds(np.ones((3, 1), dtype=bool))


def test_half_rates_by_hand() -> None:
    lattice = lattice_of([[[1, 2, 4]], [[3, 0, 9]]], np.array([[[10, 10, 20]]] * 2))
    rates = half_rates(lattice, np.array([[[True, False, True]]]))
    np.testing.assert_allclose(rates[:, 0, :, 0], [[5 / 30, 12 / 30], [0.2, 0.0]])
