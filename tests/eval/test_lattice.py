"""What is complete is kept, what is not is counted."""

from __future__ import annotations

import numpy as np
import pytest

from eval.lattice import LatticeError, make_lattice
from eval.statistics import rank_standings
from eval.table import TableError
from tests.eval.lattices import JUDGE, lattice_of, row, table_from, table_of


def test_a_full_grid_comes_back() -> None:
    planted = lattice_of(np.arange(24).reshape(2, 3, 4))
    found = make_lattice(table_from(planted), JUDGE)
    assert (found.compositions, found.prompts, found.genres) == (planted.compositions, planted.prompts, planted.genres)
    np.testing.assert_array_equal(found.errors, planted.errors)
    np.testing.assert_array_equal(found.words, planted.words)
    assert (found.seeds, found.songs, found.dropped, found.wordless, found.full) == (4, 12, 0, 0, True)
    np.testing.assert_allclose(found.rates, np.arange(24).reshape(2, 3, 4) / 20)
    np.testing.assert_allclose(found.capped, np.minimum(np.arange(24).reshape(2, 3, 4) / 20, 1))
    assert found.capped.max() == 1.0 < found.rates.max()
    np.testing.assert_allclose(found.prompt_rates[1], [(12 + 13 + 14 + 15) / 80, 70 / 80, 86 / 80])


def test_characters_have_their_own_counts() -> None:
    found = make_lattice(table_of([row("folk-1", 1, "base", 2, words=10)]), JUDGE, "character")
    assert (found.errors.item(), found.words.item()) == (10, 60)


def test_all_three_kinds_of_word_errors_count() -> None:
    song = row("folk-1", 1, "base", 1, substitutions=3, insertions=5)
    assert make_lattice(table_of([song]), JUDGE).errors.item() == 9


def test_pairs_that_a_composition_lacks_are_left_out_and_counted() -> None:
    rows = [row(p, s, c, s) for p in ("a", "b", "c") for s in (1, 2, 3) for c in ("base", "lyrics")]
    gone = {("a", 2, "lyrics"), ("c", 1, "base"), ("c", 2, "base"), ("c", 3, "base")}
    kept = [r for r in rows if (r["prompt"], r["seed"], r["composition"]) not in gone]
    found = make_lattice(table_of(kept), JUDGE)
    assert (found.prompts, found.seeds, found.songs, found.dropped) == (("a", "b"), 3, 5, 4)
    assert found.present.tolist() == [[True, True, False], [True] * 3]
    assert not found.full
    np.testing.assert_array_equal(found.errors[0], [[1, 3, 0], [1, 2, 3]])  # complete seeds stand first
    np.testing.assert_allclose(found.prompt_rates[0], [0.2, 0.2])  # what is absent weighs nothing
    assert found.rates[0, 0, 2] == 0.0


def test_ragged_seeds_leave_the_figures_right() -> None:
    rows = [row("a", 1, "base", 8), row("b", 1, "base", 2), row("b", 2, "base", 3), row("b", 3, "base", 1)]
    [standing] = rank_standings(make_lattice(table_of(rows), JUDGE), resamples=10)
    assert standing.songs == 4
    assert standing.micro.value == pytest.approx(14 / 40)
    assert standing.macro.value == pytest.approx((0.8 + 0.2) / 2)
    assert standing.median == pytest.approx(0.25)  # of four songs, not of six places


def test_songs_without_words_are_left_out_and_counted() -> None:
    rows = [row(p, 1, c, 1, words=0 if p == "hum" else 10) for p in ("hum", "sung") for c in ("base", "lyrics")]
    found = make_lattice(table_of(rows), JUDGE)
    assert (found.prompts, found.wordless, found.dropped) == (("sung",), 2, 0)
    with pytest.raises(LatticeError, match="none of the songs has words to sing"):
        make_lattice(table_of(rows[:2]), JUDGE)


def test_select_and_at() -> None:
    planted = lattice_of(np.arange(24).reshape(3, 2, 4))
    chosen = planted.select(["nolyrics-asr", "base"])
    assert chosen.compositions == ("nolyrics-asr", "base")
    np.testing.assert_array_equal(chosen.errors, planted.errors[[2, 0]])
    part = planted.at(np.array([False, True]))
    assert (part.prompts, part.genres) == (("p1",), ("p1",))
    np.testing.assert_array_equal(part.errors, planted.errors[:, 1:])
    for names, message in ((["lyrics"], "choose from base"), (["base", "base"], "each once"), ([], "none")):
        with pytest.raises(LatticeError, match=message):
            planted.select(names)
    with pytest.raises(LatticeError, match="at least one"):
        planted.at(np.zeros(2, dtype=bool))


def test_a_judge_that_is_not_there() -> None:
    with pytest.raises(TableError, match=r"'nobody' is not in the table: it has planted judge"):
        make_lattice(table_of([row("a", 1, "base", 1)]), "nobody")


def test_an_empty_table() -> None:
    with pytest.raises(TableError, match="no rows"):
        make_lattice(table_of([]), JUDGE)


def test_nothing_in_common() -> None:
    with pytest.raises(LatticeError, match=r"all 2 compositions \(songs: base 2, lyrics 1\)"):
        make_lattice(table_of([row("a", 1, "base", 1), row("a", 2, "base", 1), row("a", 3, "lyrics", 1)]), JUDGE)


def test_songs_of_different_lyrics_are_no_pair() -> None:
    with pytest.raises(LatticeError, match=r"'a', seed 1 .*10 by base, 12 by lyrics"):
        make_lattice(table_of([row("a", 1, "base", 1), row("a", 1, "lyrics", 1, words=12)]), JUDGE)


def test_a_prompt_has_one_genre() -> None:
    with pytest.raises(LatticeError, match="the genres 'folk' and 'pop'"):
        make_lattice(table_of([row("a", 1, "base", 1, genre="folk"), row("a", 2, "base", 1, genre="pop")]), JUDGE)


def test_only_the_judge_asked_for() -> None:
    rows = [row("a", 1, "base", 1), row("a", 1, "base", 7, judge="other")]
    assert make_lattice(table_of(rows), JUDGE).errors.item() == 1
    assert make_lattice(table_of(rows), "other").errors.item() == 7
