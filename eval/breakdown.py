"""What goes wrong in each composition's songs: words missed, mistaken or added, kinds of failure, songs not compared.

Over the same songs as everything else that is compared: those that all compositions sang and that have words. Knows the
table only.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from eval.table import Table

#: Kinds of failure from the best to the worst; others, of tables made elsewhere, stand after them.
KINDS = ("good", "garbled", "unrelated", "boilerplate", "loop", "silent")


@dataclass(frozen=True)
class Breakdown:
    """One composition. ``substitutions``, ``deletions``, ``insertions``: per word to be sung, all songs together, so
    that they add up to the micro WER; ``mer``: mean of its songs' match error rates, at most 1.

    ``failures``: songs of each kind, every kind that any composition has. ``dropped``: its songs left out because
    another composition lacked the same prompt and seed; ``missing``: prompts and seeds that others sang and it did not,
    for which their songs were left out. If songs go missing where singing fails, what is left is too good.
    """

    composition: str
    songs: int
    substitutions: float
    deletions: float
    insertions: float
    mer: float
    failures: dict[str, int]
    dropped: int
    missing: int


def break_down(table: Table, judge: str) -> tuple[Breakdown, ...]:
    """Every composition, in the order of its first row; empty where no song was sung by all.

    Raises:
        TableError: no such judge listened.
    """
    songs = table.of_judge(judge)
    names = list(dict.fromkeys(songs["composition"]))
    cells = songs.groupby(["prompt", "seed"])
    sung = songs[cells["reference_words"].transform("min") > 0]
    complete = sung.groupby(["prompt", "seed"])["composition"].transform("nunique") == len(names)
    compared = sung[complete]
    if compared.empty:
        return ()
    there = set(compared["failure"])
    kinds = [kind for kind in KINDS if kind in there] + sorted(there - set(KINDS))
    wanted = len(sung[["prompt", "seed"]].drop_duplicates())
    rows = []
    for name in names:
        mine, all_mine = compared[compared["composition"] == name], int((sung["composition"] == name).sum())
        rows.append(_row(name, mine, kinds, dropped=all_mine - len(mine), missing=wanted - all_mine))
    return tuple(rows)


def _row(name: str, songs: pd.DataFrame, kinds: list[str], dropped: int, missing: int) -> Breakdown:
    words = float(songs["reference_words"].sum())
    missed, added, mistaken = (float(songs[c].sum()) / words for c in ("deletions", "insertions", "substitutions"))
    return Breakdown(
        composition=name,
        songs=len(songs),
        substitutions=mistaken,
        deletions=missed,
        insertions=added,
        mer=float(songs["mer"].mean()),
        failures={kind: int((songs["failure"] == kind).sum()) for kind in kinds},
        dropped=dropped,
        missing=missing,
    )
