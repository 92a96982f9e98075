"""An honest oracle finds what is there, and nothing where nothing is; the optimistic one is fooled."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from eval.halves import MOST_SPLITS
from eval.lattice import Lattice
from eval.oracle import choose, find_oracle, find_subsets
from eval.study import read_study
from tests.eval.lattices import lattice_of, noisy


def test_by_hand() -> None:
    # Two prompts, two seeds; words 20. Composition 0 suits the first prompt, composition 1 the second.
    errors = [[[2, 4], [10, 12]], [[8, 6], [6, 4]]]
    found = find_oracle(lattice_of(errors), resamples=20)
    assert found.optimistic.oracle.value == pytest.approx((6 / 40 + 10 / 40) / 2)
    assert found.optimistic.single.value == pytest.approx((14 / 40 + 10 / 40) / 2)
    assert found.optimistic.headroom.value == pytest.approx(0.1)
    assert (found.optimistic.shares, found.optimistic.single_shares) == ((0.5, 0.5), (0.0, 1.0))
    assert found.honest is not None
    # Either seed chooses rightly: scored on the other, the oracle has the same songs.
    assert (found.splits, found.split_prompts) == (MOST_SPLITS, 2)
    assert found.honest.oracle.value == pytest.approx((6 / 40 + 10 / 40) / 2)
    # The first prompt's seed and the second's chosen by, errors of either composition, and what the better one scores:
    # 1, 1: 2 + 10 < 8 + 6, so 0, and 4 + 12; 2, 2: 4 + 12 > 6 + 4, so 1, and 8 + 6; 1, 2: 2 + 12 > 8 + 4, so 1, and
    # 6 + 6; 2, 1: 4 + 10 > 6 + 6, so 1, and 8 + 4. Half of the splits are of the first two, up to chance.
    assert found.honest.single.value == pytest.approx((16 + 14 + 12 + 12) / 4 / 40, abs=4 * 1.5 / 40 / 20)
    assert found.honest.single_shares == pytest.approx((0.25, 0.75), abs=4 * 0.25 / 20)


def test_ties_are_shared_whoever_comes_first() -> None:
    errors = np.array([[[3, 0]], [[3, 8]], [[9, 9]]])
    for order in ([0, 1, 2], [1, 0, 2]):
        found = find_oracle(lattice_of(errors[order]), resamples=5)
        assert found.honest is not None
        # chosen on seed 1: a tie, scored (0 + 8) / 2; chosen on seed 2: the one with 0, scored 3
        assert found.honest.oracle.value == pytest.approx((4 / 20 + 3 / 20) / 2)


def test_a_handful_of_prompts_decides_nothing() -> None:
    # Every split chooses rightly, and the prompts agree: the interval alone would be sure.
    suits = np.arange(12) % 2
    errors = np.where(suits == np.arange(2)[:, None], 1, 15)[..., None].repeat(2, axis=2)
    few, enough = find_oracle(lattice_of(errors[:, :8]), resamples=200), find_oracle(lattice_of(errors), resamples=200)
    assert few.honest is not None and few.honest.headroom.value > 0.1 and few.honest.headroom.low is None
    assert enough.honest is not None and enough.honest.headroom.low is not None and enough.honest.headroom.low > 0
    assert (few.distinguishable, enough.distinguishable) == (False, True)


def test_noise_has_no_honest_headroom() -> None:
    rng = np.random.default_rng(1)
    optimistic, honest, fooled = [], [], 0
    for _ in range(60):
        found = find_oracle(noisy(np.tile(rng.uniform(0.2, 0.6, size=30), (5, 1)), 4, rng), resamples=300)
        assert found.honest is not None and found.optimistic.headroom.low is not None
        optimistic.append(found.optimistic.headroom.low)
        honest.append(found.honest.headroom.value)
        fooled += bool(found.distinguishable)
    assert min(optimistic) > 0.02  # always sure of a gain that is not there
    assert abs(np.mean(honest)) < 3 * np.std(honest) / np.sqrt(60)
    assert fooled <= 9


def test_a_real_difference_between_prompts_is_found() -> None:
    rng = np.random.default_rng(2)
    suits = rng.integers(0, 3, size=60)
    rates = np.where(suits == np.arange(3)[:, None], 0.15, 0.5)
    found = find_oracle(noisy(rates, 4, rng), resamples=1000)
    assert found.honest is not None and found.distinguishable
    best = rates.mean(1).min()
    assert found.honest.headroom.low is not None and found.honest.headroom.high is not None
    assert found.honest.oracle.value == pytest.approx(0.18, abs=0.04)  # two seeds do not always tell
    assert found.honest.single.value == pytest.approx(best, abs=0.05)
    assert found.optimistic.oracle.value < found.honest.oracle.value
    assert found.honest.shares == pytest.approx(np.bincount(suits) / 60, abs=0.1)


def test_an_oracle_is_an_average_over_all_splits() -> None:
    lattice = noisy(np.random.default_rng(3).uniform(0.2, 0.6, size=(3, 8)), 4, np.random.default_rng(4))
    found = find_oracle(lattice, resamples=5)
    expected = []
    for half in combinations(range(4), 2):
        rest = [s for s in range(4) if s not in half]
        for p in range(8):
            chosen = lattice.errors[:, p, list(half)].sum(-1)
            scored = lattice.rates[:, p, rest].mean(-1)
            expected.append(scored[chosen == chosen.min()].mean())
    assert found.honest is not None
    assert found.honest.oracle.value == pytest.approx(np.mean(expected), abs=0.004)  # splits are drawn, not listed
    one = find_oracle(lattice.at(np.arange(8) == 2), resamples=5)
    assert one.honest is not None and one.splits == 3
    assert one.honest.oracle.value == pytest.approx(np.mean(expected[2::8]))


def test_the_best_single_one_is_chosen_in_many_ways() -> None:
    # With one order of seeds for all prompts there were three splits, and shares of whole sixths.
    lattice = noisy(np.full((2, 30), 0.4), 4, np.random.default_rng(6))
    found = find_oracle(lattice, resamples=5)
    assert found.honest is not None
    assert 0.02 < found.honest.single_shares[0] < 0.98 and (6 * found.honest.single_shares[0]) % 1 > 1e-6


def test_a_single_one_chosen_by_other_rates() -> None:
    choosing, scoring = np.array([[[0.1, 0.9], [0.2, 0.2]]]), np.array([[[0.3, 0.3], [0.5, 0.7]]])
    assert choose(choosing, scoring, 5).single.value == pytest.approx(0.6)
    found = choose(choosing, scoring, 5, single_by=scoring)
    assert (found.single.value, found.oracle.value) == pytest.approx((0.3, 0.5))
    assert found.single_shares == (1.0, 0.0)


def test_one_seed_leaves_the_honest_oracle_open() -> None:
    found = find_oracle(lattice_of([[[1], [5]], [[5], [1]]]), resamples=5)
    assert (found.honest, found.distinguishable, found.splits) == (None, None, 0)
    assert found.optimistic.headroom.value == pytest.approx(0.1)


def test_prompts_with_one_seed_are_left_out_of_the_honest_oracle() -> None:
    words = np.full((2, 3, 2), 20)
    words[:, 2, 1] = 0
    found = find_oracle(lattice_of([[[1, 1], [5, 5], [19, 0]], [[5, 5], [1, 1], [19, 0]]], words), resamples=5)
    assert (found.prompts, found.split_prompts) == (3, 2)
    assert found.honest is not None and found.honest.oracle.value == pytest.approx(0.05)


def test_one_prompt_or_one_composition() -> None:
    one = find_oracle(lattice_of([[[1, 2]], [[5, 6]]]), resamples=5)
    assert one.honest is not None and one.honest.headroom.low is None and one.distinguishable is False
    alone = find_oracle(lattice_of([[[1, 2], [3, 4]]]), resamples=5)
    assert alone.honest is not None and alone.honest.headroom.value == alone.optimistic.headroom.value == 0.0


@pytest.mark.parametrize(
    ("compositions", "percent"),
    [
        (("baseline", "lora", "lora_asr", "lora_with_lyrics", "lora_with_lyrics_asr"), 18.19),
        (("lora", "lora_with_lyrics"), 27.56),
        (("baseline", "lora", "lora_with_lyrics"), 22.04),
    ],
)
def test_oracles_of_the_study(compositions: tuple[str, ...], percent: float) -> None:
    found = find_oracle(read_study().select(compositions), resamples=5)
    assert round(100 * found.optimistic.oracle.value, 2) == percent
    assert round(100 * found.optimistic.single.value, 2) == 46.51


def brute(lattice: Lattice, size: int) -> float:
    rates = lattice.prompt_rates
    return min(float(rates[list(c)].min(0).mean()) for c in combinations(range(len(rates)), size))


def test_subsets_are_the_best_of_their_size() -> None:
    study = read_study()
    found = find_subsets(study)
    assert [len(s.compositions) for s in found] == [1, 2, 3, 4, 5]
    assert found[1].compositions == ("lora", "lora_with_lyrics")
    assert [s.rate for s in found] == pytest.approx([brute(study, n) for n in range(1, 6)])


def test_subsets_of_many_compositions_are_bounded() -> None:
    rng = np.random.default_rng(5)
    many = lattice_of(rng.integers(0, 20, size=(14, 6, 1)), compositions=tuple(f"c{i}" for i in range(14)))
    assert len(find_subsets(many)) == 10
