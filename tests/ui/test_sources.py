"""Results tables are found where they lie, told with what they hold, and damaged ones harm no other."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.request import read_request
from eval.results import Results
from eval.summary import summarise_table
from eval.table import PARQUET, read_table
from tests.ui.planted_tables import (
    COMPOSITIONS,
    JUDGE,
    SECOND,
    plant_results,
    planted_record,
    planted_sound,
    wrong_words,
)
from ui.sources import EVALUATIONS, ROUTER_TABLE, SourceError, Sources

ID = "0123456789abcdef"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A songs' folder with a table in ``eval`` and one evaluation; the model has none of its own."""
    plant_results(tmp_path / "songs" / "eval")
    plant_results(tmp_path / "songs" / EVALUATIONS / ID, compositions=("base", "folk=1"))
    (tmp_path / "model").mkdir()
    return tmp_path


def open_sources(places: Path) -> Sources:
    songs: Any = SimpleNamespace(store=SimpleNamespace(folder=places / "songs"))
    return Sources(songs, places / "model")


def test_tables_are_listed_with_what_they_hold(places: Path) -> None:
    ours, evaluation = open_sources(places).listed()
    assert (ours.id, evaluation.id) == ("eval", ID) and ours.fault is None
    assert ours.judges == (JUDGE, SECOND) and ours.compositions == COMPOSITIONS and ours.genres == ("folk", "rock")
    assert (ours.prompts, ours.seeds, ours.songs) == (4, 2, 24) and evaluation.songs == 16
    assert ours.about["steps"] == 2 and "2026-01-02 03:04" in evaluation.title
    table = (places / "songs" / "eval" / PARQUET).read_bytes()
    (places / "model" / PARQUET).write_bytes(table)
    (places / "model" / ROUTER_TABLE).write_bytes(table)
    assert [source.id for source in open_sources(places).listed()] == ["shipped", "router", "eval", ID]


def test_a_summary_is_that_of_the_table(places: Path) -> None:
    sources = open_sources(places)
    expected = summarise_table(read_table(places / "songs" / "eval"), SECOND)
    found = sources.summary("eval", SECOND)
    assert asdict(found) == asdict(expected)
    rates = {standing.composition: standing.macro.value for standing in found.words}
    for name in COMPOSITIONS:
        planted = np.mean([wrong_words(genre, seed, name) / 10 for genre in ("folk", "rock") for seed in (1, 2)])
        assert rates[name] == pytest.approx(planted)
    assert sources.summary("eval").judge == JUDGE, "the first one is meant unless another is named"


def test_it_is_worked_out_once_until_the_file_changes(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, asked = open_sources(places), list[str]()

    def count(table: Any, judge: str) -> Any:
        asked.append(judge)
        return summarise_table(table, judge)

    monkeypatch.setattr("ui.sources.summarise_table", count)
    first = sources.summary("eval", JUDGE)
    assert sources.summary("eval", JUDGE) is first and asked == [JUDGE]
    plant_results(places / "songs" / "eval", compositions=("base", "rock=0.5"))
    assert sources.summary("eval", JUDGE).extent.compositions == ("base", "rock=0.5") and len(asked) == 2
    assert sources.source("eval").songs == 16


def test_a_cell_lists_its_songs_as_they_can_be_sung_again(places: Path) -> None:
    sources = open_sources(places)
    songs = sources.cell("eval", JUDGE, "rock", "base")
    assert [(s.prompt, s.seed) for s in songs] == [("rock-0", 1), ("rock-0", 2), ("rock-1", 1), ("rock-1", 2)]
    assert [s.wer for s in songs] == [0.4, 0.5, 0.4, 0.5] and {s.genre for s in songs} == {"rock"}
    assert [s.sound for s in songs] == [s.maps for s in songs] == [True, False, True, False]
    again = read_request(sources.cell("eval", JUDGE, "rock", "rock=0.5")[1].request)
    assert again.composition == {"rock": 0.5} and (again.seed, again.steps, again.caption) == (2, 2, "a rock song")
    assert again.lyrics == "[verse]\nten words" and again.attention is not None and again.attention.steps == "all"


def test_sounds_and_maps_are_those_of_the_song(places: Path) -> None:
    sources = open_sources(places)
    sound = sources.audio("eval", "folk-0", 1, "base")
    assert sound is not None and sound.read_bytes() == planted_sound()
    maps = sources.attention("eval", "folk-0", 1, "base")
    assert maps is not None and maps.lyric_map.words == ("ten", "words")
    np.testing.assert_array_equal(maps.recorded[0].maps, planted_record().recorded[0].maps)
    assert sources.audio("eval", "folk-0", 2, "base") is None is sources.attention("eval", "folk-0", 2, "base")
    Results(places / "songs" / "eval").attention_path("folk-0", 1, "base").write_bytes(b"no maps")
    with pytest.raises(SourceError, match="no attention maps") as raised:
        sources.attention("eval", "folk-0", 1, "base")
    assert not raised.value.missing


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no table", "is no results table"), (b"", "is no results table")],
)
def test_a_damaged_table_is_told_and_harms_no_other(places: Path, content: bytes, said: str) -> None:
    (places / "model" / PARQUET).write_bytes(content)
    sources = open_sources(places)
    damaged, ours, _ = sources.listed()
    assert damaged.id == "shipped" and said in str(damaged.fault) and not damaged.judges and ours.fault is None
    with pytest.raises(SourceError, match=said) as raised:
        sources.summary("shipped")
    assert not raised.value.missing
    assert sources.summary("eval").extent.songs == 8


def test_tables_of_other_figures_are_told(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_table(places / "songs" / "eval")
    table.songs.loc[0, "wer"] = np.inf
    table.write(places / "songs" / "eval" / PARQUET)
    sources = open_sources(places)
    assert "no number" in str(sources.listed()[0].fault)
    table.songs[:0].pipe(lambda empty: type(table)(empty, table.heads, {})).write(places / "songs" / "eval" / PARQUET)
    assert "has no rows" in str(sources.listed()[0].fault)
    monkeypatch.setattr("ui.sources.MAX_TABLE", 100)
    assert "is larger than" in str(open_sources(places).listed()[0].fault)


@pytest.mark.parametrize(
    "source", ["", "..", "../eval", "nope", ID[:-1], ID.upper(), f"{ID}/", "fedcba9876543210", "a\0b"]
)
def test_what_is_no_table_is_told_with_those_there_are(places: Path, source: str) -> None:
    with pytest.raises(SourceError, match=f"choose from eval, {ID}") as raised:
        open_sources(places).summary(source)
    assert raised.value.missing


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("nobody", "folk", "base"), f"choose from {JUDGE}, {SECOND}"),
        ((JUDGE, "jazz", "base"), "no genre 'jazz': choose from folk, rock"),
        ((JUDGE, "folk", "jazz=1"), "no composition 'jazz=1': choose from base, folk=1, rock=0.5"),
    ],
)
def test_what_a_table_lacks_is_told_with_what_it_has(places: Path, asked: tuple[str, str, str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_sources(places).cell("eval", *asked)


@pytest.mark.parametrize("song", [("folk-0", 3, "base"), ("../folk-0", 1, "base"), ("folk-0", 1, "../base")])
def test_no_path_leads_out_of_the_folder(places: Path, song: tuple[str, int, str]) -> None:
    with pytest.raises(SourceError, match="has no song of"):
        open_sources(places).audio("eval", *song)


def test_links_in_the_songs_folder_are_not_followed(places: Path) -> None:
    songs = places / "songs"
    os.symlink(songs / "eval", songs / EVALUATIONS / "fedcba9876543210")
    sound = Results(songs / "eval").audio_path("folk-0", 1, "base")
    os.rename(sound, places / "elsewhere.flac")
    os.symlink(places / "elsewhere.flac", sound)
    sources = open_sources(places)
    assert [source.id for source in sources.listed()] == ["eval", ID]
    assert sources.audio("eval", "folk-0", 1, "base") is None
