"""Judges that hear the same, judges that hear noise, and choices that only one of them likes."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from scipy import stats

from eval.agreement import measure_agreement, share_lattices
from eval.agreement_sheet import print_agreement
from eval.halves import split_seeds
from eval.lattice import LatticeError
from eval.oracle import find_oracle
from eval.table import Table, TableError
from tests.eval.lattices import JUDGE, lattice_of, noisy, row, table_from, table_of

OTHER = "other judge"


def heard_by_both(one: NDArray[Any], other: NDArray[Any], words: int = 20) -> Table:
    """Errors [compositions, prompts, seeds] as two judges count them, the second in another order of songs."""
    first, second = (table_from(lattice_of(errors, words)).songs for errors in (one, other))
    shuffled = second.assign(judge=OTHER).sample(frac=1, random_state=1)
    return replace(table_of([]), songs=type(first)([*first.to_dict("records"), *shuffled.to_dict("records")]))


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    one = rng.integers(0, 20, size=(4, 12, 3))
    other = np.clip(one + rng.integers(-6, 7, size=one.shape), 0, None)
    found = measure_agreement(heard_by_both(one, other), JUDGE, OTHER, resamples=400)
    assert (found.judges, found.prompts, found.songs, found.split_prompts) == ((JUDGE, OTHER), 12, 36, 12)
    songs, differences, tau = found.song_correlation, found.difference_correlation, found.order_tau
    assert songs is not None and differences is not None and tau is not None
    assert songs.value == pytest.approx(stats.pearsonr(one.ravel(), other.ravel()).statistic)
    within = [(e.sum(-1) - e.sum(-1).mean(0)).ravel() for e in (one, other)]
    assert differences.value == pytest.approx(stats.pearsonr(*within).statistic)
    assert tau.value == pytest.approx(stats.kendalltau(*(e.sum((1, 2)) for e in (one, other))).statistic)
    theirs = stats.bootstrap(
        (np.arange(12),),
        lambda drawn: stats.pearsonr(one[:, drawn].ravel(), other[:, drawn].ravel()).statistic,
        vectorized=False, n_resamples=400, method="percentile", rng=2,
    ).confidence_interval  # fmt: skip
    assert (songs.low, songs.high) == pytest.approx((theirs.low, theirs.high), abs=0.04)


def test_a_judge_and_its_echo() -> None:
    errors = noisy(np.random.default_rng(2).uniform(0.1, 0.6, size=(3, 15)), 4, np.random.default_rng(3)).errors
    found = measure_agreement(heard_by_both(errors, errors, 24), JUDGE, OTHER, resamples=100)
    for estimate in (found.song_correlation, found.difference_correlation, found.order_tau):
        assert estimate is not None
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1.0, 1.0, 1.0))
    own = find_oracle(lattice_of(errors, 24), resamples=100)
    assert own.honest is not None
    for way in found.transfers:  # scored by itself, choosing across judges is the oracle as it was
        assert way.honest is not None
        assert way.optimistic.headroom == own.optimistic.headroom
        assert way.honest.headroom.value == pytest.approx(own.honest.headroom.value)


def test_what_only_one_judge_mishears_does_not_pass_to_the_other() -> None:
    # Each composition suits half of the prompts to the first judge, seed after seed; to the second all are alike.
    rng = np.random.default_rng(4)
    suits = np.arange(40) % 2
    rates = np.where(suits == np.arange(2)[:, None], 0.15, 0.5)
    one, other = noisy(rates, 4, rng).errors, noisy(np.full((2, 40), 0.3), 4, rng).errors
    table = heard_by_both(one, other, 24)
    own = find_oracle(share_lattices(table, JUDGE, OTHER)[0], resamples=300)
    assert own.distinguishable
    found = measure_agreement(table, JUDGE, OTHER, resamples=300)
    passed, back = (way.honest for way in found.transfers)
    assert [(way.chosen_by, way.scored_by) for way in found.transfers] == [(JUDGE, OTHER), (OTHER, JUDGE)]
    for honest in (passed, back):
        assert honest is not None and honest.headroom.low is not None and honest.headroom.low < 0.01
        assert honest.headroom.value < 0.04
    assert found.difference_correlation is not None and abs(found.difference_correlation.value) < 0.35
    both = measure_agreement(heard_by_both(one, noisy(rates, 4, rng).errors, 24), JUDGE, OTHER, resamples=300)
    for way in both.transfers:  # and what both hear does
        assert way.honest is not None and way.honest.headroom.low is not None and way.honest.headroom.low > 0.05


def test_choices_by_hand() -> None:
    # One prompt, two seeds. The first judge prefers the first composition on seed 1, the second on seed 2.
    one, other = np.array([[[1, 9]], [[5, 3]]]), np.array([[[2, 4]], [[6, 10]]])
    found = measure_agreement(heard_by_both(one, other), JUDGE, OTHER, resamples=5)
    way, back = found.transfers
    # all seeds: 10 against 8 errors, so the second, which the other judge scores 16 / 40; its own best is 6 / 40
    assert (way.optimistic.oracle.value, way.optimistic.single.value) == pytest.approx((16 / 40, 6 / 40))
    assert way.honest is not None and back.honest is not None
    # by seed 1 the first, scored on seed 2: 4; by seed 2 the second, scored on seed 1: 6
    assert way.honest.oracle.value == pytest.approx((4 / 20 + 6 / 20) / 2)
    # the other judge takes the first both times, 9 and 1 to the first judge
    assert back.honest.oracle.value == pytest.approx((9 / 20 + 1 / 20) / 2)
    assert (back.optimistic.oracle.value, back.optimistic.single.value) == pytest.approx((10 / 40, 8 / 40))
    assert len(split_seeds(np.ones((1, 2), bool))) == 1


def test_only_songs_that_both_heard_count() -> None:
    table = heard_by_both(np.arange(12).reshape(2, 3, 2), np.arange(12).reshape(2, 3, 2))
    songs = table.songs
    gone = (
        (songs["judge"] == OTHER) & (songs["prompt"] == "p0") & (songs["seed"] == 1) & (songs["composition"] == "base")
    )
    found = measure_agreement(replace(table, songs=songs[~gone]), JUDGE, OTHER, resamples=5)
    assert (found.songs, found.prompts, found.split_prompts) == (5, 3, 2)
    a, b = share_lattices(replace(table, songs=songs[~gone]), JUDGE, OTHER)
    np.testing.assert_array_equal(a.errors, b.errors)


def test_where_nothing_varies_there_is_no_correlation() -> None:
    found = measure_agreement(
        heard_by_both(np.ones((2, 3, 2), int), np.ones((2, 3, 2), int)), JUDGE, OTHER, resamples=5
    )
    assert (found.song_correlation, found.difference_correlation, found.order_tau) == (None, None, None)
    alone = measure_agreement(heard_by_both(np.arange(4).reshape(1, 2, 2), np.ones((1, 2, 2), int)), JUDGE, OTHER, 5)
    assert alone.transfers == ()
    single = measure_agreement(heard_by_both(np.ones((2, 2, 1), int), np.ones((2, 2, 1), int)), JUDGE, OTHER, 5)
    assert [way.honest for way in single.transfers] == [None, None]


def test_judges_that_cannot_be_compared() -> None:
    rows = [row("a", 1, "base", 1), row("b", 1, "base", 1, judge=OTHER)]
    with pytest.raises(LatticeError, match="no song in common"):
        measure_agreement(table_of(rows), JUDGE, OTHER)
    with pytest.raises(LatticeError, match="name two"):
        measure_agreement(table_of(rows), JUDGE, JUDGE)
    with pytest.raises(TableError, match="'x' is not in the table"):
        measure_agreement(table_of(rows), JUDGE, "x")
    with pytest.raises(LatticeError, match="different lyrics"):
        measure_agreement(table_of([rows[0], row("a", 1, "base", 1, words=12, judge=OTHER)]), JUDGE, OTHER)


def printed(table: Table) -> str:
    out = io.StringIO()
    print_agreement(table, Console(file=out, width=200))
    return out.getvalue()


def test_agreement_is_printed_where_two_judges_listened() -> None:
    errors = np.random.default_rng(5).integers(0, 12, size=(2, 12, 2))
    table = heard_by_both(errors, errors)
    found = measure_agreement(table, JUDGE, OTHER)
    text = printed(table)
    assert "+1.00 [+1.00, +1.00]" in text and "one judge's choice, another's score" in text
    assert all(f"{way.optimistic.headroom.value:+.3f} [" in text for way in found.transfers)
    assert printed(table_from(lattice_of(errors))) == ""
    apart = printed(table_of([row("a", 1, "base", 1), row("b", 1, "base", 1, judge=OTHER)]))
    assert apart.startswith("agreement of the judges: ") and "no song in common" in apart and apart.count("\n") == 1
