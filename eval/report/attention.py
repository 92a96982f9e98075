"""What the heads attend to, by composition: measures beside their nulls, and the heads that follow the words best.

Knows the table's measures of heads; takes means of them and measures nothing itself. Compositions are compared on the
songs that all of them sang.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from eval.report.budget import Budget
from eval.report.maps import Pictures, draw_maps, find_kept
from eval.results import Results
from eval.table import CELL, Table

#: Measures of a head, and the one of the whole song, with their names on the page.
MEASURES = (
    ("lyric_mass", "Lyric mass"),
    ("entropy", "Entropy, nats"),
    ("dominant", "Dominant token"),
    ("switch_rate", "Switch rate"),
    ("diagonal", "Diagonal"),
    ("order", "Order"),
)
SCORE = ("alignment_score", "Alignment score")


@dataclass(frozen=True)
class Cell:
    """A mean and the mean of its null; None where there is none."""

    value: float | None
    null: float | None


@dataclass(frozen=True)
class BestHead:
    """The head of a layer whose attention lies nearest the straight way through the words, and how near.

    Chosen by ``diagonal``, which therefore lies above its null by more than that of a head named beforehand.
    """

    head: int
    diagonal: Cell
    order: Cell
    is_alignment: bool


@dataclass(frozen=True)
class Attention:
    """The whole section. ``followers``: the heads that means are over, empty for all; ``songs``: how many songs (a
    prompt and a seed) all compositions sang, which means are over, 0 where there is none and they are over each
    composition's own; ``missing``: what is not there, and how to get it.
    """

    rows: list[tuple[str, dict[str, Cell]]]
    followers: str
    songs: int
    layers: list[tuple[int, dict[str, BestHead]]]
    pictures: Pictures
    missing: list[str]


def describe_attention(results: Results, table: Table, judge: str, prompts: int, budget: Budget) -> Attention:
    """The section; pictures of at most ``prompts`` prompts. Never raises: what is not there is told."""
    followers = alignment_heads(table)
    table, songs = pair_songs(table)
    kept = find_kept(results, table, judge, prompts)
    pictures = draw_maps(results, kept, followers, budget)
    measured = not table.heads.empty or bool(table.songs["alignment_score"].notna().any())
    missing = []
    if not measured:
        missing.append(
            "No song of this table has its attention measured. `choirmaster eval` measures it while a song is sung, so "
            "songs that were judged elsewhere have none."
        )
    elif not followers:
        missing.append("The table does not say which heads the model aligns by, so means are over all heads.")
    if not kept and prompts:
        missing.append(
            "No attention maps lie beside this table, so nothing is drawn: `choirmaster eval --keep-maps first` keeps "
            "those of every prompt's first seed, in the folder `attention`."
        )
    return Attention(
        rows=mean_measures(table, followers) if measured else [],
        followers=", ".join(f"{layer}.{head}" for layer, head in followers),
        songs=songs,
        layers=best_heads(table, followers),
        pictures=pictures,
        missing=missing + pictures.damaged,
    )


def pair_songs(table: Table) -> tuple[Table, int]:
    """The table with only those measured songs that every measured composition sang, and how many these are.

    Where there is no such song the table is as it was. Compositions without any measure make no difference.
    """
    keys = list(CELL)
    scored = table.songs[table.songs["alignment_score"].notna()]
    measured = pd.concat([table.heads[keys], scored[keys]]).drop_duplicates()
    singers = measured.groupby(["prompt", "seed"], sort=False)["composition"].nunique()
    paired = singers.index[singers == measured["composition"].nunique()]
    if not len(paired):
        return table, 0

    def keep(rows: pd.DataFrame) -> pd.DataFrame:
        kept: pd.DataFrame = rows[pd.MultiIndex.from_frame(rows[["prompt", "seed"]]).isin(paired)]
        return kept

    return Table(keep(table.songs), keep(table.heads), table.about), len(paired)


def alignment_heads(table: Table) -> list[tuple[int, int]]:
    """The heads that the table calls alignment heads; empty where it names none that it has measures of."""
    found = table.about.get("alignment_heads")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return []
    named = {tuple(pair) for pair in found if isinstance(pair, Sequence) and len(pair) == 2}
    there = set(zip(table.heads["layer"], table.heads["head"], strict=True))
    return sorted((int(layer), int(head)) for layer, head in there if (layer, head) in named)


def mean_measures(table: Table, followers: Sequence[tuple[int, int]]) -> list[tuple[str, dict[str, Cell]]]:
    """Composition, and each measure's mean over its songs and the ``followers`` (all heads where there are none)."""
    chosen = table.heads
    if followers:
        chosen = chosen[pd.MultiIndex.from_frame(chosen[["layer", "head"]]).isin(list(followers))]
    names = [name for measure, _ in MEASURES for name in (measure, f"{measure}_null")]
    means = chosen.groupby("composition", sort=False)[names].mean()
    songs = table.songs.drop_duplicates(list(CELL)).groupby("composition", sort=False)
    scores = songs[["alignment_score", "alignment_null"]].mean()
    rows = []
    for composition in table.compositions:
        cells = {
            measure: Cell(_at(means, composition, measure), _at(means, composition, f"{measure}_null"))
            for measure, _ in MEASURES
        }
        score = Cell(_at(scores, composition, "alignment_score"), _at(scores, composition, "alignment_null"))
        rows.append((composition, {**cells, SCORE[0]: score}))
    return rows


def best_heads(table: Table, followers: Sequence[tuple[int, int]]) -> list[tuple[int, dict[str, BestHead]]]:
    """By layer, the best head of every composition, by its mean diagonal over songs."""
    names = ["diagonal", "diagonal_null", "order", "order_null"]
    means = table.heads.groupby(["composition", "layer", "head"], sort=True)[names].mean()
    means = means.dropna(subset=["diagonal"])
    if means.empty:
        return []
    best = means.loc[means.groupby(level=["composition", "layer"])["diagonal"].idxmax()]
    layers: dict[int, dict[str, BestHead]] = {}
    for (composition, layer, head), row in best.iterrows():
        values = {name: None if pd.isna(row[name]) else float(row[name]) for name in names}
        diagonal = Cell(values["diagonal"], values["diagonal_null"])
        order = Cell(values["order"], values["order_null"])
        found = BestHead(int(head), diagonal, order, (layer, head) in followers)
        layers.setdefault(int(layer), {})[composition] = found
    return sorted(layers.items())


def _at(means: pd.DataFrame, composition: str, column: str) -> float | None:
    found = means[column].get(composition)
    return None if found is None or pd.isna(found) else float(found)
