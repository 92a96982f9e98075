"""What an evaluation lacks is said in its section, with how to get it, and all the rest is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from eval.report.page import render_report
from eval.report.sections import Options
from eval.results import Results
from eval.table import CELL, Table, make_heads
from tests.eval.report.planted import JUDGE, SECOND, copy, plant
from tests.eval.report.reading import Element, read_page, section, table


def rendered(results: Results, **options: Any) -> Element:
    return read_page(render_report(results, Options(**{"songs": 2, "prompts": 1, **options})))


def notes(page: Element, name: str) -> str:
    return " ".join(" ".join(note.text.split()) for note in section(page, name).find("p", "note"))


def test_no_attention_no_sound_one_judge(tmp_path: Path) -> None:
    page = rendered(plant(tmp_path, sounds=False, attention=False))
    assert "has its attention measured" in notes(page, "attention") and "--keep-maps first" in notes(page, "attention")
    assert not section(page, "attention").find("table") and not page.find("img") and not page.find("audio")
    assert "None of these songs can be played" in notes(page, "songs")
    assert "One judge listened" in notes(page, "result")
    assert table(section(page, "result"), "Word errors")[1:]


def test_one_composition(tmp_path: Path) -> None:
    page = rendered(plant(tmp_path, compositions=("base",)))
    assert "nothing to compare" in page.find("p", "finding")[0].text
    assert "--compositions" in notes(page, "result")
    assert "compare compositions" in notes(page, "choice") and "two by two needs" in notes(page, "factorial")
    assert "Difference to base" not in section(page, "result").find("table")[0].text
    assert not page.find("td", "best")


def test_one_seed_has_no_honest_oracle(tmp_path: Path) -> None:
    page = rendered(plant(tmp_path, seeds=(42,)))
    assert [row[0].split()[0] for row in table(section(page, "choice"), "The best choice")[1:]] == ["Optimistic"]
    assert "--seeds" in section(page, "choice").text


def test_no_base(tmp_path: Path) -> None:
    page = rendered(plant(tmp_path, compositions=("lyrics", "nolyrics")))
    assert "holds no base" in page.find("p", "finding")[0].text
    assert "reference" not in section(page, "result").find("table")[0].text


def test_songs_that_lack_their_mates_are_counted_and_named(tmp_path: Path) -> None:
    results = plant(tmp_path)
    made = results.table()
    Table(made.songs.drop(index=[0]), made.heads, made.about).write(tmp_path / "table.parquet")
    page = rendered(results)
    assert "2 songs for want of mates" in section(page, "method").text
    gone = made.songs.iloc[0]
    assert f"{gone['prompt']}, seed {gone['seed']}, {gone['composition']}" in section(page, "method").text


def test_nothing_that_can_be_compared(tmp_path: Path) -> None:
    results = plant(tmp_path, compositions=("base", "lyrics"), genres=("folk", "pop"))
    made = results.table()
    apart = made.songs[(made.songs["genre"] == "folk") == (made.songs["composition"] == "base")]
    Table(apart, made.heads, made.about).write(tmp_path / "table.parquet")
    page = rendered(results)
    assert "cannot be compared" in page.find("p", "finding")[0].text
    for name in ("result", "genres", "choice", "factorial"):
        assert "cannot be compared" in notes(page, name)
    assert table(section(page, "failures"), "Songs of each kind")[1:] and page.find("article", "song")


def test_a_table_made_elsewhere(tmp_path: Path) -> None:
    made = plant(tmp_path / "whole").table()
    songs = made.songs.assign(failure="mumbled")
    for about in ({}, {"adapters": [], "judges": 3, "prompts": None, "seeds": 7, "alignment_heads": "2.0"}):
        Table(songs, made.heads, about).write(tmp_path / "table.parquet")
        page = rendered(Results(tmp_path))
        assert section(page, "method").text.count("not told by this table") >= 8
        assert "does not say which files" in notes(page, "method")
        assert "means are over all heads" in notes(page, "attention")
        kinds = table(section(page, "failures"), "Songs of each kind")
        assert kinds[0][-2] == "mumbled, %" and {row[-2] for row in kinds[1:]} == {"100.0"}


def test_damaged_maps_and_sounds_are_told_and_their_mates_shown(tmp_path: Path, results: Results) -> None:
    broken = copy(results, tmp_path)
    for path in (tmp_path / "attention").iterdir():
        if ".lyrics." in path.name:
            path.write_bytes(b"no maps")
    for path in (tmp_path / "audio").iterdir():
        path.write_bytes(b"no sound")
    page = rendered(broken)
    assert "the maps of lyrics are not shown" in notes(page, "attention")
    (side_by_side, *heads) = page.find("img")
    assert "nolyrics" in side_by_side.attributes["alt"] and ", lyrics," not in side_by_side.attributes["alt"]
    assert len(heads) == 4
    assert "cannot be played" in section(page, "songs").text


def test_maps_of_other_words_are_not_drawn_beside(tmp_path: Path, results: Results) -> None:
    other = plant(tmp_path / "other", lyrics="la la la\nwords of another song")
    mixed = copy(results, tmp_path / "mixed")
    for path in (other.folder / "attention").iterdir():
        if ".lyrics." in path.name:
            (mixed.folder / "attention" / path.name).write_bytes(path.read_bytes())
    assert "the maps of lyrics are not shown: they are of other words" in notes(rendered(mixed), "attention")


def test_what_is_too_heavy_is_left_out_and_told(results: Results) -> None:
    text = render_report(results, Options(songs=6, prompts=3, megabytes=0.3))
    page = read_page(text)
    weight = sum(len(e.attributes.get("src", "")) for e in page.walk())
    assert 0 < weight <= 0.3e6
    assert "No room left in this page for" in notes(page, "attention")


def test_heads_without_figures_are_dashes(tmp_path: Path, results: Results) -> None:
    made = results.table()
    names = [name for name in made.heads if name not in (*CELL, "layer", "head", "dominant_token", "dominant_kind")]
    empty = made.heads.assign(**dict.fromkeys(names, float("nan")))
    Table(made.songs, empty, made.about).write(tmp_path / "table.parquet")
    rows = table(section(rendered(Results(tmp_path)), "attention"), "Attention by composition")[1:]
    assert {row[5] for row in rows} == {"– –"} and "–" not in rows[0][-1]


def test_a_second_judge_that_heard_less_is_shown_with_what_it_heard(results: Results, tmp_path: Path) -> None:
    made = results.table()
    less: Sequence[bool] = (made.songs["judge"] == JUDGE) | (made.songs["genre"] == "folk")
    songs: pd.DataFrame = made.songs[less]
    Table(songs, make_heads([]), made.about).write(tmp_path / "table.parquet")
    first, second = section(rendered(Results(tmp_path)), "result").find("table")
    assert SECOND in second.find("caption")[0].text
    assert [row[-1] for row in first.rows()[1:]] == ["6"] * 5 and [row[-1] for row in second.rows()[1:]] == ["2"] * 5
