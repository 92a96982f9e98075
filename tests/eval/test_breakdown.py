"""What goes wrong, by hand."""

from __future__ import annotations

import pytest

from eval.breakdown import break_down
from eval.lattice import make_lattice
from eval.table import TableError
from tests.eval.lattices import JUDGE, row, table_of


def test_by_hand() -> None:
    rows = [
        row("a", 1, "base", 2, substitutions=1, insertions=4, mer=0.5, failure="loop"),
        row("a", 1, "lyrics", 0, failure="good"),
        row("b", 1, "base", 1, words=30, mer=0.1, failure="good"),
        row("b", 1, "lyrics", 3, words=30, substitutions=2, mer=0.3, failure="mumbled"),
        row("a", 2, "base", 9, failure="silent"),  # lyrics did not sing these two
        row("b", 2, "base", 9, words=30, failure="silent"),
        row("c", 1, "lyrics", 9, failure="silent"),
        row("d", 1, "base", 0, words=0),  # nothing to sing
        row("d", 1, "lyrics", 0, words=0),
    ]
    base, lyrics = break_down(table_of(rows), JUDGE)
    assert (base.composition, base.songs, base.dropped, base.missing) == ("base", 2, 2, 1)
    assert (lyrics.composition, lyrics.songs, lyrics.dropped, lyrics.missing) == ("lyrics", 2, 1, 2)
    assert (base.substitutions, base.deletions, base.insertions) == pytest.approx((1 / 40, 3 / 40, 4 / 40))
    assert (base.mer, lyrics.mer) == pytest.approx((0.3, 0.15))
    assert list(base.failures.items()) == [("good", 1), ("loop", 1), ("mumbled", 0)]
    assert lyrics.failures == {"good": 1, "loop": 0, "mumbled": 1}
    lattice = make_lattice(table_of(rows), JUDGE)
    assert base.dropped + lyrics.dropped == lattice.dropped and base.songs == lattice.songs


def test_nothing_in_common_and_nobody() -> None:
    table = table_of([row("a", 1, "base", 1), row("b", 1, "lyrics", 1)])
    assert break_down(table, JUDGE) == ()
    with pytest.raises(TableError, match="'x' is not in the table"):
        break_down(table, "x")
