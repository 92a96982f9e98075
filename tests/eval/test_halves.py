"""Every way to halve the seeds of one prompt, and enough of them where there are more."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from eval.halves import can_split, half_rates, pair_seeds, split_seeds
from tests.eval.lattices import lattice_of


@pytest.mark.parametrize(("seeds", "splits"), [(2, 1), (3, 3), (4, 3), (5, 10), (6, 10)])
def test_all_splits_of_one_prompt_once(seeds: int, splits: int) -> None:
    first = split_seeds(np.ones((1, seeds), dtype=bool))
    assert first.shape == (splits, 1, seeds)
    assert (first.sum(-1) == seeds // 2).all()
    halves = {frozenset((tuple(mask), tuple(~mask))) for mask in first[:, 0].tolist() for mask in [np.array(mask)]}
    assert len(halves) == splits == comb(seeds, seeds // 2) // (2 if seeds % 2 == 0 else 1)


def test_many_are_drawn_evenly() -> None:
    first = split_seeds(np.ones((1, 12), dtype=bool), most=400)
    assert first.shape == (400, 1, 12)
    assert (first.sum(-1) == 6).all()
    assert np.abs(first.mean(0) - 0.5).max() < 0.12
    np.testing.assert_array_equal(first, split_seeds(np.ones((1, 12), dtype=bool), most=400))


def test_prompts_are_split_independently() -> None:
    first = split_seeds(np.ones((6, 4), dtype=bool), most=600)
    assert first.shape == (600, 6, 4)
    assert (first.sum(-1) == 2).all()
    own = first[..., 0] == first[..., 1]  # whether the first two seeds fall together: one time in three
    assert np.abs(own.mean(0) - 1 / 3).max() < 0.08
    together = np.corrcoef(own.T)[np.triu_indices(6, 1)]
    assert np.abs(together).max() < 0.17  # four standard errors
    assert len({mask.tobytes() for mask in first}) > 590  # of 46,656, where one order for all would give six


def test_missing_seeds_are_in_no_half() -> None:
    present = np.array([[True] * 4, [True, True, True, False], [True, True, False, False]])
    first = split_seeds(present, most=200)
    assert first.shape == (200, 3, 4)
    assert not (first & ~present).any()
    assert (first.sum(-1) == [2, 1, 1]).all()
    assert {tuple(np.flatnonzero(mask).tolist()) for mask in first[:, 1]} == {(0,), (1,), (2,)}
    [only, *more] = split_seeds(np.array([[False, True, True]]))
    assert only.tolist() == [[False, True, False]] and not more


def test_pairs_of_seeds() -> None:
    one, other = pair_seeds(np.ones((1, 4), dtype=bool))
    found = {(int(a.argmax()), int(b.argmax())) for a, b in zip(one[:, 0], other[:, 0], strict=True)}
    assert found == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)} and one.shape == (6, 1, 4)
    present = np.array([[True] * 4, [True, True, False, False]])
    one, other = pair_seeds(present, most=300)
    assert one.shape == (300, 2, 4)
    assert (one.sum(-1) == 1).all() and (other.sum(-1) == 1).all()
    assert not (one & other).any() and not ((one | other) & ~present).any()
    assert len({(int(a[0].argmax()), int(b[0].argmax())) for a, b in zip(one, other, strict=True)}) == 12


def test_one_seed_cannot_be_split() -> None:
    assert can_split(lattice_of([[[1, 1], [1, 0]]], np.array([[[20, 20], [20, 0]]]))).tolist() == [True, False]
    for prompts in (1, 3):
        with pytest.raises(ValueError, match="two seeds"):
            split_seeds(np.ones((prompts, 1), dtype=bool))
        with pytest.raises(ValueError, match="two seeds"):
            pair_seeds(np.ones((prompts, 1), dtype=bool))


def test_half_rates_by_hand() -> None:
    lattice = lattice_of([[[1, 2, 4]], [[3, 0, 9]]], np.array([[[10, 10, 20]]] * 2))
    rates = half_rates(lattice, np.array([[[True, False, True]]]))
    np.testing.assert_allclose(rates[:, 0, :, 0], [[5 / 30, 12 / 30], [0.2, 0.0]])
