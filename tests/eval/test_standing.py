"""Tables say what was computed, in Markdown that parses."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from eval.sheet import Sheet
from eval.standing import (
    error_sheet,
    factorial_sheet,
    genre_sheet,
    headline_markdown,
    headline_sheet,
    oracle_sheet,
    print_standing,
    stability_sheet,
    standing_sheets,
    subset_sheet,
    wins_sheet,
)
from eval.study import BASE, JUDGE, STUDY_CELLS, read_study
from eval.summary import Summary, summarise_lattice, summarise_table
from tests.eval.lattices import JUDGE as PLANTED
from tests.eval.lattices import lattice_of, row, table_from, table_of


@pytest.fixture(scope="module")
def study() -> Summary:
    return summarise_lattice(read_study(), JUDGE, reference=BASE, cells=STUDY_CELLS, resamples=1000)


@pytest.fixture(scope="module")
def planted() -> Summary:
    errors = np.random.default_rng(1).integers(0, 12, size=(5, 12, 4))
    names = ("base", "nolyrics=1", "nolyrics-asr=1", "lyrics=1", "lyrics-asr=1")
    genres = tuple(name for name in ("folk", "pop", "R&B") for _ in range(4))
    return summarise_table(table_from(lattice_of(errors, genres=genres, compositions=names)), PLANTED, resamples=200)


def shown(sheet: Sheet, width: int = 200) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(sheet.table())
    return out.getvalue()


def test_headline(planted: Summary) -> None:
    sheet = headline_sheet(planted)
    assert sheet.columns == (
        "composition", "songs", "micro WER", "macro WER", "CER", "median WER", "difference to base", "p (Holm)"
    )  # fmt: skip
    base, nolyrics, *_ = sheet.rows
    assert base[0] == "base" and base[-2:] == ("–", "–")
    assert nolyrics[0] == "nolyrics"  # one adapter at full weight goes by its name
    s, c = planted.words[1], planted.comparisons[0]
    assert nolyrics[1] == "48"
    assert nolyrics[2] == f"{s.micro.value:.3f} [{s.micro.low:.3f}, {s.micro.high:.3f}]"
    assert nolyrics[6].startswith(f"{c.difference.value:+.3f} [")
    assert [r[3].startswith("**") for r in sheet.rows].count(True) == 1


def test_headline_of_the_study_for_a_readme(study: Summary) -> None:
    lines = headline_markdown(study).splitlines()
    assert lines[0].startswith("| composition | songs | micro WER |")
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    assert {line.count("|") for line in lines[:7]} == {8}
    assert lines[3].startswith("| lora | 30 | 0.465 [")
    assert "| **0.465 [" in lines[3]
    assert "1,000 bootstrap resamples of prompts" in lines[-1]


def test_what_was_left_out_is_told() -> None:
    rows = [row("a", s, c, 1) for s in (1, 2) for c in ("base", "lyrics")][:-1]
    note = headline_sheet(summarise_table(table_of(rows), PLANTED, resamples=5)).note
    assert "Songs left out, as not every composition sang their prompt and seed: 1." in note


def test_kinds_of_errors(planted: Summary) -> None:
    sheet = error_sheet(planted)
    assert sheet.columns[1:5] == ("substituted", "deleted", "inserted", "MER")
    assert planted.characters is not None
    for cells, words, characters in zip(sheet.rows, planted.words, planted.characters, strict=True):
        assert cells[2] == f"{words.micro.value:.3f}"  # only deletions were planted
        macro = characters.macro
        assert cells[6] == f"{macro.value:.3f} [{macro.low:.3f}, {macro.high:.3f}]"
    assert planted.factorial is not None
    effects = [planted.factorial.lyrics, planted.factorial.sharpening, planted.factorial.interaction]
    assert [r[2] for r in factorial_sheet(planted).rows[4:]] == [f"{effect.p_holm:.3f}" for effect in effects]


def test_few_prompts_have_no_intervals_and_it_is_told() -> None:
    sheet = headline_sheet(summarise_table(table_from(lattice_of(np.ones((2, 3, 2), int))), PLANTED, resamples=5))
    assert "Fewer than 10 prompts are too few for intervals." in sheet.note and "[" not in "".join(sheet.rows[1])


def test_genres(planted: Summary, study: Summary) -> None:
    sheet = genre_sheet(planted)
    assert [r[0] for r in sheet.rows] == ["folk", "pop", "R&B"]
    for cells, genre in zip(sheet.rows, planted.genres, strict=True):
        best = [
            name for name, cell in zip(planted.extent.compositions, cells[2:], strict=True) if cell.startswith("**")
        ]
        assert tuple(best) == genre.best
    assert "over a genre's prompts" in sheet.note
    assert "interval" not in genre_sheet(study).note  # one song each
    assert dict((r[0], r[2:]) for r in genre_sheet(study).rows)["gospel"] == (
        "**0.000**", "0.160", "1.000", "**0.000**", "0.440"
    )  # fmt: skip


def test_oracle(planted: Summary, study: Summary) -> None:
    found = planted.oracle
    assert found is not None and found.honest is not None
    same, different = oracle_sheet(planted).rows
    assert same[0] == "the same songs" and different[0] == "different seeds"
    assert different[3].startswith(f"{found.honest.headroom.value:+.3f} [")
    assert "in 400 splits" in oracle_sheet(planted).note
    [only] = oracle_sheet(study).rows
    assert only[2].startswith("0.182 [") and only[4] == "lora"
    assert "one seed" in oracle_sheet(study).note
    assert subset_sheet(study).rows[1] == ("2", "lora, lora_with_lyrics", "0.276")


def test_two_by_two_wins_and_stability(planted: Summary, study: Summary) -> None:
    rows = {r[0]: r[1:] for r in factorial_sheet(study).rows}
    assert rows["lora_asr"][0].startswith("0.892 [")
    assert rows["effect of sharpening"][0].startswith("+0.299 [+")
    assert rows["interaction"][0].startswith("-0.256 [-")
    wins = {r[0]: r[1:] for r in wins_sheet(study).rows}
    assert wins["lora"] == ("10", "3", "19 / 2 / 9")
    assert wins["baseline"] == ("3", "2", "–")
    assert [r[1] for r in stability_sheet(planted).rows] == ["400", "400"]
    assert not stability_sheet(study).rows


def test_only_tables_with_rows_are_shown(planted: Summary, study: Summary) -> None:
    assert len(standing_sheets(planted)) == 8
    assert len(standing_sheets(study)) == 6
    alone = summarise_table(
        table_of([row("folk-1", 1, "lyrics=0.6,nolyrics=1", 3, failure="good")]), PLANTED, resamples=5
    )
    headline, errors, genres = standing_sheets(alone)
    assert errors.rows[0][1:8] == ("0.000", "0.300", "0.000", "0.000", "0.250", "0.250", "good 1")
    assert headline.rows == (("lyrics=0.6,nolyrics=1", "1", "0.300", "0.300", "0.250", "0.300"),)
    assert genres.rows == (("folk", "1", "0.300"),)


def test_all_tables_are_printed() -> None:
    out = io.StringIO()
    table = table_from(lattice_of(np.random.default_rng(2).integers(0, 12, size=(2, 3, 2))))
    print_standing(table, PLANTED, Console(file=out, width=160))
    assert all(title in out.getvalue() for title in (f"judge: {PLANTED}", "WER by genre", "choosing per prompt"))


def test_a_grid_that_is_hardly_begun_is_told_in_a_line() -> None:
    out = io.StringIO()
    rows = [row("a", 1, "base", 1), row("b", 1, "lyrics", 1)]
    print_standing(table_of(rows), PLANTED, Console(file=out, width=300))
    assert out.getvalue().startswith(f"{PLANTED}: no prompt and seed was sung by all 2 compositions")
    assert len(out.getvalue().splitlines()) == 1


def test_small_p_is_not_shown_as_zero() -> None:
    errors = np.tile(np.arange(18), (2, 1))[..., None]
    errors[1] += 1
    sheet = headline_sheet(summarise_table(table_from(lattice_of(errors)), PLANTED))
    assert sheet.rows[1][-1] == "<0.001"


def test_terminal_shows_every_cell_and_takes_nothing_for_markup(planted: Summary) -> None:
    text = shown(headline_sheet(planted))
    assert all(cell in text for cells in headline_sheet(planted).rows for cell in cells)
    assert "[bold]" in shown(Sheet("[red]", ("[bold]", "b"), (("a|b", "[/x]"),), "[note]"))


def test_bars_and_line_ends_stay_in_their_cell() -> None:
    sheet = Sheet("t", ("a", "b"), (("x|y", "1\n2"),), "note")
    assert sheet.markdown() == "| a | b |\n| --- | ---: |\n| x\\|y | 1 2 |\n\nnote\n"
    assert "x\\|y" in shown(sheet)
