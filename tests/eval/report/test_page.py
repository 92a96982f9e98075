"""The page says what the table says, needs nothing beside it, and lets nothing of the table become markup."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from eval.agreement import measure_agreement
from eval.report.page import render_report
from eval.report.sections import Options
from eval.results import Results
from eval.summary import summarise_table
from eval.table import HEAD_COLUMNS, SONG_COLUMNS, Table, TableError, make_heads, make_songs
from tests.eval.report.planted import JUDGE, LOSSES, SECOND, plant
from tests.eval.report.reading import Element, read_page, section, table

EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }} ' & \u202e",
)


def rate(text: str) -> float:
    """The first percentage of a cell, as a fraction."""
    return float(text.split()[0].replace("−", "-")) / 100


def test_the_headline_holds_the_figures_of_every_judge(results: Results, page: Element) -> None:
    captions = [t.find("caption")[0].text for t in section(page, "result").find("table")]
    assert len(captions) == 2 and JUDGE in captions[0] and SECOND in captions[1]
    made = results.table()
    for judge, found in zip((JUDGE, SECOND), section(page, "result").find("table"), strict=True):
        summary = summarise_table(made, judge)
        rows = found.rows()[1:]
        assert [row[0] for row in rows] == list(LOSSES)
        heard = made.of_judge(judge)
        for row, (name, mine) in zip(rows, heard.groupby("composition", sort=False), strict=True):
            # pooled by hand from the table's counts, not by the statistics the page took it from
            errors = mine[["substitutions", "deletions", "insertions"]].to_numpy().sum()
            assert row[0] == name
            assert rate(row[1]) == pytest.approx(errors / mine["reference_words"].sum(), abs=6e-4)
            assert rate(row[4]) == pytest.approx(mine["wer"].median(), abs=6e-4)
            assert int(row[-1]) == len(mine)
        for row, compared in zip(rows[1:], summary.comparisons, strict=True):
            assert rate(row[6]) == pytest.approx(compared.difference.value, abs=6e-4)
            assert float(row[7]) == pytest.approx(compared.p_holm, abs=6e-4)


def test_intervals_are_drawn_where_their_figures_say(page: Element, wide_page: Element) -> None:
    assert " to " not in section(page, "result").find("table")[0].rows()[1][1]  # three prompts
    assert "too few prompts" in section(page, "result").text
    assert "too few prompts" not in section(wide_page, "result").text
    (first, *_) = section(wide_page, "result").find("table")
    ticks = [(float(t.attributes["x"].rstrip("%")), float(t.text)) for t in first.find("text")]
    (x0, v0), (x1, v1) = ticks[0], ticks[-1]
    for row, cells in zip(first.find("tr")[1:], first.rows()[1:], strict=True):
        low, high = map(float, re.findall(r"([\d.]+) to ([\d.]+)", cells[1])[0])
        (line,) = row.find("line", "whisker")
        for end, value in (("x1", low), ("x2", high)):
            at = float(line.attributes[end].rstrip("%"))
            assert v0 + (at - x0) * (v1 - v0) / (x1 - x0) == pytest.approx(value, abs=0.06)


def test_every_genre_has_its_rates_and_its_best(results: Results, page: Element) -> None:
    heard = results.table().of_judge(JUDGE)
    sums = heard.groupby(["genre", "composition"])[
        ["substitutions", "deletions", "insertions", "reference_words"]
    ].sum()
    (found,) = section(page, "genres").find("table")
    names = found.rows()[0][1:]
    for row in found.find("tr")[1:-1]:
        genre, *cells = row.children
        rates = {}
        for name, cell in zip(names, cells, strict=True):
            counts = sums.loc[(genre.text.strip(), name)]
            rates[name] = float(counts.iloc[:3].sum() / counts.iloc[3])
            assert float(cell.attributes["data-value"]) == pytest.approx(rates[name])
            assert f"{100 * rates[name]:.1f}" in cell.text
            step = min(10, int(rates[name] * 10 + 1e-9))
            assert f"heat-{step}" in cell.attributes["class"].split()
        starred = [n for n, c in zip(names, cells, strict=True) if "best" in c.attributes["class"].split()]
        assert starred == [n for n in names if rates[n] == min(rates.values())]


def test_genres_sung_thrice_have_intervals(wide: Results, wide_page: Element) -> None:
    (found,) = section(wide_page, "genres").find("table")
    summary = summarise_table(wide.table(), JUDGE)
    cells = [cell for row in found.find("tr")[1:-1] for cell in row.children[1:]]
    rates = [rate for genre in summary.genres for rate in genre.rates]
    assert sum(rate.low is not None for rate in rates) > 30
    for cell, told in zip(cells, rates, strict=True):
        assert ("95 % interval" in cell.attributes["title"]) == (told.low is not None)


def test_two_judges_stand_beside_each_other(wide: Results, wide_page: Element) -> None:
    found = measure_agreement(wide.table(), JUDGE, SECOND)
    correlations = table(section(wide_page, "choice"), "Agreement of the judges")[1:]
    assert found.song_correlation is not None
    assert float(correlations[0][1].split()[0]) == pytest.approx(found.song_correlation.value, abs=6e-3)
    rows = table(section(wide_page, "choice"), "One judge’s choice")[1:]
    choices = [choice for way in found.transfers for choice in (way.optimistic, way.honest) if choice]
    for row, choice in zip(rows, choices, strict=True):
        assert rate(row[3]) == pytest.approx(choice.headroom.value, abs=6e-4)
    assert f"{JUDGE} and {SECOND} heard the same 36 songs" in section(wide_page, "choice").text


def test_kinds_of_errors_add_up(results: Results, page: Element) -> None:
    rows = table(section(page, "failures"), "Kinds of errors")[1:]
    summary = summarise_table(results.table(), JUDGE)
    assert summary.characters is not None
    for row, words, characters in zip(rows, summary.words, summary.characters, strict=True):
        assert sum(map(rate, row[1:4])) == pytest.approx(words.micro.value, abs=2e-3)
        assert rate(row[5]) == pytest.approx(characters.macro.value, abs=6e-4)
        assert row[6:] == ["0", "0"]


def test_wins_kinds_and_the_two_by_two_are_there(results: Results, page: Element) -> None:
    made = results.table()
    summary = summarise_table(made, JUDGE)
    won = table(section(page, "choice"), "Genres won")[1:]
    assert [[int(v) for v in row[1:4]] for row in won] == [[w.lowest, w.shared, w.unique] for w in summary.wins]
    gains = table(section(page, "choice"), "The best choice")[1:]
    assert summary.oracle is not None and summary.oracle.honest is not None
    for row, choice in zip(gains, (summary.oracle.optimistic, summary.oracle.honest), strict=True):
        assert rate(row[2]) == pytest.approx(choice.oracle.value, abs=6e-4)
        assert rate(row[4]) == pytest.approx(choice.headroom.value, abs=6e-4)
    kinds = table(section(page, "failures"), "Songs of each kind")
    for row in kinds[1:]:
        mine = made.of_judge(JUDGE).query("composition == @row[0]")["failure"].value_counts(normalize=True)
        for kind, cell in zip(kinds[0][2:-1], row[2:-1], strict=True):
            assert rate(cell) == pytest.approx(mine.get(kind.removesuffix(", %"), 0.0), abs=6e-4)
    assert summary.factorial is not None
    effects = table(section(page, "factorial"), "Effects")[1:]
    assert rate(effects[1][2]) == pytest.approx(summary.factorial.sharpening.size.value, abs=6e-4)


def test_attention_stands_beside_its_nulls_and_as_pictures(results: Results, page: Element) -> None:
    made = results.table()
    heads = made.heads[made.heads.apply(lambda h: (h.layer, h["head"]) in {(2, 0), (2, 1), (3, 0), (3, 1)}, axis=1)]
    for row in table(section(page, "attention"), "Attention by composition")[1:]:
        mine = heads[heads["composition"] == row[0]]
        value, null = map(float, row[5].split())
        assert value == pytest.approx(mine["diagonal"].mean(), abs=6e-3)
        assert null == pytest.approx(mine["diagonal_null"].mean(), abs=6e-3)
    layers = table(section(page, "attention"), "Head, its diagonal")
    best = made.heads[(made.heads["composition"] == "lyrics") & (made.heads["layer"] == 4)].groupby("head")["diagonal"]
    assert f"head {best.mean().idxmax()}" in layers[5][layers[0].index("lyrics")]
    assert "◆" in layers[3][1] and "◆" not in layers[1][1]
    pictures = section(page, "attention").find("img")
    assert len(pictures) == 1 + len(LOSSES)  # one prompt side by side, and the heads of each composition
    for picture in pictures:
        assert picture.attributes["alt"]
        assert base64.b64decode(picture.attributes["src"].partition(",")[2]).startswith(b"\x89PNG")


def test_sounds_decode_and_every_word_error_is_marked(results: Results, page: Element) -> None:
    songs = section(page, "songs").find("article", "song")
    assert len(songs) == 6
    heard = results.table().of_judge(JUDGE).set_index(["prompt", "seed", "composition"])
    for song in songs:
        (audio,) = song.find("audio")
        kind, _, content = audio.attributes["src"].partition(";base64,")
        samples, _ = soundfile.read(io.BytesIO(base64.b64decode(content)))
        assert kind == "data:audio/mpeg" and len(samples) and abs(samples).max() > 0.1
        (chip,) = song.find("span", "chip")
        where = re.search(r"· (\S+) · seed (\d+)", song.find("header")[0].text)
        assert where is not None
        row = heard.loc[(where[1], int(where[2]), chip.text)]
        cells = song.find("table")[0].find("td")
        sides = [[w for cell in cells[side::2] for w in cell.find("span", "w")] for side in (0, 1)]
        kinds = [[w.attributes["class"].split()[1] for w in side] for side in sides]
        assert kinds[0].count("delete") == row["deletions"]
        assert kinds[0].count("substitute") == kinds[1].count("substitute") == row["substitutions"]
        assert kinds[1].count("insert") == row["insertions"]
        assert f"{row['hits']} of {row['reference_words']}" in song.text


def test_how_it_was_made_is_told_and_every_column_explained(page: Element) -> None:
    method = section(page, "method")
    for said in ("choirmaster eval --out outputs/eval", "0123456789abcdef", "feedfeed", "eval/prompts/test.jsonl",
                 "temperature 0.0", "2.13.0", "42, 43", "2.0, 2.1, 3.0, 3.1"):  # fmt: skip
        assert said in method.text
    told = {term.text for term in method.find("dt")}
    assert {c.name for c in (*SONG_COLUMNS, *HEAD_COLUMNS)} <= told


def test_the_page_is_one_file_that_asks_nobody(text: str, page: Element) -> None:
    for element in page.walk():
        for name in ("src", "href", "action", "poster", "srcset", "data", "xlink:href"):
            value = element.attributes.get(name, "")
            assert not value or value.startswith(("data:", "#")), (element.tag, value[:80])
        assert "style" not in element.attributes  # the page's own policy would refuse it
        assert not [name for name in element.attributes if name.startswith("on")]
    (style,), (script,) = page.find("style"), page.find("script")
    assert not re.search(r"@import|url\(|https?:", style.text)
    (policy,) = page.find("meta", **{"http-equiv": "Content-Security-Policy"})
    for inline in (style, script):
        digest = base64.b64encode(hashlib.sha256(inline.text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy.attributes["content"]
    assert "default-src 'none'" in policy.attributes["content"]
    assert len(text) < 25e6


def test_headings_tables_and_anchors_are_in_order(page: Element) -> None:
    levels = [int(e.tag[1]) for e in page.walk() if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    assert {a.attributes["href"].removeprefix("#") for a in page.find("nav")[0].find("a")} <= set(ids)
    assert all(th.attributes.get("scope") for th in page.find("th"))
    assert all(t.find("caption") for t in page.find("table"))


def test_nothing_of_the_table_becomes_markup(tmp_path: Path) -> None:
    source = plant(tmp_path / "plain", genres=("folk", "pop"), compositions=("base", "lyrics"))
    made = source.table()
    songs = made.songs.to_dict("records")
    for at, row in enumerate(songs):
        evil = EVIL[at % len(EVIL)]
        row |= {"caption": evil, "transcript": f"hello {evil}", "lyrics": f"{evil}\nhello", "failure": evil,
                "prompt": row["prompt"] + EVIL[0], "genre": row["genre"] + EVIL[1],
                "composition": row["composition"].replace("lyrics", EVIL[2]), "judge": EVIL[3] + EVIL[0]}  # fmt: skip
    named = {EVIL[2]: EVIL[0]}
    about = {"model": EVIL[0], "command": EVIL[1], "adapters": named, "judges": {EVIL[1]: named}, "versions": named,
             "made": EVIL[0], "prompts": EVIL[1], "seeds": EVIL[2], "alignment_heads": EVIL}  # fmt: skip
    Table(make_songs(songs), make_heads([]), about).write(tmp_path / "table.parquet")
    page = read_page(render_report(Results(tmp_path)))
    assert len(page.find("script")) == 1
    assert not [e for e in page.walk() if any(name.startswith("on") for name in e.attributes)]
    assert not page.find("img", src="x")
    assert EVIL[0] in section(page, "songs").text and EVIL[1] in section(page, "genres").text
    assert "49" not in section(page, "result").find("caption")[0].text  # nor is it a template


def test_an_unknown_judge_and_an_empty_or_damaged_table_are_errors(results: Results, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="'nobody' is not in the table"):
        render_report(results, Options(judge="nobody"))
    with pytest.raises(TableError, match="there is none"):
        render_report(Results(tmp_path))
    (tmp_path / "table.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(TableError, match="no results table"):
        render_report(Results(tmp_path))
    Table(make_songs([]), make_heads([])).write(tmp_path / "table.parquet")
    with pytest.raises(TableError, match="holds no song"):
        render_report(Results(tmp_path))


def test_one_adapter_goes_by_its_name_and_a_blend_by_its_weights(tmp_path: Path) -> None:
    names = ("base", "lyrics=1", "lyrics=0.6,nolyrics=0.4")
    page = read_page(render_report(plant(tmp_path, compositions=names), Options(songs=6, prompts=1)))
    shown = ["base", "lyrics", "lyrics=0.6,nolyrics=0.4"]
    assert [row[0].removesuffix(" reference") for row in table(section(page, "result"), "Word errors")[1:]] == shown
    assert {chip.text for chip in page.find("span", "chip")} == {*shown}
    assert len(page.find("audio")) == 6 and len(page.find("img")) == 4  # files are found by the whole name


def test_text_that_cannot_be_written_is_escaped(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    made = results.table()
    monkeypatch.setattr(results, "table", lambda: Table(made.songs, made.heads, {"command": "sing \ud800"}))
    assert r"sing \ud800" in render_report(results, Options(songs=0, prompts=0)).encode().decode()


def test_another_judge_can_be_what_the_page_is_about(results: Results) -> None:
    page = read_page(render_report(results, Options(judge=SECOND, songs=0, prompts=0)))
    captions = [t.find("caption")[0].text for t in section(page, "result").find("table")]
    assert SECOND in captions[0] and JUDGE in captions[1]
    assert not page.find("audio") and not page.find("img")
