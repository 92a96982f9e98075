"""The songs shown are the best and the worst, spread, and each is told with the table's figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from eval.report.budget import Budget
from eval.report.transcripts import choose_songs, make_cards
from eval.results import Results
from tests.eval.report.planted import JUDGE, SECOND


def row(composition: str, genre: str, wer: float, seed: int = 1) -> dict[str, Any]:
    return {"prompt": genre, "genre": genre, "seed": seed, "composition": composition, "wer": wer, "cer": wer}


def test_compositions_take_turns_and_genres_are_new_where_they_can_be() -> None:
    rows = [row("a", g, 0.01 * i) for i, g in enumerate("wxyz")] + [
        row("b", g, 0.5 + 0.01 * i) for i, g in enumerate("wxyz")
    ]
    best, worst = choose_songs(pd.DataFrame(rows), 6)
    assert [(r["composition"], r["genre"]) for r in best] == [("a", "w"), ("a", "y"), ("b", "x")]
    assert Counter(r["composition"] for r in worst) == {"a": 1, "b": 2}
    assert len({r["genre"] for r in worst}) == 3 and worst[0]["wer"] == max(r["wer"] for r in rows)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 100])
def test_no_song_is_shown_twice_and_never_more_than_there_are(count: int) -> None:
    rows = [row(c, g, 0.5, seed) for c in "ab" for g in "xy" for seed in (1, 2)]
    best, worst = choose_songs(pd.DataFrame(rows), count)
    cells = [(r["prompt"], r["seed"], r["composition"]) for r in (*best, *worst)]
    assert len(set(cells)) == len(cells) == min(count, len(rows))
    assert len(best) - len(worst) in (0, 1)


def test_a_card_tells_the_other_judges_and_an_alignment_that_is_not_the_tables(results: Results) -> None:
    made = results.table()
    cards = make_cards(results, made, JUDGE, 4, Budget(5))
    assert [card.rank for card in cards] == ["best", "best", "worst", "worst"]
    other = made.of_judge(SECOND).set_index(["prompt", "seed", "composition"])["wer"]
    for card in cards:
        cell = card.row["prompt"], card.row["seed"], card.row["composition"]
        assert card.others == {SECOND: other[cell]} and card.disagrees is None
    songs = made.songs.copy()
    songs["wer"] = songs["wer"] + 0.1
    shifted = make_cards(results, replace(made, songs=songs), JUDGE, 1, Budget(5))
    assert shifted[0].disagrees == pytest.approx(shifted[0].row["wer"] - 0.1)
