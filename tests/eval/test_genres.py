"""Who sings a genre best, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eval.genres import count_wins, genre_errors, genre_names, rate_genres
from eval.lattice import Lattice
from eval.study import read_study
from tests.eval.lattices import lattice_of


@pytest.fixture
def four() -> Lattice:
    """Genre a has two prompts; b, c and d have one each, and b's second seed is missing."""
    errors = np.array(
        [
            [[4, 4], [6, 2], [3, 0], [0, 0], [5, 5]],
            [[2, 2], [2, 2], [3, 0], [1, 0], [5, 4]],
            [[8, 8], [9, 9], [9, 0], [0, 0], [9, 9]],
        ]
    )
    words = np.full(errors.shape, 20)
    words[:, 2, 1] = 0
    return lattice_of(errors, words, genres=("a", "a", "b", "c", "d"))


def test_wins_by_hand(four: Lattice) -> None:
    assert genre_names(four) == ("a", "b", "c", "d")
    assert genre_errors(four).tolist() == [[16, 3, 0, 10], [8, 3, 1, 9], [34, 9, 0, 18]]
    found = {w.composition: (w.lowest, w.shared, w.unique) for w in count_wins(four)}
    assert found == {"base": (2, 2, 0), "nolyrics": (3, 1, 2), "nolyrics-asr": (1, 1, 0)}
    assert [g.best for g in rate_genres(four)] == [
        ("nolyrics",), ("base", "nolyrics"), ("base", "nolyrics-asr"), ("nolyrics",)
    ]  # fmt: skip


def test_rates_and_their_units(four: Lattice) -> None:
    a, b, c, d = rate_genres(four)
    assert (a.prompts, a.songs, a.unit) == (2, 4, "prompts")
    assert (b.prompts, b.songs, b.unit) == (1, 1, "seeds")
    assert [rate.value for rate in a.rates] == pytest.approx([16 / 80, 8 / 80, 34 / 80])
    assert [rate.value for rate in b.rates] == pytest.approx([3 / 20, 3 / 20, 9 / 20])
    assert all(rate.low is None for g in (a, b, c, d) for rate in g.rates)  # two prompts or seeds do not tell
    assert d.unit == "seeds"


def test_intervals_are_over_prompts_or_the_seeds_of_one() -> None:
    errors = [[[4, 4], [6, 2], [3, 1]]]
    [several] = rate_genres(lattice_of(errors, genres=("a",) * 3))
    low, high = stats.t.interval(0.95, 2, loc=20 / 120, scale=stats.sem([8 / 40, 8 / 40, 4 / 40]))
    assert (several.rates[0].low, several.rates[0].high) == pytest.approx((low, high))  # equal words
    [one] = rate_genres(lattice_of([[[5, 4, 9]]]))
    low, high = stats.t.interval(0.95, 2, loc=18 / 60, scale=stats.sem([5 / 20, 4 / 20, 9 / 20]))
    assert (one.rates[0].low, one.rates[0].high) == pytest.approx((max(0, low), high))


def test_wins_of_published_rates() -> None:
    study = read_study()
    found = {w.composition: (w.unique, w.shared) for w in count_wins(study)}
    assert sum(unique for unique, _ in found.values()) == 26
    assert found["lora"] == (10, 3)  # counted by eye: shared are country, choral and reggae
