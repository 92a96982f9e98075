"""Which songs are worth hearing, and each as a card: what was to be sung beside what was heard, word by word.

Knows the rows of the results table. The figures are the table's; only the marks on the words are worked out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from eval.marking import Mark, align_pairs, mark_heard, mark_written
from eval.report.budget import Budget
from eval.report.sounds import Sound, embed_sound
from eval.results import Results
from eval.table import CELL, Table
from eval.wer import score

#: Rates this far apart are another alignment, not rounding.
_CLOSE = 0.005


Rank = Literal["best", "worst"]


@dataclass(frozen=True)
class Line:
    """One line of lyrics, on the side to be sung and on the side that was heard."""

    written: list[Mark]
    heard: list[Mark]


@dataclass(frozen=True)
class Card:
    """One song of the page. ``row``: its row of the table; ``others``: the error rates of the other judges."""

    rank: Rank
    row: dict[str, Any]
    lines: list[Line]
    sound: Sound
    others: dict[str, float]
    disagrees: float | None  # the rate our alignment gives, where it is not the table's

    @property
    def level(self) -> str:
        rate = self.row["wer"]
        return "good" if rate <= 0.2 else "fair" if rate <= 0.5 else "poor"


def make_cards(results: Results, table: Table, judge: str, count: int, budget: Budget) -> list[Card]:
    """The ``count`` songs to show: the best half first, the best of all at the top, then the worst."""
    heard = table.of_judge(judge)
    best, worst = choose_songs(heard, count)
    others = table.songs[table.songs["judge"] != judge].groupby(list(CELL), sort=False)
    elsewhere = {cell: dict(zip(rows["judge"], rows["wer"], strict=True)) for cell, rows in others}
    cards = []
    ranked: tuple[tuple[Rank, list[dict[str, Any]]], ...] = (("best", best), ("worst", worst))
    for rank, rows in ranked:
        for row in rows:
            cell = tuple(row[key] for key in CELL)
            errors = score(row["lyrics"], row["transcript"])
            lines = [Line(mark_written(t), mark_heard(t)) for t in align_pairs(row["lyrics"], errors.alignment)]
            disagrees = errors.wer if abs(errors.wer - row["wer"]) > _CLOSE else None
            sound = embed_sound(results.audio_path(*cell), budget)
            cards.append(Card(rank, row, lines, sound, elsewhere.get(cell, {}), disagrees))
    return cards


def choose_songs(heard: pd.DataFrame, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The best and the worst songs of one judge by word error rate, of every composition in turn and of other genres
    as long as there are some: the best of one easy genre would be all that a plain ranking shows.
    """
    rows = heard.sort_values(["wer", "cer", "prompt", "seed"], kind="stable").to_dict("records")
    count = min(count, len(rows))
    best = _spread(rows, count - count // 2)
    taken = {_cell(row) for row in best}
    worst = _spread([row for row in reversed(rows) if _cell(row) not in taken], count // 2)
    return best, worst


def _spread(ranked: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first ``count`` of ``ranked`` that are of compositions in turn, in the order of the ranking."""
    order = {_cell(row): at for at, row in enumerate(ranked)}
    turns = list(dict.fromkeys(row["composition"] for row in ranked))
    genres: set[str] = set()
    chosen: list[dict[str, Any]] = []
    left = list(ranked)
    while left and len(chosen) < count:
        for composition in turns:
            mine = [row for row in left if row["composition"] == composition]
            if mine and len(chosen) < count:
                found = next((row for row in mine if row["genre"] not in genres), mine[0])
                genres.add(found["genre"])
                chosen.append(found)
                left.remove(found)
    return sorted(chosen, key=lambda row: order[_cell(row)])


def _cell(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in CELL)
