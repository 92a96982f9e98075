"""Cascades of songs that are already sung cost and give what singing them would have."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from adapters.places import TINY_MODEL
from eval.lattice import Lattice, LatticeError
from eval.table import Table, make_songs, read_table
from router.cascade import run_cascade
from router.errors import RouterError
from router.replay import Heard, draw_curves, order_by_mean, order_by_prediction, pair_judges, replay
from router.retries import RETRIES, Retry, make_wishes
from tests.eval.lattices import JUDGE, lattice_of, row, table_of

BASE, TINY = "base int8 beam 5", "tiny.en int8 beam 5"
IN_ORDER = np.arange(3)


def heard_of(selecting: Any, independent: Any | None = None, genres: tuple[str, ...] | None = None) -> Heard:
    """Of wrong words of ten [compositions, prompts, seeds]."""
    return Heard(
        lattice_of(selecting, 10, genres), None if independent is None else lattice_of(independent, 10, genres)
    )


def test_one_prompt_by_hand() -> None:
    heard = heard_of([[[6]], [[2]], [[1]]], [[[5]], [[3]], [[9]]])
    found = replay(heard, IN_ORDER, "adapters", thresholds=(0.0, 0.2, 0.6))
    assert found.independent is not None
    np.testing.assert_allclose(found.songs[..., 0], [[1, 2, 3], [1, 2, 2], [1, 1, 1]])
    np.testing.assert_allclose(found.selecting[..., 0], [[0.6, 0.2, 0.1], [0.6, 0.2, 0.2], [0.6, 0.6, 0.6]])
    np.testing.assert_allclose(found.independent[..., 0], [[0.5, 0.3, 0.9], [0.5, 0.3, 0.3], [0.5, 0.5, 0.5]])


def test_equals_keep_the_earlier() -> None:
    heard = heard_of([[[4]], [[4]], [[4]]], [[[1]], [[2]], [[3]]])
    for order in permutations(range(3)):
        found = replay(heard, np.array(order), "adapters", thresholds=(0.0,))
        assert found.independent is not None
        np.testing.assert_allclose(found.independent[0, :, 0], (order[0] + 1) / 10)


@pytest.mark.parametrize("retry", RETRIES)
@pytest.mark.parametrize("stop", [0.0, 0.3])
def test_it_is_what_the_cascade_itself_does(retry: Retry, stop: float) -> None:
    """Against ``run_cascade`` on ``make_wishes``, over all orders of the noises."""
    rng = np.random.default_rng(3)
    heard = heard_of(*rng.integers(0, 8, (2, 3, 5, 4)))
    assert heard.independent is not None
    orders = np.stack([rng.permutation(3) for _ in range(5)])
    found = replay(heard, orders, retry, thresholds=(stop,), budgets=4)
    names = heard.selecting.compositions
    for p in range(5):
        tried = [names[c] for c in orders[p]]
        for b in range(found.songs.shape[1]):
            runs = []
            for noises in permutations(range(4)):
                wishes = make_wishes(tried, {name: {} for name in names}, 1, b + 1, retry)
                at = dict(zip(dict.fromkeys(wish.seed for wish in wishes), noises, strict=False))
                cells = {id(wish): (names.index(wish.name), p, at[wish.seed]) for wish in wishes}
                done = run_cascade(
                    wishes,
                    lambda asked, cells=cells: [cells[id(wish)] for wish in asked],  # type: ignore[misc]
                    lambda cell: float(heard.selecting.rates[cell]),
                    budget=b + 1,
                    stop_wer=stop,
                )
                assert done.best is not None
                runs.append((float(len(done.takes)), done.best.wer or 0.0, heard.independent.rates[done.best.song]))
            assert found.independent is not None
            expected = np.array(runs).mean(0)
            got = np.stack([found.songs, found.selecting, found.independent])[:, 0, b, p]
            np.testing.assert_allclose(got, expected)


def test_a_random_order_is_the_mean_over_orders() -> None:
    rng = np.random.default_rng(5)
    heard = heard_of(*rng.integers(0, 8, (2, 4, 6, 2)))
    each = [replay(heard, np.array(order), "adapters") for order in permutations(range(4))]
    found = replay(heard, np.arange(4), "random")
    assert found.independent is not None
    np.testing.assert_allclose(found.songs, np.mean([one.songs for one in each], 0))
    np.testing.assert_allclose(found.selecting, np.mean([one.selecting for one in each], 0))
    independent = [one.independent for one in each if one.independent is not None]
    np.testing.assert_allclose(found.independent, np.mean(independent, 0))


def test_many_orders_are_sampled_without_bias() -> None:
    """Of four of six there are 360 orders: those drawn come near the expected minimum, and are always the same."""
    rates = np.arange(6)
    heard = heard_of(np.repeat(rates[:, None, None], 60, 1))
    found, again = (replay(heard, rates, "random", budgets=4, thresholds=(0.0,)) for _ in range(2))
    np.testing.assert_array_equal(found.selecting, again.selecting)
    expected = [np.mean([min(some) / 10 for some in permutations(range(6), b)]) for b in (1, 2, 3, 4)]
    got = found.selecting[0].mean(-1)
    np.testing.assert_allclose(got, expected, atol=0.01)
    assert not np.allclose(got, expected, atol=1e-9)


def test_budgets_go_as_far_as_songs_exist() -> None:
    heard = heard_of(np.full((3, 4, 2), 5))
    songs = {way: replay(heard, IN_ORDER, way).songs.shape[1] for way in ("adapters", "random")}
    assert songs == {"adapters": 3, "random": 3}
    assert replay(heard, IN_ORDER, "seeds").songs.shape[1] == 2
    assert replay(heard, IN_ORDER, "both").songs.shape[1] == 2
    assert replay(heard, IN_ORDER, "both", budgets=1).songs.shape == (5, 1, 4)
    assert replay(heard, IN_ORDER[:1], "adapters").songs.shape[1] == 1


def uneven(short: int, prompts: int = 20) -> Lattice:
    """Base fails in the first noise and is perfect in the second, which ``short`` prompts lack."""
    lattice = lattice_of(np.broadcast_to([9, 0], (1, prompts, 2)).copy(), 10)
    words = lattice.words.copy()
    words[:, :short, 1] = 0
    return replace(lattice, words=words)


def test_a_prompt_with_fewer_songs_ends_with_its_last() -> None:
    found = replay(Heard(uneven(1), None), np.array([0]), "seeds", thresholds=(0.0,))
    assert found.songs.shape[1] == 2 and found.independent is None
    np.testing.assert_allclose(found.songs[0, 1], [1.0] + [1.5] * 19)
    np.testing.assert_allclose(found.selecting[0, 1], [0.9] + [0.0] * 19)
    assert replay(Heard(uneven(5), None), np.array([0]), "seeds").songs.shape[1] == 1


@pytest.mark.parametrize("order", [[0, 3], [-1, 0], [0, 0], []])
def test_bad_orders(order: list[int]) -> None:
    with pytest.raises(ValueError, match="each once"):
        replay(heard_of(np.ones((3, 2, 2), int)), np.array(order, dtype=int), "adapters")


def test_bad_budget() -> None:
    with pytest.raises(ValueError, match="budget of 0"):
        replay(heard_of(np.ones((3, 2, 2), int)), IN_ORDER, "adapters", budgets=0)


def test_the_fixed_order_is_learnt_from_other_genres() -> None:
    errors = np.array([[9, 1, 1], [2, 2, 2], [1, 9, 9]])[..., None]  # of a, b, c by x, y, z
    assert order_by_mean(lattice_of(errors, 10)).tolist() == [[0, 1, 2], [1, 0, 2], [1, 0, 2]]
    together = lattice_of(errors, 10, ("g", "h", "h"))
    assert order_by_mean(together).tolist() == [[0, 1, 2], [2, 1, 0], [2, 1, 0]]
    with pytest.raises(RouterError, match="all prompts are of the genre 'g'"):
        order_by_mean(lattice_of(errors, 10, ("g",) * 3))


def test_capped_rates_make_the_fixed_order() -> None:
    loops = lattice_of(np.array([[80, 0, 0, 0], [5, 5, 5, 5]])[..., None], 10)
    assert order_by_mean(loops)[1:].tolist() == [[0, 1]] * 3  # uncapped, one loop of eight would outweigh all else


def test_curves() -> None:
    """Twelve genres each repaired by one of three adapters: who knows which needs one song."""
    rng = np.random.default_rng(0)
    cure = np.arange(24) // 2 % 3
    errors = np.where(np.arange(3)[:, None, None] == cure[:, None], 0, 8) + np.zeros((3, 24, 3), int)
    heard = heard_of(errors, np.minimum(errors + rng.integers(0, 2, errors.shape), 10), tuple("abcdefghijkl" * 2))
    router = np.stack([np.roll(np.arange(3), -c) for c in cure])
    curves = {c.order: c for c in draw_curves(heard, router, IN_ORDER, thresholds=(0.1,))}
    assert list(curves)[:5] == ["router", "fixed", "random", "new seed", "router, new seeds"]
    assert list(curves)[5:] == ["fixed, new seeds", "best single, new seeds"]
    for name in ("router", "new seed", "router, new seeds"):
        assert {(p.songs, p.selecting.value) for p in curves[name].points} == {(1.0, 0.0)}
    fixed = curves["fixed"].points
    assert [p.budget for p in fixed] == [1, 2, 3] and {p.stop_wer for p in fixed} == {0.1}
    np.testing.assert_allclose([p.songs for p in fixed], [1, 5 / 3, 2])
    np.testing.assert_allclose([p.selecting.value for p in fixed], [0.8 * 2 / 3, 0.8 / 3, 0], atol=1e-12)
    stuck = curves["best single, new seeds"].points
    np.testing.assert_allclose([p.selecting.value for p in stuck], 0.8 * 2 / 3)
    point = fixed[1].independent
    assert point is not None and point.low is not None and point.high is not None
    assert point.low < point.value < point.high and point.value > fixed[1].selecting.value
    without = draw_curves(heard, None, IN_ORDER, thresholds=(0.1,))
    assert [c.order for c in without] == ["fixed", "random", "fixed, new seeds", "best single, new seeds"]
    assert draw_curves(Heard(heard.selecting, None), None, IN_ORDER)[0].points[0].independent is None


def test_intervals_draw_whole_genres() -> None:
    """Ten prompts of a genre alike tell as much as one of them."""
    errors = np.random.default_rng(1).integers(0, 10, (2, 12, 1))
    names = tuple("abcdefghijkl")
    few, many = (
        heard_of(errors, None, names),
        heard_of(np.repeat(errors, 10, axis=1), None, tuple(np.repeat(names, 10))),
    )
    alone, tenfold = (draw_curves(heard, None, np.arange(2), thresholds=(0.3,))[0] for heard in (few, many))
    for one, other in zip(alone.points, tenfold.points, strict=True):
        for end in ("value", "low", "high"):
            assert getattr(one.selecting, end) == pytest.approx(getattr(other.selecting, end))


def test_the_seed_is_that_of_the_intervals_too() -> None:
    heard = heard_of(
        np.random.default_rng(0).integers(0, 10, (2, 30, 2)), genres=tuple(f"g{p // 2}" for p in range(30))
    )
    one, two, three = (
        draw_curves(heard, None, np.arange(2), thresholds=(0.2,), seed=s)[0].points[0] for s in (1, 2, 1)
    )
    assert one == three and one.selecting.value == two.selecting.value and one.selecting.low != two.selecting.low


def test_the_order_of_a_decision() -> None:
    wer = np.array([[0.5, 0.3, 0.3, 0.1], [0.5, 0.3, 0.3, 0.1], [0.4, 0.4, 0.4, 0.4]])
    orders = order_by_prediction(wer, np.array([2, 3, 0]), np.array([2, 2, 1]))
    assert orders.tolist() == [[2, 3, 1, 0], [3, 2, 1, 0], [0, 1, 2, 3]]
    assert wer[0, 2] == 0.3  # untouched


def two_judges() -> Table:
    songs = [(p, s, c) for p in ("folk-1", "pop-1") for s in (1, 2) for c in ("base", "lyrics=1")]
    rows = [row(p, s, c, 3, judge=judge) for judge in (BASE, TINY) for p, s, c in songs]
    return table_of(rows)


def test_pairing_keeps_what_both_heard() -> None:
    table = two_judges()
    dropped = make_songs(
        [
            r
            for r in table.songs.to_dict("records")
            if (r["judge"], r["prompt"], r["seed"], r["composition"]) != (TINY, "folk-1", 1, "base")
        ]
    )
    heard = pair_judges(replace(table, songs=dropped), BASE, TINY)
    assert heard.independent is not None
    for lattice in (heard.selecting, heard.independent):
        assert lattice.present.tolist() == [[True, False], [True, True]]
    assert pair_judges(table, BASE).independent is None
    assert heard.select(["lyrics=1"]).selecting.compositions == ("lyrics=1",)
    with pytest.raises(LatticeError, match="no songs by 'gone'"):
        heard.select(["gone"])


def test_judges_that_cannot_be_paired() -> None:
    with pytest.raises(RouterError, match="both selects and scores"):
        pair_judges(two_judges(), BASE, BASE)
    apart = table_of([row("folk-1", 1, "base", 1, judge=BASE), row("pop-1", 1, "base", 1, judge=TINY)])
    with pytest.raises(RouterError, match="no song in common"):
        pair_judges(apart, BASE, TINY)
    with pytest.raises(RouterError, match="did not hear the same songs"):
        Heard(lattice_of(np.ones((2, 3, 2), int)), lattice_of(np.ones((2, 3, 1), int)))
    with pytest.raises(Exception, match=f"{JUDGE!r} is not in the table"):
        pair_judges(two_judges(), BASE, JUDGE)


def test_the_shipped_songs() -> None:
    """Chosen by base, scored by tiny.en: re-rolling the seed of base, and switching adapters at one noise."""
    table = read_table(TINY_MODEL)
    heard = pair_judges(table, BASE, TINY)
    lattice = heard.selecting
    order = np.array([lattice.index(n) for n in ("base", "lyrics=1", "lyrics-asr=1", "nolyrics=1", "nolyrics-asr=1")])
    seeds, adapters = (replay(heard, order, way, thresholds=(0.0,)) for way in ("seeds", "adapters"))
    assert seeds.independent is not None and adapters.independent is not None
    # pandas alone: every order of the four noises, the first of the lowest by the selecting judge
    songs = table.songs[table.songs["composition"] == "base"]
    frames = [songs[songs["judge"] == judge].sort_values(["prompt", "seed"]) for judge in (BASE, TINY)]
    ours, other = (frame["wer"].to_numpy().reshape(30, 4) for frame in frames)
    expected = [
        np.mean([other[np.arange(30), np.array(o)[ours[:, o[:b]].argmin(1)]].mean() for o in permutations(range(4))])
        for b in (1, 2, 3, 4)
    ]
    np.testing.assert_allclose(seeds.independent[0].mean(-1), expected)
    np.testing.assert_allclose(seeds.independent[0].mean(-1), [0.213, 0.19, 0.18, 0.17], atol=0.005)
    np.testing.assert_allclose(adapters.independent[0].mean(-1), [0.213, 0.207, 0.208, 0.212, 0.219], atol=6e-4)
