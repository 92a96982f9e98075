from __future__ import annotations

import numpy as np
import pytest

from eval.oracle import find_oracle
from router.scoring import Way, estimate_by_genre, estimate_gap, find_oracle_rates, score_ways
from tests.eval.lattices import lattice_of, noisy

GENRES = [f"g{i // 3}" for i in range(36)]


def test_the_oracle_is_that_of_the_evaluation() -> None:
    lattice = noisy(np.random.default_rng(0).uniform(0.2, 0.8, (4, 20)), 4, np.random.default_rng(1))
    honest = find_oracle(lattice).honest
    assert honest is not None
    assert find_oracle_rates(lattice).mean() == pytest.approx(honest.oracle.value)


def test_the_oracle_of_equals_wins_nothing_and_one_seed_has_none() -> None:
    lattice = noisy(np.full((4, 400), 0.5), 4, np.random.default_rng(1))
    assert find_oracle_rates(lattice).mean() == pytest.approx(lattice.prompt_rates.mean(), abs=0.01)
    assert np.isnan(find_oracle_rates(lattice_of([[[5], [6]], [[4], [4]]]))).all()
    words = np.array([[10, 10], [10, 0]])
    found = find_oracle_rates(lattice_of([[[5, 5], [6, 0]], [[4, 4], [4, 0]]], words))
    assert found[0] == pytest.approx(0.4) and np.isnan(found[1])


def test_scores_are_those_by_hand() -> None:
    single, oracle = np.full(36, 0.5), np.full(36, 0.3)
    wer = np.array([0.4, 0.5, 0.6] * 11 + [0.2, 0.2, 0.2])
    judged = score_ways([Way("router", "router", wer, 0.5)], single, oracle, GENRES, "j", False)
    router, best = judged.scores
    assert router.wer.value == pytest.approx(wer.mean()) and router.gain.value == pytest.approx(0.5 - wer.mean())
    assert router.regret is not None and router.regret.value == pytest.approx(wer.mean() - 0.3)
    assert router.gap_closed is not None and router.gap_closed.value == pytest.approx((0.5 - wer.mean()) / 0.2)
    assert (router.wins, router.ties, router.losses) == (14, 11, 11)
    assert router.changed == 0.5 and router.songs == 1.0
    assert best.kind == "oracle" and best.gain.value == pytest.approx(0.2) and best.wins == 36
    assert judged.headroom is not None and judged.headroom.value == pytest.approx(0.2)
    assert judged.distinguishable is True


def test_prompts_of_one_seed_count_for_wer_but_not_for_the_gap() -> None:
    oracle = np.full(36, 0.3)
    oracle[:6] = np.nan
    wer = np.full(36, 0.4)
    wer[:6] = 0.9
    judged = score_ways([Way("router", "router", wer, 1.0)], np.full(36, 0.5), oracle, GENRES, "j", True)
    assert judged.scores[0].wer.value == pytest.approx(wer.mean())
    assert judged.scores[0].gap_closed is not None and judged.scores[0].gap_closed.value == pytest.approx(0.5)


def test_without_a_second_seed_there_is_no_gap() -> None:
    nothing = np.full(36, np.nan)
    judged = score_ways([Way("router", "router", np.full(36, 0.4), 1.0)], np.full(36, 0.5), nothing, GENRES, "j", True)
    assert judged.headroom is None and judged.distinguishable is None and len(judged.scores) == 1
    assert judged.scores[0].regret is None and judged.scores[0].gap_closed is None


def test_a_gap_that_may_be_none_has_no_interval_and_a_negative_one_no_share() -> None:
    rng = np.random.default_rng(0)
    gains = rng.normal(0.1, 0.1, 36)
    wide, sure = rng.normal(0.02, 0.5, 36), rng.normal(0.4, 0.1, 36)
    wide += 0.02 - wide.mean()
    found = estimate_gap(gains, wide, GENRES)
    assert found is not None and found.low is None and found.value == pytest.approx(gains.mean() / 0.02)
    found = estimate_gap(gains, sure, GENRES)
    assert found is not None and found.low is not None and found.low < gains.mean() / sure.mean()
    assert estimate_gap(gains, -sure, GENRES) is None


def test_intervals_draw_whole_genres() -> None:
    by_genre = np.repeat(np.random.default_rng(0).normal(size=12), 3)
    clustered = estimate_by_genre(by_genre[None], GENRES)[0]
    alone = estimate_by_genre(by_genre[None], [f"p{i}" for i in range(36)])[0]
    widths = [e.high - e.low for e in (clustered, alone) if e.low is not None and e.high is not None]
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(3), rel=0.1)
    uneven = estimate_by_genre(np.arange(36.0)[None], ["a"] * 25 + list("bcdefghijkl"))[0]
    assert uneven.value == pytest.approx(17.5), "a mean over prompts, however many a genre has"


def test_few_genres_draw_prompts_and_few_prompts_have_no_interval() -> None:
    values = np.random.default_rng(0).normal(size=(1, 12))
    assert estimate_by_genre(values, ["a"] * 6 + ["b"] * 6)[0].low is not None
    assert estimate_by_genre(values[:, :9], ["a"] * 9)[0].low is None
