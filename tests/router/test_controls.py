from __future__ import annotations

import numpy as np
import pytest

from router.controls import deal_genres, permute_labels
from router.examples import find_default, pair
from router.policies.search import Selection, select_policy
from tests.router.planted_world import make_world


@pytest.mark.parametrize("seed", range(4))
def test_whole_genres_are_dealt_to_others_and_repeated_where_they_are_smaller(seed: int) -> None:
    genres = ("a", "b", "a", "c", "c", "c", "b", "c", "c", "d")
    dealt = deal_genres(genres, np.random.default_rng(seed))
    givers = {}
    for genre in dict.fromkeys(genres):
        rows = [p for p, name in enumerate(genres) if name == genre]
        (giver,) = {genres[q] for q in dealt[rows]}
        given = [q for q, name in enumerate(genres) if name == giver]
        assert giver != genre and dealt[rows].tolist() == (given * 5)[: len(rows)]
        givers[genre] = giver
    assert sorted(givers.values()) == ["a", "b", "c", "d"], "each once"


def test_deals_differ() -> None:
    rng = np.random.default_rng(0)
    assert len({tuple(deal_genres(tuple("abcdef"), rng)) for _ in range(10)}) > 5


def test_a_router_that_looks_at_nothing_has_nothing_to_shuffle_and_follows_what_each_fold_selected() -> None:
    examples, features, lattices = make_world(genres=8, each=2)
    selection = select_policy(features, pair(examples, find_default(examples)))
    assert selection.name != "best single"
    rates = lattices["judge 1"].prompt_rates

    def permute(name: str, folds: str) -> tuple[float, ...]:
        selected = np.full(16, folds)
        return permute_labels(examples, features, Selection(name, selection.searched), selected, rates, 1, 0.8, 3)

    assert permute("best single", selection.name) == ()
    looking, blind = permute(selection.name, selection.name), permute(selection.name, "best single")
    assert len(set(looking)) == 3 and len(set(blind)) == 1, (
        "the best single sees no features, so dealing them is nothing"
    )
    assert blind[0] == pytest.approx(0, abs=1e-12)
