"""Parts of the Evidence tab say what the table holds, worked out another way, and escape what it says."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eval.agreement import measure_agreement
from eval.report.colours import heat_class
from eval.summary import Summary, summarise_table
from eval.table import Table
from router.errors import RouterError
from tests.eval.lattices import row, table_of
from tests.router.report.planted import make_bare, make_findings
from tests.ui.planted_tables import JUDGE, SECOND, plant_results
from ui.cell_songs import show_cell
from ui.evidence_findings import show_agreement, show_factorial, show_failures, show_wins
from ui.evidence_standings import show_headline, show_standings
from ui.genre_heatmap import show_heatmap
from ui.router_evidence import show_findings, show_routing
from ui.routing import Routing
from ui.sources import CellSong

NASTY = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return plant_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def summary(table: Table) -> Summary:
    return summarise_table(table, JUDGE, resamples=200)


def read_cells(html: str) -> dict[tuple[str, str], tuple[float, bool, str]]:
    """Rate, whether it is marked as the best, and the class of every cell of a heat map."""
    found = re.findall(
        r'<td class="(heat-\w+)( best)?" data-value="([\d.e-]+)"><button type="button" class="cell" '
        r'data-genre="([^"]*)" data-composition="([^"]*)"',
        html,
    )
    return {(genre, name): (float(value), bool(best), kind) for kind, best, value, genre, name in found}


def test_every_cell_is_the_rate_of_its_songs_and_the_best_of_a_row_is_marked(table: Table, summary: Summary) -> None:
    cells = read_cells(show_heatmap(summary))
    songs = table.songs[table.songs["judge"] == JUDGE]
    errors = songs[["substitutions", "deletions", "insertions"]].sum(axis=1)
    sums = songs.assign(errors=errors).groupby(["genre", "composition"])[["errors", "reference_words"]].sum()
    expected = (sums["errors"] / sums["reference_words"]).to_dict()
    assert {key: value for key, (value, _, _) in cells.items()} == pytest.approx(expected)
    for genre in ("folk", "rock"):
        lowest = min(rate for (where, _), rate in expected.items() if where == genre)
        for (where, name), (value, best, kind) in cells.items():
            if where == genre:
                assert best == (expected[genre, name] == pytest.approx(lowest))
                assert kind == heat_class(value)
    assert expected["folk", "folk=1"] == pytest.approx(0.15) and cells["folk", "folk=1"][1]


def test_a_cell_says_in_words_what_it_is(summary: Summary) -> None:
    html = show_heatmap(summary)
    assert "folk, folk: 15.0 % of the words wrong, the best of this genre" in html
    assert "4 songs of 2 prompts" in html and html.count('scope="row"') == 3  # two genres and all of them
    assert html.count('scope="col"') == 4 and '<b><span class="star" aria-hidden="true">★</span>15.0</b>' in html


def test_the_standings_are_those_of_the_summary(summary: Summary) -> None:
    html = show_standings(summary)
    for standing in summary.words:
        assert f'data-value="{standing.micro.value}"' in html and f'data-value="{standing.macro.value}"' in html
    for found in summary.comparisons:
        assert f'data-value="{found.difference.value}"' in html
    assert html.count("data-hint") >= 6 and html.count("compared with") == 1
    headline = show_headline(summary)
    assert "8 songs of each composition" in headline and f"heard by {JUDGE}" in headline


def test_what_a_table_says_is_escaped() -> None:
    names = ("base", f"x{NASTY}=1")
    rows = [
        row(f"p{n}", 1, name, 2, 10, genre=NASTY, judge=NASTY, failure=NASTY, caption=NASTY)
        for n in range(3)
        for name in names
    ]
    summary = summarise_table(table_of(rows), NASTY, resamples=200)
    shown = [show_headline(summary), show_standings(summary), show_heatmap(summary), show_wins(summary)]
    song = CellSong("p", 1, names[1], NASTY, NASTY, NASTY, 0.5, NASTY, True, True, {"caption": NASTY})
    shown += [show_failures(summary), show_cell("eval", NASTY, NASTY, names[1], [song], names)]
    for html in shown:
        assert "<img" not in html and html


def test_wins_and_kinds_are_counted(table: Table, summary: Summary) -> None:
    wins = show_wins(summary)
    for found in summary.wins:
        assert f"<td>{found.unique}</td><td>{found.shared}</td>" in wins
    kinds = show_failures(summary)
    songs = table.songs[(table.songs["judge"] == JUDGE) & (table.songs["composition"] == "base")]
    for count in songs["failure"].value_counts():
        assert f"<td>{count}</td>" in kinds
    assert "base: " in kinds and 'role="img"' in kinds


def test_the_two_by_two_stands_only_where_its_four_were_sung(summary: Summary) -> None:
    assert show_factorial(summary.factorial) == ""
    wrong = {"nolyrics=1": 5, "nolyrics-asr=1": 6, "lyrics=1": 2, "lyrics-asr=1": 3}
    rows = [row(f"p{n}", 1, name, errors, 10) for n in range(3) for name, errors in wrong.items()]
    found = summarise_table(table_of(rows), table_of(rows).judges[0], resamples=200)
    html = show_factorial(found.factorial)
    assert [m for m in re.findall(r"<b>([\d.]+)</b>", html)] == ["50.0", "60.0", "20.0", "30.0"]
    assert "Training on lyrics" in html and "−30.0 points" in html and "+10.0 points" in html


def test_judges_that_hear_alike_agree(table: Table) -> None:
    html = show_agreement(measure_agreement(table, JUDGE, SECOND, resamples=200))
    assert html.count("<b>1.00</b>") == 3 and show_agreement(None) == ""


def test_the_songs_of_a_cell_have_what_was_kept_and_their_request() -> None:
    request = {"caption": "a 'folk' song", "lyrics": "ten words", "composition": "folk=1", "seed": 7, "steps": 2}
    kept = CellSong("p&q", 7, "folk=1", "a folk song", "ten words", "ten birds", 0.5, "garbled", True, True, request)
    bare = CellSong("p", 8, "folk=1", "a folk song", "ten words", "ten words", 0.0, "good", False, False, request)
    html = show_cell("eval", JUDGE, "folk", "folk=1", [kept, bare], ["base", "folk=1"])
    assert html.count("<audio") == 1 and html.count("data-src=") == 1 and "was not kept" in html
    assert "/v1/evidence/eval/audio?prompt=p%26q&amp;seed=7&amp;composition=folk%3D1" in html
    asked = [json.loads(unescape(text)) for text in re.findall(r"data-request='([^']*)'", html)]
    assert asked == [request, request]
    assert "words came through, many wrong" in html  # the kind in words
    assert "instead of words" in html  # the transcript is marked
    assert "Compare 2 compositions" in html and "Compare" not in show_cell(
        "eval", JUDGE, "folk", "base", [bare], ["base"]
    )


def test_the_router_is_told_in_sentences_with_its_curve_as_a_picture_and_as_a_table() -> None:
    fit = make_findings(kind="fit")
    html = show_findings([make_findings(), fit])
    assert "policy" in html and "ridge" in html and fit.signal in html and fit.blending in html
    assert html.count('role="img"') == 1 and '<th scope="col">at most 5 songs</th>' in html
    assert 'href="/v1/router/report"' in html
    for order in ("router", "new seed", "random"):
        assert f'<th scope="row">{order}</th>' in html
    assert 'role="img"' not in show_findings([make_bare()])  # no cascade was replayed


def test_why_there_is_no_router_is_said() -> None:
    assert "start the server with --router" in show_routing(Routing())
    routing: Any = SimpleNamespace(known=lambda: [make_findings(kind="fit")], used="1" * 16)
    assert "fitted here" in show_routing(routing)
    loading = Routing(lambda: (_ for _ in ()).throw(RouterError("never")))
    assert "still being loaded" in show_routing(loading)


def test_a_table_without_base_or_of_one_composition_is_shown(tmp_path: Path) -> None:
    for names in (("folk=1",), ("folk=1", "rock=0.5")):
        folder = tmp_path / str(len(names))
        summary = summarise_table(plant_results(folder, compositions=names), JUDGE, resamples=200)
        html = show_headline(summary) + show_standings(summary) + show_heatmap(summary)
        assert "Difference to base" not in html
        assert ("★</span>" in html) == (len(names) > 1)
