"""Attention is compared on the songs that all sang, and every figure stands beside what chance gives."""

from __future__ import annotations

import pandas as pd
import pytest

from eval.report.attention import best_heads, mean_measures, pair_songs
from eval.results import Results
from eval.table import Table
from tests.eval.report.planted import plant
from tests.eval.report.reading import Element, section, table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("attention")
    return plant(folder, compositions=("base", "lyrics"), sounds=False).table()


def without(table: Table, prompt: str, composition: str) -> Table:
    """The table as it is where one composition's songs of one prompt are not there yet."""

    def keep(rows: pd.DataFrame) -> pd.DataFrame:
        kept: pd.DataFrame = rows[(rows["prompt"] != prompt) | (rows["composition"] != composition)]
        return kept

    return Table(keep(table.songs), keep(table.heads), table.about)


def test_means_are_over_the_songs_that_all_sang(made: Table) -> None:
    whole, songs = pair_songs(made)
    assert songs == 6 and len(whole.songs) == len(made.songs) and len(whole.heads) == len(made.heads)
    part, songs = pair_songs(without(made, "pop-1", "lyrics"))
    assert songs == 4 and set(part.songs["prompt"]) == set(part.heads["prompt"]) == {"folk-1", "rock-1"}
    both = made.heads[made.heads["prompt"] != "pop-1"]
    for composition, cells in mean_measures(part, []):
        mine = both[both["composition"] == composition]["diagonal"].mean()
        assert cells["diagonal"].value == pytest.approx(mine)


def test_without_a_common_song_each_has_its_own(made: Table) -> None:
    apart = without(made, "folk-1", "base")
    for prompt, composition in (("pop-1", "lyrics"), ("rock-1", "lyrics")):
        apart = without(apart, prompt, composition)
    found, songs = pair_songs(apart)
    assert songs == 0 and found is apart


def test_a_composition_without_measures_takes_none_from_the_others(made: Table) -> None:
    silent = made.songs["composition"] == "lyrics"
    songs = made.songs.assign(alignment_score=made.songs["alignment_score"].mask(silent))
    heads = made.heads[made.heads["composition"] != "lyrics"]
    found, count = pair_songs(Table(songs, heads, made.about))
    assert count == 6 and found.compositions == ["base", "lyrics"]
    assert mean_measures(found, [])[1][1]["diagonal"].value is None


def test_best_heads_have_their_nulls(made: Table) -> None:
    heads = made.heads.assign(
        diagonal_null=made.heads["head"] / 10, order_null=made.heads["layer"] / 10, diagonal=made.heads["head"] / 4
    )
    layers = dict(best_heads(Table(made.songs, heads, made.about), [(2, 3)]))
    for layer in range(6):
        best = layers[layer]["base"]
        assert best.head == 3 and best.is_alignment == (layer == 2)
        assert best.diagonal.value == 0.75 and best.diagonal.null == pytest.approx(0.3)
        assert best.order.null == pytest.approx(layer / 10)


def test_limits_and_chance_are_named(page: Element, results: Results) -> None:
    found = section(page, "attention")
    header = table(found, "Attention by composition")[0]
    assert {name: name.endswith("95 % limit") for name in header[1:]} == {
        name: name.startswith("Order") for name in header[1:]
    }
    assert sum(name.endswith("chance") for name in header) == 6
    assert "means over the 6 songs that every composition sang" in found.text
    assert "best of several" in found.text and "share of words among the lyric tokens" in found.text
    heads = results.table().heads
    means = heads[heads["composition"] == "lyrics"].groupby(["layer", "head"])[["diagonal", "diagonal_null"]].mean()
    value, null = means.loc[(1, means.loc[1]["diagonal"].idxmax())]
    layers = table(found, "Head, its diagonal")
    assert f"{value:.2f} ({null:.2f}) · " in layers[2][layers[0].index("lyrics")]
