"""One call gathers all statistics, as plain values."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from eval.lattice import LatticeError
from eval.study import BASE, JUDGE, STUDY_CELLS, read_study
from eval.summary import Summary, summarise_lattice, summarise_table
from eval.table import TableError
from tests.eval.lattices import JUDGE as PLANTED
from tests.eval.lattices import lattice_of, noisy, row, table_from, table_of


@pytest.fixture(scope="module")
def five() -> Summary:
    rng = np.random.default_rng(1)
    rates = np.clip(np.array([0.35, 0.25, 0.6, 0.22, 0.35])[:, None] + rng.normal(0, 0.1, size=(5, 12)), 0.05, 0.95)
    return summarise_table(table_from(noisy(rates, 4, rng)), PLANTED, resamples=500)


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _plain(v) for k, v in value.items())
    if isinstance(value, tuple | list):
        return all(map(_plain, value))
    return value is None or (
        type(value) in (str, int, bool, float) and not (type(value) is float and math.isnan(value))
    )


def test_everything_is_there_and_becomes_json(five: Summary) -> None:
    assert (five.judge, five.reference, five.resamples) == (PLANTED, "base", 500)
    extent = five.extent
    assert (extent.prompts, extent.genres, extent.seeds, extent.songs, extent.dropped) == (12, 12, 4, 48, 0)
    assert len(five.words) == len(five.wins) == 5 and len(five.comparisons) == 4 and len(five.genres) == 12
    assert five.characters is not None and len(five.characters) == 5
    assert five.oracle is not None and five.oracle.honest is not None and len(five.subsets) == 5
    assert five.factorial is not None and five.stability is not None
    assert _plain(asdict(five))
    assert json.loads(json.dumps(asdict(five), allow_nan=False))["extent"]["songs"] == 48


def test_the_parts_agree(five: Summary) -> None:
    standings = {s.composition: s for s in five.words}
    for c in five.comparisons:
        assert c.difference.value == pytest.approx(standings[c.composition].macro.value - standings["base"].macro.value)
    assert five.oracle is not None and five.factorial is not None and five.characters is not None
    assert five.oracle.optimistic.single.value == pytest.approx(min(s.macro.value for s in five.words))
    assert five.subsets[-1].rate == pytest.approx(five.oracle.optimistic.oracle.value)
    for cell in five.factorial.cells:
        assert cell.rate == standings[cell.composition].macro  # interval and all
    assert sum(w.unique for w in five.wins) + sum(len(g.best) > 1 for g in five.genres) == 12
    assert five.characters[0].micro.value == pytest.approx(five.words[0].micro.value * 5 / 6)


def test_the_same_table_gives_the_same_figures() -> None:
    table = table_from(noisy(np.full((3, 6), 0.4), 2, np.random.default_rng(2)))
    assert summarise_table(table, PLANTED, resamples=50) == summarise_table(table, PLANTED, resamples=50)


def test_a_table_without_base() -> None:
    table = table_from(lattice_of([[[1], [2]], [[2], [2]]], compositions=("lyrics", "nolyrics")))
    found = summarise_table(table, PLANTED, resamples=10)
    assert (found.reference, found.comparisons) == (None, ())
    assert [c.reference for c in summarise_table(table, PLANTED, "lyrics", resamples=10).comparisons] == ["lyrics"]
    with pytest.raises(LatticeError, match="no songs by 'other': choose from lyrics, nolyrics"):
        summarise_table(table, PLANTED, "other", resamples=10)


def test_one_composition() -> None:
    found = summarise_table(table_from(lattice_of([[[1, 2], [3, 4]]])), PLANTED, resamples=10)
    assert (found.comparisons, found.wins, found.oracle, found.subsets) == ((), (), None, ())
    assert (found.factorial, found.stability) == (None, None)
    assert found.words[0].micro.value == pytest.approx(10 / 80)


def test_one_song() -> None:
    found = summarise_table(table_of([row("folk-1", 1, "base", 3)]), PLANTED, resamples=10)
    assert (found.words[0].micro.value, found.words[0].micro.low, found.genres[0].rates[0].low) == (0.3, None, None)
    assert _plain(asdict(found))


def test_one_prompt_of_one_seed() -> None:
    found = summarise_table(table_from(lattice_of([[[1]], [[5]]])), PLANTED, resamples=10)
    assert found.comparisons[0].p_holm == 1.0
    assert found.oracle is not None and found.oracle.honest is None
    assert found.stability is None
    assert _plain(asdict(found))


def test_a_judge_that_is_not_there_and_an_empty_table() -> None:
    with pytest.raises(TableError, match="'x' is not in the table"):
        summarise_table(table_of([row("folk-1", 1, "base", 3)]), "x")
    with pytest.raises(TableError, match="no rows"):
        summarise_table(table_of([]), PLANTED)


def test_the_study_through_the_same_functions() -> None:
    found = summarise_lattice(read_study(), JUDGE, reference=BASE, cells=STUDY_CELLS, resamples=100)
    assert found.characters is None and found.stability is None
    assert found.factorial is not None and found.oracle is not None
    assert round(100 * found.oracle.optimistic.oracle.value, 2) == 18.19
    assert [round(100 * s.rate, 2) for s in found.subsets[:3]] == [46.51, 27.56, 22.04]
    assert _plain(asdict(found))
